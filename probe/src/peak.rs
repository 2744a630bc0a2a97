//! How threads publish the live bytes of the process, and with them its peak.
//!
//! **Live bytes of the process**, which the peak needs at every moment, are `session.live_bytes`
//! plus what each thread has *pending*; a thread flushes when its pending bytes exceed a threshold
//! B, when a tick has passed, and when it ends.
//!
//! While a thread has no other beside it, live = flushed + pending is exact and it notes each new
//! peak itself. With T threads the peak is noted at flushes and is right to ± T × B,
//! B = max(4 KiB, peak / (1000 T)). Always holds, in every interleaving (`tests/loom`): no flush
//! loses another's bytes, and the peak is never below what a flush saw. A higher peak is of no
//! earlier tick than the one before it, also where a thread that slept brings it about by what it
//! held back.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::{
    counter::{Mode, Own},
    session::{
        control,
        layout::{Session, Slot, TICK_PEAKS},
    },
    sync::AtomicI64,
};

/// Bytes a thread may hold back before it tells the session: `max(4 KiB, peak / (1000 × threads))`,
/// so that the peak of all threads together is known to a tenth of a percent.
pub fn flush_threshold(peak: i64, threads: u64) -> i64 {
    (peak.max(0) / (1000 * threads.max(1) as i64)).max(4096)
}

/// More is pending than ever since the last flush: perhaps a new peak, perhaps time to flush.
#[inline(never)]
pub fn rise(session: &Session, slot: &Slot, bytes: i64, blocks: i64) {
    if session.membership.load(Relaxed) != slot.membership.load(Relaxed) {
        // What this thread took for the live bytes of all may be stale.
        store_highest(&slot.high_bytes, bytes);
        store_highest(&slot.high_blocks, blocks);
        return flush(session, slot);
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
        flush(session, slot);
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

/// Whether so large a release that it is told at once would leave a peak that was reached by
/// several threads, or may have been. What it changes must first be noted as it was at the peak:
/// [`leave_shared_peak`]. Smaller ones are within B. Inline, since a call on the straight line
/// makes every release save its registers.
#[inline(always)]
pub fn leaves_shared_peak(session: &Session, slot: &Slot) -> bool {
    let peaks = slot.high_bytes.load(Relaxed) > 0 || session.at_peak.load(Relaxed) != 0;
    peaks && is_shared(session, slot) || is_outdated(session, slot)
}

/// Whether other threads have left a peak of which this one has not heard, so that so large an
/// allocation or release that it is told at once must wait for [`catch_up`].
#[inline(always)]
pub fn is_outdated(session: &Session, slot: &Slot) -> bool {
    is_shared(session, slot) && session.epoch.load(Relaxed) != slot.epoch.load(Relaxed)
}

/// Hears of the peaks that others have left.
pub fn catch_up(session: &Session, slot: &Slot) {
    slot.epoch.store(session.epoch.load(Acquire), Relaxed);
}

#[inline(always)]
fn is_shared(session: &Session, slot: &Slot) -> bool {
    slot.alone.load(Relaxed) == 0
        || session.membership.load(Relaxed) != slot.membership.load(Relaxed)
}

/// Leaves the peak that several threads have reached, before a release.
#[cold]
#[inline(never)]
pub fn leave_shared_peak(session: &Session, slot: &Slot) {
    flush(session, slot);
    leave_at_once(session);
    catch_up(session, slot);
}

/// The same for an operation that has nothing pending.
pub fn leave_at_once(session: &Session) {
    if session.at_peak.load(Relaxed) != 0 && session.at_peak.swap(0, AcqRel) != 0 {
        session.epoch.fetch_add(1, AcqRel);
    }
}

/// Tells the session what the slot has pending, in the tick that the slot knows of.
pub fn flush(session: &Session, slot: &Slot) {
    flush_late(session, slot, control::tick(slot.pulse.load(Relaxed)));
}

/// The same in tick `now`, of which the slot has not heard: its thread may have slept since.
#[inline(never)]
pub fn flush_late(session: &Session, slot: &Slot, now: u64) {
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
    // The place of a tick that is long gone is another's by now.
    if now.wrapping_sub(tick) < TICK_PEAKS as u64 {
        note_tick_peak(session, tick, live - bytes + high);
    }
    session.max_blocks.fetch_max(live_blocks - blocks + high_blocks, Relaxed);
    let alone = slot.alone.load(Relaxed) != 0;
    if alone {
        publish_lone_peak(session, slot);
    }
    if !alone || session.membership.load(Relaxed) != slot.membership.load(Relaxed) {
        // With what others took since, it is a peak of now.
        let has_risen = live - bytes > slot.flushed_bytes.load(Relaxed);
        let tick = if has_risen { now } else { tick };
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
    if threads == 1 && session.at_peak.load(Relaxed) != 0 {
        take_over(session, slot);
    }
    let (highest, own) = (session.peak_bytes.load(Relaxed), slot.peak_bytes.load(Relaxed));
    if own < highest {
        slot.at_peak.store(0, Relaxed);
    }
    let peak = highest.max(own);
    slot.peak_gap.store(peak - live, Relaxed);
    slot.threshold.store(flush_threshold(peak, u64::from(threads)), Relaxed);
}

/// Several threads reached the peak, and the one that is left has not left it: from here on it
/// alone can notice when it does.
fn take_over(session: &Session, slot: &Slot) {
    session.at_peak.store(0, Relaxed);
    slot.peak_bytes.store(session.peak_bytes.load(Relaxed), Relaxed);
    slot.peak_blocks.store(session.peak_blocks.load(Relaxed), Relaxed);
    slot.peak_tick.store(session.peak_tick.load(Relaxed), Relaxed);
    slot.at_peak.store(1, Relaxed);
}

/// A nested or late operation: straight to the session.
#[inline(never)]
pub fn flush_now(session: &Session, slot: &Slot, bytes: i64, blocks: i64) {
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
        session.peak_tick.store(tick.max(session.peak_tick.load(Relaxed)), Relaxed);
        session.at_peak.store(1, Relaxed);
    }
    let falling = change < 0 || live < high;
    if falling {
        leave_at_once(session);
    }
}
