//! `prctl` and `syscall`, by which programs lock themselves in and give up the processor's counter:
//! what is noticed here is heeded in [`sys`]. Everything is passed on as it came.

use core::{
    arch::naked_asm,
    ffi::{c_int, c_long, c_void},
    sync::atomic::{AtomicPtr, Ordering::Release},
};

use crate::sys;

static PRCTL: AtomicPtr<c_void> = AtomicPtr::new(first_prctl as *mut c_void);
static SYSCALL: AtomicPtr<c_void> = AtomicPtr::new(first_syscall as *mut c_void);

/// Looks the next ones up.
pub extern "C" fn prepare() {
    for (next, name) in [(&PRCTL, c"prctl"), (&SYSCALL, c"syscall")] {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        if !found.is_null() {
            next.store(found, Release);
        }
    }
}

/// Jumps on, after a call that leaves all arguments as they are.
macro_rules! after {
    ($call:ident, $next:ident) => {
        naked_asm!(
            ".cfi_startproc",
            "push rax",
            "push rdi",
            "push rsi",
            "push rdx",
            "push rcx",
            "push r8",
            "push r9",
            ".cfi_adjust_cfa_offset 56",
            "call {call}",
            "pop r9",
            "pop r8",
            "pop rcx",
            "pop rdx",
            "pop rsi",
            "pop rdi",
            "pop rax",
            ".cfi_adjust_cfa_offset -56",
            "jmp [rip + {next}]",
            ".cfi_endproc",
            call = sym $call,
            next = sym $next,
        )
    };
}

#[unsafe(naked)]
unsafe extern "C" fn first_prctl() {
    after!(prepare, PRCTL)
}

#[unsafe(naked)]
unsafe extern "C" fn first_syscall() {
    after!(prepare, SYSCALL)
}

#[unsafe(naked)]
unsafe extern "C" fn noted_prctl() {
    after!(note_prctl, PRCTL)
}

#[unsafe(naked)]
unsafe extern "C" fn noted_syscall() {
    after!(note_syscall, SYSCALL)
}

extern "C" fn note_prctl(option: c_int, mode: c_long) {
    match option {
        libc::PR_SET_SECCOMP => sys::lock_in(mode == c_long::from(libc::SECCOMP_MODE_STRICT)),
        libc::PR_SET_TSC => sys::set_timeless(mode == c_long::from(libc::PR_TSC_SIGSEGV)),
        _ => {}
    }
}

extern "C" fn note_syscall(number: c_long, first: c_long, second: c_long) {
    /// Operations of `seccomp`; the others only ask.
    const LOCKING: [c_long; 2] = [STRICT, 1];
    const STRICT: c_long = 0;
    match number {
        libc::SYS_prctl => note_prctl(first as c_int, second),
        libc::SYS_seccomp if LOCKING.contains(&first) => sys::lock_in(first == STRICT),
        _ => {}
    }
}

/// # Safety
/// As Linux' `prctl`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn prctl() {
    naked_asm!(
        "cmp edi, {seccomp}",
        "je {noted}",
        "cmp edi, {counter}",
        "je {noted}",
        "jmp [rip + {next}]",
        seccomp = const libc::PR_SET_SECCOMP,
        counter = const libc::PR_SET_TSC,
        noted = sym noted_prctl,
        next = sym PRCTL,
    )
}

/// # Safety
/// As glibc's `syscall`.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall() {
    naked_asm!(
        "cmp rdi, {seccomp}",
        "je {noted}",
        "cmp rdi, {prctl}",
        "je {noted}",
        "jmp [rip + {next}]",
        seccomp = const libc::SYS_seccomp,
        prctl = const libc::SYS_prctl,
        noted = sym noted_syscall,
        next = sym SYSCALL,
    )
}
