//! What the tracer costs: nanoseconds of processor time for each pair of allocation and free.
//!
//!     cargo bench -p memtop-probe            about three minutes
//!     cargo bench -p memtop-probe -- 5       fewer rounds, for a look
//!
//! Runs are interleaved: a round runs every variant once, in changing order, and a variant's
//! cost in a round is its time less that of the untraced run of the same round. The table has
//! the median of the rounds and the interval that holds the median with 95 % confidence. All
//! processes are counted: the program's own time, and, with the feed, the reader's.
//!
//! Nothing is asserted here: a machine shared with others would make any limit a lie.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use memtop_probe::TracingAllocator;
use support::{Session, Truth, output, program};

#[path = "../../probe/tests/support/mod.rs"]
mod support;

/// A workload: program, arguments, and pairs it makes.
const WORKLOADS: [(&str, &[&str], u64); 5] = [
    ("churn", &["2000000"], 2_000_000),
    ("deep", &["1000000", "10"], 1_000_000),
    ("deep", &["1000000", "20"], 1_000_000),
    ("deep", &["1000000", "40"], 1_000_000),
    ("threads", &["400000", "4"], 1_600_000),
];

/// A way to run a workload.
struct Variant {
    name: &'static str,
    run: fn(&str, &[&str]) -> f64,
}

fn main() {
    // `cargo test --benches` runs benchmarks too, to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("run by cargo bench");
    }
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let rounds: usize = rounds.unwrap_or(15).max(1);
    match std::env::args().skip_while(|argument| argument != "--embedded").nth(1).as_deref() {
        Some("counting") => return measure_embedded("churn, counting", &COUNTING, rounds),
        Some(_) => return measure_embedded("churn, stacks", &WITH_STACKS, rounds),
        None => {}
    }
    let heaptrack = find_in_path("heaptrack");
    let mut variants = vec![
        Variant { name: "paused", run: paused },
        Variant { name: "counting", run: counting },
        Variant { name: "stacks", run: stacks },
        Variant { name: "stacks, feed read at 10 Hz", run: feeding },
    ];
    if heaptrack.is_some() {
        variants.push(Variant { name: "heaptrack (with its compressor)", run: under_heaptrack });
    }
    println!("Added nanoseconds of processor time a pair: median of {rounds} rounds [95 %].\n");
    println!("| workload | untraced | {} |", names(&variants));
    println!("|---|---|{}", "---|".repeat(variants.len()));
    for (name, arguments, pairs) in WORKLOADS {
        measure_programs(name, arguments, pairs as f64, &variants, rounds);
    }
    println!("\n| embedded | System | paused | traced |\n|---|---|---|---|");
    for kind in ["counting", "stacks"] {
        // A process has one session, so each kind has a process.
        let itself = std::env::current_exe().expect("the benchmark knows its file");
        let mut command = Command::new(itself);
        command.args(["--bench", "--embedded", kind, &rounds.to_string()]);
        assert!(command.status().is_ok_and(|status| status.success()), "the row is printed");
    }
}

fn names(variants: &[Variant]) -> String {
    variants.iter().map(|variant| variant.name).collect::<Vec<_>>().join(" | ")
}

fn measure_programs(
    name: &str,
    arguments: &[&str],
    pairs: f64,
    variants: &[Variant],
    rounds: usize,
) {
    let mut plain = Vec::new();
    let mut added = vec![Vec::new(); variants.len()];
    for round in 0..rounds {
        let mut times = vec![0.0; variants.len()];
        let base = untraced(name, arguments) / pairs;
        for step in 0..variants.len() {
            let index = (step + round) % variants.len();
            times[index] = (variants[index].run)(name, arguments) / pairs;
        }
        // Once more, so that a drift of the machine falls on both sides alike.
        let base = (base + untraced(name, arguments) / pairs) / 2.0;
        plain.push(base);
        for (added, time) in added.iter_mut().zip(times) {
            added.push(time - base);
        }
    }
    let cells: Vec<String> = added.into_iter().map(|sample| summary(sample, true)).collect();
    let depth = arguments.get(1).map(|of| format!(" {of}")).unwrap_or_default();
    println!("| {name}{depth} | {} | {} |", summary(plain, false), cells.join(" | "));
}

/// Median and the ranks around it that hold it with 95 % confidence.
fn summary(mut sample: Vec<f64>, signed: bool) -> String {
    sample.sort_by(f64::total_cmp);
    let count = sample.len() as f64;
    let half = 0.98 * count.sqrt();
    let at = |rank: f64| sample[(rank.max(0.0) as usize).min(sample.len() - 1)];
    let (low, median, high) = (
        at((count / 2.0 - half).floor()),
        at((count - 1.0) / 2.0),
        at((count / 2.0 + half).ceil()),
    );
    if signed {
        format!("{median:+.1} [{low:+.1}, {high:+.1}]")
    } else {
        format!("{median:.1} [{low:.1}, {high:.1}]")
    }
}

fn untraced(name: &str, arguments: &[&str]) -> f64 {
    work_ns(Command::new(program(name)).args(arguments))
}

fn paused(name: &str, arguments: &[&str]) -> f64 {
    let session = Session::paused();
    work_ns(session.command(program(name)).args(arguments))
}

fn counting(name: &str, arguments: &[&str]) -> f64 {
    let session = Session::traced_with(0);
    work_ns(session.command(program(name)).args(arguments))
}

fn stacks(name: &str, arguments: &[&str]) -> f64 {
    let session = Session::traced();
    work_ns(session.command(program(name)).args(arguments))
}

/// The reader's time counts as well: it is this process, less what it does without a feed.
fn feeding(name: &str, arguments: &[&str]) -> f64 {
    let session = Session::with_feed_every(Duration::from_millis(100));
    let before = own_cpu_ns();
    let work = work_ns(session.command(program(name)).args(arguments));
    drop(session);
    work + (own_cpu_ns() - before)
}

fn under_heaptrack(name: &str, arguments: &[&str]) -> f64 {
    let record = support::scratch("heaptrack");
    let children = children_cpu_ns();
    let mut command = Command::new("heaptrack");
    command.arg("-r").arg("-o").arg(&record).arg(program(name)).args(arguments);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "heaptrack ran");
    let time = children_cpu_ns() - children;
    for ending in ["zst", "gz"] {
        let _ = std::fs::remove_file(record.with_extension(format!(
            "{}.{ending}",
            record.extension().unwrap_or_default().display()
        )));
    }
    time
}

/// What the program says its work took.
fn work_ns(command: &mut Command) -> f64 {
    Truth::parse(&output(command)).field("work_ns") as f64
}

fn own_cpu_ns() -> f64 {
    cpu_ns(libc::RUSAGE_SELF)
}

fn children_cpu_ns() -> f64 {
    cpu_ns(libc::RUSAGE_CHILDREN)
}

fn cpu_ns(whose: i32) -> f64 {
    // SAFETY: `rusage` is plain data for getrusage to fill.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a place for the answer.
    unsafe { libc::getrusage(whose, &mut usage) };
    let ns = |time: libc::timeval| time.tv_sec as f64 * 1e9 + time.tv_usec as f64 * 1e3;
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

fn find_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file: &PathBuf| {
        let file: &Path = file;
        file.is_file()
    })
}

static WITH_STACKS: TracingAllocator = TracingAllocator::system();
static COUNTING: TracingAllocator = TracingAllocator::system().without_stacks();

/// The churn of `churn.c`, through an allocator of this process.
fn churn_ns(allocator: &impl GlobalAlloc) -> f64 {
    const PAIRS: usize = 1_000_000;
    const WINDOW: usize = 1000;
    let mut window = [(std::ptr::null_mut::<u8>(), Layout::new::<u64>()); WINDOW];
    let mut random = 42u64;
    let before = own_cpu_ns();
    for pair in 0..PAIRS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let place = &mut window[random as usize % WINDOW];
        // SAFETY: a block that is not null was allocated with its layout; sizes are not 0.
        unsafe {
            if !place.0.is_null() {
                allocator.dealloc(place.0, place.1);
            }
            let layout = Layout::from_size_align_unchecked(16 + (random >> 40) as usize % 240, 8);
            *place = (black_box(allocator.alloc(layout)), layout);
            place.0.write(pair as u8);
        }
    }
    for (block, layout) in window {
        if !block.is_null() {
            // SAFETY: as above.
            unsafe { allocator.dealloc(block, layout) };
        }
    }
    (own_cpu_ns() - before) / PAIRS as f64
}

fn measure_embedded(name: &str, allocator: &TracingAllocator, rounds: usize) {
    let [mut plain, mut paused, mut traced] = [const { Vec::new() }; 3];
    churn_ns(allocator);
    for _ in 0..rounds * 3 {
        let base = churn_ns(&System);
        memtop_probe::stop();
        let when_paused = churn_ns(allocator);
        memtop_probe::start();
        let when_traced = churn_ns(allocator);
        let base = (base + churn_ns(&System)) / 2.0;
        plain.push(base);
        paused.push(when_paused - base);
        traced.push(when_traced - base);
    }
    println!(
        "| {name} | {} | {} | {} |",
        summary(plain, false),
        summary(paused, true),
        summary(traced, true)
    );
}
