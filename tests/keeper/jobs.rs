//! The program as a job on its terminal: its place there, what keys reach, what it leaves behind,
//! and what becomes of it when the keeper is killed.
//!
//! What is stopped here starts no processes meanwhile: the kernel stops no process that waits for
//! a child of `vfork` to execute, and such a child may be stopped first.

use std::{fs, time::Duration};

use memtop::{
    keeper::{client::Connection, protocol::FromViewer},
    model::Exit,
    sys::process,
};

use crate::launcher::{Folder, Viewer, is_alive, spawn, try_spawn, wait_until};

fn type_in(connection: &Connection, keys: &[u8]) {
    connection.send(&FromViewer::Input(keys.to_vec())).unwrap();
}

fn read(path: &std::path::Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_program_is_a_job_in_front_of_its_terminal() {
    // Process, parent, group, session, terminal and its foreground group.
    let script = "read pid name state parent group session tty front rest < /proc/$$/stat
                  [ $group = $pid ] && [ $front = $pid ] && echo in front
                  [ $session = $parent ] && [ $tty != 0 ] && echo led
                  tty; echo by name > /dev/tty";
    let (connection, mut viewer) = spawn(script);
    assert_eq!(viewer.until_exit(&connection), Exit::Code(0));
    let text = viewer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["in front", "led"], "{text}");
    assert!(lines[2].starts_with("/dev/pts/"), "{text}");
    assert_eq!(lines[3], "by name");
}

#[test]
fn what_it_leaves_in_the_background_keeps_its_terminal() {
    let folder = Folder::new();
    let (go, hit) = (folder.path("go"), folder.path("hit"));
    let wait = format!("while [ ! -e {} ]; do sleep 0.02; done", go.display());
    // One that is traced and one that is not; of the third, which is silent, nothing is seen.
    let script = format!(
        "trap 'echo > {hit}' HUP INT TERM
         ({wait}; echo traced and late; echo by name > /dev/tty) &
         env -u LD_PRELOAD -u MEMTOP_SESSION /bin/sh -c '{wait}; sleep 1; echo untraced and late' &
         ({wait}; exec sleep 1) > /dev/null 2>&1 < /dev/null &
         exit 7",
        hit = hit.display(),
    );
    let (connection, mut viewer) = spawn(&script);
    assert_eq!(viewer.until_exit(&connection), Exit::Code(7));
    let keeper = connection.hello().keeper;
    // Keys mean nothing to who is in the background.
    type_in(&connection, b"\x03\x1c\x1a");
    std::thread::sleep(Duration::from_millis(300));
    fs::write(&go, "").unwrap();
    for late in ["traced and late", "by name", "untraced and late"] {
        viewer.until(&connection, late);
    }
    drop(connection);
    wait_until(|| !is_alive(keeper));
    assert!(!hit.exists());
}

#[test]
fn an_end_of_the_keeper_spares_who_left_the_terminal() {
    let folder = Folder::new();
    let (go, done) = (folder.path("go"), folder.path("done"));
    // It keeps nothing of the terminal open, and is not traced: the keeper does not wait for it.
    let script = format!(
        "env -u LD_PRELOAD -u MEMTOP_SESSION /bin/sh -c \
         'while [ ! -e {} ]; do sleep 0.05; done; echo > {}' > /dev/null 2>&1 < /dev/null & exit 0",
        go.display(),
        done.display()
    );
    let (connection, mut viewer) = spawn(&script);
    viewer.until_exit(&connection);
    let keeper = connection.hello().keeper;
    drop(connection);
    wait_until(|| !is_alive(keeper));
    fs::write(&go, "").unwrap();
    wait_until(|| done.exists());
}

#[test]
fn an_interrupt_reaches_the_group_in_front_alone() {
    let folder = Folder::new();
    let (hit, beat) = (folder.path("hit"), folder.path("beat"));
    let script = format!(
        "set -m; (trap 'echo > {hit}' INT QUIT; while :; do echo >> {beat}; sleep 0.05; done) &
         set +m; trap 'exit 3' INT; echo ready; while :; do sleep 0.05; done",
        hit = hit.display(),
        beat = beat.display(),
    );
    let connection = try_spawn(&["/bin/bash", "-c", &script]).unwrap();
    let mut viewer = Viewer::default();
    viewer.until(&connection, "ready");
    type_in(&connection, b"\x03");
    assert_eq!(viewer.until_exit(&connection), Exit::Code(3));
    let before = read(&beat).len();
    wait_until(|| read(&beat).len() > before + 3);
    assert!(!hit.exists() && is_alive(connection.hello().keeper));
    // What is left can be ended as well.
    connection.send(&FromViewer::EndProgram).unwrap();
    let keeper = connection.hello().keeper;
    drop(connection);
    wait_until(|| !is_alive(keeper));
    let after = read(&beat).len();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(read(&beat).len(), after);
}

#[test]
fn what_is_left_and_does_not_want_to_end_is_made_to() {
    let folder = Folder::new();
    let number = folder.path("number");
    let script = format!(
        "(trap '' TERM HUP; while :; do sleep 0.05; done) & echo $! > {}; exit 0",
        number.display()
    );
    let (connection, mut viewer) = spawn(&script);
    viewer.until_exit(&connection);
    let left: u32 = read(&number).trim().parse().unwrap();
    assert!(is_alive(left));
    connection.send(&FromViewer::EndProgram).unwrap();
    drop(connection);
    wait_until(|| !is_alive(left));
}

#[test]
fn a_stopped_program_is_told_and_goes_on() {
    let (connection, mut viewer) = spawn("echo ready; read word; echo got $word; read end; exit 4");
    viewer.until(&connection, "ready");
    let root = connection.hello().root;
    type_in(&connection, b"\x1a");
    viewer.until_stopped(&connection, true);
    // Who comes later is told as well.
    let second = Connection::join(root).unwrap();
    Viewer::default().until_stopped(&second, true);
    // What is typed meanwhile is not lost.
    type_in(&connection, b"word\r");
    connection.send(&FromViewer::Continue).unwrap();
    viewer.until_stopped(&connection, false);
    viewer.until(&connection, "got word");
    type_in(&connection, b"\r");
    assert_eq!(viewer.until_exit(&connection), Exit::Code(4));
}

#[test]
fn who_stopped_a_program_may_continue_it_without_memtop() {
    let (connection, mut viewer) = spawn("echo ready; read word");
    viewer.until(&connection, "ready");
    let root = connection.hello().root;
    process::signal(root, libc::SIGSTOP).unwrap();
    viewer.until_stopped(&connection, true);
    process::signal(root, libc::SIGCONT).unwrap();
    viewer.until_stopped(&connection, false);
    process::signal_group(root, libc::SIGTSTP).unwrap();
    viewer.until_stopped(&connection, true);
    connection.send(&FromViewer::EndProgram).unwrap();
    assert_eq!(viewer.until_exit(&connection), Exit::Signal(libc::SIGTERM));
}

#[test]
fn a_program_without_its_keeper_is_hung_up() {
    for stopped in [false, true] {
        let folder = Folder::new();
        let hung = folder.path("hung");
        let script = format!(
            "trap 'echo up >> {}; exit 1' HUP; echo ready; read word; while :; do :; done",
            hung.display()
        );
        let (connection, mut viewer) = spawn(&script);
        viewer.until(&connection, "ready");
        let (root, keeper) = (connection.hello().root, connection.hello().keeper);
        if stopped {
            type_in(&connection, b"\x1a");
            viewer.until_stopped(&connection, true);
        }
        process::signal(keeper, libc::SIGKILL).unwrap();
        wait_until(|| !is_alive(root));
        assert_eq!(read(&hung), "up\n", "stopped: {stopped}");
    }
}

#[test]
fn asked_to_end_a_program_takes_its_foreground_along() {
    // A shell with job control that does not mind being asked, and a job of it that would not end.
    let connection = try_spawn(&["/bin/bash", "--norc", "--noprofile", "-i"]).unwrap();
    let mut viewer = Viewer::default();
    type_in(&connection, b"sh -c 'trap \"\" TERM; echo job-$((40+2)) $$-; exec sleep 1000'\r");
    viewer.until(&connection, "job-42 ");
    viewer.until(&connection, "-\r\n");
    let text = viewer.text();
    let number = text.rsplit_once("job-42 ").and_then(|(_, rest)| rest.split_once('-'));
    let job: u32 = number.unwrap().0.parse().unwrap();
    connection.send(&FromViewer::EndProgram).unwrap();
    assert_eq!(viewer.until_exit(&connection), Exit::Signal(libc::SIGKILL));
    wait_until(|| !is_alive(job));
}
