//! Processes that are real, and looks at them.

use std::process::{Child, Command, Stdio};

use memtop_probe::session::memory::{LEAST_SIZE, Memory, Settings};

use super::*;
use crate::sys::{clock, descriptor};

/// A shell that looks traced.
fn shell(script: &str) -> Child {
    Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .env("LD_PRELOAD", "/nonexistent/memtop-probe.so")
        .env("MEMTOP_SESSION", "x")
        .spawn()
        .unwrap()
}

fn sleep(children: &Children) -> Option<Untraced> {
    let is_sleep = |one: &&Untraced| one.command.first().is_some_and(|c| c == b"sleep");
    children.all().find(is_sleep).cloned()
}

/// Looks until the child is known; in the middle of its exec nothing can be told yet.
fn meet_sleep(children: &mut Children, traced: &BTreeSet<u32>) -> Untraced {
    loop {
        children.observe(traced, &[], 1);
        let is_known = |one: &Untraced| one.reason == Untraceable::Environment;
        if let Some(found) = sleep(children).filter(is_known) {
            return found;
        }
    }
}

#[test]
fn children_are_seen_and_remembered_after_their_end() {
    let mut shell = shell("env -i sleep 60 & wait");
    let traced = BTreeSet::from([shell.id()]);
    let mut children = Children::default();
    let found = meet_sleep(&mut children, &traced);
    assert_eq!((found.parent, found.ended_ns), (shell.id(), None));
    assert_eq!(found.reason, Untraceable::Environment);
    assert!(found.resident.is_some());
    process::signal(found.pid, libc::SIGKILL).unwrap();
    shell.wait().unwrap();
    children.observe(&traced, &[], 2);
    children.observe(&traced, &[], 3);
    let found = sleep(&children).unwrap();
    assert_eq!((found.ended_ns, found.resident), (Some(2), None));
    children.observe(&BTreeSet::from([found.pid]), &[], 4);
    assert_eq!(sleep(&children), None, "it turned out to be traced");
}

#[test]
fn a_child_that_outlives_its_parent_has_not_ended() {
    let mut shell = shell("env -i sleep 60 & read line");
    let traced = BTreeSet::from([shell.id()]);
    let mut children = Children::default();
    meet_sleep(&mut children, &traced);
    drop(shell.stdin.take());
    shell.wait().unwrap();
    children.observe(&traced, &[], 2);
    let found = sleep(&children).unwrap();
    assert!(found.ended_ns.is_none() && found.resident.is_some());
    process::signal(found.pid, libc::SIGKILL).unwrap();
    while process::incarnation(found.pid).is_some() {
        std::thread::yield_now();
    }
    children.observe(&traced, &[], 3);
    assert_eq!(sleep(&children).unwrap().ended_ns, Some(3));
}

#[test]
fn who_found_no_room_is_dated_by_itself_however_late_it_is_heard_of() {
    let now_ns = clock::monotonic_ns;
    let settings = Settings {
        size: LEAST_SIZE,
        nonce: 1,
        now_ns: now_ns(),
        tick_ns: 1000,
        limit: LEAST_SIZE,
        frames: 0,
    };
    let (memory, fd) = Memory::create(&settings).unwrap();
    drop(descriptor::adopt(fd));
    let mut sleep = Command::new("/bin/sleep").arg("60").spawn().unwrap();
    std::thread::sleep(Duration::from_millis(30));
    let before_ns = now_ns();
    memory.refuse(sleep.id(), false);
    let after_ns = now_ns();
    let mut children = Children::default();
    children.hear(&Reader::over(memory), after_ns + 5_000_000_000);
    let ended_ns = after_ns + 6_000_000_000;
    let former = Former { pid: sleep.id(), parent: 1, ended_ns };
    for _ in 0..2 {
        let found = children.all().next().unwrap();
        assert_eq!(found.reason, Untraceable::Room);
        assert!((before_ns..=after_ns).contains(&found.started_ns), "{found:?}");
        assert_eq!(found.recorded(0).started, Duration::from_nanos(found.started_ns));
        // That what was before it has ended is noticed later still.
        children.observe(&BTreeSet::new(), &[former], ended_ns + 1);
    }
    sleep.kill().unwrap();
    sleep.wait().unwrap();
}

#[test]
fn who_ended_before_it_was_looked_at_is_forgotten() {
    let parent = BTreeSet::from([std::process::id()]);
    let mut zombie = Command::new("/bin/true").spawn().unwrap();
    let mut children = Children::default();
    while process::incarnation(zombie.id()).is_some() {
        std::thread::yield_now();
    }
    children.observe(&parent, &[], 1);
    zombie.wait().unwrap();
    children.observe(&BTreeSet::new(), &[], 2);
    assert!(children.all().all(|child| child.pid != zombie.id()));
}
