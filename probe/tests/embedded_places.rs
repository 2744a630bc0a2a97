//! The embedded allocator where things are not as usual: under a preloaded probe, with little
//! room, in forked children. The test runs itself again in each of these places.

mod support;

use std::{
    hint::black_box,
    os::unix::process::CommandExt,
    process::{Command, Output},
};

use memtop_probe::{
    TracingAllocator, clear, is_tracing, measure, reset_peak, session::layout::entry, start,
    statistics, stop, traced_memory, tracer_memory, untracked_frees,
};
use support::{Session, Totals};

#[global_allocator]
static ALLOCATOR: TracingAllocator = TracingAllocator::system();

const PLACE: &str = "MEMTOP_TEST_PLACE";

fn main() {
    match std::env::var(PLACE).as_deref() {
        Ok("aside") => aside(),
        Ok("tight") => tight(),
        Ok("children") => children(),
        Ok(other) => panic!("no place {other}"),
        Err(_) => {
            under_a_preloaded_probe();
            with_little_room();
            without_room();
            check(run("children", &[]), "");
            println!("embedded places: all right");
        }
    }
}

/// This test again, with limits.
fn run(place: &str, limits: &[(libc::__rlimit_resource_t, u64)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let limits = limits.to_vec();
    let limit = move || {
        for &(resource, bytes) in &limits {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: `limit` is valid for the call.
            if unsafe { libc::setrlimit(resource, &limit) } != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls and nothing else.
    unsafe { command.pre_exec(limit) };
    command.env(PLACE, place).output().expect("this test can be run")
}

fn check(output: Output, complaint: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, complaint);
}

/// Nothing is counted twice: the preloaded probe counts, the embedded one steps aside.
fn under_a_preloaded_probe() {
    let session = Session::traced();
    let mut command = session.command(std::env::current_exe().unwrap());
    check(command.env(PLACE, "aside").output().unwrap(), "");
    let seen = session.reading();
    assert_eq!(seen.entry, entry::PRELOAD);
    let own = Totals::of_programs_own(&seen);
    assert!(own.allocations >= 100 && own.allocations < 120, "{own:?}");
}

fn aside() {
    let blocks: Vec<_> = (0..100).map(|_| black_box(Box::new([1u8; 9000]))).collect();
    assert!(!start() && !stop() && !clear() && !reset_peak() && !is_tracing());
    assert_eq!((traced_memory(), untracked_frees(), tracer_memory()), (None, None, 0));
    assert!(statistics().is_none());
    let ((), used) = measure(|| drop(blocks));
    assert_eq!(used.left_bytes, -(100 * (9000 + 8)), "a thread's own measurement goes on");
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let names = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().contains("memtop-session")));
}

fn with_little_room() {
    check(run("tight", &[(libc::RLIMIT_AS, 512 << 20)]), "");
    check(run("tight", &[(libc::RLIMIT_FSIZE, 64 << 20)]), "");
    check(run("tight", &[(libc::RLIMIT_NOFILE, 16)]), "");
}

fn tight() {
    assert!(start());
    let block = black_box(vec![1u8; 5000]);
    assert_eq!(traced_memory().unwrap().current, 5000);
    drop(block);
}

fn without_room() {
    let complaint =
        "memtop: the system gives no memory for a session; this program is not traced\n";
    check(run("aside", &[(libc::RLIMIT_FSIZE, 1 << 20)]), complaint);
}

/// Children have figures of their own; the window is the family's.
fn children() {
    assert!(start());
    let inherited = black_box(vec![1u8; 4000]);
    for raw in [false, true] {
        // SAFETY: the process has one thread, so its child may do anything.
        let child =
            unsafe { if raw { libc::syscall(libc::SYS_fork) as i32 } else { libc::fork() } };
        if child == 0 {
            in_child(&inherited);
        }
        let mut status = 0;
        // SAFETY: `status` is a place for the answer.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(traced_memory().unwrap().current, 4000, "the parent's figures are its own");
    }
}

fn in_child(inherited: &[u8]) -> ! {
    let pointer = inherited.as_ptr().cast_mut();
    // The child's very first operation frees a block of its parent's.
    // SAFETY: the parent's vector is a copy here, and this process never drops it.
    drop(unsafe { Vec::from_raw_parts(pointer, 4000, 4000) });
    assert!(is_tracing());
    assert_eq!(traced_memory().unwrap().current, 0);
    let own = black_box(vec![1u8; 700]);
    assert_eq!(traced_memory().unwrap().current, 700);
    let seen = statistics().unwrap();
    assert_eq!((seen.entry, seen.pid), (entry::FORK, std::process::id()));
    assert_eq!((seen.inherited_blocks, seen.inherited_bytes), (1, 4000));
    assert_eq!((seen.inherited_frees, seen.inherited_freed), (1, 4000));
    assert_eq!((seen.untracked_frees, seen.lost_records), (0, 0));
    drop(own);
    // SAFETY: ends the child without the parent's clean-up.
    unsafe { libc::_exit(0) }
}
