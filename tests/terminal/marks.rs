//! Marks that set themselves, and tracing that stops by itself.

use std::time::Duration;

use crate::{
    Late, USUAL,
    end_to_end::{figures::figure, monotonic_ns, pty::Terminal, state, wait_until},
    wait_for_time,
};

/// The seconds at a moment of the list: `mark 1   0:07`.
fn seconds_at(rows: &[String], moment: &str) -> Option<u64> {
    let row = rows.iter().find_map(|row| row.split_once(&format!(" {moment} ")))?.1;
    let (minutes, seconds) = row.split_whitespace().next()?.split_once(':')?;
    Some(minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?)
}

fn stop(terminal: &Terminal) {
    terminal.signal(libc::SIGSTOP);
    wait_until("memtop is stopped", || state(terminal.pid()) == Some('T'));
}

/// It has the moment at which it happened, and the figures that were kept of it.
#[test]
fn what_is_passed_while_memtop_is_stopped_is_marked_where_it_was() {
    let options = ["--mark-at", "5M"];
    let late = Late::start(USUAL, &options, "late.c", &["100000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for("● tracing since 0:00");
    stop(terminal);
    late.steps.go();
    let built = late.steps.wait_for("built");
    wait_for_time(built, Duration::from_secs(5));
    terminal.signal(libc::SIGCONT);
    terminal.wait_for("memtop stood still for ");
    terminal.press("4");
    let is_mark = |row: &&String| row.contains(" mark 1 ") && row.contains("passed 5.0 MiB");
    let rows = terminal.wait_until("the mark's figures", |rows| {
        rows.iter().find(is_mark).is_some_and(|row| row.contains("100,000 blocks"))
    });
    let (mark, now) = (seconds_at(&rows, "mark 1"), seconds_at(&rows, "now"));
    assert!(mark.unwrap() + 4 <= now.unwrap(), "{}", rows.join("\n"));
    let row = rows.iter().find(is_mark).unwrap();
    assert!(row.contains("automatic") && !row.contains("before"), "{row}");
    late.goes_on();
}

/// What is seen as it happens is marked at once, with its figures.
#[test]
fn what_is_passed_is_marked_at_once() {
    let options = ["--mark-at", "5M"];
    let late = Late::start(USUAL, &options, "late.c", &["100000", "100", "0"]);
    late.terminal.wait_for("● tracing since 0:00");
    late.steps.go();
    late.steps.wait_for("built");
    late.terminal.wait_for("mark 1: passed 5.0 MiB");
    late.terminal.press("4");
    late.terminal.wait_until("the mark", |rows| {
        let mut marks = rows.iter().filter(|row| row.contains(" mark 1 "));
        marks.any(|row| row.contains("passed 5.0 MiB") && row.contains(" blocks"))
    });
    late.goes_on();
}

/// So long after the key that starts it: what is built then is not traced.
#[test]
fn tracing_stops_by_itself_so_long_after_its_start() {
    let options = ["--start", "paused", "--stop", "after:300ms"];
    let late = Late::start(USUAL, &options, "late.c", &["100000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for("○ not tracing yet");
    wait_for_time(monotonic_ns(), Duration::from_millis(500));
    assert!(terminal.text().contains("○ not tracing yet"));
    terminal.press("p");
    terminal.wait_for("○ paused");
    late.steps.go();
    late.steps.wait_for("built");
    let rows = terminal.wait_until("figures", |rows| rows[1].contains("live"));
    assert_eq!(figure(&rows, "allocations"), "0", "{}", rows.join("\n"));
    late.goes_on();
    let rows = terminal.wait_for("ended: exit 0");
    assert_eq!(figure(&rows, "allocations"), "0", "{}", rows.join("\n"));
}
