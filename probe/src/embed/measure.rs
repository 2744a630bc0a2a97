//! Memory budgets for tests: what did this piece of code allocate?
//!
//! ```
//! use memtop_probe::{TracingAllocator, measure};
//!
//! #[global_allocator]
//! static ALLOCATOR: TracingAllocator = TracingAllocator::system();
//!
//! let (text, used) = measure(|| "memory".repeat(100));
//! used.assert_allocations(..=1).assert_peak_bytes(..=600);
//! assert_eq!(used.left_bytes, text.len() as i64);
//!
//! measure(|| text.to_uppercase().len()).1.assert_nothing_left();
//! ```
//!
//! [`measure`] looks at the calling thread alone, so tests that run beside each other, as
//! `cargo test` lets them, do not disturb each other. It needs no tracing: it works paused, and
//! also where the allocator stepped aside. [`measure_process`] looks at all threads and uses
//! the session for it: the only test of its binary, or `--test-threads=1`, is what it wants.

use core::{
    cell::Cell,
    fmt::Debug,
    ops::RangeBounds,
    sync::atomic::{
        AtomicBool,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use super::{
    ASIDE, SPECIAL,
    figures::{Books, Figures, reset_peak, start, stop, traced_memory},
};
use crate::session::control;

/// What was allocated while some code ran. A realloc counts as one allocation and one free,
/// and the peak never holds both sides of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// Blocks allocated.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// Blocks freed, those from before included.
    pub frees: u64,
    /// Their bytes.
    pub freed_bytes: u64,
    /// Highest rise of live bytes above where they stood at the start.
    pub peak_bytes: u64,
    /// `peak_bytes` is right to ± this: 0 for one thread.
    pub peak_error: u64,
    /// Allocations − frees: negative when blocks from before were freed.
    pub left_blocks: i64,
    /// Allocated − freed bytes.
    pub left_bytes: i64,
}

impl Measured {
    /// Checks the number of allocations: `used.assert_allocations(..=3)`.
    ///
    /// # Panics
    /// When it is outside the range.
    #[track_caller]
    pub fn assert_allocations(&self, range: impl RangeBounds<u64> + Debug) -> &Self {
        self.check("allocations", self.allocations, range)
    }

    /// Checks the bytes allocated in all.
    ///
    /// # Panics
    /// When they are outside the range.
    #[track_caller]
    pub fn assert_allocated_bytes(&self, range: impl RangeBounds<u64> + Debug) -> &Self {
        self.check("allocated bytes", self.allocated_bytes, range)
    }

    /// Checks the bytes that were live at once, beyond those of before.
    ///
    /// # Panics
    /// When they are outside the range.
    #[track_caller]
    pub fn assert_peak_bytes(&self, range: impl RangeBounds<u64> + Debug) -> &Self {
        self.check("peak bytes", self.peak_bytes, range)
    }

    /// Checks that as many blocks and bytes were freed as allocated.
    ///
    /// # Panics
    /// When they were not.
    #[track_caller]
    pub fn assert_nothing_left(&self) -> &Self {
        assert!(
            self.left_blocks == 0 && self.left_bytes == 0,
            "{} blocks with {} bytes are left: {self:?}",
            self.left_blocks,
            self.left_bytes,
        );
        self
    }

    #[track_caller]
    fn check(&self, what: &str, value: u64, range: impl RangeBounds<u64> + Debug) -> &Self {
        assert!(range.contains(&value), "{value} {what}, not {range:?}: {self:?}");
        self
    }
}

/// Runs `work` and tells what the calling thread allocated and freed meanwhile. What other
/// threads do, those that `work` starts included, is not in it: a block that goes to another
/// thread to be freed counts as left. May be nested.
///
/// # Panics
/// When no [`TracingAllocator`](super::TracingAllocator) is installed: nothing would be
/// measured.
pub fn measure<R>(work: impl FnOnce() -> R) -> (R, Measured) {
    assert_installed();
    let running = Running::begin();
    let result = work();
    (result, running.end())
}

/// Runs `work` and tells what the whole process allocated and freed meanwhile, from the exact
/// figures of the session. Tracing is turned on for it if it is off, and the session's peak is
/// reset. Blocks from before a start that are freed meanwhile count as freed, but do not lower
/// what the peak rises from.
///
/// # Panics
/// When no [`TracingAllocator`](super::TracingAllocator) is installed, or it stepped aside; or
/// when another `measure_process` is under way.
pub fn measure_process<R>(work: impl FnOnce() -> R) -> (R, Measured) {
    static UNDER_WAY: AtomicBool = AtomicBool::new(false);
    let books = Books::open().expect("a memtop_probe::TracingAllocator is installed and counts");
    assert!(!UNDER_WAY.swap(true, Acquire), "another measure_process is under way");
    let _under_way = OnDrop(|| UNDER_WAY.store(false, Release));
    let was_tracing = control::is_tracing(books.header());
    start();
    let _tracing = OnDrop(move || {
        if !was_tracing {
            stop();
        }
    });
    reset_peak();
    let before = Totals::of(&books);
    let result = work();
    let measured = Totals::of(&books).since(&before);
    (result, measured)
}

/// The session's figures at one moment.
struct Totals {
    figures: Figures,
    untracked_frees: u64,
    untracked_bytes: u64,
    peak: u64,
    peak_error: u64,
}

impl Totals {
    fn of(books: &Books) -> Totals {
        let memory = traced_memory();
        Totals {
            untracked_frees: books.sum(|slot| &slot.untracked_frees, |base| &base.untracked_frees),
            untracked_bytes: books.sum(|slot| &slot.untracked_bytes, |base| &base.untracked_bytes),
            figures: books.figures(),
            peak: memory.map_or(0, |memory| memory.peak),
            peak_error: memory.map_or(0, |memory| memory.peak_error),
        }
    }

    fn since(&self, before: &Totals) -> Measured {
        let (now, then) = (&self.figures, &before.figures);
        let allocations = now.allocations.wrapping_sub(then.allocations);
        let allocated_bytes = now.allocated_bytes.wrapping_sub(then.allocated_bytes);
        let untracked = self.untracked_frees.wrapping_sub(before.untracked_frees);
        let untracked_bytes = self.untracked_bytes.wrapping_sub(before.untracked_bytes);
        let frees = now.frees.wrapping_sub(then.frees).wrapping_add(untracked);
        let freed_bytes =
            now.freed_bytes.wrapping_sub(then.freed_bytes).wrapping_add(untracked_bytes);
        Measured {
            allocations,
            allocated_bytes,
            frees,
            freed_bytes,
            peak_bytes: self.peak.saturating_sub(then.current_bytes),
            peak_error: self.peak_error,
            left_blocks: allocations.wrapping_sub(frees) as i64,
            left_bytes: allocated_bytes.wrapping_sub(freed_bytes) as i64,
        }
    }
}

/// What one thread did while it was measured; counts on over nested measurements.
struct Tally {
    /// Measurements that run on this thread.
    depth: Cell<u32>,
    allocations: Cell<u64>,
    allocated_bytes: Cell<u64>,
    frees: Cell<u64>,
    freed_bytes: Cell<u64>,
    /// Highest allocated − freed bytes of the innermost measurement.
    peak: Cell<i64>,
}

impl Tally {
    const fn new() -> Tally {
        Tally {
            depth: Cell::new(0),
            allocations: Cell::new(0),
            allocated_bytes: Cell::new(0),
            frees: Cell::new(0),
            freed_bytes: Cell::new(0),
            peak: Cell::new(0),
        }
    }

    fn live(&self) -> i64 {
        self.allocated_bytes.get().wrapping_sub(self.freed_bytes.get()) as i64
    }

    fn allocate(&self, size: usize) {
        add(&self.allocations, 1);
        add(&self.allocated_bytes, size as u64);
        self.peak.set(self.peak.get().max(self.live()));
    }

    fn release(&self, size: usize) {
        add(&self.frees, 1);
        add(&self.freed_bytes, size as u64);
    }
}

fn add(sum: &Cell<u64>, value: u64) {
    sum.set(sum.get().wrapping_add(value));
}

thread_local! {
    // Const and without a destructor: reading it neither allocates nor fails.
    static TALLY: Tally = const { Tally::new() };
}

fn note(change: impl FnOnce(&Tally)) {
    TALLY.with(|tally| {
        if tally.depth.get() != 0 {
            change(tally);
        }
    });
}

/// Notes an allocation for a measurement; false when the hook is not to see it.
#[cold]
pub(super) fn noted_allocation(size: usize) -> bool {
    note(|tally| tally.allocate(size));
    SPECIAL.load(Relaxed) & ASIDE == 0
}

/// Notes a release for a measurement; false when the hook is not to see it.
#[cold]
pub(super) fn noted_release(size: usize) -> bool {
    note(|tally| tally.release(size));
    SPECIAL.load(Relaxed) & ASIDE == 0
}

/// Notes a realloc that succeeded.
#[cold]
pub(super) fn note_move(old: usize, new: usize) {
    note(|tally| {
        tally.release(old);
        tally.allocate(new);
    });
}

/// A measurement of this thread, from [`Running::begin`] until it is dropped.
struct Running {
    before: [u64; 4],
    live: i64,
    outer_peak: i64,
}

impl Running {
    fn begin() -> Running {
        SPECIAL.fetch_add(1, AcqRel);
        TALLY.with(|tally| {
            tally.depth.set(tally.depth.get() + 1);
            let live = tally.live();
            Running { before: counts(tally), live, outer_peak: tally.peak.replace(live) }
        })
    }

    fn end(self) -> Measured {
        TALLY.with(|tally| {
            let now = counts(tally);
            let [allocations, allocated_bytes, frees, freed_bytes] =
                core::array::from_fn(|index| now[index].wrapping_sub(self.before[index]));
            Measured {
                allocations,
                allocated_bytes,
                frees,
                freed_bytes,
                peak_bytes: tally.peak.get().saturating_sub(self.live) as u64,
                peak_error: 0,
                left_blocks: allocations.wrapping_sub(frees) as i64,
                left_bytes: allocated_bytes.wrapping_sub(freed_bytes) as i64,
            }
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        SPECIAL.fetch_sub(1, AcqRel);
        TALLY.with(|tally| {
            tally.depth.set(tally.depth.get() - 1);
            tally.peak.set(tally.peak.get().max(self.outer_peak));
        });
    }
}

fn counts(tally: &Tally) -> [u64; 4] {
    [&tally.allocations, &tally.allocated_bytes, &tally.frees, &tally.freed_bytes].map(Cell::get)
}

/// An allocation that is not seen shows that nobody looks.
fn assert_installed() {
    let running = Running::begin();
    drop(core::hint::black_box(Box::new(0u8)));
    let seen = running.end().allocations;
    assert!(seen != 0, "no memtop_probe::TracingAllocator is the #[global_allocator]");
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
