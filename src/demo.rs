//! The program behind `memtop demo`: an ordinary traced child that does, in about twenty
//! seconds, all that a heap is known for, and says on its terminal what it is doing.
//!
//! Tracing starts while it runs, at [`START`]: what it built before then is freed afterwards,
//! which a tracer that only knows its own window would show as growth. The sizes are such
//! that glibc adds no slack, so that requested and usable bytes tell the same story.

use std::{
    hint::black_box,
    io::{self, IsTerminal, Write},
    thread,
    time::{Duration, Instant},
};

/// When tracing starts: the first act is over.
pub const START: Duration = Duration::from_millis(3500);

/// How long after that nothing happens: who traces is another process, and may be late.
const SURELY_STARTED: Duration = Duration::from_millis(300);

/// Steps an act is cut into.
const STEPS: u32 = 60;

type Block = Box<[u8]>;

/// A new block. Not a function, so that its caller is where it comes from.
#[collapse_debuginfo(yes)]
macro_rules! block {
    ($size:expr) => {
        black_box(vec![1_u8; $size].into_boxed_slice())
    };
}

// One function for each act, so that each has a site with a name.

#[inline(never)]
fn old_block() -> Block {
    block!(56)
}

#[inline(never)]
fn replacement() -> Block {
    block!(56)
}

#[inline(never)]
fn cache_entry() -> Block {
    block!(4088)
}

#[inline(never)]
fn short_lived(size: usize) -> Block {
    block!(size)
}

#[inline(never)]
fn leaked_request() -> Block {
    block!(200)
}

/// Plays all acts.
pub fn play() {
    let mut story =
        Story { began: Instant::now(), old: Vec::new(), cache: Vec::new(), leak: Vec::new() };
    story.before_tracing();
    story.replace();
    story.grow_and_shrink();
    story.churn();
    story.leak();
    story.say("The end. What the leak holds was never given back: see what grew, by size.");
    // What is still held stays held: the report shows it as the surviving blocks it is.
    std::mem::forget(story);
}

struct Story {
    began: Instant,
    old: Vec<Block>,
    cache: Vec<Block>,
    leak: Vec<Block>,
}

impl Story {
    fn say(&self, text: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut out = io::stdout();
        let (bold, plain) = if out.is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        // A terminal that went away is no reason to stop.
        let _ = writeln!(out, "{bold}{seconds:5.1} s{plain}  {text}");
    }

    fn before_tracing(&mut self) {
        self.say("Building 32 MiB in 600,000 blocks of 56 B. Nobody is tracing yet.");
        self.old.reserve_exact(600_000);
        paced(Duration::from_secs(3), || self.old.extend((0..10_000).map(|_| old_block())));
        thread::sleep(START.saturating_sub(self.began.elapsed()));
        self.say("Tracing starts. Now every block is replaced by one of the same size:");
        self.say("32 MiB are allocated and 32 MiB from before the start are freed. Net: nothing.");
        thread::sleep(SURELY_STARTED);
    }

    fn replace(&mut self) {
        let each = self.old.len().div_ceil(STEPS as usize);
        let mut next = 0;
        paced(Duration::from_secs(3), || {
            let end = (next + each).min(self.old.len());
            for place in &mut self.old[next..end] {
                *place = replacement();
            }
            next = end;
        });
    }

    fn grow_and_shrink(&mut self) {
        self.say("A cache fills with 24 MiB in blocks of 4,088 B ...");
        paced(Duration::from_secs(3), || self.cache.extend((0..102).map(|_| cache_entry())));
        self.say("... and gives two thirds of them back.");
        let keep = self.cache.len() / 3;
        let each = (self.cache.len() - keep).div_ceil(STEPS as usize);
        paced(Duration::from_secs(2), || {
            self.cache.truncate(self.cache.len().saturating_sub(each).max(keep))
        });
    }

    fn churn(&self) {
        self.say("Churn: millions of short-lived blocks, and the live line does not move.");
        paced(Duration::from_secs(3), || {
            for size in (0..20_000).map(|n| 16 + n % 500) {
                drop(short_lived(size));
            }
        });
    }

    fn leak(&mut self) {
        self.say("A leak: 200 B for every request, 16 MiB in all, never freed.");
        paced(Duration::from_secs(4), || self.leak.extend((0..1_398).map(|_| leaked_request())));
    }
}

/// Does a step sixty times, evenly over a span.
fn paced(span: Duration, mut step: impl FnMut()) {
    let began = Instant::now();
    for number in 1..=STEPS {
        step();
        let due = span * number / STEPS;
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
}
