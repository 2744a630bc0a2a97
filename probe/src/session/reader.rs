//! The reader half: figures out of session memory, for memtop and for the embedding program.
//!
//! Nothing here trusts what it reads: offsets are checked, counts bounded, sums wrap. With a
//! well-behaved program the figures are exact when it is quiet; while it runs they are off by
//! at most the operations that threads are inside. Frees are read before allocations, so that
//! live figures never go below zero.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::vec::Vec;

use super::{
    control,
    layout::{COMMAND, Cell, INTERVALS, RING, SESSIONS, Session, Slot, TICK_PEAKS, flag},
    memory::{Memory, MemoryError},
    size_class,
};

/// Reads one session memory.
#[derive(Debug)]
pub struct Reader {
    memory: Memory,
}

/// Where the clock and the window of a memory stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockReading {
    /// `CLOCK_MONOTONIC` at creation, nanoseconds.
    pub created_ns: u64,
    /// Ticks so far.
    pub tick: u64,
    /// Nanoseconds between two ticks.
    pub tick_ns: u64,
    /// True while new blocks are recorded.
    pub tracing: bool,
    /// Stretches of tracing, `CLOCK_MONOTONIC` nanoseconds; the end is `None` while it is open.
    pub intervals: Vec<(u64, Option<u64>)>,
}

/// The figures of one size class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassReading {
    /// Blocks allocated.
    pub allocations: u64,
    /// Their requested bytes.
    pub allocated_bytes: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Their requested bytes.
    pub freed_bytes: u64,
    /// Live blocks at the byte peak.
    pub peak_blocks: i64,
    /// Live requested bytes at the byte peak.
    pub peak_bytes: i64,
}

impl ClassReading {
    /// Blocks not freed.
    pub fn live_blocks(&self) -> u64 {
        self.allocations.saturating_sub(self.frees)
    }

    /// Their requested bytes.
    pub fn live_bytes(&self) -> u64 {
        self.allocated_bytes.saturating_sub(self.freed_bytes)
    }
}

/// What one thread, or all ended ones together (`tid` 0), did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ThreadReading {
    /// Kernel thread id; 0 for ended threads and nested calls.
    pub tid: u32,
    /// Allocated − freed bytes by this thread.
    pub current_bytes: i64,
    /// Allocations.
    pub allocations: u64,
    /// Their requested bytes.
    pub allocated_bytes: u64,
}

/// Everything about one process image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReading {
    /// One of [`super::layout::entry`].
    pub entry: u32,
    /// Process id.
    pub pid: u32,
    /// Process id of the parent.
    pub parent: u32,
    /// `CLOCK_MONOTONIC` at the first operation, nanoseconds.
    pub started_ns: u64,
    /// Arguments.
    pub command: Vec<Vec<u8>>,
    /// Size classes; every total is a sum over them.
    pub classes: [ClassReading; size_class::COUNT],
    /// Highest live requested bytes.
    pub peak_bytes: u64,
    /// Live blocks then.
    pub peak_blocks: u64,
    /// Tick then.
    pub peak_tick: u64,
    /// The peak is right to ± this.
    pub peak_error_bytes: u64,
    /// Highest live blocks.
    pub max_blocks: u64,
    /// Usable bytes of all allocations.
    pub usable_allocated: u64,
    /// Usable bytes of all frees of traced blocks.
    pub usable_freed: u64,
    /// Reallocs that succeeded.
    pub reallocations: u64,
    /// Temporary blocks.
    pub temporary: u64,
    /// Frees of blocks never seen allocated.
    pub untracked_frees: u64,
    /// Their usable bytes.
    pub untracked_bytes: u64,
    /// The parent's live blocks at the fork.
    pub inherited_blocks: u64,
    /// Their requested bytes.
    pub inherited_bytes: u64,
    /// How many of them this process freed.
    pub inherited_frees: u64,
    /// Their requested bytes.
    pub inherited_freed: u64,
    /// Blocks whose free was never seen.
    pub lost_records: u64,
    /// Blocks that could not be noted.
    pub unattributed: u64,
    /// Events that the ring lost.
    pub dropped_events: u64,
    /// Shared and private tracer memory handed out, bytes.
    pub tracer_bytes: u64,
    /// Threads; the row with tid 0 sums up the ended ones.
    pub threads: Vec<ThreadReading>,
}

/// One event out of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventReading {
    /// One of [`super::layout::kind`].
    pub kind: u64,
    /// Address of the block.
    pub address: u64,
    /// Requested bytes; usable bytes when untracked.
    pub size: u64,
    /// When, in ticks (low 32 bits).
    pub tick: u32,
    /// When the block was born, in ticks; meaningful on a release.
    pub birth_tick: u32,
    /// Thread that did it.
    pub tid: u32,
}

impl Reader {
    /// Maps the memory behind a descriptor, which stays the caller's.
    pub fn open(fd: i32) -> Result<Reader, MemoryError> {
        Memory::map(fd, None).map(Reader::over)
    }

    /// Reads a memory that is mapped already and is unmapped with the reader.
    pub fn over(memory: Memory) -> Reader {
        Reader { memory }
    }

    /// The header, for [`control`].
    pub fn header(&self) -> &super::layout::Header {
        self.memory.header()
    }

    /// Clock and window.
    pub fn clock(&self) -> ClockReading {
        let header = self.memory.header();
        let pulse = header.pulse.load(Relaxed);
        let begun = (header.intervals_begun.load(Acquire) as usize).min(INTERVALS);
        let interval = |one: &super::layout::Interval| {
            let to = one.to_ns.load(Relaxed);
            (one.from_ns.load(Relaxed), (to != 0).then_some(to))
        };
        ClockReading {
            created_ns: header.created_ns.load(Relaxed),
            tick: control::tick(pulse),
            tick_ns: header.tick_ns.load(Relaxed),
            tracing: pulse & flag::TRACING != 0,
            intervals: header.intervals[..begun].iter().map(interval).collect(),
        }
    }

    /// How many sessions were claimed.
    pub fn session_count(&self) -> usize {
        (self.memory.header().sessions.load(Acquire) as usize).min(SESSIONS)
    }

    /// Process id and start of session `index`; `None` while it is being claimed.
    pub fn identity(&self, index: usize) -> Option<(u32, u64)> {
        let session = self.session(index)?;
        Some((session.pid.load(Relaxed), session.started_ns.load(Relaxed)))
    }

    /// Everything about session `index`; `None` while it is being claimed.
    pub fn read(&self, index: usize) -> Option<SessionReading> {
        let session = self.session(index)?;
        Some(Sums::over(self, session).into_reading(session))
    }

    /// Arguments of session `index`; empty until it has said.
    pub fn command(&self, index: usize) -> Vec<Vec<u8>> {
        self.session(index).map(command).unwrap_or_default()
    }

    /// Highest live bytes since tick `from`, as far as threads have flushed; 0 when none did.
    pub fn highest_since(&self, index: usize, from: u64) -> u64 {
        let Some(session) = self.session(index) else {
            return 0;
        };
        let now = control::tick(self.memory.header().pulse.load(Relaxed));
        let first = from.max((now + 1).saturating_sub(TICK_PEAKS as u64));
        let flushed = (first..=now).filter_map(|tick| tick_peak(session, tick)).max();
        let pending = self.slots(session).filter_map(|slot| pending_high(slot, from)).max();
        flushed.unwrap_or(0).max(pending.unwrap_or(0))
    }

    /// Moves all events of session `index` out of its rings. One reader may do so at a time;
    /// a second one makes events appear twice or not at all, and harms nothing else.
    pub fn drain_events(&self, index: usize, into: &mut Vec<EventReading>) {
        let Some(session) = self.session(index) else {
            return;
        };
        for slot in self.slots(session) {
            drain_slot(slot, into);
        }
    }

    fn session(&self, index: usize) -> Option<&'static Session> {
        let offset = self.memory.table_entry(index)?.load(Acquire);
        let session = (offset != 0).then(|| self.memory.session(offset)).flatten()?;
        (session.entry.load(Acquire) != 0).then_some(session)
    }

    fn slots(&self, session: &'static Session) -> impl Iterator<Item = &'static Slot> {
        let memory = self.memory;
        (0..session.slot_count())
            .filter_map(|index| session.slot_offset(index))
            .filter_map(move |offset| memory.slot(offset))
    }

    fn clears(&self) -> u64 {
        self.memory.header().pulse.load(Relaxed) & flag::CLEARS
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.memory.unmap();
    }
}

fn tick_peak(session: &Session, tick: u64) -> Option<u64> {
    let packed = session.tick_peaks[tick as usize % TICK_PEAKS].load(Relaxed);
    (packed >> 48 == tick & 0xFFFF && packed != 0).then_some(packed & ((1 << 48) - 1))
}

/// What a thread that has no other beside it saw since its last flush.
fn pending_high(slot: &Slot, from: u64) -> Option<u64> {
    let recent = control::tick(slot.pulse.load(Relaxed)) >= from;
    let high = slot.flushed_bytes.load(Relaxed).saturating_add(slot.high_bytes.load(Relaxed));
    (recent && slot.alone.load(Relaxed) != 0).then_some(high.max(0) as u64)
}

fn drain_slot(slot: &Slot, into: &mut Vec<EventReading>) {
    let ring = &slot.ring;
    let tid = slot.owner.load(Relaxed);
    // Pairs with the producer's Release: events below `head` are written.
    let head = ring.head.load(Acquire);
    let tail = ring.tail.load(Relaxed);
    let pending = head.wrapping_sub(tail).min(RING as u64);
    for position in 0..pending {
        let event = &ring.events[(tail.wrapping_add(position) % RING as u64) as usize];
        let (what, ticks) = (event.what.load(Relaxed), event.ticks.load(Relaxed));
        into.push(EventReading {
            kind: what >> 56,
            address: what & ((1 << 56) - 1),
            size: event.size.load(Relaxed),
            tick: ticks as u32,
            birth_tick: (ticks >> 32) as u32,
            tid,
        });
    }
    // Pairs with the producer's Acquire: it may now write over what was read.
    ring.tail.store(head, Release);
}

/// One sum a size class.
struct Classes([ClassReading; size_class::COUNT]);

impl Default for Classes {
    fn default() -> Self {
        Classes([ClassReading::default(); size_class::COUNT])
    }
}

/// The sums over all slots of a session.
#[derive(Default)]
struct Sums {
    classes: Classes,
    usable: [u64; 2],
    reallocations: u64,
    temporary: u64,
    untracked: [u64; 2],
    inherited: [u64; 2],
    lost: u64,
    dropped: u64,
    slots: u64,
    peak: Option<(i64, i64, u64)>,
    most_blocks: i64,
    /// No thread has done anything since the last clear.
    cleared: bool,
    threads: Vec<ThreadReading>,
    ended: ThreadReading,
}

impl Sums {
    fn over(reader: &Reader, session: &'static Session) -> Sums {
        let mut sums = Sums::default();
        let clears = reader.clears();
        sums.cleared = session.id_base.load(Acquire) >> 32 != clears >> 16;
        // Only slots that have seen the last clear hold figures of this window.
        let fresh = |slot: &&Slot| slot.pulse.load(Relaxed) & flag::CLEARS == clears;
        for slot in reader.slots(session).filter(fresh) {
            sums.add_frees(slot, clears != 0);
        }
        let epoch = session.epoch.load(Relaxed);
        let at_peak = session.at_peak.load(Relaxed) != 0
            || reader.slots(session).any(|slot| slot.at_peak.load(Relaxed) != 0);
        for slot in reader.slots(session).filter(fresh) {
            sums.add_allocations(slot, clears != 0);
            sums.add_at_peak(slot, clears != 0, epoch, at_peak);
            sums.add_peak(slot);
            sums.add_thread(slot);
        }
        for slot in reader.slots(session) {
            sums.add_lifetime(slot);
        }
        sums
    }

    fn add_frees(&mut self, slot: &Slot, cleared: bool) {
        let base = |value: u64| if cleared { value } else { 0 };
        let of = &slot.cleared;
        add(
            &mut self.untracked[0],
            since(&slot.untracked_frees, base(of.untracked_frees.load(Relaxed))),
        );
        add(
            &mut self.untracked[1],
            since(&slot.untracked_bytes, base(of.untracked_bytes.load(Relaxed))),
        );
        add(&mut self.usable[1], since(&slot.usable_freed, base(of.usable_freed.load(Relaxed))));
        add(&mut self.temporary, since(&slot.temporary, base(of.temporary.load(Relaxed))));
        add(
            &mut self.reallocations,
            since(&slot.reallocations, base(of.reallocations.load(Relaxed))),
        );
        for (class, sum) in self.classes.0.iter_mut().enumerate() {
            let of = &slot.cleared_classes[class];
            add(&mut sum.frees, since(&slot.classes[class].frees, base(of.frees.load(Relaxed))));
            add(
                &mut sum.freed_bytes,
                since(&slot.classes[class].freed_bytes, base(of.freed_bytes.load(Relaxed))),
            );
        }
        core::sync::atomic::fence(Acquire);
    }

    fn add_allocations(&mut self, slot: &Slot, cleared: bool) {
        let base = |value: u64| if cleared { value } else { 0 };
        let before = base(slot.cleared.usable_allocated.load(Relaxed));
        add(&mut self.usable[0], since(&slot.usable_allocated, before));
        for (class, sum) in self.classes.0.iter_mut().enumerate() {
            let of = &slot.cleared_classes[class];
            let cell = &slot.classes[class];
            add(&mut sum.allocations, since(&cell.allocations, base(of.allocations.load(Relaxed))));
            add(
                &mut sum.allocated_bytes,
                since(&cell.allocated_bytes, base(of.allocated_bytes.load(Relaxed))),
            );
        }
    }

    fn add_at_peak(&mut self, slot: &Slot, cleared: bool, epoch: u64, at_peak: bool) {
        for (class, sum) in self.classes.0.iter_mut().enumerate() {
            let (mut blocks, mut bytes) = cell_at_peak(&slot.classes[class], epoch, at_peak);
            if cleared {
                let of = &slot.cleared_classes[class];
                blocks =
                    blocks.wrapping_sub(net(of.allocations.load(Relaxed), of.frees.load(Relaxed)));
                bytes = bytes.wrapping_sub(net(
                    of.allocated_bytes.load(Relaxed),
                    of.freed_bytes.load(Relaxed),
                ));
            }
            sum.peak_blocks = sum.peak_blocks.wrapping_add(blocks);
            sum.peak_bytes = sum.peak_bytes.wrapping_add(bytes);
        }
    }

    fn add_peak(&mut self, slot: &Slot) {
        let peak = slot.peak_bytes.load(Relaxed);
        if self.peak.is_none_or(|(bytes, ..)| peak > bytes) {
            let blocks = slot.peak_blocks.load(Relaxed);
            self.peak = Some((peak, blocks, slot.peak_tick.load(Relaxed)));
        }
        if slot.alone.load(Relaxed) != 0 {
            let blocks = slot.flushed_blocks.load(Relaxed);
            let most = blocks.saturating_add(slot.high_blocks.load(Relaxed));
            self.most_blocks = self.most_blocks.max(most);
        }
    }

    fn add_thread(&mut self, slot: &Slot) {
        let former = &slot.former;
        let former_net =
            net(former.allocated_bytes.load(Relaxed), former.freed_bytes.load(Relaxed));
        let mut all = ThreadReading { tid: slot.owner.load(Relaxed), ..Default::default() };
        for cell in &slot.classes {
            let freed = cell.freed_bytes.load(Relaxed);
            let allocated = cell.allocated_bytes.load(Relaxed);
            add(&mut all.allocations, cell.allocations.load(Relaxed));
            add(&mut all.allocated_bytes, allocated);
            all.current_bytes = all.current_bytes.wrapping_add(net(allocated, freed));
        }
        if all.tid == 0 {
            return add_thread_figures(&mut self.ended, &all);
        }
        let ended = ThreadReading {
            tid: 0,
            current_bytes: former_net,
            allocations: former.allocations.load(Relaxed),
            allocated_bytes: former.allocated_bytes.load(Relaxed),
        };
        all.current_bytes = all.current_bytes.wrapping_sub(ended.current_bytes);
        all.allocations = all.allocations.wrapping_sub(ended.allocations);
        all.allocated_bytes = all.allocated_bytes.wrapping_sub(ended.allocated_bytes);
        add_thread_figures(&mut self.ended, &ended);
        self.threads.push(all);
    }

    fn add_lifetime(&mut self, slot: &Slot) {
        add(&mut self.inherited[0], slot.inherited_frees.load(Relaxed));
        add(&mut self.inherited[1], slot.inherited_freed.load(Relaxed));
        add(&mut self.lost, slot.lost_records.load(Relaxed));
        add(&mut self.dropped, slot.ring.dropped.load(Relaxed));
        add(&mut self.slots, 1);
    }

    fn into_reading(mut self, session: &Session) -> SessionReading {
        if self.ended.allocations != 0 || self.ended.current_bytes != 0 {
            self.threads.push(self.ended);
        }
        let live: u64 =
            self.classes.0.iter().map(ClassReading::live_bytes).fold(0, u64::wrapping_add);
        let blocks: u64 =
            self.classes.0.iter().map(ClassReading::live_blocks).fold(0, u64::wrapping_add);
        let (peak, peak_blocks, peak_tick) = self.highest(session, live, blocks);
        SessionReading {
            entry: session.entry.load(Relaxed),
            pid: session.pid.load(Relaxed),
            parent: session.parent.load(Relaxed),
            started_ns: session.started_ns.load(Relaxed),
            command: command(session),
            classes: self.classes.0,
            peak_bytes: peak,
            peak_blocks,
            peak_tick,
            peak_error_bytes: peak_error(session, peak),
            max_blocks: self.most_blocks(session).max(blocks),
            usable_allocated: self.usable[0],
            usable_freed: self.usable[1],
            reallocations: self.reallocations,
            temporary: self.temporary,
            untracked_frees: self.untracked[0],
            untracked_bytes: self.untracked[1],
            inherited_blocks: session.inherited_blocks.load(Relaxed),
            inherited_bytes: session.inherited_bytes.load(Relaxed),
            inherited_frees: self.inherited[0],
            inherited_freed: self.inherited[1],
            lost_records: self.lost,
            unattributed: session.unattributed.load(Relaxed),
            dropped_events: self.dropped,
            tracer_bytes: (size_of::<Session>() as u64 + self.slots * size_of::<Slot>() as u64)
                .saturating_add(session.private_bytes.load(Relaxed)),
            threads: self.threads,
        }
    }

    fn most_blocks(&self, session: &Session) -> u64 {
        if self.cleared {
            return 0;
        }
        session.max_blocks.load(Relaxed).max(self.most_blocks).max(0) as u64
    }

    /// The byte peak: what flushes saw, what a lone thread saw since, or what is live now.
    fn highest(&self, session: &Session, live: u64, blocks: u64) -> (u64, u64, u64) {
        if self.cleared {
            return (live, blocks, 0);
        }
        let flushed = (
            session.peak_bytes.load(Relaxed),
            session.peak_blocks.load(Relaxed),
            session.peak_tick.load(Relaxed),
        );
        let seen = self.peak.filter(|peak| peak.0 > flushed.0).unwrap_or(flushed);
        let (bytes, at, tick) = (seen.0.max(0) as u64, seen.1.max(0) as u64, seen.2);
        if live > bytes { (live, blocks, tick) } else { (bytes, at, tick) }
    }
}

fn add_thread_figures(to: &mut ThreadReading, from: &ThreadReading) {
    to.current_bytes = to.current_bytes.wrapping_add(from.current_bytes);
    to.allocations = to.allocations.wrapping_add(from.allocations);
    to.allocated_bytes = to.allocated_bytes.wrapping_add(from.allocated_bytes);
}

/// Sums of hostile figures may wrap; they must not panic.
fn add(sum: &mut u64, value: u64) {
    *sum = sum.wrapping_add(value);
}

fn since(counter: &core::sync::atomic::AtomicU64, base: u64) -> u64 {
    counter.load(Relaxed).wrapping_sub(base)
}

fn net(plus: u64, minus: u64) -> i64 {
    plus.wrapping_sub(minus) as i64
}

/// Live blocks and bytes of a cell at the byte peak; see [`Cell`].
fn cell_at_peak(cell: &Cell, epoch: u64, at_peak: bool) -> (i64, i64) {
    if !at_peak && cell.epoch.load(Relaxed) == epoch {
        return (cell.peak_blocks.load(Relaxed), cell.peak_bytes.load(Relaxed));
    }
    let (freed, frees) = (cell.freed_bytes.load(Relaxed), cell.frees.load(Relaxed));
    let allocated = cell.allocated_bytes.load(Relaxed);
    (net(cell.allocations.load(Relaxed), frees), net(allocated, freed))
}

/// ± threads × flush threshold; nothing while there has been but one thread.
fn peak_error(session: &Session, peak: u64) -> u64 {
    match u64::from(session.max_threads.load(Relaxed)) {
        0 | 1 => 0,
        threads => {
            threads.saturating_mul(crate::ledger::flush_threshold(peak as i64, threads) as u64)
        }
    }
}

fn command(session: &Session) -> Vec<Vec<u8>> {
    let length = (session.command_length.load(Acquire) as usize).min(COMMAND);
    let bytes: Vec<u8> = session.command[..length].iter().map(|byte| byte.load(Relaxed)).collect();
    let text = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    if text.is_empty() {
        Vec::new()
    } else {
        text.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
    }
}
