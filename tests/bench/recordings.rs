//! What recordings take, and how soon they show any moment of what they hold.
//!
//!     cargo bench --bench recordings
//!
//! Ten million events that `memtop record --events` wrote of a real program; a day of a program
//! with a thousand sites that all change every second, which the recorder writes as fast as it
//! can; and the keeper of a real program with a thousand sites, while it keeps the past and
//! while it writes a file as well. A recording is read by a process of its own, so that its
//! greatest size is the reader's. Nothing is asserted here: speed is for reading.

#[path = "../sample/random.rs"]
mod random;

use std::{
    env, fs,
    io::{BufWriter, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use memtop::{
    keeper::{
        Options,
        client::Connection,
        protocol::{FromKeeper, FromViewer},
    },
    model::*,
    recording::{Look, Recorder},
    source::{past::Source, replay::Replay, site_history::OpenedSite},
    sys::pty::{Pty, Size},
};

/// Numbers that are the same in every run.
struct Random(Box<dyn FnMut(usize) -> usize>);

impl Random {
    fn new() -> Self {
        Self(Box::new(random::random()))
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.0)(bound as usize) as u64
    }
}

const EVENTS: u64 = 10_000_000;
const TICK: Duration = Duration::from_millis(100);
const SITES: u32 = 1000;
const HOURS: u32 = 24;
const JUMPS: usize = 200;
/// For so long the dashboard reads of a history at a tick.
const SLICE: Duration = Duration::from_millis(20);

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, word, path] = &arguments[..]
        && word == "read"
    {
        return read(path.as_ref());
    }
    // `cargo test --benches` runs benchmarks too, to see that they start.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("run by cargo bench");
    }
    let folder = env::temp_dir().join(format!("memtop-recordings-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    events(&folder);
    states(&folder);
    keepers(&folder);
    fs::remove_dir_all(&folder).expect("a folder");
}

/// A program of so many allocations and frees, recorded one by one.
fn events(folder: &Path) {
    let (program, path) = (compiled(folder, "churn"), folder.join("events.memtop"));
    let mut record = Command::new(env!("CARGO_BIN_EXE_memtop"));
    record.args(["record", "--quiet", "--events", "-o"]).arg(&path).arg("--").arg(program);
    record.arg((EVENTS / 2).to_string()).stdout(Stdio::null());
    assert!(record.status().is_ok_and(|status| status.success()));
    let each = bytes(&path) as f64 / EVENTS as f64;
    println!("{} M events, {} MB, {each:.2} B each", EVENTS / 1_000_000, bytes(&path) / 1_000_000);
    read_apart(&path);
}

/// A day of ticks.
fn states(folder: &Path) {
    let path = folder.join("states.memtop");
    let out = BufWriter::new(fs::File::create(&path).expect("a file"));
    let began = Instant::now();
    let mut recorder = Recorder::new(out, &[b"program".to_vec()], Duration::ZERO).expect("room");
    let mut program = Program::new();
    for tick in 1..=HOURS * 36_000 {
        let now = TICK * tick;
        let wants_sites = recorder.wants_sites(now);
        recorder.tick(now, vec![program.look(now, wants_sites)]).expect("room");
        if tick == 1 {
            recorder.names(0, &names()).expect("room");
        }
    }
    recorder.finish(None).expect("room").flush().expect("room");
    println!(
        "{HOURS} h with {SITES} sites that change every second, {} MB, {:.1} KB a second, written \
         in {:.0} s",
        bytes(&path) / 1_000_000,
        bytes(&path) as f64 / f64::from(HOURS * 3600) / 1e3,
        began.elapsed().as_secs_f64(),
    );
    read_apart(&path);
}

fn read_apart(path: &Path) {
    let me = env::current_exe().expect("this program");
    let status = Command::new(me).arg("read").arg(path).status();
    assert!(status.is_ok_and(|status| status.success()));
}

/// The first reading, at the end, and those of moments all over.
fn read(path: &Path) {
    let began = Instant::now();
    let mut replay = Replay::open(path).expect("a recording");
    let first = replay.read(None);
    let shown = began.elapsed();
    assert!(first.state.is_some() && !first.sites.changed.is_empty());
    let last = replay.past().last;
    let mut random = Random::new();
    let mut jumps: Vec<Duration> = (0..JUMPS)
        .map(|_| {
            let at = last * random.below(1 << 16) as u32 / (1 << 16);
            let began = Instant::now();
            replay.show_moment(0, at);
            let reading = replay.read(Some(0));
            assert!(reading.state.is_some() || at < Duration::from_secs(1));
            began.elapsed()
        })
        .collect();
    jumps.sort_unstable();
    histories(&mut replay, first.sites.stacks.len());
    println!(
        "  first screen {:.0} ms, a jump {:.1} ms, the slowest of {JUMPS} {:.1} ms, {:.0} MB resident \
         at most",
        ms(shown),
        ms(jumps[JUMPS / 2]),
        ms(jumps[JUMPS - 1]),
        highest_resident() as f64 / 1e6,
    );
}

/// The history of one stack, and of all, up to the end: slice by slice, as the dashboard reads it.
fn histories(replay: &mut Replay, known: usize) {
    replay.show_moment(0, Duration::MAX);
    replay.read(Some(0));
    for count in [1, known] {
        let stacks = (0..count as u32).map(StackId).collect();
        let site = OpenedSite { of: count as u64, stacks, known };
        let (mut slices, mut longest, began) = (0_u32, Duration::ZERO, Instant::now());
        loop {
            let slice = Instant::now();
            let history = replay.history_of(&site, SLICE).expect("a recording has it");
            longest = longest.max(slice.elapsed());
            slices += 1;
            if history.read_to.is_none() {
                println!(
                    "  history of a site of {count} stacks: {slices} slices, {:.1} s, the longest \
                     {:.1} ms, {} points",
                    began.elapsed().as_secs_f64(),
                    ms(longest),
                    history.points.len(),
                );
                break;
            }
        }
    }
}

/// The keeper of a program that is busy in a thousand places.
fn keepers(folder: &Path) {
    let source = folder.join("busy.c");
    fs::write(&source, BUSY).expect("a file");
    let busy = folder.join("busy");
    compile(&source, &busy);
    let connection = start(&["sleep", "100"]);
    println!("keeper of a program that sleeps: {:.2} % of a core", share(&connection));
    end(&connection);
    let connection = start(&[busy.to_str().expect("a readable path")]);
    println!("keeper of a busy program, keeping the past: {:.2} %", share(&connection));
    let path = folder.join("busy.memtop");
    connection.send(&FromViewer::Record(path.clone())).expect("a keeper");
    let before = settled(&path);
    let with_file = share(&connection);
    let rate = (bytes(&path) - before) as f64 / MEASURED.as_secs_f64() / 1e3;
    println!("the same, writing a file as well: {with_file:.2} %, {rate:.1} KB a second");
    end(&connection);
}

const WARM: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(20);

fn start(line: &[&str]) -> Connection {
    let terminal = Pty::open(Size::default()).expect("a terminal");
    let slave = Some(terminal.slave.as_fd());
    let options = Options::new(line.iter().map(Into::into).collect());
    let memtop = Path::new(env!("CARGO_BIN_EXE_memtop"));
    let started = Connection::spawn_by(memtop, &options, Size::default(), [slave; 3]);
    let connection = started.expect("a keeper");
    listen(&connection, WARM);
    connection
}

/// What the file holds once it has begun.
fn settled(path: &Path) -> u64 {
    thread::sleep(WARM);
    bytes(path)
}

/// Hears what is said, as a viewer does.
fn listen(connection: &Connection, time: Duration) {
    let until = Instant::now() + time;
    while let Ok(message) = connection.messages().recv_deadline(until) {
        if let FromKeeper::Recording { message, .. } = message {
            assert!(message.is_empty(), "{message}");
        }
    }
}

/// Of a processor, in percent: what the keeper takes.
fn share(connection: &Connection) -> f64 {
    let keeper = connection.hello().keeper;
    let (began, before) = (Instant::now(), processor(keeper));
    listen(connection, MEASURED);
    processor(keeper).saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0
}

fn end(connection: &Connection) {
    connection.send(&FromViewer::EndProgram).expect("a keeper");
    let _ = connection.messages().iter().find(|message| matches!(message, FromKeeper::Exit(_)));
}

/// A program whose sites all change all the time.
struct Program {
    random: Random,
    figures: Vec<SiteFigures>,
    is_new: bool,
    ticks: u64,
}

impl Program {
    fn new() -> Self {
        let figures = vec![SiteFigures::default(); SITES as usize];
        Self { random: Random::new(), figures, is_new: true, ticks: 0 }
    }

    fn look(&mut self, now: Duration, with_sites: bool) -> Look {
        self.ticks += 1;
        let (at, current_bytes) = (now, self.random.below(1 << 28));
        let rss_bytes = Some(current_bytes + (32 << 20));
        let point =
            Point { at, current_bytes, max_bytes: current_bytes, rss_bytes, ..Point::default() };
        let state = ProcessState {
            totals: Totals {
                current_bytes,
                peak_bytes: 1 << 28,
                peak_at: Some(TICK),
                allocations: self.ticks * 10_000,
                allocated_bytes: self.ticks * 10_000 * 200,
                frees: self.ticks * 9_990,
                ..Totals::default()
            },
            size_classes: (0..30).map(|class| self.size_class(class)).collect(),
            threads: (1..=8).map(|tid| self.thread(tid)).collect(),
            ..ProcessState::default()
        };
        let sites = if with_sites { self.sites() } else { SitesUpdate::default() };
        Look { image: 0, state, point, sites, past: Vec::new() }
    }

    fn size_class(&mut self, class: u32) -> SizeClass {
        SizeClass {
            min: 1 << class,
            max: (2 << class) - 1,
            current_blocks: self.random.below(1 << 12),
            current_bytes: self.random.below(1 << 20),
            allocations: self.ticks * 300,
            allocated_bytes: (self.ticks * 300) << class,
        }
    }

    fn thread(&mut self, tid: u32) -> ThreadState {
        ThreadState {
            tid,
            name: Some(format!("worker {tid}")),
            current_bytes: self.random.below(1 << 24) as i64,
            allocations: self.ticks * 1000,
            allocated_bytes: self.ticks * 200_000,
        }
    }

    fn sites(&mut self) -> SitesUpdate {
        let mut update = SitesUpdate::default();
        if std::mem::take(&mut self.is_new) {
            update = dictionary();
        }
        let random = &mut self.random;
        for figures in &mut self.figures {
            let allocations = 50 + random.below(100);
            figures.current_bytes = random.below(1 << 20);
            figures.current_blocks = random.below(1 << 12);
            figures.allocations += allocations;
            figures.allocated_bytes += allocations * (16 + random.below(400));
            figures.temporary += random.below(allocations);
        }
        let numbered = self.figures.iter().enumerate();
        update.changed.extend(numbered.map(|(at, figures)| (StackId(at as u32), *figures)));
        update
    }
}

/// Stacks of ten calls, of which each has half to itself.
fn dictionary() -> SitesUpdate {
    let mut update = SitesUpdate { restart: true, ..SitesUpdate::default() };
    update.modules.push(Module { path: b"/usr/bin/program".to_vec(), build_id: vec![7; 20] });
    let module = Some(ModuleId(0));
    for at in 0..SITES * 6 {
        update.locations.push(Location { module, address: u64::from(at) * 48 });
    }
    for site in 0..SITES {
        let mut parent = (site > 0).then(|| NodeId(site / 2 * 6 + 4));
        for call in 0..6 {
            update.nodes.push(Node { parent, location: LocationId(site * 6 + call) });
            parent = Some(NodeId(site * 6 + call));
        }
        update.stacks.push(Stack { node: parent, cut: false });
    }
    update
}

fn names() -> Names {
    let mut names = Names::default();
    for at in 0..SITES * 6 {
        let file = Some(format!("/usr/src/program/part_{}.c", at / 100).as_str().into());
        let name = format!("function_number_{at}").as_str().into();
        names.insert(LocationId(at), vec![Function { name, file, line: Some(at) }]);
    }
    names
}

/// Under each of 1,024 chains of calls one block, which makes way for another at the next turn.
const BUSY: &str = r#"
#include <stdlib.h>
static void *kept[1024];
static unsigned seed = 1;
__attribute__((noinline)) static void left(unsigned depth, unsigned chain);
__attribute__((noinline)) static void right(unsigned depth, unsigned chain);
static inline __attribute__((always_inline)) void go(unsigned depth, unsigned chain) {
    if (depth == 0) {
        seed = seed * 1103515245 + 12345;
        free(kept[chain]);
        kept[chain] = malloc(16 + seed / 65536 % 400);
        return;
    }
    left(depth - 1, chain * 2);
    __asm__ volatile("");
    right(depth - 1, chain * 2 + 1);
    __asm__ volatile("");
}
static void left(unsigned depth, unsigned chain) { go(depth, chain); __asm__ volatile(""); }
static void right(unsigned depth, unsigned chain) { go(depth, chain); __asm__ volatile("nop"); }
int main(void) { for (;;) go(10, 0); }
"#;

fn compiled(folder: &Path, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let to = folder.join(name);
    compile(&root.join(format!("tests/programs/{name}.c")), &to);
    to
}

fn compile(source: &Path, to: &Path) {
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-fno-builtin", "-pthread", "-o"]).arg(to).arg(source).arg("-lm");
    assert!(compiler.status().is_ok_and(|status| status.success()), "{}", source.display());
}

fn bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |facts| facts.len())
}

/// Processor time of the threads that a process has, to the nanosecond: the sums of `stat` are
/// sampled, and what runs for less than a sample is often missed.
fn processor(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let told = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(told.sum())
}

fn highest_resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
