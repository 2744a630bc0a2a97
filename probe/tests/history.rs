//! Random histories through the preload library, step by step against the naive model: all
//! the C functions in all their corners, frees from another thread, stop, start and clear, with
//! stacks and without.

mod support;

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{ChildStdin, ChildStdout},
};

use memtop_probe::session::layout::FRAMES;
use proptest::prelude::*;
use support::{Guarded, Session, model::Model, program};

const MAIN: u32 = 0;
const OTHER: u32 = 1;

/// One step of a history. Slots are those of the program.
#[derive(Debug, Clone)]
enum Step {
    Malloc(u64, u64),
    Calloc(u64, u64, u64),
    Realloc(u64, u64),
    Reallocarray(u64, u64, u64),
    Aligned(u64, u32, u64),
    AlignedAlloc(u64, u32, u64),
    Free(u64),
    FreeElsewhere(u64),
    SetTracing(bool),
    Clear,
    Check,
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0u64),
        8 => 1..600u64,
        4 => 600..100_000u64,
        // Around what a shadow word holds by itself, and mappings of their own.
        2 => (1 << 20) - 40..(1u64 << 20) + 40,
        1 => 1u64 << 21..3 << 20,
        // Nobody has that much.
        1 => Just(i64::MAX as u64),
    ]
}

fn step(threads: bool) -> impl Strategy<Value = Step> {
    let slot = || 0..12u64;
    prop_oneof![
        8 => (slot(), size()).prop_map(|(at, size)| Step::Malloc(at, size)),
        3 => (slot(), 0..9u64, size()).prop_map(|(at, count, size)| Step::Calloc(at, count, size)),
        8 => (slot(), size()).prop_map(|(at, size)| Step::Realloc(at, size)),
        2 => (slot(), prop_oneof![0..9u64, Just(1 << 62)], size())
            .prop_map(|(at, count, size)| Step::Reallocarray(at, count, size)),
        3 => (slot(), 0..14u32, size()).prop_map(|(at, by, size)| Step::Aligned(at, by, size)),
        2 => (slot(), 3..14u32, size()).prop_map(|(at, by, size)| Step::AlignedAlloc(at, by, size)),
        8 => slot().prop_map(Step::Free),
        4 => slot().prop_map(move |at| if threads { Step::FreeElsewhere(at) } else { Step::Free(at) }),
        2 => any::<bool>().prop_map(Step::SetTracing),
        1 => Just(Step::Clear),
        2 => Just(Step::Check),
    ]
}

/// The program at work, and the model of it.
struct Harness {
    session: Session,
    child: Guarded,
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    model: Model,
    alone: bool,
}

/// What the program answers to an order.
struct Answer {
    after: u64,
    got: bool,
}

impl Harness {
    fn start(frames: u32) -> Harness {
        let session = Session::paused_with(frames);
        let mut child = Guarded::start(&mut session.command(program("history")));
        let input = child.0.stdin.take().unwrap();
        let answers = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let model = Model::default();
        let mut harness = Harness { session, child, input, answers, model, alone: true };
        // Its start is over, and nothing of that is counted: tracing is paused.
        harness.order("k 0");
        harness
    }

    fn order(&mut self, line: &str) -> Answer {
        writeln!(self.input, "{line}").expect("the program listens");
        let answer = self.answers.next().expect("an answer").expect("text");
        let mut fields = answer.split(' ').map(|field| field.parse::<u64>().expect("a number"));
        let _before = fields.next();
        Answer { after: fields.next().unwrap(), got: fields.next() == Some(1) }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Malloc(at, size) => self.allocate(at, &format!("m {at} {size}"), size),
            Step::Calloc(at, count, size) => {
                let product = count.wrapping_mul(size);
                self.allocate(at, &format!("c {at} {count} {size}"), product);
            }
            Step::Aligned(at, by, size) => {
                self.allocate(at, &format!("a {at} {} {size}", 1u64 << by), size);
            }
            Step::AlignedAlloc(at, by, size) => {
                self.allocate(at, &format!("A {at} {} {size}", 1u64 << by), size);
            }
            Step::Realloc(at, size) => self.resize(at, &format!("r {at} {size}"), Some(size)),
            Step::Reallocarray(at, count, size) => {
                let product = count.checked_mul(size);
                self.resize(at, &format!("R {at} {count} {size}"), product);
            }
            Step::Free(at) => {
                self.order(&format!("f {at}"));
                self.model.release(MAIN, at);
            }
            Step::FreeElsewhere(at) => self.free_elsewhere(at),
            Step::SetTracing(on) => {
                self.session.set_tracing(on);
                self.model.tracing = on;
            }
            Step::Clear => {
                self.session.clear();
                self.model.clear();
            }
            Step::Check => self.check(),
        }
    }

    fn allocate(&mut self, at: u64, order: &str, size: u64) {
        if self.model.holds(at) {
            return;
        }
        let answer = self.order(order);
        if answer.got {
            self.model.allocate(MAIN, at, size, answer.after);
        }
    }

    fn resize(&mut self, at: u64, order: &str, size: Option<u64>) {
        let answer = self.order(order);
        let Some(size) = size else { return assert!(!answer.got, "an overflow fails") };
        match (self.model.holds(at), answer.got) {
            (true, true) => self.model.resize(MAIN, at, size, answer.after),
            (false, true) => self.model.allocate(MAIN, at, size, answer.after),
            (true, false) if size == 0 => {
                self.model.release(MAIN, at);
            }
            (_, false) => {}
        }
    }

    /// The other thread begins with the first of these; its making is not the history's, so
    /// it happens while tracing is paused.
    fn free_elsewhere(&mut self, at: u64) {
        if self.alone {
            self.alone = false;
            self.session.set_tracing(false);
            self.order("t 63");
            self.session.set_tracing(self.model.tracing);
        }
        self.order(&format!("t {at}"));
        self.model.release(OTHER, at);
    }

    fn check(&mut self) {
        self.order("k 0");
        self.model.check(&self.session.reading(), self.alone);
    }

    fn finish(mut self) {
        self.check();
        drop(self.input);
        assert!(self.child.wait().success());
    }
}

fn cases() -> u32 {
    if std::env::var_os("MEMTOP_TEST_ALL").is_some() { 2000 } else { 150 }
}

fn play(steps: &[Step]) {
    for frames in [FRAMES, 0] {
        let mut harness = Harness::start(frames);
        steps.iter().for_each(|step| harness.step(step));
        harness.finish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn one_thread(steps in prop::collection::vec(step(false), 1..120)) {
        play(&steps);
    }

    #[test]
    fn two_threads(steps in prop::collection::vec(step(true), 1..120)) {
        play(&steps);
    }
}
