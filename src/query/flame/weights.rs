//! How wide stacks are, and calls with all that they lead to.

use memtop_ui::{State, data::Measure};

use super::super::{code, moments};
use crate::model::{Model, NodeId, Sites, StackId, Tally};

/// What something comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Its width.
    pub value: u64,
    /// Blocks behind it.
    pub blocks: u64,
    /// How it changed, where the picture is of that: not only upwards.
    pub delta: i64,
}

impl Weight {
    pub(super) fn add(&mut self, other: Self) {
        self.value = self.value.saturating_add(other.value);
        self.blocks = self.blocks.saturating_add(other.blocks);
        self.delta = self.delta.saturating_add(other.delta);
    }
}

/// The weights of all stacks and of all nodes of their tree.
#[derive(Debug, Default)]
pub(super) struct Weights {
    stacks: Vec<Weight>,
    nodes: Vec<Weight>,
    /// All together.
    pub whole: Weight,
    /// Bytes that shrank, which have no width.
    pub shrunk: u64,
}

impl Weights {
    /// By what the person chose to measure; those of the calls only if somebody looks `of_calls`.
    ///
    /// # Errors
    /// With words, where that is not known.
    pub(super) fn new(model: &Model, state: &State, of_calls: bool) -> Result<Self, String> {
        let figures = model.sites.figures.iter();
        let mut stacks: Vec<Weight> = match state.flame.measure {
            Measure::Live => figures.map(|f| of(f.current_bytes, f.current_blocks)).collect(),
            Measure::AtPeak => figures.map(|f| of(f.at_peak_bytes, f.at_peak_blocks)).collect(),
            Measure::Allocated => figures.map(|f| of(f.allocated_bytes, f.allocations)).collect(),
            Measure::Delta => {
                let pair = state.diff.pair;
                let (from, to) = (moments::held(model, pair.from)?, moments::held(model, pair.to)?);
                let stacks = (0..model.sites.stacks.len()).map(|at| StackId(at as u32));
                stacks.map(|stack| grown(to(stack).since(from(stack)))).collect()
            }
        };
        let chosen = code::asked(model, state);
        for (at, weight) in stacks.iter_mut().enumerate().filter(|_| !chosen.is_all()) {
            if !chosen.passes(StackId(at as u32)) {
                *weight = Weight::default();
            }
        }
        Ok(Self::over(&model.sites, stacks, of_calls))
    }

    fn over(sites: &Sites, stacks: Vec<Weight>, of_calls: bool) -> Self {
        let mut weights = Self::default();
        for weight in &stacks {
            weights.whole.add(*weight);
            let loss = u64::try_from(weight.delta.saturating_neg()).unwrap_or(0);
            weights.shrunk = weights.shrunk.saturating_add(loss);
        }
        if of_calls {
            weights.sum_calls(sites, &stacks);
        }
        Self { stacks, ..weights }
    }

    fn sum_calls(&mut self, sites: &Sites, stacks: &[Weight]) {
        let mut nodes = vec![Weight::default(); sites.nodes.len()];
        for (stack, weight) in sites.stacks.iter().zip(stacks) {
            if let Some(place) = stack.node.and_then(|id| nodes.get_mut(id.0 as usize)) {
                place.add(*weight);
            }
        }
        // Callers have lower ids than what they call.
        for at in (0..sites.nodes.len()).rev() {
            let parent = sites.nodes[at].parent.filter(|parent| (parent.0 as usize) < at);
            if let Some(parent) = parent {
                let weight = nodes[at];
                nodes[parent.0 as usize].add(weight);
            }
        }
        self.nodes = nodes;
    }

    /// What a stack comes to.
    pub(super) fn stack(&self, stack: StackId) -> Weight {
        self.stacks.get(stack.0 as usize).copied().unwrap_or_default()
    }

    /// What a call and all that it leads to come to.
    pub(super) fn node(&self, node: NodeId) -> Weight {
        self.nodes.get(node.0 as usize).copied().unwrap_or_default()
    }
}

fn of(value: u64, blocks: u64) -> Weight {
    Weight { value, blocks, delta: 0 }
}

fn grown(delta: Tally) -> Weight {
    let up = |figure: i64| u64::try_from(figure).unwrap_or(0);
    Weight { value: up(delta.bytes), blocks: up(delta.blocks), delta: delta.bytes }
}
