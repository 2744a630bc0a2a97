//! What memtop, or the program itself, asks of the hooks: start, stop, clear, the feed, time.
//!
//! Every request is a change of [`Header::pulse`]; whoever makes the change also notes it in
//! the list of intervals, so that exactly one writer does so.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::layout::{Header, INTERVALS, UNWATCHED, flag};

/// A look that comes so many ticks after the one before is a usual one, if a late one.
const USUAL: u64 = 2;

/// True while new blocks are recorded.
pub fn is_tracing(header: &Header) -> bool {
    header.pulse.load(Relaxed) & flag::TRACING != 0
}

/// Starts or stops tracing at `now_ns` (`CLOCK_MONOTONIC`). False when it already was so.
pub fn set_tracing(header: &Header, on: bool, now_ns: u64) -> bool {
    if on { begin_interval(header, now_ns) } else { end_interval(header, now_ns) }
}

fn begin_interval(header: &Header, now_ns: u64) -> bool {
    if header.pulse.fetch_or(flag::TRACING, AcqRel) & flag::TRACING != 0 {
        return false;
    }
    let index = header.intervals_begun.fetch_add(1, AcqRel) as usize;
    if let Some(interval) = header.intervals.get(index) {
        interval.from_ns.store(now_ns, Relaxed);
    } else {
        // The list is full: the last stretch goes on, and the pauses since are not shown.
        header.intervals[INTERVALS - 1].to_ns.store(0, Relaxed);
    }
    true
}

fn end_interval(header: &Header, now_ns: u64) -> bool {
    if header.pulse.fetch_and(!flag::TRACING, AcqRel) & flag::TRACING == 0 {
        return false;
    }
    let begun = header.intervals_begun.load(Acquire) as usize;
    if let Some(interval) =
        begun.checked_sub(1).map(|last| &header.intervals[last.min(INTERVALS - 1)])
    {
        interval.to_ns.store(now_ns, Relaxed);
    }
    true
}

/// From now on events go to the journals, or to the rings again, while there is a feed.
pub fn set_lossless(header: &Header, on: bool) {
    if on {
        header.pulse.fetch_or(flag::LOSSLESS, AcqRel);
    } else {
        header.pulse.fetch_and(!flag::LOSSLESS, AcqRel);
    }
}

/// True while events go to the journals.
pub fn is_lossless(header: &Header) -> bool {
    header.pulse.load(Relaxed) & flag::LOSSLESS != 0
}

/// Turns the event feed on or off.
pub fn set_feed(header: &Header, on: bool) {
    if on {
        header.pulse.fetch_or(flag::FEED, AcqRel);
    } else {
        header.pulse.fetch_and(!flag::FEED, AcqRel);
    }
}

/// True while events are pushed at all.
pub fn has_feed(header: &Header) -> bool {
    header.pulse.load(Relaxed) & flag::FEED != 0
}

/// Makes all blocks of now untracked and starts the figures over, at `now_ns`.
pub fn clear(header: &Header, now_ns: u64) {
    header.cleared_ns.store(now_ns, Relaxed);
    let next = |pulse: u64| {
        let cleared = pulse.wrapping_add(flag::ONE_CLEAR) & flag::CLEARS;
        // Zero means "never cleared" to the readers, so the count skips it when it wraps.
        let cleared = if cleared == 0 { flag::ONE_CLEAR } else { cleared };
        Some(pulse & !flag::CLEARS | cleared)
    };
    let _ = header.pulse.fetch_update(AcqRel, Relaxed, next);
}

/// Tells every thread of the tree that code went away.
pub fn tell_unloaded(header: &Header) {
    header.pulse.fetch_xor(flag::UNLOADED, AcqRel);
}

/// Has every captured stack checked from now on, which is slow.
pub fn check_stacks(header: &Header) {
    header.pulse.fetch_or(flag::CHECK, AcqRel);
}

/// The tick that `now_ns` (`CLOCK_MONOTONIC`) lies in: a new one, or the current one again.
pub fn tick_at(header: &Header, now_ns: u64) -> u64 {
    let lived = now_ns.saturating_sub(header.created_ns.load(Relaxed));
    let tick = lived / header.tick_ns.load(Relaxed).max(1);
    tick.clamp(current_tick(header), u32::MAX.into())
}

/// Lets time pass until `tick`; it never goes back.
pub fn advance_to(header: &Header, tick: u64) {
    let tick = tick.min(u32::MAX.into());
    let later = |pulse: u64| {
        let rest = pulse & (flag::ONE_TICK - 1);
        (self::tick(pulse) < tick).then_some((tick * flag::ONE_TICK) | rest)
    };
    let _ = header.pulse.fetch_update(AcqRel, Relaxed, later);
}

/// Lets time pass until `now_ns`, for whoever looks now and then and has no keeper that is
/// always there. Where nobody has done so for a while it is noted in which ticks: what happened
/// since bears the first of them.
pub fn catch_up(header: &Header, now_ns: u64) {
    let (before, now) = (current_tick(header), tick_at(header, now_ns));
    if now - before > USUAL {
        // Noted first: nobody shall take the stretch for one that was watched.
        let number = header.unwatched_begun.fetch_add(1, AcqRel) as usize;
        header.unwatched[number % UNWATCHED].store(before << 32 | now, Relaxed);
    }
    advance_to(header, now);
}

/// The number of ticks that have passed by now.
pub fn current_tick(header: &Header) -> u64 {
    tick(header.pulse.load(Relaxed))
}

/// The number of ticks that have passed.
pub fn tick(pulse: u64) -> u64 {
    pulse >> 32
}
