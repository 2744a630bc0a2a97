//! The producer half of a thread's event ring; [`Ring`] has the protocol.

use core::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

use crate::{
    counter::{Mode, Own, Shared},
    session::layout::{Event, Ring, flag},
};

/// An event about to be pushed; the fields are those of the ring's events.
#[derive(Debug, Clone, Copy)]
pub struct Push {
    /// One of [`crate::session::layout::kind`].
    pub kind: u64,
    /// Address of the block.
    pub address: usize,
    /// Requested bytes; usable bytes when untracked.
    pub size: u64,
    /// Tick of the block's birth.
    pub birth_tick: u32,
    /// Tick of now.
    pub tick: u32,
    /// Id of the block; 0 = untracked.
    pub id: u32,
}

impl Push {
    /// Writes the event; `what` comes last.
    #[inline(always)]
    pub fn put(&self, event: &Event, what: Ordering) {
        event.size.store(self.size, Relaxed);
        event.ticks.store(u64::from(self.birth_tick) << 32 | u64::from(self.tick), Relaxed);
        event.id.store(u64::from(self.id), Relaxed);
        event.what.store(self.kind << 56 | self.address as u64, what);
    }
}

/// Whether an event can be pushed; if not, it is dropped and counted by this.
#[inline(always)]
pub fn has_room<const N: usize>(ring: &Ring<N>) -> bool {
    // Pairs with the consumer's Release: what it has read may be written over.
    let pending = ring.head.load(Relaxed).wrapping_sub(ring.tail.load(Acquire));
    if pending >= N as u64 {
        Own::add(&ring.dropped, 1);
    }
    pending < N as u64
}

/// Whether an event is to be told; if not, it is dropped and counted by this. A journal is not
/// asked for room beforehand: its writers wait.
#[inline(always)]
pub fn is_told(ring: &Ring, pulse: u64) -> bool {
    pulse & flag::LOSSLESS != 0 || has_room(ring)
}

/// Pushes an event. Only after [`has_room`] said so.
#[inline]
pub fn push<const N: usize>(ring: &Ring<N>, push: Push) {
    let head = ring.head.load(Relaxed);
    push.put(&ring.events[head as usize % N], Relaxed);
    // Publishes the event to the consumer's Acquire.
    ring.head.store(head.wrapping_add(1), Release);
}

/// Counts an event that came from a place without a ring of its own.
pub fn drop_one(ring: &Ring) {
    Shared::add(&ring.dropped, 1);
}
