//! What memtop, or the program itself, asks of the hooks: start, stop, clear, the feed, time.
//!
//! Every request is a change of [`Header::pulse`]; whoever makes the change also notes it in
//! the list of intervals, so that exactly one writer does so.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::layout::{Header, INTERVALS, flag};

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

/// Lets one tick pass.
pub fn advance_tick(header: &Header) {
    header.pulse.fetch_add(flag::ONE_TICK, AcqRel);
}

/// The number of ticks that have passed by now.
pub fn current_tick(header: &Header) -> u64 {
    tick(header.pulse.load(Relaxed))
}

/// The number of ticks that have passed.
pub fn tick(pulse: u64) -> u64 {
    pulse >> 32
}
