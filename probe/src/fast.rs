//! The usual case of [`crate::hook`], as a straight line.
//!
//! Nearly every call is of a thread that has its slot, while nothing is asked of it, for a
//! block of 1 B to 1 MiB at an address whose shadow leaf exists, into a size class that has
//! its copy of the peak. For that case these functions do what the careful path does, field
//! by field; in any other they do nothing and answer `false`, and the careful path takes over.
//! A property test holds the two against the same model.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    compiler_fence,
};

use crate::{
    hook::Allocation,
    ledger::{self, Mode, Own},
    process::{self, SHADOW},
    ring::{self, Push},
    session::{
        control,
        layout::{Cell, Slot, flag, kind},
        size_class,
    },
    shadow, tls,
};

/// What the flags must be for a straight line.
const QUIET: u64 = flag::TRACING;
const FEEDING: u64 = flag::TRACING | flag::FEED;
const FLAGS: u64 = 0xFFFF;

/// Records a new block; `false` when it has not.
#[inline(always)]
pub fn allocated(new: Allocation) -> bool {
    let pulse = process::pulse();
    match pulse & FLAGS {
        QUIET => allocate::<false>(new, pulse),
        FEEDING => allocate::<true>(new, pulse),
        // Not traced: nothing to record.
        flags => flags & flag::TRACING == 0,
    }
}

/// Records that a block is about to be released; `false` when it has not.
#[inline(always)]
pub fn released(address: usize, usable: u64) -> bool {
    let pulse = process::pulse();
    match pulse & FLAGS {
        QUIET => release::<false>(address, usable, pulse),
        FEEDING => release::<true>(address, usable, pulse),
        // Not traced: only blocks that are noted matter.
        flags => flags & flag::TRACING == 0 && SHADOW.holds_none(address),
    }
}

/// The thread's slot with its gate closed; `None` when the gate was not open at the pulse.
#[inline(always)]
fn close_gate(pulse: u64) -> Option<&'static Slot> {
    let slot = tls::get();
    // SAFETY: `slot` is what the thread-local holds.
    let gate = unsafe { tls::gate(slot) };
    if gate.load(Relaxed) != pulse {
        return None;
    }
    gate.store(tls::CLOSED, Relaxed);
    compiler_fence(Acquire);
    // SAFETY: only slots have an open gate, and they are never unmapped.
    Some(unsafe { &*slot })
}

#[inline(always)]
fn open_gate(slot: &Slot, pulse: u64) {
    compiler_fence(Release);
    slot.gate.store(pulse, Relaxed);
}

/// The cell of a usual size, if its copy of the peak is there.
#[inline(always)]
fn cell(slot: &'static Slot, size: u64) -> Option<&'static Cell> {
    let cell = &slot.classes[size_class::of_usual(size)];
    (cell.epoch.load(Relaxed) == slot.epoch.load(Relaxed)).then_some(cell)
}

#[inline(always)]
fn allocate<const FEED: bool>(new: Allocation, pulse: u64) -> bool {
    let Some(word) = SHADOW.word(new.address) else { return false };
    let Some(slot) = close_gate(pulse) else { return false };
    let usual = shadow::is_usual(new.size) && word.load(Relaxed) == 0;
    let Some(cell) = usual.then(|| cell(slot, new.size)).flatten() else {
        open_gate(slot, pulse);
        return false;
    };
    let stamp = slot.stamp.load(Relaxed);
    word.store(stamp | new.size, Relaxed);
    add(&cell.allocations, 1);
    add(&cell.allocated_bytes, new.size);
    add(&slot.usable_allocated, new.usable);
    slot.last_block.store(new.address as u64, Relaxed);
    if FEED {
        tell(slot, kind::ALLOCATE, new.address, stamp | new.size, pulse);
    }
    let bytes = slot.pending_bytes.load(Relaxed) + new.size as i64;
    let blocks = slot.pending_blocks.load(Relaxed) + 1;
    slot.pending_bytes.store(bytes, Relaxed);
    slot.pending_blocks.store(blocks, Relaxed);
    if bytes > slot.high_bytes.load(Relaxed) || blocks > slot.high_blocks.load(Relaxed) {
        ledger::rise(process::session(), slot, bytes, blocks);
    }
    open_gate(slot, pulse);
    true
}

#[inline(always)]
fn release<const FEED: bool>(address: usize, usable: u64, pulse: u64) -> bool {
    let Some(word) = SHADOW.word(address) else { return false };
    let Some(slot) = close_gate(pulse) else { return false };
    let packed = word.load(Relaxed);
    let size = shadow::size_in(packed);
    let usual = shadow::is_usual(size)
        && packed >= slot.floor.load(Relaxed)
        && slot.at_peak.load(Relaxed) == 0;
    let Some(cell) = usual.then(|| cell(slot, size)).flatten() else {
        open_gate(slot, pulse);
        return false;
    };
    word.store(0, Relaxed);
    add(&cell.frees, 1);
    add(&cell.freed_bytes, size);
    add(&slot.usable_freed, usable);
    if slot.last_block.load(Relaxed) == address as u64 {
        slot.last_block.store(0, Relaxed);
        add(&slot.temporary, 1);
    }
    if FEED {
        tell(slot, kind::RELEASE, address, packed, pulse);
    }
    let bytes = slot.pending_bytes.load(Relaxed) - size as i64;
    slot.pending_bytes.store(bytes, Relaxed);
    slot.pending_blocks.store(slot.pending_blocks.load(Relaxed) - 1, Relaxed);
    if bytes < -slot.threshold.load(Relaxed) {
        ledger::flush::<Own>(process::session(), slot);
    }
    open_gate(slot, pulse);
    true
}

#[inline(always)]
fn add(counter: &AtomicU64, value: u64) {
    Own::add(counter, value);
}

#[inline(always)]
fn tell(slot: &Slot, kind: u64, address: usize, word: u64, pulse: u64) {
    let tick = control::tick(pulse) as u32;
    let (id, size) = (shadow::id_in(word), shadow::size_in(word));
    let birth_tick = shadow::birth_tick_in(word);
    ring::push(&slot.ring, Push { kind, address, size, birth_tick, tick, id });
}
