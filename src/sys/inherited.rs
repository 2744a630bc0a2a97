//! What memtop was started with, before Rust's runtime changed some of it.
//!
//! The runtime ignores `SIGPIPE` and opens `/dev/null` in place of closed standard
//! descriptors; memtop itself ignores and blocks signals. A program that memtop starts must
//! see none of that. So a constructor notes the state before `main`, and `restore` puts it
//! back in the child, between fork and exec.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Bit `signal - 1`: ignored at the start.
static IGNORED: AtomicU64 = AtomicU64::new(0);
/// Bit `signal - 1`: blocked at the start.
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// Bit `number`: standard descriptor that was closed at the start.
static CLOSED: AtomicU8 = AtomicU8::new(0);

const SIGNALS: std::ops::RangeInclusive<i32> = 1..=64;

// SAFETY: the loader calls each function of this section once before main, with arguments
// that an `extern "C" fn()` may leave unread.
#[used]
#[unsafe(link_section = ".init_array")]
static CAPTURE: extern "C" fn() = capture;

extern "C" fn capture() {
    for signal in SIGNALS {
        let ignored = set_action(signal, None) == libc::SIG_IGN;
        IGNORED.fetch_or(u64::from(ignored) << (signal - 1), Relaxed);
    }
    BLOCKED.store(set_mask(None), Relaxed);
    for number in 0..3 {
        // SAFETY: fcntl with integer arguments touches no memory.
        let closed = unsafe { libc::fcntl(number, libc::F_GETFD) } < 0;
        CLOSED.fetch_or(u8::from(closed) << number, Relaxed);
    }
}

/// The kernel's `struct sigaction`, which is not the C library's.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Sets what becomes of a signal, default or ignored, and returns what did before. The system
/// call, because the C library keeps two signals to itself, which a program may have ignored.
fn set_action(signal: i32, handler: Option<usize>) -> usize {
    let action = |handler| Action { handler, flags: 0, restorer: 0, mask: 0 };
    let mut before = action(libc::SIG_DFL);
    let new = handler.map(action);
    let new = new.as_ref().map_or(std::ptr::null(), |new| new as *const Action);
    // SAFETY: both pointers are null or point to an action as the kernel lays it out, with the
    // 8 bytes of mask that the last argument promises. Default and ignored run no code of ours.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, &mut before as *mut Action, 8) };
    before.handler
}

/// Sets the calling thread's signal mask and returns the one before. The system call and not
/// the C library's function, which hides two signals.
fn set_mask(mask: Option<u64>) -> u64 {
    let mut before = 0_u64;
    let new = mask.as_ref().map_or(std::ptr::null(), |mask| mask as *const u64);
    // SAFETY: both pointers are null or point to the 8 bytes that the last argument promises.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, new, &mut before as *mut u64, 8)
    };
    before
}

/// Blocks every signal for the calling thread until dropped.
#[derive(Debug)]
pub(super) struct AllBlocked(u64);

impl AllBlocked {
    pub(super) fn new() -> Self {
        Self(set_mask(Some(u64::MAX)))
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        set_mask(Some(self.0));
    }
}

/// True if the standard descriptor was closed when memtop started.
pub fn was_closed(number: i32) -> bool {
    (0..3).contains(&number) && CLOSED.load(Relaxed) >> number & 1 != 0
}

/// Puts dispositions and mask back as they were. Only in a child between fork and exec, with
/// all signals blocked: a signal that came meanwhile is then delivered by the restored rules.
/// Async-signal-safe.
pub(super) fn restore() {
    let ignored = IGNORED.load(Relaxed);
    for signal in SIGNALS {
        let action = match ignored >> (signal - 1) & 1 {
            0 => libc::SIG_DFL,
            _ => libc::SIG_IGN,
        };
        // KILL and STOP are refused, which changes nothing.
        set_action(signal, Some(action));
    }
    set_mask(Some(BLOCKED.load(Relaxed)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constructor_ran_before_the_runtime() {
        // The runtime ignores SIGPIPE; the test runner's parent usually does not. Either
        // way, what was noted must be what /proc says of the parent's child at its start:
        // all that can be checked here is that nothing absurd was noted.
        assert_eq!(IGNORED.load(Relaxed) >> (libc::SIGKILL - 1) & 1, 0);
        assert!(!was_closed(7));
    }

    #[test]
    fn blocking_everything_is_undone() {
        let before = set_mask(None);
        drop(AllBlocked::new());
        assert_eq!(set_mask(None), before);
    }
}
