//! Memory budgets, from tests that run beside each other as `cargo test` runs them.

use std::{hint::black_box, panic, thread};

use memtop_probe::{Measured, TracingAllocator, measure};

#[global_allocator]
static ALLOCATOR: TracingAllocator = TracingAllocator::system();

#[test]
fn a_measurement_tells_what_was_allocated() {
    for _ in 0..200 {
        let (kept, used) = measure(|| {
            drop(black_box(vec![1u8; 1000]));
            let mut grown = Vec::<u8>::with_capacity(100);
            grown.reserve_exact(300);
            grown
        });
        let expected = Measured {
            allocations: 3,
            allocated_bytes: 1400,
            frees: 2,
            freed_bytes: 1100,
            peak_bytes: 1000,
            peak_error: 0,
            left_blocks: 1,
            left_bytes: 300,
        };
        assert_eq!(used, expected);
        assert_eq!(kept.capacity(), 300);
    }
}

#[test]
fn nothing_is_nothing() {
    let ((), used) = measure(|| ());
    assert_eq!(used, Measured::default());
    used.assert_allocations(..=0).assert_allocated_bytes(..=0).assert_nothing_left();
}

#[test]
fn what_other_threads_do_is_not_in_it() {
    let busy: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| (0..20_000).for_each(|_| drop(black_box(Box::new([0u8; 64]))))))
        .collect();
    for _ in 0..1000 {
        let (_, used) = measure(|| black_box(Box::new(7u64)));
        assert_eq!((used.allocations, used.allocated_bytes), (1, 8));
    }
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_measurement_inside_another_belongs_to_both() {
    let ((inner, _), outer) = measure(|| {
        let before = black_box(Box::new([0u8; 500]));
        let ((), inner) = measure(|| drop(black_box(vec![0u8; 100])));
        drop(black_box(vec![0u8; 40]));
        (inner, before)
    });
    assert_eq!((inner.allocations, inner.peak_bytes, inner.left_bytes), (1, 100, 0));
    // Beside these, `measure` looks whether it is seen, with a block of its own.
    assert_eq!((outer.allocations, outer.peak_bytes, outer.left_blocks), (4, 600, 1));
}

#[test]
fn blocks_of_before_that_are_freed_show_below_zero() {
    let before = black_box(vec![0u8; 90]);
    let ((), used) = measure(|| drop(before));
    assert_eq!((used.left_blocks, used.left_bytes, used.peak_bytes), (-1, -90, 0));
}

#[test]
fn a_panic_ends_its_measurement() {
    let outcome = panic::catch_unwind(|| measure(|| panic::resume_unwind(Box::new(1))));
    assert!(outcome.is_err());
    let ((), used) = measure(|| ());
    assert_eq!(used, Measured::default());
}

#[test]
#[should_panic(expected = "2 allocations, not ..=1")]
fn a_budget_that_is_exceeded_fails_the_test() {
    let (_, used) = measure(|| (black_box(Box::new(1)), black_box(Box::new(2))));
    used.assert_allocations(..=1);
}

#[test]
#[should_panic(expected = "1 blocks with 4 bytes are left")]
fn what_is_left_fails_the_test() {
    let (_left, used) = measure(|| black_box(Box::new(1u32)));
    used.assert_nothing_left();
}
