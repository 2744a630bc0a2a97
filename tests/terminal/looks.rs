//! Terminals that show less, and none at all.

use std::process::Stdio;

use crate::{
    Late, USUAL, end_to_end,
    end_to_end::{Home, programs::Steps, pty::Terminal},
    run, words,
};

/// Shows everything there is to show, and returns the bytes of it.
fn tour(late: &mut Late) -> Vec<u8> {
    let terminal = &late.terminal;
    terminal.wait_for("live blocks");
    for (key, place) in [
        ("?", "Look around"),
        ("q", " Sizes "),
        ("s", "mark 1"),
        ("7", " Output "),
        ("9", " Events "),
        ("c", "Forget"),
        ("s", " Events "),
        ("1", " Sizes "),
    ] {
        terminal.press(key);
        terminal.wait_for(place);
    }
    late.goes_on();
    terminal.wait_for("ended: exit 3");
    terminal.press("q");
    assert_eq!(late.terminal.wait().code(), Some(3));
    late.terminal.wait_until_whole();
    late.terminal.bytes()
}

fn late_with(name: &str, value: &str) -> Late {
    let home = Home::new();
    let steps = Steps::new(&home);
    let line = steps.command_line("late.c", &["1000", "100", "3"]);
    let mut command = run(&home, &["--start", "after:100ms"], &words(&line));
    command.env(name, value);
    let terminal = Terminal::start(USUAL, command);
    steps.go();
    steps.wait_for("built");
    Late { terminal, steps, home }
}

/// Parameters of all `CSI … m` in a stream.
fn styles(bytes: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(bytes);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    let all: Vec<String> = sequences.collect();
    all.iter().flat_map(|one| one.split([';', ':'])).filter_map(|n| n.parse().ok()).collect()
}

#[test]
fn no_color_means_no_colour() {
    // Resetting a colour (39, 49) is none.
    let colour = |n: &u32| matches!(n, 30..=38 | 40..=48 | 90..=97 | 100..=107);
    let plain = tour(&mut late_with("NO_COLOR", "1"));
    let found: Vec<u32> = styles(&plain).into_iter().filter(colour).collect();
    assert!(found.is_empty(), "{found:?}");
    let coloured = tour(&mut late_with("NO_COLOR", ""));
    assert!(styles(&coloured).iter().any(colour), "an empty NO_COLOR is none");
}

#[test]
fn a_locale_without_utf8_gets_ascii_alone() {
    let bytes = tour(&mut late_with("LANG", "C"));
    let odd: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii()).collect();
    assert!(odd.is_empty(), "{}", String::from_utf8_lossy(&odd));
}

#[test]
fn without_a_terminal_run_names_what_needs_none() {
    let home = Home::new();
    let mut command = home.memtop(["run", "--", "sh", "-c", "echo > ran"]);
    // A session of its own has no controlling terminal.
    // SAFETY: setsid is async-signal-safe.
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(&mut command, || {
            libc::setsid();
            Ok(())
        })
    };
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = end_to_end::text(&output.stderr);
    assert!(message.contains("no terminal") && message.contains("memtop record -o"), "{message}");
    home.wait_until_empty();
    assert_eq!(home.read("ran"), None);
}
