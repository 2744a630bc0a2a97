//! Sites of one process or several, summed by what they have in common: the groups of
//! `--by site` and its like, for the text, the JSON and the diff.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use super::sites::{Sites, Source};
use crate::{
    cli::GroupBy,
    model::{Filter, Frame, GroupId, Grouping, Groups, LocationId, Scope, SiteFigures, StackId},
};

/// What code a `--by` groups by; `None` for what is no code.
pub(super) fn grouping(by: GroupBy) -> Option<Grouping> {
    Some(match by {
        GroupBy::Stack => Grouping::Stack,
        GroupBy::Site => Grouping::Site,
        GroupBy::Function => Grouping::Function,
        GroupBy::File => Grouping::File,
        GroupBy::Module => Grouping::Module,
        GroupBy::Thread | GroupBy::Size => return None,
    })
}

/// A group and what it comes to.
#[derive(Debug, Clone)]
pub(super) struct CodeGroup<'a> {
    /// What it is called, the same in every process and every run.
    pub key: String,
    /// The same in parts.
    pub label: Frame,
    /// What its own stacks come to.
    pub figures: SiteFigures,
    /// Live bytes of it and all that it called.
    pub with_callees: u64,
    /// How many stacks are its own.
    pub stacks: usize,
    /// The heaviest of them.
    pub heaviest: Option<(Scope<'a>, StackId)>,
}

/// The groups of `sites` that pass, most live bytes first.
pub(super) fn groups<'a>(sites: &Sites<'a>, by: Grouping, filter: &Filter) -> Vec<CodeGroup<'a>> {
    let mut groups = BTreeMap::<String, CodeGroup<'a>>::new();
    for source in sites.sources() {
        for group in of_one(*source, by, filter) {
            match groups.get_mut(&group.key) {
                Some(sum) => sum.join(group),
                None => _ = groups.insert(group.key.clone(), group),
            }
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| {
        let figures = &group.figures;
        Reverse((figures.current_bytes, group.with_callees, figures.allocated_bytes))
    });
    groups
}

fn of_one<'a>(source: Source<'a>, by: Grouping, filter: &Filter) -> Vec<CodeGroup<'a>> {
    let mut groups = Groups::new(by, filter.clone());
    if source.at_peak {
        groups = groups.weighing(|figures| figures.at_peak_bytes);
    }
    groups.extend(source.scope, usize::MAX);
    let heaviest = heaviest(source, &groups);
    // Callers of what a filter chose are not what it chose.
    let callers = filter.is_empty();
    let chosen = |group: &GroupId| groups.get(*group).stacks > 0 || callers;
    let mut keys = Keys { scope: source.scope, by, words: HashMap::new() };
    let group = |id: GroupId| {
        let label = groups.label(source.scope, id);
        let stack = heaviest[id.0 as usize];
        CodeGroup {
            key: keys.key(&label, stack),
            label,
            figures: source.then(groups.own(id)),
            with_callees: groups.with_callees(id),
            stacks: groups.get(id).stacks as usize,
            heaviest: stack.map(|stack| (source.scope, stack)),
        }
    };
    groups.ids().filter(chosen).map(group).collect()
}

/// The heaviest stack of each group.
fn heaviest(source: Source<'_>, groups: &Groups) -> Vec<Option<StackId>> {
    let mut heaviest: Vec<Option<(u64, StackId)>> = vec![None; groups.len()];
    for (at, figures) in source.scope.sites.figures.iter().enumerate() {
        let stack = StackId(at as u32);
        let Some(group) = groups.of_stack(stack) else {
            continue;
        };
        let best = &mut heaviest[group.0 as usize];
        let weight = source.then(figures).current_bytes;
        if best.is_none_or(|(most, _)| weight > most) {
            *best = Some((weight, stack));
        }
    }
    heaviest.into_iter().map(|best| Some(best?.1)).collect()
}

/// Keys of groups. A stack's are the words of all its own frames; each place has its words once.
struct Keys<'a> {
    scope: Scope<'a>,
    by: Grouping,
    words: HashMap<LocationId, Vec<String>>,
}

impl Keys<'_> {
    fn key(&mut self, label: &Frame, stack: Option<StackId>) -> String {
        let (Grouping::Stack, Some(stack)) = (self.by, stack) else {
            return label.to_string();
        };
        let mut frames: Vec<&str> = Vec::new();
        for location in self.scope.sites.frames(stack) {
            self.words.entry(location).or_insert_with(|| words(self.scope, location));
        }
        for location in self.scope.sites.frames(stack) {
            frames.extend(self.words.get(&location).into_iter().flatten().map(String::as_str));
        }
        if frames.is_empty() { label.to_string() } else { frames.join(" ‹ ") }
    }
}

fn words(scope: Scope<'_>, location: LocationId) -> Vec<String> {
    let own = scope.places_at(location).filter(|place| !scope.is_plumbing(*place));
    own.map(|place| Grouping::Stack.label_of(scope, place).to_string()).collect()
}

impl CodeGroup<'_> {
    /// Takes in the group of the same key in another process.
    fn join(&mut self, other: Self) {
        if other.figures.current_bytes > self.figures.current_bytes {
            self.heaviest = other.heaviest;
        }
        self.figures.add(&other.figures);
        self.with_callees = self.with_callees.saturating_add(other.with_callees);
        self.stacks += other.stacks;
    }
}
