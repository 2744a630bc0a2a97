//! Stacks of real programs: complete, the same as a walk without any memory finds, and summing
//! up to the totals.

use std::process::Stdio;

use memtop_probe::session::reader::{CaptureReading, SiteReading};
use support::{Session, Totals, Truth, output, program};

mod support;

/// Runs a program of ours to its end, with every capture checked.
fn checked(name: &str, arguments: &[&str]) -> Session {
    let session = Session::traced();
    session.check_stacks();
    let mut command = session.command(program(name));
    command.args(arguments).stderr(Stdio::inherit());
    output(&mut command);
    session
}

fn totals(sites: &[SiteReading]) -> Totals {
    let sum = |field: fn(&SiteReading) -> u64| sites.iter().map(field).sum();
    Totals {
        allocations: sum(|site| site.allocations),
        frees: sum(|site| site.frees),
        allocated_bytes: sum(|site| site.allocated_bytes),
        freed_bytes: sum(|site| site.freed_bytes),
    }
}

/// Sites sum up to the totals, now and at the peak.
fn assert_sums(session: &Session) {
    let (reading, sites) = (session.reading(), session.sites(0));
    assert_eq!(totals(&sites), Totals::of(&reading));
    let temporary: u64 = sites.iter().map(|site| site.temporary).sum();
    assert_eq!(temporary, reading.temporary);
    let peak: i64 = sites.iter().map(|site| site.peak_bytes).sum();
    let off = peak.abs_diff(reading.peak_bytes as i64);
    assert!(
        off <= reading.peak_error_bytes,
        "{peak} {} ± {}",
        reading.peak_bytes,
        reading.peak_error_bytes
    );
}

fn assert_all_alike(session: &Session) {
    let capture = session.reader().capture(0).expect("stacks are captured");
    let CaptureReading { unkept, checked, differing, .. } = capture;
    assert_eq!((unkept, differing), (0, 0), "of {checked}");
    assert!(checked > 20, "{checked}");
}

#[test]
fn captures_are_what_a_full_walk_finds() {
    for (name, arguments) in [
        ("churn", &["20000"][..]),
        ("deep", &["20000", "20"]),
        ("deep", &["20000", "40"]),
        ("grow", &["20000"]),
        ("threads", &["10000", "4"]),
        ("realloc_corners", &[]),
        ("coroutines", &["300"]),
        ("many_stacks", &["12", "3"]),
    ] {
        let session = checked(name, arguments);
        assert_sums(&session);
        assert_all_alike(&session);
    }
}

#[test]
fn the_usual_path_counts_what_the_careful_one_does() {
    for (name, arguments) in
        [("churn", &["200000"][..]), ("deep", &["50000", "40"]), ("threads", &["50000", "4"])]
    {
        let session = Session::traced();
        output(session.command(program(name)).args(arguments));
        assert_sums(&session);
    }
}

/// A thread reaches the peak and ends; who is left leaves it, some ticks later.
#[test]
fn the_last_thread_leaves_the_peak_of_all() {
    for levels in ["10", "13", "15"] {
        let session = Session::traced();
        output(session.command(program("many_stacks")).arg(levels));
        assert_sums(&session);
    }
}

/// Three libraries with the same functions and frames of other sizes, one after another at the
/// same address.
#[test]
fn code_that_goes_away_is_forgotten() {
    let libraries = ["16", "200", "1000"].map(|room| support::library_with("plugin", room));
    let session = Session::traced();
    session.check_stacks();
    output(session.command(program("unloading")).arg("200").args(&libraries));
    assert_sums(&session);
    assert_all_alike(&session);
    let modules = session.reader().modules(0, 0);
    assert!(modules.len() < 10, "a library that comes back is the same: {}", modules.len());
    for library in &libraries {
        let path = library.to_str().unwrap().as_bytes();
        assert!(modules.iter().any(|module| module.path == path));
    }
}

/// Stacks deeper than the limit keep their innermost frames and say so.
#[test]
fn deep_stacks_are_cut_and_marked() {
    let session = Session::traced_with(10);
    session.check_stacks();
    output(session.command(program("deep")).args(["5000", "40"]));
    assert_sums(&session);
    assert_all_alike(&session);
    let reader = session.reader();
    let (nodes, stacks) = (reader.nodes(0, 0), reader.stacks(0, 0));
    let cut = stacks.iter().filter(|stack| stack.cut);
    let depth = |mut node: Option<u32>| {
        std::iter::from_fn(|| {
            let at = node?;
            node = nodes[at as usize].parent;
            Some(at)
        })
        .count()
    };
    assert!(cut.clone().count() > 100);
    assert!(cut.clone().all(|stack| depth(stack.node) == 10));
    assert_eq!(reader.read(0).unwrap().stacks_cut, Some(cut.count() as u64));
}

/// The tracer times a call of its own each tick.
#[test]
fn calls_are_timed_now_and_then() {
    let session = Session::traced();
    output(session.command(program("churn")).arg("3000000"));
    let reading = session.reading();
    let cost = reading.cost.expect("some ticks passed");
    assert!(cost.samples >= 3 && cost.ns > 1.0 && cost.ns < 10_000.0, "{cost:?}");
    // So few series say nothing of how they differ; more do.
    assert!(cost.error_ns.is_none_or(|error| error.is_finite()));
    assert_sums(&session);
}

/// Also those of a program that has hardly any of the usual kind.
#[test]
fn calls_of_threads_with_large_blocks_are_timed() {
    let session = Session::traced();
    output(session.command(program("peak_of_threads")).args(["5", "20000", "200000"]));
    let cost = session.reading().cost.expect("some ticks passed");
    assert!(cost.samples >= 3 && cost.ns > 1.0 && cost.ns < 10_000.0, "{cost:?}");
}

/// A handler that allocates, also inside a hook that is walking a stack.
#[test]
fn handlers_count_where_they_can() {
    let allocator = support::library("reentrant_malloc");
    let session = Session::traced();
    let mut command = session.command_with(program("signal_handler"), &[&allocator]);
    let truth = Truth::parse(&output(command.args(["500", "50"])));
    assert_eq!(totals(&session.sites(0)), truth.totals());
}

/// A clear begins the stacks anew: nothing of before counts, and sums still hold.
#[test]
fn a_clear_starts_the_sites_over() {
    let session = Session::traced();
    output(session.command(program("churn")).arg("20000"));
    assert_sums(&session);
    session.clear();
    assert_eq!(totals(&session.sites(0)), Totals::default());
}

/// A thread counts on in the cells of one that has ended: their sites are both's.
#[test]
fn who_takes_over_from_an_ended_thread_is_not_said_to_have_done_all() {
    let session = Session::traced();
    let text = output(&mut session.command(program("heirs")));
    let [main, heir] = String::from_utf8(text).unwrap().split_whitespace().collect::<Vec<_>>()[..]
        .try_into()
        .map(|tids: [&str; 2]| tids.map(|tid| tid.parse::<u32>().unwrap()))
        .unwrap();
    let sites = session.sites(0);
    let of_size = |bytes: u64| sites.iter().position(|one| one.allocated_bytes == bytes).unwrap();
    let asked = session.reader().stacks_by_thread(0);
    for (bytes, expected) in [(3000, [0, heir]), (9000, [0, heir]), (5000, [main, main])] {
        let stack = of_size(bytes) as u32;
        let askers = asked.iter().filter(|(_, stacks)| stacks.contains(&stack));
        let mut askers: Vec<u32> = askers.map(|(tid, _)| *tid).collect();
        askers.resize(2, askers[0]);
        askers.sort_unstable();
        assert_eq!(askers, expected, "{bytes}");
        let threads = session.reader().site_threads(0, stack);
        let told: Vec<_> = threads.iter().map(|one| (one.tid, one.figures.allocations)).collect();
        assert_eq!(told, [(if expected[0] == main { main } else { 0 }, 1)], "{bytes}");
    }
}
