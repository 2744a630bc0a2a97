//! What the tracer itself takes, measured where it is taken.
//!
//! After every few ticks a thread's next calls come the careful way, until the caches are again as
//! the program has them: a tick is when memtop itself has run. Those after that are done with the
//! clock running, the usual way and, where that does not do, the careful one. So calls are timed as
//! the program has them, and no others pay for it.

use core::sync::atomic::Ordering::Relaxed;

use crate::{
    counter::{Mode, Own},
    fast::{Step, open_value},
    session::{control, layout::Slot},
    sys, tls,
};

/// Calls after a tick, up to the last that is timed: so many that what memtop put out of the
/// caches has come back, so few that coming the careful way costs a thousandth of the time.
const CALLS: u32 = 2048;
/// Ticks from one such series to the next.
const EVERY: u64 = 8;
/// So many of them are timed, at the end.
const TIMED: u32 = 32;
/// A call that took longer was interrupted, as by other guests of the machine, or walked a stack
/// anew. It is noted apart: a handful of those would outweigh all others.
const LONG: u64 = 400;
/// A call that took longer than that says nothing.
const LONGEST: u64 = 5_000;

/// A tick has passed: a call is to be timed soon.
pub fn tick(slot: &Slot) {
    let cost = &slot.cost;
    cost.counter.store(sys::cycles(), Relaxed);
    cost.counter_ns.store(sys::monotonic_ns(), Relaxed);
    // A series that was cut short is over: the calls right after a tick are like no others. But a
    // thread with few calls in a tick has them timed in a later one.
    if cost.due.load(Relaxed) <= TIMED {
        cost.due.store(0, Relaxed);
    }
    let is_turn = control::tick(slot.pulse.load(Relaxed)).is_multiple_of(EVERY);
    let is_first = cost.samples.load(Relaxed) == 0;
    if cost.due.load(Relaxed) == 0 && (is_turn || is_first) {
        end_series(slot);
        cost.due.store(CALLS, Relaxed);
    }
}

/// Whether a call is about to be timed.
pub fn is_due(slot: &Slot) -> bool {
    slot.cost.due.load(Relaxed) != 0
}

/// Does a call, timed, if it is the one; else `None`. For the owner, outside of any other call.
pub fn timed(slot: &Slot, call: impl FnOnce() -> Step) -> Option<Step> {
    let due = slot.cost.due.load(Relaxed).checked_sub(1)?;
    slot.cost.due.store(due, Relaxed);
    if due >= TIMED {
        return None;
    }
    slot.gate.store(open_value(slot.pulse.load(Relaxed)), Relaxed);
    let before = sys::cycles();
    // Reading the counter takes as long as the call; that is told apart.
    let begun = sys::cycles();
    let step = call();
    let ended = sys::cycles();
    note(slot, ended.saturating_sub(begun).saturating_sub(begun.saturating_sub(before)));
    // What is left to be done opens the gate, and then no more of this tick are timed.
    if matches!(step, Step::Done) && due != 0 {
        slot.gate.store(tls::UNUSUAL, Relaxed);
    }
    Some(step)
}

/// What was timed since the last series began is one.
fn end_series(slot: &Slot) {
    let spread = &slot.spread;
    let (samples, cycles) = (spread.samples.load(Relaxed), spread.cycles.load(Relaxed));
    if samples == 0 {
        return;
    }
    // A series has few calls and each is short: nothing here wraps.
    Own::add(&spread.series, 1);
    Own::add(&spread.samples_squared, samples.wrapping_mul(samples));
    Own::add(&spread.products, samples.wrapping_mul(cycles));
    Own::add(&spread.cycles_squared, cycles.wrapping_mul(cycles));
    spread.samples.store(0, Relaxed);
    spread.cycles.store(0, Relaxed);
}

fn note(slot: &Slot, cycles: u64) {
    let cost = &slot.cost;
    if cycles <= LONG {
        Own::add(&cost.samples, 1);
        Own::add(&cost.cycles, cycles);
        Own::add(&slot.spread.samples, 1);
        Own::add(&slot.spread.cycles, cycles);
    } else if cycles <= LONGEST {
        cost.long.store(cost.long.load(Relaxed).wrapping_add(1), Relaxed);
        Own::add(&cost.long_cycles, cycles);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    fn new_slot() -> Box<Slot> {
        // SAFETY: slots are made of atomics, for which zeroes are valid.
        unsafe { Box::<Slot>::new_zeroed().assume_init() }
    }

    fn tick_number(slot: &Slot, number: u64) {
        slot.pulse.store(number << 32, Relaxed);
        tick(slot);
    }

    fn timed_of(slot: &Slot, calls: u32) -> u32 {
        (0..calls).filter(|_| timed(slot, || Step::Done).is_some()).count() as u32
    }

    #[test]
    fn the_last_calls_of_a_series_are_timed() {
        let slot = new_slot();
        tick_number(&slot, 1);
        assert_eq!(timed_of(&slot, CALLS - TIMED), 0);
        assert_eq!(timed_of(&slot, TIMED), TIMED);
        assert!(!is_due(&slot));
    }

    /// A call that opens the gate ends the series for its tick, and none begins with the next.
    #[test]
    fn no_call_right_after_a_tick_is_timed() {
        let slot = new_slot();
        tick_number(&slot, 1);
        timed_of(&slot, CALLS - TIMED + 5);
        assert!(is_due(&slot));
        slot.cost.samples.store(5, Relaxed);
        tick_number(&slot, 2);
        assert!(!is_due(&slot));
        tick_number(&slot, EVERY);
        assert_eq!(timed_of(&slot, CALLS - TIMED), 0);
        assert!(timed(&slot, || Step::Done).is_some());
    }

    #[test]
    fn few_calls_in_a_tick_add_up() {
        let slot = new_slot();
        for number in 1..=4 {
            tick_number(&slot, number);
            assert_eq!(timed_of(&slot, (CALLS - TIMED) / 4), 0);
        }
        assert_eq!(timed_of(&slot, 1), 1);
    }
}
