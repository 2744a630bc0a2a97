//! How threads publish the live bytes of the process, and with them its peak.
//!
//! **Live bytes of the process**, which the peak needs at every moment, are those of
//! `session.live` plus what each thread has *pending*; a thread flushes when its pending bytes
//! exceed a threshold B, when a tick has passed, and when it ends.
//!
//! While a thread has no other beside it, live = flushed + pending is exact, and it notes each new
//! peak itself and marks it for whoever comes and leaves it. With T threads the peak is noted at
//! flushes and is right to ± T × B, B = max(4 KiB, peak / (1000 T)).
//!
//! **What was live at the peak** is what the cells held then, and that is right to the same
//! ± T × B, because of one order. Live bytes and the mark of their peak change in one step
//! ([`Live`](crate::session::layout::Live)). Whoever makes a peak marks it in that step, and
//! whoever leaves it begins a new epoch in his. A block so large that it is told at once is told
//! *before* the cells count it: by then its thread knows whether it belongs to the peak or comes
//! after, and gives a cell its copy first or not.
//!
//! Always holds, in every interleaving (`tests/loom`): no flush loses another's bytes, the peak is
//! never below what a flush saw, and the copies add up to it. A higher peak is of no earlier tick
//! than the one before it, also where a thread that slept brings it about by what it held back.
//!
//! Two things are left out of that. Where threads count in one slot (nested calls, the end of
//! threads, more of them than slots), one may copy while another counts. And a thread that is alone
//! counts before it tells: what another does that comes in between may stand on the wrong side.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::{
    session::{
        control,
        layout::{LiveState, Session, Slot, TICK_PEAKS},
    },
    sync::{AtomicI64, raise},
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
    if bytes > slot.peak_gap.load(Relaxed) {
        match slot.alone.load(Relaxed) {
            // It must be told before this thread has gone B away from it.
            0 => slot.sink.store(bytes - slot.threshold.load(Relaxed), Relaxed),
            _ => note_lone_peak(session, slot, bytes, blocks),
        }
    }
    if bytes > slot.threshold.load(Relaxed) {
        flush(session, slot);
    }
}

fn note_lone_peak(session: &Session, slot: &Slot, bytes: i64, blocks: i64) {
    if slot.at_peak.load(Relaxed) == 0 && !mark_lone_peak(session, slot) {
        return;
    }
    slot.peak_gap.store(bytes, Relaxed);
    slot.peak_bytes.store(slot.flushed_bytes.load(Relaxed) + bytes, Relaxed);
    slot.peak_blocks.store(slot.flushed_blocks.load(Relaxed) + blocks, Relaxed);
    slot.peak_tick.store(control::tick(slot.pulse.load(Relaxed)), Relaxed);
}

/// Marks it for all, since a thread that comes later may be the one that leaves it. False if one
/// has come in this instant and told of something: the next flush finds out what the peak is.
fn mark_lone_peak(session: &Session, slot: &Slot) -> bool {
    let base = slot.flushed_bytes.load(Relaxed);
    let mark = |live: LiveState| live.at_peak || live.bytes == base;
    let live = session.live.change(|live| LiveState { at_peak: mark(live), ..live });
    slot.at_peak.store(u32::from(live.bytes == base), Relaxed);
    live.bytes == base
}

fn store_highest(place: &AtomicI64, value: i64) {
    if value > place.load(Relaxed) {
        place.store(value, Relaxed);
    }
}

/// The first free after a new peak that this thread saw alone. Another may have left it already;
/// and where others have come and have one that is higher, it is left no more than B early.
#[inline(never)]
pub fn leave_peak(session: &Session, slot: &Slot) {
    slot.at_peak.store(0, Relaxed);
    let tick = control::tick(slot.pulse.load(Relaxed));
    let live = session.live.change(|live| {
        peak_before(session, live, (session.live_blocks.load(Relaxed), tick));
        live.left()
    });
    slot.epoch.store(live.epoch, Relaxed);
}

/// Whether other threads may have a part in the live bytes. Inline, since a call on the straight
/// line makes every call save its registers.
#[inline(always)]
pub fn is_shared(session: &Session, slot: &Slot) -> bool {
    slot.alone.load(Relaxed) == 0
        || session.membership.load(Relaxed) != slot.membership.load(Relaxed)
}

/// Tells the session what the slot has pending, in the tick that the slot knows of.
pub fn flush(session: &Session, slot: &Slot) {
    tell(session, slot, 0, 0);
}

/// The same in tick `now`, of which the slot has not heard: its thread may have slept since.
pub fn flush_late(session: &Session, slot: &Slot, now: u64) {
    let change = Change::take(session, slot, (0, 0), now);
    apply(session, slot, &change);
}

/// The same with so many bytes and blocks more, which the cells are to count next.
#[inline(never)]
pub fn tell(session: &Session, slot: &Slot, bytes: i64, blocks: i64) {
    let now = control::tick(slot.pulse.load(Relaxed));
    let change = Change::take(session, slot, (bytes, blocks), now);
    apply(session, slot, &change);
}

/// A nested or late operation, straight to the session, before the cells count it.
#[inline(never)]
pub fn tell_now(session: &Session, slot: &Slot, bytes: i64, blocks: i64) {
    let tick = control::tick(slot.pulse.load(Relaxed));
    let live_blocks = session.live_blocks.fetch_add(blocks, AcqRel) + blocks;
    raise(&session.max_blocks, live_blocks);
    let change = Change { bytes, high: bytes, live_blocks, tick, now: tick, base: i64::MAX };
    let live = change.made(session);
    note_tick_peak(session, tick, live.bytes);
    slot.epoch.fetch_max(live.epoch, Relaxed);
    // Threads that believe themselves alone must take the new figures for their base.
    session.membership.fetch_add(1, AcqRel);
}

/// What a thread tells of.
struct Change {
    /// Change of live bytes.
    bytes: i64,
    /// The highest that change was on the way.
    high: i64,
    /// Live blocks after it.
    live_blocks: i64,
    /// Tick that the thread knew of meanwhile.
    tick: u64,
    /// Tick of now.
    now: u64,
    /// Live bytes when the thread told last.
    base: i64,
}

impl Change {
    /// What a slot has pending, and a block more.
    fn take(session: &Session, slot: &Slot, (bytes, blocks): (i64, i64), now: u64) -> Self {
        let bytes = take(&slot.pending_bytes).wrapping_add(bytes);
        let blocks = take(&slot.pending_blocks).wrapping_add(blocks);
        let high_blocks = take(&slot.high_blocks).max(blocks);
        let live_blocks = session.live_blocks.fetch_add(blocks, AcqRel).wrapping_add(blocks);
        raise(&session.max_blocks, live_blocks.wrapping_sub(blocks).wrapping_add(high_blocks));
        Self {
            bytes,
            // What is further away than B is not what the cells hold, and no part of a peak.
            high: take(&slot.high_bytes)
                .clamp(bytes, bytes.saturating_add(slot.threshold.load(Relaxed).max(0))),
            live_blocks,
            tick: control::tick(slot.pulse.load(Relaxed)),
            now,
            base: slot.flushed_bytes.load(Relaxed),
        }
    }

    /// Makes it, and returns what the session then has. Where it rose to a peak and fell again,
    /// these are two steps.
    fn made(&self, session: &Session) -> LiveState {
        let mut rises = false;
        let live = session.live.change(|live| {
            let peak = peak_before(session, live, (self.live_blocks, self.now));
            rises = self.high > self.bytes && live.bytes.wrapping_add(self.high) > peak;
            changed(live, if rises { self.high } else { self.bytes }, peak)
        });
        if live.at_peak {
            note_peak(session, live.bytes, (self.live_blocks, self.tick_of(live)));
        }
        if !rises {
            return live;
        }
        session.live.change(|live| {
            let peak = peak_before(session, live, (self.live_blocks, self.now));
            changed(live, self.bytes.wrapping_sub(self.high), peak)
        })
    }

    /// The tick of the peak that was reached. With what others took since, it is one of now.
    fn tick_of(&self, reached: LiveState) -> u64 {
        let has_risen = reached.bytes.wrapping_sub(self.high) > self.base;
        if has_risen { self.now } else { self.tick }
    }
}

/// The peak before a step from here. Who changes what is at a peak tells of it first, with blocks
/// and tick of now, or its maker could be late and another take a lower one for the highest.
fn peak_before(session: &Session, live: LiveState, (blocks, now): (i64, u64)) -> i64 {
    if live.at_peak {
        note_peak(session, live.bytes, (blocks, now));
    }
    session.peak_bytes.load(Acquire)
}

fn note_peak(session: &Session, bytes: i64, (blocks, tick): (i64, u64)) {
    if raise(&session.peak_bytes, bytes) {
        session.peak_blocks.store(blocks, Relaxed);
        session.peak_tick.store(tick.max(session.peak_tick.load(Relaxed)), Relaxed);
    }
}

fn take(pending: &AtomicI64) -> i64 {
    let value = pending.load(Relaxed);
    pending.store(0, Relaxed);
    value
}

/// What so many bytes more or less make of the live bytes.
fn changed(live: LiveState, bytes: i64, peak: i64) -> LiveState {
    let reached = LiveState { bytes: live.bytes.wrapping_add(bytes), ..live };
    match bytes {
        ..0 => reached.left(),
        _ => LiveState { at_peak: live.at_peak || reached.bytes > peak, ..reached },
    }
}

fn apply(session: &Session, slot: &Slot, change: &Change) {
    let company = Company::of(session);
    if slot.alone.load(Relaxed) != 0 {
        // So what it alone has seen is no new peak to anybody.
        publish_lone_peak(session, slot);
    }
    let live = change.made(session);
    // The place of a tick that is long gone is another's by now.
    if change.now.wrapping_sub(change.tick) < TICK_PEAKS as u64 {
        let highest = live.bytes.wrapping_sub(change.bytes).wrapping_add(change.high);
        note_tick_peak(session, change.tick, highest);
    }
    rebase(session, slot, company, (live, change.live_blocks));
}

/// Who is there beside a thread. To be asked for before the live bytes that the thread then takes
/// for its base: whoever comes or tells in between has changed `membership`, and so the thread
/// does not take itself for alone with figures that lack what others did.
pub struct Company {
    membership: u32,
    threads: u32,
}

impl Company {
    /// As it is now. Who comes or goes changes `threads` first.
    pub fn of(session: &Session) -> Self {
        let membership = session.membership.load(Acquire);
        Self { membership, threads: session.threads.load(Acquire) }
    }
}

/// Starts the slot over from the session's live bytes and blocks. What it counts next is of their
/// epoch.
pub fn rebase(session: &Session, slot: &Slot, company: Company, (live, blocks): (LiveState, i64)) {
    let is_alone = company.threads == 1;
    slot.membership.store(company.membership, Relaxed);
    slot.epoch.store(live.epoch, Relaxed);
    slot.alone.store(u32::from(is_alone), Relaxed);
    slot.flushed_bytes.store(live.bytes, Relaxed);
    slot.flushed_blocks.store(blocks, Relaxed);
    // Who alone is left at a peak is the only one to notice when it is left.
    slot.at_peak.store(u32::from(is_alone && live.at_peak), Relaxed);
    let peak = session.peak_bytes.load(Relaxed).max(slot.peak_bytes.load(Relaxed));
    slot.peak_gap.store(peak.wrapping_sub(live.bytes), Relaxed);
    let threshold = flush_threshold(peak, u64::from(company.threads));
    slot.threshold.store(threshold, Relaxed);
    slot.sink.store(-threshold, Relaxed);
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
