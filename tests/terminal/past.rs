//! Going back in time: in a session that lives, and to the marks that were set in it.

use std::time::Duration;

use memtop::recording::{self, File};

use crate::{
    Late, USUAL,
    end_to_end::{
        Home,
        figures::{figure, try_figure},
        pty::Terminal,
        text, wait_until,
    },
    run,
};

/// Waits until a second more shows on the timeline, or at the last of the moments to compare: what
/// was seen before is kept by then.
fn wait_for_a_second(terminal: &Terminal) {
    let clock = |rows: &[String]| {
        let shown = rows.iter().find_map(|row| row.split_once(" shown "));
        let now = || rows.iter().find_map(|row| row.split_once("] to   now "));
        let words = shown.map(|(before, _)| before.split_whitespace().next_back());
        let word = words.or_else(|| now().map(|(_, behind)| behind.split_whitespace().next()));
        word.flatten().map(str::to_owned)
    };
    // The second that runs is not a whole one.
    for _ in 0..2 {
        let before = clock(&terminal.rows());
        terminal.wait_until("another second", |rows| {
            clock(rows).is_some_and(|now| before.as_ref() != Some(&now))
        });
    }
}

/// Goes back from stop to stop until the overview shows what was at the mark.
fn back_to_the_mark(terminal: &Terminal) -> Vec<String> {
    let is_there =
        |rows: &[String]| try_figure(rows, "allocations").is_some_and(|count| count == "100,000");
    for _ in 0..10 {
        terminal.press("8");
        terminal.wait_for("this session");
        terminal.press("[1");
        let rows = terminal.wait_until("a moment of the past", |rows| {
            rows[0].contains("   at 0:") && try_figure(rows, "allocations").is_some()
        });
        if is_there(&rows) {
            return rows;
        }
    }
    panic!("no stop is that of the mark: {}", terminal.text());
}

#[test]
fn a_session_that_lives_is_gone_through_as_a_file_is() {
    let mut late = Late::built(USUAL, &["100000", "100", "0"]);
    late.terminal.wait_for_blocks("100,000");
    // What is marked is of a tick that the keeper has kept.
    wait_for_a_second(&late.terminal);
    late.terminal.press("s");
    late.terminal.wait_for("Grew since mark 1");
    late.steps.go();
    late.steps.wait_for("replaced");
    let all =
        |rows: &[String]| try_figure(rows, "allocations").is_some_and(|count| count == "200,000");
    late.terminal.wait_until("the replaced blocks", all);
    let rows = back_to_the_mark(&late.terminal);
    assert_eq!(figure(&rows, "│ frees"), "0");
    // Sites are of that moment too, and have their names.
    late.terminal.press("2");
    let rows = late.terminal.wait_for(" main ");
    assert!(rows.iter().any(|row| row.contains(" main ") && row.contains("100,000")));
    assert!(!rows.iter().any(|row| row.contains("200,000")), "{}", rows.join("\n"));
    // So is the history of one, read out of what is kept.
    // It is while tables are held still, too.
    late.terminal.press("Z");
    late.terminal.wait_for(" frozen ");
    late.terminal.press("\r");
    let rows = late.terminal.wait_until("the site's history", has_history);
    assert!(!rows.iter().any(|row| row.contains("replay")), "{}", rows.join("\n"));
    // The present went on, and is shown again.
    late.terminal.press("8");
    late.terminal.press("G1");
    late.terminal.wait_until("the present", |rows| all(rows) && !rows[0].contains("   at 0:"));
    late.terminal.press("q");
    late.terminal.wait_for("still runs.");
    late.terminal.press("e");
    late.terminal.wait();
    late.home.wait_until_empty();
}

/// Whether the panel of a site's history has a curve, read to its end.
pub(crate) fn has_history(rows: &[String]) -> bool {
    let is_curve = |c: char| ('\u{2801}'..='\u{28ff}').contains(&c);
    let panel = |row: &String| row.chars().skip(USUAL.0 as usize / 2).any(is_curve);
    let title = rows.iter().find(|row| row.contains(" History "));
    title.is_some_and(|title| title.contains(" shown ")) && rows.iter().any(panel)
}

#[test]
fn marks_are_in_the_recording_that_is_being_written() {
    let home = Home::new();
    let script = "sleep 60 & wait";
    let mut terminal =
        Terminal::start(USUAL, run(&home, &["--output", "out.memtop"], &["sh", "-c", script]));
    terminal.wait_for("  rec ");
    terminal.wait_for(" up 0:01");
    terminal.press("s");
    terminal.wait_for("Grew since mark 1");
    terminal.press("4n");
    terminal.press("before\r");
    terminal.wait_for("before");
    wait_until("the mark and its name to be recorded", || {
        let file = File::open(&home.path("out.memtop"));
        file.is_ok_and(|file| file.marks().iter().any(|(_, mark)| mark.label == "before"))
    });
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    terminal.wait();
    home.wait_until_empty();

    let file = File::open(&home.path("out.memtop")).expect("a recording");
    let (_, mark) = &file.marks()[0];
    assert!(mark.number == 1 && mark.at.as_millis() >= 900, "{mark:?}");
    for line in ["report out.memtop --at mark:1", "diff out.memtop@mark:1 out.memtop"] {
        let output = home.memtop(line.split(' ')).output().expect("memtop runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let output = home.memtop(["report", "out.memtop", "--at", "mark:2"]).output().expect("runs");
    assert!(text(&output.stderr).contains("it has no mark 2; there is 1"));
    let replay = Terminal::start(USUAL, home.memtop(["replay", "out.memtop"]));
    replay.press("8");
    replay.wait_for("mark 1");
    replay.press("gs");
    replay.wait_for("mark 2");
}

#[test]
fn a_mark_is_there_again_with_its_process_and_for_who_looks_on() {
    let home = Home::new();
    let mut terminal = Terminal::start(USUAL, run(&home, &[], &["sh", "-c", "sleep 60 & wait"]));
    terminal.wait_for("tracing since");
    let second = Terminal::start(USUAL, home.memtop([]));
    second.choose("sh");
    second.wait_for("read-only");
    second.press("4");
    second.wait_for(" Snapshots ");
    wait_for_a_second(&second);
    terminal.press("s");
    terminal.wait_for("Grew since mark 1");
    // It was set after this viewer had opened the past.
    second.wait_for(" mark 1 ");
    for _ in 0..2 {
        terminal.press(">");
        terminal.wait_for("process 2 of ");
        terminal.wait_without("Grew since mark 1");
        terminal.press("<");
        terminal.wait_for("process 1 of ");
        terminal.wait_for("Grew since mark 1");
    }
    second.press("q");
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    terminal.wait();
    home.wait_until_empty();
}

/// Compares the first mark with the second, which `keys` choose.
fn compare_marks(terminal: &Terminal, keys: &str) -> Vec<String> {
    terminal.press("4");
    terminal.wait_until("both marks with their figures", |rows| {
        let has = |mark: &str, blocks: &str| {
            rows.iter().any(|row| row.contains(mark) && row.contains(blocks))
        };
        has(" mark 1 ", " 0 blocks") && has(" mark 2 ", " 100,000 blocks")
    });
    terminal.press(keys);
    terminal.wait_until("the difference between the marks", |rows| {
        rows.iter().any(|row| row.contains("mark 1 → mark 2"))
            && rows.iter().any(|row| row.contains("in +100,000 blocks"))
    })
}

/// Whether the axis has the numbers of both marks.
fn has_marks_on_its_axis(rows: &[String]) -> bool {
    let axis = rows.iter().find(|row| row.contains(" 0 ┼"));
    axis.is_some_and(|axis| axis.contains('1') && axis.contains('2'))
}

#[test]
fn recorded_marks_are_marks_for_who_joins_and_in_a_replay() {
    let late = Late::start(USUAL, &["--output", "out.memtop"], "late.c", &["100000", "100", "0"]);
    late.terminal.wait_for("tracing since");
    late.steps.wait_for("begun");
    let path = late.home.path("out.memtop");
    // The mark is of a tick that is recorded.
    wait_until("a tick to be recorded", || {
        File::open(&path).is_ok_and(|file| file.end() > Duration::ZERO)
    });
    late.terminal.press("s");
    late.terminal.wait_for("Grew since mark 1");
    // The peak is in the tick of neither mark.
    wait_until("a tick after the mark to be recorded", || {
        let is_later = |file: File| file.marks().iter().any(|(_, mark)| mark.at < file.end());
        File::open(&path).is_ok_and(is_later)
    });
    late.steps.go();
    late.terminal.wait_for_blocks("100,000");
    wait_until("the blocks to be recorded", || {
        let blocks = |recording: recording::Recording| {
            recording.tree.processes.iter().any(|one| one.totals.current_blocks == 100_000)
        };
        recording::open(&path).is_ok_and(blocks)
    });
    late.terminal.press("s");
    late.terminal.wait_for("Grew since mark 2");
    wait_until("the marks to be recorded", || {
        File::open(&path).is_ok_and(|file| file.marks().len() == 2)
    });
    late.terminal.press("q");
    late.terminal.wait_for("still runs.");
    late.terminal.press("d");

    let mut joined = Terminal::start(USUAL, late.home.memtop([]));
    joined.choose(&late.program().to_string());
    joined.wait_for_blocks("100,000");
    joined.wait_until("marks on the axis", has_marks_on_its_axis);
    compare_marks(&joined, "[}");
    // The next mark is the third.
    joined.press("1s");
    joined.wait_for("Grew since mark 3");
    late.goes_on();
    joined.wait_for("ended: exit 0");
    // The process was seen to end; when the keeper has said so of the program, too, nobody can
    // type any more.
    joined.press("7");
    joined.wait_for(" 7 output ");
    joined.wait_without(" i type ");
    joined.press("q");
    joined.wait();
    late.home.wait_until_empty();

    let replay = Terminal::start(USUAL, late.home.memtop(["replay", "out.memtop"]));
    replay.wait_for("ended: exit 0");
    replay.wait_until("marks on the axis", has_marks_on_its_axis);
    // At a moment at which none of what differs is known, it differs all the same.
    replay.press("8g");
    replay.wait_for("   at 0:00");
    let rows = compare_marks(&replay, "[}}");
    let is_new = |row: &String| row.contains("new  ") && row.contains(" main ");
    assert!(rows.iter().any(is_new), "{}", rows.join("\n"));
    replay.press("q");
}
