//! A real Rust program with the embedded allocator, traced from its first allocation, against
//! a counting allocator around it that the program trusts: every figure the same.

#[path = "../../tests/programs/rustapp.rs"]
mod rustapp;

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use memtop_probe::{
    TracingAllocator,
    session::reader::{ClassReading, SessionReading},
    statistics, stop, tracer_memory,
};

/// Counts what passes to the allocator under test.
struct Counting(TracingAllocator);

#[global_allocator]
static ALLOCATOR: Counting = Counting(TracingAllocator::system().from_start());

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static REALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

fn count_allocation(size: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    let allocated = ALLOCATED.fetch_add(size as u64, Relaxed) + size as u64;
    PEAK.fetch_max(allocated - FREED.load(Relaxed), Relaxed);
}

fn count_release(size: usize) {
    FREES.fetch_add(1, Relaxed);
    FREED.fetch_add(size as u64, Relaxed);
}

// SAFETY: every call goes on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        // SAFETY: the caller's layout.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_allocation(layout.size());
        // SAFETY: the caller's layout.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count_release(layout.size());
        // SAFETY: the caller's block and layout.
        unsafe { self.0.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        REALLOCATIONS.fetch_add(1, Relaxed);
        count_release(layout.size());
        count_allocation(size);
        // SAFETY: the caller's arguments.
        unsafe { self.0.realloc(block, layout, size) }
    }
}

fn main() {
    let counted = || {
        [&ALLOCATIONS, &FREES, &REALLOCATIONS, &ALLOCATED, &FREED, &PEAK]
            .map(|counter| counter.load(Relaxed))
    };
    let sum = rustapp::run(2, 10_000);
    let expected = counted();
    // What taking the figures allocates is not among them.
    assert!(stop());
    let seen = statistics().expect("the allocator is at work");
    let total = |field: fn(&ClassReading) -> u64| seen.classes.iter().map(field).sum::<u64>();
    let figures = [
        total(|class| class.allocations),
        total(|class| class.frees),
        seen.reallocations,
        total(|class| class.allocated_bytes),
        total(|class| class.freed_bytes),
        seen.peak_bytes,
    ];
    assert_eq!(figures, expected);
    assert_eq!(at_peak(&seen), seen.peak_bytes as i64);
    assert_eq!((seen.untracked_frees, seen.lost_records, seen.unattributed), (0, 0, 0));
    assert!(expected[0] > 500_000, "{expected:?}");
    println!("rustapp {sum:x}: {figures:?} with {} KiB of tracer memory", tracer_memory() / 1024);
}

fn at_peak(seen: &SessionReading) -> i64 {
    seen.classes.iter().map(|class| class.peak_bytes).sum()
}
