//! `memtop` alone: choosing, joining, looking on, and what there is to say after the end.

use crate::{
    Late, USUAL,
    end_to_end::{Home, pty::Terminal},
};

#[test]
fn the_list_says_how_much_is_held_and_who_looks() {
    let late = Late::built(USUAL, &["100000", "100", "0"]);
    late.terminal.wait_for("100,000");
    let chooser = Terminal::start(USUAL, late.home.memtop([]));
    let rows = chooser.wait_until("the program with its bytes", |rows| {
        rows.iter().any(|row| row.contains("late-c") && row.contains("9.5 MiB"))
    });
    let row = rows.iter().find(|row| row.contains("late-c")).unwrap();
    assert!(row.contains(" by memtop ") && row.contains(" 1 "), "{row}");
    chooser.press("q");
    late.goes_on();
}

#[test]
fn recordings_of_this_folder_are_listed() {
    let home = Home::new();
    home.record(|command| _ = command.arg("true"));
    std::fs::write(home.path("other.memtop"), "not a recording").unwrap();
    let mut chooser = Terminal::start(USUAL, home.memtop([]));
    let text = chooser.wait_for("recording.memtop").join("\n");
    assert!(text.contains("1 recorded") && !text.contains("other.memtop"), "{text}");
    chooser.press("q");
    assert_eq!(chooser.wait().code(), Some(0));
    chooser.wait_until_whole();
}

#[test]
fn the_second_viewer_looks_on_until_the_first_leaves() {
    let mut late = Late::built(USUAL, &["1000", "100", "0"]);
    late.terminal.wait_for(" Memory ");
    let mut second = Terminal::start(USUAL, late.home.memtop([]));
    second.choose(&late.program().to_string());
    second.wait_for("read-only");
    second.wait_for_blocks("1,000");
    second.press("p");
    second.wait_for("this view is read-only");
    second.press("9");
    second.wait_for("The events go to the dashboard that was here first.");
    late.terminal.press("q");
    late.terminal.wait_for("still runs.");
    late.terminal.press("d");
    late.terminal.wait();
    second.wait_without("read-only");
    second.press("1p");
    second.wait_for("○ paused");
    late.goes_on();
    second.wait_for("ended: exit 0");
    second.press("q");
    assert_eq!(second.wait().code(), Some(0));
}

#[test]
fn an_ended_program_is_not_older_for_who_joins_later() {
    let late = Late::built(USUAL, &["1000", "100", "6"]);
    let pid = late.program().to_string();
    late.goes_on();
    let age = |rows: &[String]| {
        let at = rows[0].find("ended: exit 6")?;
        rows[0][at..].split_whitespace().nth(3).map(str::to_owned)
    };
    let shown = |rows: &[String]| {
        let row = rows.iter().find(|row| row.contains(" Memory "))?;
        Some(row[row.find(" Memory ")? + 8..].trim_matches(['─', ' ']).to_owned())
    };
    let first = late.terminal.wait_for("ended: exit 6");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let second = Terminal::start(USUAL, late.home.memtop([]));
    second.wait_for(" ended ");
    second.choose(&pid);
    let joined = second.wait_for("ended: exit 6");
    assert_eq!(age(&joined), age(&first));
    assert!(shown(&first).is_some_and(|words| words.contains(" shown")));
    assert_eq!(shown(&joined), shown(&first), "{}", joined.join("\n"));
}
