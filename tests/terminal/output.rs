//! The program's terminal, and what is redirected.

use std::fs;

use crate::{
    SMALL,
    end_to_end::{
        Home,
        pty::{Terminal, redirected},
        wait_until,
    },
    run_shell,
};

#[test]
fn the_program_is_seen_and_typed_to() {
    let home = Home::new();
    let script = r"printf '\033[31mred\033[0m and plain\n'; exec cat";
    let mut terminal = Terminal::start(SMALL, run_shell(&home, script));
    terminal.press("7");
    terminal.wait_for_output("red and plain");
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
fn what_a_small_terminal_hides_comes_back() {
    let home = Home::new();
    let script = "for i in $(seq 40); do echo line $i and what stands on the right of it, as far \
                  as the end of $i; done; exec sleep 60";
    let terminal = Terminal::start(SMALL, run_shell(&home, script));
    terminal.press("7");
    terminal.wait_for_output("as the end of 40");
    terminal.resize((60, 14));
    terminal.wait_for("│end of 40");
    terminal.press("g");
    terminal.wait_for("line 1 and");
    terminal.resize(SMALL);
    terminal.wait_for("as far as the end of 1 ");
    terminal.press("G");
    terminal.wait_for("as far as the end of 40");
}

#[test]
fn what_is_redirected_is_left_alone() {
    let home = Home::new();
    let file = home.path("file");
    let command = run_shell(&home, "echo out; echo err >&2; exec sleep 60");
    let mut terminal =
        Terminal::start_with(SMALL, command, |command| _ = command.stdout(redirected(&file)));
    terminal.press("7");
    terminal.wait_for_output("err");
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
    terminal.wait_for_output("got from a file");
    terminal.wait_for("ended: exit 4");
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(4));
    terminal.wait_until_whole();
}
