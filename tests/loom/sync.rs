//! What `crate::sync` of the probe is here.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

pub use loom::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};

/// Two words that change in one step: the halves of one, each with its sign.
#[derive(Default)]
pub struct AtomicPair(AtomicU64);

fn halves(word: u64) -> (u64, u64) {
    (word as i32 as i64 as u64, word >> 32)
}

fn word((first, second): (u64, u64)) -> u64 {
    first & u64::from(u32::MAX) | second << 32
}

impl AtomicPair {
    pub fn first(&self) -> u64 {
        self.load().0
    }

    pub fn second(&self) -> u64 {
        self.load().1
    }

    pub fn load(&self) -> (u64, u64) {
        halves(self.0.load(Acquire))
    }

    pub fn compare_exchange(&self, old: (u64, u64), new: (u64, u64)) -> Result<(), (u64, u64)> {
        let exchanged = self.0.compare_exchange(word(old), word(new), AcqRel, Acquire);
        exchanged.map(|_| ()).map_err(halves)
    }
}

/// Raises what never falls in a window, and tells whether it was lower. That the probe looks first makes
/// no difference to what comes of it, and to how many interleavings there are a great one.
pub fn raise(place: &AtomicI64, value: i64) -> bool {
    place.fetch_max(value, AcqRel) < value
}
