//! The program as a job: what it leaves in the background, what Ctrl-Z does to it, and shells
//! that have jobs of their own.

use std::fs;

use crate::{
    SMALL, USUAL,
    end_to_end::{self, Home, pty::Terminal, wait_for, wait_until},
    run, run_shell,
};

/// Leaves two processes behind that go on once the file `go` is there.
const LEAVES: &str = "wait_for_go() { while [ ! -e go ]; do sleep 0.05; done; }
    (wait_for_go; sleep 0.2; echo late > late) &
    (wait_for_go; echo late on the terminal) &
    echo started; exit 6";

fn show_what_is_left(home: &Home) -> Terminal {
    let terminal = Terminal::start(USUAL, run_shell(home, LEAVES));
    terminal.press("7");
    terminal.wait_for_output("started");
    terminal.wait_for("ended: exit 6");
    terminal
}

#[test]
fn what_runs_in_the_background_outlives_the_program() {
    let home = Home::new();
    let mut terminal = show_what_is_left(&home);
    terminal.press("q");
    terminal.wait_for("that it left still run");
    terminal.press("s");
    terminal.wait_without("that it left still run");
    fs::write(home.path("go"), "").unwrap();
    terminal.wait_for("late on the terminal");
    wait_until("both end", || home.read("late").as_deref() == Some("late\n"));
    // The viewer and its warden, and the keeper.
    wait_until("both are gone", || home.processes().len() == 3);
    // Seen with the next reading.
    wait_until("nothing is left to ask about", || {
        terminal.press("q");
        std::thread::sleep(std::time::Duration::from_millis(150));
        terminal.press("s");
        !end_to_end::is_alive(terminal.pid())
    });
    assert_eq!(terminal.wait().code(), Some(6));
    home.wait_until_empty();
}

#[test]
fn what_runs_in_the_background_outlives_the_viewer() {
    let home = Home::new();
    let mut terminal = show_what_is_left(&home);
    terminal.press("q");
    terminal.wait_for("that it left still run");
    terminal.press("d");
    assert_eq!(terminal.wait().code(), Some(6));
    fs::write(home.path("go"), "").unwrap();
    wait_until("it goes on", || home.read("late").as_deref() == Some("late\n"));
    home.wait_until_empty();
}

#[test]
fn what_runs_in_the_background_can_be_ended() {
    let home = Home::new();
    let mut terminal = show_what_is_left(&home);
    terminal.press("q");
    terminal.wait_for("that it left still run");
    terminal.press("e");
    assert_eq!(terminal.wait().code(), Some(6));
    home.wait_until_empty();
    assert_eq!(home.read("late"), None);
}

#[test]
fn ctrl_z_stops_the_program_and_typing_continues_it() {
    let home = Home::new();
    let script = "echo ready; read word; echo got $word; exit 5";
    let mut terminal = Terminal::start(SMALL, run_shell(&home, script));
    terminal.press("7");
    terminal.wait_for_output("ready");
    terminal.press("i");
    terminal.wait_for("keys go to the program");
    terminal.press("\x1a");
    terminal.wait_for("○ stopped");
    terminal.wait_for("stopped · i lets it go on");
    terminal.press("1");
    terminal.wait_for("○ stopped");
    terminal.press("7i");
    terminal.wait_for("keys go to the program");
    terminal.wait_without("○ stopped");
    terminal.press("on\r");
    terminal.wait_for_output("got on");
    terminal.wait_for("ended: exit 5");
    terminal.press("\x1dq");
    assert_eq!(terminal.wait().code(), Some(5));
    terminal.wait_until_whole();
}

#[test]
fn a_stopped_program_can_be_left_and_ended() {
    let home = Home::new();
    let mut terminal = Terminal::start(SMALL, run_shell(&home, "echo ready; exec sleep 1000"));
    terminal.press("7");
    terminal.wait_for_output("ready");
    terminal.press("i\x1a");
    terminal.wait_for("○ stopped");
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    assert_eq!(terminal.wait().code(), Some(128 + libc::SIGTERM));
    home.wait_until_empty();
}

#[test]
fn a_shell_has_its_own_jobs() {
    let home = Home::new();
    let line = ["bash", "--norc", "--noprofile", "-i"];
    let mut terminal = Terminal::start(USUAL, run(&home, &[], &line));
    terminal.press("7");
    terminal.wait_for("bash-");
    terminal.press("i");
    terminal.wait_for("keys go to the program");
    // Nothing is said of a shell without job control.
    assert!(!terminal.text().contains("no job control"));
    terminal.press("sh -c 'echo job-$((40+2)); while :; do :; done'\r");
    terminal.wait_for("job-42");
    terminal.press("\x1a");
    terminal.wait_for("Stopped");
    terminal.press("bg; jobs\r");
    terminal.wait_for("Running");
    terminal.press("fg\r");
    terminal.wait_until("it is in front", |rows| {
        // As typed, stopped, sent on, listed, and brought back.
        rows.iter().filter(|row| row.contains("while :")).count() == 5
    });
    terminal.press("\x03");
    terminal.press("echo status-$?\r");
    terminal.wait_for("status-130");
    assert!(!terminal.text().contains("○ stopped"), "the shell itself never was");
    terminal.press("exit 9\r");
    terminal.wait_for("ended: exit 9");
    terminal.press("\x1dq");
    assert_eq!(terminal.wait().code(), Some(9));
    home.wait_until_empty();
}

#[test]
fn a_stopped_program_is_met_as_such() {
    let home = Home::new();
    let script = "echo $$ > number; read word; exit 3";
    let mut first = Terminal::start(USUAL, run_shell(&home, script));
    first.press("7");
    let written = || home.read("number")?.trim().parse().ok();
    let program: u32 = wait_for("the program runs", written);
    first.wait_for("i types to the program");
    first.press("i\x1a");
    first.wait_for("○ stopped");
    first.press("qd");
    assert_eq!(first.wait().code(), Some(0));
    assert_eq!(end_to_end::state(program), Some('T'), "detaching leaves it as it is");
    let mut second = Terminal::start(USUAL, home.memtop([]));
    second.choose(&program.to_string());
    second.wait_for("○ stopped");
    second.press("7i");
    second.wait_without("○ stopped");
    second.press("\r");
    second.wait_for("ended: exit 3");
    second.press("\x1dq");
    second.wait();
    home.wait_until_empty();
}
