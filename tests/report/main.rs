//! The report, from a file to what is printed and the exit code.

#[path = "../sample/mod.rs"]
mod sample;

mod json;
mod text;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use memtop::{
    cli::{GroupBy, ProcessChoice},
    model::{
        Filter, Identity, Names, ProcessState, Purpose, SiteFigures, Term, TreeState,
        UntracedProcess,
    },
    recording::Recording,
    report::{self, Choice, Look},
};
use proptest::prelude::*;
use sample::{any::trees, code, launch, recording};
use serde_json::Value;

/// A file in the target folder, for this test alone.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).expect("a temporary file");
    path
}

fn memtop(arguments: &[&str], file: &PathBuf) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtop"));
    command.arg(arguments[0]).arg(file).args(&arguments[1..]);
    command.output().expect("memtop runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn json_of(arguments: &[&str], tree: &TreeState, name: &str) -> Value {
    let path = file(name, &recording(tree));
    let output = memtop(&[&["report", "--json"], arguments].concat(), &path);
    assert_eq!(code(&output), 0, "{}", err(&output));
    serde_json::from_str(&out(&output)).expect("one JSON object")
}

fn text_of(tree: TreeState, choice: &Choice) -> String {
    let recording = Recording::from(tree);
    let report = report::build(&recording, choice).expect("a report");
    report::text(&report, choice, Look::Plain)
}

#[test]
fn a_process_is_chosen_by_its_last_image() {
    let json = json_of(&["--process", "4300"], &launch(), "process.memtop");
    assert_eq!(json["target"]["command"][0], "sort");
    let path = file("no-process.memtop", &recording(&launch()));
    let output = memtop(&["report", "--process", "7"], &path);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("there are 4242, 4300"), "{}", err(&output));
}

#[test]
fn a_sum_adds_up_what_adds() {
    let json = json_of(&["--process", "sum"], &launch(), "sum.memtop");
    let totals = &json["totals"];
    assert_eq!(totals["current_bytes"], 49_002_000);
    assert_eq!(totals["allocations"], 2_000_012);
    assert_eq!(totals["peak_bytes"], Value::Null);
    assert_eq!(totals["peak_at_most_bytes"], 54_431_094);
    assert_eq!(json["exactness"]["peak_error_bytes"], Value::Null);
    assert_eq!(json["target"]["pid"], Value::Null);
    assert_eq!(json["untracked"]["census"], Value::Null);
    assert_eq!(json["inherited"]["bytes"], 1_000);
    assert_eq!(json["size_classes"].as_array().map(Vec::len), Some(5));
    assert_eq!(json["timeline"], Value::Array(Vec::new()));
    assert_eq!(json["processes"][0]["totals"]["peak_bytes"], 54_421_094);
}

#[test]
fn at_the_peak() {
    let json = json_of(&["--at", "peak"], &launch(), "peak.memtop");
    assert_eq!(json["totals"]["current_bytes"], 54_421_094);
    assert_eq!(json["totals"]["current_blocks"], 1_100_000);
    assert_eq!(json["totals"]["usable_current_bytes"], Value::Null);
    assert_eq!(json["size_classes"][1]["current_blocks"], 1_088_000);
    assert_eq!(json["threads"][0]["current_bytes"], Value::Null);
    assert_eq!(json["processes"][1]["size_classes"], Value::Null);
}

/// What is not of the peak is of the end, and called so.
#[test]
fn a_report_of_the_peak_says_what_is_of_the_end() {
    let mut tree = launch();
    let process = &mut tree.processes[0];
    process.size_classes_at_peak = process.size_classes.clone();
    process.size_classes_at_peak[1].current_blocks += 5;
    let [peak, end] =
        [&["--at", "peak"][..], &[]].map(|at| json_of(at, &tree, "of-the-end.memtop"));
    for (at, class) in peak["size_classes"].as_array().expect("classes").iter().enumerate() {
        let end = &end["size_classes"][at];
        assert_eq!(class["allocations"], end["allocations"]);
        assert_eq!(class["allocated_bytes"], end["allocated_bytes"]);
    }
    assert_ne!(peak["size_classes"][1], end["size_classes"][1]);
    let text = text_of(tree, &Choice { at_peak: true, ..Choice::default() });
    for words in [
        "What was live, in sizes and sites too, as it was at the byte peak.",
        "What was allocated and freed, the net and the threads as at the end.",
        "Sizes  live at the peak, by requested size; allocations up to the end",
        "Threads  up to the end; what each held at the peak is not known",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_moment_that_a_recording_does_not_hold() {
    // Its figures were only written at the end.
    let path = file("moment.memtop", &recording(&launch()));
    let output = memtop(&["report", "--at", "42"], &path);
    assert_eq!(code(&output), 1, "{}", out(&output));
    assert!(err(&output).contains("it holds no process"), "{}", err(&output));
}

#[test]
fn groups_come_largest_first() {
    let json = json_of(&["--by", "size", "--top", "2"], &launch(), "by.memtop");
    assert_eq!(json["groups"][0]["key"], "17-32");
    assert_eq!(json["groups"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["size_classes"].as_array().map(Vec::len), Some(4));
    let json = json_of(&["--by", "thread"], &launch(), "by-thread.memtop");
    assert_eq!(json["groups"][0]["key"], "4242 redis-server");
    assert_eq!(json["groups"][1]["key"], "ended");
}

#[test]
fn what_cannot_be_had_is_wrong_usage() {
    let path = file("usage.memtop", &recording(&launch()));
    for (arguments, words) in [
        (&["report", "--by", "site"][..], "--by site needs stacks"),
        (&["report", "--by", "size", "--exclude", "x"], "--by size has neither"),
        (&["report", "--exclude", "thread:io"], "--exclude thread:io chooses threads"),
        (&["report", "--by", "file", "--include", "thread:io"], "use --by thread"),
        (&["report", "--by", "colour"], "invalid value 'colour'"),
        (&["report", "--at", "noon"], "write end, peak"),
        (&["report", "--at", "peak", "--process", "sum"], "do not go together"),
        (&["report", "--fail-if", "totals.peek > 1"], "no field 'totals.peek'"),
        (&["report", "--fail-if", "totals.frees >"], "'' is no value"),
        (&["report", "--colour"], "unexpected argument"),
    ] {
        let output = memtop(arguments, &path);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(err(&output).contains(words), "{arguments:?}: {}", err(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn that_tracing_had_not_started_is_not_said_to_be_a_lack_of_stacks() {
    let mut tree = launch();
    tree.processes.iter_mut().for_each(|process| process.window = Default::default());
    let output = memtop(&["report", "--by", "site"], &file("paused.memtop", &recording(&tree)));
    assert_eq!(code(&output), 2);
    let said = err(&output);
    assert!(said.contains("tracing had not started then") && !said.contains("none"), "{said}");
}

#[test]
fn a_budget_decides_the_exit_code() {
    let path = file("budget.memtop", &recording(&launch()));
    let kept = memtop(&["report", "--fail-if", "totals.peak_bytes > 64MiB"], &path);
    assert_eq!(code(&kept), 0, "{}", err(&kept));
    let met = memtop(&["report", "--fail-if", "totals.peak_bytes > 50MiB"], &path);
    assert_eq!(code(&met), 3);
    assert!(out(&met).contains("redis-server"));
    assert!(err(&met).contains("totals.peak_bytes is 54421094"), "{}", err(&met));
    let sum = &["report", "--process", "sum", "--fail-if", "totals.peak_bytes > 50MiB"];
    let unknown = memtop(sum, &path);
    assert_eq!(code(&unknown), 1);
    assert!(err(&unknown).contains("totals.peak_bytes is unknown"), "{}", err(&unknown));
}

#[test]
fn files_that_are_no_recordings_are_named() {
    for (path, words) in [
        (file("text.memtop", b"hello, world"), "not a memtop recording"),
        (file("empty.memtop", b""), "it is empty"),
        (PathBuf::from("/nowhere.memtop"), "memtop record -o FILE"),
        (PathBuf::from("/"), "directory"),
        (file("bare.memtop", &recording(&TreeState::default())), "no process"),
    ] {
        let output = memtop(&["report"], &path);
        assert_eq!(code(&output), 1);
        assert!(err(&output).contains(words), "{}", err(&output));
        assert!(err(&output).contains(&path.display().to_string()), "{}", err(&output));
    }
}

#[test]
fn a_cut_recording_shows_what_it_has() {
    let bytes = recording(&launch());
    // Behind the end stand 16 bytes that only say where it is.
    let path = file("cut.memtop", &bytes[..bytes.len() - 17]);
    let text = memtop(&["report"], &path);
    assert_eq!(code(&text), 0);
    assert!(out(&text).contains("This recording was cut"));
    let json = memtop(&["report", "--json"], &path);
    assert!(err(&json).contains("was cut"));
    let json: Value = serde_json::from_str(&out(&json)).expect("JSON");
    assert_eq!(json["recording"]["complete"], false);
}

#[test]
fn figures_that_were_cut_off_are_unknown_and_not_zero() {
    // Cut within the first state frame: who it is and the timeline are there.
    let path = file("cut-early.memtop", &recording(&launch())[..500]);
    let json = memtop(&["report", "--json"], &path);
    let json: Value = serde_json::from_str(&out(&json)).expect("JSON");
    assert_eq!(json["totals"], Value::Null);
    assert_eq!(json["timeline"].as_array().map(Vec::len), Some(20));
    let text = out(&memtop(&["report"], &path));
    assert!(text.contains("cut before the figures"), "{text}");
    assert!(text.contains("11.4 MiB live at 0:42"), "{text}");
}

#[test]
fn what_was_never_traced_is_unknown_and_decides_nothing() {
    let mut tree = launch();
    tree.processes.truncate(1);
    tree.processes[0] =
        ProcessState { identity: tree.processes[0].identity.clone(), ..ProcessState::default() };
    let json = json_of(&[], &tree, "untraced.memtop");
    assert_eq!((&json["totals"], &json["exactness"]), (&Value::Null, &Value::Null));
    let path = file("untraced.memtop", &recording(&tree));
    let text = out(&memtop(&["report"], &path));
    assert!(text.contains("Nothing was traced") && text.contains("never traced"), "{text}");
    assert!(!text.contains("0 B") && !text.contains("right to the byte"), "{text}");
    let decided = memtop(&["report", "--fail-if", "totals.peak_bytes > 1"], &path);
    assert_eq!(code(&decided), 1, "{}", err(&decided));
    // In a sum it adds nothing, and takes nothing away.
    let mut tree = launch();
    let sum = |tree: &TreeState, name| json_of(&["--process", "sum"], tree, name)["totals"].clone();
    let before = sum(&tree, "sum.memtop");
    let identity = Identity { pid: 9, ..tree.processes[0].identity.clone() };
    tree.processes.push(ProcessState { identity, ..ProcessState::default() });
    assert_eq!(sum(&tree, "sum-untraced.memtop"), before);
}

#[test]
fn a_peak_within_its_error_says_nothing_of_its_blocks() {
    let mut tree = launch();
    tree.processes.truncate(1);
    let process = &mut tree.processes[0];
    process.totals.peak_bytes = 2_970;
    process.totals.peak_blocks = 0;
    process.exactness.peak_error_bytes = 8_192;
    let text = text_of(tree.clone(), &Choice::default());
    let peak = text.lines().find(|line| line.starts_with("  peak")).expect("a peak");
    assert!(peak.contains("2.9 KiB") && !peak.contains("block"), "{peak}");
    assert_eq!(json_of(&[], &tree, "small-peak.memtop")["totals"]["peak_blocks"], Value::Null);
}

#[test]
fn sites_that_hold_nothing_are_counted_and_not_told() {
    let mut tree = code::alone(code::early());
    let figures = &mut tree.processes[0].sites.figures;
    let idle = |figures: &mut SiteFigures| {
        (figures.current_bytes, figures.current_blocks) = (0, 0);
    };
    figures.iter_mut().skip(1).for_each(idle);
    let text = text_of(tree.clone(), &Choice::default());
    assert!(text.contains("more that held nothing"), "{text}");
    assert!(!text.contains("0 B              0"), "{text}");
    tree.processes[0].sites.figures.iter_mut().for_each(idle);
    assert!(!text_of(tree, &Choice::default()).contains("held nothing"));
}

#[test]
fn a_dump_shows_the_records() {
    let output = memtop(&["dump"], &file("dump.memtop", &recording(&launch())));
    assert_eq!(code(&output), 0);
    assert!(out(&output).contains("launch launched_at="));
}

proptest! {
    /// A file may say anything: no figure in it makes a report fail.
    #[test]
    fn any_tree_has_a_report(tree in trees(), at_peak: bool, top in proptest::option::of(0_usize..3)) {
        let pid = tree.processes.last().map_or(0, |process| process.identity.pid);
        let recording = Recording::from(tree);
        let processes = [None, Some(ProcessChoice::Sum), Some(ProcessChoice::Pid(pid))];
        for process in processes {
            for by in [None, Some(GroupBy::Size), Some(GroupBy::Thread)] {
                let choice = Choice { at_peak, by, top, process, ..Choice::default() };
                if let Ok(report) = report::build(&recording, &choice) {
                    prop_assert!(report::json(&report).len() > 2);
                    prop_assert!(!report::text(&report, &choice, Look::Coloured).is_empty());
                }
            }
        }
    }
}
