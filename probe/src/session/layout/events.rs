//! Events in session memory: the ring in which they are shown, and the journal in which they are
//! recorded.

use crate::sync::{AtomicU32, AtomicU64};

/// Events a thread's ring holds; a power of two.
pub const RING: usize = 512;
/// Entries a [`Journal`] holds; a power of two.
pub const JOURNAL: usize = 8192;

/// A thread's events as they are shown: one producer (the owner), one consumer (the viewer
/// that holds the feed).
///
/// Positions only rise; an event is at `position % N`. The producer alone writes `head`
/// (`Release`, after the event), the consumer alone writes `tail` (`Release`, after reading).
/// A full ring drops and counts: the program never waits.
#[repr(C, align(64))]
pub struct Ring<const N: usize = RING> {
    /// Next position to write.
    pub head: AtomicU64,
    /// Events that found the ring full, or came from a nested call.
    pub dropped: AtomicU64,
    /// Distance from the slot to its [`Journal`], bytes; 0 = none yet.
    pub journal: AtomicU64,
    _producer: [u64; 5],
    /// Next position to read.
    pub tail: AtomicU64,
    _consumer: [u64; 7],
    /// The events; N is a power of two.
    pub events: [Event; N],
}

/// A slot's events as they are recorded, none of which is to be lost; made with the first of
/// them. `journal` has the protocol.
#[repr(C, align(64))]
pub struct Journal {
    /// Next position to write.
    pub head: AtomicU64,
    /// One more than the `tail` at which a writer gave up waiting; 0 = none did.
    pub given_up: AtomicU64,
    /// The last [`kind::NOTE`] that was written; 0 = none.
    pub said: AtomicU64,
    /// Position behind the last [`kind::STAMP`].
    pub stamped: AtomicU64,
    _producer: [u64; 4],
    /// Next position to read. Its low half is the futex that writers wait on.
    pub tail: AtomicU64,
    /// The last [`kind::NOTE`] before `tail`, 0 = none; the reader's own.
    pub heard: AtomicU64,
    /// The last [`kind::SIZE`] before `tail`; the reader's own.
    pub heard_size: AtomicU64,
    /// The last [`kind::STAMP`] before `tail`; the reader's own.
    pub heard_stamp: AtomicU64,
    /// 1 when a writer waits.
    pub waited_for: AtomicU32,
    _consumer: [u32; 7],
    /// The entries.
    pub entries: [Entry; JOURNAL],
}

/// An event in a journal, or what those behind it have in common. Half of an [`Event`], so that
/// twice as many wait in the same memory, and the reader is called half as often.
#[derive(Default)]
#[repr(C, align(16))]
pub struct Entry {
    /// `kind << 56 | address`.
    pub what: AtomicU64,
    /// The block's [word](crate::shadow::word_of).
    pub word: AtomicU64,
}

impl<const N: usize> Default for Ring<N> {
    /// One without events.
    fn default() -> Self {
        Self {
            head: AtomicU64::default(),
            dropped: AtomicU64::default(),
            journal: AtomicU64::default(),
            _producer: [0; 5],
            tail: AtomicU64::default(),
            _consumer: [0; 7],
            events: [(); N].map(|()| Event::default()),
        }
    }
}

/// One allocation or free.
#[derive(Default)]
#[repr(C, align(32))]
pub struct Event {
    /// `kind << 56 | address`.
    pub what: AtomicU64,
    /// Requested bytes; usable bytes when untracked.
    pub size: AtomicU64,
    /// `birth tick << 32 | tick`; the birth is that of the block, on a free.
    pub ticks: AtomicU64,
    /// Id of the block's shadow word; 0 = untracked.
    pub id: AtomicU64,
}

/// Kinds of [`Event::what`] and [`Entry::what`].
pub mod kind {
    /// A new block.
    pub const ALLOCATE: u64 = 1;
    /// A block freed.
    pub const RELEASE: u64 = 2;
    /// The new block of a realloc; the release of the old one stands before it.
    pub const REALLOCATE: u64 = 3;
    /// A block freed whose allocation was not seen.
    pub const RELEASE_UNTRACKED: u64 = 4;
    /// In a journal: what follows is of this thread and tick; `word` is `tid << 32 | tick`. The
    /// thread is 0 where many write.
    pub const NOTE: u64 = 5;
    /// In a journal: `word` is the size of the block of the next event, whose own word has no
    /// room for it.
    pub const SIZE: u64 = 6;
    /// In a journal: `word` was drawn of the [stamps](crate::session::layout::Header::stamps)
    /// before what follows was written, and, where one alone writes, after what stands before.
    pub const STAMP: u64 = 7;
}
