//! Walks from the root of the picture: from the outermost calls inwards, or, turned over, from
//! the innermost ones outwards.

use super::{
    labels::{LabelId, Labels},
    weights::{Weight, Weights},
};
use crate::model::{Node, NodeId, Sites, StackId};

/// Where a walk stands: at one of the functions of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The call.
    pub(super) node: NodeId,
    /// The stack that the walk began with; none for a walk inwards, which is of all stacks
    /// behind the call.
    pub(super) stack: Option<StackId>,
    /// How many functions of the call it has been at before.
    pub(super) passed: u16,
}

/// What calls lead to.
#[derive(Debug, Default)]
pub(super) struct Callees {
    /// Where the children of each node begin in `children`, and where the last ones end.
    begins: Vec<u32>,
    children: Vec<NodeId>,
    roots: Vec<NodeId>,
}

/// The tree of calls, and the way through it.
pub(super) struct Walk<'a> {
    sites: &'a Sites,
    outwards: bool,
    callees: &'a Callees,
}

impl Callees {
    /// Finds them anew if there are more calls than before. Their callers never change as long
    /// as calls are not forgotten.
    pub(super) fn update(&mut self, sites: &Sites) {
        if self.begins.len() != sites.nodes.len() + 1 {
            *self = Self::default();
            self.find_children(&sites.nodes);
        }
    }

    fn find_children(&mut self, nodes: &[Node]) {
        let mut counts = vec![0_u32; nodes.len() + 1];
        for (at, node) in nodes.iter().enumerate() {
            match parent(at, node) {
                Some(parent) => counts[parent + 1] += 1,
                None => self.roots.push(NodeId(at as u32)),
            }
        }
        for at in 1..counts.len() {
            counts[at] += counts[at - 1];
        }
        self.begins.clone_from(&counts);
        self.children = vec![NodeId(0); counts.last().map_or(0, |all| *all as usize)];
        for (at, node) in nodes.iter().enumerate() {
            if let Some(parent) = parent(at, node) {
                self.children[counts[parent] as usize] = NodeId(at as u32);
                counts[parent] += 1;
            }
        }
    }

    fn of(&self, node: NodeId) -> &[NodeId] {
        let at = node.0 as usize;
        &self.children[self.begins[at] as usize..self.begins[at + 1] as usize]
    }
}

impl<'a> Walk<'a> {
    /// Inwards, `callees` must be those of `sites`.
    pub(super) fn new(sites: &'a Sites, outwards: bool, callees: &'a Callees) -> Self {
        Self { sites, outwards, callees }
    }

    /// Where a walk inwards can begin; where one outwards does is known to
    /// [`Innermost`](super::innermost::Innermost).
    pub(super) fn first(&self, labels: &mut Labels<'_>, weights: &Weights, steps: &mut Vec<Step>) {
        for root in &self.callees.roots {
            self.enter(*root, labels, weights, steps);
        }
    }

    /// Where it can go on to.
    pub(super) fn next(
        &self,
        step: Step,
        labels: &mut Labels<'_>,
        weights: &Weights,
        steps: &mut Vec<Step>,
    ) {
        let Some(node) = self.sites.nodes.get(step.node.0 as usize) else {
            return;
        };
        if usize::from(step.passed) + 1 < labels.at(node.location).len() {
            steps.push(Step { passed: step.passed + 1, ..step });
            return;
        }
        match step.stack {
            Some(stack) => {
                let caller = node.parent.filter(|parent| *parent < step.node);
                steps.extend(leave_through(self.sites, caller, stack, labels));
            }
            None => {
                for child in self.callees.of(step.node) {
                    self.enter(*child, labels, weights, steps);
                }
            }
        }
    }

    /// Into a call, or through it if it is left out.
    fn enter(
        &self,
        node: NodeId,
        labels: &mut Labels<'_>,
        weights: &Weights,
        steps: &mut Vec<Step>,
    ) {
        let mut waiting = vec![node];
        while let Some(node) = waiting.pop() {
            let shown = |labels: &mut Labels<'_>| {
                let node = self.sites.nodes.get(node.0 as usize)?;
                Some(!labels.at(node.location).is_empty())
            };
            if weights.node(node).value == 0 {
                continue;
            }
            match shown(labels) {
                Some(true) => steps.push(Step { node, stack: None, passed: 0 }),
                _ => waiting.extend(self.callees.of(node)),
            }
        }
    }

    /// What a walk is at.
    pub(super) fn label(&self, step: Step, labels: &mut Labels<'_>) -> Option<LabelId> {
        let node = self.sites.nodes.get(step.node.0 as usize)?;
        let here = labels.at(node.location);
        let passed = usize::from(step.passed);
        match self.outwards {
            true => here.get(passed).copied(),
            false => here.iter().rev().nth(passed).copied(),
        }
    }

    /// What a step comes to.
    pub(super) fn weight(step: Step, weights: &Weights) -> Weight {
        match step.stack {
            Some(stack) => weights.stack(stack),
            None => weights.node(step.node),
        }
    }

    /// A number that tells a step at `depth` from all others, and by which it is found again.
    pub(super) fn key(step: Step, depth: usize) -> u64 {
        let low = (depth as u64).min(0xffff);
        match step.stack {
            Some(stack) => OUTWARDS | u64::from(stack.0) << 16 | low,
            None => (u64::from(step.node.0) + 1) << 16 | u64::from(step.passed),
        }
    }

    /// The labels from the root to the step of a key.
    pub(super) fn path(&self, key: u64, labels: &mut Labels<'_>) -> Vec<LabelId> {
        let low = (key & 0xffff) as usize;
        let high = ((key & !OUTWARDS) >> 16) as u32;
        if key & OUTWARDS != 0 {
            let frames: Vec<_> = self.sites.frames(StackId(high)).collect();
            let all = frames.into_iter().flat_map(|location| labels.at(location).to_vec());
            return all.take(low).collect();
        }
        let Some(last) = high.checked_sub(1).map(NodeId) else {
            return Vec::new();
        };
        let chain: Vec<(NodeId, Node)> = self.sites.chain(Some(last)).collect();
        let mut path = Vec::new();
        for (id, node) in chain.into_iter().rev() {
            let here: Vec<LabelId> = labels.at(node.location).iter().rev().copied().collect();
            let many = if id == last { low + 1 } else { here.len() };
            path.extend(here.into_iter().take(many));
        }
        path
    }
}

/// Out to the next call of a stack that is not left out.
pub(super) fn leave_through(
    sites: &Sites,
    from: Option<NodeId>,
    stack: StackId,
    labels: &mut Labels<'_>,
) -> Option<Step> {
    let mut shown = |(_, node): &(NodeId, Node)| !labels.at(node.location).is_empty();
    let (node, _) = sites.chain(from).find(|at| shown(at))?;
    Some(Step { node, stack: Some(stack), passed: 0 })
}

const OUTWARDS: u64 = 1 << 62;

fn parent(at: usize, node: &Node) -> Option<usize> {
    node.parent.map(|parent| parent.0 as usize).filter(|parent| *parent < at)
}
