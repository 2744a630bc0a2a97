//! The one thread-local: a pointer to the thread's [`Slot`].
//!
//! It is an initial-exec thread-local of eight bytes, reached by two instructions. Rust's
//! `thread_local!` in a shared library goes through `__tls_get_addr`, which costs 2.5 ns and
//! may itself allocate, that is, call the hook again. This is the file to write for another
//! architecture.

use core::{
    arch::{asm, global_asm},
    ptr::with_exposed_provenance,
    sync::atomic::AtomicU64,
};

use crate::{process::opaque_address, session::layout::Slot};

/// A stand-in for a slot: nothing of it is ever used but its gate, which is never open.
#[repr(C, align(64))]
pub struct Marker {
    gate: AtomicU64,
}

/// What a closed gate holds: no pulse has this value.
pub const CLOSED: u64 = u64::MAX - 1;

/// What the gate of a slot holds while its owner's calls are to come the careful way: tracing is
/// off, or one of them is about to be timed (see [`crate::cost`]). No pulse has this value.
pub const UNUSUAL: u64 = u64::MAX - 2;

const fn marker() -> Marker {
    Marker { gate: AtomicU64::new(CLOSED) }
}

/// No slot yet.
static NONE: Marker = marker();
/// The thread works on the shared slot: it is ending, or all slots are taken.
static SHARED: Marker = marker();
/// The thread is getting its slot; what it allocates meanwhile is the tracer's own doing.
static CLAIMING: Marker = marker();

/// What the thread-local points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No slot yet.
    None,
    /// The shared slot.
    Shared,
    /// No slot, and what it does is not counted.
    Claiming,
    /// A slot of its own.
    Slot,
}

/// What [`get`] returns now.
pub fn state() -> State {
    let at = get().addr();
    if at == address_of(&NONE) {
        State::None
    } else if at == address_of(&SHARED) {
        State::Shared
    } else if at == address_of(&CLAIMING) {
        State::Claiming
    } else {
        State::Slot
    }
}

/// Makes the thread one that has no slot.
pub fn set_state(state: State) {
    let marker = match state {
        State::None | State::Slot => &NONE,
        State::Shared => &SHARED,
        State::Claiming => &CLAIMING,
    };
    set(core::ptr::from_ref(marker).cast());
}

/// Makes the thread one that works on the shared slot, in one instruction; returns what
/// [`get`] would have returned before.
pub fn swap_for_shared() -> *const Slot {
    let mut distance = address_of(&SHARED).wrapping_sub(address_of(&NONE));
    // SAFETY: exchanges eight bytes of this thread's static thread-local storage.
    unsafe {
        asm!(
            "mov {offset}, qword ptr [rip + memtop_probe_slot@GOTTPOFF]",
            "xchg qword ptr fs:[{offset}], {value}",
            offset = out(reg) _,
            value = inout(reg) distance,
            options(nostack, preserves_flags),
        );
    }
    with_exposed_provenance(opaque_address(&NONE).wrapping_add(distance))
}

/// Whether a thread of which [`get`] returned this has no slot.
pub fn is_none(slot: *const Slot) -> bool {
    slot.addr() == address_of(&NONE)
}

fn address_of(marker: &'static Marker) -> usize {
    opaque_address(marker)
}

/// The gate of what [`get`] returned.
///
/// # Safety
/// `slot` comes from [`get`].
#[inline(always)]
pub unsafe fn gate(slot: *const Slot) -> &'static AtomicU64 {
    // SAFETY: slots and markers begin with their gate and live for ever.
    unsafe { &*slot.cast::<AtomicU64>() }
}

global_asm!(
    ".section .tbss,\"awT\",@nobits",
    ".balign 8",
    ".hidden memtop_probe_slot",
    ".globl memtop_probe_slot",
    ".type memtop_probe_slot,@object",
    ".size memtop_probe_slot,8",
    "memtop_probe_slot:",
    ".zero 8",
    ".text",
);

/// The thread's slot, or a [`Marker`] in its place. What is kept is the distance from the
/// marker [`NONE`], so that the zero of a new thread means it.
#[inline(always)]
pub fn get() -> *const Slot {
    let distance: usize;
    // SAFETY: reads eight bytes of this thread's static thread-local storage.
    unsafe {
        asm!(
            "mov {value}, qword ptr [rip + memtop_probe_slot@GOTTPOFF]",
            "mov {value}, qword ptr fs:[{value}]",
            value = out(reg) distance,
            options(nostack, preserves_flags, readonly),
        );
    }
    with_exposed_provenance(opaque_address(&NONE).wrapping_add(distance))
}

/// Sets what [`get`] returns on this thread.
#[inline(always)]
pub fn set(value: *const Slot) {
    let distance = value.expose_provenance().wrapping_sub(address_of(&NONE));
    // SAFETY: writes eight bytes of this thread's static thread-local storage.
    unsafe {
        asm!(
            "mov {offset}, qword ptr [rip + memtop_probe_slot@GOTTPOFF]",
            "mov qword ptr fs:[{offset}], {value}",
            offset = out(reg) _,
            value = in(reg) distance,
            options(nostack, preserves_flags),
        );
    }
}

/// Kernel id of the calling thread as glibc keeps it in the thread's control block, without a
/// system call. Only meaningful after [`thread_id_is_known`] said so.
pub fn thread_id() -> u32 {
    let tid: u32;
    // SAFETY: glibc's `struct pthread` is far longer than 0x2d4 bytes and fs points at it.
    unsafe {
        asm!("mov {0:e}, dword ptr fs:[0x2d0]", out(reg) tid, options(nostack, preserves_flags, readonly));
    }
    tid
}

/// Whether this libc keeps the thread id where [`thread_id`] looks for it.
pub fn thread_id_is_known() -> bool {
    // SAFETY: gettid has no preconditions.
    thread_id() == unsafe { libc::syscall(libc::SYS_gettid) } as u32
}
