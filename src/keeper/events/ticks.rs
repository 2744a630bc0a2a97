//! When ticks began: events know the number of theirs and no time.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// So many ticks are remembered; events are read much sooner.
const REMEMBERED: usize = 4096;

/// When the last ticks began, `CLOCK_MONOTONIC` nanoseconds.
#[derive(Debug)]
pub struct TickTimes {
    first_ns: u64,
    begun: Mutex<VecDeque<(u64, u64)>>,
}

impl TickTimes {
    /// The tick with the number 0 began then.
    pub fn new(first_ns: u64) -> Self {
        Self { first_ns, begun: Mutex::default() }
    }

    /// A tick begins. To be said before any program can know it.
    pub fn begin(&self, tick: u64, at_ns: u64) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.len() == REMEMBERED {
            begun.pop_front();
        }
        begun.push_back((tick, at_ns));
    }

    /// When a tick began; one that is forgotten began before the oldest that is not.
    pub fn of(&self, tick: u64) -> u64 {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = begun.partition_point(|(number, _)| *number <= tick);
        behind.checked_sub(1).map_or(self.first_ns, |at| begun[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_by_number() {
        let times = TickTimes::new(5);
        assert_eq!(times.of(3), 5);
        times.begin(1, 100);
        times.begin(2, 210);
        assert_eq!([0, 1, 2, 3].map(|tick| times.of(tick)), [5, 100, 210, 210]);
        (3..10_000).for_each(|tick| times.begin(tick, tick * 100));
        assert_eq!((times.of(9_999), times.of(2)), (999_900, 5));
    }
}
