//! Stacks of real programs: complete, the same as a walk without any memory finds, and summing
//! up to the totals.

use std::process::Stdio;

use memtop_probe::session::reader::{CaptureReading, SiteReading};
use support::{Session, Totals, output, program};

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
