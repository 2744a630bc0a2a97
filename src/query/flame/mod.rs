//! The call tree by weight, pruned of what is narrower than a cell.
//!
//! The stacks' own tree tells calls apart by their address; a picture merges calls of the same
//! function from the same callers. It is unfolded from its root, level by level, and only
//! where it is wide enough to be seen: what hides in a sliver is never looked at.
//!
//! A node's key is made of the first call that it merges, so that it stays the same from frame
//! to frame, and tells by itself which path leads to it.

mod innermost;
mod labels;
mod walk;
mod weights;

use memtop_ui::{
    State,
    data::{Crumb, Flame, FlameNode, Key, Measure, Name},
};

use super::code::{self, Numbers};
use crate::model::{Filter, Grouping, Model, NodeId, Scope};
use innermost::Innermost;
use labels::{Known, LabelId, Labels};
use walk::{Callees, Step, Walk};
use weights::{Weight, Weights};

/// The deepest picture; beyond this nobody scrolls.
const DEEPEST: usize = 512;

/// What does not change from picture to picture, as long as no names are found.
#[derive(Debug, Default)]
pub(super) struct Calls {
    of: Option<Question>,
    callees: Callees,
    known: Known,
    innermost: Innermost,
}

/// What labels depend on.
#[derive(Debug, PartialEq)]
struct Question {
    epoch: u64,
    names: u64,
    folded: bool,
    search: Filter,
}

/// The picture for `columns` cells.
pub(super) fn flame(model: &Model, state: &State, columns: usize, calls: &mut Calls) -> Flame {
    let inverted = state.flame.inverted;
    let of_calls = !inverted || state.code.filter.asks_for_code();
    let Ok(weights) = Weights::new(model, state, of_calls) else {
        return Flame { names_pending: model.names_pending, ..Flame::default() };
    };
    let scope = model.scope();
    calls.keep_to(model, state);
    let Calls { callees, known, innermost, .. } = calls;
    let search = code::filter(state, Grouping::Function);
    let mut labels = Labels::new(scope, !state.code.all_frames, search, known);
    match inverted {
        true => innermost.update(scope.sites, &mut labels),
        false => callees.update(scope.sites),
    }
    let mut picture = Picture {
        model,
        state,
        scope,
        labels,
        walk: Walk::new(scope.sites, inverted, callees),
        innermost: inverted.then_some(innermost),
        weights,
        merging: Merging::default(),
    };
    picture.draw(columns.max(1) as u64)
}

impl Calls {
    /// Forgets what is of other calls, or other names.
    fn keep_to(&mut self, model: &Model, state: &State) {
        let question = Question {
            epoch: model.sites_epoch(),
            names: model.names_found(),
            folded: !state.code.all_frames,
            search: code::filter(state, Grouping::Function),
        };
        if self.of.as_ref().is_none_or(|of| of.epoch != question.epoch) {
            self.callees = Callees::default();
        }
        if self.of.as_ref() != Some(&question) {
            self.known = Known::default();
            self.innermost = Innermost::default();
            self.of = Some(question);
        }
    }
}

struct Picture<'a> {
    model: &'a Model,
    state: &'a State,
    scope: Scope<'a>,
    labels: Labels<'a>,
    walk: Walk<'a>,
    /// Where the picture begins, turned over.
    innermost: Option<&'a Innermost>,
    weights: Weights,
    merging: Merging,
}

/// Where calls with a label are merged, in the round of merging that is on.
#[derive(Debug, Default)]
struct Merging {
    round: u32,
    by_label: Vec<(u32, usize)>,
}

impl Merging {
    fn begin(&mut self, labels: usize) {
        self.round += 1;
        self.by_label.resize(labels.max(self.by_label.len()), (0, 0));
    }

    /// The place of a label; `next`, if it is the first time that it is met.
    fn place(&mut self, label: LabelId, next: usize) -> usize {
        let entry = &mut self.by_label[label.0 as usize];
        if entry.0 != self.round {
            *entry = (self.round, next);
        }
        entry.1
    }
}

/// Calls that are one node of the picture.
#[derive(Debug, Default)]
struct Merged {
    /// What they have in common; nothing at the root of everything.
    label: Option<LabelId>,
    key: u64,
    weight: Weight,
    /// None of those that a picture that is turned over begins with.
    steps: Vec<Step>,
}

impl Picture<'_> {
    fn draw(&mut self, columns: u64) -> Flame {
        let (root, depth, zoom) = self.zoomed();
        let (matching, matches) = self.search();
        let nodes = match self.weights.whole.value {
            0 => Vec::new(),
            _ => self.unfold(root, depth, columns),
        };
        Flame {
            whole: self.weights.whole.value,
            zoom,
            matching,
            matches,
            shrunk_bytes: self.weights.shrunk,
            names_pending: self.model.names_pending,
            nodes,
        }
    }

    /// The root of the picture, how deep it lies, and the way to it.
    fn zoomed(&mut self) -> (Merged, usize, Vec<Crumb>) {
        let path = self.state.flame.zoom.map(|key| self.walk.path(key.0, &mut self.labels));
        let mut crumbs = Vec::new();
        let mut at: Option<Merged> = None;
        for label in path.unwrap_or_default() {
            let inner = self.children(at.as_ref(), crumbs.len() + 1);
            let Some(next) = inner.into_iter().find(|one| one.label == Some(label)) else {
                // It is not there any more: everything shows.
                return (self.everything(), 0, Vec::new());
            };
            crumbs.push(Crumb { key: Key(next.key), name: self.words(label) });
            at = Some(next);
        }
        let depth = crumbs.len();
        (at.unwrap_or_else(|| self.everything()), depth, crumbs)
    }

    fn everything(&self) -> Merged {
        Merged { weight: self.weights.whole, ..Merged::default() }
    }

    fn words(&self, label: LabelId) -> String {
        let place = self.labels.get(label).place;
        Grouping::Function.label_of(self.scope, place).to_string()
    }

    /// The nodes from `root` on, as deep and as narrow as can be seen.
    fn unfold(&mut self, root: Merged, depth: usize, columns: u64) -> Vec<FlameNode> {
        let whole = root.weight.value;
        let mut nodes = Vec::new();
        let mut waiting = vec![(root, None, depth)];
        while let Some((merged, parent, depth)) = waiting.pop() {
            let mut children = match depth < DEEPEST {
                true => self.children(merged.label.map(|_| &merged), depth + 1),
                false => Vec::new(),
            };
            let inner = children.iter().map(|child| child.weight.value);
            let own = merged.weight.value.saturating_sub(inner.fold(0, u64::saturating_add));
            let this = u32::try_from(nodes.len()).ok();
            nodes.push(self.node(&merged, parent, own));
            children.retain(|child| {
                u128::from(child.weight.value) * u128::from(columns) >= u128::from(whole)
            });
            // The heaviest is taken first.
            children.sort_by_key(|child| (child.weight.value, std::cmp::Reverse(child.key)));
            waiting.extend(children.into_iter().map(|child| (child, this, depth + 1)));
        }
        nodes
    }

    fn node(&self, merged: &Merged, parent: Option<u32>, own: u64) -> FlameNode {
        let Weight { value, blocks, delta } = merged.weight;
        let of_growth = self.state.flame.measure == Measure::Delta;
        let delta_bytes = of_growth.then_some(delta);
        let node = FlameNode {
            key: Key(merged.key),
            parent,
            value,
            own,
            delta_bytes,
            blocks,
            ..FlameNode::default()
        };
        let Some(label) = merged.label.map(|label| self.labels.get(label)) else {
            return FlameNode { name: Name::plain("everything"), ..node };
        };
        let filter = &self.state.code.filter;
        let delta = delta_bytes.map(i64::unsigned_abs);
        let blocks = Some(blocks);
        let numbers = Numbers { size: value, blocks, delta, allocations: None };
        let named = label.matched || !filter.asks_for_code();
        let place = label.place;
        let pending =
            self.model.names_pending > 0 && self.scope.names.get(place.location).is_none();
        let name = code::name_of(&self.scope.frame(place), Grouping::Function);
        FlameNode {
            name: Name { pending, ..name },
            origin: label.origin,
            // What threads it is about was chosen before; all of it shows.
            matched: (filter.asks_for_code() || filter.asks_for_numbers())
                && named
                && filter.numbers_match(&numbers),
            ..node
        }
    }

    /// What a node leads to, at `depth`; with none, where everything begins.
    fn children(&mut self, of: Option<&Merged>, depth: usize) -> Vec<Merged> {
        let mut steps = Vec::new();
        match (of, self.innermost) {
            (None, Some(innermost)) => return self.turned_over(innermost),
            (None, None) => self.walk.first(&mut self.labels, &self.weights, &mut steps),
            (Some(merged), innermost) => {
                let begins = innermost.filter(|_| depth == 2).zip(merged.label);
                let begins = begins.into_iter().flat_map(|(of, label)| of.steps(label));
                let begins = begins.filter(|step| Walk::weight(*step, &self.weights).value > 0);
                for step in begins.chain(merged.steps.iter().copied()) {
                    self.walk.next(step, &mut self.labels, &self.weights, &mut steps);
                }
            }
        }
        let mut merged: Vec<Merged> = Vec::new();
        // Steps stand where labels were found.
        self.merging.begin(self.labels.len());
        for step in steps {
            let Some(label) = self.walk.label(step, &mut self.labels) else {
                continue;
            };
            let at = self.merging.place(label, merged.len());
            if at == merged.len() {
                merged.push(Merged { label: Some(label), key: u64::MAX, ..Merged::default() });
            }
            let into = &mut merged[at];
            into.key = into.key.min(Walk::key(step, depth));
            into.weight.add(Walk::weight(step, &self.weights));
            into.steps.push(step);
        }
        merged
    }

    /// What stacks end in: without their steps, since most of them are too narrow to be seen.
    fn turned_over(&mut self, innermost: &Innermost) -> Vec<Merged> {
        let mut merged: Vec<Merged> = Vec::new();
        self.merging.begin(self.labels.len());
        for (step, label) in innermost.all() {
            let weight = Walk::weight(step, &self.weights);
            if weight.value == 0 {
                continue;
            }
            let at = self.merging.place(label, merged.len());
            if at == merged.len() {
                let key = Walk::key(step, 1);
                merged.push(Merged { label: Some(label), key, ..Merged::default() });
            }
            merged[at].weight.add(weight);
        }
        merged
    }

    /// What the calls that the search found come to, each byte once, and how many they are.
    fn search(&mut self) -> (Option<u64>, usize) {
        if !self.state.code.filter.asks_for_code() {
            return (None, 0);
        }
        let nodes = &self.scope.sites.nodes;
        let mut inside = vec![false; nodes.len()];
        let (mut bytes, mut count) = (0_u64, 0);
        for (at, node) in nodes.iter().enumerate() {
            let weight = self.weights.node(NodeId(at as u32)).value;
            if weight == 0 {
                continue;
            }
            let found = self.labels.at(node.location).to_vec();
            let found = found.into_iter().any(|label| self.labels.get(label).matched);
            let caller = node.parent.filter(|parent| (parent.0 as usize) < at);
            let around = caller.is_some_and(|caller| inside[caller.0 as usize]);
            inside[at] = found || around;
            count += usize::from(found);
            if found && !around {
                bytes = bytes.saturating_add(weight);
            }
        }
        (Some(bytes), count)
    }
}
