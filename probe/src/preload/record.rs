//! Recording a block that the next allocator returned.

use super::{bootstrap, entrances, exports::Pointer, next, start::ORIGIN};
use crate::{
    fast::{self, Entry, Step},
    hook::{self, Allocation},
    session::layout::Slot,
    shadow::COARSE,
    stack::{Caller, Known},
};

/// Records a block that the next allocator returned to `caller`, and returns it.
///
/// Each way is a straight line of its own, reached by a jump, so that none pays for the
/// registers of another.
#[inline(always)]
pub fn record(block: Pointer, size: usize, caller: Caller) -> Pointer {
    match next::glibc_usable_size(block) {
        Some(usable) => record_usual(block, size, usable, caller),
        None => record_carefully(block, size, caller),
    }
}

#[inline(always)]
pub fn record_usual(block: Pointer, size: usize, usable: u64, caller: Caller) -> Pointer {
    match fast::enter_allocation() {
        Entry::Idle => block,
        Entry::Counted(slot) => record_counted(block, size, usable, caller.sp, caller.bp, slot),
        Entry::Captured(slot) => record_with_stack(block, size, usable, caller.sp, caller.bp, slot),
        Entry::Unusual => record_carefully(block, size, caller),
    }
}

#[inline(never)]
extern "C" fn record_counted(
    block: Pointer,
    size: usize,
    usable: u64,
    sp: usize,
    bp: usize,
    slot: &'static Slot,
) -> Pointer {
    let new = Allocation { address: block.addr(), size: size as u64, usable };
    match fast::count_allocation::<COARSE>(new, slot) {
        Step::Done => block,
        Step::Unsettled => settle(block),
        Step::Untold(word) => tell(block, word),
        Step::Behind(_) => record_behind(block, size, usable, sp, bp, slot),
        Step::Unusual => record_carefully(block, size, Caller { sp, bp }),
    }
}

#[inline(never)]
extern "C" fn record_behind(
    block: Pointer,
    size: usize,
    usable: u64,
    sp: usize,
    bp: usize,
    slot: &'static Slot,
) -> Pointer {
    fast::catch_up_allocation(slot, size as u64);
    record_counted(block, size, usable, sp, bp, slot)
}

#[inline(never)]
extern "C" fn record_with_stack(
    block: Pointer,
    size: usize,
    usable: u64,
    sp: usize,
    bp: usize,
    slot: &'static Slot,
) -> Pointer {
    match fast::recognise(slot, Caller { sp, bp }) {
        Some(known) => record_at(block, size, usable, known, slot),
        None => record_searching(block, size, usable, sp, bp, slot),
    }
}

/// The stack is not what the memo expects.
#[inline(never)]
extern "C" fn record_searching(
    block: Pointer,
    size: usize,
    usable: u64,
    sp: usize,
    bp: usize,
    slot: &'static Slot,
) -> Pointer {
    match fast::search(slot, Caller { sp, bp }) {
        Some(known) => record_at(block, size, usable, known, slot),
        None => record_walking(block, size, usable, sp, bp, slot),
    }
}

/// The memo does not know the stack.
#[cold]
extern "C" fn record_walking(
    block: Pointer,
    size: usize,
    usable: u64,
    sp: usize,
    bp: usize,
    slot: &'static Slot,
) -> Pointer {
    let caller = Caller { sp, bp };
    let new = Allocation { address: block.addr(), size: size as u64, usable };
    match fast::allocation_of_unknown::<COARSE>(new, slot, caller) {
        Step::Done => block,
        Step::Unsettled => settle(block),
        Step::Untold(word) => tell(block, word),
        Step::Behind(_) | Step::Unusual => record_carefully(block, size, caller),
    }
}

#[inline(never)]
extern "C" fn record_at(
    block: Pointer,
    size: usize,
    usable: u64,
    known: &'static Known,
    slot: &'static Slot,
) -> Pointer {
    let new = Allocation { address: block.addr(), size: size as u64, usable };
    match fast::allocation_at::<COARSE>(new, slot, known) {
        Step::Done => block,
        Step::Unsettled => settle(block),
        Step::Untold(word) => tell(block, word),
        Step::Behind(_) => record_behind_at(block, size, usable, known, slot),
        Step::Unusual => record_unusual_at(block, size, known, slot),
    }
}

#[inline(never)]
extern "C" fn record_behind_at(
    block: Pointer,
    size: usize,
    usable: u64,
    known: &'static Known,
    slot: &'static Slot,
) -> Pointer {
    fast::catch_up_at(slot, size as u64, known);
    record_at(block, size, usable, known, slot)
}

#[inline(never)]
fn record_unusual_at(block: Pointer, size: usize, known: &Known, slot: &'static Slot) -> Pointer {
    let caller = known.caller();
    fast::leave(slot);
    record_carefully(block, size, caller)
}

/// For an allocator of another kind, and whatever else is not usual.
#[inline(never)]
pub fn record_carefully(block: Pointer, size: usize, caller: Caller) -> Pointer {
    if !block.is_null() && !bootstrap::holds(block.cast()) && !entrances::is_unseen() {
        // tcmalloc says 0 until it has set itself up.
        let usable = next::usable_size(block).max(size as u64);
        record_fine(Allocation { address: block.addr(), size: size as u64, usable }, caller);
    }
    afresh(block)
}

fn record_fine(new: Allocation, caller: Caller) {
    match next::is_glibc() || new.usable == hook::UNKNOWN {
        true => hook::allocated_carefully(&ORIGIN, new, caller),
        false => hook::allocated(&ORIGIN, new, caller),
    }
}

#[inline(never)]
fn tell(block: Pointer, word: u64) -> Pointer {
    fast::tell_allocation(block.addr(), word);
    afresh(block)
}

#[inline(never)]
fn settle(block: Pointer) -> Pointer {
    fast::settle_allocation();
    afresh(block)
}

/// The same block, which the compiler does not know to be the same: else the straight lines
/// would keep it for themselves, and call what they can jump to.
#[inline(always)]
fn afresh(block: Pointer) -> Pointer {
    core::hint::black_box(block)
}
