//! What a process knows of itself: its session, and whether it has one.
//!
//! ```text
//!             first operation              no memory, or an outer probe
//!  UNCLAIMED ────────────────▶ CLAIMING ──────────────────────────────▶ ASIDE
//!      ▲                          │ session claimed
//!      │ fork (page wiped)        ▼
//!      └───────────────────────  READY
//! ```
//!
//! Everything that a forked child must not use lies in one page that the kernel wipes at
//! `fork` (`MADV_WIPEONFORK`): however the child came about, raw `clone` included, its first
//! hook call finds no session and claims one of its own, and until then it writes nowhere that
//! its parent owns. A `vfork` child shares the page, and so its parent's books.
//!
//! A process that lives for a millisecond pays for each page that is touched at its start. So
//! the words that every start writes stand together, in `.data`, also where they begin as
//! zeros; among the large tables in `.bss` each would be a page of its own.

use core::{
    cell::UnsafeCell,
    ptr::{null_mut, with_exposed_provenance},
    sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use crate::{
    lineage,
    session::{
        control,
        layout::{Header, Session, Slot, capture, entry, flag},
        memory::Memory,
    },
    shadow::{Account, Shadow},
    stack, sys, thread, tls, window,
};

const UNCLAIMED: u32 = 0;
const CLAIMING: u32 = 1;
const READY: u32 = 2;
const ASIDE: u32 = 3;

/// The page that `fork` wipes.
#[repr(C, align(4096))]
struct Wiped {
    /// How far the pulse is from [`NO_PULSE`].
    pulse: AtomicUsize,
    header: AtomicPtr<Header>,
    session: AtomicPtr<Session>,
    state: AtomicU32,
    /// Words with an id from `inherited_from` to below `first_id` are the parent's.
    first_id: AtomicU32,
    inherited_from: AtomicU32,
    _rest: [u8; 4096 - 40],
}

static WIPED: Wiped = Wiped {
    pulse: AtomicUsize::new(0),
    header: AtomicPtr::new(null_mut()),
    session: AtomicPtr::new(null_mut()),
    state: AtomicU32::new(UNCLAIMED),
    first_id: AtomicU32::new(0),
    inherited_from: AtomicU32::new(0),
    _rest: [0; 4096 - 40],
};

/// The shadow words; a forked child goes on with a copy of its parent's.
pub static SHADOW: Shadow = Shadow::new();

/// The session memory, once mapped, and the session last claimed. Written by the claiming
/// thread alone, before anyone else can see [`READY`]; a forked child finds its parent's.
struct Kept(UnsafeCell<Option<(Memory, *const Session)>>);

// SAFETY: written only in state CLAIMING, which one thread holds; read after READY or by the
// claiming thread.
unsafe impl Sync for Kept {}

#[unsafe(link_section = ".data")]
static KEPT: Kept = Kept(UnsafeCell::new(None));

/// How the first session of a process comes by its memory.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// Whether it is not too early in the life of the process to ask for the memory.
    pub is_ready: fn() -> bool,
    /// Maps or makes the memory; `None` to step aside.
    pub memory: fn() -> Option<Memory>,
    /// One of [`entry`].
    pub entry: u32,
    /// Writes the arguments of the process into the session.
    pub describe: fn(&Session),
    /// Whether to start tracing at once.
    pub traced: bool,
}

/// The pulse of a process without a session; no gate opens at it.
static NO_PULSE: AtomicU64 = AtomicU64::new(u64::MAX);

/// The pulse of a process that will get no session: nothing is traced.
static ASIDE_PULSE: AtomicU64 = AtomicU64::new(flag::ASIDE);

/// The pulse of the session memory, or, without one, a value that no gate has.
#[inline(always)]
pub fn pulse() -> u64 {
    let at = opaque_address(&NO_PULSE).wrapping_add(WIPED.pulse.load(Relaxed));
    // SAFETY: the distance leads to the pulse of a mapped header, or, being 0, to NO_PULSE.
    unsafe { (*with_exposed_provenance::<AtomicU64>(at)).load(Relaxed) }
}

/// An address from which the compiler draws no conclusions: distances from a static lead to
/// other memory here.
#[inline(always)]
pub fn opaque_address<T>(of: &'static T) -> usize {
    let mut address = core::ptr::from_ref(of).expose_provenance();
    // SAFETY: no instruction at all.
    unsafe {
        core::arch::asm!("/* {0} */", inout(reg) address, options(nomem, nostack, preserves_flags))
    };
    address
}

/// The header, or null when there is no session (yet).
#[inline(always)]
pub fn header() -> *const Header {
    WIPED.header.load(Acquire)
}

/// The session. Only after [`header`] was not null.
#[inline(always)]
pub fn session() -> &'static Session {
    // SAFETY: set before the header was, and session memory is never unmapped.
    unsafe { &*WIPED.session.load(Relaxed) }
}

/// The session memory. Only after [`header`] was not null.
pub fn memory() -> Option<Memory> {
    // SAFETY: written before READY was published, never after.
    (!header().is_null()).then(|| unsafe { (*KEPT.0.get()).map(|kept| kept.0) }).flatten()
}

/// The slot that operations without a slot of their own count in.
pub fn shared_slot() -> Option<&'static Slot> {
    memory()?.slot(session().slot_offset(0)?)
}

/// Whether a word's id is one that this process took over at the fork.
pub fn is_inherited(id: u32) -> bool {
    id < WIPED.first_id.load(Relaxed) && id >= WIPED.inherited_from.load(Relaxed)
}

/// True when there is a session, made on the spot if need be.
pub fn ensure(origin: &Origin) -> bool {
    match WIPED.state.load(Acquire) {
        READY => true,
        UNCLAIMED if (origin.is_ready)() => claim(origin),
        _ => false,
    }
}

#[cold]
fn claim(origin: &Origin) -> bool {
    let _errno = sys::KeepErrno::new();
    if WIPED.state.compare_exchange(UNCLAIMED, CLAIMING, AcqRel, Acquire).is_err() {
        // Another thread is at it; until it is done its siblings pass uncounted.
        return false;
    }
    tls::set_state(tls::State::Claiming);
    let ready = claim_session(origin).is_some();
    tls::set_state(tls::State::None);
    if !ready {
        follow_pulse(&ASIDE_PULSE);
    }
    WIPED.state.store(if ready { READY } else { ASIDE }, Release);
    ready
}

fn claim_session(origin: &Origin) -> Option<()> {
    // SAFETY: this thread alone is in CLAIMING.
    let kept = unsafe { *KEPT.0.get() };
    let (memory, parent) = match kept {
        Some((memory, parent)) => (memory, Some(parent)),
        None => (first_memory(origin)?, None),
    };
    thread::look_for_id();
    // Before there is a session, which would stay half done.
    if !SHADOW.prepare() {
        return None;
    }
    let Some((offset, session)) = place(&memory) else {
        memory.refuse(numbers(parent.is_some()).0, parent.is_some());
        return None;
    };
    // SAFETY: a parent is a session in memory that is never unmapped.
    let parent = parent.map(|parent| unsafe { &*parent });
    introduce(session, parent, origin, &memory);
    // Complete before anyone hears of it: who waited for one that died here would wait for ever.
    memory.enter(session, offset)?;
    lineage::note_session(session);
    if memory.header().frames.load(Relaxed) != 0 {
        if parent.is_none() {
            stack::prepare();
        }
        stack::begin(&memory, session);
    }
    // SAFETY: this thread alone is in CLAIMING, and holds no reference into it.
    unsafe { *KEPT.0.get() = Some((memory, session)) };
    WIPED.session.store(core::ptr::from_ref(session).cast_mut(), Relaxed);
    WIPED.header.store(core::ptr::from_ref(memory.header()).cast_mut(), Release);
    follow_pulse(&memory.header().pulse);
    Some(())
}

fn follow_pulse(pulse: &AtomicU64) {
    let at = core::ptr::from_ref(pulse).expose_provenance();
    WIPED.pulse.store(at.wrapping_sub(opaque_address(&NO_PULSE)), Release);
}

/// Maps the memory and sets up what is set up once in the life of a program.
fn first_memory(origin: &Origin) -> Option<Memory> {
    let memory = (origin.memory)()?;
    let page = core::ptr::from_ref(&WIPED).cast_mut().cast();
    // SAFETY: WIPED fills exactly one page of zero-initialised private memory.
    unsafe { libc::madvise(page, size_of::<Wiped>(), libc::MADV_WIPEONFORK) };
    // SAFETY: the handlers are functions of this library, which is never unloaded.
    unsafe {
        libc::pthread_atfork(Some(lineage::before_fork), Some(lineage::after_fork), Some(in_child))
    };
    thread::prepare();
    Some(memory)
}

/// Takes a place in the memory: session and shared slot in one piece.
fn place(memory: &Memory) -> Option<(u64, &'static Session)> {
    let bytes = size_of::<Session>() + size_of::<Slot>();
    let (offset, session) = memory.take_first_piece(bytes as u64)?;
    session.slots[0].store(offset + size_of::<Session>() as u64, Release);
    session.slots_used.store(1, Relaxed);
    Some((offset, session))
}

fn introduce(session: &Session, parent: Option<&Session>, origin: &Origin, memory: &Memory) {
    let (pid, parent_pid) = numbers(parent.is_some());
    session.pid.store(pid, Relaxed);
    session.parent.store(parent_pid, Relaxed);
    session.started_ns.store(sys::monotonic_ns(), Relaxed);
    session.started_counter.store(sys::cycles(), Relaxed);
    let clears = memory.header().pulse.load(Relaxed) & flag::CLEARS;
    let first_id = match parent {
        Some(_) => {
            WIPED.inherited_from.store(lineage::window(), Relaxed);
            lineage::next_id()
        }
        None => 1,
    };
    session.id_base.store(clears << 16 | u64::from(first_id), Relaxed);
    session.first_id.store(first_id, Relaxed);
    session.next_id.store(first_id.saturating_add(1), Relaxed);
    WIPED.first_id.store(first_id, Relaxed);
    if let Some(shared) = session.slot_offset(0).and_then(|offset| memory.slot(offset)) {
        shared.gate.store(tls::CLOSED, Relaxed);
        shared.pulse.store(memory.header().pulse.load(Relaxed), Relaxed);
        shared.first_id.store(first_id, Relaxed);
        let stacks = memory.header().frames.load(Relaxed) != 0;
        shared.capture.store(if stacks { capture::SHARED } else { capture::OFF }, Relaxed);
        window::set_window(shared, first_id);
    }
    match parent {
        Some(parent) => lineage::describe_child(session, parent, memory),
        None => (origin.describe)(session),
    }
    if parent.is_none() && origin.traced {
        control::set_tracing(memory.header(), true, sys::monotonic_ns());
    }
    let kind = if parent.is_some() { entry::FORK } else { origin.entry };
    session.entry.store(kind, Release);
}

/// The process's number and its parent's, as whoever looks at the session knows them.
fn numbers(is_child: bool) -> (u32, u32) {
    /// The process is in a world of numbers of its own.
    #[unsafe(link_section = ".data")]
    static APART: AtomicBool = AtomicBool::new(false);
    let above = if is_child { lineage::pid() } else { 0 };
    if !sys::may_ask() {
        // fork has written the child's number there.
        return (tls::thread_id(), above);
    }
    // SAFETY: these calls have no preconditions.
    let (own, inner_above) = unsafe { (libc::getpid() as u32, libc::getppid() as u32) };
    // The first process of a world has no parent in it.
    if is_child && inner_above != 0 && !APART.load(Relaxed) {
        return (own, inner_above);
    }
    let outer = sys::outer_pid().unwrap_or(own);
    APART.store(outer != own, Relaxed);
    let parent = match is_child {
        true => above,
        false if outer == own => inner_above,
        // In there, its parent has another number, or none.
        false => sys::outer_parent().unwrap_or(0),
    };
    (outer, parent)
}

/// Does by hand what a kernel without `MADV_WIPEONFORK` left undone.
unsafe extern "C" fn in_child() {
    WIPED.pulse.store(0, Relaxed);
    WIPED.header.store(null_mut(), Relaxed);
    WIPED.session.store(null_mut(), Relaxed);
    WIPED.first_id.store(0, Relaxed);
    WIPED.inherited_from.store(0, Relaxed);
    if WIPED.state.load(Relaxed) != ASIDE {
        WIPED.state.store(UNCLAIMED, Release);
    }
}

/// Charges private tracer memory to the session and to the limit of the whole tree.
pub struct Charge;

impl Account for Charge {
    fn charge(&self, bytes: u64) -> bool {
        let Some(memory) = memory() else { return false };
        let header = memory.header();
        let is_over = |private: u64| {
            let shared = header.shared_bytes.load(Relaxed);
            private.saturating_add(shared) > header.limit.load(Relaxed)
        };
        // Asked beforehand too: many ask once the limit is met.
        if is_over(header.private_bytes.load(Relaxed).saturating_add(bytes)) {
            return false;
        }
        if is_over(header.private_bytes.fetch_add(bytes, Relaxed) + bytes) {
            header.private_bytes.fetch_sub(bytes, Relaxed);
            return false;
        }
        session().private_bytes.fetch_add(bytes, Relaxed);
        true
    }
}
