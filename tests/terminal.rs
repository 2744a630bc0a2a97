//! The dashboard as a person meets it: the real binary on a terminal, keys in, screens out, and
//! what becomes of program and terminal when it is left in any way.

mod end_to_end;

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
    time::Duration,
};

use end_to_end::{
    Home,
    figures::{Timeline, figure, try_figure},
    is_alive, is_long, monotonic_ns,
    programs::Steps,
    pty::{Terminal, redirected},
    random, state, wait_for, wait_until,
};
use memtop_ui::{
    format::{bytes, thousands},
    pane_size,
};

const SMALL: (u16, u16) = (80, 24);
const USUAL: (u16, u16) = (120, 40);
const LARGE: (u16, u16) = (200, 50);

/// Usable bytes of a block of 32 bytes: glibc rounds up to 16 and keeps 8 for itself.
const USABLE_OF_32: u64 = 40;

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

/// `memtop run OPTIONS -- LINE`.
fn run(home: &Home, options: &[&str], line: &[&str]) -> Command {
    home.memtop(["run"].iter().chain(options).chain(&["--"]).chain(line).copied())
}

/// A shell script under the dashboard.
fn run_shell(home: &Home, script: &str) -> Command {
    run(home, &[], &["sh", "-c", script])
}

/// The program of `tests/programs` that takes steps, under the dashboard.
struct Late {
    terminal: Terminal,
    steps: Steps,
    home: Home,
}

impl Late {
    fn start(size: (u16, u16), options: &[&str], source: &str, arguments: &[&str]) -> Self {
        let home = Home::new();
        let steps = Steps::new(&home);
        let line = steps.command_line(source, arguments);
        let terminal = Terminal::start(size, run(&home, options, &words(&line)));
        Self { terminal, steps, home }
    }

    /// With tracing from the start, and its blocks built.
    fn built(size: (u16, u16), arguments: &[&str]) -> Self {
        let late = Self::start(size, &[], "late.c", arguments);
        late.steps.go();
        late.steps.wait_for("built");
        late
    }

    /// The only process that is neither the viewer nor the keeper.
    fn program(&self) -> u32 {
        let is_program = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(end_to_end::programs::program("late.c").as_os_str().as_encoded_bytes())
        };
        wait_for("the program runs", || self.home.processes().into_iter().find(is_program))
    }

    /// Takes the remaining steps, which proves that the program is well.
    fn goes_on(&self) {
        self.steps.go();
        self.steps.wait_for("replaced");
        self.steps.go();
        self.steps.wait_for("ending");
    }
}

fn wait_for_time(since_ns: u64, passed: Duration) {
    let until = since_ns + passed.as_nanos() as u64;
    wait_until("time passes", || monotonic_ns() >= until);
}

// ---- what is shown ----

#[test]
fn the_figures_are_the_programs_own() {
    let mut late = Late::built(USUAL, &["100000", "100", "3"]);
    let rows = late.terminal.wait_until("all blocks", |rows| {
        try_figure(rows, "live blocks").is_some_and(|blocks| blocks == "100,000")
    });
    let held = bytes(10_000_000);
    assert_eq!(figure(&rows, "allocations"), "100,000");
    assert_eq!(figure(&rows, "│ frees").as_str(), "0");
    assert_eq!(figure(&rows, " live "), held);
    assert_eq!(figure(&rows, "│ allocated "), held);
    assert!(figure(&rows, " peak ").starts_with(&held), "{}", figure(&rows, " peak "));
    assert!(rows.iter().any(|row| row.contains("65–128 B") && row.contains("100,000")));
    assert!(late.terminal.text().contains("Traced +"));
    late.goes_on();
    let rows = late.terminal.wait_for("ended: exit 3");

    // The same program, recorded, has the same figures in its report.
    let home = Home::new();
    let steps = Steps::new(&home);
    let line = steps.command_line("late.c", &["100000", "100", "3"]);
    (0..3).for_each(|_| steps.go());
    let recorded = home.record(|command| _ = command.args(&line));
    assert_eq!(recorded.status.code(), Some(3));
    let totals = &home.report()["totals"];
    let count = |name: &str| thousands(totals[name].as_u64().unwrap());
    assert_eq!(totals["current_bytes"], 10_000_000);
    assert_eq!(totals["peak_bytes"], 10_000_100);
    assert_eq!(figure(&rows, "live blocks"), count("current_blocks"));
    assert_eq!(figure(&rows, "blocks at peak"), count("peak_blocks"));
    assert_eq!(figure(&rows, "allocations"), count("allocations"));
    assert_eq!(figure(&rows, "│ frees"), count("frees"));
    assert_eq!(figure(&rows, " live "), bytes(totals["current_bytes"].as_u64().unwrap()));
    let allocated = bytes(totals["allocated_bytes"].as_u64().unwrap());
    assert_eq!(figure(&rows, "│ allocated "), allocated);
    late.terminal.press("q");
    assert_eq!(late.terminal.wait().code(), Some(3));
    late.terminal.wait_until_whole();
}

/// After the start every block was replaced by one of the same size: what the screen says.
fn assert_nothing_grew(rows: &[String], exactly: bool) {
    let usable = bytes(1_000_000 * USABLE_OF_32);
    assert_eq!(figure(rows, "live blocks"), "1,000,000");
    assert_eq!(figure(rows, " live "), bytes(32_000_000));
    assert_eq!(figure(rows, "before-start freed"), usable);
    let sentence = rows.iter().find(|row| row.contains("Traced")).expect("a sentence");
    let said = format!("Traced +{usable}, but {usable} from before the start were freed: ");
    assert!(sentence.contains(&said), "{sentence}");
    if exactly {
        assert_eq!(figure(rows, "allocations"), "1,000,000");
        assert_eq!(figure(rows, "│ frees"), "0");
        assert_eq!(figure(rows, " net "), "0 B");
        assert!(sentence.contains("the program holds as much as at 0:0"), "{sentence}");
    }
}

/// The start is marked where it was, what lies before is shaded, what was freed hangs below.
fn assert_start_is_marked(rows: &[String], from_s: f64, to_s: f64) {
    let timeline = Timeline::read(rows);
    let marked = timeline.start_column();
    let column = |t: f64| (t / timeline.column_s) as usize;
    let expected = column(from_s).saturating_sub(1)..=column(to_s) + 1;
    assert!(expected.contains(&marked), "{marked}, not {expected:?}\n{}", rows.join("\n"));
    assert!((0..marked).all(|column| timeline.is_shaded(column)), "{}", rows.join("\n"));
    assert!((0..marked).all(|column| !timeline.has_curve(column) || timeline.is_shaded(column)));
    assert!(!timeline.is_shaded(marked + 1));
    assert!((marked + 1..marked + 200).any(|c| timeline.has_curve(c) && timeline.hangs(c)));
    let text = rows.join("\n");
    assert!(text.contains(" not traced ") && text.contains("freed from before the start"));
    // Moments are cut, not rounded: one just before the second names the one before.
    let names = |t: f64| text.contains(&format!("tracing started 0:0{}", t as u64));
    assert!(names(from_s - timeline.column_s) || names(to_s), "{text}");
}

fn replaced(late: &Late) -> Vec<String> {
    late.steps.go();
    late.steps.wait_for("replaced");
    late.terminal.wait_until("all blocks replaced", |rows| {
        try_figure(rows, "live blocks").is_some_and(|blocks| blocks == "1,000,000")
            // The curve is a tick behind the figures.
            && rows.iter().any(|row| row.contains("freed from before the start"))
    })
}

#[test]
fn a_late_start_by_key_is_told_exactly() {
    let arguments = ["1000000", "32", "0"];
    let late = Late::start(LARGE, &["--start", "paused"], "late.c", &arguments);
    let began = late.steps.wait_for("begun");
    late.terminal.wait_for("○ not tracing yet");
    late.steps.go();
    late.steps.wait_for("built");
    late.terminal.wait_for("tracing is paused: press p to start");
    wait_for_time(began, Duration::from_millis(1600));
    let before = monotonic_ns();
    late.terminal.press("p");
    late.terminal.wait_for("● tracing since 0:0");
    let after = monotonic_ns();
    let rows = replaced(&late);
    assert_nothing_grew(&rows, true);
    let since = |ns: u64| (ns - began) as f64 / 1e9;
    assert_start_is_marked(&rows, since(before), since(after));
    late.steps.go();
    late.terminal.wait_for("ended: exit 0");
}

#[test]
fn a_late_start_after_a_delay_is_told_exactly() {
    let arguments = ["1000000", "32", "0"];
    let late = Late::start(LARGE, &["--start", "after:2s"], "late.c", &arguments);
    let began = late.steps.wait_for("begun");
    late.steps.go();
    let built = late.steps.wait_for("built");
    assert!(built - began < 1_900_000_000, "this machine is too slow for this test");
    late.terminal.wait_for("● tracing since 0:0");
    let rows = replaced(&late);
    assert_nothing_grew(&rows, true);
    assert_start_is_marked(&rows, 2.0, 2.0);
}

#[test]
fn a_late_start_in_a_rust_program_is_told_as_exactly() {
    let arguments = ["1000000", "32", "0"];
    let late = Late::start(LARGE, &["--start", "paused"], "late.rs", &arguments);
    late.steps.go();
    late.steps.wait_for("built");
    late.terminal.wait_for("○ not tracing yet");
    late.terminal.press("p");
    late.terminal.wait_for("● tracing since 0:0");
    let rows = replaced(&late);
    assert_nothing_grew(&rows, false);
    assert_eq!(figure(&rows, " net "), "0 B");
}

#[test]
fn other_processes_of_the_program_are_shown_on_request() {
    let home = Home::new();
    let steps = Steps::new(&home);
    let line = steps.command_line("late.c", &["5000", "100", "0"]);
    let script = format!("{}; echo done", line.join(" "));
    let terminal = Terminal::start(USUAL, run_shell(&home, &script));
    steps.go();
    steps.wait_for("built");
    terminal.wait_for("process 1 of 2");
    terminal.press(">");
    terminal.wait_for("process 2 of 2");
    terminal.wait_until("the child's figures", |rows| {
        try_figure(rows, "live blocks").is_some_and(|blocks| blocks == "5,000")
    });
    terminal.press("<");
    terminal.wait_for("process 1 of 2");
}

#[test]
fn the_demo_tells_its_story() {
    let home = Home::new();
    let mut terminal = Terminal::start(USUAL, home.memtop(["demo"]));
    terminal.wait_for("○ not tracing yet");
    terminal.press("7");
    terminal.wait_for("Nobody is tracing yet.");
    terminal.press("1");
    terminal.wait_for("● tracing since 0:03");
    terminal.wait_for("from before the start were freed");
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    assert_eq!(terminal.wait().code(), Some(128 + libc::SIGTERM));
    terminal.wait_until_whole();
    home.wait_until_empty();
}

// ---- keys ----

#[test]
fn keys_lead_through_the_screens() {
    let late = Late::built(SMALL, &["1000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for(" Sizes ");
    for (key, place) in [
        ("\t", " Output "),
        ("\t", " Events "),
        ("\t", " Memory "),
        ("\x1b[Z", " Events "),
        ("1", " Memory "),
        ("7", " Output "),
        ("9", " Events "),
    ] {
        terminal.press(key);
        terminal.wait_for(place);
    }
    for screen in ["1", "7", "9"] {
        terminal.press(screen);
        terminal.press("?");
        terminal.wait_for("Look around");
        terminal.press("q");
        terminal.wait_without("Look around");
    }
}

#[test]
fn keys_of_the_overview() {
    let late = Late::built(USUAL, &["1000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for("Grew since tracing began");
    terminal.press("s");
    terminal.wait_for("Grew since mark 1 (0:0");
    terminal.wait_for("Nothing changed.");
    terminal.press("b");
    terminal.wait_for("Grew since tracing began");
    terminal.press("b");
    terminal.wait_for("Grew since mark 1");
    terminal.press("v");
    terminal.wait_for("bars: blocks");
    // Waits until there is something to look at more closely.
    terminal.wait_for(" 0:11 shown ");
    terminal.press("+");
    terminal.wait_for("last 0:10 shown");
    terminal.press("=");
    terminal.wait_without("last 0:10 shown");
    terminal.press("+");
    terminal.wait_for("last 0:10 shown");
    terminal.press("-");
    terminal.wait_without("last 0:10 shown");
    terminal.press("p");
    terminal.wait_for("○ paused");
    terminal.press("p");
    terminal.wait_for("● tracing since");
    terminal.wait_for("resumed 0:1");
    terminal.press("c");
    terminal.wait_for("Forget what was traced so far?");
    terminal.press("c");
    terminal.wait_until("an empty window", |rows| {
        try_figure(rows, "live blocks").is_some_and(|blocks| blocks == "0")
    });
}

#[test]
fn frozen_tables_hold_still() {
    let late = Late::start(USUAL, &[], "late.c", &["1000", "100", "0"]);
    let terminal = &late.terminal;
    let count = |rows: &[String]| try_figure(rows, "live blocks");
    terminal.wait_until("nothing", |rows| count(rows).is_some_and(|blocks| blocks == "0"));
    terminal.press(" ");
    terminal.wait_for(" frozen ");
    late.steps.go();
    // The header goes on.
    terminal
        .wait_until("growth", |rows| try_figure(rows, " live ").is_some_and(|l| l == "97.7 KiB"));
    assert_eq!(figure(&terminal.rows(), "live blocks"), "0");
    terminal.press(" ");
    terminal.wait_until("all", |rows| count(rows).is_some_and(|blocks| blocks == "1,000"));
    assert!(!terminal.text().contains(" frozen "));
}

#[test]
fn events_are_seen_and_filtered() {
    let late = Late::built(USUAL, &["150", "100", "0"]);
    let terminal = &late.terminal;
    terminal.press("9");
    let rows = terminal.wait_for("150 kept");
    let events = rows.iter().filter(|row| row.contains("+ alloc") && row.contains("100 B"));
    assert!(events.count() > 20);
    terminal.press("/<=64");
    terminal.wait_for("/<=64");
    terminal.press("\r");
    terminal.wait_for("No event matches the filter");
    terminal.press("\x1b");
    terminal.wait_for("150 kept");
    late.steps.go();
    terminal.wait_for("450 kept");
    terminal.press("/free >64\r");
    let rows = terminal.wait_for("150 of 450 match");
    assert!(rows.iter().all(|row| !row.contains("+ alloc")));
    assert!(rows.iter().filter(|row| row.contains("− free")).count() > 20);
    // Scrolling freezes.
    terminal.press("jj");
    terminal.wait_for("frozen, 2 newer above");
}

#[test]
fn a_program_that_ends_at_once_leaves_its_events() {
    let late = Late::start(USUAL, &[], "late.c", &["150", "100", "0"]);
    (0..3).for_each(|_| late.steps.go());
    late.terminal.wait_for("exit 0");
    late.terminal.press("9");
    late.terminal.wait_for("450 kept");
}

#[test]
fn every_size_has_a_screen() {
    let home = Home::new();
    let script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done";
    let terminal = Terminal::start(SMALL, run_shell(&home, script));
    let program_sees = |(columns, rows): (u16, u16)| {
        let (columns, rows) = pane_size(columns, rows);
        format!("{rows} {columns}")
    };
    terminal.press("7");
    terminal.wait_for(&program_sees(SMALL));
    terminal.resize(LARGE);
    terminal.wait_for(&program_sees(LARGE));
    terminal.press("1");
    for size in [LARGE, SMALL, USUAL, (40, 10), SMALL] {
        terminal.resize(size);
        terminal.wait_until("a screen of this size", |rows| {
            let whole = rows.len() == usize::from(size.1) && rows[0].contains("memtop");
            whole && rows[rows.len() - 1].contains("q quit") && rows[2].starts_with('╭')
        });
    }
    terminal.resize((30, 8));
    terminal.wait_for("memtop needs 40×10");
    terminal.resize(SMALL);
    terminal.wait_without("memtop needs");
    terminal.wait_for(" Memory ");
}

// ---- the program's terminal ----

#[test]
fn the_program_is_seen_and_typed_to() {
    let home = Home::new();
    let script = r"printf '\033[31mred\033[0m and plain\n'; exec cat";
    let mut terminal = Terminal::start(SMALL, run_shell(&home, script));
    terminal.press("7");
    terminal.wait_for("red and plain");
    assert!(terminal.is_coloured("red and") && !terminal.is_coloured("and plain"));
    terminal.press("i");
    terminal.wait_for("keys go to the program");
    // All of these mean something to memtop, and go to the program.
    terminal.press("q19? s\r");
    terminal.wait_until("echo and answer", |rows| {
        rows.iter().filter(|row| row.contains("q19? s")).count() == 2
    });
    terminal.press("\x1d");
    terminal.wait_without("keys go to the program");
    terminal.press("i\x03");
    terminal.wait_for("killed by signal 2");
    terminal.press("\x1dq");
    assert_eq!(terminal.wait().code(), Some(130));
    terminal.wait_until_whole();
}

#[test]
fn what_is_redirected_is_left_alone() {
    let home = Home::new();
    let file = home.path("file");
    let command = run_shell(&home, "echo out; echo err >&2; exec sleep 60");
    let mut terminal =
        Terminal::start_with(SMALL, command, |command| _ = command.stdout(redirected(&file)));
    terminal.press("7");
    terminal.wait_for("err");
    wait_until("the output is in the file", || home.read("file").as_deref() == Some("out\n"));
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    terminal.wait();
    terminal.wait_until_whole();
    assert_eq!(home.read("file").unwrap(), "out\n");
}

#[test]
fn a_redirected_stdin_is_the_programs_and_keys_are_memtops() {
    let home = Home::new();
    fs::write(home.path("words"), "from a file\n").unwrap();
    let command = run_shell(&home, "read line; echo got $line; exit 4");
    let words = fs::File::open(home.path("words")).unwrap();
    let mut terminal = Terminal::start_with(SMALL, command, |command| _ = command.stdin(words));
    terminal.press("7");
    terminal.wait_for("got from a file");
    terminal.wait_for("exit 4");
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(4));
    terminal.wait_until_whole();
}

// ---- how the program ends ----

#[test]
fn the_end_stays_on_the_screen_until_the_person_leaves() {
    for (status, said) in [
        (0, "exit 0"),
        (3, "exit 3"),
        (128 + libc::SIGKILL, "killed by signal 9 (out of memory?)"),
        (128 + libc::SIGTERM, "killed by signal 15 (SIGTERM)"),
    ] {
        let mut late = Late::built(SMALL, &["1000", "100", &status.to_string()]);
        late.goes_on();
        late.terminal.wait_for(said);
        assert!(is_alive(late.terminal.pid()));
        late.terminal.press("q");
        assert_eq!(late.terminal.wait().code(), Some(status), "{said}");
        late.terminal.wait_until_whole();
        late.home.wait_until_empty();
    }
}

// ---- how the person leaves ----

#[test]
fn quitting_asks_and_detaching_leaves_the_program_running() {
    let mut late = Late::built(SMALL, &["1000", "100", "0"]);
    late.terminal.press("q");
    late.terminal.wait_for("still runs.");
    late.terminal.press("s");
    late.terminal.wait_without("still runs.");
    late.terminal.press("q");
    late.terminal.wait_for("still runs.");
    late.terminal.press("d");
    assert_eq!(late.terminal.wait().code(), Some(0));
    late.terminal.wait_until_whole();
    late.goes_on();
    late.home.wait_until_empty();
}

#[test]
fn ending_the_program_asks_it_first() {
    let home = Home::new();
    let script =
        "trap 'echo asked > asked; exit 9' TERM; echo up > up; while :; do sleep 0.05; done";
    let mut terminal = Terminal::start(SMALL, run_shell(&home, script));
    wait_until("the program is ready", || home.read("up").is_some());
    terminal.wait_for(" Memory ");
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    assert_eq!(terminal.wait().code(), Some(9));
    assert_eq!(home.read("asked").as_deref(), Some("asked\n"));
    terminal.wait_until_whole();
    home.wait_until_empty();
}

#[test]
fn signals_end_the_viewer_alone_and_leave_the_terminal_whole() {
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT] {
        let mut late = Late::built(SMALL, &["1000", "100", "0"]);
        late.terminal.wait_for(" Memory ");
        late.terminal.signal(signal);
        assert_eq!(late.terminal.wait().code(), Some(0), "signal {signal}");
        late.terminal.wait_until_whole();
        late.goes_on();
        late.home.wait_until_empty();
    }
}

#[test]
fn a_closed_terminal_ends_the_viewer_alone() {
    let mut late = Late::built(SMALL, &["1000", "100", "0"]);
    late.terminal.wait_for(" Memory ");
    late.terminal.close();
    late.terminal.wait();
    late.goes_on();
    late.home.wait_until_empty();
}

#[test]
fn a_killed_viewer_is_followed_by_another_that_knows_the_history() {
    let mut late = Late::built(USUAL, &["100000", "100", "5"]);
    let began = late.steps.wait_for("begun");
    late.terminal.wait_for(" Memory ");
    wait_for_time(began, Duration::from_millis(2500));
    late.terminal.signal(libc::SIGKILL);
    assert_eq!(late.terminal.wait().signal(), Some(libc::SIGKILL));
    let program = late.program();
    late.steps.go();
    late.steps.wait_for("replaced");

    let mut second = Terminal::start(USUAL, late.home.memtop([]));
    let rows = second.wait_until("the program in the list", |rows| {
        rows.iter().any(|row| row.split_whitespace().any(|word| word == program.to_string()))
    });
    let row_of = |word: &str| {
        rows.iter().position(|row| row.split_whitespace().any(|one| one == word)).unwrap()
    };
    // Programs of other people on this machine may stand before it.
    second.press(&"j".repeat(row_of(&program.to_string()) - row_of("command") - 1));
    second.press("\r");
    let rows = second.wait_until("the figures", |rows| {
        try_figure(rows, "live blocks").is_some_and(|blocks| blocks == "100,000")
            && rows.iter().any(|row| row.contains("┼"))
            && Timeline::read(rows).has_curve(10)
    });
    assert_eq!(figure(&rows, "allocations"), "200,000");
    let timeline = Timeline::read(&rows);
    let before = (2.0 / timeline.column_s) as usize;
    let known = (5..before).filter(|column| timeline.has_curve(*column)).count();
    assert!(known > (before - 5) * 9 / 10, "{}", rows.join("\n"));
    // It is as good as the first: it may stop tracing, and sees the end.
    second.press("p");
    second.wait_for("○ paused");
    late.steps.go();
    second.wait_for("exit 5");
    second.press("q");
    assert_eq!(second.wait().code(), Some(0), "a status is for who started the program");
    second.wait_until_whole();
    late.home.wait_until_empty();
}

#[test]
fn a_viewer_may_be_killed_at_any_moment() {
    let rounds = if is_long() { 100 } else { 10 };
    let inner = "i=0; while [ $i -lt 30 ]; do echo line $i; echo line $i >> out; sleep 0.01; \
                 i=$((i+1)); done; exit 7";
    let script = format!("echo > started; sh -c '{inner}'; echo $? > status");
    let expected: String = (0..30).map(|number| format!("line {number}\n")).collect();
    let mut finished = 0;
    for round in 0..rounds {
        let home = Home::new();
        let mut terminal = Terminal::start(SMALL, run_shell(&home, &script));
        let delay = Duration::from_millis(random(700));
        wait_for_time(monotonic_ns(), delay);
        terminal.signal(libc::SIGKILL);
        terminal.wait();
        // The keeper stays for a while, in case somebody wants to see the end.
        let finished_well = || home.read("status").is_some_and(|status| !status.is_empty());
        wait_until("the program ends", || finished_well() || home.processes().is_empty());
        // A viewer that dies early enough has started nothing.
        if home.read("started").is_some() {
            let found = (home.read("status"), home.read("out"));
            let right = (Some("7\n".to_owned()), Some(expected.clone()));
            assert_eq!(found, right, "round {round}, killed after {delay:?}");
            finished += 1;
        }
    }
    assert!(finished > rounds / 2, "only {finished} of {rounds} programs were started in time");
}

#[test]
fn suspending_gives_the_terminal_back_for_a_while() {
    let late = Late::built(SMALL, &["1000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for(" Memory ");
    assert!(!terminal.has_its_settings());
    terminal.press("\x1a");
    wait_until("memtop is stopped", || state(terminal.pid()) == Some('T'));
    terminal.wait_until_whole();
    assert!(!terminal.text().contains(" Memory "));
    late.steps.go();
    late.steps.wait_for("replaced");
    terminal.signal(libc::SIGCONT);
    terminal.wait_for(" Memory ");
    wait_until("raw mode is back", || !terminal.has_its_settings());
    late.steps.go();
    terminal.wait_for("exit 0");
}

// ---- terminals that show less ----

/// Shows everything there is to show, and returns the bytes of it.
fn tour(late: &mut Late) -> Vec<u8> {
    let terminal = &late.terminal;
    terminal.wait_for("live blocks");
    for (key, place) in [
        ("?", "Look around"),
        ("q", " Sizes "),
        ("s", "mark 1"),
        ("7", " Output "),
        ("9", " Events "),
        ("c", "Forget"),
        ("s", " Events "),
        ("1", " Sizes "),
    ] {
        terminal.press(key);
        terminal.wait_for(place);
    }
    late.goes_on();
    terminal.wait_for("exit 3");
    terminal.press("q");
    assert_eq!(late.terminal.wait().code(), Some(3));
    late.terminal.wait_until_whole();
    late.terminal.bytes()
}

fn late_with(name: &str, value: &str) -> Late {
    let home = Home::new();
    let steps = Steps::new(&home);
    let line = steps.command_line("late.c", &["1000", "100", "3"]);
    let mut command = run(&home, &["--start", "after:100ms"], &words(&line));
    command.env(name, value);
    let terminal = Terminal::start(USUAL, command);
    steps.go();
    steps.wait_for("built");
    Late { terminal, steps, home }
}

/// Parameters of all `CSI … m` in a stream.
fn styles(bytes: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(bytes);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    let all: Vec<String> = sequences.collect();
    all.iter().flat_map(|one| one.split([';', ':'])).filter_map(|n| n.parse().ok()).collect()
}

#[test]
fn no_color_means_no_colour() {
    // Resetting a colour (39, 49) is none.
    let colour = |n: &u32| matches!(n, 30..=38 | 40..=48 | 90..=97 | 100..=107);
    let plain = tour(&mut late_with("NO_COLOR", "1"));
    let found: Vec<u32> = styles(&plain).into_iter().filter(colour).collect();
    assert!(found.is_empty(), "{found:?}");
    let coloured = tour(&mut late_with("NO_COLOR", ""));
    assert!(styles(&coloured).iter().any(colour), "an empty NO_COLOR is none");
}

#[test]
fn a_locale_without_utf8_gets_ascii_alone() {
    let bytes = tour(&mut late_with("LANG", "C"));
    let odd: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii()).collect();
    assert!(odd.is_empty(), "{}", String::from_utf8_lossy(&odd));
}

#[test]
fn without_a_terminal_run_names_what_needs_none() {
    let home = Home::new();
    let mut command = home.memtop(["run", "--", "sh", "-c", "echo > ran"]);
    // A session of its own has no controlling terminal.
    // SAFETY: setsid is async-signal-safe.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            libc::setsid();
            Ok(())
        })
    };
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = end_to_end::text(&output.stderr);
    assert!(message.contains("no terminal") && message.contains("memtop record -o"), "{message}");
    home.wait_until_empty();
    assert_eq!(home.read("ran"), None);
}
