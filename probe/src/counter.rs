//! How a counter is changed: by the one owner of a slot, or by any thread.

use core::sync::atomic::Ordering::Relaxed;

use crate::sync::AtomicU64;

/// How.
pub trait Mode {
    /// Whether other threads change the same counters.
    const SHARED: bool;
    /// Adds to a counter; wraps, so that adding a negative number subtracts.
    fn add(counter: &AtomicU64, value: u64);
}

/// By the one owner of the slot: a plain load and store, which the compiler makes one `add`.
pub struct Own;
/// By any thread: a locked add.
pub struct Shared;

impl Mode for Own {
    const SHARED: bool = false;
    #[inline(always)]
    fn add(counter: &AtomicU64, value: u64) {
        counter.store(counter.load(Relaxed).wrapping_add(value), Relaxed);
    }
}

impl Mode for Shared {
    const SHARED: bool = true;
    #[inline(always)]
    fn add(counter: &AtomicU64, value: u64) {
        counter.fetch_add(value, Relaxed);
    }
}
