//! The one lock of stack capture, and what it guards.

use core::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Release},
    },
};

use crate::sys;

/// Turns without the processor being given up, and turns in all. A holder that was put off its
/// processor comes back within a few of the latter; one that left a signal handler by a jump
/// never does.
const SPINS: u32 = 200;
const TURNS: u32 = 20_000;

/// A value behind a lock that is never waited for without end.
pub struct Guarded<T> {
    held: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by whoever holds the lock, one at a time.
unsafe impl<T> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    pub const fn new(value: T) -> Guarded<T> {
        Guarded { held: AtomicU32::new(0), value: UnsafeCell::new(value) }
    }

    /// Runs `work` with the value; `None` when the lock could not be had.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        if !self.acquire() {
            return None;
        }
        // SAFETY: the lock is held, and `work` does not come here again: nothing that it calls
        // allocates.
        let result = work(unsafe { &mut *self.value.get() });
        self.held.store(0, Release);
        Some(result)
    }

    fn acquire(&self) -> bool {
        for turn in 0..TURNS {
            if self.held.compare_exchange_weak(0, 1, Acquire, Acquire).is_ok() {
                return true;
            }
            match turn {
                _ if turn < SPINS || !sys::may_ask() => spin_loop(),
                _ => {
                    // SAFETY: no preconditions.
                    unsafe { libc::sched_yield() };
                }
            }
        }
        false
    }

    /// Frees the lock that a forked child has from a thread of its parent.
    pub fn reset(&self) {
        self.held.store(0, Release);
    }
}
