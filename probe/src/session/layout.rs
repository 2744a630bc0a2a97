//! What lies where in session memory. Every size and offset is asserted at compile time; a
//! change of any of them is a new [`VERSION`].
//!
//! All fields are atomics because two processes look at them, but almost all are written by
//! one thread with a plain load and store (`Relaxed`): on x86-64 those are ordinary moves.
//! Publication is by `Release`/`Acquire` on the offset that leads to a structure.

mod cleared;
mod events;
pub mod flag;
mod live;

use core::sync::atomic::{
    AtomicI64, AtomicU8, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed},
};

pub use cleared::{Cleared, ClearedCell, Unattributed};
pub use events::{Entry, Event, JOURNAL, Journal, RING, Ring, kind};
pub use live::{Live, LiveState};

use super::size_class;

/// First word of session memory.
pub const MAGIC: u64 = u64::from_le_bytes(*b"memtop\0S");
/// Version of this layout.
pub const VERSION: u32 = 12;
/// Pieces are handed out in multiples of this.
pub const PAGE: u64 = 4096;
/// How many sessions one memory can hold.
pub const SESSIONS: usize = 65_536;
/// Pieces are cut from regions of this size, each of which belongs to one session, so that what
/// an ended one had can be given to another.
pub const REGION: u64 = 128 * 1024;
/// How many regions one memory can hold.
pub const REGIONS: usize = 8192;
/// How many threads of a process can have a slot of their own; later ones share slot 0.
pub const SLOTS: usize = 1024;
/// How many stretches of tracing are remembered; later ones extend the last.
pub const INTERVALS: usize = 128;
/// How many stretches in which nobody kept the time are remembered; later ones replace the oldest.
pub const UNWATCHED: usize = 64;
/// How many processes that found no room are remembered; later ones replace the oldest.
pub const REFUSED: usize = 128;
/// Marks a fork among those.
pub const FORKED: u32 = 1 << 31;
/// Tick maxima are kept for this many ticks.
pub const TICK_PEAKS: usize = 64;
/// Entries of the two upper levels of a slot's table of stack cells.
pub const CELL_TABLE: usize = 512;
/// Cells of a leaf of that table: one page.
pub const CELLS: usize = 64;
/// So many slots have stack cells of their own; later ones share those of slot 0.
pub const OWN_CELLS: usize = 64;
/// Most frames of a stack that can be asked for.
pub const MAX_FRAMES: u32 = 512;
/// Frames of a stack that are kept unless something else is asked for.
pub const FRAMES: u32 = 128;
/// Bytes of a process's command line that are kept.
pub const COMMAND: usize = 1024;

/// The first pages.
///
/// `pulse` is the one word that every hook call loads and compares with the copy its thread
/// saw last: ticks (high 32 bits), clears (16 bits) and flags (16 bits). Anything memtop wants
/// of the program, the passing of time included, arrives by a change of this word.
#[repr(C, align(4096))]
pub struct Header {
    /// [`MAGIC`].
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: AtomicU32,
    /// Process that made the memory.
    pub creator: AtomicU32,
    /// Bytes of the whole memory.
    pub memory_size: AtomicU64,
    /// Random; names this memory, so that a stale path is never taken for it.
    pub nonce: AtomicU64,
    /// `CLOCK_MONOTONIC` at creation, nanoseconds.
    pub created_ns: AtomicU64,
    /// Nanoseconds between two ticks.
    pub tick_ns: AtomicU64,
    /// The next stamp of the journals; whoever draws one gets a number that nobody else does.
    pub stamps: AtomicU64,
    _identity: u64,
    /// Ticks, clears and flags; see above.
    pub pulse: AtomicU64,
    _pulse: [u64; 7],
    /// Bytes of the pieces that were handed out and not given back.
    pub shared_bytes: AtomicU64,
    /// Tracer memory (shared and private) that may be used, in bytes.
    pub limit: AtomicU64,
    /// Bytes of private tracer memory in all processes of the tree that live.
    pub private_bytes: AtomicU64,
    /// How many sessions were claimed; may exceed [`SESSIONS`].
    pub sessions: AtomicU32,
    /// How many stretches of tracing began; may exceed [`INTERVALS`].
    pub intervals_begun: AtomicU32,
    /// `CLOCK_MONOTONIC` at the last clear, nanoseconds; 0 = never.
    pub cleared_ns: AtomicU64,
    /// Frames of a stack to keep; 0 = no stacks. Written once, by the creator.
    pub frames: AtomicU32,
    /// 1 while the reader of the journals sleeps until one holds enough; a futex.
    pub journal_reader_sleeps: AtomicU32,
    /// When the reader of the journals was last at work, `CLOCK_MONOTONIC` nanoseconds; 0 =
    /// there is none.
    pub journal_reader_ns: AtomicU64,
    /// How many stretches began in which nobody kept the time; may exceed [`UNWATCHED`].
    pub unwatched_begun: AtomicU32,
    /// Where to look for a free region first.
    pub next_region: AtomicU32,
    /// Stretches of tracing.
    pub intervals: [Interval; INTERVALS],
    /// Stretches in which nobody kept the time, `first tick << 32 | first tick that was kept
    /// again`, each at its number `% UNWATCHED`. What bears the first tick may have happened in
    /// any of them; the others never were.
    pub unwatched: [AtomicU64; UNWATCHED],
    /// How often regions became free again.
    pub freed: AtomicU32,
    /// `freed` + 1 when no region was found to be free; 0 = never.
    pub full_at: AtomicU32,
    /// How many process images found no room for a session.
    pub refused: AtomicU32,
    /// Each of them at its number `% REFUSED`: `number + 1 << 32 | process id`, with [`FORKED`] for
    /// forks. Another number stands there while it is being written.
    pub refused_processes: [AtomicU64; REFUSED],
    /// When that was, `CLOCK_MONOTONIC` nanoseconds, at the same place; written before.
    pub refused_ns: [AtomicU64; REFUSED],
}

/// One stretch of tracing, `CLOCK_MONOTONIC` nanoseconds; 0 = not yet.
#[repr(C)]
pub struct Interval {
    /// Start.
    pub from_ns: AtomicU64,
    /// End.
    pub to_ns: AtomicU64,
}

/// How the probe came into a process: [`Session::entry`].
pub mod entry {
    /// Preload library.
    pub const PRELOAD: u32 = 1;
    /// Embedded allocator.
    pub const EMBEDDED: u32 = 2;
    /// Fork of a traced process.
    pub const FORK: u32 = 3;
}

/// One process image.
#[repr(C, align(4096))]
pub struct Session {
    /// One of [`entry`]; written last (`Release`) when the session is claimed.
    pub entry: AtomicU32,
    /// Process id.
    pub pid: AtomicU32,
    /// Process id of the parent.
    pub parent: AtomicU32,
    /// Bytes of [`Session::command`] in use.
    pub command_length: AtomicU32,
    /// `CLOCK_MONOTONIC` at the claim, nanoseconds.
    pub started_ns: AtomicU64,
    /// Blocks of the parent that were live at the fork.
    pub inherited_blocks: AtomicU64,
    /// Their requested bytes.
    pub inherited_bytes: AtomicU64,
    /// Bytes of private tracer memory (shadow words).
    pub private_bytes: AtomicU64,
    /// `clears << 32 | first id`: words with a lower id are not this window's.
    pub id_base: AtomicU64,
    /// First id of the session: the stack records count from here.
    pub first_id: AtomicU32,
    /// Id that the next new stack, or the next window, gets.
    pub next_id: AtomicU32,

    /// Live bytes as far as threads have flushed them, and the mark of their peak.
    pub live: Live,
    /// Live blocks, likewise.
    pub live_blocks: AtomicI64,
    /// Slots that a running thread owns.
    pub threads: AtomicU32,
    /// Most threads at once.
    pub max_threads: AtomicU32,
    /// Slots handed out; slot 0 is the shared one.
    pub slots_used: AtomicU32,
    /// Changes whenever a thread gets or leaves a slot.
    pub membership: AtomicU32,
    /// Offset of the [`StackTable`](super::stacks::StackTable); 0 = no stacks are captured.
    pub stack_table: AtomicU64,
    /// The processor's cycle counter at `started_ns`.
    pub started_counter: AtomicU64,
    /// Offset behind the last piece that was cut from the session's newest region; 0 = none.
    pub next_piece: AtomicU64,

    /// Highest live bytes seen at a flush.
    pub peak_bytes: AtomicI64,
    /// Live blocks then.
    pub peak_blocks: AtomicI64,
    /// Tick then.
    pub peak_tick: AtomicU64,
    /// Highest live blocks seen at a flush.
    pub max_blocks: AtomicI64,
    /// Bytes of its pieces.
    pub shared_bytes: AtomicU64,
    /// What its regions are marked with: its place in the session table, plus one.
    pub mark: AtomicU32,
    _peak: [u32; 5],

    /// Highest live bytes of a tick: `(tick & 0xFFFF) << 48 | bytes`, at `tick % TICK_PEAKS`.
    pub tick_peaks: [AtomicU64; TICK_PEAKS],
    /// Arguments, NUL separated.
    pub command: [AtomicU8; COMMAND],
    /// Offsets of the slots in session memory.
    pub slots: [AtomicU64; SLOTS],
}

/// One counter cell: what was allocated and freed of one kind by one slot.
///
/// The *lazy epoch copy* keeps what was live at the peak without ever copying a table: before
/// its first change after the peak was left (`epoch` differs from the session's) a cell notes
/// what it held. At the peak, then, a cell held `peak_*` if `epoch` is the session's, else
/// what it holds now.
#[repr(C, align(64))]
pub struct Cell {
    /// Blocks allocated.
    pub allocations: AtomicU64,
    /// Their requested bytes.
    pub allocated_bytes: AtomicU64,
    /// Blocks freed.
    pub frees: AtomicU64,
    /// Their requested bytes.
    pub freed_bytes: AtomicU64,
    /// Session epoch of the last copy.
    pub epoch: AtomicU64,
    /// Allocated − freed blocks at the copy.
    pub peak_blocks: AtomicI64,
    /// Allocated − freed bytes at the copy.
    pub peak_bytes: AtomicI64,
    /// Temporary blocks; counted in the cells of stacks only.
    pub temporary: AtomicU64,
}

/// One thread's part of the ledger, and its event ring.
#[repr(C, align(4096))]
pub struct Slot {
    /// The pulse as the owner saw it last, while the owner is outside the hooks; inside, a
    /// value that no pulse has. The hook's usual path asks one question, whether this equals
    /// the pulse, and takes it for: there is a session, the thread has a slot, it is not inside
    /// a hook already, no tick has passed and nothing is asked of it.
    pub gate: AtomicU64,
    /// `id << 40 | birth tick << 20`: the shadow word of a new block but for its size.
    pub stamp: AtomicU64,
    /// `id << 40` of the current window: no word of the window is below it.
    pub floor: AtomicU64,
    /// Session epoch as the owner saw it last.
    pub epoch: AtomicU64,
    /// Block that the owner allocated last, for *temporary*.
    pub last_block: AtomicU64,
    /// Change of live bytes since the last flush.
    pub pending_bytes: AtomicI64,
    /// Change of live blocks since the last flush.
    pub pending_blocks: AtomicI64,
    /// Highest `pending_bytes` since the last flush.
    pub high_bytes: AtomicI64,

    /// Highest `pending_blocks` since the last flush.
    pub high_blocks: AtomicI64,
    /// Flush when `pending_bytes` exceeds this.
    pub threshold: AtomicI64,
    /// Flush when `pending_bytes` falls below this.
    pub sink: AtomicI64,
    /// Usable bytes allocated.
    pub usable_allocated: AtomicU64,
    /// Usable bytes of traced blocks freed.
    pub usable_freed: AtomicU64,
    /// 1 while its owner is alone and live is at its highest: its next free leaves the peak.
    pub at_peak: AtomicU32,
    /// 1 while no other thread has a slot.
    pub alone: AtomicU32,
    /// Temporary blocks.
    pub temporary: AtomicU64,
    /// The pulse as the owner saw it last.
    pub pulse: AtomicU64,

    /// `pending_bytes` above this is a new peak of the process, as far as this thread knows.
    pub peak_gap: AtomicI64,
    /// Session live bytes at the last flush.
    pub flushed_bytes: AtomicI64,
    /// Session live blocks at the last flush.
    pub flushed_blocks: AtomicI64,
    /// The peak as this thread alone saw it (one thread only).
    pub peak_bytes: AtomicI64,
    /// Live blocks then.
    pub peak_blocks: AtomicI64,
    /// Tick then.
    pub peak_tick: AtomicU64,
    /// Reallocs.
    pub reallocations: AtomicU64,
    /// Untracked frees.
    pub untracked_frees: AtomicU64,
    /// Their usable bytes.
    pub untracked_bytes: AtomicU64,
    /// Frees of inherited blocks.
    pub inherited_frees: AtomicU64,
    /// Their requested bytes.
    pub inherited_freed: AtomicU64,
    /// Thread id of the owner; 0 = free to be adopted.
    pub owner: AtomicU32,
    /// [`Session::membership`] at the last flush.
    pub membership: AtomicU32,
    /// Frees that were never seen.
    pub lost_records: AtomicU64,
    /// What former owners of this slot allocated: the sum over cells when the owner came.
    pub former: Figures,

    /// Address of what the owner knows of stacks, in its process's private memory; 0 = nothing.
    pub stacks: AtomicU64,
    /// One of [`capture`].
    pub capture: AtomicU32,
    /// [`Session::first_id`].
    pub first_id: AtomicU32,
    /// What the owner's calls were found to take.
    pub cost: Cost,
    /// What was allocated in this window without a known stack: by a signal handler inside a
    /// hook, or beyond a limit.
    pub loose: Cell,
    /// Cleared figures: what the counters stood at when the current window began.
    pub cleared: Cleared,
    /// Blocks that could not be noted, for want of memory.
    pub unattributed: Unattributed,
    /// How much what the owner's calls take differs.
    pub spread: Spread,
    /// One cell a size class.
    pub classes: [Cell; size_class::COUNT],
    /// Cells at the last clear; read only when the clear bits of `pulse` are not zero.
    pub cleared_classes: [ClearedCell; size_class::COUNT],
    /// The table of stack cells, by id − first id: bits 15.. here, 6..15 in a page of
    /// [`CELL_TABLE`] further entries, the rest in a page of [`CELLS`]. Entries are distances
    /// from this slot, bytes; 0 = none.
    pub cells: [AtomicU64; CELL_TABLE],
    /// The owner's events.
    pub ring: Ring,
}

/// What a slot does about stacks: [`Slot::capture`].
pub mod capture {
    /// None are captured.
    pub const OFF: u32 = 0;
    /// Cells of its own.
    pub const OWN: u32 = 1;
    /// The cells of slot 0, shared with others.
    pub const SHARED: u32 = 2;
    /// Cells of its own, from the owner's first allocation or free on.
    pub const LATER: u32 = 3;
}

/// What hook calls of a thread take: some are timed each tick, by the processor's counter.
#[repr(C)]
pub struct Cost {
    /// So many calls are still to be timed, or to come before those; 0 = none.
    pub due: AtomicU32,
    /// Calls timed that took long, as few should.
    pub long: AtomicU32,
    /// The others.
    pub samples: AtomicU64,
    /// Cycles those took.
    pub cycles: AtomicU64,
    /// Cycles that the long ones took.
    pub long_cycles: AtomicU64,
    /// The counter at the last tick that the thread saw.
    pub counter: AtomicU64,
    /// `CLOCK_MONOTONIC` then, nanoseconds.
    pub counter_ns: AtomicU64,
}

/// How much what calls take differs from one series of timed calls to the next. A series is what
/// is timed without a pause, so its calls are alike; series are not. Long calls are left out.
#[repr(C, align(64))]
pub struct Spread {
    /// Calls timed in the series under way.
    pub samples: AtomicU64,
    /// Cycles those took.
    pub cycles: AtomicU64,
    /// Series that are over.
    pub series: AtomicU64,
    /// Over those, the sum of (calls)².
    pub samples_squared: AtomicU64,
    /// The sum of calls × cycles.
    pub products: AtomicU64,
    /// The sum of (cycles)².
    pub cycles_squared: AtomicU64,
}

/// Sums over the cells of a slot.
#[repr(C)]
pub struct Figures {
    /// Blocks allocated.
    pub allocations: AtomicU64,
    /// Their bytes.
    pub allocated_bytes: AtomicU64,
    /// Blocks freed.
    pub frees: AtomicU64,
    /// Their bytes.
    pub freed_bytes: AtomicU64,
}

/// Offset of the session table.
pub const TABLE: u64 = size_of::<Header>() as u64;
/// Offset of the table that says which session each region belongs to: [`Session::mark`]; 0 =
/// none.
pub const OWNERS: u64 = TABLE + (SESSIONS * 8) as u64;
/// Offset of the first region.
pub const PIECES: u64 = OWNERS + (REGIONS * 4) as u64;
/// Mark of a region whose session has no place in the table yet.
pub const UNPLACED: u32 = u32::MAX;
/// Lowest bit of an entry of the session table whose session is gone: its process id stands in
/// the high half, and its memory belongs to others.
pub const GONE: u64 = 1;

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<Event>() == 32 && size_of::<Entry>() == 16);
    assert!(RING.is_power_of_two() && JOURNAL.is_power_of_two());
    assert!(offset_of!(Journal, tail) == 64 && offset_of!(Journal, entries) == 128);
    assert!(size_of::<Header>() == 8192);
    // Nobody touches the second page before somebody finds no room.
    assert!(offset_of!(Header, refused_ns) + 8 * REFUSED > 4096);
    assert!(offset_of!(Header, refused_processes) + 8 * REFUSED <= 4096);
    assert!(offset_of!(Header, pulse) == 64);
    assert!(offset_of!(Header, shared_bytes) == 128);
    assert!(PIECES.is_multiple_of(PAGE) && REGION.is_multiple_of(PAGE));
    assert!(size_of::<Session>() + size_of::<Slot>() <= REGION as usize);
    assert!(offset_of!(Header, intervals) == 192);
    assert!(offset_of!(Header, unwatched) == 192 + 16 * INTERVALS);
    assert!(offset_of!(Session, live) == 64);
    assert!(offset_of!(Session, peak_bytes) == 128);
    assert!(offset_of!(Session, tick_peaks) == 192);
    assert!(offset_of!(Session, slots) == 192 + 8 * TICK_PEAKS + COMMAND);
    assert!(size_of::<Session>() == 12288);
    assert!(size_of::<Cell>() == 64);
    // What every call touches lies in the first two lines, the cells apart.
    assert!(offset_of!(Slot, gate) == 0);
    assert!(offset_of!(Slot, high_blocks) == 64);
    assert!(offset_of!(Slot, peak_gap) == 128);
    assert!(offset_of!(Slot, stacks) == 264);
    assert!(offset_of!(Slot, loose) == 384);
    // All that a small process touches lies in the first page.
    assert!(offset_of!(Slot, cleared_classes) <= 4096);
    assert!(size_of::<Slot>() <= 28 * 1024);
};

impl Session {
    /// Offset of slot `index`, once it is ready.
    pub fn slot_offset(&self, index: usize) -> Option<u64> {
        let offset = self.slots.get(index)?.load(Acquire);
        (offset != 0).then_some(offset)
    }

    /// How many slot-table entries to look at.
    pub fn slot_count(&self) -> usize {
        (self.slots_used.load(Relaxed) as usize).min(SLOTS)
    }
}
