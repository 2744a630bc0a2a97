//! What a Rust program asks of its allocator, counted around it: the truth that an embedded
//! allocator is held against.

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use memtop_probe::session::reader::{ClassReading, SessionReading};

/// Counts what passes to the allocator under test.
pub struct Counting<A>(pub A);

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static REALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

fn count_allocation(size: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    let allocated = ALLOCATED.fetch_add(size as u64, Relaxed) + size as u64;
    PEAK.fetch_max(allocated.saturating_sub(FREED.load(Relaxed)), Relaxed);
}

fn count_release(size: usize) {
    FREES.fetch_add(1, Relaxed);
    FREED.fetch_add(size as u64, Relaxed);
}

// SAFETY: every call goes on unchanged.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
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

/// Allocations, frees, reallocations, allocated and freed bytes, peak bytes (of one thread).
pub type Figures = [u64; 6];

/// Those that were counted here.
pub fn counted() -> Figures {
    [&ALLOCATIONS, &FREES, &REALLOCATIONS, &ALLOCATED, &FREED, &PEAK]
        .map(|counter| counter.load(Relaxed))
}

/// Those that the tracer has seen.
pub fn seen(reading: &SessionReading) -> Figures {
    let total = |field: fn(&ClassReading) -> u64| reading.classes.iter().map(field).sum::<u64>();
    [
        total(|class| class.allocations),
        total(|class| class.frees),
        reading.reallocations,
        total(|class| class.allocated_bytes),
        total(|class| class.freed_bytes),
        reading.peak_bytes,
    ]
}
