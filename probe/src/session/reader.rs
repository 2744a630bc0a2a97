//! The reader half: figures out of session memory, for memtop and for the embedding program.
//!
//! Nothing here trusts what it reads: offsets are checked, counts bounded, sums wrap. With a
//! well-behaved program the figures are exact when it is quiet; while it runs they are off by
//! at most the operations that threads are inside. Frees are read before allocations, so that
//! live figures never go below zero.

mod calm;
mod cost;
mod journals;
mod returned;
mod rings;
mod stacks;
mod sums;

use core::sync::atomic::Ordering::{Acquire, Relaxed};
use std::vec::Vec;

pub use journals::{Seen, Together, Told};
pub use rings::EventReading;
use rings::drain;
pub use stacks::{
    CaptureReading, ModuleReading, NodeReading, SiteReading, SiteThreadReading, StackReading,
};
use sums::Sums;

use super::{
    control,
    layout::{
        COMMAND, FORKED, Header, INTERVALS, REFUSED, SESSIONS, Session, Slot, TICK_PEAKS,
        UNWATCHED, flag,
    },
    memory::{Memory, MemoryError},
    size_class,
};

/// Reads one session memory.
#[derive(Debug)]
pub struct Reader {
    memory: Memory,
}

/// A process image that found no room for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedProcess {
    /// Process id.
    pub pid: u32,
    /// Whether it was a fork, and not a program that was executed.
    pub is_fork: bool,
    /// When it asked, `CLOCK_MONOTONIC` nanoseconds; 0 = it could not tell.
    pub at_ns: u64,
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
    /// `CLOCK_MONOTONIC` at the last clear, nanoseconds: figures count from then on.
    pub cleared_ns: Option<u64>,
    /// Stretches of tracing, `CLOCK_MONOTONIC` nanoseconds; the end is `None` while it is open.
    pub intervals: Vec<(u64, Option<u64>)>,
    /// Stretches in which nobody kept the time: the first tick, and the first that was kept
    /// again. Of what bears a tick from the one on and before the other, no more is known than
    /// that it happened in between.
    pub unwatched: Vec<(u64, u64)>,
}

impl ClockReading {
    /// Where nobody kept the time in a tick: the first that was kept again.
    pub fn unwatched_until(&self, tick: u64) -> Option<u64> {
        let around = self.unwatched.iter().filter(|(from, to)| (*from..*to).contains(&tick));
        around.map(|(_, to)| *to).max()
    }
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
#[derive(Debug, Clone, PartialEq)]
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
    /// Blocks that could not be noted: they are in no class, and nothing is known of their
    /// frees.
    pub unattributed: u64,
    /// Their requested bytes.
    pub unattributed_bytes: u64,
    /// Their usable bytes.
    pub unattributed_usable: u64,
    /// Events that the ring lost.
    pub dropped_events: u64,
    /// What a hook call takes; `None` until some were timed.
    pub cost: Option<CostReading>,
    /// Stacks that lost their outermost frames to the limit; `None` without stacks.
    pub stacks_cut: Option<u64>,
    /// Shared and private tracer memory handed out, bytes.
    pub tracer_bytes: u64,
    /// Threads; the row with tid 0 sums up the ended ones.
    pub threads: Vec<ThreadReading>,
}

/// What a hook call takes, as measured in the program.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostReading {
    /// Nanoseconds, the mean of the samples: those that took long are left out while they are
    /// few, since they mostly were interrupted.
    pub ns: f64,
    /// The mean of many more samples is within ± this, nanoseconds, 19 times of 20: two standard
    /// errors, by how far series of samples differ. `None` until there were some series, and
    /// where those that took long count.
    pub error_ns: Option<f64>,
    /// Calls that were timed.
    pub samples: u64,
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
    pub fn header(&self) -> &Header {
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
            cleared_ns: Some(header.cleared_ns.load(Relaxed)).filter(|&at| at != 0),
            intervals: header.intervals[..begun].iter().map(interval).collect(),
            unwatched: unwatched(header),
        }
    }

    /// How many sessions were claimed.
    pub fn session_count(&self) -> usize {
        (self.memory.header().sessions.load(Acquire) as usize).min(SESSIONS)
    }

    /// Those that found no room for a session, from number `from` on and as far as they are
    /// remembered; the number to go on from, and whether the one with that number is still being
    /// written, or died at it.
    pub fn refused(&self, from: u32) -> (Vec<RefusedProcess>, u32, bool) {
        let header = self.memory.header();
        let count = header.refused.load(Relaxed);
        let new = count.wrapping_sub(from).min(REFUSED as u32);
        let first = count.wrapping_sub(new);
        let told = |at: u32| {
            let number = first.wrapping_add(at);
            let place = number as usize % REFUSED;
            let told = header.refused_processes[place].load(Acquire);
            let (pid, is_fork) = (told as u32 & !FORKED, told as u32 & FORKED != 0);
            let at_ns = header.refused_ns[place].load(Relaxed);
            let is_it = (told >> 32) as u32 == number.wrapping_add(1);
            is_it.then_some(RefusedProcess { pid, is_fork, at_ns })
        };
        let all: Vec<_> = (0..new).map_while(told).collect();
        let next = first.wrapping_add(all.len() as u32);
        (all, next, next != count)
    }

    /// Process id and start of session `index`, `CLOCK_MONOTONIC` nanoseconds; `None` while it is
    /// being claimed. Of one whose memory was given back the start is 0: not known.
    pub fn identity(&self, index: usize) -> Option<(u32, u64)> {
        if let Some(pid) = self.gone_process(index) {
            return Some((pid, 0));
        }
        let session = self.session(index)?;
        Some((session.pid.load(Relaxed), session.started_ns.load(Relaxed)))
    }

    /// Everything about session `index`; `None` while it is being claimed, and when its memory was
    /// given back before all was read.
    pub fn read(&self, index: usize) -> Option<SessionReading> {
        let session = self.session(index)?;
        let stacks_cut = self.capture(index).map(|capture| capture.cut);
        let reading = Sums::over(self, session).into_reading(session, stacks_cut);
        (!self.is_gone(index)).then_some(reading)
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
            drain(&slot.ring, slot.owner.load(Relaxed), session.first_id.load(Relaxed), into);
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

/// Oldest first. Stretches that are forgotten stand as one, with what lay between them.
fn unwatched(header: &Header) -> Vec<(u64, u64)> {
    let begun = header.unwatched_begun.load(Acquire) as usize;
    let kept = begun.saturating_sub(UNWATCHED)..begun;
    let mut all: Vec<(u64, u64)> = kept
        .map(|number| header.unwatched[number % UNWATCHED].load(Relaxed))
        .map(|packed| (packed >> 32, packed & u64::from(u32::MAX)))
        .collect();
    if let Some(oldest) = all.first_mut().filter(|_| begun > UNWATCHED) {
        oldest.0 = 0;
    }
    all
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
