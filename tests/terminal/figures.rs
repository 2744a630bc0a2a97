//! What is shown: figures, the start, other processes, the demo.

use std::time::Duration;

use memtop_ui::format::{bytes, thousands};

use crate::{
    LARGE, Late, USUAL,
    end_to_end::{
        Home,
        figures::{Timeline, figure, try_figure},
        monotonic_ns,
        programs::Steps,
        pty::Terminal,
    },
    run_shell, wait_for_time,
};

/// Usable bytes of a block of 32 bytes: glibc rounds up to 16 and keeps 8 for itself.
const USABLE_OF_32: u64 = 40;

#[test]
fn the_figures_are_the_programs_own() {
    let mut late = Late::built(USUAL, &["100000", "100", "3"]);
    let rows = late.terminal.wait_for_blocks("100,000");
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
    // To the second that was asked for, not to one before.
    assert!(rows[0].contains("tracing since 0:02"), "{}", rows[0]);
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
    terminal.wait_for_blocks("5,000");
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
