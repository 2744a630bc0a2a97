//! The contract of the command line: exit codes and messages, programs that behave as without
//! memtop, and every process of a tree in the report.

#[path = "../end_to_end/mod.rs"]
mod end_to_end;

mod programs;
mod refused;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use end_to_end::{
    Behaviour, Home, behaviour,
    programs::program,
    pty::{Terminal, redirected},
    text,
};
use serde_json::Value;

fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

/// Status as a shell would give it, and the messages.
fn said(command: Command) -> (Option<i32>, String) {
    let output = run(command);
    (output.status.code(), text(&output.stderr))
}

#[test]
fn what_is_not_built_names_itself() {
    let home = Home::new();
    for (line, name) in
        [("attach 1", "memtop attach"), ("record --pid 1 -o out", "memtop record --pid")]
    {
        let (status, message) = said(home.memtop(line.split(' ')));
        assert_eq!(status, Some(2), "{line}: {message}");
        assert!(message.contains(&format!("{name} is not built yet")), "{line}: {message}");
        assert!(!home.path("ran").exists() && !home.path("out").exists(), "{line}");
    }
}

#[test]
fn wrong_options_are_named() {
    let home = Home::new();
    for (line, named) in [
        ("run --tpyo true", "--tpyo"),
        ("run", "<PROG>"),
        ("record true", "--output <FILE>"),
        ("record -o out", "<PROG>"),
        ("run --start later true", "later"),
        ("run --stop 5s true", "5s"),
        ("run --tick 1ms true", "1ms"),
        ("record --max-tracer-memory much -o out true", "much"),
        ("record --max-tracer-memory 1K -o out true", "--max-tracer-memory"),
        ("record --max-tracer-memory 1K -o out true", "1M at least"),
        ("record -o - true", "write a file"),
        ("report", "<FILE>"),
        ("report --process all file", "all"),
        ("frobnicate", "frobnicate"),
    ] {
        let (status, message) = said(home.memtop(line.split(' ')));
        assert_eq!(status, Some(2), "{line}: {message}");
        assert!(message.contains(named), "{line}: {message}");
    }
    assert!(!home.path("out").exists());
}

#[test]
fn a_report_of_nothing_is_a_failure() {
    let home = Home::new();
    fs::write(home.path("noise"), "neither memtop nor anything else").unwrap();
    fs::write(home.path("empty"), "").unwrap();
    for file in ["absent", "noise", "empty", "."] {
        let (status, message) = said(home.memtop(["report", file]));
        assert_eq!(status, Some(1), "{file}: {message}");
        assert!(message.contains(file), "{message}");
    }
}

#[test]
fn conditions_are_checked() {
    let home = Home::new();
    // A shell allocates, which not every program does.
    assert!(home.record(|command| _ = command.args(["sh", "-c", ":"])).status.success());
    for (condition, expected) in [
        ("totals.allocations >= 1", 3),
        ("totals.peak_bytes > 1GiB", 0),
        ("totals.peak_bytes > 1GiB or totals.allocations >= 1", 3),
        ("totals.peak_bytes > 1 potato", 2),
        ("totals.no_such_thing > 1", 2),
    ] {
        let command = home.memtop(["report", "--fail-if", condition, "recording.memtop"]);
        let (status, message) = said(command);
        assert_eq!(status, Some(expected), "{condition}: {message}");
    }
    let (status, message) = said(home.memtop(["report", "--by", "potato", "recording.memtop"]));
    assert_eq!(status, Some(2));
    assert!(message.contains("--by"), "{message}");
}

#[test]
fn figures_that_suffer_from_a_cap_bear_its_sign() {
    let home = Home::new();
    let program = program("grow.c");
    let options = ["record", "--quiet", "--max-tracer-memory", "1M", "-o", "out"];
    let mut command = home.memtop(options);
    command.arg(program).arg("100000");
    assert!(run(command).status.success(), "the program ends as it would");
    let report = text(&run(home.memtop(["report", "out"])).stdout);
    let rows: Vec<&str> = report.lines().collect();
    for row in ["  live  ", "  peak  ", "  most blocks  ", "  freed  "] {
        assert!(rows.iter().any(|line| line.starts_with(row) && line.contains("≥ ")), "{report}");
    }
    let is = |start: &str, sign: &str| {
        rows.iter().any(|line| line.starts_with(start) && line.contains(sign))
    };
    assert!(is("  untracked freed", "≤ ") && is("  allocated", "100,"), "{report}");
    assert!(report.contains("(--max-tracer-memory)"), "{report}");
}

/// A moment before the first reading is named with the first that is known.
#[test]
fn a_moment_that_came_too_early_is_told() {
    let home = Home::new();
    let line = "record --quiet --tick 300ms -o out sleep 1".split(' ');
    assert!(run(home.memtop(line)).status.success());
    for line in
        ["report out --at 0", "diff out@0 out", "export out --at 0 --format folded -o folded"]
    {
        let (status, message) = said(home.memtop(line.split(' ')));
        assert_eq!(status, Some(1), "{line}: {message}");
        let first = message.split("its first reading is of ").nth(1).expect(&message);
        let first = first.trim_end().trim_end_matches(" s");
        let report = run(home.memtop(["report", "out", "--at", first]));
        assert!(report.status.success(), "{first}: {}", text(&report.stderr));
    }
}

#[test]
fn the_demo_without_a_terminal_prints_its_report() {
    let home = Home::new();
    let mut command = home.memtop(["demo"]);
    // SAFETY: setsid is async-signal-safe; the new session has no terminal.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            libc::setsid();
            Ok(())
        })
    };
    let began = Instant::now();
    let output = run(command);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(began.elapsed() < Duration::from_secs(60));
    let report = text(&output.stdout);
    assert!(report.contains("from before the start were freed"), "{report}");
    assert!(report.contains("The end.") && report.contains("more than at 0:03"), "{report}");
    // The program says when tracing starts as the report does: 0:03.5.
    let told = report.lines().find_map(|line| line.split_once(" s  Tracing starts."));
    let told: f64 = told.expect("it tells").0.trim().parse().expect("seconds");
    assert!((3.4..3.75).contains(&told), "{report}");
    // The blocks of three acts are still live, each act's under a name of its own.
    for parts in [
        ["32.0 MiB", " 600,000 ", "::replacement ", " demo.rs:"],
        ["16.0 MiB", " 83,880 ", "::leaked_request ", " demo.rs:"],
        ["8.0 MiB", " 2,040 ", "::cache_entry ", " demo.rs:"],
    ] {
        let is_site = |line: &str| parts.iter().all(|part| line.contains(part));
        assert!(report.lines().any(is_site), "{parts:?} in {report}");
    }
    assert!(!report.contains('\x1b'), "no colours into a pipe");
    home.wait_until_empty();
}

#[test]
fn the_doctor_tries_tracing_and_says_what_to_do() {
    let home = Home::new();
    let output = run(home.memtop(["doctor"]));
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in ["✓ tracing", "glibc", "/bin/sh was traced", "memtop works here"] {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let output = run(home.memtop(["doctor", "--json"]));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found.as_array().unwrap().len() >= 10);
    assert_eq!((&found[0]["name"], &found[0]["verdict"]), (&"tracing".into(), &"works".into()));

    let mut command = home.memtop(["doctor"]);
    command.env("MEMTOP_PRELOAD_SO", "/nonexistent.so");
    let output = run(command);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("✗ tracing") && said.contains("cannot trace programs here"), "{said}");
}

#[test]
fn a_wrong_value_of_a_variable_is_said_to_be_one() {
    let home = Home::new();
    let said_of = |line: &str| {
        let mut command = home.memtop(line.split(' '));
        command.env("MEMTOP_TICK", "banana");
        said(command)
    };
    let (status, words) = said_of("record -o out true");
    assert!(status == Some(2) && words.contains("the value of MEMTOP_TICK"), "{words}");
    for typed in ["record --tick banana -o out true", "record --tick=banana -o out true"] {
        let (status, words) = said_of(typed);
        assert!(status == Some(2) && !words.contains("MEMTOP_TICK"), "{words}");
    }
    assert_eq!(said_of("record --quiet --tick 1s -o out true"), (Some(0), String::new()));
}

#[test]
fn a_configuration_file_is_used_and_its_mistakes_are_named() {
    let home = Home::new();
    fs::create_dir_all(home.path("memtop")).unwrap();
    let record = |config: &str, line: &[&str]| {
        fs::write(home.path("memtop/config.toml"), config).unwrap();
        let mut command = home.memtop(["record", "--force", "-o", "out"]);
        command.args(line).env("XDG_CONFIG_HOME", home.path(""));
        said(command)
    };
    let (status, words) = record("", &["true"]);
    assert!(status == Some(0) && words.contains("memtop: recorded"), "{words}");
    assert_eq!(record("# mine\nquiet = true\n", &["true"]), (Some(0), String::new()));
    let (status, words) = record("\nquite = true\n", &["true"]);
    assert_eq!(status, Some(2));
    assert!(words.contains("memtop/config.toml, line 2: there is no option --quite"), "{words}");
    assert!(words.contains("MEMTOP_CONFIG=/dev/null"), "{words}");
    let (status, words) = record("tick = \"now and then\"\n", &["true"]);
    assert!(status == Some(2) && words.contains("line 1: "), "{words}");
    // A dashboard's options as well, though there is none.
    let mine = "theme = \"mine\"\n[themes.mine]\nbase = \"light\"\n";
    assert_eq!(record(mine, &["true"]).0, Some(0));
    let (status, words) = record(&mine.replacen("mine", "thine", 1), &["true"]);
    assert_eq!(status, Some(2), "{words}");
    assert!(words.contains("memtop/config.toml, line 1: there is no theme 'thine'"), "{words}");
    assert!(words.contains("auto, dark, light") && words.contains("has mine"), "{words}");
    let (status, words) = record("[themes.odd]\nlife = { fg = \"red\" }\n", &["true"]);
    assert!(status == Some(2) && words.contains("[themes.odd]"), "{words}");
}

#[test]
fn every_command_for_people_is_in_the_help() {
    let help = text(&run(Home::new().memtop(["--help"])).stdout);
    let listed = |name: &str| help.lines().any(|line| line.trim_start().starts_with(name));
    assert!(listed("run ") && listed("completions ") && listed("man "), "{help}");
    assert!(!listed("keeper") && !listed("dump"), "{help}");
}

#[test]
fn completions_and_the_manual_page_are_made_from_the_options() {
    let home = Home::new();
    let bash = text(&run(home.memtop(["completions", "bash"])).stdout);
    assert!(bash.contains("--max-tracer-memory") && bash.contains("complete -F"), "{bash}");
    let page = text(&run(home.memtop(["man"])).stdout);
    for part in [".TH memtop 1", "MEMTOP RUN", "max\\-tracer\\-memory", "MEMTOP REPORT"] {
        assert!(page.contains(part), "no {part} in {page}");
    }
}
