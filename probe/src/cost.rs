//! What the tracer itself takes, measured where it is taken.
//!
//! After a tick a thread's next calls come the careful way; the last of them is then done the
//! usual way, with the clock running. So a call of the usual way is what is timed, on caches
//! that the program itself has warmed, and no other call pays for it.

use core::sync::atomic::Ordering::Relaxed;

use crate::{
    counter::{Mode, Own},
    fast::{Step, open_value},
    session::layout::Slot,
    sys,
};

/// Calls after a tick, up to the one that is timed. Often the program has slept before the
/// first, which then meets cold caches, as few calls do.
const CALLS: u64 = 8;
/// A call that took longer was interrupted; it says nothing.
const LONGEST: u64 = 5_000;

/// A tick has passed: a call is to be timed soon.
pub fn tick(slot: &Slot) {
    let cost = &slot.cost;
    cost.counter.store(sys::cycles(), Relaxed);
    cost.counter_ns.store(sys::monotonic_ns(), Relaxed);
    cost.due.store(CALLS, Relaxed);
}

/// Whether a call is about to be timed.
pub fn is_due(slot: &Slot) -> bool {
    slot.cost.due.load(Relaxed) != 0
}

/// Does a call the usual way, timed, if it is the one; else `None`. For the owner, outside of
/// any other call.
pub fn timed(slot: &Slot, call: impl FnOnce() -> Step) -> Option<Step> {
    let due = slot.cost.due.load(Relaxed).checked_sub(1)?;
    slot.cost.due.store(due, Relaxed);
    if due != 0 {
        return None;
    }
    slot.gate.store(open_value(slot.pulse.load(Relaxed)), Relaxed);
    let before = sys::cycles();
    // Reading the counter takes as long as the call; that is told apart.
    let begun = sys::cycles();
    let step = call();
    let ended = sys::cycles();
    if !matches!(step, Step::Unusual) {
        note(slot, ended.saturating_sub(begun).saturating_sub(begun.saturating_sub(before)));
    }
    Some(step)
}

fn note(slot: &Slot, cycles: u64) {
    if cycles > LONGEST {
        return;
    }
    Own::add(&slot.cost.samples, 1);
    Own::add(&slot.cost.cycles, cycles);
    Own::add(&slot.cost.squares, cycles * cycles);
}
