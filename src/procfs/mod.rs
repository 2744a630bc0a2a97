//! What the kernel says about the traced program: its mappings, its memory limit, its children.
//!
//! Everything here is text of the kernel's about a process that may end at any moment; what
//! cannot be read is `None`, and never an error. Nothing is read more often than it is worth:
//! see [`Paced`].

pub mod children;
pub mod group;
pub mod holders;
pub mod mappings;

use std::time::Duration;

/// Decides when something costly is read again: at most so often, and seldom enough that it
/// takes no more than one part in fifty of the time.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    every_ns: u64,
    next_ns: u64,
}

/// The part of the time that may go into it.
const SHARE: u64 = 50;

impl Paced {
    /// At most once in `every`.
    pub fn new(every: Duration) -> Self {
        Self { every_ns: every.as_nanos() as u64, next_ns: 0 }
    }

    /// Whether it is time; if so, `read` took until `clock` says.
    pub fn run<T>(&mut self, clock: impl Fn() -> u64, read: impl FnOnce() -> T) -> Option<T> {
        let begun = clock();
        if begun < self.next_ns {
            return None;
        }
        let result = read();
        let took = clock().saturating_sub(begun);
        self.next_ns = begun.saturating_add(self.every_ns.max(took.saturating_mul(SHARE)));
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_takes_long_is_read_seldom() {
        let now = Cell::new(1000);
        let mut paced = Paced::new(Duration::from_nanos(100));
        let mut reads_in = |took: u64| paced.run(|| now.get(), || now.set(now.get() + took));
        assert!(reads_in(1).is_some());
        now.set(1099);
        assert!(reads_in(1).is_none());
        now.set(1100);
        assert!(reads_in(10).is_some());
        now.set(1599);
        assert!(reads_in(1).is_none());
        now.set(1600);
        assert!(reads_in(1).is_some());
    }
}
