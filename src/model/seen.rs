//! What the events that were seen tell of each stack: the sizes it asked for, and how long its
//! blocks lived. A sample: the feed drops events of a program that is faster than the screen.

use std::collections::HashMap;

use memtop_probe::session::size_class;

use super::{Event, EventKind, StackId};

/// Stacks that are told of; of later ones nothing is known.
const MOST_STACKS: usize = 10_000;

/// Bounds of the lifetimes, seconds.
pub const LIVED_UP_TO_S: [f64; 6] = [0.1, 1.0, 10.0, 60.0, 600.0, f64::INFINITY];

/// The events seen of one stack, or of several together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Allocations by size class.
    pub allocations: [u64; size_class::COUNT],
    /// Their bytes.
    pub bytes: [u64; size_class::COUNT],
    /// Freed blocks by how long they lived: at most so long as [`LIVED_UP_TO_S`] says.
    pub lived: [u64; LIVED_UP_TO_S.len()],
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            allocations: [0; size_class::COUNT],
            bytes: [0; size_class::COUNT],
            lived: [0; LIVED_UP_TO_S.len()],
        }
    }
}

impl Seen {
    fn note(&mut self, event: &Event) {
        let age = event.age_s.filter(|_| !event.age_is_least);
        match (event.kind, age) {
            (EventKind::Allocate | EventKind::Reallocate, _) => {
                let class = size_class::of(event.size);
                self.allocations[class] += 1;
                self.bytes[class] = self.bytes[class].saturating_add(event.size);
            }
            (EventKind::Release, Some(age)) => {
                let last = LIVED_UP_TO_S.len() - 1;
                // Ages are whole ticks, up to what their division by ten loses.
                let at = LIVED_UP_TO_S.iter().position(|most| age <= most + 1e-9);
                self.lived[at.unwrap_or(last)] += 1;
            }
            (EventKind::Release, None) => {}
        }
    }

    fn add(&mut self, other: &Self) {
        let sum = |into: &mut [u64], from: &[u64]| {
            into.iter_mut().zip(from).for_each(|(sum, more)| *sum = sum.saturating_add(*more));
        };
        sum(&mut self.allocations, &other.allocations);
        sum(&mut self.bytes, &other.bytes);
        sum(&mut self.lived, &other.lived);
    }
}

/// The events seen of every stack, bounded.
#[derive(Debug, Clone, Default)]
pub struct SeenStacks(HashMap<StackId, Box<Seen>>);

impl SeenStacks {
    /// Takes events in.
    pub fn note(&mut self, events: &[Event]) {
        for event in events {
            let Some(stack) = event.stack else { continue };
            if self.0.len() < MOST_STACKS || self.0.contains_key(&stack) {
                self.0.entry(stack).or_default().note(event);
            }
        }
    }

    /// Forgets everything, as when another process is shown.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What was seen of these stacks together.
    pub fn of(&self, stacks: &[StackId]) -> Seen {
        let mut sum = Seen::default();
        stacks.iter().filter_map(|stack| self.0.get(stack)).for_each(|seen| sum.add(seen));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, size: u64, age_s: Option<f64>, stack: u32) -> Event {
        let stack = Some(StackId(stack));
        Event {
            kind,
            size,
            age_s,
            stack,
            t_s: Some(0.0),
            age_is_least: false,
            tick_s: 0.1,
            tid: 1,
            address: 16,
            untracked: false,
        }
    }

    #[test]
    fn sizes_and_lifetimes_are_told_apart_by_stack() {
        let mut seen = SeenStacks::default();
        seen.note(&[
            event(EventKind::Allocate, 24, None, 1),
            event(EventKind::Reallocate, 32, None, 1),
            event(EventKind::Allocate, 100, None, 2),
            event(EventKind::Release, 24, Some(0.30000000000000004 - 0.2), 1),
            event(EventKind::Release, 24, Some(1e9), 2),
            event(EventKind::Release, 24, None, 2),
        ]);
        let one = seen.of(&[StackId(1)]);
        assert_eq!((one.allocations[2], one.bytes[2], one.lived), (2, 56, [1, 0, 0, 0, 0, 0]));
        let both = seen.of(&[StackId(1), StackId(2), StackId(3)]);
        assert_eq!((both.allocations.iter().sum::<u64>(), both.lived[5]), (3, 1));
        assert_eq!(seen.of(&[StackId(3)]), Seen::default());
    }

    #[test]
    fn stacks_beyond_the_bound_are_left_out() {
        let mut seen = SeenStacks::default();
        for stack in 0..=MOST_STACKS as u32 {
            seen.note(&[event(EventKind::Allocate, 1, None, stack)]);
        }
        seen.note(&[event(EventKind::Allocate, 1, None, 0)]);
        assert_eq!(seen.of(&[StackId(0)]).allocations[1], 2);
        assert_eq!(seen.of(&[StackId(MOST_STACKS as u32)]), Seen::default());
    }
}
