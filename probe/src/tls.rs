//! The one thread-local: a pointer to the thread's [`Slot`].
//!
//! It is an initial-exec thread-local of eight bytes, reached by two instructions. Rust's
//! `thread_local!` in a shared library goes through `__tls_get_addr`, which costs 2.5 ns and
//! may itself allocate, that is, call the hook again. This is the file to write for another
//! architecture.

use core::arch::{asm, global_asm};

use crate::session::layout::Slot;

/// No slot yet.
pub const NONE: usize = 0;
/// The thread works on the shared slot: it is ending, or all slots are taken.
pub const SHARED: usize = 1;
/// The thread is getting its slot; what it allocates meanwhile is the tracer's own doing.
pub const CLAIMING: usize = 2;

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

/// The thread's slot, or one of [`NONE`], [`SHARED`], [`CLAIMING`] as an address.
#[inline(always)]
pub fn get() -> *const Slot {
    let value: *const Slot;
    // SAFETY: reads eight bytes of this thread's static thread-local storage.
    unsafe {
        asm!(
            "mov {value}, qword ptr [rip + memtop_probe_slot@GOTTPOFF]",
            "mov {value}, qword ptr fs:[{value}]",
            value = out(reg) value,
            options(nostack, preserves_flags, readonly),
        );
    }
    value
}

/// Sets what [`get`] returns on this thread.
#[inline(always)]
pub fn set(value: *const Slot) {
    // SAFETY: writes eight bytes of this thread's static thread-local storage.
    unsafe {
        asm!(
            "mov {offset}, qword ptr [rip + memtop_probe_slot@GOTTPOFF]",
            "mov qword ptr fs:[{offset}], {value}",
            offset = out(reg) _,
            value = in(reg) value,
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
