//! The contract of the command line: exit codes and messages, programs that behave as without
//! memtop, and every process of a tree in the report.

mod end_to_end;

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

// ---- wrong usage ----

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

// ---- programs that cannot be run ----

/// Programs that are refused, with status and the word that must be in the message.
fn refused(home: &Home) -> Vec<(String, i32, &'static str)> {
    let make = |name: &str, content: &[u8], mode: u32| {
        let path = home.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let own = fs::read("/bin/true").unwrap();
    // The machine is named in two bytes at 18: 183 is 64-bit ARM.
    let mut foreign = own.clone();
    foreign[18] = 183;
    fs::write(home.path("static.c"), "int main(void) { return 0; }").unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-o", "static", "static.c"]).current_dir(home.path(""));
    assert!(compiler.status().unwrap().success());
    let mut all = vec![
        ("memtop-no-such-program".to_owned(), 127, "not found"),
        (home.path("absent").to_str().unwrap().to_owned(), 127, "not found"),
        ("/etc".to_owned(), 126, "directory"),
        (make("plain", b"#!/bin/sh\n", 0o644), 126, "chmod +x"),
        (make("orphan", b"#!/no/such/interpreter\n", 0o755), 126, "/no/such/interpreter"),
        (make("foreign", &foreign, 0o755), 126, "aarch64"),
        (make("cut", &own[..100], 0o755), 126, "damaged"),
        (make("noise", &[0, 1, 2, 3], 0o755), 126, "neither"),
        (home.path("static").to_str().unwrap().to_owned(), 126, "statically linked"),
    ];
    // Only root can give a file away.
    let changed = make("set-user-id", &own, 0o755);
    if chown(&changed, Some(65534), Some(65534)).is_ok() {
        fs::set_permissions(&changed, fs::Permissions::from_mode(0o4755)).unwrap();
        all.push((changed, 126, "is set-user-ID"));
    }
    all
}

#[test]
fn programs_that_cannot_be_traced_are_refused_with_the_reason() {
    let home = Home::new();
    for (program, expected, word) in refused(&home) {
        let command = home.memtop(["record", "-o", "out", "--", &program]);
        let (status, message) = said(command);
        assert_eq!(status, Some(expected), "{program}: {message}");
        let name = Path::new(&program).file_name().unwrap().to_str().unwrap();
        assert!(message.contains(name), "{message}");
        assert!(message.to_lowercase().contains(&word.to_lowercase()), "{word}: {message}");
        assert!(!home.path("out").exists(), "{program}");

        // With a dashboard the same, before the terminal is taken over.
        let mut terminal = Terminal::start((120, 24), home.memtop(["run", "--", &program]));
        assert_eq!(terminal.wait().code(), Some(expected), "{program}");
        let first = message.split(' ').take(3).collect::<Vec<_>>().join(" ");
        terminal.wait_for(&first);
        assert!(terminal.has_its_settings());
        assert!(!terminal.bytes().windows(6).any(|bytes| bytes == b"\x1b[?104"), "{program}");
    }
    home.wait_until_empty();
}

#[test]
fn a_recording_that_cannot_be_written_is_said_before_the_program_runs() {
    let home = Home::new();
    for file in ["no/such/folder/out", "."] {
        let command = home.memtop(["record", "-o", file, "--", "sh", "-c", "echo > ran"]);
        let (status, message) = said(command);
        assert_eq!(status, Some(125), "{file}: {message}");
        assert!(message.contains(file), "{message}");
        assert!(!home.path("ran").exists());
    }
}

#[test]
fn a_full_disk_does_not_change_the_programs_status() {
    let home = Home::new();
    let script = "echo out; exit 7";
    let output =
        run(home.memtop(["record", "--force", "-o", "/dev/full", "--", "sh", "-c", script]));
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(text(&output.stdout), "out\n");
    let message = text(&output.stderr);
    assert!(message.contains("cannot write the recording /dev/full"), "{message}");
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

#[test]
fn a_recording_that_nobody_can_start_says_so() {
    let home = Home::new();
    let (status, message) = said(home.memtop("record --start paused -o out true".split(' ')));
    assert_eq!(status, Some(0));
    assert!(message.contains("--start after:") && message.contains("press p"), "{message}");
    let quiet = "record --start paused --quiet --force -o out true".split(' ');
    assert_eq!(said(home.memtop(quiet)).1, "");
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
fn a_hard_limit_on_files_is_told_before_the_program_runs() {
    let home = Home::new();
    let memtop = env!("CARGO_BIN_EXE_memtop");
    let script = format!("ulimit -f 1; exec {memtop} record -o out -- sh -c 'echo > ran'");
    let mut command = home.command("sh");
    command.args(["-c", &script]);
    let (status, message) = said(command);
    // Who has the privilege raises a hard limit as well.
    let raised = status == Some(0);
    assert!(raised || status == Some(125), "{message}");
    assert!(raised || message.contains("; raise the hard limit on the size of files"), "{message}");
    assert_eq!(home.path("ran").exists(), raised);
}

// ---- programs that run ----

const PROGRAMS: [&[&str]; 9] = [
    &["true"],
    &["false"],
    &["sh", "-c", "exit 7"],
    &["sh", "-c", "kill -9 $$"],
    &["sh", "-c", "kill -SEGV $$"],
    &["printf", "%s words\\n", "two"],
    &["sh", "-c", "echo out; echo err >&2; echo out again; (exit 3)"],
    &["sh", "-c", "read line; echo \"<$line>\"; cat | wc -c"],
    &["sh", "-c", "ls /proc/self/fd | wc -l; umask; pwd; env | grep -c ."],
];

const WORDS: &str = "a line\nand more\n";

/// What differs under a tracer by design: two variables more in the environment.
fn expected(home: &Home, program: &[&str]) -> Behaviour {
    let mut plain = home.command(program[0]);
    plain.args(&program[1..]);
    if program[program.len() - 1].contains("env |") {
        plain.env("LD_PRELOAD", "").env("MEMTOP_SESSION", "x");
    }
    behaviour(plain, WORDS)
}

#[test]
fn recorded_programs_behave_as_untraced() {
    let home = Home::new();
    for program in PROGRAMS {
        let mut recorded = home.memtop(["record", "--quiet", "--force", "-o", "out", "--"]);
        recorded.args(program);
        assert_eq!(behaviour(recorded, WORDS), expected(&home, program), "{program:?}");
        assert!(home.path("out").exists());
    }
}

#[test]
fn programs_under_the_dashboard_behave_as_untraced() {
    let home = Home::new();
    for program in PROGRAMS {
        let expected = expected(&home, program);
        fs::write(home.path("in"), WORDS).unwrap();
        let command = home.memtop(["run", "--"].into_iter().chain(program.iter().copied()));
        let mut terminal = Terminal::start_with((80, 24), command, |command| {
            command.stdin(fs::File::open(home.path("in")).unwrap());
            command.stdout(redirected(&home.path("stdout")));
            command.stderr(redirected(&home.path("stderr")));
        });
        terminal.wait_for("to leave");
        terminal.press("q");
        let found = Behaviour {
            status: terminal.wait().code().unwrap(),
            stdout: home.read("stdout").unwrap(),
            stderr: home.read("stderr").unwrap(),
        };
        assert_eq!(found, expected, "{program:?}");
        terminal.wait_until_whole();
    }
    home.wait_until_empty();
}

// ---- trees of processes ----

fn command_of(process: &Value) -> String {
    let words = process["target"]["command"].as_array().unwrap().iter();
    words.map(|word| word.as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_process_of_the_tree_is_in_the_report() {
    let home = Home::new();
    let script = "/bin/echo one; /bin/echo two | /bin/cat; (/bin/true; exec /bin/echo three)";
    let output = home.record(|command| _ = command.args(["/bin/sh", "-c", script]));
    assert_eq!(text(&output.stdout), "one\ntwo\nthree\n");
    let report = home.report();
    let processes = report["processes"].as_array().unwrap();
    let found: BTreeSet<String> = processes.iter().map(command_of).collect();
    for wanted in ["/bin/echo one", "/bin/echo two", "/bin/cat", "/bin/true", "/bin/echo three"] {
        assert!(found.contains(wanted), "{wanted}: {found:?}");
    }
    let root = report["target"]["pid"].as_u64().unwrap();
    assert_eq!(command_of(&report), format!("/bin/sh -c {script}"));
    for process in processes.iter().filter(|process| process["pid"] != root) {
        assert!(!process["parent"].is_null(), "{}", command_of(process));
        assert_eq!(process["target"]["exit"]["code"].as_i64().unwrap_or(0), 0);
    }
}

#[test]
fn a_thousand_short_processes_are_a_thousand_sessions() {
    let home = Home::new();
    let script = "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done";
    let began = Instant::now();
    let output = home.record(|command| _ = command.args(["/bin/sh", "-c", script]));
    let took = began.elapsed();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = home.report();
    let processes = report["processes"].as_array().unwrap();
    let ours: Vec<_> = processes.iter().filter(|one| command_of(one) == "/bin/true").collect();
    assert_eq!(ours.len(), 1000);
    let pids: BTreeSet<_> = ours.iter().map(|one| one["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids.len(), 1000);
    let allocations = |one: &Value| one["totals"]["allocations"].as_u64().unwrap();
    let each = allocations(ours[0]);
    assert!(ours.iter().all(|one| allocations(one) == each), "all do the same");
    assert!(ours.iter().all(|one| one["window"]["started_after_s"] == 0.0));
    let lived = |one: &Value| one["ended_s"].as_f64() > one["started_s"].as_f64();
    assert!(ours.iter().all(|one| lived(one)));
    assert!(ours.iter().all(|one| one["exactness"]["lost_records"] == 0));
    assert!(took < Duration::from_secs(60), "{took:?}");
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

// ---- doctor, configuration, completions ----

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
    assert!(words.contains("auto, dark, light") && words.contains("): mine"), "{words}");
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
