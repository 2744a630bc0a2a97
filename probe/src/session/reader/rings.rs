//! The reading half of the event rings; [`Ring`] has the protocol.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::vec::Vec;

use crate::session::layout::{Event, Ring};

/// One event out of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventReading {
    /// One of [`kind`](crate::session::layout::kind).
    pub kind: u64,
    /// Address of the block.
    pub address: u64,
    /// Requested bytes; usable bytes when untracked.
    pub size: u64,
    /// When, in ticks (low 32 bits).
    pub tick: u32,
    /// When the block was born, in ticks; meaningful on a release.
    pub birth_tick: u32,
    /// Thread that did it.
    pub tid: u32,
    /// Id of the block's stack, less its session's first; meaningless when untracked.
    pub stack: u32,
}

impl EventReading {
    /// An event of a thread, in a session whose first id is given.
    #[inline(always)]
    pub(super) fn of(event: &Event, what: u64, tid: u32, first_id: u32) -> EventReading {
        let ticks = event.ticks.load(Relaxed);
        EventReading {
            kind: what >> 56,
            address: what & ((1 << 56) - 1),
            size: event.size.load(Relaxed),
            tick: ticks as u32,
            birth_tick: (ticks >> 32) as u32,
            tid,
            stack: (event.id.load(Relaxed) as u32).wrapping_sub(first_id),
        }
    }
}

/// Moves the events of a ring behind `into`: those of a thread, in a session with this first id.
pub(crate) fn drain<const N: usize>(
    ring: &Ring<N>,
    tid: u32,
    first_id: u32,
    into: &mut Vec<EventReading>,
) {
    // Pairs with the producer's Release: events below `head` are written.
    let head = ring.head.load(Acquire);
    let tail = ring.tail.load(Relaxed);
    // A program that scribbles over its session gets nonsense, not a reader that never ends.
    let pending = head.wrapping_sub(tail).min(N as u64);
    for position in 0..pending {
        let event = &ring.events[(tail.wrapping_add(position) % N as u64) as usize];
        into.push(EventReading::of(event, event.what.load(Relaxed), tid, first_id));
    }
    // Pairs with the producer's Acquire: it may now write over what was read.
    ring.tail.store(head, Release);
}
