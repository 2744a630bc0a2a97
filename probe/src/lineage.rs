//! What a process has from the one that it was forked from, and what it tells of itself.
//!
//! A forked child claims its session at its first call. By then its parent may have ended, and
//! what its session was may belong to others: so what matters is kept in the process's own
//! memory, of which the child has a copy, and of the rest it is asked afterwards whether it was
//! still the parent's.

use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

use crate::{
    ledger, process,
    session::{
        layout::{COMMAND, Session},
        memory::Memory,
    },
    shadow::MAX_ID,
    sys,
};

/// What a forked child wants to know of its parent, whose session may be gone by then.
struct Lineage {
    pid: AtomicU32,
    /// First id that no block has.
    next_id: AtomicU32,
    /// First id of the current window.
    window: AtomicU32,
    /// [`Session::mark`].
    mark: AtomicU32,
}

#[unsafe(link_section = ".data")]
static LINEAGE: Lineage = Lineage {
    pid: AtomicU32::new(0),
    next_id: AtomicU32::new(1),
    window: AtomicU32::new(1),
    mark: AtomicU32::new(0),
};

/// What `session` is, which this process has from now on.
pub fn note_session(session: &Session) {
    LINEAGE.pid.store(session.pid.load(Relaxed), Relaxed);
    LINEAGE.mark.store(session.mark.load(Relaxed), Relaxed);
    let first_id = session.first_id.load(Relaxed);
    note_id(first_id);
    note_window(first_id);
}

/// Process id of the last session of this process or of those it comes from.
pub fn pid() -> u32 {
    LINEAGE.pid.load(Relaxed)
}

/// First id of its window.
pub fn window() -> u32 {
    LINEAGE.window.load(Relaxed)
}

/// First id that no block has.
pub fn next_id() -> u32 {
    LINEAGE.next_id.load(Relaxed).min(MAX_ID)
}

/// An id was given out, and no block has it yet.
pub fn note_id(id: u32) {
    LINEAGE.next_id.fetch_max(id.saturating_add(1), Relaxed);
}

/// A window begins with an id.
pub fn note_window(first_id: u32) {
    // Of two clears at once the later may be noted first.
    LINEAGE.window.fetch_max(first_id, Relaxed);
}

/// Live blocks and bytes at the fork that is under way, noted by the parent just before it.
struct AtFork {
    under_way: AtomicU32,
    blocks: AtomicU64,
    bytes: AtomicU64,
}

#[unsafe(link_section = ".data")]
static AT_FORK: AtFork =
    AtFork { under_way: AtomicU32::new(0), blocks: AtomicU64::new(0), bytes: AtomicU64::new(0) };

pub unsafe extern "C" fn before_fork() {
    if process::header().is_null() {
        return;
    }
    let (blocks, bytes) = ledger::live(&process::memory(), process::session());
    AT_FORK.blocks.store(blocks, Relaxed);
    AT_FORK.bytes.store(bytes, Relaxed);
    AT_FORK.under_way.store(1, Relaxed);
}

pub unsafe extern "C" fn after_fork() {
    AT_FORK.under_way.store(0, Relaxed);
}

/// Writes into a session what it has from its parent's. Where that is gone, it is not known what
/// the parent held when it made a child in a way that is not seen.
pub fn describe_child(session: &Session, parent: &Session, memory: &Memory) {
    let was_seen = AT_FORK.under_way.swap(0, Relaxed) != 0;
    let (blocks, bytes) = match was_seen {
        true => (AT_FORK.blocks.load(Relaxed), AT_FORK.bytes.load(Relaxed)),
        false => ledger::live(&Some(*memory), parent),
    };
    for (to, from) in session.command.iter().zip(&parent.command) {
        to.store(from.load(Relaxed), Relaxed);
    }
    let length = parent.command_length.load(Relaxed);
    // Its memory goes to others only after the table says so.
    fence(Acquire);
    let is_there = memory.is_entered(LINEAGE.mark.load(Relaxed));
    match is_there {
        true => session.command_length.store(length, Release),
        false if sys::may_ask() => describe(session),
        // A question could be the end of the process.
        false => {}
    }
    if is_there || was_seen {
        session.inherited_blocks.store(blocks, Relaxed);
        session.inherited_bytes.store(bytes, Relaxed);
    }
}

/// Writes NUL-separated arguments into a session.
pub fn write_command(session: &Session, text: &[u8]) {
    let text = &text[..text.len().min(COMMAND)];
    for (to, from) in session.command.iter().zip(text) {
        to.store(*from, Relaxed);
    }
    session.command_length.store(text.len() as u32, Release);
}

/// Writes the program's arguments into its session.
pub fn describe(session: &Session) {
    let mut text = [0u8; COMMAND];
    // SAFETY: the path is a C string.
    let file =
        unsafe { libc::open(c"/proc/self/cmdline".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file < 0 {
        return;
    }
    let mut length = 0;
    while length < COMMAND {
        let room = &mut text[length..];
        // SAFETY: `room` is writable for its length.
        let got = unsafe { libc::read(file, room.as_mut_ptr().cast(), room.len()) };
        if got <= 0 {
            break;
        }
        length += got as usize;
    }
    // SAFETY: opened above.
    unsafe { libc::close(file) };
    write_command(session, &text[..length]);
}
