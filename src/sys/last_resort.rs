//! What a process that holds a program does when it cannot go on: it holds it to its end.
//!
//! Memory may run out, under a limit that the program and memtop share, or memtop may have a bug.
//! The program must neither be hung up nor block nor lose its exit status for that. So an abort,
//! and a panic of the main thread, which becomes one, end in a handler that reads what the program
//! writes to its terminal, so that it never waits, and exits as the program does. Nothing there
//! allocates or locks.

use std::{
    os::fd::RawFd,
    panic, process, ptr,
    sync::atomic::{AtomicI32, Ordering::Relaxed},
    thread,
};

const NO_TERMINAL: i32 = -1;
const UNKNOWN: i32 = -1;

static PROGRAM: AtomicI32 = AtomicI32::new(0);
static TERMINAL: AtomicI32 = AtomicI32::new(NO_TERMINAL);
/// The status to leave with, once there is nobody to wait for.
static STATUS: AtomicI32 = AtomicI32::new(UNKNOWN);

const WORDS: &[u8] = b"memtop: cannot go on, and stays until the program ends; \
    what was recorded until now can be opened\n";

/// Between two looks whether the program has ended, while its terminal is read, milliseconds.
const LOOK_EVERY: i32 = 50;

/// From now on this process outlives its own abort for the sake of `program`, its child, whose
/// `terminal` it may hold.
pub fn hold(program: u32, terminal: Option<RawFd>) {
    PROGRAM.store(program as i32, Relaxed);
    TERMINAL.store(terminal.unwrap_or(NO_TERMINAL), Relaxed);
    let handler: extern "C" fn(i32) = wait_for_the_program;
    // SAFETY: the handler does only what a signal handler may.
    unsafe { libc::signal(libc::SIGABRT, handler as *const () as libc::sighandler_t) };
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        before(what);
        if thread::current().name() == Some("main") {
            process::abort();
        }
    }));
}

/// There is nobody to wait for any more, and this is the status to leave with.
pub fn release(status: u8) {
    STATUS.store(status.into(), Relaxed);
}

extern "C" fn wait_for_the_program(_: i32) {
    // SAFETY: a write of constant bytes; a failure leaves nobody to tell.
    unsafe { libc::write(libc::STDERR_FILENO, WORDS.as_ptr().cast(), WORDS.len()) };
    let (program, status) = (PROGRAM.load(Relaxed), STATUS.load(Relaxed));
    if status != UNKNOWN {
        // SAFETY: leaves at once.
        unsafe { libc::_exit(status) };
    }
    let terminal = TERMINAL.load(Relaxed);
    loop {
        let mut status = 0;
        // SAFETY: waitpid fills `status`.
        let found = unsafe { libc::waitpid(program, &mut status, libc::WNOHANG) };
        if found == program || (found < 0 && !was_interrupted()) {
            // SAFETY: leaves at once.
            unsafe { libc::_exit(status_of(found, status)) };
        }
        read_for_a_while(terminal);
    }
}

fn status_of(found: i32, status: i32) -> i32 {
    match found {
        0.. if libc::WIFEXITED(status) => libc::WEXITSTATUS(status),
        0.. => 128 + libc::WTERMSIG(status),
        // Somebody else has reaped it.
        _ => 128 + libc::SIGABRT,
    }
}

fn was_interrupted() -> bool {
    // SAFETY: errno's location is valid for the calling thread.
    unsafe { *libc::__errno_location() == libc::EINTR }
}

fn read_for_a_while(terminal: RawFd) {
    let mut wait = libc::pollfd { fd: terminal, events: libc::POLLIN, revents: 0 };
    // SAFETY: poll and read fill what they are given; a negative descriptor is ignored.
    unsafe {
        libc::poll(ptr::from_mut(&mut wait), 1, LOOK_EVERY);
        if wait.revents & libc::POLLIN != 0 {
            let mut bytes = [0_u8; 4096];
            libc::read(terminal, bytes.as_mut_ptr().cast(), bytes.len());
        } else if wait.revents != 0 {
            // Nobody writes to it any more.
            libc::poll(ptr::null_mut(), 0, LOOK_EVERY);
        }
    }
}
