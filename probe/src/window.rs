//! The tracing window as each slot knows it: its first id, and what was counted before it.
//!
//! A clear begins a new window. It raises the id base and forgets nothing: blocks of before have
//! lower ids, and what the counters stood at is noted, to be subtracted. Each thread does so for
//! its own slot when it hears of the clear, by the change of the pulse that also tells it of the
//! passing of time.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
    compiler_fence,
};

use crate::{
    cost,
    counter::Mode,
    ledger, lineage,
    peak::{Company, flush, flush_late, rebase},
    process,
    session::{
        control,
        layout::{LiveState, Session, Slot, flag},
        memory::Memory,
    },
    shadow, stack, tls,
};

/// The pulse changed: time has passed, or something is asked of the hooks.
#[cold]
#[inline(never)]
pub fn refresh<M: Mode>(session: &Session, slot: &Slot, pulse: u64) {
    let seen = slot.pulse.load(Relaxed);
    if M::SHARED {
        if slot.pulse.compare_exchange(seen, pulse, AcqRel, Relaxed).is_err() {
            return;
        }
    } else {
        if (seen ^ pulse) & flag::CLEARS == 0 {
            flush_late(session, slot, control::tick(pulse));
        } else {
            // What is pending is of before the clear; the session may have started over by now.
            discard(slot);
        }
        slot.pulse.store(pulse, Relaxed);
        cost::tick(slot);
        stack::verify(control::tick(pulse));
        stack::refresh(slot, (seen ^ pulse) & flag::CLEARS != 0);
    }
    set_window(slot, window_id(slot));
    if (seen ^ pulse) & flag::CLEARS != 0 {
        begin_window(session, slot, pulse & flag::CLEARS);
    }
}

/// Forgets what is pending: it is of before a clear.
pub fn discard(slot: &Slot) {
    for pending in [&slot.pending_bytes, &slot.pending_blocks, &slot.high_bytes, &slot.high_blocks]
    {
        pending.store(0, Relaxed);
    }
    forget_peak(slot);
}

/// After a clear: the first thread to notice it starts the session over, each thread its slot.
fn begin_window(session: &Session, slot: &Slot, clears: u64) {
    let tag = clears << 16;
    let base = session.id_base.load(Acquire);
    if is_ahead(base, tag) {
        // This thread has slept through a clear. It stays where it is for this one call, since
        // the next hears of that clear and begins its window, once.
        return;
    }
    if is_ahead(tag, base) {
        let before = (session.live.bytes(), session.live_blocks.load(Relaxed));
        let fresh = tag | u64::from(stack::reserve_window(session).min(shadow::MAX_ID));
        if session.id_base.compare_exchange(base, fresh, AcqRel, Acquire).is_ok() {
            lineage::note_window(fresh as u32);
            start_over(session, before);
        }
    }
    set_window(slot, session.id_base.load(Acquire) as u32);
    note_cleared(slot);
    forget_peak(slot);
    let company = Company::of(session);
    let live = session.live.now();
    rebase(session, slot, company, (live, session.live_blocks.load(Relaxed)));
}

/// Whether more clears stand in the upper half of `one` than of `other`; the counts wrap.
fn is_ahead(one: u64, other: u64) -> bool {
    ((one >> 32) as u16).wrapping_sub((other >> 32) as u16) as i16 > 0
}

/// Takes off what was live `before` the window began. Other threads may have counted in it
/// already, which is why nothing is set to zero that they add to.
fn start_over(session: &Session, before: (i64, i64)) {
    session.live.change(|live| LiveState {
        bytes: live.bytes.wrapping_sub(before.0),
        epoch: live.epoch + 1,
        at_peak: false,
    });
    session.live_blocks.fetch_sub(before.1, AcqRel);
    for figure in [&session.peak_bytes, &session.peak_blocks, &session.max_blocks] {
        figure.store(0, Relaxed);
    }
    session.membership.fetch_add(1, AcqRel);
}

fn note_cleared(slot: &Slot) {
    let copy = |to: &AtomicU64, from: &AtomicU64| to.store(from.load(Relaxed), Relaxed);
    for (to, from) in slot.cleared_classes.iter().zip(&slot.classes) {
        copy(&to.allocations, &from.allocations);
        copy(&to.allocated_bytes, &from.allocated_bytes);
        copy(&to.frees, &from.frees);
        copy(&to.freed_bytes, &from.freed_bytes);
    }
    // Blocks without a stack have another id in each window, but this cell in all of them.
    let loose = &slot.loose;
    for counter in [
        &loose.allocations,
        &loose.allocated_bytes,
        &loose.frees,
        &loose.freed_bytes,
        &loose.temporary,
    ] {
        counter.store(0, Relaxed);
    }
    let to = &slot.cleared;
    copy(&to.usable_allocated, &slot.usable_allocated);
    copy(&to.usable_freed, &slot.usable_freed);
    copy(&to.reallocations, &slot.reallocations);
    copy(&to.temporary, &slot.temporary);
    copy(&to.untracked_frees, &slot.untracked_frees);
    copy(&to.untracked_bytes, &slot.untracked_bytes);
    let of = &slot.unattributed;
    for (to, from) in of.cleared.iter().zip([&of.blocks, &of.bytes, &of.usable]) {
        copy(to, from);
    }
}

/// Makes what is live now the peak; `own` is the caller's slot. Exact when no other thread
/// allocates meanwhile.
pub fn reset_peak(memory: &Memory, session: &Session, own: &Slot) {
    let gate = own.gate.swap(tls::CLOSED, Relaxed);
    compiler_fence(SeqCst);
    flush(session, own);
    let (blocks, bytes) = ledger::live(&Some(*memory), session);
    session.peak_bytes.store(bytes as i64, Relaxed);
    session.peak_blocks.store(blocks as i64, Relaxed);
    session.max_blocks.store(blocks as i64, Relaxed);
    session.live.change(|live| LiveState { at_peak: true, ..live });
    session.peak_tick.store(control::tick(memory.header().pulse.load(Relaxed)), Relaxed);
    (0..session.slot_count())
        .filter_map(|index| memory.slot(session.slot_offset(index)?))
        .for_each(forget_peak);
    // The other threads take the new peak for their base at their next rise.
    session.membership.fetch_add(1, AcqRel);
    // A thread that is alone takes the peak over by this.
    flush(session, own);
    compiler_fence(SeqCst);
    own.gate.store(gate, Relaxed);
}

fn forget_peak(slot: &Slot) {
    slot.peak_bytes.store(0, Relaxed);
    slot.peak_blocks.store(0, Relaxed);
    slot.at_peak.store(0, Relaxed);
}

/// Sets the first id of the slot's window, and with it and the slot's tick its stamp.
pub fn set_window(slot: &Slot, id: u32) {
    let tick = control::tick(slot.pulse.load(Relaxed)) as u32;
    slot.floor.store(shadow::stamp(id, 0), Relaxed);
    slot.stamp.store(shadow::stamp(id, tick), Relaxed);
}

/// The id of blocks without a known stack: the first of the window.
pub fn window_id(slot: &Slot) -> u32 {
    shadow::id_in(slot.floor.load(Relaxed))
}

/// Whether an id is of a window that began after the one that the slot knows.
pub fn is_of_later(session: &Session, slot: &Slot, id: u32) -> bool {
    let newest = session.id_base.load(Acquire) as u32;
    newest != window_id(slot) && id >= newest
}

/// Whether a word's id belongs to the window that the slot knows.
pub fn is_of_window(slot: &Slot, id: u32) -> bool {
    id >= window_id(slot)
}

/// Whether an id below the window's is one that the process inherited at its fork.
pub fn is_inherited(id: u32) -> bool {
    process::is_inherited(id)
}
