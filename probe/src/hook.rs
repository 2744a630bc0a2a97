//! What happens when the program allocates, releases and moves a block. Both entries, the
//! preload library and the embedded allocator, call these and nothing else.
//!
//! An allocation is recorded after it succeeded and a release before it happens, so that an
//! address that is handed out again is never misread. Moving a block is both: it is [`take`]n
//! out first and [`put_back`] if the allocator fails.

use core::sync::atomic::{
    Ordering::{Relaxed, SeqCst},
    compiler_fence,
};

use crate::{
    cost,
    counter::{Mode, Own, Shared},
    fast::{self, Entry, Old, Step},
    journal, ledger,
    process::{self, Charge, Origin, SHADOW},
    ring,
    session::{
        control,
        layout::{Session, Slot, flag, kind},
    },
    shadow::{self, Block, COARSE, FINE, Noted},
    stack::{self, Caller, Known},
    thread::{self, Place},
    tls, window,
};

/// Usable bytes that the allocator does not tell: those of a traced block are then taken for
/// the requested ones, those of any other for none.
pub const UNKNOWN: u64 = u64::MAX;

/// A block as the allocator knows it.
#[derive(Debug, Clone, Copy)]
pub struct Allocation {
    /// Its address.
    pub address: usize,
    /// Bytes that were asked for.
    pub size: u64,
    /// Bytes that may be used.
    pub usable: u64,
}

impl Allocation {
    /// The same with usable bytes in any case.
    fn told(self) -> Allocation {
        let usable = if self.usable == UNKNOWN { self.size } else { self.usable };
        Allocation { usable, ..self }
    }
}

/// A block taken out of the shadow, about to be moved.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    address: usize,
    usable: u64,
    block: Option<Block>,
}

/// Records a new block that `caller` asked for.
#[inline(always)]
pub fn allocated(origin: &Origin, new: Allocation, caller: Caller) {
    match fast::enter_allocation() {
        Entry::Idle => {}
        Entry::Counted(slot) => match fast::count_allocation::<FINE>(new, slot) {
            Step::Behind(_) => allocated_behind(origin, new, caller, slot),
            step => complete_allocation(origin, step, new, caller),
        },
        Entry::Captured(slot) => allocated_with_stack(origin, new, slot, caller),
        Entry::Unusual => allocated_carefully(origin, new, caller),
    }
}

#[inline(never)]
fn allocated_behind(origin: &Origin, new: Allocation, caller: Caller, slot: &'static Slot) {
    fast::catch_up_allocation(slot, new.size);
    allocated(origin, new, caller);
}

#[inline(never)]
fn allocated_with_stack(origin: &Origin, new: Allocation, slot: &'static Slot, caller: Caller) {
    match fast::recognise(slot, caller) {
        Some(known) => allocated_at(origin, new, slot, known),
        None => allocated_searching(origin, new, slot, caller),
    }
}

#[inline(always)]
fn allocated_at(origin: &Origin, new: Allocation, slot: &'static Slot, known: &'static Known) {
    match fast::allocation_at::<FINE>(new, slot, known) {
        Step::Done => {}
        Step::Unsettled => fast::settle_allocation(),
        Step::Untold(word) => fast::tell_allocation(new.address, word),
        Step::Behind(_) => allocated_behind_at(origin, new, slot, known),
        Step::Unusual => allocated_unusual_at(origin, new, slot, known),
    }
}

/// The stack is not what the memo expects.
#[inline(never)]
fn allocated_searching(origin: &Origin, new: Allocation, slot: &'static Slot, caller: Caller) {
    match fast::search(slot, caller) {
        Some(known) => allocated_at(origin, new, slot, known),
        None => allocated_walking(origin, new, slot, caller),
    }
}

/// The memo does not know the stack.
#[cold]
fn allocated_walking(origin: &Origin, new: Allocation, slot: &'static Slot, caller: Caller) {
    let step = fast::allocation_of_unknown::<FINE>(new, slot, caller);
    complete_allocation(origin, step, new, caller);
}

#[inline(never)]
fn allocated_behind_at(
    origin: &Origin,
    new: Allocation,
    slot: &'static Slot,
    known: &'static Known,
) {
    let caller = known.caller();
    fast::catch_up_at(slot, new.size, known);
    fast::leave(slot);
    allocated(origin, new, caller);
}

#[inline(never)]
fn allocated_unusual_at(origin: &Origin, new: Allocation, slot: &'static Slot, known: &Known) {
    let caller = known.caller();
    fast::leave(slot);
    allocated_carefully(origin, new, caller);
}

#[inline(always)]
fn complete_allocation(origin: &Origin, step: Step, new: Allocation, caller: Caller) {
    match step {
        Step::Done => {}
        Step::Unsettled => fast::settle_allocation(),
        Step::Untold(word) => fast::tell_allocation(new.address, word),
        Step::Behind(_) | Step::Unusual => allocated_carefully(origin, new, caller),
    }
}

/// Records that a block is about to be released; `usable` are its usable bytes.
#[inline(always)]
pub fn released(origin: &Origin, address: usize, usable: u64) {
    match fast::enter_release::<FINE>(address) {
        Entry::Idle => {}
        Entry::Counted(slot) => match fast::count_release::<FINE>(address, usable, slot) {
            Step::Behind(word) => released_behind(origin, (address, usable), slot, word),
            step => complete_release(origin, step, address, usable),
        },
        Entry::Captured(slot) => released_with_stack(origin, address, usable, slot),
        Entry::Unusual => released_carefully(origin, address, usable),
    }
}

#[inline(never)]
fn released_behind(
    origin: &Origin,
    (address, usable): (usize, u64),
    slot: &'static Slot,
    word: u64,
) {
    match fast::catch_up_release(slot, word) {
        true => released(origin, address, usable),
        false => released_carefully(origin, address, usable),
    }
}

#[inline(never)]
fn released_with_stack(origin: &Origin, address: usize, usable: u64, slot: &'static Slot) {
    match fast::release_with_stack::<FINE>(address, usable, slot) {
        Step::Behind(word) => released_behind(origin, (address, usable), slot, word),
        step => complete_release(origin, step, address, usable),
    }
}

#[inline(always)]
fn complete_release(origin: &Origin, step: Step, address: usize, usable: u64) {
    match step {
        Step::Done => {}
        Step::Unsettled => fast::settle_release(),
        Step::Untold(word) => fast::tell_release(address, word),
        Step::Behind(_) | Step::Unusual => released_carefully(origin, address, usable),
    }
}

/// Records a new block in any case there is.
#[cold]
#[inline(never)]
pub fn allocated_carefully(origin: &Origin, new: Allocation, caller: Caller) {
    let new = new.told();
    let timed = timed(origin, |slot| {
        let step = match SHADOW.granule_bits() {
            COARSE => usual_allocation::<COARSE>(new, slot, caller),
            _ => usual_allocation::<FINE>(new, slot, caller),
        };
        or_carefully(step, || allocate_carefully(origin, new, caller))
    });
    match timed {
        Some(Step::Unsettled) => fast::settle_allocation(),
        Some(Step::Untold(word)) => fast::tell_allocation(new.address, word),
        Some(Step::Done | Step::Behind(_) | Step::Unusual) => {}
        None => allocate_carefully(origin, new, caller),
    }
}

fn allocate_carefully(origin: &Origin, new: Allocation, caller: Caller) {
    carefully(
        origin,
        |session, slot, pulse| allocate::<Own>(session, slot, pulse, new, (caller, None)),
        |session, slot, pulse| allocate::<Shared>(session, slot, pulse, new, (caller, None)),
    );
}

/// What came of a call that is timed, once the careful way has done what the usual one does not:
/// some programs have no other calls.
fn or_carefully(step: Step, careful: impl FnOnce()) -> Step {
    if matches!(step, Step::Behind(_) | Step::Unusual) {
        careful();
        return Step::Done;
    }
    step
}

/// A call that is due to be timed.
fn timed(origin: &Origin, call: impl FnOnce(&'static Slot) -> Step) -> Option<Step> {
    match thread::find_place(origin) {
        Place::Own(slot) => cost::timed(slot, || call(slot)),
        _ => None,
    }
}

#[inline(always)]
fn usual_allocation<const BITS: u32>(new: Allocation, slot: &'static Slot, caller: Caller) -> Step {
    match fast::enter_allocation() {
        Entry::Idle => Step::Done,
        Entry::Counted(_) => fast::count_allocation::<BITS>(new, slot),
        Entry::Captured(_) => fast::allocation_with_stack::<BITS>(new, slot, caller),
        Entry::Unusual => Step::Unusual,
    }
}

#[inline(always)]
fn usual_release<const BITS: u32>(address: usize, usable: u64, slot: &'static Slot) -> Step {
    match fast::enter_release::<BITS>(address) {
        Entry::Idle => Step::Done,
        Entry::Counted(_) => fast::count_release::<BITS>(address, usable, slot),
        Entry::Captured(_) => fast::release_with_stack::<BITS>(address, usable, slot),
        Entry::Unusual => Step::Unusual,
    }
}

/// Records that a block is about to be released in any case there is.
#[cold]
#[inline(never)]
pub fn released_carefully(origin: &Origin, address: usize, usable: u64) {
    let timed = timed(origin, |slot| {
        let step = match SHADOW.granule_bits() {
            // An unknown usable size is what the careful way makes good.
            _ if usable == UNKNOWN => Step::Unusual,
            COARSE => usual_release::<COARSE>(address, usable, slot),
            _ => usual_release::<FINE>(address, usable, slot),
        };
        or_carefully(step, || vanished(origin, take(address, usable)))
    });
    match timed {
        Some(Step::Unsettled) => fast::settle_release(),
        Some(Step::Untold(word)) => fast::tell_release(address, word),
        Some(Step::Done | Step::Behind(_) | Step::Unusual) => {}
        None => vanished(origin, take(address, usable)),
    }
}

/// Takes a block out of the shadow before it is moved; nothing is counted yet.
#[inline]
pub fn take(address: usize, usable: u64) -> Taken {
    Taken { address, usable, block: SHADOW.take(address) }
}

/// The move failed: the block is where it was.
pub fn put_back(taken: Taken) {
    if let Some(block) = taken.block {
        SHADOW.note(taken.address, block, &Charge);
    }
}

/// Records that a block was moved or resized by `caller`.
#[inline(never)]
pub fn moved(origin: &Origin, old: Taken, new: Allocation, caller: Caller) {
    let new = new.told();
    match usual_move(old, new, caller) {
        Step::Done => return,
        Step::Unsettled => return fast::settle_allocation(),
        Step::Untold(_) | Step::Behind(_) | Step::Unusual => {}
    }
    carefully(
        origin,
        |session, slot, pulse| relocate::<Own>(session, slot, pulse, old, new, caller),
        |session, slot, pulse| relocate::<Shared>(session, slot, pulse, old, new, caller),
    );
}

#[inline(always)]
fn usual_move(old: Taken, new: Allocation, caller: Caller) -> Step {
    let Taken { address, usable, block: Some(block) } = old else { return Step::Unusual };
    // An unknown usable size is what the careful way makes good.
    if usable == UNKNOWN {
        return Step::Unusual;
    }
    let old = Old { address, usable, block };
    match SHADOW.granule_bits() {
        COARSE => fast::moved::<COARSE>(old, new, caller),
        _ => fast::moved::<FINE>(old, new, caller),
    }
}

/// Records that resizing to nothing released the block.
pub fn vanished(origin: &Origin, old: Taken) {
    let counted = carefully(
        origin,
        |session, slot, pulse| release::<Own>(session, slot, pulse, old),
        |session, slot, pulse| release::<Shared>(session, slot, pulse, old),
    );
    if !counted {
        // Its address comes back; then it is found to have been freed.
        put_back(old);
    }
}

/// Any operation of any thread: in its own slot with the gate closed, so that the allocations
/// of a signal handler keep out of it, or in the shared slot. False when there is neither.
fn carefully(
    origin: &Origin,
    own: impl FnOnce(&Session, &'static Slot, u64),
    shared: impl FnOnce(&Session, &'static Slot, u64),
) -> bool {
    match thread::find_place(origin) {
        Place::Own(slot) => {
            let gate = slot.gate.swap(tls::CLOSED, Relaxed);
            compiler_fence(SeqCst);
            own(process::session(), slot, slot.pulse.load(Relaxed));
            compiler_fence(SeqCst);
            slot.gate.store(gate, Relaxed);
        }
        Place::Shared(slot) => {
            let (session, pulse) = (process::session(), process::pulse());
            if pulse != slot.pulse.load(Relaxed) {
                window::refresh::<Shared>(session, slot, pulse);
            }
            shared(session, slot, pulse);
        }
        Place::Nowhere => return false,
    }
    true
}

/// `moved`: the new block continues a traced one and is recorded even after a stop.
#[inline]
fn allocate<M: Mode>(
    session: &Session,
    slot: &'static Slot,
    pulse: u64,
    new: Allocation,
    (caller, moved): (Caller, Option<Taken>),
) {
    let continues = moved.is_some_and(|old| old.block.is_some());
    if pulse & flag::TRACING == 0 && !continues {
        return;
    }
    // Beyond the limit of the tracer's memory a block is counted and not followed.
    if !SHADOW.has_word(new.address, &Charge) {
        return ledger::count_unattributed::<M>(slot, (new.size, new.usable));
    }
    let tick = control::tick(pulse) as u32;
    // A call inside a hook may have interrupted the very capture of a stack.
    let caller = (!M::SHARED).then_some(caller);
    let site = stack::site_of(slot, caller, window::window_id(slot));
    let block = Block { id: site.id, birth_tick: tick, size: new.size };
    match SHADOW.note(new.address, block, &Charge) {
        Noted::Fresh => {}
        Noted::Replaced(old) => lose::<M>(session, slot, pulse, (new.address, old)),
        Noted::Refused => {
            return ledger::count_unattributed::<M>(slot, (new.size, new.usable));
        }
    }
    ledger::count_allocation::<M>(session, slot, (new.size, new.usable), site.cell);
    if !M::SHARED {
        slot.last_block.store(new.address as u64, Relaxed);
    }
    if pulse & flag::FEED != 0 {
        let kind = if moved.is_some() { kind::REALLOCATE } else { kind::ALLOCATE };
        tell::<M>(slot, pulse, kind, new.address, block);
    }
}

#[inline]
fn release<M: Mode>(session: &Session, slot: &'static Slot, pulse: u64, old: Taken) {
    match old.block {
        Some(block) if window::is_of_window(slot, block.id) => {
            let usable = if old.usable == UNKNOWN { block.size } else { old.usable };
            let site = stack::cell_of_release(slot, block.id, window::window_id(slot));
            ledger::count_release::<M>(session, slot, (block.size, usable), site);
            if !M::SHARED && slot.last_block.load(Relaxed) == old.address as u64 {
                slot.last_block.store(0, Relaxed);
                ledger::count_temporary::<M>(slot, site);
            }
            if pulse & flag::FEED != 0 {
                tell::<M>(slot, pulse, kind::RELEASE, old.address, block);
            }
        }
        other => release_foreign::<M>(slot, pulse, old, other),
    }
}

/// A block of the parent, of before a clear, or of before the start.
#[inline(never)]
fn release_foreign<M: Mode>(slot: &'static Slot, pulse: u64, old: Taken, block: Option<Block>) {
    let inherited = block.filter(|block| window::is_inherited(block.id));
    if let Some(block) = inherited {
        M::add(&slot.inherited_frees, 1);
        return M::add(&slot.inherited_freed, block.size);
    }
    if pulse & flag::TRACING == 0 {
        return;
    }
    let usable = if old.usable == UNKNOWN { 0 } else { old.usable };
    M::add(&slot.untracked_frees, 1);
    M::add(&slot.untracked_bytes, usable);
    if pulse & flag::FEED != 0 {
        let tick = control::tick(pulse) as u32;
        let block = Block { id: 0, birth_tick: tick, size: usable };
        tell::<M>(slot, pulse, kind::RELEASE_UNTRACKED, old.address, block);
    }
}

/// The release stands before the allocation, so that the peak never holds both.
#[inline]
fn relocate<M: Mode>(
    session: &Session,
    slot: &'static Slot,
    pulse: u64,
    old: Taken,
    new: Allocation,
    caller: Caller,
) {
    let traced = old.block.is_some_and(|block| window::is_of_window(slot, block.id));
    release::<M>(session, slot, pulse, old);
    let continued = Taken { block: old.block.filter(|_| traced), ..old };
    if traced || pulse & flag::TRACING != 0 {
        M::add(&slot.reallocations, 1);
    }
    allocate::<M>(session, slot, pulse, new, (caller, Some(continued)));
}

/// A block stood where a new one came to be: its free was never seen.
#[cold]
#[inline(never)]
fn lose<M: Mode>(
    session: &Session,
    slot: &'static Slot,
    pulse: u64,
    (address, old): (usize, Block),
) {
    M::add(&slot.lost_records, 1);
    if window::is_of_window(slot, old.id) {
        // Its usable bytes are not known any more; what was asked for comes nearest.
        let site = stack::cell_of_release(slot, old.id, window::window_id(slot));
        ledger::count_release::<M>(session, slot, (old.size, old.size), site);
        if pulse & flag::FEED != 0 {
            tell::<M>(slot, pulse, kind::RELEASE, address, old);
        }
    }
}

#[inline(always)]
fn tell<M: Mode>(slot: &'static Slot, pulse: u64, kind: u64, address: usize, block: Block) {
    let Block { id, birth_tick, size } = block;
    let tick = control::tick(pulse) as u32;
    if pulse & flag::LOSSLESS != 0 {
        let word = shadow::word_of(id, birth_tick, size);
        return journal::write::<M>(slot, tick, journal::what(kind, address), word, size);
    }
    let push = ring::Push { kind, address, size, birth_tick, tick, id };
    if M::SHARED {
        return ring::drop_one(&slot.ring);
    }
    if ring::has_room(&slot.ring) {
        ring::push(&slot.ring, push);
    }
}
