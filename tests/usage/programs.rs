//! Programs that behave as without memtop, and the trees that they are.

use super::*;

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
