//! What is copied reaches the terminal as one sequence, between frames.

use crate::{
    Late, SMALL, USUAL,
    end_to_end::{Home, pty::Terminal, state, wait_until},
};

/// What stands behind the last sequence that asks for the clipboard.
fn last_asked(terminal: &Terminal) -> Option<Vec<u8>> {
    const BEGIN: &[u8] = b"\x1b]52;c;";
    let bytes = terminal.bytes();
    let at = bytes.windows(BEGIN.len()).rposition(|part| part == BEGIN)? + BEGIN.len();
    let end = bytes[at..].iter().position(|byte| *byte == b'\x1b')?;
    Some(bytes[at..at + end].to_vec())
}

#[test]
fn what_is_copied_is_sent_whole_and_leaves_the_screen_as_it_is() {
    let late = Late::built(SMALL, &["1000", "100", "0"]);
    late.terminal.press("6");
    // Its row, which may come after the frame.
    late.terminal.wait_for(" runs ");
    late.terminal.press("y");
    let rows = late.terminal.wait_for("sent to the terminal’s clipboard: ");
    assert!(rows.iter().any(|row| row.contains(" Processes ")), "{}", rows.join("\n"));
    let sent = last_asked(&late.terminal).expect("it was sent before it was said");
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    assert!(sent.len().is_multiple_of(4) && sent.iter().all(is_base64));
    // Longer than the row in which it shows: three bytes make four.
    let line = std::fs::read(format!("/proc/{}/cmdline", late.program())).unwrap();
    assert!(sent.len() / 4 * 3 >= line.len(), "{} of {}", sent.len(), line.len());
    late.terminal.press("5y");
    late.terminal.wait_for("nothing is selected here");
    assert_eq!(last_asked(&late.terminal), Some(sent), "nothing more was sent");
    late.goes_on();
}

#[test]
fn the_list_of_programs_is_suspended_and_copied_from() {
    let late = Late::built(USUAL, &["1000", "100", "0"]);
    let mut chooser = Terminal::start(USUAL, Home::memtop(&late.home, []));
    chooser.wait_for(&late.program().to_string());
    chooser.press("y");
    wait_until("it is sent", || last_asked(&chooser).is_some());
    chooser.press("\x1a");
    wait_until("memtop is stopped", || state(chooser.pid()) == Some('T'));
    chooser.wait_until_whole();
    chooser.signal(libc::SIGCONT);
    chooser.wait_for(&late.program().to_string());
    wait_until("raw mode is back", || !chooser.has_its_settings());
    chooser.press("q");
    assert_eq!(chooser.wait().code(), Some(0));
    chooser.wait_until_whole();
    late.goes_on();
}
