//! The tracing window of a Rust program whose global allocator is the tracing one: late start,
//! stop, clear and peaks, each figure exact. The process is this test's alone, and has one
//! thread until the last part.

use std::{fs, os::unix::fs::MetadataExt, thread};

use memtop_probe::{
    TracedMemory, TracingAllocator, UntrackedFrees, clear, is_tracing, measure, measure_process,
    reset_peak,
    session::{layout::entry, memory::NAME, reader::Reader},
    start, statistics, stop, traced_memory, tracer_memory, untracked_frees,
};

#[global_allocator]
static ALLOCATOR: TracingAllocator = TracingAllocator::system();

fn main() {
    paused_until_started();
    late_start();
    stop_keeps_what_is_traced();
    clear_starts_over();
    peaks();
    others_find_the_session();
    measurements_of_the_process();
    println!("embedded window: all right");
}

fn current() -> u64 {
    traced_memory().unwrap().current
}

fn paused_until_started() {
    assert!(!is_tracing());
    let block = std::hint::black_box(vec![0u8; 1000]);
    assert_eq!(traced_memory(), Some(TracedMemory { current: 0, peak: 0, peak_error: 0 }));
    drop(block);
    assert_eq!(untracked_frees(), Some(UntrackedFrees { frees: 0, bytes: 0 }));
}

/// A million blocks, then tracing, then each replaced by another of its size.
fn late_start() {
    const BLOCKS: usize = 1_000_000;
    let mut blocks: Vec<Box<[u8; 32]>> = (0..BLOCKS).map(|_| Box::new([1; 32])).collect();
    assert!(start() && is_tracing());
    for block in &mut blocks {
        *block = std::hint::black_box(Box::new([2; 32]));
    }
    let untracked = untracked_frees().unwrap();
    assert_eq!((untracked.frees, untracked.bytes), (BLOCKS as u64, 32 * BLOCKS as u64));
    let memory = traced_memory().unwrap();
    assert_eq!(memory.current, untracked.bytes, "net is nothing");
    // Each new block is there before the old one goes, but the old ones are not on the books.
    assert_eq!((memory.peak, memory.peak_error), (32 * BLOCKS as u64, 0));
    assert!(tracer_memory() > 8 * BLOCKS as u64, "a word for each 16 bytes");
    blocks.clear();
    assert_eq!(current(), 0);
    // The table itself is from before the start.
    drop(blocks);
    let table = 8 * BLOCKS as u64;
    let untracked = untracked_frees().unwrap();
    assert_eq!(untracked.frees, BLOCKS as u64 + 1);
    assert!(untracked.bytes >= 32 * BLOCKS as u64 + table);
}

fn stop_keeps_what_is_traced() {
    let mut traced = vec![1u8; 100];
    assert!(stop() && !is_tracing());
    let other = vec![1u8; 50];
    assert_eq!(current(), 100);
    traced.reserve_exact(900);
    assert_eq!(current(), traced.capacity() as u64, "its growth is still seen");
    let before = untracked_frees();
    drop((traced, other));
    assert_eq!(current(), 0);
    assert_eq!(untracked_frees(), before, "nothing is untracked while paused");
    assert!(start());
}

fn clear_starts_over() {
    let old = vec![1u8; 70];
    assert!(clear());
    assert_eq!(traced_memory(), Some(TracedMemory { current: 0, peak: 0, peak_error: 0 }));
    assert_eq!(untracked_frees(), Some(UntrackedFrees { frees: 0, bytes: 0 }));
    let new = vec![1u8; 30];
    drop(old);
    assert_eq!(untracked_frees(), Some(UntrackedFrees { frees: 1, bytes: 70 }));
    assert_eq!(current(), 30);
    drop(new);
}

fn peaks() {
    assert!(reset_peak());
    drop(std::hint::black_box(vec![1u8; 5000]));
    assert_eq!(traced_memory().unwrap().peak, 5000);
    let kept = vec![1u8; 200];
    assert!(reset_peak());
    assert_eq!(traced_memory().unwrap().peak, 200);
    drop(std::hint::black_box(vec![1u8; 300]));
    assert_eq!(traced_memory().unwrap().peak, 500);
    drop(kept);
}

/// As memtop does: by the name behind one of the process's descriptors.
fn others_find_the_session() {
    let name = format!("/memfd:{} (deleted)", NAME.to_str().unwrap());
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
    let (number, inode) = descriptors
        .filter(|entry| {
            fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == name.as_str())
        })
        .map(|entry| (entry.file_name(), fs::metadata(entry.path()).unwrap().ino()))
        .next()
        .expect("the session's descriptor is open");
    let number: i32 = number.to_str().unwrap().parse().unwrap();
    assert!(number >= 1000, "the low numbers are the program's");
    // SAFETY: F_GETFD only asks.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    assert!(inode != 0);
    let reader = Reader::open(number).expect("session memory");
    let seen = reader.read(0).expect("a session");
    assert_eq!((seen.entry, seen.pid), (entry::EMBEDDED, std::process::id()));
    let arguments: Vec<_> = std::env::args().map(String::into_bytes).collect();
    assert_eq!(seen.command, arguments);
    assert_eq!(statistics().unwrap().command, arguments);
}

fn measurements_of_the_process() {
    let work = || {
        let threads: Vec<_> = (0..4)
            .map(|_| thread::spawn(|| drop(std::hint::black_box(vec![1u8; 100_000]))))
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        vec![1u8; 777]
    };
    // The first threads leave something behind in the standard library.
    work();
    let (kept, all) = measure_process(work);
    assert_eq!((all.left_blocks, all.left_bytes), (1, 777));
    assert!(all.allocated_bytes >= 400_777, "{all:?}");
    assert!(all.peak_bytes + all.peak_error >= 100_000, "{all:?}");
    let (_, own) = measure(work);
    assert!(own.allocated_bytes < 100_000, "of this thread alone: {own:?}");
    drop(kept);
    stop();
    let (_, all) = measure_process(|| drop(std::hint::black_box(vec![1u8; 40])));
    all.assert_allocations(1..=1).assert_nothing_left();
    assert!(!is_tracing(), "as it was");
}
