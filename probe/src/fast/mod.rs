//! The usual case of [`crate::hook`], as a straight line.
//!
//! Nearly every call is of a thread that has its slot, while nothing is asked of it, for a
//! block of 1 B to 1 MiB at an address whose shadow leaf exists, into a size class that has
//! its copy of the peak. For that case these functions do what the careful path does, field
//! by field; in any other they do nothing and say so, and the careful path takes over.
//! A property test holds the two against the same model.

mod gate;
mod settle;

use core::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

pub use gate::open_value;
use gate::{close_gate, fall_behind, give_up, open_slot, settle_or_open};
pub use settle::{
    catch_up_allocation, catch_up_at, catch_up_release, leave, settle_allocation, settle_release,
    tell_allocation, tell_release,
};

use crate::{
    at_peak::{self, is_behind},
    counter::{Mode, Own},
    hook::Allocation,
    ledger, peak,
    process::{self, SHADOW},
    ring,
    session::{
        layout::{Cell, Slot, capture, flag},
        size_class,
    },
    shadow::{self, Block},
    stack::{self, Caller, Hit, Known},
    window,
};

/// How a call begins.
#[derive(Clone, Copy)]
pub enum Entry {
    /// There is nothing to record.
    Idle,
    /// Recorded in this slot: [`count_allocation`], [`count_release`].
    Counted(&'static Slot),
    /// Recorded in this slot under a stack, in cells of its own: [`allocation_with_stack`],
    /// [`release_with_stack`].
    Captured(&'static Slot),
    /// The careful path must do it.
    Unusual,
}

/// What an attempt came to.
#[derive(Clone, Copy)]
pub enum Step {
    /// Recorded.
    Done,
    /// Recorded; [`settle_allocation`] or [`settle_release`] must follow at once.
    Unsettled,
    /// Recorded, and there is room to tell the feed of it; [`tell_allocation`] or
    /// [`tell_release`] must follow at once, with this shadow word.
    Untold(u64),
    /// Not recorded: a peak was left since the class or the cell of this block, of which this is
    /// the shadow word or the size, changed last. [`catch_up_allocation`] or [`catch_up_release`]
    /// must follow.
    Behind(u64),
    /// Not recorded: the careful path must do it.
    Unusual,
}

/// A block that was moved: what the shadow said of it before.
#[derive(Clone, Copy)]
pub struct Old {
    /// Where it was.
    pub address: usize,
    /// Usable bytes it had.
    pub usable: u64,
    /// What was noted of it.
    pub block: Block,
}

/// Begins to record a new block.
#[inline(always)]
pub fn enter_allocation() -> Entry {
    let pulse = process::pulse();
    match open_slot(pulse) {
        Some(slot) => enter(slot),
        // While nothing is traced there is nothing to record.
        None if pulse & flag::TRACING == 0 => Entry::Idle,
        None => Entry::Unusual,
    }
}

/// Begins to record that a block is about to be released. `BITS` are those of the shadow's
/// granules.
#[inline(always)]
pub fn enter_release<const BITS: u32>(address: usize) -> Entry {
    let pulse = process::pulse();
    match open_slot(pulse) {
        Some(slot) => enter(slot),
        None if pulse & flag::TRACING == 0
            && (pulse & flag::ASIDE != 0 || holds_none::<BITS>(address)) =>
        {
            Entry::Idle
        }
        None => Entry::Unusual,
    }
}

#[inline(always)]
fn enter(slot: &'static Slot) -> Entry {
    match slot.capture.load(Relaxed) {
        capture::OFF => Entry::Counted(slot),
        capture::OWN => Entry::Captured(slot),
        _ => Entry::Unusual,
    }
}

/// Records a new block.
#[inline(always)]
pub fn count_allocation<const BITS: u32>(new: Allocation, slot: &'static Slot) -> Step {
    let pulse = close_gate(slot);
    allocate::<BITS>(new, slot, pulse, None)
}

/// Records a new block under the stack that asked for it.
#[inline(always)]
pub fn allocation_with_stack<const BITS: u32>(
    new: Allocation,
    slot: &'static Slot,
    caller: Caller,
) -> Step {
    allocation_under::<BITS>(new, slot, || site_of(slot, caller))
}

/// The same, where neither [`recognise`] nor [`search`] knew the stack.
#[inline(always)]
pub fn allocation_of_unknown<const BITS: u32>(
    new: Allocation,
    slot: &'static Slot,
    caller: Caller,
) -> Step {
    allocation_under::<BITS>(new, slot, || walk(slot, caller))
}

#[inline(always)]
fn allocation_under<const BITS: u32>(
    new: Allocation,
    slot: &'static Slot,
    site: impl FnOnce() -> Hit,
) -> Step {
    let pulse = close_gate(slot);
    if must_be_told_first(slot, new.size) {
        return give_up(slot, pulse);
    }
    allocate::<BITS>(new, slot, pulse, Some(site()))
}

/// The first half of [`allocation_with_stack`], for a stack that is recognised at once: the
/// gate is closed, and [`allocation_at`] must follow; or with `None` [`search`].
#[inline(always)]
pub fn recognise(slot: &'static Slot, caller: Caller) -> Option<&'static Known> {
    close_gate(slot);
    // SAFETY: the thread's own slot with its gate closed, and cells of its own mean that its
    // `stacks` are not 0.
    unsafe { stack::recognise(slot, caller) }
}

/// The same for one that was not, but that the memo knows; or with `None` the whole must follow,
/// by [`allocation_of_unknown`].
#[inline(always)]
pub fn search(slot: &'static Slot, caller: Caller) -> Option<&'static Known> {
    // SAFETY: as in `recognise`, which has closed the gate.
    unsafe { stack::search(slot, caller) }
}

/// The second half. Nothing is called on this line; where the block is not recorded the gate
/// stays closed, for [`catch_up_at`] or [`leave`] to follow.
#[inline(always)]
pub fn allocation_at<const BITS: u32>(
    new: Allocation,
    slot: &'static Slot,
    known: &'static Known,
) -> Step {
    let Some(word) = free_word::<BITS>(new) else { return Step::Unusual };
    let (class, hit) = (class_of(slot, new.size), known.hit());
    let rises = will_rise(slot, new.size);
    if rises && must_be_told_first(slot, new.size) {
        return Step::Unusual;
    }
    if is_behind(slot, class) || is_behind(slot, hit.cell) {
        return Step::Behind(new.size);
    }
    let packed = count_in(slot, class, new, Some(hit));
    word.store(packed, Relaxed);
    let pulse = slot.pulse.load(Relaxed);
    if pulse & flag::FEED != 0 && ring::is_told(&slot.ring, pulse) {
        return Step::Untold(packed);
    }
    settle_or_open(slot, pulse, rises)
}

/// Records that a block is about to be released.
#[inline(always)]
pub fn count_release<const BITS: u32>(address: usize, usable: u64, slot: &'static Slot) -> Step {
    let pulse = close_gate(slot);
    release::<BITS, false>((address, usable), slot, pulse)
}

/// Records that a block is about to be released, under the stack that once asked for it.
#[inline(always)]
pub fn release_with_stack<const BITS: u32>(
    address: usize,
    usable: u64,
    slot: &'static Slot,
) -> Step {
    let pulse = close_gate(slot);
    release::<BITS, true>((address, usable), slot, pulse)
}

/// Records that a block was moved, as far as that is usual: traced before and after, of a
/// usual size.
#[inline(always)]
pub fn moved<const BITS: u32>(old: Old, new: Allocation, caller: Caller) -> Step {
    let (slot, captures) = match enter_allocation() {
        Entry::Counted(slot) => (slot, false),
        Entry::Captured(slot) => (slot, true),
        Entry::Idle | Entry::Unusual => return Step::Unusual,
    };
    let pulse = close_gate(slot);
    let Some(word) = free_word::<BITS>(new) else { return give_up(slot, pulse) };
    let Block { id, size, .. } = old.block;
    if !shadow::is_usual(size) || !window::is_of_window(slot, id) {
        return give_up(slot, pulse);
    }
    let sinks = ledger::would_sink(slot, size);
    if (sinks || ledger::outgrows(slot, new.size)) && peak::is_shared(process::session(), slot) {
        return give_up(slot, pulse);
    }
    leave_peak(slot);
    let site = captures.then(|| site_of_release(slot, id));
    count_out(slot, up_to_date(slot, size), (old.address, size, old.usable), site);
    if is_sinking(slot) {
        peak::flush(process::session(), slot);
    }
    let site = captures.then(|| site_of(slot, caller));
    let packed = count_in(slot, up_to_date(slot, new.size), new, site);
    word.store(packed, Relaxed);
    add(&slot.reallocations, 1);
    if pulse & flag::FEED != 0 && !settle::tell_move(slot, pulse, old, (new.address, packed)) {
        return Step::Done;
    }
    settle_or_open(slot, pulse, is_rising(slot))
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

#[inline(always)]
fn is_rising(slot: &Slot) -> bool {
    slot.pending_bytes.load(Relaxed) > slot.high_bytes.load(Relaxed)
        || slot.pending_blocks.load(Relaxed) > slot.high_blocks.load(Relaxed)
}

/// [`is_rising`], with one more block of so many bytes.
#[inline(always)]
fn will_rise(slot: &Slot, size: u64) -> bool {
    slot.pending_bytes.load(Relaxed) + size as i64 > slot.high_bytes.load(Relaxed)
        || slot.pending_blocks.load(Relaxed) + 1 > slot.high_blocks.load(Relaxed)
}

/// Whether the session must hear of a new block of so many bytes before the cells count it.
#[inline(always)]
fn must_be_told_first(slot: &Slot, size: u64) -> bool {
    ledger::outgrows(slot, size) && peak::is_shared(process::session(), slot)
}

#[inline(always)]
fn is_sinking(slot: &Slot) -> bool {
    slot.pending_bytes.load(Relaxed) < slot.sink.load(Relaxed)
}

/// Leaves the peak that this thread saw alone, before a release.
#[inline(always)]
fn leave_peak(slot: &Slot) {
    if slot.at_peak.load(Relaxed) != 0 {
        peak::leave_peak(process::session(), slot);
    }
}

/// The word of a new block of a usual size, if it is there and empty.
#[inline(always)]
fn free_word<const BITS: u32>(new: Allocation) -> Option<&'static AtomicU64> {
    // SAFETY: where there is a slot, the shadow is prepared.
    let word = unsafe { SHADOW.word::<BITS>(new.address) }?;
    if !shadow::is_usual(new.size) || word.load(Relaxed) != 0 {
        return None;
    }
    Some(word)
}

#[inline(always)]
fn class_of(slot: &'static Slot, size: u64) -> &'static Cell {
    &slot.classes[size_class::of_usual(size) % 32]
}

/// The class of a size, with its copy of the peak.
#[inline(always)]
fn up_to_date(slot: &'static Slot, size: u64) -> &'static Cell {
    let class = class_of(slot, size);
    at_peak::keep(slot, class);
    class
}

/// `site` is where the block counts beside its class. With none, nothing is called on this line:
/// the class must have its copy of the peak already.
#[inline(always)]
fn allocate<const BITS: u32>(
    new: Allocation,
    slot: &'static Slot,
    pulse: u64,
    site: Option<Hit>,
) -> Step {
    let Some(word) = free_word::<BITS>(new) else { return give_up(slot, pulse) };
    let (class, rises) = (class_of(slot, new.size), will_rise(slot, new.size));
    if site.is_some() {
        at_peak::keep(slot, class);
    } else if rises && must_be_told_first(slot, new.size) {
        return give_up(slot, pulse);
    } else if is_behind(slot, class) {
        return fall_behind(slot, pulse, new.size);
    }
    let packed = count_in(slot, class, new, site);
    word.store(packed, Relaxed);
    if pulse & flag::FEED != 0 && ring::is_told(&slot.ring, pulse) {
        return Step::Untold(packed);
    }
    settle_or_open(slot, pulse, rises)
}

/// With `STACKS`, the block counts at its site too. Nothing is called on this line: class and
/// cell must have their copies of the peak already.
#[inline(always)]
fn release<const BITS: u32, const STACKS: bool>(
    (address, usable): (usize, u64),
    slot: &'static Slot,
    pulse: u64,
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
    let (class, sinks) = (class_of(slot, size), ledger::would_sink(slot, size));
    if sinks && peak::is_shared(process::session(), slot) {
        return give_up(slot, pulse);
    }
    if slot.at_peak.load(Relaxed) != 0 || is_behind(slot, class) {
        return fall_behind(slot, pulse, packed);
    }
    let mut site = None;
    if STACKS {
        site = known_cell(slot, shadow::id_in(packed)).filter(|cell| !is_behind(slot, cell));
        if site.is_none() {
            return fall_behind(slot, pulse, packed);
        }
    }
    word.store(0, Relaxed);
    count_out(slot, class, (address, size, usable), site);
    if pulse & flag::FEED != 0 && ring::is_told(&slot.ring, pulse) {
        return Step::Untold(packed);
    }
    settle_or_open(slot, pulse, sinks)
}

/// Counts a new block in a class and a cell that have their copies of the peak, and returns its
/// word.
#[inline(always)]
fn count_in(slot: &Slot, class: &Cell, new: Allocation, site: Option<Hit>) -> u64 {
    let mut stamp = slot.stamp.load(Relaxed);
    if let Some(Hit { id, cell }) = site {
        add(&cell.allocations, 1);
        add(&cell.allocated_bytes, new.size);
        stamp = shadow::with_id(stamp, id);
    }
    add(&class.allocations, 1);
    add(&class.allocated_bytes, new.size);
    add(&slot.usable_allocated, new.usable);
    slot.last_block.store(new.address as u64, Relaxed);
    add_signed(&slot.pending_bytes, new.size as i64);
    add_signed(&slot.pending_blocks, 1);
    stamp | new.size
}

/// Counts a block freed in a class and a cell that have their copies of the peak: its address,
/// requested and usable bytes, and the cell of its site.
#[inline(always)]
fn count_out(
    slot: &Slot,
    class: &Cell,
    (address, size, usable): (usize, u64, u64),
    site: Option<&Cell>,
) {
    if let Some(cell) = site {
        add(&cell.frees, 1);
        add(&cell.freed_bytes, size);
    }
    add(&class.frees, 1);
    add(&class.freed_bytes, size);
    add(&slot.usable_freed, usable);
    if slot.last_block.load(Relaxed) == address as u64 {
        slot.last_block.store(0, Relaxed);
        add(&slot.temporary, 1);
        site.inspect(|cell| add(&cell.temporary, 1));
    }
    add_signed(&slot.pending_bytes, -(size as i64));
    add_signed(&slot.pending_blocks, -1);
}

/// The stack that asks for a block, and its cell of this slot, with its copy of the peak. The
/// slot's gate is closed, and it captures into cells of its own.
#[inline(always)]
fn site_of(slot: &'static Slot, caller: Caller) -> Hit {
    // SAFETY: the thread's own slot with its gate closed, and cells of its own mean that its
    // `stacks` are not 0.
    match unsafe { stack::recall(slot, caller) } {
        Some(hit) => {
            at_peak::keep(slot, hit.cell);
            hit
        }
        None => walk(slot, caller),
    }
}

/// The same, where the memo does not know it.
#[inline(always)]
fn walk(slot: &'static Slot, caller: Caller) -> Hit {
    let hit = stack::walk(slot, caller);
    at_peak::keep(slot, hit.cell);
    hit
}

/// The cell of a block's stack in such a slot, with its copy of the peak.
#[inline(always)]
fn site_of_release(slot: &'static Slot, id: u32) -> &'static Cell {
    let cell = known_cell(slot, id).unwrap_or_else(|| stack::own_cell_of_release(slot, id));
    at_peak::keep(slot, cell);
    cell
}

/// The same, if there is one, and without the copy.
#[inline(always)]
fn known_cell(slot: &'static Slot, id: u32) -> Option<&'static Cell> {
    match id == window::window_id(slot) {
        true => Some(&slot.loose),
        false => stack::cells::find(slot, id),
    }
}

#[inline(always)]
fn add(counter: &AtomicU64, value: u64) {
    Own::add(counter, value);
}

#[inline(always)]
fn add_signed(counter: &AtomicI64, value: i64) {
    counter.store(counter.load(Relaxed) + value, Relaxed);
}
