//! The cell of a stack in a slot: a table of three levels, whose parts come to be with the
//! first block of a stack of theirs.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use super::SiteCell;
use crate::{
    process,
    session::layout::{CELL_TABLE, CELLS, Cell, PAGE, Slot, capture},
};

const LEAF_BITS: u32 = CELLS.ilog2();
const TABLE_BITS: u32 = CELL_TABLE.ilog2();

type Table = [AtomicU64; CELL_TABLE];
type Leaf = [Cell; CELLS];

const _: () = {
    assert!(size_of::<Table>() == PAGE as usize);
    assert!(size_of::<Leaf>() == PAGE as usize);
};

/// The cell of a stack in a slot's own table, if there is one already.
#[inline(always)]
pub fn find(slot: &Slot, id: u32) -> Option<&Cell> {
    let index = id.wrapping_sub(slot.first_id.load(Relaxed)) as usize;
    let entry = &slot.cells[(index >> (LEAF_BITS + TABLE_BITS)) % CELL_TABLE];
    // SAFETY: entries are distances from the slot to tables and leaves in the same mapping,
    // which stays; the hooks alone write them.
    unsafe {
        let table = follow::<Table>(slot, entry)?;
        let leaf = follow::<Leaf>(slot, &table[(index >> LEAF_BITS) % CELL_TABLE])?;
        Some(&leaf[index % CELLS])
    }
}

/// # Safety
/// The entry is 0 or the distance from `slot` to a `T` that is never unmapped.
#[inline(always)]
unsafe fn follow<'a, T>(slot: &'a Slot, entry: &AtomicU64) -> Option<&'a T> {
    let distance = entry.load(Acquire) as usize;
    // SAFETY: upheld by the caller.
    (distance != 0)
        .then(|| unsafe { &*core::ptr::from_ref(slot).cast::<u8>().wrapping_add(distance).cast() })
}

/// The cell in which `slot` counts for a stack, made if need be; `None` without memory.
pub fn place(slot: &'static Slot, id: u32) -> Option<SiteCell> {
    let shared = slot.capture.load(Relaxed) == capture::SHARED;
    let holder = if shared { process::shared_slot()? } else { slot };
    let cell = find(holder, id).or_else(|| make(holder, id))?;
    Some(SiteCell { cell, shared })
}

#[cold]
fn make(slot: &'static Slot, id: u32) -> Option<&'static Cell> {
    let index = id.wrapping_sub(slot.first_id.load(Relaxed)) as usize;
    let entry = &slot.cells[(index >> (LEAF_BITS + TABLE_BITS)) % CELL_TABLE];
    make_page(slot, entry)?;
    // SAFETY: just made, or by another thread.
    let table = unsafe { follow::<Table>(slot, entry)? };
    make_page(slot, &table[(index >> LEAF_BITS) % CELL_TABLE])?;
    find(slot, id)
}

fn make_page(slot: &Slot, entry: &AtomicU64) -> Option<()> {
    if entry.load(Acquire) != 0 {
        return Some(());
    }
    let memory = process::memory()?;
    let page = memory.address_of(memory.take_piece(process::session(), PAGE)?);
    let distance = page.wrapping_sub(core::ptr::from_ref(slot).addr()) as u64;
    // Whoever loses this race leaves a page unused; that is all.
    let _ = entry.compare_exchange(0, distance, AcqRel, Acquire);
    Some(())
}
