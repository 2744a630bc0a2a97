//! What some steps leave to be done at once, out of the straight line.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    Old, class_of,
    gate::{close_gate, open_gate},
    is_rising, is_sinking, leave_peak,
};
use crate::{
    journal,
    ledger::{self, Own},
    process,
    ring::{self, Push},
    session::{
        control,
        layout::{Slot, flag, kind},
    },
    shadow::{self, Block},
    tls,
};

/// More is pending than ever since the last flush.
#[inline(never)]
pub fn settle_allocation() {
    let Some(slot) = closed_slot() else { return };
    let (bytes, blocks) = (&slot.pending_bytes, &slot.pending_blocks);
    ledger::rise(process::session(), slot, bytes.load(Relaxed), blocks.load(Relaxed));
    open_gate(slot, slot.pulse.load(Relaxed));
}

/// So much was released that it is time to flush.
#[inline(never)]
pub fn settle_release() {
    let Some(slot) = closed_slot() else { return };
    ledger::flush::<Own>(process::session(), slot);
    open_gate(slot, slot.pulse.load(Relaxed));
}

/// Tells the feed of a new block, and settles if need be.
#[inline(never)]
pub fn tell_allocation(address: usize, word: u64) {
    let Some(slot) = closed_slot() else { return };
    tell(slot, kind::ALLOCATE, address, word);
    match is_rising(slot) {
        true => settle_allocation(),
        false => open_gate(slot, slot.pulse.load(Relaxed)),
    }
}

/// Tells the feed of a release, and settles if need be.
#[inline(never)]
pub fn tell_release(address: usize, word: u64) {
    let Some(slot) = closed_slot() else { return };
    tell(slot, kind::RELEASE, address, word);
    match is_sinking(slot) {
        true => settle_release(),
        false => open_gate(slot, slot.pulse.load(Relaxed)),
    }
}

/// The slot of an unsettled step. None in a child that was forked in the middle of one, by a
/// signal handler: the slot is its parent's.
fn closed_slot() -> Option<&'static Slot> {
    // SAFETY: an unsettled step has left its own slot with the gate closed.
    (!process::header().is_null()).then(|| unsafe { &*tls::get() })
}

/// Gives the class of a size its copy of the peak, before an allocation changes it.
#[inline(never)]
pub fn catch_up_allocation(slot: &'static Slot, size: u64) {
    let pulse = close_gate(slot);
    ledger::keep_peak(slot, class_of(slot, size));
    open_gate(slot, pulse);
}

/// Leaves the peak and gives the class of a size its copy of it, before a release changes it.
#[inline(never)]
pub fn catch_up_release(slot: &'static Slot, size: u64) {
    let pulse = close_gate(slot);
    leave_peak(slot);
    ledger::keep_peak(slot, class_of(slot, size));
    open_gate(slot, pulse);
}

/// Tells the feed of a move: of the old block, and of the new one by its address and word. False
/// in a child that was forked meanwhile, by a signal handler: the slot is its parent's.
#[inline(never)]
pub fn tell_move(slot: &'static Slot, pulse: u64, old: Old, new: (usize, u64)) -> bool {
    let Block { id, birth_tick, size } = old.block;
    let released = shadow::stamp(id, birth_tick) | size;
    for (kind, address, word) in
        [(kind::RELEASE, old.address, released), (kind::REALLOCATE, new.0, new.1)]
    {
        if ring::is_told(&slot.ring, pulse) {
            tell(slot, kind, address, word);
        }
    }
    !process::header().is_null()
}

fn tell(slot: &'static Slot, kind: u64, address: usize, word: u64) {
    let pulse = slot.pulse.load(Relaxed);
    let tick = control::tick(pulse) as u32;
    let (id, size) = (shadow::id_in(word), shadow::size_in(word));
    let birth_tick = shadow::birth_tick_in(word);
    let push = Push { kind, address, size, birth_tick, tick, id };
    match pulse & flag::LOSSLESS {
        0 => ring::push(&slot.ring, push),
        _ => journal::write::<Own>(slot, push),
    }
}
