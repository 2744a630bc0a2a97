//! What a hundred thousand sites cost the dashboard: a tick, and what each screen needs.
//!
//!     cargo bench --bench views
//!
//! The sites are made up: stacks of 8 to 32 calls over 20,000 places in code, a fifth of them
//! plumbing. What a screen needs is measured from the model to the rows, for 200×50 cells, in
//! processor time: nothing here waits, and the machine may have others to work for.

use std::{hint::black_box, sync::Arc, time::Duration};

use memtop::{
    model::{
        Function, Location, LocationId, Model, Module, ModuleId, Node, NodeId, ProcessState,
        Reading, SiteFigures, SitesUpdate, Stack, StackId, ThreadState,
    },
    query::{self, Memory, Session},
    symbols::Plumbing,
};
use memtop_ui::{
    Screen, State,
    data::{Baseline, Grouping, Output, Pair, When},
    filter::CodeFilter,
};

const STACKS: u32 = 100_000;
const LOCATIONS: u32 = 20_000;
const THREADS: u32 = 1000;
const CHANGED: u32 = STACKS / 100;
const ROUNDS: usize = 15;

/// A small generator; the sites are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::from(bound)) as u32
    }
}

fn main() {
    // `cargo test --benches` runs benchmarks too, to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("run by cargo bench");
    }
    let mut random = Random(42);
    let mut model = model(&mut random);
    println!("{STACKS} stacks, {} calls in their tree", model.sites.nodes.len());
    once("20,000 names are taken in", || learn(&mut model));
    model.mark(1);
    once("a tick, no screen looks", || change(&mut model, &mut random, 1.0));
    report("a second mark, 1 % changed", || {
        model.mark(2);
    });
    for grouping in Grouping::ALL.into_iter().filter(|one| *one != Grouping::Thread) {
        screens(&mut model, &mut random, grouping);
    }
    for (words, inverted) in [("flame", false), ("flame, turned over", true)] {
        let mut state = state(Screen::Flame, Grouping::Site);
        state.flame.inverted = inverted;
        once(&format!("{words}: first frame"), || look(&mut model, &state));
        let memory = Memory::default();
        let mut now = 50.0;
        report(&format!("{words}: a frame"), || {
            now += 0.1;
            change(&mut model, &mut random, now);
            look_again(&mut model, &state, &memory);
        });
    }
    state_of_names(&mut model, &mut random);
    threads(&mut model, &mut random);
}

/// What the screens of one grouping need.
fn screens(model: &mut Model, random: &mut Random, grouping: Grouping) {
    let word = grouping.word();
    let mut sites = state(Screen::Sites, grouping);
    sites.baseline = Baseline::Mark(1);
    once(&format!("by {word}: first frame"), || look(model, &sites));
    let mut now = 2.0;
    report(&format!("by {word}: a tick, 1 % changed"), || {
        now += 0.1;
        change(model, random, now);
    });
    report(&format!("by {word}: rows of a frame"), || look(model, &sites));
    let mut last = sites.clone();
    last.sites.cursor.row = usize::MAX;
    report(&format!("by {word}: rows at the end of the list"), || look(model, &last));
    let mut turn = 0;
    report(&format!("by {word}: a new filter"), || {
        turn += 1;
        let mut filtered = sites.clone();
        let text = format!("fn:function_{turn} size>1");
        filtered.code.filter = CodeFilter::parse(&text).expect("a filter");
        look(model, &filtered);
    });
    let mut diff = state(Screen::Snapshots, grouping);
    diff.diff.pair = Pair { from: When::Mark(1), to: When::Now };
    report(&format!("by {word}: a diff"), || look(model, &diff));
    let memory = Memory::default();
    report(&format!("by {word}: a diff, once more"), || look_again(model, &diff, &memory));
    if grouping.has_callees() {
        diff.diff.with_callees = true;
        report(&format!("by {word}: a diff with callees"), || look(model, &diff));
        let words = format!("by {word}: a diff with callees, once more");
        report(&words, || look_again(model, &diff, &memory));
    }
}

/// Ticks while names come in, which move every group.
fn state_of_names(model: &mut Model, random: &mut Random) {
    let sites = state(Screen::Sites, Grouping::Function);
    look(model, &sites);
    let mut now = 100.0;
    report("a tick while names are found, by function", || {
        now += 0.1;
        let location = LocationId(random.below(LOCATIONS));
        model.learn(location, vec![function(location.0)]);
        change(model, random, now);
        look(model, &sites);
    });
}

/// Threads are no code: their rows are made of their own figures.
fn threads(model: &mut Model, random: &mut Random) {
    let mut thread = |tid| ThreadState {
        tid,
        name: Some(format!("worker-{tid}")),
        current_bytes: i64::from(random.below(1 << 20)),
        allocations: random.below(1000).into(),
        allocated_bytes: random.below(1 << 20).into(),
    };
    let threads = (1..=THREADS).map(&mut thread).collect();
    let of_threads = Some(ProcessState { threads, ..ProcessState::default() });
    let (now_s, connected) = (200.0, true);
    model.observe(Reading { state: of_threads, now_s, connected, ..Reading::default() });
    let sites = state(Screen::Sites, Grouping::Thread);
    report("by thread: rows of a frame, 1,000 threads", || look(model, &sites));
}

fn state(screen: Screen, grouping: Grouping) -> State {
    let mut state = State::new(screen, (200, 50));
    state.code.grouping = grouping;
    state
}

/// As for the first frame: nothing is remembered.
fn look(model: &mut Model, state: &State) {
    look_again(model, state, &Memory::default());
}

fn look_again(model: &mut Model, state: &State, memory: &Memory) {
    query::prepare(model, state);
    black_box(query::data(model, state, &Session::default(), memory, Output::Elsewhere));
}

/// What one round takes.
fn once(words: &str, round: impl FnOnce()) {
    println!("{words:44} {:>9.2} ms", ms(time(round)));
}

/// The median of some rounds, the fastest and the slowest of them.
fn report(words: &str, mut round: impl FnMut()) {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| time(&mut round)).collect();
    times.sort_unstable();
    let [least, median, most] = [0, ROUNDS / 2, ROUNDS - 1].map(|at| ms(times[at]));
    println!("{words:44} {median:>9.2} ms   {least:.2} to {most:.2}");
}

fn time(round: impl FnOnce()) -> Duration {
    let begun = processor_time();
    round();
    processor_time() - begun
}

/// What this thread took of the processor so far.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to the place it is given, which is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn model(random: &mut Random) -> Model {
    let mut update = SitesUpdate {
        modules: vec![Module { path: b"/usr/bin/program".to_vec(), build_id: vec![] }],
        locations: (0..LOCATIONS)
            .map(|at| Location { module: Some(ModuleId(0)), address: u64::from(at) * 16 })
            .collect(),
        ..SitesUpdate::default()
    };
    for stack in 0..STACKS {
        // A stack leaves an earlier one somewhere, as stacks do.
        let depth = 8 + random.below(24);
        let mut parent = match update.nodes.len() as u32 {
            0 => None,
            nodes => Some(NodeId(random.below(nodes))),
        };
        for _ in 0..depth / 6 {
            let location = LocationId(random.below(LOCATIONS));
            update.nodes.push(Node { parent, location });
            parent = Some(NodeId(update.nodes.len() as u32 - 1));
        }
        update.stacks.push(Stack { node: parent, cut: false });
        update.changed.push((StackId(stack), figures(random)));
    }
    let mut model = Model::new(Arc::new(Plumbing::default()));
    observe(&mut model, update, 0.0);
    model
}

fn figures(random: &mut Random) -> SiteFigures {
    let (bytes, blocks) = (u64::from(random.below(1 << 20)), u64::from(random.below(1000)));
    SiteFigures {
        current_bytes: bytes,
        current_blocks: blocks,
        at_peak_bytes: bytes,
        at_peak_blocks: blocks,
        allocated_bytes: bytes * 2,
        allocations: blocks * 2,
        temporary: blocks / 2,
    }
}

fn learn(model: &mut Model) {
    for location in 0..LOCATIONS {
        model.learn(LocationId(location), vec![function(location)]);
    }
}

fn function(location: u32) -> Function {
    let (function, file) = (location / 4, location / 200);
    Function {
        name: match location % 5 {
            0 => "alloc::vec::Vec<T,A>::push".into(),
            _ => format!("function_{function}").into(),
        },
        file: Some(format!("/src/file_{file}.c").into()),
        line: Some(location % 1000),
    }
}

fn change(model: &mut Model, random: &mut Random, now_s: f64) {
    let changed = (0..CHANGED).map(|_| (StackId(random.below(STACKS)), figures(random)));
    let update = SitesUpdate { changed: changed.collect(), ..SitesUpdate::default() };
    observe(model, update, now_s);
}

fn observe(model: &mut Model, sites: SitesUpdate, now_s: f64) {
    let state = Some(ProcessState::default());
    model.observe(Reading { state, sites, now_s, connected: true, ..Reading::default() });
}
