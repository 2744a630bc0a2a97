//! The few things the hooks need of the system, none of which allocates or takes a lock.
//!
//! A program may lock itself in, with a list of system calls that it may still make; any other
//! is its death. What its own allocator needs, to map memory, is on the list or it could not go
//! on; nothing else is asked for from then on, and what that would have told is left unknown.

use core::{
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

/// How much the program has locked itself in.
#[unsafe(link_section = ".data")]
static LOCKED_IN: AtomicU32 = AtomicU32::new(0);
#[cfg(memtop_preload)]
const LISTED: u32 = 1;
const STRICT: u32 = 2;

/// The program is about to make whatever is not on its list its death; or, when `strict`, all
/// but reading, writing and ending.
#[cfg(memtop_preload)]
pub fn lock_in(strict: bool) {
    LOCKED_IN.fetch_max(if strict { STRICT } else { LISTED }, Relaxed);
    if strict {
        set_timeless(true);
    }
}

/// The processor's counter has been taken away; reading it is death, and so is asking the clock,
/// which reads it too.
#[unsafe(link_section = ".data")]
static TIMELESS: AtomicBool = AtomicBool::new(false);

/// The program is about to have its counter taken away, or given back.
#[cfg(memtop_preload)]
pub fn set_timeless(timeless: bool) {
    TIMELESS.store(timeless, Relaxed);
}

/// Whether system calls may be made that are not the allocator's own.
pub fn may_ask() -> bool {
    LOCKED_IN.load(Relaxed) == 0
}

fn may_map() -> bool {
    LOCKED_IN.load(Relaxed) != STRICT
}

/// Whether the processor has `cmpxchg16b`, by which two words change in one step. The very first
/// of x86-64 had not; there, it would be the program's death.
pub fn has_pairs() -> bool {
    core::arch::x86_64::__cpuid(1).ecx & 1 << 13 != 0
}

/// The number of this process in the world of who looks at it, which is where `/proc` comes
/// from; a program may be in one of its own, where others have its number.
pub fn outer_pid() -> Option<u32> {
    let mut room = [0u8; 16];
    // SAFETY: `room` is writable for its length, and the path is a C string.
    let length =
        unsafe { libc::readlink(c"/proc/self".as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    let digits = room.get(..usize::try_from(length).ok()?)?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The number of this process's parent in that world.
pub fn outer_parent() -> Option<u32> {
    let mut room = [0u8; 128];
    // SAFETY: `room` is writable for its length, the path is a C string, and the descriptor is ours.
    let length = unsafe {
        let file = libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let length = libc::read(file, room.as_mut_ptr().cast(), room.len());
        libc::close(file);
        length
    };
    parent_in(room.get(..usize::try_from(length).ok()?)?)
}

/// `PID (NAME) STATE PARENT …`, where anything may stand in the name.
fn parent_in(stat: &[u8]) -> Option<u32> {
    let name_ends = stat.iter().rposition(|&byte| byte == b')')?;
    let field = stat.get(name_ends + 1..)?.split(|&byte| byte == b' ').nth(2)?;
    str::from_utf8(field).ok()?.parse().ok()
}

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

/// `CLOCK_MONOTONIC`, nanoseconds; 0 where it may not be asked.
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    if TIMELESS.load(Relaxed) {
        return 0;
    }
    // SAFETY: `time` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The processor's cycle counter, which runs at a steady rate; 0 where it may not be read.
pub fn cycles() -> u64 {
    if TIMELESS.load(Relaxed) {
        return 0;
    }
    // SAFETY: every x86-64 processor has the counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Sleeps until [`wake`] is called for the word, unless it holds something else than
/// `expected`, for at most so long. False when the system will not do that.
pub fn sleep_on(word: *const u32, expected: u32, at_most_ns: u64) -> bool {
    if !may_ask() {
        return false;
    }
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
    if !may_ask() {
        return;
    }
    // SAFETY: the kernel checks the address of the word.
    unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
}

/// Fresh private zero-filled memory, kept out of core dumps; `None` when there is none.
pub fn map_private(bytes: usize) -> Option<*mut u8> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    if !may_map() {
        return None;
    }
    // SAFETY: a fresh mapping at an address of the kernel's choice touches nothing of ours.
    let base = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
    if base == libc::MAP_FAILED {
        return None;
    }
    if may_ask() {
        // SAFETY: the range was just mapped.
        unsafe { libc::madvise(base, bytes, libc::MADV_DONTDUMP) };
    }
    Some(base.cast())
}

/// Gives memory of [`map_private`] back.
///
/// # Safety
/// The range was mapped by `map_private` and nothing refers to it.
pub unsafe fn unmap(base: *mut u8, bytes: usize) {
    if may_map() {
        // SAFETY: upheld by the caller.
        unsafe { libc::munmap(base.cast(), bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_whatever_the_name_is() {
        assert_eq!(parent_in(b"7 (a) S 9) R 41 7 7 0 "), Some(41));
        assert_eq!(parent_in(b"7 (sh) S 0 7"), Some(0));
        for damaged in [&b"7 (sh"[..], b"7 (sh)", b"7 (sh) S", b"7 (sh) S x 1", b""] {
            assert_eq!(parent_in(damaged), None);
        }
        // SAFETY: getppid has no preconditions.
        assert_eq!(outer_parent(), Some(unsafe { libc::getppid() } as u32));
    }
}
