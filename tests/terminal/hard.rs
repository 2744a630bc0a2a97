//! Hard places: slow links, resize storms, programs that start themselves anew.

use std::time::Duration;

use crate::{
    LARGE, Late, SMALL, USUAL,
    end_to_end::{Home, monotonic_ns, pty::Terminal},
    run_shell, wait_for_time,
};

/// A quiet screen over a slow link: this much a second at most.
const QUIET: usize = 20_000;

#[test]
fn a_quiet_screen_sends_little() {
    let late = Late::built(LARGE, &["1000", "100", "0"]);
    late.terminal.wait_for(" Memory ");
    for screen in ["1", "5", "6", "9"] {
        late.terminal.press(screen);
        wait_for_time(monotonic_ns(), Duration::from_millis(700));
        let before = late.terminal.bytes().len();
        wait_for_time(monotonic_ns(), Duration::from_secs(2));
        let sent = late.terminal.bytes().len() - before;
        assert!(sent < 2 * QUIET, "screen {screen} sent {sent} bytes in two seconds");
        assert!(sent > 0, "the time goes on");
    }
}

#[test]
fn a_storm_of_resizes_ends_with_a_whole_screen() {
    let late = Late::built(USUAL, &["1000", "100", "0"]);
    late.terminal.wait_for(" Memory ");
    for round in 0..200_u16 {
        late.terminal.resize((20 + round % 180, 5 + round % 60));
    }
    late.terminal.resize(SMALL);
    late.terminal.wait_until("a whole screen", |rows| {
        rows.len() == 24 && rows[23].contains("q quit") && rows[2].starts_with('╭')
    });
    late.goes_on();
}

#[test]
fn a_program_that_executes_itself_again_and_again_is_followed() {
    let home = Home::new();
    std::fs::write(
        home.path("again"),
        "n=${1:-30}; [ $n -gt 0 ] && exec sh ./again $((n-1)); echo at last; exit 9\n",
    )
    .unwrap();
    let mut terminal = Terminal::start(USUAL, run_shell(&home, "exec sh ./again"));
    terminal.press("7");
    terminal.wait_for_output("at last");
    terminal.press("6");
    terminal.wait_until("the last image", |rows| {
        rows.iter().any(|row| row.contains(" exit 9 "))
            || rows.iter().any(|row| row.contains("31 ended"))
            || rows.iter().any(|row| row.contains("32 ended"))
    });
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(9));
    terminal.wait_until_whole();
}
