//! Sites are kept about once a second: a decision over older ones is not a silent one.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::*;

/// A recording, a moment of it and of when its sites are then.
struct Aged {
    path: PathBuf,
    at: String,
    sites_at: Duration,
}

fn aged(name: &str) -> Aged {
    let (bytes, history) = record(three_programs(), 60);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, &bytes).expect("a temporary file");
    let file = File::new(bytes).expect("a recording");
    let found = history.keys().skip(20).find_map(|at| {
        let then = file.recording_at(When::At(*at)).expect("memory");
        Some((*at, then.tree.processes[0].sites.as_of?))
    });
    let (at, sites_at) = found.expect("a moment whose sites are older");
    Aged { path, at: format!("{:.4}", at.as_secs_f64() + 1e-4), sites_at }
}

fn memtop(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtop")).args(arguments).output().expect("memtop runs")
}

fn report(aged: &Aged, more: &[&str]) -> Output {
    let path = aged.path.to_str().expect("text");
    memtop(&[&["report", path, "--json", "--at", &aged.at], more].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn words(whose: &str, sites_at: Duration) -> String {
    let at = window::moment(sites_at);
    format!("memtop: the sites{whose} are those of {at}, the last that were kept\n")
}

#[test]
fn a_report_says_of_when_the_sites_are_that_it_decides_over() {
    let aged = aged("aged-report.memtop");
    let sites = report(&aged, &["--fail-if", "sites.0.current_bytes > 0"]);
    assert_eq!(sites.status.code(), Some(3));
    let words = words("", aged.sites_at);
    assert!(said(&sites).starts_with(&words), "{} and not {words}", said(&sites));
    let json: serde_json::Value = serde_json::from_slice(&sites.stdout).expect("JSON");
    assert_eq!(json["exactness"]["sites_at_s"], aged.sites_at.as_secs_f64());
    let twice = "groups.0.current_bytes == 1 or groups.1.current_bytes == 1";
    let groups = report(&aged, &["--by", "module", "--fail-if", twice]);
    assert_eq!((groups.status.code(), said(&groups)), (Some(0), words));
    for (by, condition) in [
        ("site", "totals.current_bytes == 1"),
        ("thread", "groups.0.allocations == 1000000"),
        ("size", "groups.0.current_bytes == 1"),
    ] {
        let other = report(&aged, &["--by", by, "--fail-if", condition]);
        assert_eq!((other.status.code(), said(&other)), (Some(0), String::new()), "{condition}");
    }
}

#[test]
fn a_sum_has_the_age_of_its_oldest_sites() {
    let aged = aged("aged-sum.memtop");
    let sum = report(&aged, &["--process", "sum", "--fail-if", "sites.0.current_bytes == 1"]);
    let json: serde_json::Value = serde_json::from_slice(&sum.stdout).expect("JSON");
    assert_eq!(json["exactness"]["sites_at_s"], aged.sites_at.as_secs_f64());
    assert_eq!(said(&sum), words("", aged.sites_at));
}

#[test]
fn a_diff_says_which_side_is_older() {
    let aged = aged("aged-diff.memtop");
    let path = aged.path.to_str().expect("text");
    let then = format!("{path}@{}", aged.at);
    let diff = |by: &str, condition: &str| {
        memtop(&["diff", &then, path, "--by", by, "--fail-if", condition])
    };
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    for condition in ["groups.0.bytes_delta == 1", "states.new.groups == 99999"] {
        let by_site = diff("site", condition);
        assert_eq!(said(&by_site), words(" of A", aged.sites_at), "{condition}");
        assert!(text(&by_site).contains("Groups as they were at"), "{}", text(&by_site));
    }
    let by_size = diff("size", "groups.0.bytes_delta == 1");
    assert_eq!(said(&by_size), "");
    assert!(!text(&by_size).contains("Groups as they were at"), "{}", text(&by_size));
    assert_eq!(said(&diff("site", "totals.bytes_delta == 1")), "");
}

#[test]
fn an_export_says_so_with_the_same_words() {
    let aged = aged("aged-export.memtop");
    let path = Path::new(&aged.path).to_str().expect("text");
    let csv = memtop(&["export", path, "--format", "csv", "--at", &aged.at, "-o", "-"]);
    assert_eq!(said(&csv), words("", aged.sites_at));
}

/// Sites that do not change are not written again; they are no older for that.
#[test]
fn sites_of_a_program_that_does_nothing_are_of_now() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, None);
    let idle = |at: Duration, sites: SitesUpdate, allocations: u64| Look {
        state: ProcessState {
            totals: Totals {
                current_bytes: 50,
                current_blocks: 2,
                allocations,
                ..Totals::default()
            },
            ..ProcessState::default()
        },
        point: Point { at, ..Point::default() },
        sites,
        ..Look::default()
    };
    let held = SiteFigures {
        current_bytes: 50,
        current_blocks: 2,
        allocations: 7,
        ..SiteFigures::default()
    };
    let mut first = program.update();
    while first.stacks.is_empty() {
        first = program.update();
    }
    first.changed = vec![(StackId(0), held)];
    for tick in 1..=80_u32 {
        let sites = if tick == 1 { first.clone() } else { SitesUpdate::default() };
        // An allocation and a free that no site has: what the tracer has no room to attribute.
        let allocations = if tick > 63 { 8 } else { 7 };
        recorder.tick(TICK * tick, vec![idle(TICK * tick, sites, allocations)]).expect("memory");
    }
    let file = File::new(recorder.finish(None).expect("memory")).expect("a recording");
    let age = |at: u32| {
        let then = file.recording_at(When::At(TICK * at)).expect("memory");
        then.tree.processes[0].sites.as_of
    };
    assert_eq!(age(50), None);
    // They were right until then, and are again with the next look, which has nothing to write.
    assert_eq!(age(65), Some(TICK * 63));
    assert_eq!(age(75), None);
}

/// What a segment begins with is not newer than the look that it is of.
#[test]
fn a_segment_begins_with_sites_that_are_as_old_as_they_say() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, None);
    program.unseen = Some(SitesUpdate::default());
    let mut looked_at = Vec::new();
    for tick in 1..=1300_u32 {
        let now = TICK * tick;
        let look = program.look(0, now);
        // As a keeper does it: sites are looked at where they are kept.
        let look = match recorder.wants_sites(now) {
            true => {
                looked_at.push(now);
                let sites = program.unseen.replace(SitesUpdate::default());
                Look { sites: sites.unwrap_or_default(), ..look }
            }
            false => Look { sites: SitesUpdate::default(), ..look },
        };
        recorder.tick(now, vec![look]).expect("memory");
    }
    let file = File::new(recorder.finish(None).expect("memory")).expect("a recording");
    for tick in 600..=610_u32 {
        let now = TICK * tick;
        let mut cursor = Cursor::new(0);
        cursor.seek(&file, now).expect("memory");
        let last = looked_at.iter().rfind(|at| **at <= now);
        assert_eq!(cursor.sites_at(), last.copied(), "at {now:?}");
        // Screens and reports say the same.
        let older = last.copied().filter(|at| *at < now);
        assert_eq!(cursor.sites_as_of(), older, "at {now:?}");
        let then = file.recording_at(When::At(now)).expect("memory");
        assert_eq!(then.tree.processes[0].sites.as_of, older, "at {now:?}");
    }
}

#[test]
fn a_recording_that_was_cut_says_of_when_its_sites_are() {
    let (bytes, _) = record(three_programs(), 60);
    let as_of = |length: usize| {
        let cut = read_tree(&bytes[..length]).expect("a recording");
        cut.tree.processes.first().and_then(|one| one.sites.as_of)
    };
    let length = (bytes.len() / 2..bytes.len()).step_by(50).find(|at| as_of(*at).is_some());
    let length = length.expect("a cut whose sites are older than its ticks");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("aged-cut.memtop");
    std::fs::write(&path, &bytes[..length]).expect("a temporary file");
    let path = path.to_str().expect("text");
    let report = memtop(&["report", path, "--fail-if", "sites.0.current_bytes == 1"]);
    assert_eq!(said(&report), words("", as_of(length).expect("older")));
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(text.contains("  Sites: as they were at "), "{text}");
}
