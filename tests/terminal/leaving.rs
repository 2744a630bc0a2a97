//! How the program ends, and how the person leaves: asked, by signals, by force.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};

use crate::{
    Late, SMALL, USUAL,
    end_to_end::{
        Home,
        figures::{Timeline, figure, try_figure},
        is_alive, is_long, monotonic_ns,
        pty::Terminal,
        random, state, wait_for, wait_until,
    },
    run_shell, wait_for_time,
};

#[test]
fn the_end_stays_on_the_screen_until_the_person_leaves() {
    for (status, said) in [
        (0, "exit 0"),
        (3, "exit 3"),
        (128 + libc::SIGKILL, "killed by signal 9 (out of memory?)"),
        (128 + libc::SIGTERM, "killed by signal 15 (SIGTERM)"),
    ] {
        let mut late = Late::built(SMALL, &["1000", "100", &status.to_string()]);
        late.goes_on();
        late.terminal.wait_for(said);
        assert!(is_alive(late.terminal.pid()));
        late.terminal.press("q");
        assert_eq!(late.terminal.wait().code(), Some(status), "{said}");
        late.terminal.wait_until_whole();
        late.home.wait_until_empty();
    }
}

#[test]
fn quitting_asks_and_detaching_leaves_the_program_running() {
    let mut late = Late::built(SMALL, &["1000", "100", "0"]);
    late.terminal.press("q");
    late.terminal.wait_for("still runs.");
    late.terminal.press("s");
    late.terminal.wait_without("still runs.");
    late.terminal.press("q");
    late.terminal.wait_for("still runs.");
    late.terminal.press("d");
    assert_eq!(late.terminal.wait().code(), Some(0));
    late.terminal.wait_until_whole();
    let said = format!("(process {}) goes on; to see it again: memtop", late.program());
    // The line is wider than the screen.
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    late.terminal
        .wait_until("how to come back", |rows| squeezed(&rows.concat()).contains(&squeezed(&said)));
    late.goes_on();
    late.home.wait_until_empty();
}

#[test]
fn of_a_program_that_has_just_ended_nothing_is_asked() {
    let home = Home::new();
    // The dashboard looks once a minute.
    let script = "echo $$ > pid; while [ ! -e stop ]; do sleep 0.05; done; exit 4";
    let mut run = run_shell(&home, script);
    run.env("MEMTOP_TICK", "1m");
    let mut terminal = Terminal::start(SMALL, run);
    terminal.wait_for(" Memory ");
    let pid = wait_for("the program", || home.read("pid")?.trim().parse().ok());
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("s");
    terminal.wait_without("still runs.");
    fs::write(home.path("stop"), "").unwrap();
    wait_until("the program has ended", || !is_alive(pid));
    // The keeper's word of that may be on its way still; the next look is not.
    let ended = Instant::now();
    wait_until("memtop leaves", || {
        terminal.press("sq");
        state(terminal.pid()) == Some('Z')
    });
    assert!(ended.elapsed() < Duration::from_secs(20), "it waited for the next look");
    assert_eq!(terminal.wait().code(), Some(4));
    home.wait_until_empty();
}

#[test]
fn ending_the_program_asks_it_first() {
    let home = Home::new();
    let script = "trap 'echo asked > asked; while [ ! -e seen ]; do sleep 0.05; done; exit 9' TERM;
                  echo up > up; while :; do sleep 0.05; done";
    let mut terminal = Terminal::start(SMALL, run_shell(&home, script));
    wait_until("the program is ready", || home.read("up").is_some());
    terminal.wait_for(" Memory ");
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    terminal.wait_for("asked the program to end");
    fs::write(home.path("seen"), "").unwrap();
    assert_eq!(terminal.wait().code(), Some(9));
    assert_eq!(home.read("asked").as_deref(), Some("asked\n"));
    terminal.wait_until_whole();
    home.wait_until_empty();
}

#[test]
fn signals_end_the_viewer_alone_and_leave_the_terminal_whole() {
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT] {
        let mut late = Late::built(SMALL, &["1000", "100", "0"]);
        late.terminal.wait_for(" Memory ");
        late.terminal.signal(signal);
        assert_eq!(late.terminal.wait().code(), Some(0), "signal {signal}");
        late.terminal.wait_until_whole();
        late.goes_on();
        late.home.wait_until_empty();
    }
}

#[test]
fn a_closed_terminal_ends_the_viewer_alone() {
    let mut late = Late::built(SMALL, &["1000", "100", "0"]);
    late.terminal.wait_for(" Memory ");
    late.terminal.close();
    late.terminal.wait();
    late.goes_on();
    late.home.wait_until_empty();
}

#[test]
fn a_killed_viewer_is_followed_by_another_that_knows_the_history() {
    let mut late = Late::built(USUAL, &["100000", "100", "5"]);
    let began = late.steps.wait_for("begun");
    late.terminal.wait_for(" Memory ");
    wait_for_time(began, Duration::from_millis(2500));
    late.terminal.signal(libc::SIGKILL);
    assert_eq!(late.terminal.wait().signal(), Some(libc::SIGKILL));
    let program = late.program();
    late.steps.go();
    late.steps.wait_for("replaced");

    let mut second = Terminal::start(USUAL, late.home.memtop([]));
    let rows = second.wait_until("the program in the list", |rows| {
        rows.iter().any(|row| row.split_whitespace().any(|word| word == program.to_string()))
    });
    let row_of = |word: &str| {
        rows.iter().position(|row| row.split_whitespace().any(|one| one == word)).unwrap()
    };
    // Programs of other people on this machine may stand before it.
    second.press(&"j".repeat(row_of(&program.to_string()) - row_of("command") - 1));
    second.press("\r");
    let rows = second.wait_until("the figures", |rows| {
        try_figure(rows, "live blocks").is_some_and(|blocks| blocks == "100,000")
            && rows.iter().any(|row| row.contains("┼"))
            && Timeline::read(rows).has_curve(10)
    });
    assert_eq!(figure(&rows, "allocations"), "200,000");
    let timeline = Timeline::read(&rows);
    let before = (2.0 / timeline.column_s) as usize;
    let known = (5..before).filter(|column| timeline.has_curve(*column)).count();
    assert!(known > (before - 5) * 9 / 10, "{}", rows.join("\n"));
    // It is as good as the first: it may stop tracing, and sees the end.
    second.press("p");
    second.wait_for("○ paused");
    late.steps.go();
    second.wait_for("ended: exit 5");
    second.press("q");
    assert_eq!(second.wait().code(), Some(0), "a status is for who started the program");
    second.wait_until_whole();
    late.home.wait_until_empty();
}

#[test]
fn a_viewer_may_be_killed_at_any_moment() {
    let rounds = if is_long() { 100 } else { 10 };
    let inner = "i=0; while [ $i -lt 30 ]; do echo line $i; echo line $i >> out; sleep 0.01; \
                 i=$((i+1)); done; exit 7";
    let script = format!("echo > started; sh -c '{inner}'; echo $? > status");
    let expected: String = (0..30).map(|number| format!("line {number}\n")).collect();
    let mut finished = 0;
    for round in 0..rounds {
        let home = Home::new();
        let mut terminal = Terminal::start(SMALL, run_shell(&home, &script));
        let delay = Duration::from_millis(random(700));
        wait_for_time(monotonic_ns(), delay);
        terminal.signal(libc::SIGKILL);
        terminal.wait();
        // The keeper stays for a while, in case somebody wants to see the end.
        let finished_well = || home.read("status").is_some_and(|status| !status.is_empty());
        wait_until("the program ends", || finished_well() || home.processes().is_empty());
        // A viewer that dies early enough has started nothing.
        if home.read("started").is_some() {
            let found = (home.read("status"), home.read("out"));
            let right = (Some("7\n".to_owned()), Some(expected.clone()));
            assert_eq!(found, right, "round {round}, killed after {delay:?}");
            finished += 1;
        }
    }
    assert!(finished > rounds / 2, "only {finished} of {rounds} programs were started in time");
}

#[test]
fn who_was_stopped_says_so_and_shows_what_happened_meanwhile() {
    let mut late = Late::built(USUAL, &["100000", "100", "0"]);
    late.terminal.wait_for(" Memory ");
    late.terminal.signal(libc::SIGSTOP);
    wait_until("memtop is stopped", || state(late.terminal.pid()) == Some('T'));
    late.steps.go();
    let replaced = late.steps.wait_for("replaced");
    wait_for_time(replaced, Duration::from_secs(3));
    late.terminal.signal(libc::SIGCONT);
    let rows = late.terminal.wait_until("its words", |rows| {
        rows.iter().any(|row| row.contains("memtop stood still for "))
    });
    // In no frame are the words beside what was seen before.
    assert_eq!(figure(&rows, "allocations"), "200,000", "{}", rows.join("\n"));
    late.steps.go();
    late.terminal.wait_for("ended: exit 0");
    late.terminal.press("q");
    assert_eq!(late.terminal.wait().code(), Some(0));
    late.terminal.wait_until_whole();
    assert!(!late.terminal.text().contains("to see it again"), "it has ended");
}

#[test]
fn suspending_gives_the_terminal_back_for_a_while() {
    let late = Late::built(SMALL, &["1000", "100", "0"]);
    let terminal = &late.terminal;
    terminal.wait_for(" Memory ");
    assert!(!terminal.has_its_settings());
    terminal.press("\x1a");
    wait_until("memtop is stopped", || state(terminal.pid()) == Some('T'));
    terminal.wait_until_whole();
    assert!(!terminal.text().contains(" Memory "));
    late.steps.go();
    late.steps.wait_for("replaced");
    terminal.signal(libc::SIGCONT);
    terminal.wait_for(" Memory ");
    wait_until("raw mode is back", || !terminal.has_its_settings());
    late.steps.go();
    terminal.wait_for("ended: exit 0");
}
