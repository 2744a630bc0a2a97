//! Programs that go to places where a tracer is easily lost, or in the way, under the real
//! `memtop record`: what they say, and what the report says of them.

#[path = "../end_to_end/mod.rs"]
mod end_to_end;

mod limits;
mod untraced;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use end_to_end::{Behaviour, Home, behaviour, programs::program, text};
use serde_json::Value;

/// The record of a program that goes to a place, after it was seen that it behaves as untraced.
fn recorded(home: &Home, place: &[&str]) -> Value {
    let found = recorded_by(home, place, |_| {});
    assert_eq!(found, plain(home, place), "{place:?}");
    home.report()
}

fn plain(home: &Home, place: &[&str]) -> Behaviour {
    let mut command = home.command(program("hard_places.c"));
    command.args(place);
    behaviour(command, "")
}

fn recorded_by(home: &Home, place: &[&str], prepare: impl Fn(&mut Command)) -> Behaviour {
    let mut command = home.memtop(["record", "--quiet", "--force", "-o", "recording.memtop", "--"]);
    command.arg(program("hard_places.c")).args(place);
    prepare(&mut command);
    behaviour(command, "")
}

fn number(value: &Value, path: &[&str]) -> u64 {
    let found = path.iter().fold(value, |value, name| &value[*name]);
    found.as_u64().unwrap_or_else(|| panic!("{path:?} in {value}"))
}

/// Blocks of the program's own sizes, from 2049 to 4096 and from 8193 to 16384 bytes.
fn own_allocations(process: &Value) -> u64 {
    let classes = process["size_classes"].as_array().unwrap().iter();
    let own = classes.filter(|class| [2049, 8193].contains(&number(class, &["min"])));
    own.map(|class| number(class, &["allocations"])).sum()
}

fn processes(report: &Value) -> &Vec<Value> {
    report["processes"].as_array().unwrap()
}

/// Only root may.
fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn a_daemon_is_in_the_report_as_far_as_it_came() {
    let home = Home::new();
    let file = home.path("done");
    let report = recorded(&home, &["daemon", file.to_str().unwrap()]);
    assert_eq!(report["target"]["exit"]["code"], 0);
    assert_eq!(own_allocations(&report), 100);
    // The program itself has ended, and its recording with it; the daemon lives on in peace.
    end_to_end::wait_until("the daemon is done", || home.read("done").is_some());
    home.wait_until_empty();
}

#[test]
fn processes_in_a_world_of_their_own_are_known_from_outside() {
    if !is_root() {
        return println!("skipped: only root may unshare process numbers");
    }
    let home = Home::new();
    let report = recorded(&home, &["world", "1500"]);
    let all = processes(&report);
    let own: Vec<u64> = all.iter().map(own_allocations).collect();
    assert_eq!(own, [100, 100, 1], "all that was done, to the end");
    let pids: BTreeSet<u64> = all.iter().map(|one| number(one, &["pid"])).collect();
    assert!(pids.len() == 3 && pids.iter().all(|pid| *pid > 2), "{pids:?}");
    assert_eq!(all[1]["parent"], all[0]["pid"]);
    assert_eq!(all[2]["parent"], all[1]["pid"]);
    let lived = |one: &Value| one["ended_s"].as_f64().unwrap() - one["started_s"].as_f64().unwrap();
    assert!(lived(&all[1]) > 1.4, "{}", all[1]["ended_s"]);
}

#[test]
fn programs_that_are_executed_in_such_a_world_have_their_parents() {
    if !is_root() {
        return println!("skipped: only root may unshare process numbers");
    }
    let home = Home::new();
    let mut command = home.memtop(["record", "--quiet", "-o", "recording.memtop", "--", "unshare"]);
    command.args(["--pid", "--fork", "sh", "-c", "echo $$; sleep 0.1; cat /dev/null | cat"]);
    let found = behaviour(command, "");
    assert_eq!((found.status, found.stdout.as_str()), (0, "1\n"), "{found:?}");
    let report = home.report();
    let all = processes(&report);
    let pids: Vec<u64> = all.iter().map(|one| number(one, &["pid"])).collect();
    let parents: Vec<_> = all[1..].iter().map(|one| one["parent"].as_u64()).collect();
    assert!(all[0]["parent"].is_null() && pids.len() >= 5, "{pids:?}");
    // The shell's is unshare, and the shell is that of the others, before and after their exec.
    let shell = pids[1];
    let expected = pids[1..].iter().map(|pid| Some(if *pid == shell { pids[0] } else { shell }));
    assert_eq!(parents, expected.collect::<Vec<_>>(), "{pids:?}");
}

#[test]
fn a_program_that_executes_itself_has_a_generation_each_time() {
    let home = Home::new();
    let report = recorded(&home, &["again", "3"]);
    let all = processes(&report);
    assert_eq!(all.iter().map(own_allocations).collect::<Vec<_>>(), [300, 200, 100, 0]);
    let generations: Vec<u64> = all.iter().map(|one| number(one, &["generation"])).collect();
    assert_eq!(generations, [0, 1, 2, 3]);
    assert_eq!(report["target"]["exit"]["code"], 0);
}

#[test]
fn the_command_is_the_one_that_was_given_whatever_is_written_over_it() {
    let home = Home::new();
    let report = recorded(&home, &["titled"]);
    let command = report["target"]["command"].as_array().unwrap();
    assert_eq!(command.last().unwrap(), "titled");
    assert_eq!(own_allocations(&report), 1000);
}

/// Builds a shared library from `tests/programs`.
fn library(home: &Home, source: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
    let to = home.path("own.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-shared", "-fPIC", "-fno-builtin", "-o"]).args([&to, &from]);
    assert!(compiler.status().unwrap().success());
    to
}

#[test]
fn what_is_preloaded_already_stays() {
    let home = Home::new();
    let own = library(&home, "reentrant_malloc.c");
    let preload = own.to_str().unwrap();
    let found = recorded_by(&home, &["usual"], |command| _ = command.env("LD_PRELOAD", preload));
    assert_eq!(found.status, 0, "{found:?}");
    let report = home.report();
    assert_eq!(own_allocations(&report), 1000);
    // That allocator gives what is asked for; glibc gives more.
    let totals = &report["totals"];
    assert_eq!(totals["usable_current_bytes"], totals["current_bytes"]);
    let output = home.record(|command| {
        command.args(["sh", "-c", "echo \"$LD_PRELOAD\""]).env("LD_PRELOAD", preload);
    });
    let list = text(&output.stdout);
    let parts: Vec<&str> = list.trim().split(':').collect();
    assert!(parts.len() == 2 && parts[1] == preload, "{list}");
}

#[test]
fn a_sanitized_program_is_refused_with_the_reason() {
    let home = Home::new();
    fs::write(home.path("plain.c"), "int main(void) { return 0; }").unwrap();
    for (option, name) in
        [("-fsanitize=address", "AddressSanitizer"), ("-fsanitize=thread", "ThreadSanitizer")]
    {
        let mut compiler = Command::new("cc");
        compiler.args([option, "-o", "sanitized", "plain.c"]).current_dir(home.path(""));
        // Not every compiler has every sanitizer.
        if !compiler.stderr(Stdio::null()).status().unwrap().success() {
            continue;
        }
        let refused = behaviour(home.memtop(["record", "-o", "out", "--", "./sanitized"]), "");
        assert_eq!(refused.status, 126, "{refused:?}");
        assert!(refused.stderr.contains(name), "{refused:?}");
        assert!(!home.path("out").exists());
    }
}

#[test]
fn a_thirty_two_bit_program_is_refused_with_the_reason() {
    let home = Home::new();
    let mut program = fs::read("/bin/true").unwrap();
    // 32 bits, and Intel's 80386.
    (program[4], program[18]) = (1, 3);
    fs::write(home.path("old"), program).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(home.path("old"), mode).unwrap();
    let refused = behaviour(home.memtop(["record", "-o", "out", "--", "./old"]), "");
    assert_eq!(refused.status, 126, "{refused:?}");
    assert!(refused.stderr.contains("32-bit x86"), "{refused:?}");
}

/// A thread that slept tells of what it held back when it wakes; the peak is none of its old time.
#[test]
fn a_thread_that_slept_does_not_date_the_peak_back() {
    let home = Home::new();
    let source = "#include <pthread.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
                  void *volatile held[3];\n\
                  void *sleeper(void *x) { held[0] = malloc(3000); held[1] = malloc(10); \
                  usleep(1500000); free(held[1]); return x; }\n\
                  int main(void) { pthread_t t; pthread_create(&t, 0, sleeper, 0); \
                  usleep(700000); held[2] = malloc(1000000); pthread_join(t, 0); }\n";
    fs::write(home.path("sleeper.c"), source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-pthread", "-o", "sleeper", "sleeper.c"]).current_dir(home.path(""));
    assert!(compiler.status().unwrap().success());
    assert!(home.record(|command| _ = command.arg("./sleeper")).status.success());
    let report = home.report();
    assert!(number(&report, &["totals", "peak_bytes"]) > 1_003_000, "{}", report["totals"]);
    let at = report["totals"]["peak_at_s"].as_f64().unwrap();
    assert!((0.5..=2.5).contains(&at), "{at} s");
}
