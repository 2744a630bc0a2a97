//! Clicks and the wheel, and a mouse that is left to the terminal.

use crate::{
    Late, USUAL,
    end_to_end::{Home, programs::Steps, pty::Terminal},
    run, words,
};

/// A left click on the first place of `text`, on the row that has `on` as well.
fn click(terminal: &Terminal, on: &str, text: &str) {
    let rows = terminal.rows();
    let found = rows.iter().position(|row| row.contains(on)).expect("the row");
    let before = rows[found].split_once(text).expect("the text").0;
    let (column, row) = (before.chars().count() + 1, found + 1);
    terminal.press(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
}

#[test]
fn clicks_choose_screens_rows_and_columns() {
    let mut late = Late::built(USUAL, &["1000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for("live blocks");
    click(terminal, " 1 overview", "2");
    terminal.wait_for(" Sites ");
    terminal.wait_for("▼live");
    click(terminal, "▼live", "allocs ");
    terminal.wait_for("▼allocs");
    click(terminal, "▼allocs", "allocs ");
    terminal.wait_for("▲allocs");
    click(terminal, "100 %", "100 %");
    terminal.wait_until("the site in full", |rows| rows.iter().any(|row| row.contains(" Stack ")));
    // The wheel goes through the entries of a long text.
    terminal.press("?");
    let before = terminal.wait_for("Look around");
    terminal.press("\x1b[<65;10;10M");
    terminal.wait_until("the text goes up", |rows| rows[3] == before[6]);
    terminal.press("qq");
    terminal.wait_for("still runs.");
    click(terminal, "end the program", "end");
    assert_eq!(late.terminal.wait().code(), Some(128 + libc::SIGTERM));
    late.terminal.wait_until_whole();
    let bytes = String::from_utf8_lossy(&late.terminal.bytes()).into_owned();
    let on = bytes.rfind("\x1b[?1000h").expect("the mouse was asked for");
    assert!(bytes.rfind("\x1b[?1000l").is_some_and(|off| off > on), "and given back");
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let home = Home::new();
    let steps = Steps::new(&home);
    let line = steps.command_line("late.c", &["1000", "100", "0"]);
    let terminal = Terminal::start(USUAL, run(&home, &["--no-mouse"], &words(&line)));
    terminal.wait_for(" Memory ");
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("\x1b[?1000h"));
}
