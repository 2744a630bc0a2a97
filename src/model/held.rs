//! What happened to sites while the person held the tables still, to be caught up with later.

use std::collections::{HashMap, VecDeque};

use super::{SiteFigures, SitesUpdate, StackId, history::STEP_S};

/// Most changes that are kept apart by when they were; 16 MiB or so of them.
const MOST: usize = 1 << 19;

/// What stacks held at the end of a second, those that changed within it.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// When, seconds since the session began.
    pub t_s: f64,
    /// Live bytes.
    pub bytes: HashMap<StackId, u64>,
}

/// Updates, taken together: as many changes as there are stacks, at most. Live bytes are kept
/// second by second beside them, so that the history has no gap.
#[derive(Debug, Default)]
pub(super) struct Held {
    update: SitesUpdate,
    changed: HashMap<StackId, SiteFigures>,
    steps: VecDeque<Step>,
    /// The step that has not ended.
    open: HashMap<StackId, u64>,
}

impl Held {
    /// Takes in an update of the moment `now_s`.
    pub(super) fn add(&mut self, mut update: SitesUpdate, now_s: f64) {
        if update.restart {
            *self = Self::default();
        }
        let all = &mut self.update;
        all.restart |= update.restart;
        all.modules.append(&mut update.modules);
        all.locations.append(&mut update.locations);
        all.nodes.append(&mut update.nodes);
        all.stacks.append(&mut update.stacks);
        let bytes = |(stack, figures): &(StackId, SiteFigures)| (*stack, figures.current_bytes);
        self.open.extend(update.changed.iter().map(bytes));
        self.changed.extend(update.changed);
        if self.steps.back().is_none_or(|last| now_s - last.t_s >= STEP_S) {
            self.steps.push_back(Step { t_s: now_s, bytes: std::mem::take(&mut self.open) });
            self.stay_within_bounds();
        }
    }

    /// The oldest steps become one.
    fn stay_within_bounds(&mut self) {
        let kept =
            |steps: &VecDeque<Step>| steps.iter().map(|step| step.bytes.len()).sum::<usize>();
        while self.steps.len() > 2 && kept(&self.steps) > MOST {
            let Some(first) = self.steps.pop_front() else { return };
            for (stack, bytes) in first.bytes {
                self.steps[0].bytes.entry(stack).or_insert(bytes);
            }
        }
    }

    /// All of it: what became of the sites, and their live bytes second by second.
    pub(super) fn take(self) -> (SitesUpdate, VecDeque<Step>) {
        let changed = self.changed.into_iter().collect();
        (SitesUpdate { changed, ..self.update }, self.steps)
    }
}
