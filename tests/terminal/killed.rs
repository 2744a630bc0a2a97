//! The terminal of a viewer that could not say goodbye: killed, or panicking.

use std::{env, fs};

use crate::{
    Late, SMALL,
    end_to_end::{self, Home, pty::Terminal, state, wait_for, wait_until},
    run_shell,
};

/// What the warden says.
const KILLED: &str = "memtop was killed; the program it watched goes on";

#[test]
fn a_killed_viewer_leaves_the_terminal_whole() {
    let mut late = Late::built(SMALL, &["1000", "100", "0"]);
    late.terminal.wait_for(" Memory ");
    assert!(!late.terminal.has_its_settings());
    late.terminal.signal(libc::SIGKILL);
    late.terminal.wait();
    late.terminal.wait_until_whole();
    late.terminal.wait_for(KILLED);
    late.goes_on();
    late.home.wait_until_empty();
}

/// The viewer among the processes of a home: neither shell nor keeper nor program.
fn viewer(home: &Home) -> u32 {
    let is_viewer = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        let is_run = line.split(|byte| *byte == 0).nth(1).is_some_and(|word| word == b"run");
        is_run && name == b"memtop\n"
    };
    wait_for("the viewer runs", || home.processes().into_iter().find(is_viewer))
}

/// A shell with job control and line editing, as a person has it.
fn shell(home: &Home) -> Terminal {
    let mut command = home.command("/bin/bash");
    command.args(["--norc", "--noprofile", "-i"]).env("PS1", "ready> ");
    let terminal = Terminal::start(SMALL, command);
    terminal.wait_for("ready>");
    terminal
}

fn type_run(terminal: &Terminal, script: &str) {
    terminal.press(&format!("{} run -- sh -c '{script}'\r", env!("CARGO_BIN_EXE_memtop")));
    terminal.wait_for(" Memory ");
}

#[test]
fn under_a_shell_the_next_line_can_be_typed_at_once() {
    let home = Home::new();
    let terminal = shell(&home);
    for round in 0..5 {
        type_run(&terminal, "exec sleep 60");
        end_to_end::signal(viewer(&home), libc::SIGKILL);
        terminal.wait_for(KILLED);
        terminal.press(&format!("echo r$((40+{round}))e\r"));
        terminal.wait_for(&format!("r{}e", 40 + round));
        let inside = terminal.bytes();
        let last = |wanted: &[u8]| inside.windows(wanted.len()).rposition(|part| part == wanted);
        assert!(last(b"\x1b[?1049l") > last(b"\x1b[?1049h"));
        assert!(last(b"\x1b[?25h") > last(b"\x1b[?25l"));
        terminal.press("stty -a; clear\r");
        terminal.wait_for("ready>");
    }
}

#[test]
fn a_viewer_that_is_stopped_in_the_background_owns_nothing_any_more() {
    let home = Home::new();
    let terminal = shell(&home);
    type_run(&terminal, "exec sleep 60");
    let viewer = viewer(&home);
    // Not Ctrl-Z, which would give the terminal back first.
    end_to_end::signal(viewer, libc::SIGSTOP);
    wait_until("it is stopped", || state(viewer) == Some('T'));
    terminal.wait_for("Stopped");
    // The shell's own work goes on in front, for longer than the warden's next look.
    terminal.press("sleep 2; echo in-$((20+3))-front\r");
    terminal.wait_for("in-23-front");
    end_to_end::signal(viewer, libc::SIGKILL);
    wait_until("it is gone", || !end_to_end::is_alive(viewer));
    terminal.press("echo still-$((1+1))\r");
    terminal.wait_for("still-2");
    let text = end_to_end::text(&terminal.bytes());
    assert!(!text.contains(KILLED), "the warden spoke on a terminal that is the shell's");
}

#[test]
fn who_kills_the_whole_job_gets_the_terminal_back_too() {
    let home = Home::new();
    let mut terminal = Terminal::start(SMALL, run_shell(&home, "exec sleep 60"));
    terminal.wait_for(" Memory ");
    memtop::sys::process::signal_group(terminal.pid(), libc::SIGKILL).unwrap();
    terminal.wait();
    terminal.wait_until_whole();
}

#[test]
fn a_panic_restores_first_and_then_speaks() {
    let home = Home::new();
    let own = env::current_exe().unwrap();
    let mut command = home.command(&own);
    command.args(["--exact", "killed::helper_panics", "--ignored", "--nocapture"]);
    command.env("MEMTOP_TEST_PANIC", "1");
    let mut terminal = Terminal::start(SMALL, command);
    terminal.wait();
    terminal.wait_until_whole();
    let bytes = terminal.bytes();
    let text = end_to_end::text(&bytes);
    let left = text.rfind("\x1b[?1049l").unwrap();
    assert!(text.find("drawn before").unwrap() < left);
    assert!(text.find("as badly as can be").unwrap() > left, "{text:?}");
    assert!(!text.contains(KILLED), "it was not killed");
}

/// Not a test: a dashboard that panics while it holds the terminal.
#[test]
#[ignore = "started by another test"]
fn helper_panics() {
    use std::io::Write;
    if env::var_os("MEMTOP_TEST_PANIC").is_none() {
        return;
    }
    let screen = memtop::terminal::Screen::open().unwrap();
    let _guard = memtop_ui::terminal::Guard::enter(screen.writer().unwrap(), true).unwrap();
    screen.writer().unwrap().write_all(b"drawn before").unwrap();
    panic!("as badly as can be");
}
