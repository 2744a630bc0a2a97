//! The gate of a slot: open at the pulse that its owner saw last, closed while the owner is
//! inside a hook.

use core::sync::atomic::{
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

use super::Step;
use crate::{
    session::layout::{Slot, flag},
    tls,
};

/// What of the flags decides; the feed is asked about on the way.
const FLAGS: u64 = 0xFFFF & !(flag::FEED | flag::LOSSLESS | flag::UNLOADED);

/// What the gate of a slot holds while its owner, who has seen this pulse, is outside of the
/// hooks: the pulse itself, if nothing is asked of its next call but to be recorded.
#[inline(always)]
pub fn open_value(pulse: u64) -> u64 {
    if pulse & FLAGS == flag::TRACING { pulse } else { tls::UNUSUAL }
}

/// The thread's slot, unless its gate is not open at the pulse.
#[inline(always)]
pub fn open_slot(pulse: u64) -> Option<&'static Slot> {
    let slot = tls::get();
    // SAFETY: `slot` is what the thread-local holds; only slots have an open gate, and they are
    // never unmapped.
    unsafe { (tls::gate(slot).load(Relaxed) == pulse).then(|| &*slot) }
}

/// Closes the gate, and returns the pulse at which it was open.
#[inline(always)]
pub fn close_gate(slot: &Slot) -> u64 {
    let pulse = slot.pulse.load(Relaxed);
    slot.gate.store(tls::CLOSED, Relaxed);
    compiler_fence(SeqCst);
    pulse
}

#[inline(always)]
pub fn open_gate(slot: &Slot, pulse: u64) {
    compiler_fence(SeqCst);
    slot.gate.store(pulse, Relaxed);
}

#[inline(always)]
pub fn settle_or_open(slot: &Slot, pulse: u64, unsettled: bool) -> Step {
    if unsettled {
        return Step::Unsettled;
    }
    open_gate(slot, pulse);
    Step::Done
}

/// Opens the gate again and leaves the call to the careful path. Each question that leads here
/// is a branch of its own: branches are predicted, where a combined condition would be waited
/// for.
#[cold]
pub fn give_up(slot: &Slot, pulse: u64) -> Step {
    open_gate(slot, pulse);
    Step::Unusual
}

#[cold]
pub fn fall_behind(slot: &Slot, pulse: u64, size: u64) -> Step {
    open_gate(slot, pulse);
    Step::Behind(size)
}
