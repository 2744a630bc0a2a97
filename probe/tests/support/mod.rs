//! Launches the programs of `tests/programs` under the preload library and reads what it
//! counted, and knows what the figures ought to be.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    collections::HashMap,
    fs,
    mem::ManuallyDrop,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use memtop_probe::session::{
    control,
    layout::FRAMES,
    memory::{Memory, Settings, TREE_SIZE},
    reader::{ClassReading, EventReading, Reader, SessionReading, SiteReading},
    size_class,
};
use serde_json::Value;

pub mod model;

/// The sources of the test programs.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs")
}

/// Where what is built for the tests is.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Compiles `tests/programs/NAME.c` if it changed, and returns the program.
pub fn program(name: &str) -> PathBuf {
    compiled(name, name, &[])
}

/// Likewise, with an option of the compiler.
pub fn program_with(name: &str, option: &str) -> PathBuf {
    let letters = option.replace(|letter: char| !letter.is_ascii_alphanumeric(), "");
    compiled(name, &format!("{name}-{letters}"), &[option])
}

/// Likewise, a shared library.
pub fn library(name: &str) -> PathBuf {
    compiled(name, &format!("lib{name}.so"), &["-shared", "-fPIC"])
}

/// Likewise, built with `PLUGIN_ROOM` set.
pub fn library_with(name: &str, room: &str) -> PathBuf {
    let define = format!("-DPLUGIN_ROOM={room}");
    compiled(name, &format!("lib{name}{room}.so"), &["-shared", "-fPIC", &define])
}

fn compiled(name: &str, output: &str, options: &[&str]) -> PathBuf {
    static DONE: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let done = done.get_or_insert_default();
    done.entry(output.to_owned()).or_insert_with(|| compile(name, output, options)).clone()
}

fn compile(name: &str, output: &str, options: &[&str]) -> PathBuf {
    let source = sources().join(format!("{name}.c"));
    let to = folder().join(output);
    let newest = modified(&source).max(modified(&sources().join("common.h")));
    if modified(&to) > newest {
        return to;
    }
    let fresh = folder().join(format!("{output}.{}", std::process::id()));
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status = Command::new(&compiler)
        // Without -fno-builtin a compiler may leave out an allocation that it sees freed.
        .args(["-O2", "-g", "-Wall", "-Wextra", "-fno-builtin", "-fomit-frame-pointer"])
        .args(options)
        .arg("-o")
        .arg(&fresh)
        .arg(&source)
        .args(["-lm", "-pthread"])
        .status()
        .unwrap_or_else(|error| panic!("{}: {error}; is a C compiler there?", compiler.display()));
    assert!(status.success(), "{} does not compile", source.display());
    fs::rename(&fresh, &to).expect("the target folder is writable");
    to
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|data| data.modified()).ok()
}

/// The preload library as a file.
fn preload() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let to = folder().join(format!("libmemtop-{}.so", memtop_probe::image::HASH));
        let fresh = folder().join(format!("libmemtop.{}", std::process::id()));
        fs::write(&fresh, memtop_probe::image::BYTES).expect("the target folder is writable");
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).expect("it is our file");
        fs::rename(&fresh, &to).expect("the target folder is writable");
        to
    })
}

/// A place for a file of a test.
pub fn scratch(name: &str) -> PathBuf {
    folder().join(format!("scratch-{name}.{}", std::process::id()))
}

/// A session memory, a clock that ticks in it, and programs under it.
pub struct Session {
    memory: Memory,
    descriptor: i32,
    reader: ManuallyDrop<Reader>,
    nonce: u64,
    clock: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    drained: Arc<Drained>,
}

/// What came out of the rings.
#[derive(Default)]
pub struct Drained {
    pub events: AtomicU64,
    /// Indexed by the kind of the event.
    pub kinds: [AtomicU64; 5],
}

impl Session {
    /// Tracing from the start; a tick every 10 ms.
    pub fn traced() -> Session {
        Session::traced_with(FRAMES)
    }

    /// Tracing from the start, keeping so many frames of each stack; 0 = no stacks.
    pub fn traced_with(frames: u32) -> Session {
        let session = Session::new(Duration::from_millis(10), false, frames);
        session.set_tracing(true);
        session
    }

    /// Paused; a tick every 10 ms.
    pub fn paused() -> Session {
        Session::paused_with(FRAMES)
    }

    /// Paused, to keep so many frames of each stack; 0 = no stacks.
    pub fn paused_with(frames: u32) -> Session {
        Session::new(Duration::from_millis(10), false, frames)
    }

    /// Tracing, and the events are drained as they come.
    pub fn with_feed() -> Session {
        Session::with_feed_every(Duration::from_millis(1))
    }

    /// Tracing, with a tick and a look into the rings every so often.
    pub fn with_feed_every(tick: Duration) -> Session {
        let session = Session::new(tick, true, FRAMES);
        control::set_feed(session.memory.header(), true);
        session.set_tracing(true);
        session
    }

    /// Tracing, and events go to the journals; who reads them is the test's to say.
    pub fn lossless() -> Session {
        let session = Session::new(Duration::from_millis(10), false, FRAMES);
        control::set_lossless(session.memory.header(), true);
        control::set_feed(session.memory.header(), true);
        session.set_tracing(true);
        session
    }

    fn new(tick: Duration, drain: bool, frames: u32) -> Session {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let nonce = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Relaxed);
        let settings = Settings {
            size: TREE_SIZE,
            nonce,
            now_ns: now_ns(),
            tick_ns: tick.as_nanos() as u64,
            limit: 4 << 30,
            frames,
        };
        let (memory, descriptor) = Memory::create(&settings).expect("session memory");
        let drained = Arc::new(Drained::default());
        let clock = run_clock(memory, tick, drain.then(|| drained.clone()));
        let reader = ManuallyDrop::new(Reader::over(memory));
        Session { memory, descriptor, reader, nonce, clock: Some(clock), drained }
    }

    /// A command that runs `program` under the preload library.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        self.command_with(program, &[])
    }

    /// Likewise, with further libraries behind ours.
    pub fn command_with(&self, program: impl AsRef<Path>, libraries: &[&Path]) -> Command {
        let mut command = Command::new(program.as_ref());
        let session =
            format!("/proc/{}/fd/{}:{:x}", std::process::id(), self.descriptor, self.nonce);
        let mut libraries: Vec<_> = libraries.iter().map(|at| at.to_str().unwrap()).collect();
        libraries.insert(0, preload().to_str().expect("a readable path"));
        command.env("LD_PRELOAD", libraries.join(":")).env("MEMTOP_SESSION", session);
        command
    }

    pub fn set_tracing(&self, on: bool) {
        control::set_tracing(self.memory.header(), on, now_ns());
    }

    /// Has every captured stack compared with a full walk.
    pub fn check_stacks(&self) {
        control::check_stacks(self.memory.header());
    }

    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What was allocated under each stack of a process.
    pub fn sites(&self, index: usize) -> Vec<SiteReading> {
        let mut sites = Vec::new();
        self.reader.read_sites(index, &mut sites);
        sites
    }

    pub fn clear(&self) {
        control::clear(self.memory.header(), now_ns());
    }

    /// The sessions of all processes so far, in the order of their claims.
    pub fn readings(&self) -> Vec<SessionReading> {
        (0..self.reader.session_count()).filter_map(|index| self.reader.read(index)).collect()
    }

    /// The session of the one process.
    pub fn reading(&self) -> SessionReading {
        let mut readings = self.readings();
        assert_eq!(readings.len(), 1, "one process, one session");
        readings.remove(0)
    }

    /// Stops the clock and takes what is left in the rings.
    pub fn drained(&mut self) -> &Drained {
        self.stop_clock();
        &self.drained
    }

    fn stop_clock(&mut self) {
        if let Some((stop, clock)) = self.clock.take() {
            stop.store(true, Relaxed);
            clock.join().expect("the clock does not panic");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop_clock();
        self.memory.unmap();
        // SAFETY: the descriptor is this session's own.
        unsafe { libc::close(self.descriptor) };
    }
}

fn run_clock(
    memory: Memory,
    tick: Duration,
    drain: Option<Arc<Drained>>,
) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let clock = thread::spawn(move || {
        let reader = ManuallyDrop::new(Reader::over(memory));
        let mut events = Vec::new();
        while !stopped.load(Relaxed) {
            thread::sleep(tick);
            let header = memory.header();
            control::advance_to(header, control::current_tick(header) + 1);
            if let Some(drained) = &drain {
                take_events(&reader, &mut events, drained);
            }
        }
        if let Some(drained) = &drain {
            take_events(&reader, &mut events, drained);
        }
    });
    (stop, clock)
}

fn take_events(reader: &Reader, events: &mut Vec<EventReading>, drained: &Drained) {
    for index in 0..reader.session_count() {
        reader.drain_events(index, events);
    }
    for event in events.drain(..) {
        drained.events.fetch_add(1, Relaxed);
        drained.kinds[event.kind as usize].fetch_add(1, Relaxed);
    }
}

pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sums over the size classes of a session, or what a program says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub allocations: u64,
    pub frees: u64,
    pub allocated_bytes: u64,
    pub freed_bytes: u64,
}

impl Totals {
    pub fn of(reading: &SessionReading) -> Totals {
        Totals::over(&reading.classes)
    }

    /// Of the classes of 2049 to 4096 and of 8193 to 16384 bytes: sizes that the C library
    /// does not ask for when a program starts, or starts a thread.
    pub fn of_programs_own(reading: &SessionReading) -> Totals {
        let own = [3000, 9000].map(|size| reading.classes[size_class::of(size)]);
        Totals::over(&own)
    }

    fn over(classes: &[ClassReading]) -> Totals {
        let sum = |field: fn(&ClassReading) -> u64| classes.iter().map(field).sum();
        Totals {
            allocations: sum(|class| class.allocations),
            frees: sum(|class| class.frees),
            allocated_bytes: sum(|class| class.allocated_bytes),
            freed_bytes: sum(|class| class.freed_bytes),
        }
    }

    pub fn minus(self, other: Totals) -> Totals {
        Totals {
            allocations: self.allocations - other.allocations,
            frees: self.frees - other.frees,
            allocated_bytes: self.allocated_bytes - other.allocated_bytes,
            freed_bytes: self.freed_bytes - other.freed_bytes,
        }
    }

    pub fn live(&self) -> (u64, u64) {
        (self.allocations - self.frees, self.allocated_bytes - self.freed_bytes)
    }
}

/// What a program told on its last line.
pub struct Truth(Value);

impl Truth {
    pub fn parse(output: &[u8]) -> Truth {
        let text = String::from_utf8_lossy(output);
        let line = text.lines().last().unwrap_or_default();
        Truth(serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    pub fn field(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    pub fn totals(&self) -> Totals {
        Totals {
            allocations: self.field("allocations"),
            frees: self.field("frees"),
            allocated_bytes: self.field("allocated_bytes"),
            freed_bytes: self.field("freed_bytes"),
        }
    }
}

/// Runs a program to its end: what it told, and what was counted.
pub fn run(session: &Session, name: &str, arguments: &[&str]) -> (Truth, SessionReading) {
    let output = output(session.command(program(name)).args(arguments));
    let truth = Truth::parse(&output);
    let reading = session.reading();
    check_consistent(&reading);
    (truth, reading)
}

pub fn output(command: &mut Command) -> Vec<u8> {
    let output = command.stderr(Stdio::inherit()).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {}: {text}", output.status);
    output.stdout
}

/// What holds of every session of a process that has ended in peace.
pub fn check_consistent(reading: &SessionReading) {
    let totals = Totals::of(reading);
    assert!(totals.frees <= totals.allocations && totals.freed_bytes <= totals.allocated_bytes);
    assert_eq!(reading.lost_records, 0, "every free was seen");
    assert_eq!(reading.unattributed, 0, "every block has its word");
    assert!(reading.usable_allocated >= totals.allocated_bytes);
    assert!(reading.usable_freed >= totals.freed_bytes);
    let (blocks, bytes) = totals.live();
    assert!(reading.max_blocks >= blocks && reading.peak_bytes >= bytes);
    let by_threads: i64 = reading.threads.iter().map(|thread| thread.current_bytes).sum();
    assert_eq!(by_threads, bytes as i64, "threads sum up to the process");
    let by_threads: u64 = reading.threads.iter().map(|thread| thread.allocations).sum();
    assert_eq!(by_threads, totals.allocations, "threads sum up to the process");
}

/// Blocks and bytes that the size classes held at the peak.
pub fn at_peak(reading: &SessionReading) -> (i64, i64) {
    let blocks = reading.classes.iter().map(|class| class.peak_blocks).sum();
    let bytes = reading.classes.iter().map(|class| class.peak_bytes).sum();
    (blocks, bytes)
}

/// A program that waits for the test now and then; killed if the test fails.
pub struct Guarded(pub Child);

impl Guarded {
    pub fn start(command: &mut Command) -> Guarded {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Guarded(child.expect("the program starts"))
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.0.wait().expect("our child")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
