//! The usual case of [`crate::hook`], as a straight line.
//!
//! Nearly every call is of a thread that has its slot, while nothing is asked of it, for a
//! block of 1 B to 1 MiB at an address whose shadow leaf exists, into a size class that has
//! its copy of the peak. For that case these functions do what the careful path does, field
//! by field; in any other they do nothing and say so, and the careful path takes over.
//! A property test holds the two against the same model.

use core::sync::atomic::{
    AtomicI64, AtomicU64,
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

use crate::{
    hook::Allocation,
    journal,
    ledger::{self, Mode, Own},
    process::{self, SHADOW},
    ring::{self, Push},
    session::{
        control,
        layout::{Cell, Slot, capture, flag, kind},
        size_class,
    },
    shadow,
    stack::{self, Caller},
    tls,
};

/// What an attempt came to.
#[derive(Clone, Copy)]
pub enum Step {
    /// Recorded, or nothing to record.
    Done,
    /// Recorded; [`settle_allocation`] or [`settle_release`] must follow at once.
    Unsettled,
    /// Recorded, and there is room to tell the feed of it; [`tell_allocation`] or
    /// [`tell_release`] must follow at once, with this shadow word.
    Untold(u64),
    /// Not recorded: this slot captures stacks; [`allocated_with_stack`] or
    /// [`released_with_stack`] must do it, at once.
    Captured(&'static Slot),
    /// Not recorded: the careful path must do it.
    Unusual,
}

/// What of the flags decides; the feed is asked about on the way.
const FLAGS: u64 = 0xFFFF & !(flag::FEED | flag::LOSSLESS | flag::UNLOADED);

/// Records a new block. `BITS` are those of the shadow's granules.
#[inline(always)]
pub fn allocated<const BITS: u32>(new: Allocation) -> Step {
    let pulse = process::pulse();
    if pulse & FLAGS != flag::TRACING {
        // While nothing is traced there is nothing to record.
        return if pulse & flag::TRACING == 0 { Step::Done } else { Step::Unusual };
    }
    let Some(slot) = open_slot(pulse) else { return Step::Unusual };
    if slot.capture.load(Relaxed) != capture::OFF {
        return Step::Captured(slot);
    }
    close_gate(slot);
    allocate::<BITS>(new, slot, pulse, |_| Some((slot.stamp.load(Relaxed), None)))
}

/// Records a new block under the stack that asked for it.
#[inline(always)]
pub fn allocated_with_stack<const BITS: u32>(
    new: Allocation,
    slot: &'static Slot,
    caller: Caller,
) -> Step {
    // The gate was open at this pulse a moment ago.
    let pulse = slot.pulse.load(Relaxed);
    close_gate(slot);
    if slot.capture.load(Relaxed) != capture::OWN {
        return give_up(slot, pulse);
    }
    // SAFETY: the thread's own slot with its gate closed, and cells of its own mean that its
    // `stacks` are not 0.
    let Some(hit) = (unsafe { stack::recall(slot, caller) }) else {
        return give_up(slot, pulse);
    };
    allocate::<BITS>(new, slot, pulse, |epoch| {
        let stamp = shadow::with_id(slot.stamp.load(Relaxed), hit.id);
        (hit.cell.epoch.load(Relaxed) == epoch).then_some((stamp, Some(hit.cell)))
    })
}

/// Records that a block is about to be released.
#[inline(always)]
pub fn released<const BITS: u32>(address: usize, usable: u64) -> Step {
    let pulse = process::pulse();
    if pulse & FLAGS != flag::TRACING {
        let idle = pulse & flag::TRACING == 0 && holds_none::<BITS>(address);
        return if idle { Step::Done } else { Step::Unusual };
    }
    let Some(slot) = open_slot(pulse) else { return Step::Unusual };
    if slot.capture.load(Relaxed) != capture::OFF {
        return Step::Captured(slot);
    }
    close_gate(slot);
    release::<BITS>((address, usable), slot, pulse, |_, _| Some(None))
}

/// Records that a block is about to be released, under the stack that once asked for it.
#[inline(always)]
pub fn released_with_stack<const BITS: u32>(
    address: usize,
    usable: u64,
    slot: &'static Slot,
) -> Step {
    let pulse = slot.pulse.load(Relaxed);
    close_gate(slot);
    release::<BITS>((address, usable), slot, pulse, |packed, epoch| {
        site_of_release(slot, packed, epoch).map(Some)
    })
}

/// True when certainly no block is noted at an address, so that its release means nothing
/// while nothing is traced.
fn holds_none<const BITS: u32>(address: usize) -> bool {
    // SAFETY: a pulse without the tracing flag is that of a session, whose shadow is prepared.
    match unsafe { SHADOW.word::<BITS>(address) } {
        Some(word) => word.load(Relaxed) == 0,
        None => address.is_multiple_of(16),
    }
}

/// More is pending than ever since the last flush.
#[inline(never)]
pub fn settle_allocation() {
    let Some(slot) = closed_slot() else { return };
    let (bytes, blocks) = (&slot.pending_bytes, &slot.pending_blocks);
    ledger::rise(process::session(), slot, bytes.load(Relaxed), blocks.load(Relaxed));
    open_gate(slot, slot.pulse.load(Relaxed));
}

/// So much was released that it is time to flush.
#[inline(never)]
pub fn settle_release() {
    let Some(slot) = closed_slot() else { return };
    ledger::flush::<Own>(process::session(), slot);
    open_gate(slot, slot.pulse.load(Relaxed));
}

/// Tells the feed of a new block, and settles if need be.
#[inline(never)]
pub fn tell_allocation(address: usize, word: u64) {
    let Some(slot) = closed_slot() else { return };
    tell(slot, kind::ALLOCATE, address, word);
    match is_rising(slot) {
        true => settle_allocation(),
        false => open_gate(slot, slot.pulse.load(Relaxed)),
    }
}

/// Tells the feed of a release, and settles if need be.
#[inline(never)]
pub fn tell_release(address: usize, word: u64) {
    let Some(slot) = closed_slot() else { return };
    tell(slot, kind::RELEASE, address, word);
    match is_sinking(slot) {
        true => settle_release(),
        false => open_gate(slot, slot.pulse.load(Relaxed)),
    }
}

#[inline(always)]
fn is_rising(slot: &Slot) -> bool {
    slot.pending_bytes.load(Relaxed) > slot.high_bytes.load(Relaxed)
        || slot.pending_blocks.load(Relaxed) > slot.high_blocks.load(Relaxed)
}

#[inline(always)]
fn is_sinking(slot: &Slot) -> bool {
    slot.pending_bytes.load(Relaxed) < -slot.threshold.load(Relaxed)
}

/// The slot of an unsettled step. None in a child that was forked in the middle of one, by a
/// signal handler: the slot is its parent's.
fn closed_slot() -> Option<&'static Slot> {
    // SAFETY: an unsettled step has left its own slot with the gate closed.
    (!process::header().is_null()).then(|| unsafe { &*tls::get() })
}

/// The thread's slot, unless its gate is not open at the pulse.
#[inline(always)]
fn open_slot(pulse: u64) -> Option<&'static Slot> {
    let slot = tls::get();
    // SAFETY: `slot` is what the thread-local holds; only slots have an open gate, and they are
    // never unmapped.
    unsafe { (tls::gate(slot).load(Relaxed) == pulse).then(|| &*slot) }
}

#[inline(always)]
fn close_gate(slot: &Slot) {
    slot.gate.store(tls::CLOSED, Relaxed);
    compiler_fence(SeqCst);
}

#[inline(always)]
fn open_gate(slot: &Slot, pulse: u64) {
    compiler_fence(SeqCst);
    slot.gate.store(pulse, Relaxed);
}

/// Opens the gate again and leaves the call to the careful path. Each question that leads here
/// is a branch of its own: branches are predicted, where a combined condition would be waited
/// for.
#[cold]
fn give_up(slot: &Slot, pulse: u64) -> Step {
    open_gate(slot, pulse);
    Step::Unusual
}

/// `site` tells the word of a block but for its size, and where it counts beside its class.
#[inline(always)]
fn allocate<const BITS: u32>(
    new: Allocation,
    slot: &'static Slot,
    pulse: u64,
    site: impl FnOnce(u64) -> Option<(u64, Option<&'static Cell>)>,
) -> Step {
    // SAFETY: where there is a slot, the shadow is prepared.
    let Some(word) = (unsafe { SHADOW.word::<BITS>(new.address) }) else {
        return give_up(slot, pulse);
    };
    if !shadow::is_usual(new.size) || word.load(Relaxed) != 0 {
        return give_up(slot, pulse);
    }
    let cell = &slot.classes[size_class::of_usual(new.size) % 32];
    let epoch = slot.epoch.load(Relaxed);
    if cell.epoch.load(Relaxed) != epoch {
        return give_up(slot, pulse);
    }
    let Some((stamp, site)) = site(epoch) else {
        return give_up(slot, pulse);
    };
    if let Some(site) = site {
        add(&site.allocations, 1);
        add(&site.allocated_bytes, new.size);
    }
    word.store(stamp | new.size, Relaxed);
    add(&cell.allocations, 1);
    add(&cell.allocated_bytes, new.size);
    add(&slot.usable_allocated, new.usable);
    slot.last_block.store(new.address as u64, Relaxed);
    add_signed(&slot.pending_bytes, new.size as i64);
    add_signed(&slot.pending_blocks, 1);
    if pulse & flag::FEED != 0 && ring::is_told(&slot.ring, pulse) {
        return Step::Untold(stamp | new.size);
    }
    if is_rising(slot) {
        return Step::Unsettled;
    }
    open_gate(slot, pulse);
    Step::Done
}

/// `site` tells where the block of a word counts beside its class.
#[inline(always)]
fn release<const BITS: u32>(
    (address, usable): (usize, u64),
    slot: &'static Slot,
    pulse: u64,
    site: impl FnOnce(u64, u64) -> Option<Option<&'static Cell>>,
) -> Step {
    // SAFETY: where there is a slot, the shadow is prepared.
    let Some(word) = (unsafe { SHADOW.word::<BITS>(address) }) else {
        return give_up(slot, pulse);
    };
    let packed = word.load(Relaxed);
    let size = shadow::size_in(packed);
    if !shadow::is_usual(size) || packed < slot.floor.load(Relaxed) {
        return give_up(slot, pulse);
    }
    let cell = &slot.classes[size_class::of_usual(size) % 32];
    let epoch = slot.epoch.load(Relaxed);
    if cell.epoch.load(Relaxed) != epoch || slot.at_peak.load(Relaxed) != 0 {
        return give_up(slot, pulse);
    }
    let temporary = slot.last_block.load(Relaxed) == address as u64;
    let Some(site) = site(packed, epoch) else {
        return give_up(slot, pulse);
    };
    if let Some(site) = site {
        add(&site.frees, 1);
        add(&site.freed_bytes, size);
        if temporary {
            add(&site.temporary, 1);
        }
    }
    word.store(0, Relaxed);
    add(&cell.frees, 1);
    add(&cell.freed_bytes, size);
    add(&slot.usable_freed, usable);
    if temporary {
        slot.last_block.store(0, Relaxed);
        add(&slot.temporary, 1);
    }
    add_signed(&slot.pending_bytes, -(size as i64));
    add_signed(&slot.pending_blocks, -1);
    if pulse & flag::FEED != 0 && ring::is_told(&slot.ring, pulse) {
        return Step::Untold(packed);
    }
    if is_sinking(slot) {
        return Step::Unsettled;
    }
    open_gate(slot, pulse);
    Step::Done
}

/// The cell of the stack in a word, if the slot has it and it has its copy of the peak.
#[inline(always)]
fn site_of_release(slot: &'static Slot, packed: u64, epoch: u64) -> Option<&'static Cell> {
    let id = shadow::id_in(packed);
    if slot.capture.load(Relaxed) != capture::OWN || id == shadow::id_in(slot.floor.load(Relaxed)) {
        return None;
    }
    stack::cells::find(slot, id).filter(|cell| cell.epoch.load(Relaxed) == epoch)
}

#[inline(always)]
fn add(counter: &AtomicU64, value: u64) {
    Own::add(counter, value);
}

#[inline(always)]
fn add_signed(counter: &AtomicI64, value: i64) {
    counter.store(counter.load(Relaxed) + value, Relaxed);
}

fn tell(slot: &'static Slot, kind: u64, address: usize, word: u64) {
    let pulse = slot.pulse.load(Relaxed);
    let tick = control::tick(pulse) as u32;
    let (id, size) = (shadow::id_in(word), shadow::size_in(word));
    let birth_tick = shadow::birth_tick_in(word);
    let push = Push { kind, address, size, birth_tick, tick, id };
    match pulse & flag::LOSSLESS {
        0 => ring::push(&slot.ring, push),
        _ => journal::write::<Own>(slot, push),
    }
}
