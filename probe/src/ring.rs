//! The producer half of a thread's event ring; [`Ring`] has the protocol.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::{
    ledger::{Mode, Own, Shared},
    session::layout::{RING, Ring},
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

/// Whether an event can be pushed; if not, it is dropped and counted by this.
#[inline(always)]
pub fn has_room(ring: &Ring) -> bool {
    // Pairs with the consumer's Release: what it has read may be written over.
    let pending = ring.head.load(Relaxed).wrapping_sub(ring.tail.load(Acquire));
    if pending >= RING as u64 {
        Own::add(&ring.dropped, 1);
    }
    pending < RING as u64
}

/// Pushes an event. Only after [`has_room`] said so.
#[inline]
pub fn push(ring: &Ring, push: Push) {
    let head = ring.head.load(Relaxed);
    let event = &ring.events[head as usize % RING];
    event.what.store(push.kind << 56 | push.address as u64, Relaxed);
    event.size.store(push.size, Relaxed);
    event.ticks.store(u64::from(push.birth_tick) << 32 | u64::from(push.tick), Relaxed);
    event.id.store(u64::from(push.id), Relaxed);
    // Publishes the event to the consumer's Acquire.
    ring.head.store(head.wrapping_add(1), Release);
}

/// Counts an event that came from a place without a ring of its own.
pub fn drop_one(ring: &Ring) {
    Shared::add(&ring.dropped, 1);
}
