//! The live bytes of a process and the mark of their peak, which change in one step.
//!
//! ```text
//!  bytes: i64 │ mark: epoch << 1 | whether the bytes are at their highest
//! ```
//!
//! The order of these steps is the order of what threads tell: each learns in which epoch it is,
//! and so before which change of a cell a copy of it belongs (see [`Cell`](super::Cell)).

use crate::sync::AtomicPair;

/// As the threads have told so far.
#[repr(transparent)]
#[derive(Default)]
pub struct Live(AtomicPair);

/// What it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveState {
    /// Live bytes.
    pub bytes: i64,
    /// Rises by one whenever a peak is left.
    pub epoch: u64,
    /// Whether nothing was freed since the bytes were at their highest.
    pub at_peak: bool,
}

impl LiveState {
    fn of((bytes, mark): (u64, u64)) -> Self {
        Self { bytes: bytes as i64, epoch: mark >> 1, at_peak: mark & 1 != 0 }
    }

    fn words(self) -> (u64, u64) {
        (self.bytes as u64, self.epoch << 1 | u64::from(self.at_peak))
    }

    /// The same once the peak is left, if it is at one.
    pub fn left(self) -> Self {
        Self { epoch: self.epoch + u64::from(self.at_peak), at_peak: false, ..self }
    }
}

impl Live {
    /// Live bytes.
    pub fn bytes(&self) -> i64 {
        self.0.first() as i64
    }

    /// See [`LiveState::epoch`].
    pub fn epoch(&self) -> u64 {
        self.0.second() >> 1
    }

    /// Epoch, and whether the bytes are at their highest, as they were together.
    pub fn mark(&self) -> (u64, bool) {
        let mark = self.0.second();
        (mark >> 1, mark & 1 != 0)
    }

    /// As it is now.
    pub fn now(&self) -> LiveState {
        LiveState::of(self.0.load())
    }

    /// What `next` makes of it, in one step; it is asked again when another was faster. Since a
    /// mark never comes back, the bytes that are read beside it were there with it.
    pub fn change(&self, mut next: impl FnMut(LiveState) -> LiveState) -> LiveState {
        let mut old = self.0.load();
        loop {
            let new = next(LiveState::of(old));
            match self.0.compare_exchange(old, new.words()) {
                Ok(()) => return new,
                Err(other) => old = other,
            }
        }
    }
}
