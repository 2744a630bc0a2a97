//! The counters, and how those of one thread meet those of the others.
//!
//! **Totals** are sums over the size-class cells of all slots; nothing is counted twice, so
//! nothing can disagree. **Live bytes of the process**, which the peak needs at every moment,
//! are `session.live_bytes` plus what each thread has *pending*; a thread flushes when its
//! pending bytes exceed a threshold B, when a tick has passed, and when it ends.
//!
//! **Peak.** While a thread has no other beside it, live = flushed + pending is exact and it
//! notes each new peak itself. With T threads the peak is noted at flushes and is right to
//! ± T × B, B = max(4 KiB, peak / (1000 T)). [`Cell`] tells how what was live at the peak is
//! kept without copying a table.

use core::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use crate::{
    session::{
        control,
        layout::{Cell, Session, Slot, TICK_PEAKS, flag},
        memory::Memory,
        size_class,
    },
    stack::SiteCell,
};

/// Bytes a thread may hold back before it tells the session: `max(4 KiB, peak / (1000 × threads))`,
/// so that the peak of all threads together is known to a tenth of a percent.
pub fn flush_threshold(peak: i64, threads: u64) -> i64 {
    (peak.max(0) / (1000 * threads.max(1) as i64)).max(4096)
}

/// How a counter is changed.
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

/// Counts a new block, at the site that asked for it.
#[inline(always)]
pub fn count_allocation<M: Mode>(
    session: &Session,
    slot: &Slot,
    (size, usable): (u64, u64),
    site: Option<SiteCell>,
) {
    if M::SHARED {
        slot.epoch.store(session.epoch.load(Acquire), Relaxed);
    }
    if let Some(site) = site {
        count_at::<M>(slot, site, |cell| [(&cell.allocations, 1), (&cell.allocated_bytes, size)]);
    }
    let cell = &slot.classes[size_class::of(size)];
    keep_peak(slot, cell);
    M::add(&cell.allocations, 1);
    M::add(&cell.allocated_bytes, size);
    M::add(&slot.usable_allocated, usable);
    if M::SHARED {
        return flush_now(session, slot, size as i64, 1);
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
    if M::SHARED {
        slot.epoch.store(session.epoch.load(Acquire), Relaxed);
    }
    if let Some(site) = site {
        count_at::<M>(slot, site, |cell| [(&cell.frees, 1), (&cell.freed_bytes, size)]);
    }
    let cell = &slot.classes[size_class::of(size)];
    keep_peak(slot, cell);
    M::add(&cell.frees, 1);
    M::add(&cell.freed_bytes, size);
    M::add(&slot.usable_freed, usable);
    if M::SHARED {
        return flush_now(session, slot, -(size as i64), -1);
    }
    let bytes = slot.pending_bytes.load(Relaxed) - size as i64;
    slot.pending_bytes.store(bytes, Relaxed);
    slot.pending_blocks.store(slot.pending_blocks.load(Relaxed) - 1, Relaxed);
    if bytes < -slot.threshold.load(Relaxed) {
        flush::<Own>(session, slot);
    }
}

/// Counts a temporary block, at its site too.
pub fn count_temporary<M: Mode>(slot: &Slot, site: Option<SiteCell>) {
    M::add(&slot.temporary, 1);
    if let Some(SiteCell { cell, shared }) = site {
        add_for::<M>(shared, &cell.temporary, 1);
    }
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
        copy_cell(cell, epoch);
    }
    for (counter, value) in counters(cell) {
        add_for::<M>(shared, counter, value);
    }
}

fn add_for<M: Mode>(shared: bool, counter: &AtomicU64, value: u64) {
    if shared { Shared::add(counter, value) } else { M::add(counter, value) }
}

/// The lazy epoch copy, before a cell's first change since the peak was left.
#[inline(always)]
pub fn keep_peak(slot: &Slot, cell: &Cell) {
    let epoch = slot.epoch.load(Relaxed);
    if cell.epoch.load(Relaxed) != epoch {
        copy_cell(cell, epoch);
    }
}

#[inline(never)]
fn copy_cell(cell: &Cell, epoch: u64) {
    let net = |plus: &AtomicU64, minus: &AtomicU64| {
        plus.load(Relaxed).wrapping_sub(minus.load(Relaxed)) as i64
    };
    cell.peak_blocks.store(net(&cell.allocations, &cell.frees), Relaxed);
    cell.peak_bytes.store(net(&cell.allocated_bytes, &cell.freed_bytes), Relaxed);
    cell.epoch.store(epoch, Relaxed);
}

/// More is pending than ever since the last flush: perhaps a new peak, perhaps time to flush.
#[inline(never)]
pub fn rise(session: &Session, slot: &Slot, bytes: i64, blocks: i64) {
    if session.membership.load(Relaxed) != slot.membership.load(Relaxed) {
        // What this thread took for the live bytes of all may be stale.
        store_highest(&slot.high_bytes, bytes);
        store_highest(&slot.high_blocks, blocks);
        return flush::<Own>(session, slot);
    }
    store_highest(&slot.high_blocks, blocks);
    if bytes <= slot.high_bytes.load(Relaxed) {
        return;
    }
    slot.high_bytes.store(bytes, Relaxed);
    if slot.alone.load(Relaxed) != 0 && bytes > slot.peak_gap.load(Relaxed) {
        note_lone_peak(slot, bytes, blocks);
    }
    if bytes > slot.threshold.load(Relaxed) {
        flush::<Own>(session, slot);
    }
}

fn note_lone_peak(slot: &Slot, bytes: i64, blocks: i64) {
    slot.peak_gap.store(bytes, Relaxed);
    slot.peak_bytes.store(slot.flushed_bytes.load(Relaxed) + bytes, Relaxed);
    slot.peak_blocks.store(slot.flushed_blocks.load(Relaxed) + blocks, Relaxed);
    slot.peak_tick.store(control::tick(slot.pulse.load(Relaxed)), Relaxed);
    slot.at_peak.store(1, Relaxed);
}

fn store_highest(place: &AtomicI64, value: i64) {
    if value > place.load(Relaxed) {
        place.store(value, Relaxed);
    }
}

/// The first free after a new peak that this thread saw alone.
#[inline(never)]
pub fn leave_peak(session: &Session, slot: &Slot) {
    slot.at_peak.store(0, Relaxed);
    if session.membership.load(Relaxed) == slot.membership.load(Relaxed) {
        Own::add(&session.epoch, 1);
    } else if slot.peak_bytes.load(Relaxed) >= session.peak_bytes.load(Relaxed) {
        // Others have come since, but it still is the highest.
        session.epoch.fetch_add(1, Relaxed);
    }
    slot.epoch.store(session.epoch.load(Relaxed), Relaxed);
}

/// Tells the session what the slot has pending.
#[inline(never)]
pub fn flush<M: Mode>(session: &Session, slot: &Slot) {
    let (bytes, blocks) = (slot.pending_bytes.load(Relaxed), slot.pending_blocks.load(Relaxed));
    let high = slot.high_bytes.load(Relaxed).max(bytes);
    let high_blocks = slot.high_blocks.load(Relaxed).max(blocks);
    for pending in [&slot.pending_bytes, &slot.pending_blocks, &slot.high_bytes, &slot.high_blocks]
    {
        pending.store(0, Relaxed);
    }
    let live = session.live_bytes.fetch_add(bytes, AcqRel) + bytes;
    let live_blocks = session.live_blocks.fetch_add(blocks, AcqRel) + blocks;
    let tick = control::tick(slot.pulse.load(Relaxed));
    note_tick_peak(session, tick, live - bytes + high);
    session.max_blocks.fetch_max(live_blocks - blocks + high_blocks, Relaxed);
    let alone = slot.alone.load(Relaxed) != 0;
    if alone {
        publish_lone_peak(session, slot);
    }
    if !alone || session.membership.load(Relaxed) != slot.membership.load(Relaxed) {
        note_shared_peak(session, (live, live - bytes + high), live_blocks, tick, bytes);
    }
    rebase(session, slot, live, live_blocks);
}

/// Starts the slot over from the session's figures.
pub fn rebase(session: &Session, slot: &Slot, live: i64, live_blocks: i64) {
    let threads = session.threads.load(Acquire);
    slot.membership.store(session.membership.load(Acquire), Relaxed);
    slot.epoch.store(session.epoch.load(Acquire), Relaxed);
    slot.alone.store(u32::from(threads == 1), Relaxed);
    slot.flushed_bytes.store(live, Relaxed);
    slot.flushed_blocks.store(live_blocks, Relaxed);
    let (highest, own) = (session.peak_bytes.load(Relaxed), slot.peak_bytes.load(Relaxed));
    if own < highest {
        slot.at_peak.store(0, Relaxed);
    }
    let peak = highest.max(own);
    slot.peak_gap.store(peak - live, Relaxed);
    slot.threshold.store(flush_threshold(peak, u64::from(threads)), Relaxed);
}

/// A nested or late operation: straight to the session.
#[inline(never)]
fn flush_now(session: &Session, slot: &Slot, bytes: i64, blocks: i64) {
    slot.epoch.store(session.epoch.load(Acquire), Relaxed);
    let live = session.live_bytes.fetch_add(bytes, AcqRel) + bytes;
    let live_blocks = session.live_blocks.fetch_add(blocks, AcqRel) + blocks;
    let tick = control::tick(slot.pulse.load(Relaxed));
    session.max_blocks.fetch_max(live_blocks, Relaxed);
    note_tick_peak(session, tick, live);
    note_shared_peak(session, (live, live), live_blocks, tick, bytes);
    // Threads that believe themselves alone must take the new figures for their base.
    session.membership.fetch_add(1, AcqRel);
}

fn note_tick_peak(session: &Session, tick: u64, bytes: i64) {
    let tag = tick & 0xFFFF;
    let packed = tag << 48 | (bytes.max(0) as u64).min((1 << 48) - 1);
    let place = &session.tick_peaks[tick as usize % TICK_PEAKS];
    let higher = |old: u64| (old >> 48 != tag || packed > old).then_some(packed);
    let _ = place.fetch_update(Relaxed, Relaxed, higher);
}

fn publish_lone_peak(session: &Session, slot: &Slot) {
    let peak = slot.peak_bytes.load(Relaxed);
    if session.peak_bytes.fetch_max(peak, Relaxed) < peak {
        session.peak_blocks.store(slot.peak_blocks.load(Relaxed), Relaxed);
        session.peak_tick.store(slot.peak_tick.load(Relaxed), Relaxed);
    }
}

/// `reached`: live bytes after the flush, and the highest they may have been since the last.
fn note_shared_peak(session: &Session, reached: (i64, i64), blocks: i64, tick: u64, change: i64) {
    let (live, high) = reached;
    if session.peak_bytes.fetch_max(high, Relaxed) < high {
        session.peak_blocks.store(blocks, Relaxed);
        session.peak_tick.store(tick, Relaxed);
        session.at_peak.store(1, Relaxed);
    }
    let falling = change < 0 || live < high;
    if falling && session.at_peak.load(Relaxed) != 0 && session.at_peak.swap(0, AcqRel) != 0 {
        session.epoch.fetch_add(1, AcqRel);
    }
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
