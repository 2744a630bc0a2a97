//! Keys lead through the screens, and every size has one.

use memtop_ui::pane_size;

use crate::{
    LARGE, Late, SMALL, USUAL,
    end_to_end::{
        Home,
        figures::{figure, try_figure},
        pty::Terminal,
    },
    run_shell,
};

#[test]
fn keys_lead_through_the_screens() {
    let late = Late::built(SMALL, &["1000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for(" Sizes ");
    for (key, place) in [
        ("\t", " Sites "),
        ("\x1b[Z", " Memory "),
        ("\x1b[Z", " Events "),
        ("\t", " Memory "),
        ("2", " Sites "),
        ("3", " Flame "),
        ("4", " Diff "),
        ("7", " Output "),
        ("8", " Time "),
        ("9", " Events "),
        ("d", " Diff "),
        ("1", " Memory "),
    ] {
        terminal.press(key);
        terminal.wait_for(place);
    }
    for screen in ["1", "2", "3", "4", "7", "8", "9"] {
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
    // A mark of all: there is nothing that grows after it.
    terminal.wait_for_blocks("1,000");
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
    terminal.wait_for("Forget the blocks traced so far?");
    terminal.press("c");
    terminal.wait_for_blocks("0");
    terminal.wait_for("Grew since the clear");
    let text = terminal.wait_for("● tracing since 0:0").join("\n");
    assert!(text.contains("· cleared 0:1") && text.contains(" cleared 0:1"), "{text}");
    assert!(!text.contains('▼'), "{text}");
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
    late.terminal.wait_for("ended: exit 0");
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
