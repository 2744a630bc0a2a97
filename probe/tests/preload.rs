//! The preload library over programs that know what they did: every figure equal to theirs.
//!
//! What the C library itself allocates in a run is the same for any amount of work, so a run
//! with no work is subtracted where it matters: the programs with threads (thread tables);
//! the others allocate nothing of their own.

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::Stdio,
    thread,
    time::Duration,
};

use memtop_probe::session::layout::{entry, kind};
use support::{
    Guarded, Session, Totals, Truth, at_peak, check_consistent, library, output, program, run,
    scratch,
};

/// One thread: totals, live, peak and what the size classes held at the peak are the truth.
fn check_lone_program(name: &str, arguments: &[&str]) {
    let (truth, seen) = run(&Session::traced(), name, arguments);
    assert_eq!(Totals::of(&seen), truth.totals(), "{name}");
    assert_eq!(seen.reallocations, truth.field("reallocations"), "{name}");
    assert_eq!(seen.peak_bytes, truth.field("peak_bytes"), "{name}");
    assert_eq!(seen.peak_blocks, truth.field("peak_blocks"), "{name}");
    assert_eq!(at_peak(&seen), (seen.peak_blocks as i64, seen.peak_bytes as i64), "{name}");
    assert_eq!(seen.peak_error_bytes, 0, "{name}");
    assert_eq!((seen.untracked_frees, seen.dropped_events), (0, 0), "{name}");
    assert_eq!(seen.entry, entry::PRELOAD);
}

#[test]
fn churn_is_counted_exactly() {
    check_lone_program("churn", &["300000"]);
    check_lone_program("churn", &["0"]);
}

#[test]
fn grow_is_counted_exactly() {
    check_lone_program("grow", &["200000"]);
}

#[test]
fn deep_is_counted_exactly() {
    check_lone_program("deep", &["100000", "40"]);
}

#[test]
fn every_corner_of_realloc_is_counted_exactly() {
    check_lone_program("realloc_corners", &[]);
}

#[test]
fn threads_are_counted_exactly() {
    for (pairs, threads) in [("20000", "1"), ("20000", "4"), ("5000", "32")] {
        let (truth, seen) = run(&Session::traced(), "threads", &[pairs, threads]);
        let (none, idle) = run(&Session::traced(), "threads", &["0", threads]);
        assert_eq!(none.totals(), Totals::default());
        let own = Totals::of(&seen).minus(Totals::of(&idle));
        assert_eq!(own.live(), (0, 0), "every block was freed");
        assert_eq!(own, truth.totals(), "{threads} threads");
    }
}

#[test]
fn the_peak_of_threads_is_within_its_bound() {
    for threads in ["2", "4", "16"] {
        let (truth, seen) = run(&Session::traced(), "threads", &["20000", threads, "locked"]);
        let (_, idle) = run(&Session::traced(), "threads", &["0", threads, "locked"]);
        let peak = truth.field("peak_bytes");
        // The thread tables are live beside the program's own blocks.
        let tables = idle.peak_bytes;
        let bound = seen.peak_error_bytes;
        assert!(
            seen.peak_bytes + bound >= peak && seen.peak_bytes <= peak + tables + bound,
            "{threads} threads: {} ± {bound} instead of {peak} + {tables}",
            seen.peak_bytes
        );
        let (_, bytes) = at_peak(&seen);
        let off = seen.peak_bytes.abs_diff(bytes.max(0) as u64);
        assert!(off <= bound, "classes hold {bytes} at a peak of {}", seen.peak_bytes);
    }
}

#[test]
fn a_late_start_tells_traced_untracked_and_net() {
    const BLOCKS: u64 = 1_000_000;
    let session = Session::paused();
    let mut child = Guarded::start(session.command(program("late_start")).arg(BLOCKS.to_string()));
    let mut input = child.0.stdin.take().unwrap();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert_eq!(line(), "built");
    let before = session.reading();
    assert_eq!(Totals::of(&before), Totals::default(), "nothing is counted before the start");
    session.set_tracing(true);
    input.write_all(b"g").unwrap();
    let usable: u64 = line().parse().unwrap();
    let truth = Truth::parse(line().as_bytes());
    assert_eq!(line(), "replaced");
    let seen = session.reading();
    assert_eq!(Totals::of(&seen), truth.totals());
    assert_eq!(Totals::of(&seen).live(), (BLOCKS, 32 * BLOCKS));
    assert_eq!((seen.untracked_frees, seen.untracked_bytes), (BLOCKS, usable));
    let net = seen.usable_allocated - seen.usable_freed - seen.untracked_bytes;
    assert_eq!(net, 0, "each block was replaced by one of its size");
    input.write_all(b"g").unwrap();
    assert!(child.wait().success());
}

#[test]
fn a_window_that_changes_under_threads_stays_consistent() {
    let session = Session::traced();
    let mut command = session.command(program("threads"));
    let mut child = Guarded::start(command.args(["500000", "4"]));
    let mut step = 0;
    while child.0.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(1));
        step += 1;
        match step % 5 {
            0 | 3 => session.clear(),
            other => session.set_tracing(other != 1),
        }
    }
    assert!(child.wait().success());
    assert!(step > 20, "the window changed often: {step}");
    let seen = session.reading();
    check_consistent_after_clear(&seen);
    // The program has freed everything; a thread's table may be left.
    let (blocks, bytes) = Totals::of(&seen).live();
    assert!(blocks <= 8 && bytes <= 8 * 512, "{blocks} blocks with {bytes} bytes");
}

/// The threads' own figures are of their whole life, so they are not compared.
fn check_consistent_after_clear(reading: &memtop_probe::session::reader::SessionReading) {
    for (class, figures) in reading.classes.iter().enumerate() {
        assert!(figures.frees <= figures.allocations, "size class {class}: {figures:?}");
        assert!(figures.freed_bytes <= figures.allocated_bytes, "size class {class}");
    }
    assert_eq!((reading.lost_records, reading.unattributed), (0, 0));
}

#[test]
fn however_a_program_ends_its_figures_stay() {
    for (how, signal) in
        [("return", 0), ("_exit", 0), ("thread", 0), ("quick", 0), ("abort", 6), ("crash", 11)]
    {
        let session = Session::traced();
        let status =
            session.command(program("early_exit")).arg(how).status().expect("the program starts");
        assert_eq!(status.signal().unwrap_or(0), signal, "{how}");
        assert!(signal != 0 || status.code() == Some(5), "{how}: {status}");
        let seen = session.reading();
        let class = &seen.classes[memtop_probe::session::size_class::of(1000)];
        assert_eq!((class.allocations, class.frees), (100, 30), "{how}");
        assert_eq!((class.live_blocks(), class.live_bytes()), (70, 70_000), "{how}");
    }
}

#[test]
fn a_peak_of_large_blocks_is_kept_whole_where_there_are_threads() {
    for frames in [0, 128] {
        for (way, size) in (0..=7).flat_map(|way| [20_000, 900_000, 100_000_000].map(|s| (way, s)))
        {
            assert!(peak_is_kept(way, size, frames), "way {way}, {size} B, {frames} frames");
        }
    }
}

/// Whether what was live at the peak adds up to it.
fn peak_is_kept(way: u32, size: u64, frames: u32) -> bool {
    let session = Session::traced_with(frames);
    let arguments = [format!("{way}"), format!("{size}")];
    let status = session.command(program("peak_of_threads")).args(arguments).status();
    assert!(status.expect("the program starts").success());
    let seen = session.reading();
    assert!(seen.peak_bytes >= 200_000 + size, "{}", seen.peak_bytes);
    at_peak(&seen).1.abs_diff(seen.peak_bytes as i64) <= seen.peak_error_bytes
}

#[test]
fn what_threads_do_in_their_end_is_counted() {
    for arguments in [&["1000", "8"][..], &["300", "300"], &["400", "50", "detached"]] {
        let session = Session::traced();
        let (truth, seen) = run(&session, "thread_end", arguments);
        assert_eq!(Totals::of_programs_own(&seen), truth.totals(), "{arguments:?}");
    }
}

#[test]
fn a_thousand_threads_and_more_share_what_slots_there_are() {
    // The slots are 1024; the rest of the threads count in the shared one.
    for threads in ["1000", "1200"] {
        let (truth, seen) = run(&Session::traced(), "thread_end", &[threads, threads]);
        assert_eq!(Totals::of_programs_own(&seen), truth.totals(), "{threads} threads");
    }
}

#[test]
fn handlers_that_allocate_inside_the_hooks_lose_nothing() {
    let allocator = library("reentrant_malloc");
    for micros in ["1000", "50"] {
        let session = Session::traced();
        let mut command = session.command_with(program("signal_handler"), &[&allocator]);
        let truth = Truth::parse(&output(command.args(["700", micros])));
        let seen = session.reading();
        check_consistent(&seen);
        assert!(truth.field("peak_blocks") > 100, "the handler ran");
        assert_eq!(Totals::of(&seen), truth.totals(), "every {micros} µs");
        assert_eq!(seen.reallocations, truth.field("reallocations"));
    }
}

#[test]
fn another_allocator_stays_in_use() {
    let allocator = library("reentrant_malloc");
    let session = Session::traced();
    let mut command = session.command_with(program("churn"), &[&allocator]);
    let truth = Truth::parse(&output(command.arg("50000")));
    let seen = session.reading();
    assert_eq!(Totals::of(&seen), truth.totals());
    // Its usable sizes are the requested ones; glibc's never are.
    assert_eq!(seen.usable_allocated, truth.field("allocated_bytes"));
    assert_eq!(seen.peak_bytes, truth.field("peak_bytes"));
}

#[test]
fn every_event_reaches_the_feed_or_is_counted_as_dropped() {
    let mut session = Session::with_feed();
    let (truth, seen) = run(&session, "churn", &["200000"]);
    assert_eq!(Totals::of(&seen), truth.totals(), "no number depends on the feed");
    let drained = session.drained();
    let events = drained.events.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(events + seen.dropped_events, truth.field("allocations") + truth.field("frees"));
    assert!(events > 0);
    let of = |kind: u64| drained.kinds[kind as usize].load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(of(kind::ALLOCATE) + of(kind::RELEASE), events);
}

/// Threads that are killed: what was counted differs from what the program noted of itself by
/// at most the one operation that each thread was inside.
#[test]
fn a_kill_costs_at_most_one_operation_a_thread() {
    const THREADS: u64 = 4;
    const LARGEST: u64 = 4096;
    let file = scratch("shared_counter");
    let mut random = 0x9E37_79B9_7F4A_7C15u64;
    for round in 0..200 {
        fs::write(&file, [0; 4096]).unwrap();
        let session = Session::traced();
        let mut command = session.command(program("shared_counter"));
        let mut child = Guarded::start(command.arg(&file).arg(THREADS.to_string()));
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "running\n" {
            panic!("round {round}: the program ended early, {:?}", child.wait());
        }
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        thread::sleep(Duration::from_micros((random >> 33) % 30_000));
        child.0.kill().unwrap();
        assert_eq!(child.wait().signal(), Some(libc::SIGKILL));
        let noted = noted_by_program(&file);
        let seen = session.reading();
        let counted = Totals::of_programs_own(&seen);
        let near = |counted: u64, noted: u64, unit: u64, what: &str| {
            let off = counted.abs_diff(noted);
            assert!(off <= THREADS * unit, "round {round}: {what} {counted} for {noted}");
        };
        near(counted.allocations, noted.allocations, 1, "allocations");
        near(counted.frees, noted.frees, 1, "frees");
        near(counted.allocated_bytes, noted.allocated_bytes, LARGEST, "allocated bytes");
        near(counted.freed_bytes, noted.freed_bytes, LARGEST, "freed bytes");
    }
    let _ = fs::remove_file(file);
}

fn noted_by_program(file: &std::path::Path) -> Totals {
    let bytes = fs::read(file).unwrap();
    let word = |at: usize| u64::from_ne_bytes(bytes[at * 8..at * 8 + 8].try_into().unwrap());
    let sum = |field: usize| (0..bytes.len() / 64).map(|row| word(row * 8 + field)).sum();
    Totals { allocations: sum(0), frees: sum(1), allocated_bytes: sum(2), freed_bytes: sum(3) }
}

#[test]
fn a_program_has_the_descriptors_it_would_have() {
    let list = |command: &mut std::process::Command| {
        let output = output(command.args(["-c", "echo /proc/self/fd/*"]).stdin(Stdio::null()));
        String::from_utf8(output).unwrap()
    };
    let session = Session::traced();
    let traced = list(&mut session.command("/bin/sh"));
    assert_eq!(traced, list(&mut std::process::Command::new("/bin/sh")));
    assert!(!session.readings().is_empty());
}

#[test]
fn locking_all_memory_does_not_fill_the_tracers() {
    let session = Session::traced();
    let resident = output(&mut session.command(program("lock_all")));
    let resident: u64 = String::from_utf8(resident).unwrap().trim().parse().unwrap();
    assert!(resident < 64 * 1024, "{resident} KiB");
    assert!(Totals::of(&session.reading()).allocations >= 1);
}

#[test]
fn an_allocator_that_tells_no_sizes_is_not_asked() {
    let allocator = library("bare_malloc");
    for (session, traced) in [(Session::traced(), true), (Session::paused(), false)] {
        let mut command = session.command_with(program("churn"), &[&allocator]);
        let truth = Truth::parse(&output(command.arg("2000")));
        let seen = session.reading();
        let expected = if traced { truth.totals() } else { Totals::default() };
        assert_eq!(Totals::of(&seen), expected);
        // Nothing better is known than what was asked for.
        assert_eq!(seen.usable_allocated, expected.allocated_bytes);
    }
}

#[test]
fn an_allocation_before_libc_is_ready_does_not_cost_the_session() {
    let session = Session::traced();
    output(&mut session.command(program("before_libc")));
    let seen = session.reading();
    assert_eq!(seen.classes[memtop_probe::session::size_class::of(3000)].allocations, 1);
}
