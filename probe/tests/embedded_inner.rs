//! The embedded allocator over another one than the system's, and among many threads. It is
//! not the global one here, so that it sees the tests' blocks and no others; the tests share
//! its session, and so take turns.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::{Cell, UnsafeCell},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use memtop_probe::{TracingAllocator, clear, reset_peak, start, statistics, stop, traced_memory};
use support::Totals;

/// Packs blocks as tightly as their layouts permit, and remembers what it was asked.
struct Packed {
    memory: UnsafeCell<[u128; 4096]>,
    used: AtomicUsize,
    last_asked: Mutex<Option<(&'static str, Layout, usize)>>,
}

// SAFETY: every part of the memory is handed out once, by an atomic counter.
unsafe impl Sync for Packed {}

impl Packed {
    fn note(&self, call: &'static str, layout: Layout, size: usize) {
        *self.last_asked.lock().unwrap() = Some((call, layout, size));
    }

    fn cut(&self, layout: Layout) -> *mut u8 {
        let mut start = 0;
        let next = |used: usize| {
            start = used.next_multiple_of(layout.align());
            let end = start + layout.size();
            (end <= size_of::<[u128; 4096]>()).then_some(end)
        };
        if self.used.fetch_update(Relaxed, Relaxed, next).is_err() {
            return std::ptr::null_mut();
        }
        // SAFETY: the block lies within the memory.
        unsafe { self.memory.get().cast::<u8>().add(start) }
    }
}

// SAFETY: blocks are aligned, apart from each other, and live for ever.
unsafe impl GlobalAlloc for &Packed {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note("alloc", layout, 0);
        self.cut(layout)
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note("alloc_zeroed", layout, 0);
        self.cut(layout)
    }
    unsafe fn dealloc(&self, _: *mut u8, layout: Layout) {
        self.note("dealloc", layout, 0);
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.note("realloc", layout, size);
        if size <= layout.size() { block } else { std::ptr::null_mut() }
    }
}

static PACKED: Packed = Packed {
    memory: UnsafeCell::new([0; 4096]),
    used: AtomicUsize::new(0),
    last_asked: Mutex::new(None),
};
static OVER_PACKED: TracingAllocator<&Packed> = TracingAllocator::new(&PACKED);
static OVER_SYSTEM: TracingAllocator = TracingAllocator::system();

/// Waits for its turn; then everything is at zero, and tracing on.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // SAFETY: the layout has a size, and the block is released with it.
    unsafe { OVER_SYSTEM.dealloc(OVER_SYSTEM.alloc(Layout::new::<u64>()), Layout::new::<u64>()) };
    assert!(stop() && clear() && start());
    turn
}

#[test]
fn neighbours_of_eight_bytes_are_told_apart() {
    let _turn = turn();
    let before = statistics().unwrap().unattributed;
    let layout = Layout::from_size_align(8, 8).unwrap();
    // SAFETY: the layout has a size; each block is released once, with it.
    unsafe {
        let blocks: Vec<_> = (0..1000).map(|_| OVER_PACKED.alloc(layout)).collect();
        assert!(blocks.iter().all(|block| !block.is_null()));
        assert_eq!(traced_memory().unwrap().current, 8000);
        for block in blocks.iter().skip(1).step_by(2) {
            OVER_PACKED.dealloc(*block, layout);
        }
        assert_eq!(traced_memory().unwrap().current, 4000);
        for block in blocks.iter().step_by(2) {
            OVER_PACKED.dealloc(*block, layout);
        }
    }
    let seen = statistics().unwrap();
    let totals = Totals::of(&seen);
    assert_eq!((totals.allocations, totals.frees), (1000, 1000));
    assert_eq!(totals.live(), (0, 0));
    assert_eq!((seen.lost_records, seen.untracked_frees), (0, 0));
    assert_eq!(seen.unattributed, before, "a figure that no clear changes");
}

#[test]
fn an_address_that_is_no_multiple_of_eight_is_counted_as_unattributed() {
    let _turn = turn();
    let before = statistics().unwrap().unattributed;
    let layout = Layout::from_size_align(1, 1).unwrap();
    // SAFETY: the layout has a size.
    let blocks: Vec<_> = (0..64).map(|_| unsafe { OVER_PACKED.alloc(layout) }).collect();
    let odd = blocks.iter().filter(|block| block.addr() % 8 != 0).count() as u64;
    let seen = statistics().unwrap();
    assert_eq!(seen.unattributed - before, odd);
    assert_eq!(Totals::of(&seen).allocations, 64 - odd);
    assert_eq!(seen.lost_records, 0);
}

#[test]
fn the_inner_allocator_gets_every_call_as_it_came() {
    let _turn = turn();
    let asked = || PACKED.last_asked.lock().unwrap().take();
    let layout = Layout::from_size_align(48, 32).unwrap();
    // SAFETY: the layout has a size; the block is released once.
    unsafe {
        let block = OVER_PACKED.alloc(layout);
        assert_eq!(asked(), Some(("alloc", layout, 0)));
        assert!(OVER_PACKED.realloc(block, layout, 4000).is_null());
        assert_eq!(asked(), Some(("realloc", layout, 4000)));
        assert_eq!(traced_memory().unwrap().current, 48, "a failed realloc changes nothing");
        assert_eq!(OVER_PACKED.realloc(block, layout, 40), block);
        let smaller = Layout::from_size_align(40, 32).unwrap();
        OVER_PACKED.dealloc(block, smaller);
        assert_eq!(asked(), Some(("dealloc", smaller, 0)));
        let block = OVER_PACKED.alloc_zeroed(layout);
        assert_eq!(asked(), Some(("alloc_zeroed", layout, 0)));
        OVER_PACKED.dealloc(block, layout);
        let endless = Layout::from_size_align(1 << 40, 8).unwrap();
        assert!(OVER_PACKED.alloc(endless).is_null());
    }
    let seen = statistics().unwrap();
    let totals = Totals::of(&seen);
    assert_eq!((totals.allocations, totals.frees, seen.reallocations), (3, 3, 1));
}

/// A block that its thread frees in its very end, after the tracer's own clean-up or before.
struct AtEnd(Cell<Option<(*mut u8, Layout)>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        let Some((block, layout)) = self.0.take() else { return };
        // SAFETY: the thread's own block, and another that comes and goes.
        unsafe {
            OVER_SYSTEM.dealloc(block, layout);
            OVER_SYSTEM.dealloc(OVER_SYSTEM.alloc(layout), layout);
        }
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(Cell::new(None)) };
}

#[test]
fn threads_that_come_and_go_are_counted_exactly() {
    const ROUNDS: u64 = 60;
    const THREADS: u64 = 8;
    const BLOCKS: u64 = 500;
    static BYTES: AtomicU64 = AtomicU64::new(0);
    let _turn = turn();
    let layout = |size: u64| Layout::from_size_align(size as usize, 8).unwrap();
    for round in 0..ROUNDS {
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    // SAFETY: layouts have a size; blocks are released once, with theirs.
                    unsafe {
                        for turn in 0..BLOCKS {
                            let one = layout(1 + (turn * 37 + thread * 11 + round) % 5000);
                            OVER_SYSTEM.dealloc(OVER_SYSTEM.alloc(one), one);
                            BYTES.fetch_add(one.size() as u64, Relaxed);
                        }
                        let last = (OVER_SYSTEM.alloc(layout(100)), layout(100));
                        AT_END.with(|at_end| at_end.0.set(Some(last)));
                        BYTES.fetch_add(200, Relaxed);
                    }
                });
            }
        });
    }
    // The scope waits for the threads' work, not for their ends: those are waited for here.
    let expected = ROUNDS * THREADS * (BLOCKS + 2);
    let done = || Totals::of(&statistics().unwrap()).frees == expected;
    for _ in 0..1000 {
        if done() {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let seen = statistics().unwrap();
    let bytes = BYTES.load(Relaxed);
    let totals = Totals {
        allocations: expected,
        frees: expected,
        allocated_bytes: bytes,
        freed_bytes: bytes,
    };
    assert_eq!(Totals::of(&seen), totals);
    assert_eq!((seen.lost_records, seen.untracked_frees), (0, 0));
    assert!(seen.peak_bytes <= THREADS * 5100 + seen.peak_error_bytes, "{}", seen.peak_bytes);
}

#[test]
fn a_window_that_changes_under_threads_stays_consistent() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let _turn = turn();
    thread::scope(|scope| {
        for thread in 0..4usize {
            scope.spawn(move || churn_until(&STOP, thread));
        }
        for step in 0..300 {
            thread::sleep(Duration::from_micros(500));
            match step % 5 {
                0 | 3 => assert!(clear()),
                1 => assert!(stop()),
                _ => assert!(start()),
            }
        }
        STOP.store(true, Relaxed);
    });
    start();
    let seen = statistics().unwrap();
    for (class, figures) in seen.classes.iter().enumerate() {
        assert_eq!(figures.allocations, figures.frees, "size class {class}");
        assert_eq!(figures.allocated_bytes, figures.freed_bytes, "size class {class}");
    }
    assert_eq!(seen.usable_allocated, seen.usable_freed);
    assert_eq!(seen.lost_records, 0);
    // What the flushes of all these threads made of it: nothing is live, so a new peak is.
    let layout = Layout::from_size_align(50_000_000, 8).unwrap();
    assert!(reset_peak());
    // SAFETY: the layout has a size, and the block is released with it.
    unsafe { OVER_SYSTEM.dealloc(OVER_SYSTEM.alloc(layout), layout) };
    let memory = traced_memory().unwrap();
    let off = memory.peak.abs_diff(50_000_000);
    assert!(off <= memory.peak_error, "{memory:?}");
}

fn churn_until(stop: &AtomicBool, seed: usize) {
    let layout = |turn: usize| Layout::from_size_align(1 + turn * 37 % 9000, 8).unwrap();
    let mut window = [const { None }; 64];
    for turn in 0.. {
        let place = &mut window[(turn * 7 + seed) % 64];
        // SAFETY: layouts have a size; blocks are released once, with theirs.
        unsafe {
            if let Some((block, layout)) = place.take() {
                OVER_SYSTEM.dealloc(block, layout);
            }
            if stop.load(Relaxed) {
                break;
            }
            *place = Some((OVER_SYSTEM.alloc(layout(turn)), layout(turn)));
        }
    }
    for (block, layout) in window.into_iter().flatten() {
        // SAFETY: as above.
        unsafe { OVER_SYSTEM.dealloc(block, layout) };
    }
}
