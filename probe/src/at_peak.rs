//! What each counter cell held when live bytes were at their highest, without ever copying a
//! table: the *lazy epoch copy* of [`Cell`].

use core::sync::atomic::Ordering::Relaxed;

use crate::{
    session::layout::{Cell, Slot},
    sync::AtomicU64,
};

/// Before a cell's first change since the peak was left, as far as its slot has heard.
#[inline(always)]
pub fn keep(slot: &Slot, cell: &Cell) {
    if is_behind(slot, cell) {
        copy(cell, slot.epoch.load(Relaxed));
    }
}

/// Whether a peak was left since a cell changed last, so that it has no copy.
#[inline(always)]
pub fn is_behind(slot: &Slot, cell: &Cell) -> bool {
    cell.epoch.load(Relaxed) != slot.epoch.load(Relaxed)
}

/// The copy, in an epoch.
#[inline(never)]
pub fn copy(cell: &Cell, epoch: u64) {
    let (blocks, bytes) = held(cell);
    cell.peak_blocks.store(blocks, Relaxed);
    cell.peak_bytes.store(bytes, Relaxed);
    cell.epoch.store(epoch, Relaxed);
}

/// Blocks and bytes of a cell at the peak, by the session's epoch and whether it still is at the
/// peak.
pub fn of(cell: &Cell, (epoch, at_peak): (u64, bool)) -> (i64, i64) {
    match !at_peak && cell.epoch.load(Relaxed) == epoch {
        true => (cell.peak_blocks.load(Relaxed), cell.peak_bytes.load(Relaxed)),
        false => held(cell),
    }
}

fn held(cell: &Cell) -> (i64, i64) {
    let net = |plus: &AtomicU64, minus: &AtomicU64| {
        let minus = minus.load(Relaxed);
        plus.load(Relaxed).wrapping_sub(minus) as i64
    };
    let blocks = net(&cell.allocations, &cell.frees);
    (blocks, net(&cell.allocated_bytes, &cell.freed_bytes))
}
