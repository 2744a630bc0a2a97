//! Which slot a thread works on.
//!
//! ```text
//!           first operation            thread ends (key destructor)
//!  no slot ─────────────────▶ own slot ─────────────────▶ shared slot
//!       └── all slots taken, or no memory ────────────────────▲
//! ```
//!
//! A slot is released by the destructor of a pthread key, which runs while the thread is
//! still able to free; whatever it does after that counts in the shared slot, with locked
//! adds. So does a nested call: a signal handler that allocates inside a hook. No system call
//! is needed to know that an owner is gone, and none is made.

use core::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    compiler_fence,
};

use crate::{
    cost,
    counter::Own,
    fast::open_value,
    ledger, peak,
    process::{self, Origin},
    session::{
        control,
        layout::{SLOTS, Session, Slot, flag},
    },
    stack, sys,
    tls::{self, State},
    window,
};

static KEY: AtomicU32 = AtomicU32::new(u32::MAX);
#[unsafe(link_section = ".data")]
static TID_IN_TCB: AtomicU32 = AtomicU32::new(0);

/// The slot an operation counts in.
pub enum Place {
    /// The thread's own: plain stores.
    Own(&'static Slot),
    /// The shared one: locked adds.
    Shared(&'static Slot),
    /// Nowhere: there is no session, or the tracer itself is at work.
    Nowhere,
}

/// Once a program: the key whose destructor releases slots.
pub fn prepare() {
    let mut key = 0;
    // SAFETY: `key` is a place for the answer; `ended` stays loaded.
    if unsafe { libc::pthread_key_create(&mut key, Some(ended)) } == 0 {
        KEY.store(key, Relaxed);
    }
}

/// Once a process: a child of a raw fork has its parent's thread id in its control block.
pub fn look_for_id() {
    // Where nothing may be asked, the parent's knowledge has to do.
    if !sys::may_ask() {
        return;
    }
    TID_IN_TCB.store(u32::from(tls::thread_id_is_known()), Relaxed);
}

/// Finds a place when the thread's gate did not open at the pulse.
#[cold]
#[inline(never)]
pub fn find_place(origin: &Origin) -> Place {
    // Claiming a session forgets the slot that a forked child has from its parent.
    if tls::state() == State::Claiming || !process::ensure(origin) {
        return Place::Nowhere;
    }
    if tls::state() == State::None {
        claim_slot();
    }
    match own_slot() {
        Some(slot) => Place::Own(slot),
        None => process::shared_slot().map_or(Place::Nowhere, Place::Shared),
    }
}

/// The thread's own slot, unless the thread is inside a hook; what has happened since its last
/// call is attended to first.
fn own_slot() -> Option<&'static Slot> {
    if tls::state() != State::Slot {
        return None;
    }
    // SAFETY: what is no marker is a slot of this process, in memory that is never unmapped.
    let slot = unsafe { &*tls::get() };
    if slot.gate.load(Relaxed) == tls::CLOSED {
        return None;
    }
    let now = process::pulse();
    if slot.pulse.load(Relaxed) != now {
        slot.gate.store(tls::CLOSED, Relaxed);
        compiler_fence(SeqCst);
        window::refresh::<Own>(process::session(), slot, now);
        compiler_fence(SeqCst);
        let is_timed = cost::is_due(slot);
        slot.gate.store(if is_timed { tls::UNUSUAL } else { open_value(now) }, Relaxed);
    }
    Some(slot)
}

fn claim_slot() {
    let _errno = sys::KeepErrno::new();
    // A signal handler counts in the shared slot meanwhile. One that came a moment before has
    // claimed a slot for this thread already.
    let former = tls::swap_for_shared();
    if !tls::is_none(former) {
        return tls::set(former);
    }
    let Some((index, slot)) = adopt().or_else(make) else { return };
    settle(slot);
    stack::attach(slot, index);
    // An adopted slot may have missed a clear; its gate then leads to a refresh.
    slot.gate.store(open_value(slot.pulse.load(Relaxed)), Relaxed);
    tls::set(slot);
}

/// A slot that nobody owns any more, and its position.
fn adopt() -> Option<(usize, &'static Slot)> {
    let (memory, session) = (process::memory()?, process::session());
    let free = |(_, slot): &(usize, &Slot)| {
        slot.owner.load(Relaxed) == 0
            && slot.owner.compare_exchange(0, thread_id(), AcqRel, Relaxed).is_ok()
    };
    (1..session.slot_count())
        .filter_map(|index| Some((index, memory.slot(session.slot_offset(index)?)?)))
        .find(free)
}

fn make() -> Option<(usize, &'static Slot)> {
    let (memory, session) = (process::memory()?, process::session());
    if session.slot_count() >= SLOTS {
        return None;
    }
    let offset = memory.take_piece(session, size_of::<Slot>() as u64)?;
    let index = session.slots_used.fetch_add(1, AcqRel) as usize;
    let slot = memory.slot(offset)?;
    slot.owner.store(thread_id(), Relaxed);
    // With the clears that the session has seen: of a later one the slot hears by its refresh.
    let seen = session.id_base.load(Acquire) >> 32 << 16;
    slot.pulse.store(memory.header().pulse.load(Relaxed) & !flag::CLEARS | seen, Relaxed);
    window::set_window(slot, session.id_base.load(Acquire) as u32);
    session.slots.get(index)?.store(offset, Release);
    Some((index, slot))
}

/// Takes a slot over from former owners, whose sums it keeps.
fn settle(slot: &'static Slot) {
    let session = process::session();
    let threads = session.threads.fetch_add(1, AcqRel) + 1;
    session.max_threads.fetch_max(threads, Relaxed);
    session.membership.fetch_add(1, AcqRel);
    ledger::note_former(slot);
    peak::flush(session, slot);
    let key = KEY.load(Relaxed);
    if key != u32::MAX {
        // SAFETY: the key was created by `prepare`.
        unsafe { libc::pthread_setspecific(key, core::ptr::from_ref(slot).cast()) };
    }
}

/// The thread ends: its slot is free for another.
unsafe extern "C" fn ended(slot: *mut libc::c_void) {
    // A forked child that never had an operation of its own holds its parent's slot.
    if process::header().is_null() || tls::get().addr() != slot.addr() {
        return;
    }
    // SAFETY: the key's value is always the thread's own slot.
    let slot = unsafe { &*slot.cast::<Slot>() };
    let session: &Session = process::session();
    slot.gate.store(tls::CLOSED, Relaxed);
    compiler_fence(SeqCst);
    let now = process::pulse();
    if (slot.pulse.load(Relaxed) ^ now) & flag::CLEARS == 0 {
        peak::flush_late(session, slot, control::tick(now));
    } else {
        window::discard(slot);
    }
    tls::set_state(State::Shared);
    session.threads.fetch_sub(1, AcqRel);
    session.membership.fetch_add(1, AcqRel);
    slot.alone.store(0, Relaxed);
    slot.owner.store(0, Release);
}

fn thread_id() -> u32 {
    if TID_IN_TCB.load(Relaxed) != 0 || !sys::may_ask() {
        return tls::thread_id();
    }
    // SAFETY: gettid has no preconditions.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}
