//! Allocators that come as libraries: C++'s operators and `mallocx` and its kin are counted
//! once, whoever does the work.

mod support;

use std::{
    io::{BufRead, BufReader, Write},
    process::Command,
};

use support::{
    Guarded, Session, Totals, Truth, check_consistent, library, output, program, program_with,
};

#[test]
fn every_form_of_an_allocator_of_its_own_is_counted_once() {
    let allocator = library("own_operators");
    for frames in [0, 128] {
        let session = Session::traced_with(frames);
        let mut command = session.command_with(program("operators"), &[&allocator]);
        let truth = Truth::parse(&output(command.arg("3000")));
        let seen = session.reading();
        check_consistent(&seen);
        assert_eq!(truth.field("allocations"), 3000 * 13, "all forms were used");
        assert_eq!(Totals::of(&seen), truth.totals());
        assert_eq!(seen.reallocations, truth.field("reallocations"));
        assert_eq!(seen.peak_bytes, truth.field("peak_bytes"));
        assert_eq!((seen.untracked_frees, seen.lost_records), (0, 0));
    }
}

#[test]
fn releases_of_older_blocks_are_counted_once_too() {
    let allocator = library("own_operators");
    let session = Session::paused();
    let mut command = session.command_with(program("operators"), &[&allocator]);
    let mut child = Guarded::start(command.arg("older"));
    let mut input = child.0.stdin.take().unwrap();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert_eq!(line(), "built");
    session.set_tracing(true);
    input.write_all(b"g").unwrap();
    assert_eq!(line(), "released");
    let seen = session.reading();
    // Thirty by the operators; two were resized, which leaves two blocks of the window.
    assert_eq!(seen.untracked_frees, 32);
    assert_eq!((Totals::of(&seen).allocations, Totals::of(&seen).frees), (2, 2));
    assert_eq!((seen.reallocations, seen.untracked_bytes), (2, 3200));
    input.write_all(b"g").unwrap();
    assert!(child.wait().success());
}

/// A program that asks by weak references whether they are there is told no, as without us.
#[test]
fn without_such_an_allocator_there_are_no_such_functions() {
    for linked in ["-Wl,-z,lazy", "-Wl,-z,now,-z,relro"] {
        let asking = program_with("operators", linked);
        let plain = output(Command::new(&asking).arg("10"));
        assert_eq!(Truth::parse(&plain).field("allocations"), 0);
        let session = Session::traced();
        assert_eq!(output(session.command(&asking).arg("10")), plain, "{linked}");
        check_consistent(&session.reading());
    }
}

#[test]
fn what_is_loaded_later_finds_its_own_operators() {
    let allocator = library("own_operators");
    let late = |mut command: Command| output(command.arg("late").arg(&allocator));
    let plain = late(Command::new(program("operators")));
    let session = Session::traced();
    assert_eq!(late(session.command(program("operators"))), plain);
    assert!(!session.readings().is_empty());
}
