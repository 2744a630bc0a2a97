//! fork, vfork, raw clone and exec under the preload library: each process its own session,
//! right to the block, and none in another's.

mod support;

use std::{io::Read, process::Stdio};

use memtop_probe::session::{layout::entry, reader::SessionReading};
use support::{Session, Totals, check_consistent, output, program};

/// Allocations and frees of the program's own sizes.
fn pairs(reading: &SessionReading) -> (u64, u64) {
    let totals = Totals::of_programs_own(reading);
    (totals.allocations, totals.frees)
}

fn fork_tree(how: &str) -> (Vec<SessionReading>, Vec<u8>) {
    let session = Session::traced();
    let told = output(session.command(program("fork_tree")).arg(how));
    let readings = session.readings();
    readings.iter().for_each(check_consistent);
    assert_eq!(readings[0].entry, entry::PRELOAD);
    assert_eq!(readings[0].inherited_frees, 0);
    (readings, told)
}

/// The root did its 100 pairs and nothing else.
fn check_root(root: &SessionReading) {
    assert_eq!(pairs(root), (100, 100));
    assert_eq!(root.untracked_frees, 0);
}

/// A child freed 40 of its parent's 100 blocks, allocated 10 and freed 3 of them.
fn check_child(child: &SessionReading, parent: &SessionReading) {
    assert_eq!(child.entry, entry::FORK);
    assert_eq!(child.parent, parent.pid);
    assert_ne!(child.pid, parent.pid);
    assert_eq!(child.command, parent.command);
    assert_eq!(pairs(child), (10, 3));
    assert_eq!((child.inherited_frees, child.inherited_freed), (40, 120_000));
    assert_eq!((child.untracked_frees, child.untracked_bytes), (0, 0));
}

#[test]
fn a_forked_child_has_a_session_of_its_own() {
    for how in ["fork", "raw_fork", "raw_clone"] {
        let (readings, _) = fork_tree(how);
        assert_eq!(readings.len(), 2, "{how}");
        check_root(&readings[0]);
        check_child(&readings[1], &readings[0]);
        let inherited = (readings[1].inherited_blocks, readings[1].inherited_bytes);
        assert_eq!(inherited, (100, 300_000), "{how}");
        assert_eq!(readings[1].threads.len(), 1, "{how}");
        assert_eq!(readings[1].threads[0].tid, readings[1].pid, "{how}");
    }
}

/// What the parent had of the session memory went to others before the child's first call.
#[test]
fn a_child_whose_parents_session_is_gone_is_counted_as_ever() {
    let session = Session::traced();
    let mut command = session.command(program("fork_tree"));
    let command = command.arg("orphan").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut parent = command.spawn().unwrap();
    assert!(parent.wait().unwrap().success());
    let reader = session.reader();
    let root = reader.read(0).unwrap();
    reader.give_back(&[0]);
    assert!(reader.is_gone(0));
    drop(parent.stdin.take());
    // Its end is that of its output.
    parent.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    let child = reader.read(1).unwrap();
    check_consistent(&child);
    assert_eq!((child.entry, pairs(&child)), (entry::FORK, (10, 3)));
    assert_eq!((child.inherited_blocks, child.inherited_bytes), (100, 300_000));
    assert_eq!((child.inherited_frees, child.inherited_freed), (40, 120_000));
    assert_eq!(child.untracked_frees, 0);
    assert_eq!(child.command, root.command);
}

#[test]
fn a_grandchild_inherits_from_its_parent_alone() {
    let (readings, _) = fork_tree("grandchild");
    let [root, child, grandchild] = &readings[..] else { panic!("{} sessions", readings.len()) };
    check_root(root);
    check_child(child, root);
    assert_eq!((grandchild.entry, grandchild.parent), (entry::FORK, child.pid));
    assert_eq!((grandchild.inherited_blocks, grandchild.inherited_bytes), (7, 17_500));
    assert_eq!((grandchild.inherited_frees, grandchild.inherited_freed), (4, 10_000));
    // Two of the root's, which its parent never had on its books.
    assert_eq!(grandchild.untracked_frees, 2);
    assert_eq!(pairs(grandchild), (1, 1));
}

#[test]
fn a_vfork_child_leaves_its_parents_books_alone() {
    let (readings, _) = fork_tree("vfork");
    assert_eq!(readings.len(), 3);
    check_root(&readings[0]);
    for leaf in &readings[1..] {
        assert_eq!((leaf.entry, leaf.parent), (entry::PRELOAD, readings[0].pid));
        assert_eq!(pairs(leaf), (7, 2));
        assert_eq!(leaf.command.last().unwrap(), b"leaf");
        assert_eq!(leaf.inherited_blocks, 0);
    }
}

#[test]
fn an_exec_begins_a_new_session_of_the_same_process() {
    let (readings, _) = fork_tree("exec");
    assert_eq!(readings.len(), 2);
    assert_eq!(readings[0].pid, readings[1].pid);
    assert_eq!(pairs(&readings[0]), (100, 0));
    assert_eq!(pairs(&readings[1]), (7, 2));
    assert!(readings[0].started_ns < readings[1].started_ns);
}

#[test]
fn forks_among_allocating_threads_disturb_nobody() {
    let (readings, told) = fork_tree("threads");
    let churned: u64 = String::from_utf8(told).unwrap().trim().parse().unwrap();
    assert_eq!(readings.len(), 21);
    assert_eq!(pairs(&readings[0]), (100 + churned, 100 + churned));
    for child in &readings[1..] {
        check_child(child, &readings[0]);
        // Beside the 100: three thread tables, and at most two blocks of each thread.
        assert!((100..=112).contains(&child.inherited_blocks), "{}", child.inherited_blocks);
    }
}

#[test]
fn a_wide_tree_keeps_its_books_apart() {
    let (readings, _) = fork_tree("many");
    assert_eq!(readings.len(), 1 + 8 + 40);
    check_root(&readings[0]);
    let (children, rest): (Vec<_>, Vec<_>) =
        readings[1..].iter().partition(|reading| reading.parent == readings[0].pid);
    assert_eq!(children.len(), 8);
    for child in children {
        check_child(child, &readings[0]);
        let own: Vec<_> = rest.iter().filter(|reading| reading.parent == child.pid).collect();
        assert_eq!(own.len(), 5);
        assert!(own.iter().all(|grandchild| pairs(grandchild) == (1, 1)));
        assert!(own.iter().all(|grandchild| grandchild.inherited_blocks == 7));
    }
}

#[test]
fn a_shell_that_runs_hundreds_of_short_programs_loses_none() {
    let rounds = if std::env::var_os("MEMTOP_TEST_ALL").is_some() { 1000 } else { 200 };
    let session = Session::traced();
    let script = format!("i=0; while [ $i -lt {rounds} ]; do /bin/true; i=$((i+1)); done");
    output(session.command("/bin/sh").args(["-c", &script]));
    let readings = session.readings();
    let short: Vec<_> =
        readings.iter().filter(|reading| reading.command == [b"/bin/true"]).collect();
    assert_eq!(short.len(), rounds);
    for reading in &short {
        assert_eq!((reading.entry, reading.parent), (entry::PRELOAD, readings[0].pid));
        check_consistent(reading);
    }
}
