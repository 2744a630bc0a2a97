//! What some steps leave to be done at once, out of the straight line.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    Old, class_of,
    gate::{close_gate, open_gate},
    is_rising, is_sinking, known_cell, leave_peak, site_of_release,
};
use crate::{
    at_peak,
    counter::Own,
    journal, peak, process,
    ring::{self, Push},
    session::{
        control,
        layout::{Slot, capture, flag, kind},
    },
    shadow::{self, Block},
    stack::Known,
    tls,
};

/// More is pending than ever since the last flush.
#[inline(never)]
pub fn settle_allocation() {
    let Some(slot) = closed_slot() else { return };
    let (bytes, blocks) = (&slot.pending_bytes, &slot.pending_blocks);
    peak::rise(process::session(), slot, bytes.load(Relaxed), blocks.load(Relaxed));
    open_gate(slot, slot.pulse.load(Relaxed));
}

/// So much was released that it is time to flush.
#[inline(never)]
pub fn settle_release() {
    let Some(slot) = closed_slot() else { return };
    peak::flush(process::session(), slot);
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
    at_peak::keep(slot, class_of(slot, size));
    open_gate(slot, pulse);
}

/// Gives the class of a size and the cell of a stack their copies of the peak, before
/// [`allocation_at`](super::allocation_at) is tried again.
#[inline(never)]
pub fn catch_up_at(slot: &'static Slot, size: u64, known: &Known) {
    at_peak::keep(slot, class_of(slot, size));
    at_peak::keep(slot, known.hit().cell);
}

/// Opens the gate after an [`allocation_at`](super::allocation_at) that did not record.
#[inline(never)]
pub fn leave(slot: &Slot) {
    open_gate(slot, slot.pulse.load(Relaxed));
}

/// Leaves the peak and gives the class and the cell of a block their copies of it, before its
/// release changes them. False when there is no memory for its cell, so that the careful path
/// must count it.
#[inline(never)]
pub fn catch_up_release(slot: &'static Slot, word: u64) -> bool {
    let pulse = close_gate(slot);
    let size = shadow::size_in(word);
    leave_peak(slot);
    at_peak::keep(slot, class_of(slot, size));
    let mut has_cell = true;
    if slot.capture.load(Relaxed) != capture::OFF {
        let id = shadow::id_in(word);
        site_of_release(slot, id);
        has_cell = known_cell(slot, id).is_some();
    }
    open_gate(slot, pulse);
    has_cell
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
    if pulse & flag::LOSSLESS != 0 {
        return journal::write::<Own>(slot, tick, journal::what(kind, address), word, size);
    }
    let birth_tick = shadow::birth_tick_in(word);
    ring::push(&slot.ring, Push { kind, address, size, birth_tick, tick, id });
}
