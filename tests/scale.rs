//! Programs with more stacks, sizes and threads than anyone has, under the real `memtop record`:
//! they end as untraced, what the tracer takes is bounded, sums are right, and a cap that is met
//! is marked. The larger forms run with `MEMTOP_LONG=1`.

mod end_to_end;

use std::{path::Path, process::Command};

use end_to_end::{Behaviour, Home, behaviour, is_long, programs::program, text};
use memtop::model::{ProcessState, SiteFigures};

const RECORD: [&str; 5] = ["record", "--quiet", "--force", "-o", "recording.memtop"];

/// `many_stacks` with so many levels, threads and sizes.
struct Shape(u32, u64, u64);

impl Shape {
    fn stacks(&self) -> u64 {
        1 << self.0
    }

    /// What each of its stacks allocates in a thread.
    fn bytes(&self) -> u64 {
        (16..16 + self.2).sum()
    }

    fn arguments(&self) -> [String; 3] {
        [self.0.to_string(), self.1.to_string(), self.2.to_string()]
    }
}

/// Runs it untraced and recorded, and returns what the recording knows of its process.
fn recorded(home: &Home, shape: &Shape, options: &[&str]) -> ProcessState {
    let mut command = home.memtop(RECORD.iter().chain(options).copied());
    command.arg("--").arg(program("many_stacks.c")).args(shape.arguments());
    let mut plain = home.command(program("many_stacks.c"));
    plain.args(shape.arguments());
    assert_eq!(told(command), told(plain), "the program does what it does untraced");
    opened(&home.path("recording.memtop"))
}

/// How a program ends and what it says, but for the time that it took.
fn told(command: Command) -> Behaviour {
    let found = behaviour(command, "");
    let (truth, _) = found.stdout.split_once("\"work_ns\"").expect("it says what it did");
    Behaviour { stdout: truth.to_owned(), ..found }
}

fn opened(path: &Path) -> ProcessState {
    let recording = memtop::recording::open(path).expect("it was recorded");
    assert!(!recording.cut);
    recording.tree.processes.into_iter().next().expect("there is a process")
}

fn sums(process: &ProcessState) -> SiteFigures {
    let mut sums = SiteFigures::default();
    process.sites.figures.iter().for_each(|figures| sums.add(figures));
    sums
}

/// Each stack of the shape is there once, with its blocks from all threads; and sites sum up to
/// the totals.
fn assert_complete(process: &ProcessState, shape: &Shape) {
    let Shape(_, threads, sizes) = *shape;
    let exactness = &process.exactness;
    let losses = (exactness.unattributed_blocks, exactness.dropped_events, exactness.lost_records);
    assert_eq!(losses, (0, 0, 0));
    let (all, totals) = (sums(process), &process.totals);
    assert_eq!(all.allocations, totals.allocations);
    assert_eq!(all.allocated_bytes, totals.allocated_bytes);
    assert_eq!(all.current_bytes, totals.current_bytes);
    let off = all.at_peak_bytes.abs_diff(totals.peak_bytes);
    assert!(off <= exactness.peak_error_bytes, "{off} of {}", exactness.peak_error_bytes);
    let own = |figures: &&SiteFigures| {
        let expected = (threads * sizes, threads * shape.bytes());
        (figures.allocations, figures.allocated_bytes) == expected && figures.current_blocks == 0
    };
    let chains = process.sites.figures.iter().filter(own).count() as u64;
    assert_eq!(chains, shape.stacks());
}

#[test]
fn a_thousand_stacks_of_a_thousand_sizes() {
    let (home, shape) = (Home::new(), Shape(10, 1, 1000));
    let process = recorded(&home, &shape, &[]);
    assert_complete(&process, &shape);
    assert!(process.exactness.tracer_bytes < 16 << 20, "{}", process.exactness.tracer_bytes);
}

/// A million of them, or a few less.
#[test]
fn a_million_stacks() {
    let (home, shape) = (Home::new(), Shape(if is_long() { 20 } else { 15 }, 1, 1));
    let process = recorded(&home, &shape, &[]);
    assert_complete(&process, &shape);
    let each = process.exactness.tracer_bytes / shape.stacks();
    assert!(each < 640, "{each} bytes a stack");
}

#[test]
fn a_thousand_threads_with_the_same_stacks() {
    let shape = if is_long() { Shape(14, 1000, 1) } else { Shape(8, 200, 1) };
    let home = Home::new();
    let process = recorded(&home, &shape, &[]);
    assert_complete(&process, &shape);
    let bytes = process.exactness.tracer_bytes;
    assert!(bytes < 64 * shape.1 * shape.stacks() + (64 << 20), "{bytes}");
}

/// Blocks that found no room are counted, to the last one.
#[test]
fn a_cap_that_is_met_is_kept_and_marked() {
    const CAP: u64 = 4 << 20;
    let (home, shape) = (Home::new(), Shape(16, 1, 4));
    let process = recorded(&home, &shape, &["--max-tracer-memory", "4M"]);
    let exactness = &process.exactness;
    assert!(exactness.tracer_bytes <= CAP, "{}", exactness.tracer_bytes);
    assert!(exactness.unattributed_blocks > 0);
    let blocks = process.totals.allocations;
    assert_eq!(sums(&process).allocations + exactness.unattributed_blocks, blocks);
    let own = shape.stacks() * shape.2;
    // The C library asks for some of its own where a thread begins.
    assert!((own..own + 100).contains(&blocks), "{blocks} of {own}");
    let report = home.memtop(["report", "recording.memtop"]).output().unwrap();
    let report = text(&report.stdout);
    assert!(report.contains("limit was met") && report.contains("≥ "), "{report}");
}

/// Also of blocks that cannot be followed it is known what was allocated, and what is left when
/// all is done.
#[test]
fn a_cap_leaves_what_was_allocated_and_the_net_right() {
    let figures = |options: &[&str]| {
        let home = Home::new();
        let mut command = home.memtop(RECORD.iter().chain(options).copied());
        command.arg("--").arg(program("grow.c")).arg("200000");
        assert_eq!(behaviour(command, "").status, 0);
        let report = home.report();
        ["totals.allocations", "totals.allocated_bytes", "untracked.net_bytes"].map(|path| {
            let value = path.split('.').fold(&report, |value, name| &value[name]);
            value.as_i64().expect(path)
        })
    };
    assert_eq!(figures(&["--max-tracer-memory", "1M"]), figures(&[]));
}
