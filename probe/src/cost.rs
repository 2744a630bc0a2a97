//! What the tracer itself takes, measured where it is taken.
//!
//! The first call that a thread makes after a tick comes the careful way anyway, to attend to
//! what has happened; it is then done the usual way after all, with the clock running. So the
//! calls of the usual way are the ones that are timed, and none of them pays for it.

use core::sync::atomic::Ordering::Relaxed;

use crate::{
    fast::Step,
    ledger::{Mode, Own},
    session::layout::Slot,
    sys,
};

/// A call that took longer was interrupted; it says nothing.
const LONGEST: u64 = 20_000;

/// A tick has passed: the next call is to be timed.
pub fn tick(slot: &Slot) {
    let cost = &slot.cost;
    cost.counter.store(sys::cycles(), Relaxed);
    cost.counter_ns.store(sys::monotonic_ns(), Relaxed);
    cost.due.store(1, Relaxed);
}

/// Does a call the usual way, timed, if one is due; `None` when none is.
pub fn timed(slot: &Slot, call: impl FnOnce() -> Step) -> Option<Step> {
    if slot.cost.due.load(Relaxed) == 0 {
        return None;
    }
    slot.cost.due.store(0, Relaxed);
    let before = sys::cycles();
    // Reading the counter takes as long as the call; that is told apart.
    let begun = sys::cycles();
    let step = call();
    let ended = sys::cycles();
    if !matches!(step, Step::Unusual) {
        note(slot, (ended - begun).saturating_sub(begun - before));
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
