//! A program that embeds the allocator and has no keeper: what is told of the time before the
//! first look, between two looks, and since.

#[path = "end_to_end/mod.rs"]
mod end_to_end;

use std::{
    collections::VecDeque,
    hint::black_box,
    io::{BufRead, BufReader, Write, stdin, stdout},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use end_to_end::{Home, monotonic_ns, pty::Terminal};
use memtop::{
    keeper::embedded::list_embedded,
    model::{Event, EventKind, Reading},
    source::live::Live,
};
use memtop_probe::{TracingAllocator, session::reader::Reader};

#[global_allocator]
static ALLOCATOR: TracingAllocator = TracingAllocator::system();

/// What a time may be off by: the tick, and the one in which a look came.
const OFF_S: f64 = 0.2;

/// Not a test: the program. It takes blocks of the sizes it is told, and with `-` gives back
/// the oldest of that size.
#[test]
#[ignore = "started by the others"]
fn program() {
    memtop_probe::start();
    let mut blocks: VecDeque<Vec<u8>> = VecDeque::new();
    for line in stdin().lock().lines().map_while(Result::ok) {
        let (free, size) = line.strip_prefix('-').map_or((false, &*line), |size| (true, size));
        let Ok(size) = size.parse::<usize>() else { return };
        match free {
            false => blocks.push_back(black_box(vec![1; size])),
            true => {
                let at = blocks.iter().position(|block| block.len() == size);
                drop(at.and_then(|at| blocks.remove(at)));
            }
        }
        writeln!(stdout(), "\ndone").unwrap();
    }
}

struct Program {
    child: Child,
    orders: ChildStdin,
    words: BufReader<std::process::ChildStdout>,
}

impl Program {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "program", "--ignored", "--nocapture"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
        let (orders, words) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, orders, words: BufReader::new(words) }
    }

    /// Has a block taken, or given back; when that was, at the earliest and at the latest.
    fn order(&mut self, what: &str) -> (u64, u64) {
        let before = monotonic_ns();
        writeln!(self.orders, "{what}").unwrap();
        let mut lines = (&mut self.words).lines().map(Result::unwrap);
        lines.find(|line| line == "done").expect("it goes on");
        (before, monotonic_ns())
    }

    fn memory(&self) -> Arc<Reader> {
        let find = || list_embedded().into_iter().find(|one| one.pid == self.child.id());
        // It has a session once it allocates.
        let patient = (0..1000).find_map(|_| {
            find().or_else(|| {
                thread::sleep(Duration::from_millis(10));
                None
            })
        });
        Arc::new(patient.expect("it is found").open().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who looks, every tick, until dropped.
struct Viewer {
    live: Live,
    started_ns: u64,
    last: Reading,
    events: Vec<Event>,
}

impl Viewer {
    fn join(program: &Program) -> Self {
        let memory = program.memory();
        let started_ns = memory.identity(0).expect("its session").1;
        let mut live = Live::embedded(memory, program.child.id());
        let last = live.read(None);
        Self { live, started_ns, events: last.events.clone(), last }
    }

    fn look(&mut self, seconds: f64) {
        let until = monotonic_ns() + (seconds * 1e9) as u64;
        loop {
            self.last = self.live.read(None);
            self.events.extend(self.last.events.iter().copied());
            if monotonic_ns() >= until {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn peak(&self) -> (u64, Option<f64>) {
        let totals = &self.last.state.as_ref().expect("figures").totals;
        (totals.peak_bytes, totals.peak_at.map(|at| at.as_secs_f64()))
    }

    fn event(&self, kind: EventKind, size: u64) -> &Event {
        let found = self.events.iter().find(|one| one.kind == kind && one.size == size);
        found.unwrap_or_else(|| panic!("no {kind:?} of {size}"))
    }

    /// Whether a time of the program's own clock lies between two of the machine's. Unknown it
    /// may be where this machine was too busy for a look, which is said by `true` too.
    #[track_caller]
    fn assert_at(&self, at_s: Option<f64>, (from_ns, to_ns): (u64, u64)) -> bool {
        let since = |ns: u64| (ns - self.started_ns) as f64 / 1e9;
        let Some(at_s) = at_s else { return false };
        let (from, to) = (since(from_ns) - OFF_S, since(to_ns) + OFF_S);
        assert!((from..to).contains(&at_s), "{at_s} is not in {from}..{to}");
        true
    }
}

const MIB: u64 = 1 << 20;

#[test]
fn times_are_right_or_said_to_be_unknown() {
    let mut program = Program::start();
    let born = program.order("5000");
    program.order("8388608");
    program.order("-8388608");
    thread::sleep(Duration::from_secs(2));

    // The peak was before the first look, and so was a birth.
    let mut viewer = Viewer::join(&program);
    let (bytes, at) = viewer.peak();
    assert!((8 * MIB..9 * MIB).contains(&bytes) && at.is_none(), "{bytes} at {at:?}");
    assert!(viewer.last.timeline.iter().all(|point| point.max_bytes < MIB));
    assert!(viewer.last.now_s >= 2.0);
    let joined = monotonic_ns();
    viewer.look(0.3);
    let freed = program.order("-5000");
    viewer.look(0.2);
    let event = *viewer.event(EventKind::Release, 5000);
    let most = (freed.1 - born.0) as f64 / 1e9;
    assert!(event.age_is_least && event.age_s.is_some_and(|age| (0.2..most).contains(&age)));
    assert!((freed.0 - joined) as f64 / 1e9 + OFF_S > event.age_s.unwrap());

    // What happens from now on has its time.
    let mut known = 0;
    for round in 1..=3_u64 {
        let (block, most) = (6000 + round, (8 + round) * MIB);
        let taken = program.order(&block.to_string());
        viewer.look(0.3);
        let freed = program.order(&format!("-{block}"));
        let peaked = program.order(&most.to_string());
        program.order(&format!("-{most}"));
        viewer.look(0.2);
        let events = [EventKind::Allocate, EventKind::Release].map(|k| *viewer.event(k, block));
        let right = viewer.assert_at(events[0].t_s, taken)
            & viewer.assert_at(events[1].t_s, freed)
            & viewer.assert_at(viewer.peak().1, peaked);
        let age = (freed.0 - taken.1) as f64 / 1e9;
        let off = events[1].age_s.unwrap() - age;
        assert!(off < OFF_S && (events[1].age_is_least || off > -OFF_S), "{off}");
        known += usize::from(right && !events[1].age_is_least);
    }
    assert!(known > 0, "no time was known in three rounds");
}

#[test]
fn a_pause_between_two_viewers_is_unknown_and_no_more() {
    let mut program = Program::start();
    let mut first = Viewer::join(&program);
    first.look(0.3);
    let early = program.order("5000");
    first.look(0.5);
    drop(first);
    thread::sleep(Duration::from_millis(500));
    let pause = program.order("6000");
    program.order("8388608");
    program.order("-8388608");
    thread::sleep(Duration::from_secs(1));

    let mut second = Viewer::join(&program);
    assert_eq!(second.peak().1, None);
    // The feed went on, and nobody kept the time.
    assert_eq!(second.event(EventKind::Allocate, 6000).t_s, None);
    second.look(0.3);
    let late = [program.order("-5000"), program.order("-6000")];
    second.look(0.2);
    let [old, young] = [5000, 6000].map(|size| *second.event(EventKind::Release, size));
    let exact = (late[0].0 - early.1) as f64 / 1e9;
    let off = old.age_s.unwrap() - exact;
    assert!(off < OFF_S && (old.age_is_least || off > -OFF_S), "{off}");
    let most = (late[1].1 - pause.0) as f64 / 1e9;
    assert!(young.age_is_least && young.age_s.unwrap() < most - 0.9);
    second.assert_at(young.t_s, late[1]);
}

#[test]
fn the_screen_says_that_the_peak_was_before_the_look() {
    let mut program = Program::start();
    program.order("8388608");
    program.order("-8388608");
    thread::sleep(Duration::from_millis(500));
    let home = Home::new();
    let terminal = Terminal::start((120, 40), home.memtop([]));
    terminal.choose(&program.child.id().to_string());
    let rows = terminal.wait_for("before you looked");
    assert!(rows[1].contains("peak   8.0 MiB "), "{}", rows[1]);
    program.order("16777216");
    let rows = terminal.wait_without("before you looked");
    assert!(rows[1].contains("peak  16.0 MiB ") && rows[1].contains(" at 0:0"), "{}", rows[1]);
    terminal.press("q");
}
