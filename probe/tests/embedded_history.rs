//! Random histories through the embedded allocator, against the naive model. The allocator
//! under test is not the global one, so it sees the history's blocks and no others.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout},
    collections::HashMap,
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use memtop_probe::{
    TracingAllocator, clear, reset_peak, start, statistics, stop, traced_memory, untracked_frees,
};
use proptest::prelude::*;
use support::{Totals, model::Model};

static TRACED: TracingAllocator = TracingAllocator::system();

const MAIN: u32 = 0;
const OTHER: u32 = 1;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Allocate { at: u64, layout: Layout, zeroed: bool },
    Resize { at: u64, size: usize },
    Release { at: u64 },
    ReleaseElsewhere { at: u64 },
    SetTracing(bool),
    Clear,
    ResetPeak,
    Check,
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 1..600usize,
        4 => 600..100_000usize,
        2 => (1usize << 20) - 40..(1 << 20) + 40,
        1 => 1usize << 21..3 << 20,
    ]
}

fn layout() -> impl Strategy<Value = Layout> {
    (size(), 0..13u32).prop_map(|(size, power)| Layout::from_size_align(size, 1 << power).unwrap())
}

fn step(threads: bool) -> impl Strategy<Value = Step> {
    let at = || 0..12u64;
    prop_oneof![
        10 => (at(), layout(), any::<bool>())
            .prop_map(|(at, layout, zeroed)| Step::Allocate { at, layout, zeroed }),
        7 => (at(), size()).prop_map(|(at, size)| Step::Resize { at, size }),
        // A size that nobody has: the block stays where it is.
        1 => at().prop_map(|at| Step::Resize { at, size: isize::MAX as usize / 2 }),
        7 => at().prop_map(|at| Step::Release { at }),
        3 => at().prop_map(move |at| {
            if threads { Step::ReleaseElsewhere { at } } else { Step::Release { at } }
        }),
        2 => any::<bool>().prop_map(Step::SetTracing),
        1 => Just(Step::Clear),
        1 => Just(Step::ResetPeak),
        2 => Just(Step::Check),
    ]
}

/// A block of the history.
struct Block(*mut u8, Layout);

// SAFETY: the one pointer to the block goes with it.
unsafe impl Send for Block {}

impl Block {
    fn release(self) {
        // SAFETY: allocated by TRACED with this layout, and nobody else has it.
        unsafe { TRACED.dealloc(self.0, self.1) };
    }

    /// Whether the first byte is what was written, and the address as asked.
    fn check(&self) {
        assert_eq!(self.0.addr() % self.1.align(), 0);
        // SAFETY: blocks have at least one byte, written by `fill`.
        assert_eq!(unsafe { self.0.read() }, self.1.align().trailing_zeros() as u8 + 1);
    }

    fn fill(&self) {
        // SAFETY: blocks have at least one byte.
        unsafe { self.0.write(self.1.align().trailing_zeros() as u8 + 1) };
    }
}

/// Frees what it is sent, one at a time.
struct OtherThread {
    orders: Sender<Block>,
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

impl OtherThread {
    fn start() -> OtherThread {
        let (orders, received) = channel::<Block>();
        let (told, done) = channel();
        let thread = std::thread::spawn(move || {
            for block in received {
                block.release();
                told.send(()).unwrap();
            }
        });
        OtherThread { orders, done, thread }
    }

    fn end(self) {
        drop(self.orders);
        self.thread.join().unwrap();
    }
}

struct Harness {
    model: Model,
    blocks: HashMap<u64, Block>,
    other: Option<OtherThread>,
    /// The process has never had a second thread.
    alone: bool,
}

impl Harness {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Allocate { at, layout, zeroed } => self.allocate(at, layout, zeroed),
            Step::Resize { at, size } => self.resize(at, size),
            Step::Release { at } => {
                let Some(block) = self.blocks.remove(&at) else { return };
                block.check();
                block.release();
                self.model.release(MAIN, at);
            }
            Step::ReleaseElsewhere { at } => self.release_elsewhere(at),
            Step::SetTracing(on) => {
                assert!(if on { start() } else { stop() });
                self.model.tracing = on;
            }
            Step::Clear => {
                assert!(clear());
                self.model.clear();
            }
            Step::ResetPeak => {
                assert!(reset_peak());
                self.model.reset_peak();
            }
            Step::Check => self.check(),
        }
    }

    fn allocate(&mut self, at: u64, layout: Layout, zeroed: bool) {
        if self.blocks.contains_key(&at) {
            return;
        }
        // SAFETY: layouts have a size.
        let block =
            unsafe { if zeroed { TRACED.alloc_zeroed(layout) } else { TRACED.alloc(layout) } };
        assert!(!block.is_null());
        if zeroed {
            // SAFETY: the block has that many initialised bytes.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            let (head, tail) = bytes.split_at(bytes.len().min(4096));
            assert!(
                head.iter().all(|&byte| byte == 0) && tail.last().is_none_or(|&byte| byte == 0)
            );
        }
        let size = layout.size() as u64;
        self.model.allocate(MAIN, at, size, size);
        let block = Block(block, layout);
        block.fill();
        self.blocks.insert(at, block);
    }

    fn resize(&mut self, at: u64, size: usize) {
        let Some(block) = self.blocks.get_mut(&at) else { return };
        // SAFETY: the block and its layout; the size does not overflow when rounded up.
        let new = unsafe { TRACED.realloc(block.0, block.1, size) };
        if !new.is_null() {
            *block = Block(new, Layout::from_size_align(size, block.1.align()).unwrap());
            self.model.resize(MAIN, at, size as u64, size as u64);
        }
        block.check();
    }

    fn release_elsewhere(&mut self, at: u64) {
        let Some(block) = self.blocks.remove(&at) else { return };
        let other = self.other.get_or_insert_with(OtherThread::start);
        other.orders.send(block).unwrap();
        other.done.recv().unwrap();
        self.alone = false;
        self.model.release(OTHER, at);
    }

    fn check(&self) {
        let seen = statistics().expect("the allocator is at work");
        self.model.check(&seen, self.alone);
        let memory = traced_memory().unwrap();
        let (_, live) = Totals::of(&seen).live();
        assert_eq!((memory.current, memory.peak), (live, seen.peak_bytes));
        assert_eq!(memory.peak_error, seen.peak_error_bytes);
        let untracked = untracked_frees().unwrap();
        assert_eq!(
            (untracked.frees, untracked.bytes),
            (seen.untracked_frees, seen.untracked_bytes)
        );
    }

    /// From nothing, with the figures at zero.
    fn play(steps: &[Step], threads: bool) {
        // SAFETY: the layout has a size, and the block is released with it.
        unsafe { TRACED.dealloc(TRACED.alloc(Layout::new::<u64>()), Layout::new::<u64>()) };
        assert!(stop() && clear());
        let (model, blocks) = (Model::default(), HashMap::new());
        let mut harness = Harness { model, blocks, other: None, alone: !threads };
        steps.iter().for_each(|step| harness.step(step));
        harness.check();
        stop();
        harness.blocks.into_values().for_each(Block::release);
        if let Some(other) = harness.other {
            other.end();
        }
    }
}

// One test: the session is the process's, and its first histories are of one thread only.
#[test]
fn every_history_is_counted_as_the_model_counts_it() {
    let cases = if std::env::var_os("MEMTOP_TEST_ALL").is_some() { 10_000 } else { 1000 };
    for threads in [false, true] {
        let config = ProptestConfig {
            cases: if threads { cases / 10 } else { cases },
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        proptest!(config, |(steps in prop::collection::vec(step(threads), 1..150))| {
            Harness::play(&steps, threads);
        });
    }
}
