//! Sizes, the process tree, and what is resident: figures of real programs.

use std::{fs, path::PathBuf, process::Command};

use memtop_ui::format::bytes;

use crate::{
    LARGE, Late, SMALL, USUAL,
    end_to_end::{Home, programs::Steps, pty::Terminal},
    run_shell,
};

/// The row of the screen with a text.
fn row_with<'a>(rows: &'a [String], text: &str) -> Option<&'a String> {
    rows.iter().find(|row| row.contains(text))
}

#[test]
fn sizes_know_share_slack_and_what_is_resident() {
    let late = Late::built(LARGE, &["100000", "100", "0"]);
    late.terminal.wait_for("100,000");
    late.terminal.press("5");
    let rows = late.terminal.wait_for(" Resident memory ");
    let class = row_with(&rows, "65–128 B").unwrap();
    let words: Vec<&str> = class.split_whitespace().collect();
    let held = bytes(10_000_000);
    assert!(class.contains(&held) && words.contains(&"100,000"), "{class}");
    assert!(words.contains(&"100"), "all of it: {class}");
    // glibc gives 104 bytes where 100 are asked for.
    assert!(row_with(&rows, &format!("slack {}", bytes(400_000))).is_some(), "{}", rows.join("\n"));
    // Looked at every other second.
    late.terminal.wait_until("the live part", |rows| {
        let live = row_with(rows, "traced blocks, as the allocator gave them");
        live.is_some_and(|row| row.contains(&bytes(10_400_000)))
            && row_with(rows, "together").is_some_and(|row| row.contains("MiB"))
    });
    late.goes_on();
}

/// A program that no loader starts, and that waits until it is killed.
fn static_program(home: &Home) -> PathBuf {
    let (source, program) = (home.path("still.c"), home.path("still"));
    fs::write(&source, "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n").unwrap();
    let built = Command::new("cc").args(["-static", "-o"]).args([&program, &source]).status();
    assert!(built.unwrap().success());
    program
}

#[test]
fn a_program_that_goes_on_untraced_is_not_said_to_have_ended() {
    let home = Home::new();
    let still = static_program(&home);
    let mut terminal =
        Terminal::start(SMALL, run_shell(&home, &format!("exec {}", still.display())));
    terminal.wait_for("runs on untraced");
    terminal.wait_for("as a program that cannot be traced");
    terminal.press("6");
    let rows = terminal.wait_for("not traced");
    assert!(row_with(&rows, "still").is_some_and(|row| row.contains("not traced")), "{rows:?}");
    terminal.press("q");
    terminal.wait_for("still runs");
    terminal.press("e");
    assert_eq!(terminal.wait().code(), Some(128 + libc::SIGTERM));
}

#[test]
fn the_tree_shows_who_is_traced_who_is_not_and_how_they_ended() {
    let home = Home::new();
    let still = static_program(&home);
    let steps = Steps::new(&home);
    let line = steps.command_line("late.c", &["5000", "100", "0"]).join(" ");
    let script = format!(
        "{} & env -i sleep 1000 & sh -c 'exit 3'; sh -c 'exec ls / >/dev/null'; {line}; echo end",
        still.display()
    );
    let terminal = Terminal::start(LARGE, run_shell(&home, &script));
    steps.go();
    steps.wait_for("built");
    terminal.press("6");
    let rows = terminal.wait_until("everybody", |rows| {
        let text = rows.join("\n");
        text.contains("still · static")
            && text.contains("· environment emptied")
            && row_with(rows, "late-c").is_some_and(|row| row.contains("5,000"))
    });
    let text = rows.join("\n");
    let state =
        |name: &str, state: &str| rows.iter().any(|row| row.contains(name) && row.contains(state));
    assert!(state("● sh -c", " runs "), "{text}");
    assert!(state("sleep 1000", "not traced") && state("still", "not traced"), "{text}");
    assert!(state("sh -c 'exec ls", "exec’d") && state("ls /", "ended"), "{text}");
    assert!(text.contains("2 not traced"), "{text}");
    let late = row_with(&rows, "late-c").unwrap();
    assert!(late.contains("└ ") && late.contains("488.3 KiB"), "{late}");

    // The selected one is shown on all screens.
    let at = rows.iter().position(|row| row.contains("late-c")).unwrap();
    let heading = rows.iter().position(|row| row.contains(" pid ")).unwrap();
    terminal.press(&"j".repeat(at - heading - 1));
    terminal.wait_for("on all screens");
    terminal.press("\r1");
    terminal.wait_for_blocks("5,000");
    terminal.press("6");
    terminal.wait_for("● ");
    terminal.wait_for(" Threads of ");
    steps.go();
    steps.go();
    terminal.wait_until("the ends", |rows| {
        row_with(rows, "late-c").is_some_and(|row| row.contains(" ended "))
    });
}

#[test]
fn threads_have_names_and_ended_ones_a_row() {
    let home = Home::new();
    let script = "exec python3 -c '\
import threading, time\n\
def work(): x = [bytes(1000) for _ in range(100)]\n\
for _ in range(5):\n t = threading.Thread(target=work); t.start(); t.join()\n\
print(\"ready\", flush=True); time.sleep(60)'";
    let script = script.replace("\\n", "\n");
    let terminal = Terminal::start(USUAL, run_shell(&home, &script));
    terminal.press("7");
    terminal.wait_for_output("ready");
    terminal.press("6");
    terminal.wait_until("threads", |rows| {
        row_with(rows, "all that ended").is_some() && row_with(rows, " python3 ").is_some()
    });
}

#[test]
fn a_replay_shows_the_tree_as_it_was_at_the_moment() {
    let home = Home::new();
    let still = static_program(&home);
    let script = format!(
        "sh -c 'exit 3'; {} & sleep 2.5; kill $!; wait; sh -c 'exec ls / >/dev/null'",
        still.display()
    );
    let recorded = home.record(|command| _ = command.args(["sh", "-c", &script]));
    assert!(recorded.status.success(), "{recorded:?}");
    let mut replay = Terminal::start(LARGE, home.memtop(["replay", "recording.memtop"]));
    replay.wait_for(" Memory ");
    replay.press("6");
    let rows = replay.wait_for("1 not traced");
    let text = rows.join("\n");
    let state =
        |name: &str, state: &str| rows.iter().any(|row| row.contains(name) && row.contains(state));
    assert!(state("still", "untraced, ended") && text.contains("1 not traced"), "{text}");
    assert!(state("sh -c 'exec ls", "exec’d") && state("ls /", "ended"), "{text}");
    assert!(state("└ sleep 2.5", "ended"), "{text}");
    // At the first tick the static one runs, and the last has not begun.
    replay.press("8");
    replay.wait_for("recording.memtop");
    replay.press("g");
    replay.wait_until("the start", |rows| rows[0].contains(" at 0:00 "));
    replay.press("6");
    let is_early = |rows: &[String]| {
        let text = rows.join("\n");
        text.contains(" Processes ") && text.contains(" runs ") && text.contains("still · static")
    };
    let rows = replay.wait_until("the tree of then", is_early);
    assert!(!rows.iter().any(|row| row.contains("└ ls /")), "{}", rows.join("\n"));
    replay.press("q");
    assert_eq!(replay.wait().code(), Some(0));
}

/// The time in a row, which is how long the process lived.
fn lived(row: &str) -> Option<f64> {
    let clock = row.split_whitespace().find(|word| word.contains(':'))?;
    let (minutes, seconds) = clock.split_once(':')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

#[test]
fn who_joins_late_sees_how_long_the_others_lived() {
    let home = Home::new();
    let script = "sleep 0.01; env -i sleep 1000 & sleep 4; sleep 1001";
    let mut first = Terminal::start(LARGE, run_shell(&home, script));
    first.press("6");
    first.wait_for("└ sleep 1001");
    let late = Terminal::start(LARGE, home.memtop([]));
    late.choose("sh");
    late.wait_for(" Memory ");
    late.press("6");
    let of = |rows: &[String], name: &str| lived(row_with(rows, name)?);
    let rows = late.wait_until("what the keeper knows of their ends", |rows| {
        of(rows, "└ sleep 0.01").is_some_and(|lived| lived <= 2.0)
    });
    assert!(of(&rows, "└ sleep 4").is_some_and(|lived| lived >= 3.0), "{}", rows.join("\n"));
    // It went on untraced when `env` had done its work, and not when somebody came to look.
    late.wait_until("when the untraced one began", |rows| {
        let untraced = rows.iter().find(|row| row.contains("environment emptied"));
        untraced.and_then(|row| lived(row)).is_some_and(|lived| lived >= 3.0)
    });
    first.press("q");
    first.wait_for("still runs");
    first.press("e");
    first.wait();
}
