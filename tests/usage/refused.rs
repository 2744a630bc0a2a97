//! What cannot be run, traced or recorded, and is said.

use super::*;

/// Programs that are refused, with status and the word that must be in the message.
fn refused(home: &Home) -> Vec<(String, i32, &'static str)> {
    let make = |name: &str, content: &[u8], mode: u32| {
        let path = home.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let own = fs::read("/bin/true").unwrap();
    // The machine is named in two bytes at 18: 183 is 64-bit ARM.
    let mut foreign = own.clone();
    foreign[18] = 183;
    fs::write(home.path("static.c"), "int main(void) { return 0; }").unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-o", "static", "static.c"]).current_dir(home.path(""));
    assert!(compiler.status().unwrap().success());
    let mut all = vec![
        ("memtop-no-such-program".to_owned(), 127, "not found"),
        (home.path("absent").to_str().unwrap().to_owned(), 127, "not found"),
        ("/etc".to_owned(), 126, "directory"),
        (make("plain", b"#!/bin/sh\n", 0o644), 126, "chmod +x"),
        (make("orphan", b"#!/no/such/interpreter\n", 0o755), 126, "/no/such/interpreter"),
        (make("foreign", &foreign, 0o755), 126, "aarch64"),
        (make("cut", &own[..100], 0o755), 126, "damaged"),
        (make("noise", &[0, 1, 2, 3], 0o755), 126, "neither"),
        (home.path("static").to_str().unwrap().to_owned(), 126, "statically linked"),
    ];
    // Only root can give a file away.
    let changed = make("set-user-id", &own, 0o755);
    if chown(&changed, Some(65534), Some(65534)).is_ok() {
        fs::set_permissions(&changed, fs::Permissions::from_mode(0o4755)).unwrap();
        all.push((changed, 126, "is set-user-ID"));
    }
    all
}

#[test]
fn programs_that_cannot_be_traced_are_refused_with_the_reason() {
    let home = Home::new();
    for (program, expected, word) in refused(&home) {
        let command = home.memtop(["record", "-o", "out", "--", &program]);
        let (status, message) = said(command);
        assert_eq!(status, Some(expected), "{program}: {message}");
        let name = Path::new(&program).file_name().unwrap().to_str().unwrap();
        assert!(message.contains(name), "{message}");
        assert!(message.to_lowercase().contains(&word.to_lowercase()), "{word}: {message}");
        assert!(!home.path("out").exists(), "{program}");

        // With a dashboard the same, before the terminal is taken over.
        let mut terminal = Terminal::start((120, 24), home.memtop(["run", "--", &program]));
        assert_eq!(terminal.wait().code(), Some(expected), "{program}");
        let first = message.split(' ').take(3).collect::<Vec<_>>().join(" ");
        terminal.wait_for(&first);
        assert!(terminal.has_its_settings());
        assert!(!terminal.bytes().windows(6).any(|bytes| bytes == b"\x1b[?104"), "{program}");
    }
    home.wait_until_empty();
}

#[test]
fn a_recording_that_cannot_be_written_is_said_before_the_program_runs() {
    let home = Home::new();
    for file in ["no/such/folder/out", "."] {
        let command = home.memtop(["record", "-o", file, "--", "sh", "-c", "echo > ran"]);
        let (status, message) = said(command);
        assert_eq!(status, Some(125), "{file}: {message}");
        assert!(message.contains(file), "{message}");
        assert!(!home.path("ran").exists());
    }
}

#[test]
fn a_full_disk_does_not_change_the_programs_status() {
    let home = Home::new();
    let script = "echo out; exit 7";
    let output =
        run(home.memtop(["record", "--force", "-o", "/dev/full", "--", "sh", "-c", script]));
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(text(&output.stdout), "out\n");
    let message = text(&output.stderr);
    assert!(message.contains("cannot write the recording /dev/full"), "{message}");
}

#[test]
fn a_recording_that_nobody_can_start_says_so() {
    let home = Home::new();
    let (status, message) = said(home.memtop("record --start paused -o out true".split(' ')));
    assert_eq!(status, Some(0));
    assert!(message.contains("--start after:") && message.contains("press p"), "{message}");
    let quiet = "record --start paused --quiet --force -o out true".split(' ');
    assert_eq!(said(home.memtop(quiet)).1, "");
}

#[test]
fn a_hard_limit_on_files_is_told_before_the_program_runs() {
    let home = Home::new();
    let memtop = env!("CARGO_BIN_EXE_memtop");
    let script = format!("ulimit -f 1; exec {memtop} record -o out -- sh -c 'echo > ran'");
    let mut command = home.command("sh");
    command.args(["-c", &script]);
    let (status, message) = said(command);
    // Who has the privilege raises a hard limit as well.
    let raised = status == Some(0);
    assert!(raised || status == Some(125), "{message}");
    assert!(raised || message.contains("; raise the hard limit on the size of files"), "{message}");
    assert_eq!(home.path("ran").exists(), raised);
}
