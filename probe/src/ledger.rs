//! The counters of a slot: what was allocated and freed.
//!
//! **Totals** are sums over the size-class cells of all slots; nothing is counted twice, so
//! nothing can disagree. [`peak`](crate::peak) has the live bytes of the process and their peak,
//! [`at_peak`] what each cell held then.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{
    at_peak,
    counter::{Mode, Own, Shared},
    peak::{flush, is_shared, leave_peak, rise, tell, tell_now},
    session::{
        layout::{Cell, Session, Slot, flag},
        memory::Memory,
        size_class,
    },
    stack::SiteCell,
};

/// Counts a new block, at the site that asked for it.
#[inline(always)]
pub fn count_allocation<M: Mode>(
    session: &Session,
    slot: &Slot,
    (size, usable): (u64, u64),
    site: Option<SiteCell>,
) {
    let told = tell_first::<M>(session, slot, outgrows(slot, size), (size as i64, 1));
    if let Some(site) = site {
        count_at::<M>(slot, site, |cell| [(&cell.allocations, 1), (&cell.allocated_bytes, size)]);
    }
    let cell = &slot.classes[size_class::of(size)];
    at_peak::keep(slot, cell);
    M::add(&cell.allocations, 1);
    M::add(&cell.allocated_bytes, size);
    M::add(&slot.usable_allocated, usable);
    if told {
        return;
    }
    let bytes = slot.pending_bytes.load(Relaxed) + size as i64;
    let blocks = slot.pending_blocks.load(Relaxed) + 1;
    slot.pending_bytes.store(bytes, Relaxed);
    slot.pending_blocks.store(blocks, Relaxed);
    if bytes > slot.high_bytes.load(Relaxed) || blocks > slot.high_blocks.load(Relaxed) {
        rise(session, slot, bytes, blocks);
    }
}

/// Counts a traced block freed, at the site that once asked for it.
#[inline(always)]
pub fn count_release<M: Mode>(
    session: &Session,
    slot: &Slot,
    (size, usable): (u64, u64),
    site: Option<SiteCell>,
) {
    if slot.at_peak.load(Relaxed) != 0 {
        leave_peak(session, slot);
    }
    let told = tell_first::<M>(session, slot, would_sink(slot, size), (-(size as i64), -1));
    if let Some(site) = site {
        count_at::<M>(slot, site, |cell| [(&cell.frees, 1), (&cell.freed_bytes, size)]);
    }
    let cell = &slot.classes[size_class::of(size)];
    at_peak::keep(slot, cell);
    M::add(&cell.frees, 1);
    M::add(&cell.freed_bytes, size);
    M::add(&slot.usable_freed, usable);
    if told {
        return;
    }
    let bytes = slot.pending_bytes.load(Relaxed) - size as i64;
    slot.pending_bytes.store(bytes, Relaxed);
    slot.pending_blocks.store(slot.pending_blocks.load(Relaxed) - 1, Relaxed);
    if bytes < slot.sink.load(Relaxed) {
        flush(session, slot);
    }
}

/// Tells the session of what it has to hear at once, and before the cells count it if other
/// threads have a part in the peak. True when that is done.
#[inline(always)]
fn tell_first<M: Mode>(
    session: &Session,
    slot: &Slot,
    at_once: bool,
    (bytes, blocks): (i64, i64),
) -> bool {
    if M::SHARED {
        tell_now(session, slot, bytes, blocks);
    } else if at_once && is_shared(session, slot) {
        tell(session, slot, bytes, blocks);
    } else {
        return false;
    }
    true
}

/// Whether a release of so many bytes is told to the session at once.
#[inline(always)]
pub fn would_sink(slot: &Slot, size: u64) -> bool {
    slot.pending_bytes.load(Relaxed) - (size as i64) < slot.sink.load(Relaxed)
}

/// Whether an allocation of so many bytes is told to the session at once.
#[inline(always)]
pub fn outgrows(slot: &Slot, size: u64) -> bool {
    slot.pending_bytes.load(Relaxed) + size as i64 > slot.threshold.load(Relaxed)
}

/// Counts a temporary block, at its site too.
pub fn count_temporary<M: Mode>(slot: &Slot, site: Option<SiteCell>) {
    M::add(&slot.temporary, 1);
    if let Some(SiteCell { cell, shared }) = site {
        add_for::<M>(shared, &cell.temporary, 1);
    }
}

/// Counts a block that cannot be noted: its requested and its usable bytes.
#[cold]
#[inline(never)]
pub fn count_unattributed<M: Mode>(slot: &Slot, (bytes, usable): (u64, u64)) {
    let counters = &slot.unattributed;
    M::add(&counters.blocks, 1);
    M::add(&counters.bytes, bytes);
    M::add(&counters.usable, usable);
}

fn count_at<M: Mode>(
    slot: &Slot,
    site: SiteCell,
    counters: impl FnOnce(&'static Cell) -> [(&'static AtomicU64, u64); 2],
) {
    let SiteCell { cell, shared } = site;
    let epoch = slot.epoch.load(Relaxed);
    // Of those who share a cell, some may not have heard of the newest epoch yet.
    if cell.epoch.load(Relaxed) < epoch {
        at_peak::copy(cell, epoch);
    }
    for (counter, value) in counters(cell) {
        add_for::<M>(shared, counter, value);
    }
}

fn add_for<M: Mode>(shared: bool, counter: &AtomicU64, value: u64) {
    if shared { Shared::add(counter, value) } else { M::add(counter, value) }
}

/// Notes what a slot's cells hold when a new owner comes.
pub fn note_former(slot: &Slot) {
    let of = &slot.former;
    for sum in [&of.allocations, &of.allocated_bytes, &of.frees, &of.freed_bytes] {
        sum.store(0, Relaxed);
    }
    for cell in &slot.classes {
        Own::add(&of.allocations, cell.allocations.load(Relaxed));
        Own::add(&of.allocated_bytes, cell.allocated_bytes.load(Relaxed));
        Own::add(&of.frees, cell.frees.load(Relaxed));
        Own::add(&of.freed_bytes, cell.freed_bytes.load(Relaxed));
    }
}

/// Live blocks and requested bytes of a session, over all its slots.
pub fn live(memory: &Option<Memory>, session: &Session) -> (u64, u64) {
    let Some(memory) = memory else { return (0, 0) };
    let clears = memory.header().pulse.load(Relaxed) & flag::CLEARS;
    let slots = (0..session.slot_count())
        .filter_map(|index| memory.slot(session.slot_offset(index)?))
        .filter(|slot| slot.pulse.load(Relaxed) & flag::CLEARS == clears);
    let mut sum = (0u64, 0u64);
    for slot in slots {
        for (cell, cleared) in slot.classes.iter().zip(&slot.cleared_classes) {
            let before = |base: &AtomicU64| if clears == 0 { 0 } else { base.load(Relaxed) };
            sum.0 = sum
                .0
                .wrapping_add(cell.allocations.load(Relaxed))
                .wrapping_sub(cell.frees.load(Relaxed))
                .wrapping_sub(before(&cleared.allocations))
                .wrapping_add(before(&cleared.frees));
            sum.1 = sum
                .1
                .wrapping_add(cell.allocated_bytes.load(Relaxed))
                .wrapping_sub(cell.freed_bytes.load(Relaxed))
                .wrapping_sub(before(&cleared.allocated_bytes))
                .wrapping_add(before(&cleared.freed_bytes));
        }
    }
    sum
}
