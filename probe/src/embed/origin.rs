//! How a program with the embedded allocator comes by its session: it makes the memory itself.
//!
//! All of this runs inside the program's first allocation, so it speaks to the system only.

use core::ffi::CStr;

use super::step_aside;
use crate::{
    lineage,
    process::Origin,
    session::{
        layout::{FRAMES, PAGE, entry},
        memory::{LEAST_SIZE, Memory, MemoryError, Settings, TREE_SIZE},
    },
    sys,
};

/// Tracer memory that may be used.
const LIMIT: u64 = 4 << 30;
const TICK_NS: u64 = 100_000_000;
/// The session's descriptor moves up here, so that the program gets the low numbers it would
/// have got without us.
const DESCRIPTOR: i32 = 1000;

/// Tracing waits for a start.
pub(super) static PAUSED: Origin = origin(false, make_memory);
/// Tracing is on from the first operation.
pub(super) static TRACED: Origin = origin(true, make_memory);
/// As [`PAUSED`], and no stacks are captured.
pub(super) static PAUSED_WITHOUT_STACKS: Origin = origin(false, make_memory_without_stacks);
/// As [`TRACED`], and no stacks are captured.
pub(super) static TRACED_WITHOUT_STACKS: Origin = origin(true, make_memory_without_stacks);

const fn origin(traced: bool, memory: fn() -> Option<Memory>) -> Origin {
    Origin {
        is_ready: || true,
        memory,
        entry: entry::EMBEDDED,
        describe: lineage::describe,
        traced,
    }
}

fn make_memory() -> Option<Memory> {
    make_memory_for(FRAMES)
}

fn make_memory_without_stacks() -> Option<Memory> {
    make_memory_for(0)
}

fn make_memory_for(frames: u32) -> Option<Memory> {
    let made = if is_preloaded() { None } else { sparse_memory(frames) };
    if made.is_none() {
        step_aside();
    }
    made
}

/// The preload library exports this name for just this question.
fn is_preloaded() -> bool {
    // SAFETY: the name is a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"memtop_preload_version".as_ptr()) };
    !found.is_null()
}

/// As large as the system grants, from [`TREE_SIZE`] down.
fn sparse_memory(frames: u32) -> Option<Memory> {
    let settings = |size| Settings {
        size,
        nonce: nonce(),
        now_ns: sys::monotonic_ns(),
        tick_ns: TICK_NS,
        limit: LIMIT,
        frames,
    };
    let mut size = TREE_SIZE.min(file_size_limit()) / PAGE * PAGE;
    while size >= LEAST_SIZE {
        match Memory::create(&settings(size)) {
            Ok((memory, descriptor)) => {
                raise_descriptor(descriptor);
                return Some(memory);
            }
            Err(MemoryError::Processor) => {
                complain(c"memtop: this processor lacks cmpxchg16b; this program is not traced\n");
                return None;
            }
            Err(_) => size = size / 2 / PAGE * PAGE,
        }
    }
    complain(c"memtop: the system gives no memory for a session; this program is not traced\n");
    None
}

/// Growing a file beyond this limit would end the program with SIGXFSZ.
fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a place for the answer.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } {
        0 => limit.rlim_cur,
        _ => u64::MAX,
    }
}

fn raise_descriptor(descriptor: i32) {
    // SAFETY: the descriptor is ours, and nobody else knows it yet.
    unsafe {
        if libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, DESCRIPTOR) >= 0 {
            libc::close(descriptor);
        }
    }
}

fn nonce() -> u64 {
    let mut nonce = 0u64;
    let place = (&raw mut nonce).cast();
    // SAFETY: `place` has room for eight bytes.
    let got = unsafe { libc::getrandom(place, size_of::<u64>(), libc::GRND_NONBLOCK) };
    if got == size_of::<u64>() as isize {
        return nonce;
    }
    // SAFETY: getpid has no preconditions.
    sys::monotonic_ns() ^ (unsafe { libc::getpid() } as u64) << 48
}

fn complain(text: &CStr) {
    // SAFETY: the text is readable for its length.
    unsafe { libc::write(2, text.as_ptr().cast(), text.count_bytes()) };
}
