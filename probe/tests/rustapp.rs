//! A real Rust program with the embedded allocator, traced from its first allocation, against
//! a counting allocator around it that the program trusts: every figure the same.

#[path = "../../tests/programs/counted.rs"]
mod counted;
#[path = "../../tests/programs/rustapp.rs"]
mod rustapp;

use memtop_probe::{
    TracingAllocator, session::reader::SessionReading, statistics, stop, tracer_memory,
};

#[global_allocator]
static ALLOCATOR: counted::Counting<TracingAllocator> =
    counted::Counting(TracingAllocator::system().from_start());

fn main() {
    let sum = rustapp::run(2, 10_000);
    let expected = counted::counted();
    // What taking the figures allocates is not among them.
    assert!(stop());
    let seen = statistics().expect("the allocator is at work");
    let figures = counted::seen(&seen);
    assert_eq!(figures, expected);
    assert_eq!(at_peak(&seen), seen.peak_bytes as i64);
    assert_eq!((seen.untracked_frees, seen.lost_records, seen.unattributed), (0, 0, 0));
    assert!(expected[0] > 500_000, "{expected:?}");
    println!("rustapp {sum:x}: {figures:?} with {} KiB of tracer memory", tracer_memory() / 1024);
}

fn at_peak(seen: &SessionReading) -> i64 {
    seen.classes.iter().map(|class| class.peak_bytes).sum()
}
