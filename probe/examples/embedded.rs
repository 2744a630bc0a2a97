//! A program that carries the tracing allocator and watches itself. While it runs, `memtop`
//! in another terminal finds it by its session.
//!
//!     cargo run -p memtop-probe --example embedded

use std::collections::BTreeMap;

use memtop_probe::TracingAllocator;

#[global_allocator]
static ALLOCATOR: TracingAllocator = TracingAllocator::system();

fn main() {
    let before: Vec<String> = (0..1000).map(|number| format!("early {number}")).collect();
    memtop_probe::start();
    let words: BTreeMap<usize, String> =
        (0..1000).map(|number| (number, format!("late {number}"))).collect();
    report("built");
    drop(before);
    report("what was there before the start is freed");
    drop(words);
    report("everything is freed");
    let (_, used) = memtop_probe::measure(|| "a line\n".repeat(1000));
    println!("one line repeated: {used:?}");
}

fn report(moment: &str) {
    let Some(memory) = memtop_probe::traced_memory() else { return println!("not traced") };
    let untracked = memtop_probe::untracked_frees().map_or(0, |untracked| untracked.bytes);
    println!(
        "{moment}: {} bytes traced, {} at most, {untracked} bytes freed of before",
        memory.current, memory.peak
    );
}
