//! Where a program's own memory comes from, told by itself.

use std::hint::black_box;

use memtop_probe::{Frame, Snapshot, TracingAllocator, snapshot, start};

#[global_allocator]
static ALLOCATOR: TracingAllocator = TracingAllocator::system();

#[inline(never)]
fn keep_small(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| black_box(vec![1; 100])).collect()
}

#[inline(never)]
fn keep_large(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| black_box(vec![1; 5000])).collect()
}

/// Where the code of a function begins.
fn begin(function: fn(usize) -> Vec<Vec<u8>>) -> usize {
    function as usize
}

/// Whether a frame lies in one of the two functions: they are short, and may be neighbours.
fn lies_in(frame: &Frame, function: usize) -> bool {
    let others = [begin(keep_small), begin(keep_large)];
    let next = others.into_iter().filter(|other| *other > function).min();
    let end = next.unwrap_or(usize::MAX).min(function + 128);
    (function..end).contains(&(frame.address as usize))
}

fn bytes_under(snapshot: &Snapshot, function: usize) -> i64 {
    let under = snapshot.by(|frames| frames.iter().any(|frame| lies_in(frame, function)));
    under.get(&true).map_or(0, |usage| usage.bytes)
}

/// One test: the figures are of the whole process.
#[test]
fn a_test_can_say_which_site_broke_its_budget() {
    assert!(start());
    let before = snapshot().expect("stacks are captured");
    let small = keep_small(1000);
    let large = keep_large(10);
    let after = snapshot().expect("stacks are captured");
    let grown = after.since(&before);
    let (in_small, in_large) =
        (bytes_under(&grown, begin(keep_small)), bytes_under(&grown, begin(keep_large)));
    assert!((100_000..130_000).contains(&in_small), "{in_small}");
    assert!((50_000..51_000).contains(&in_large), "{in_large}");
    let this = std::env::current_exe().expect("a path");
    let name = this.file_name().and_then(|name| name.to_str()).expect("a name");
    let most = grown.sites.iter().max_by_key(|site| site.usage.bytes).expect("something grew");
    assert_eq!((most.usage.bytes, most.usage.blocks), (100_000, 1000));
    assert!(most.frames[0].to_string().starts_with(&format!("{name}+0x")), "{}", most.frames[0]);
    let modules = grown.by(|frames| frames.first().and_then(|frame| frame.module.clone()));
    assert!(modules.keys().flatten().any(|module| module.ends_with(name)));
    drop((small, large));
    let later = snapshot().expect("stacks are captured");
    let shrunk = later.since(&after);
    assert_eq!(bytes_under(&shrunk, begin(keep_large)), -in_large);
    assert_eq!(after.since(&after), Snapshot::default());
    let sum: i64 = later.by(|frames| frames.len()).values().map(|usage| usage.bytes).sum();
    assert_eq!(sum, later.total().bytes);
}
