//! Recordings of real programs: begun and ended by hand, and cut short in every way.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use memtop::recording::{self, File};

use crate::{
    USUAL,
    end_to_end::{Home, is_long, pty::Terminal, random, text, wait_for, wait_until},
    run,
};

#[test]
fn r_begins_and_ends_a_recording() {
    let home = Home::new();
    let command = home.memtop(["run", "--output", "one.memtop", "--", "sleep", "60"]);
    let mut terminal = Terminal::start(USUAL, command);
    terminal.wait_for("  rec ");
    terminal.press("r");
    terminal.wait_without("  rec ");
    wait_until("the recording to be complete", || {
        recording::open(&home.path("one.memtop")).is_ok_and(|one| !one.cut)
    });
    terminal.press("r");
    terminal.wait_for("sleep.memtop");
    terminal.wait_for("  rec ");
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    assert_eq!(terminal.wait().code(), Some(128 + libc::SIGTERM));
    terminal.wait_until_whole();
    home.wait_until_empty();
    // The keeper ends after its recording.
    let second = recording::open(&home.path("sleep.memtop")).expect("a recording");
    assert!(!second.cut);
    assert_eq!(second.tree.exit, Some(memtop::model::Exit::Signal(libc::SIGTERM)));
    let first = recording::open(&home.path("one.memtop")).expect("a recording");
    let pid = |one: &recording::Recording| one.tree.processes[0].identity.pid;
    assert_eq!(pid(&first), pid(&second));
    // It began in the past: its timeline has what was seen before.
    assert!(second.tree.processes[0].timeline[0].at <= first.tree.processes[0].timeline[0].at);
}

#[test]
fn an_existing_recording_is_not_run_over() {
    let home = Home::new();
    std::fs::write(home.path("old"), "old").expect("a file");
    let command = home.memtop(["run", "--output", "old", "--", "touch", "ran"]);
    let mut terminal = Terminal::start(USUAL, command);
    terminal.wait_for("exists already");
    assert_eq!(terminal.wait().code(), Some(125));
    assert!(!home.path("ran").exists());
}

/// Since the Unix epoch.
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set")
}

#[test]
fn a_killed_keeper_leaves_all_but_the_last_second() {
    let rounds = if is_long() { 200 } else { 3 };
    for round in 0..rounds {
        let home = Home::new();
        let mut keeper = home
            .memtop(["record", "--quiet", "-o", "out", "--", "sleep", "4"])
            .spawn()
            .expect("memtop starts");
        let file = wait_for("a process in the recording", || {
            File::open(&home.path("out")).ok().filter(|file| !file.images().is_empty())
        });
        let launched = file.launched_at();
        std::thread::sleep(Duration::from_millis(random(2500)));
        keeper.kill().expect("it runs");
        let killed = wall() - launched;
        keeper.wait().expect("it was started");
        let file = File::open(&home.path("out")).expect("a recording");
        let missing = killed.saturating_sub(file.end());
        assert!(file.is_cut());
        assert!(missing <= Duration::from_secs(1), "round {round}: {missing:?} are missing");
        let tree = recording::open(&home.path("out")).expect("a recording").tree;
        assert!(tree.processes[0].totals.allocations > 0, "round {round}");
    }
}

#[test]
fn a_killed_program_loses_nothing() {
    let home = Home::new();
    let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; kill -9 $$";
    let output = home
        .memtop(["record", "-o", "out", "--", "sh", "-c", script])
        .output()
        .expect("memtop runs");
    assert_eq!(output.status.code(), Some(137), "{}", text(&output.stderr));
    let file = File::open(&home.path("out")).expect("a recording");
    assert!(!file.is_cut());
    let process = &file.recording_at(recording::When::End).expect("it is read").tree.processes[0];
    assert_eq!(process.identity.exit, Some(memtop::model::Exit::Signal(9)));
    let last = process.timeline.last().expect("samples");
    let lived = process.identity.ended.expect("it ended") - process.identity.started;
    assert!(lived - last.at <= Duration::from_millis(1));
    assert_eq!(last.current_bytes, process.totals.current_bytes);
}

#[test]
fn a_recording_is_replayed_at_any_moment() {
    let home = Home::new();
    let script = "sleep 1.2; head -c 3000000 /dev/zero | tail -c 1 | wc -c; sleep 1";
    let output =
        home.memtop(["record", "-o", "one.memtop", "--", "sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut terminal = Terminal::start(USUAL, home.memtop(["replay", "one.memtop"]));
    let rows = terminal.wait_for("ended: exit 0");
    assert!(rows[0].contains("sh -c"), "{}", rows[0]);
    // At the time screen, to the start: it runs again.
    terminal.press("8");
    terminal.wait_for("one.memtop");
    terminal.press("g");
    terminal.wait_without("exit 0");
    terminal.wait_for("up 0:00");
    // Played to its end, at the speed of life.
    terminal.press(" ");
    terminal.wait_for("up 0:01");
    terminal.wait_for("ended: exit 0");
    terminal.press("7");
    terminal.wait_for("Recordings hold no output");
    // The site that held most, with its history.
    terminal.press("2");
    terminal.wait_for(" Sites ");
    terminal.press("\r");
    terminal.wait_until("the site's history", crate::past::has_history);
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(0));
    terminal.wait_until_whole();
    let late = home.memtop(["report", "one.memtop", "--at", "999"]).output().unwrap();
    let said = text(&late.stdout);
    assert!(said.contains("as it was at the end, at 0:0"), "{said}");
    assert!(said.contains("16:39 is later"), "{said}");
}

#[test]
fn what_is_recorded_after_the_end_is_said_to_begin_with_it_all() {
    let home = Home::new();
    let mut terminal = Terminal::start(USUAL, run(&home, &[], &["sh", "-c", "sleep 1"]));
    terminal.wait_for("ended: exit 0");
    terminal.press("r");
    terminal.wait_for(".memtop, from 0:00");
    terminal.press("q");
    terminal.wait();
    home.wait_until_empty();
    let is_recording =
        |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "memtop");
    let mut files =
        std::fs::read_dir(home.path(".")).expect("a folder").flatten().map(|one| one.path());
    let path = files.find(is_recording).expect("a recording");
    assert!(!File::open(&path).expect("it can be read").is_cut());
}

#[test]
fn a_mark_that_is_set_in_a_replay_stays_whatever_is_looked_at() {
    let home = Home::new();
    let script = "sleep 0.5; head -c 3000000 /dev/zero | tail -c 1 | wc -c; sleep 1 & wait";
    let output =
        home.memtop(["record", "-o", "one.memtop", "--", "sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let terminal = Terminal::start(USUAL, home.memtop(["replay", "one.memtop"]));
    terminal.wait_for("ended: exit 0");
    terminal.press("s");
    terminal.wait_for("Grew since mark 1");
    // Another process has none, and numbers go on there.
    terminal.press(">4");
    terminal.wait_for("process 2 of ");
    terminal.wait_for("mark 1 is of another process");
    terminal.press("1s");
    terminal.wait_for("Grew since mark 2");
    terminal.press("<4");
    terminal.wait_for("process 1 of ");
    terminal.wait_for("mark 2 is of another process");
    // At another moment it is there as well, with what it held, and is compared.
    terminal.press("8g");
    terminal.wait_for("   at 0:00");
    terminal.press("s");
    terminal.press("4");
    let rows = terminal.wait_for("mark 3 → mark 1");
    let row = rows.iter().find(|row| row.contains("] to   mark 1 ")).expect("the mark");
    assert!(row.contains(" blocks"), "{row}");
    terminal.wait_until("the difference between them", |rows| {
        rows.iter().any(|row| row.contains("   gone 1   same "))
    });
}
