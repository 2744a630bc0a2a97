//! Which thread asked for memory under which stacks, as far as whoever reads a session knows.
//!
//! It is no more than that: what a thread holds of a stack is not known, since others may free
//! what it allocated. A recording does not have it at all.

use std::sync::Arc;

use super::{StackId, ThreadState};

/// A set of stacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackSet(Vec<u64>);

impl StackSet {
    /// Puts a stack in.
    pub fn insert(&mut self, stack: StackId) {
        let at = stack.0 as usize / 64;
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= 1 << (stack.0 % 64);
    }

    /// Whether a stack is in it.
    pub fn contains(&self, stack: StackId) -> bool {
        let word = self.0.get(stack.0 as usize / 64).copied().unwrap_or(0);
        word >> (stack.0 % 64) & 1 != 0
    }

    /// Puts all of another one in.
    fn join(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }
}

impl FromIterator<StackId> for StackSet {
    fn from_iter<I: IntoIterator<Item = StackId>>(stacks: I) -> Self {
        let mut set = Self::default();
        stacks.into_iter().for_each(|stack| set.insert(stack));
        set
    }
}

/// The stacks of each thread, by its id; 0 for ended ones, and those that share their cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Askers(pub Vec<(u32, StackSet)>);

/// What is known of who asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Asked {
    /// Nobody wanted to know.
    #[default]
    NotYet,
    /// It cannot be had of what is shown.
    Unknown,
    /// This.
    Known(Askers),
}

impl Askers {
    /// The stacks under which any of the threads asked that `is_like` holds for.
    pub fn of(&self, threads: &[ThreadState], is_like: impl Fn(&ThreadState) -> bool) -> StackSet {
        let mut all = StackSet::default();
        for (tid, stacks) in &self.0 {
            let bare = ThreadState { tid: *tid, ..ThreadState::default() };
            if is_like(threads.iter().find(|thread| thread.tid == *tid).unwrap_or(&bare)) {
                all.join(stacks);
            }
        }
        all
    }
}

/// Stacks that a filter lets pass, whatever it asks of names: those in all of some sets, and in
/// none of others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chosen {
    /// Whether a stack has to be in the set, or must not be.
    pub sets: Arc<[(bool, StackSet)]>,
}

impl Chosen {
    /// Whether a stack passes.
    pub fn passes(&self, stack: StackId) -> bool {
        self.sets.iter().all(|(inside, set)| set.contains(stack) == *inside)
    }

    /// Whether all stacks do.
    pub fn is_all(&self) -> bool {
        self.sets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(stacks: &[u32]) -> StackSet {
        stacks.iter().map(|stack| StackId(*stack)).collect()
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let all = set(&[0, 63, 64, 1000]);
        let found: Vec<u32> = (0..2000).filter(|at| all.contains(StackId(*at))).collect();
        assert_eq!(found, [0, 63, 64, 1000]);
    }

    #[test]
    fn threads_are_told_by_name_and_some_left_out() {
        let thread = |tid, name: &str| ThreadState {
            tid,
            name: Some(name.to_owned()),
            ..ThreadState::default()
        };
        let threads = [thread(7, "io-1"), thread(8, "io-2"), thread(9, "main")];
        let askers =
            Askers(vec![(7, set(&[1])), (8, set(&[200])), (9, set(&[1, 3])), (0, set(&[4]))]);
        let like = |part: &'static str| {
            let name =
                move |one: &ThreadState| one.name.as_ref().is_some_and(|name| name.contains(part));
            askers.of(&threads, name)
        };
        assert_eq!(like("io"), set(&[1, 200]));
        let sets = [(true, like("io")), (false, like("main"))];
        let chosen = Chosen { sets: sets.into() };
        assert!(chosen.passes(StackId(200)) && !chosen.passes(StackId(1)));
        assert!(!chosen.passes(StackId(4)) && !chosen.passes(StackId(9999)));
        assert!(Chosen::default().passes(StackId(5)) && !chosen.is_all());
    }
}
