//! The few things the hooks need of the system, none of which allocates or takes a lock.

use core::ptr::null_mut;

/// Puts `errno` back when dropped: a hook must leave it as the allocator set it.
pub struct KeepErrno(i32);

impl KeepErrno {
    /// Remembers `errno`.
    pub fn new() -> KeepErrno {
        // SAFETY: errno's location is valid for the calling thread.
        KeepErrno(unsafe { *libc::__errno_location() })
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// `CLOCK_MONOTONIC`, nanoseconds.
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The processor's cycle counter, which runs at a steady rate.
pub fn cycles() -> u64 {
    // SAFETY: every x86-64 processor has the counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Sleeps until [`wake`] is called for the word, unless it holds something else than
/// `expected`, for at most so long. False when the system will not do that.
pub fn sleep_on(word: *const u32, expected: u32, at_most_ns: u64) -> bool {
    let time = libc::timespec {
        tv_sec: (at_most_ns / 1_000_000_000) as i64,
        tv_nsec: (at_most_ns % 1_000_000_000) as i64,
    };
    // SAFETY: the kernel checks the address of the word; `time` is valid for the call.
    let done = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, expected, &time) };
    // SAFETY: errno's location is valid for the calling thread.
    let error = unsafe { *libc::__errno_location() };
    done == 0 || matches!(error, libc::EAGAIN | libc::EINTR | libc::ETIMEDOUT)
}

/// Wakes everyone, in whatever process, who sleeps on the word.
pub fn wake(word: *const u32) {
    // SAFETY: the kernel checks the address of the word.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
}

/// Fresh private zero-filled memory, kept out of core dumps; `None` when there is none.
pub fn map_private(bytes: usize) -> Option<*mut u8> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing of ours.
    let base = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the range was just mapped.
    unsafe { libc::madvise(base, bytes, libc::MADV_DONTDUMP) };
    Some(base.cast())
}

/// Gives memory of [`map_private`] back.
///
/// # Safety
/// The range was mapped by `map_private` and nothing refers to it.
pub unsafe fn unmap(base: *mut u8, bytes: usize) {
    // SAFETY: upheld by the caller.
    unsafe { libc::munmap(base.cast(), bytes) };
}
