//! What the program can ask of its own tracer: the functions of Python's `tracemalloc`.
//!
//! None of them but [`statistics`] allocates. All of them answer for the process that calls.

use core::{
    mem::ManuallyDrop,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed},
        compiler_fence, fence,
    },
};

use super::{is_aside, origin};
use crate::{
    peak::flush_threshold,
    process,
    session::{
        control,
        layout::{Cell, Cleared, ClearedCell, Header, Session, Slot, flag},
        memory::Memory,
        reader::{Reader, SessionReading},
    },
    sys,
    thread::{self, Place},
    tls, window,
};

/// Answer of [`traced_memory`]: requested bytes of the blocks allocated while tracing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TracedMemory {
    /// Not yet freed.
    pub current: u64,
    /// The highest that `current` has been.
    pub peak: u64,
    /// `peak` is right to ± this; 0 as long as the process has had one thread.
    pub peak_error: u64,
}

/// Answer of [`untracked_frees`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UntrackedFrees {
    /// Blocks freed, while tracing, that were not seen allocated.
    pub frees: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Starts tracing, or goes on after a [`stop`]. Blocks that live already stay untracked: when
/// one is freed, [`untracked_frees`] counts it.
///
/// False when there is nothing to start: no [`TracingAllocator`](super::TracingAllocator) is
/// installed, or it stepped aside.
///
/// ```
/// # #[global_allocator]
/// # static ALLOCATOR: memtop_probe::TracingAllocator = memtop_probe::TracingAllocator::system();
/// let before = Box::new([0u8; 100]);
/// assert!(memtop_probe::start());
/// drop(before);
/// assert_eq!(memtop_probe::untracked_frees().unwrap().bytes, 100);
/// assert_eq!(memtop_probe::traced_memory().unwrap().current, 0);
/// ```
pub fn start() -> bool {
    let Some(books) = Books::open() else { return false };
    control::set_tracing(books.header(), true, sys::monotonic_ns());
    true
}

/// Ends the recording of new blocks. Those that are traced stay so: their release, and their
/// growth, is still seen. False when there is nothing to stop, as for [`start`].
///
/// ```
/// # #[global_allocator]
/// # static ALLOCATOR: memtop_probe::TracingAllocator = memtop_probe::TracingAllocator::system();
/// memtop_probe::start();
/// let traced = vec![0u8; 100];
/// memtop_probe::stop();
/// let other = vec![0u8; 50];
/// assert_eq!(memtop_probe::traced_memory().unwrap().current, 100);
/// drop((traced, other));
/// assert_eq!(memtop_probe::traced_memory().unwrap().current, 0);
/// ```
pub fn stop() -> bool {
    let Some(books) = Books::open() else { return false };
    control::set_tracing(books.header(), false, sys::monotonic_ns());
    true
}

/// Whether new blocks are being recorded.
pub fn is_tracing() -> bool {
    Books::open().is_some_and(|books| control::is_tracing(books.header()))
}

/// Current and peak traced memory; `None` when no allocator is installed, or it stepped aside.
pub fn traced_memory() -> Option<TracedMemory> {
    let books = Books::open()?;
    let current = books.figures().current_bytes;
    let peak = books.peak().max(current);
    Some(TracedMemory { current, peak, peak_error: books.peak_error(peak) })
}

/// Makes what is traced now the peak. Exact when no other thread allocates meanwhile. False
/// when there is no peak to reset, as for [`start`], or from inside a signal handler.
///
/// ```
/// # #[global_allocator]
/// # static ALLOCATOR: memtop_probe::TracingAllocator = memtop_probe::TracingAllocator::system();
/// memtop_probe::start();
/// drop(vec![0u8; 5000]);
/// memtop_probe::reset_peak();
/// drop(vec![0u8; 300]);
/// assert_eq!(memtop_probe::traced_memory().unwrap().peak, 300);
/// ```
pub fn reset_peak() -> bool {
    let Some(books) = Books::open() else { return false };
    with_own_slot(|slot| window::reset_peak(&books.memory, books.session, slot)).is_some()
}

/// Makes all blocks of now untracked and starts every figure over. False as for [`start`].
///
/// ```
/// # #[global_allocator]
/// # static ALLOCATOR: memtop_probe::TracingAllocator = memtop_probe::TracingAllocator::system();
/// memtop_probe::start();
/// let old = vec![0u8; 100];
/// memtop_probe::clear();
/// drop(old);
/// assert_eq!(memtop_probe::traced_memory().unwrap().current, 0);
/// assert_eq!(memtop_probe::untracked_frees().unwrap().frees, 1);
/// ```
pub fn clear() -> bool {
    let Some(books) = Books::open() else { return false };
    control::clear(books.header(), sys::monotonic_ns());
    // The caller's own slot sees it at once, the others at their next operation.
    with_own_slot(|_| ());
    true
}

/// Blocks freed while tracing that were not seen allocated; `None` as for [`traced_memory`].
pub fn untracked_frees() -> Option<UntrackedFrees> {
    let books = Books::open()?;
    Some(UntrackedFrees {
        frees: books.sum(|slot| &slot.untracked_frees, |cleared| &cleared.untracked_frees),
        bytes: books.sum(|slot| &slot.untracked_bytes, |cleared| &cleared.untracked_bytes),
    })
}

/// Bytes that the tracer itself uses for this process; 0 when it does not trace. They are in
/// no other figure.
pub fn tracer_memory() -> u64 {
    let Some(books) = Books::open() else { return 0 };
    let session = books.session;
    session.shared_bytes.load(Relaxed) + session.private_bytes.load(Relaxed)
}

/// Everything at once, size classes and threads included; `None` as for [`traced_memory`].
///
/// What is returned is allocated, and so traced, like everything else.
///
/// ```
/// # #[global_allocator]
/// # static ALLOCATOR: memtop_probe::TracingAllocator = memtop_probe::TracingAllocator::system();
/// memtop_probe::start();
/// let rows: Vec<_> = (0..10).map(|_| Box::new([0u8; 3000])).collect();
/// let now = memtop_probe::statistics().expect("the allocator is installed");
/// // The class of 2049 to 4096 bytes.
/// assert_eq!(now.classes[memtop_probe::session::size_class::of(3000)].allocations, 10);
/// # drop(rows);
/// ```
pub fn statistics() -> Option<SessionReading> {
    let books = Books::open()?;
    // Dropping a reader unmaps; this mapping is the tracer's own.
    let reader = ManuallyDrop::new(Reader::over(books.memory));
    let own = books.identity();
    let index = (0..reader.session_count()).find(|&index| reader.identity(index) == Some(own))?;
    reader.read(index)
}

/// The process's session, and where it lies.
#[derive(Clone, Copy)]
pub(super) struct Books {
    memory: Memory,
    session: &'static Session,
}

/// Sums over the size classes of some slots.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    pub allocations: u64,
    pub allocated_bytes: u64,
    pub frees: u64,
    pub freed_bytes: u64,
    pub current_bytes: u64,
}

impl Books {
    /// The session of this process; `None` when no allocator is installed, or it is aside.
    pub(super) fn open() -> Option<Books> {
        if is_aside() {
            return None;
        }
        if process::memory().is_none() {
            touch();
        }
        let memory = process::memory()?;
        Some(Books { memory, session: process::session() })
    }

    pub(super) fn header(&self) -> &'static Header {
        self.memory.header()
    }

    pub(super) fn memory(&self) -> Memory {
        self.memory
    }

    /// What tells the session from others in the same memory.
    pub(super) fn identity(&self) -> (u32, u64) {
        (self.session.pid.load(Relaxed), self.session.started_ns.load(Relaxed))
    }

    fn slots(&self) -> impl Iterator<Item = &'static Slot> {
        let Books { memory, session } = *self;
        (0..session.slot_count())
            .filter_map(|index| session.slot_offset(index))
            .filter_map(move |offset| memory.slot(offset))
    }

    /// Those that have seen the last clear, and what their figures stood at then.
    fn current_slots(&self) -> impl Iterator<Item = (&'static Slot, bool)> {
        let clears = self.header().pulse.load(Relaxed) & flag::CLEARS;
        self.slots()
            .filter(move |slot| slot.pulse.load(Relaxed) & flag::CLEARS == clears)
            .map(move |slot| (slot, clears != 0))
    }

    pub(super) fn sum(
        &self,
        counter: fn(&Slot) -> &AtomicU64,
        cleared: fn(&Cleared) -> &AtomicU64,
    ) -> u64 {
        self.current_slots()
            .map(|(slot, since_clear)| {
                let base = if since_clear { cleared(&slot.cleared).load(Relaxed) } else { 0 };
                counter(slot).load(Relaxed).wrapping_sub(base)
            })
            .fold(0, u64::wrapping_add)
    }

    fn sum_classes(
        &self,
        counter: fn(&Cell) -> &AtomicU64,
        cleared: fn(&ClearedCell) -> &AtomicU64,
    ) -> u64 {
        let mut sum = 0u64;
        for (slot, since_clear) in self.current_slots() {
            for (cell, base) in slot.classes.iter().zip(&slot.cleared_classes) {
                let base = if since_clear { cleared(base).load(Relaxed) } else { 0 };
                sum = sum.wrapping_add(counter(cell).load(Relaxed)).wrapping_sub(base);
            }
        }
        sum
    }

    /// Frees are read before allocations, so that nothing seems freed before it was allocated.
    pub(super) fn figures(&self) -> Figures {
        let frees = self.sum_classes(|cell| &cell.frees, |base| &base.frees);
        let freed_bytes = self.sum_classes(|cell| &cell.freed_bytes, |base| &base.freed_bytes);
        fence(Acquire);
        let allocations = self.sum_classes(|cell| &cell.allocations, |base| &base.allocations);
        let allocated_bytes =
            self.sum_classes(|cell| &cell.allocated_bytes, |base| &base.allocated_bytes);
        let current_bytes = allocated_bytes.saturating_sub(freed_bytes);
        Figures { allocations, allocated_bytes, frees, freed_bytes, current_bytes }
    }

    /// What flushes saw and what a lone thread saw since.
    fn peak(&self) -> u64 {
        let lone = self.current_slots().map(|(slot, _)| slot.peak_bytes.load(Relaxed)).max();
        self.session.peak_bytes.load(Relaxed).max(lone.unwrap_or(0)).max(0) as u64
    }

    fn peak_error(&self, peak: u64) -> u64 {
        match u64::from(self.session.max_threads.load(Relaxed)) {
            0 | 1 => 0,
            threads => threads.saturating_mul(flush_threshold(peak as i64, threads) as u64),
        }
    }
}

/// A session comes to be with the first operation: this is one, if the allocator is installed.
fn touch() {
    std::hint::black_box(Box::new(0u8));
}

/// Runs `work` on the thread's own slot, with the hook kept out of it; what has happened since
/// the thread's last operation is attended to first. `None` inside a hook, or without a slot.
fn with_own_slot<R>(work: impl FnOnce(&Slot) -> R) -> Option<R> {
    let Place::Own(slot) = thread::find_place(&origin::PAUSED) else { return None };
    let pulse = slot.gate.swap(tls::CLOSED, Relaxed);
    compiler_fence(Acquire);
    let result = work(slot);
    compiler_fence(core::sync::atomic::Ordering::Release);
    slot.gate.store(pulse, Relaxed);
    Some(result)
}
