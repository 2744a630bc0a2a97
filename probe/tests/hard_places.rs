//! Places where a tracer could be in the way: a program that brings itself there behaves as
//! untraced, and is counted exactly.

mod support;

use std::{
    fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use memtop_probe::session::reader::SessionReading;
use support::{Session, Totals, Truth, check_consistent, program, scratch};

/// Status and words of a program.
fn behaviour(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs the program in a place, untraced and traced: the same, and no more than it was itself
/// that was counted. Without and with stacks.
fn check(arguments: &[&str]) -> (String, Vec<SessionReading>) {
    check_with(arguments, |_| {})
}

fn check_with(arguments: &[&str], prepare: impl Fn(&mut Command)) -> (String, Vec<SessionReading>) {
    let run = |mut command: Command| {
        prepare(command.args(arguments));
        behaviour(&mut command)
    };
    let plain = run(Command::new(program("hard_places")));
    assert_eq!(plain.0, Some(0), "{arguments:?}: {plain:?}");
    let [_, last] = [0, 128].map(|frames| {
        let session = Session::traced_with(frames);
        let traced = run(session.command(program("hard_places")));
        assert_eq!(traced, plain, "{arguments:?} with {frames} frames");
        (traced.1, session.readings())
    });
    last
}

fn exactly(said: &str, readings: &[SessionReading]) {
    let seen = &readings[0];
    check_consistent(seen);
    assert_eq!(Totals::of_programs_own(seen), Truth::parse(said.as_bytes()).totals());
}

/// Only root may.
fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn closing_every_descriptor_closes_none_of_the_tracers() {
    let (said, readings) = check(&["closed"]);
    exactly(&said, &readings);
}

#[test]
fn limits_on_files_do_not_concern_the_tracer() {
    for place in ["file_size", "no_files"] {
        let (said, readings) = check(&[place]);
        exactly(&said, &readings);
    }
}

#[test]
fn four_descriptors_are_enough() {
    let few = |command: &mut Command| {
        let limit = libc::rlimit { rlim_cur: 4, rlim_max: 4 };
        // SAFETY: setrlimit is async-signal-safe and reads a value that was moved in.
        unsafe {
            command.pre_exec(move || {
                (libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0)
                    .then_some(())
                    .ok_or_else(std::io::Error::last_os_error)
            });
        }
    };
    let (said, readings) = check_with(&["usual"], few);
    exactly(&said, &readings);
}

#[test]
fn what_there_is_no_memory_to_note_is_not_attributed_and_nothing_else() {
    let program = program("hard_places");
    for frames in [0, 128] {
        let session = Session::traced_with(frames);
        let (status, said, _) = behaviour(session.command(&program).arg("little_space"));
        assert_eq!(status, Some(0), "{said}");
        let truth = Truth::parse(said.as_bytes());
        let seen = session.reading();
        let own = Totals::of_programs_own(&seen);
        assert_eq!(own.allocations + seen.unattributed, truth.field("allocations"));
        assert_eq!(seen.lost_records, 0);
    }
}

#[test]
fn the_smallest_stacks_are_large_enough() {
    let (said, readings) = check(&["small_stacks", "200"]);
    exactly(&said, &readings);
    let (said, readings) = check(&["handler_stack"]);
    exactly(&said, &readings);
}

#[test]
fn a_sandbox_that_allows_what_malloc_needs_is_enough() {
    for place in ["filtered", "strict"] {
        let (said, readings) = check(&[place]);
        let own = Totals::of_programs_own(&readings[0]);
        let truth = Truth::parse(said.as_bytes());
        let counted = own.allocations + readings[0].unattributed;
        assert_eq!(counted, truth.field("allocations"), "{place}");
    }
}

#[test]
fn a_folder_with_nothing_in_it_may_be_all_there_is() {
    if !is_root() {
        return println!("skipped: only root may change the root");
    }
    let folder = scratch("nowhere");
    let place = ["nowhere", folder.to_str().unwrap()];
    let (said, readings) = check_with(&place, |_| drop(fs::remove_dir(&folder)));
    exactly(&said, &readings);
    assert_eq!(readings.len(), 2, "the child has a session");
    assert_eq!(Totals::of_programs_own(&readings[1]).frees, 1);
    let _ = fs::remove_dir(&folder);
}

#[test]
fn processes_in_a_world_of_their_own_keep_their_books() {
    if !is_root() {
        return println!("skipped: only root may unshare process numbers");
    }
    let (said, readings) = check(&["world"]);
    exactly(&said, &readings);
    // They are known by the numbers that they have where the session is read.
    assert!(readings.iter().all(|one| one.pid > 2));
    let parents = [readings[1].parent, readings[2].parent];
    assert_eq!(parents, [readings[0].pid, readings[1].pid]);
    let own: Vec<_> = readings.iter().map(Totals::of_programs_own).collect();
    assert_eq!(own.iter().map(|one| one.allocations).collect::<Vec<_>>(), [100, 100, 1]);
}

#[test]
fn each_program_that_a_process_executes_has_a_session() {
    let (_, readings) = check(&["again", "4"]);
    let own = readings.iter().map(Totals::of_programs_own);
    assert_eq!(own.map(|one| one.frees).collect::<Vec<_>>(), [400, 300, 200, 100, 0]);
    assert!(readings.iter().all(|one| one.pid == readings[0].pid));
}

#[test]
fn a_program_may_write_over_its_arguments_and_environment() {
    let (said, readings) = check(&["titled"]);
    exactly(&said, &readings);
    let [title, child] = &readings[..] else { panic!("{} sessions", readings.len()) };
    assert_eq!(Totals::of_programs_own(child).allocations, 100);
    assert_eq!(title.command, child.command);
    assert_eq!(title.command.last().unwrap(), b"titled");
}

#[test]
fn a_daemon_is_counted_to_its_end() {
    let file: PathBuf = scratch("daemon");
    let session = Session::traced();
    let mut command = session.command(program("hard_places"));
    let found = behaviour(command.args(["daemon", file.to_str().unwrap()]));
    assert_eq!(found, (Some(0), String::new(), String::new()));
    let deadline = Instant::now() + Duration::from_secs(30);
    while fs::read(&file).unwrap_or_default() != b"done\n" {
        assert!(Instant::now() < deadline, "the daemon does nothing");
        thread::sleep(Duration::from_millis(5));
    }
    fs::remove_file(&file).unwrap();
    let own: Vec<_> = session.readings().iter().map(Totals::of_programs_own).collect();
    // The process between the two only forks, which asks for nothing.
    assert_eq!(own.iter().map(|one| one.frees).max(), Some(5000));
    assert!(own.len() >= 2, "{own:?}");
}

#[test]
fn ten_thousand_children_are_ten_thousand_sessions() {
    let children = if std::env::var_os("MEMTOP_LONG").is_some() { 10_000 } else { 2_000 };
    let session = Session::traced_with(0);
    let mut command = session.command(program("hard_places"));
    let found = behaviour(command.args(["storm", &children.to_string()]));
    assert_eq!(found.0, Some(0), "{}", found.1);
    let readings = session.readings();
    assert_eq!(readings.len(), children + 1);
    for child in &readings[1..] {
        let own = Totals::of_programs_own(child);
        assert_eq!((own.allocations, own.frees), (10, 10));
        assert_eq!(own.allocated_bytes, (0..10).map(|j| 3000 + j).sum::<u64>());
        check_consistent(child);
    }
}

#[test]
fn ten_thousand_short_threads_are_counted_exactly() {
    let session = Session::traced();
    let (truth, seen) = support::run(&session, "thread_end", &["10000", "16"]);
    assert_eq!(truth.field("allocations"), 10_000 * 22);
    assert_eq!(Totals::of_programs_own(&seen), truth.totals());
}
