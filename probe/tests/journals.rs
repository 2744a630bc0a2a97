//! Events that are recorded: none is lost while somebody reads, and nobody waits for a reader
//! that is not there.

mod support;

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use memtop_probe::session::{
    layout::{JOURNAL, kind},
    reader::{EventReading, SessionReading},
};
use support::{Session, Totals, library, output, program};

/// What the events of a session add up to.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    totals: Totals,
    reallocations: u64,
    temporary: u64,
    untracked: (u64, u64),
}

impl Sums {
    fn of(reading: &SessionReading) -> Sums {
        Sums {
            totals: Totals::of(reading),
            reallocations: reading.reallocations,
            temporary: reading.temporary,
            untracked: (reading.untracked_frees, reading.untracked_bytes),
        }
    }

    /// `last` is the block that the thread allocated last.
    fn add(&mut self, event: &EventReading, last: &mut u64) {
        match event.kind {
            kind::ALLOCATE | kind::REALLOCATE => {
                self.totals.allocations += 1;
                self.totals.allocated_bytes += event.size;
                self.reallocations += u64::from(event.kind == kind::REALLOCATE);
                *last = event.address;
            }
            kind::RELEASE => {
                self.totals.frees += 1;
                self.totals.freed_bytes += event.size;
                if *last == event.address {
                    self.temporary += 1;
                    *last = 0;
                }
            }
            _ => {
                self.untracked.0 += 1;
                self.untracked.1 += event.size;
            }
        }
    }
}

/// Tells a reader to stop, whatever becomes of the program.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// What came out of the journals.
struct Collected {
    /// By session and journal.
    events: BTreeMap<(usize, usize), Vec<EventReading>>,
}

/// Reads all journals until told to stop, and to the end.
fn collect(session: &Session, stop: &AtomicBool) -> Collected {
    let reader = session.reader();
    let mut events = BTreeMap::new();
    loop {
        let is_last = stop.load(Relaxed);
        for index in 0..reader.session_count() {
            for number in 0..reader.journal_count(index) {
                // Whoever writes waits as long as somebody reads, and this may take a while.
                reader.attend_journals();
                let place: &mut Vec<_> = events.entry((index, number)).or_default();
                reader.drain_journal((index, number), is_last, |events| {
                    place.extend(events.readings())
                });
            }
        }
        if is_last {
            return Collected { events };
        }
        reader.attend_journals();
        reader.await_journals(1_000_000, || false);
    }
}

impl Collected {
    fn sums(&self, index: usize) -> Sums {
        let mut sums = Sums::default();
        for ((_, number), events) in self.events.iter().filter(|((of, _), _)| *of == index) {
            let mut last = BTreeMap::new();
            for event in events {
                // What is done in the shared slot is never temporary.
                let fresh = &mut 0;
                let last = if *number == 0 { fresh } else { last.entry(event.tid).or_default() };
                sums.add(event, last);
            }
        }
        sums
    }
}

/// Runs a program while its journals are read; every session's events are what it counted.
fn check(name: &str, arguments: &[&str]) -> Collected {
    let session = Session::lossless();
    let collected = run_read(&session, |session| {
        let mut command = session.command(program(name));
        command.args(arguments);
        command
    });
    let readings = session.readings();
    assert!(Totals::of(&readings[0]).allocations >= 7, "the program ran");
    for (index, reading) in readings.iter().enumerate() {
        assert_eq!(reading.dropped_events, 0, "{reading:?}");
        assert_eq!(collected.sums(index), Sums::of(reading), "{reading:?}");
    }
    collected
}

/// Runs a program while its journals are read.
fn run_read(session: &Session, command: impl FnOnce(&Session) -> Command) -> Collected {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| collect(session, &stop));
        let until_ended = Stop(&stop);
        let output = command(session).stderr(Stdio::null()).output();
        output.expect("the program starts");
        drop(until_ended);
        reader.join().expect("the reader does not panic")
    })
}

#[test]
fn events_add_up_to_what_was_counted() {
    check("churn", &["200000"]);
    check("realloc_corners", &[]);
    check("deep", &["20000", "40"]);
    for how in ["return", "_exit", "thread", "abort", "crash"] {
        check("early_exit", &[how]);
    }
}

#[test]
fn events_of_threads_bear_their_names() {
    let collected = check("threads", &["50000", "8"]);
    let threads = |events: &[EventReading]| {
        let mut tids: Vec<u32> = events.iter().map(|event| event.tid).collect();
        tids.dedup();
        tids
    };
    let own = collected.events.iter().filter(|((_, number), _)| *number != 0);
    let mut tids: Vec<u32> = own.flat_map(|(_, events)| threads(events)).collect();
    let count = tids.len();
    tids.sort_unstable();
    tids.dedup();
    // Slots change hands, and no thread comes back.
    assert_eq!(tids.len(), count);
    assert!(tids.len() >= 9 && tids[0] > 1, "{tids:?}");
    check("thread_end", &[]);
}

#[test]
fn events_of_children_and_handlers_are_there() {
    for how in ["fork", "grandchild", "raw_fork", "raw_clone", "vfork", "threads", "many", "exec"] {
        check("fork_tree", &[how]);
    }
}

#[test]
fn a_handler_inside_a_hook_never_waits() {
    let allocator = library("reentrant_malloc");
    let session = Session::lossless();
    let collected = run_read(&session, |session| {
        let mut command = session.command_with(program("signal_handler"), &[&allocator]);
        command.args(["700", "50"]);
        command
    });
    // What such a handler does while the reader is late is all that may be missing.
    let reading = session.reading();
    let nested: usize =
        collected.events.iter().filter(|(at, _)| at.1 == 0).map(|at| at.1.len()).sum();
    assert!(nested > 0, "handlers ran inside hooks");
    let seen: usize = collected.events.values().map(Vec::len).sum();
    assert_eq!(seen as u64 + reading.dropped_events, events_of(&reading));
}

/// How many events what was counted is worth.
fn events_of(reading: &SessionReading) -> u64 {
    let totals = Totals::of(reading);
    totals.allocations + totals.frees + reading.untracked_frees
}

/// Events that a journal has room for, behind what it says of whose they are, and a stamp before
/// each sixty.
const HELD: u64 = {
    let behind = JOURNAL as u64 - 1;
    behind - behind.div_ceil(61)
};
/// Pairs that fill a journal many times over.
const MANY: &str = "100000";

#[test]
fn without_a_reader_nobody_waits() {
    let session = Session::lossless();
    output(session.command(program("churn")).arg(MANY));
    let reading = session.reading();
    assert_eq!(reading.dropped_events, events_of(&reading) - HELD);
}

#[test]
fn who_only_looks_takes_nothing() {
    let session = Session::lossless();
    output(session.command(program("churn")).arg("500"));
    let (mut seen, mut looked, mut read) = (BTreeMap::new(), Vec::new(), Vec::new());
    session.reader().peek_journals(0, &mut seen, &mut looked);
    session.reader().peek_journals(0, &mut seen, &mut looked);
    let count =
        session.reader().drain_journal((0, 1), true, |events| read.extend(events.readings()));
    assert!(count > 900 && count == read.len());
    assert_eq!(looked, read);
}

#[test]
fn a_reader_that_stops_is_waited_for_once() {
    let session = Session::lossless();
    // At work a moment ago, and never again.
    session.reader().attend_journals();
    output(session.command(program("churn")).arg(MANY));
    let reading = session.reading();
    assert_eq!(reading.dropped_events, events_of(&reading) - HELD);
}

#[test]
fn a_reader_that_comes_back_gets_the_rest() {
    let session = Session::lossless();
    let stop = AtomicBool::new(false);
    let collected = thread::scope(|scope| {
        session.reader().attend_journals();
        let reader = scope.spawn(|| {
            thread::sleep(Duration::from_millis(1500));
            collect(&session, &stop)
        });
        let until_ended = Stop(&stop);
        output(session.command(program("churn")).arg("3000000"));
        drop(until_ended);
        reader.join().expect("the reader does not panic")
    });
    let reading = session.reading();
    let seen: usize = collected.events.values().map(Vec::len).sum();
    assert_eq!(seen as u64 + reading.dropped_events, events_of(&reading));
}
