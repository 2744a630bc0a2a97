//! Starting a program with exactly what memtop was started with.
//!
//! Not `std::process::Command`: it sorts the environment, drops what is not `NAME=value`, and
//! empties the signal mask. Here arguments and environment are passed byte for byte and in
//! order, and what Rust's runtime and memtop changed is put back ([`super::inherited`],
//! [`super::limits`]).

use std::{
    ffi::{CStr, CString, c_char},
    io::{self, Read},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use super::{check, inherited, limits};

/// What to start, and how.
#[derive(Debug)]
pub struct Spawn<'a> {
    /// The file to execute; not searched for.
    pub file: &'a CStr,
    /// All arguments, the program's name first.
    pub arguments: &'a [CString],
    /// The whole environment.
    pub environment: &'a [CString],
    /// What replaces the standard descriptors.
    pub standard: [Option<BorrowedFd<'a>>; 3],
    /// A descriptor of ours that the program gets, under the same number.
    pub hand_down: Option<BorrowedFd<'a>>,
    /// Where the program runs.
    pub place: Place<'a>,
}

/// Session, process group and controlling terminal of a program that is started.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// Same session, same process group.
    Here,
    /// A session of its own without a terminal.
    NewSession,
    /// The foreground of this terminal, which this process's session has: a process group of its
    /// own, as a shell starts its jobs.
    Foreground(BorrowedFd<'a>),
}

/// Starts it. When `execve` fails, its error is the result and nothing is left behind.
pub fn spawn(what: &Spawn<'_>) -> io::Result<u32> {
    let vectors = Vectors::new(what);
    let (mut reader, writer) = pipe()?;
    let blocked = inherited::AllBlocked::new();
    // SAFETY: the child calls async-signal-safe functions only, on memory made before the fork.
    let pid = check(unsafe { libc::fork() })?;
    if pid == 0 {
        become_program(what, &vectors, writer.as_raw_fd());
    }
    drop(blocked);
    drop(writer);
    let mut error = [0; 4];
    match reader.read_exact(&mut error) {
        // The pipe closed at exec: the program runs.
        Err(_) => Ok(pid as u32),
        Ok(()) => {
            // SAFETY: waits for a child of ours that is about to end.
            unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(error)))
        }
    }
}

/// Null-terminated vectors for `execve`, made before the fork because nothing may allocate
/// after it.
struct Vectors {
    arguments: Vec<*const c_char>,
    /// `/bin/sh FILE ARG…`, which is what `execvp` makes of a script without `#!`.
    by_shell: Vec<*const c_char>,
    environment: Vec<*const c_char>,
}

const SHELL: &CStr = c"/bin/sh";

impl Vectors {
    fn new(what: &Spawn<'_>) -> Self {
        let pointers = |list: &[CString]| list.iter().map(|one| one.as_ptr()).collect::<Vec<_>>();
        let end = || Some(std::ptr::null());
        let rest = pointers(what.arguments.get(1..).unwrap_or_default());
        let by_shell = [SHELL.as_ptr(), what.file.as_ptr()].into_iter();
        Self {
            arguments: pointers(what.arguments).into_iter().chain(end()).collect(),
            by_shell: by_shell.chain(rest).chain(end()).collect(),
            environment: pointers(what.environment).into_iter().chain(end()).collect(),
        }
    }
}

fn pipe() -> io::Result<(std::fs::File, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: pipe2 writes two descriptors, which are then ours alone.
    unsafe {
        check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((std::fs::File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// The child's part: never returns. Nothing here may allocate, lock or panic.
fn become_program(what: &Spawn<'_>, vectors: &Vectors, report: RawFd) -> ! {
    // SAFETY: plain system calls; the vectors are null-terminated and their strings are alive
    // in this copy of the parent's memory.
    unsafe {
        let error = match prepare(what) {
            Err(error) => error,
            Ok(()) => execute(what.file, vectors),
        };
        libc::write(report, (&raw const error).cast(), 4);
        libc::_exit(127)
    }
}

fn prepare(what: &Spawn<'_>) -> Result<(), i32> {
    // SAFETY: system calls on integers; the descriptors are borrowed, so they are open.
    unsafe {
        match what.place {
            Place::Here => 0,
            Place::NewSession => done(libc::setsid())?,
            Place::Foreground(terminal) => {
                done(libc::setpgid(0, 0))?;
                // From the background, which is allowed to who blocks SIGTTOU.
                done(libc::tcsetpgrp(terminal.as_raw_fd(), libc::getpid()))?
            }
        };
        for (number, replacement) in what.standard.iter().enumerate() {
            match replacement {
                Some(fd) => done(libc::dup2(fd.as_raw_fd(), number as i32))?,
                None if inherited::was_closed(number as i32) => libc::close(number as i32),
                None => 0,
            };
        }
        if let Some(fd) = what.hand_down {
            done(libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0))?;
        }
    }
    limits::restore();
    inherited::restore();
    Ok(())
}

/// Only returns when it failed, with the reason.
///
/// # Safety
/// The vectors are null-terminated lists of live C strings.
unsafe fn execute(file: &CStr, vectors: &Vectors) -> i32 {
    let environment = vectors.environment.as_ptr();
    // SAFETY: upheld by the caller.
    unsafe {
        libc::execve(file.as_ptr(), vectors.arguments.as_ptr(), environment);
        if errno() == libc::ENOEXEC {
            libc::execve(SHELL.as_ptr(), vectors.by_shell.as_ptr(), environment);
        }
    }
    errno()
}

fn done(result: i32) -> Result<i32, i32> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

fn errno() -> i32 {
    // SAFETY: errno's location is valid for the calling thread.
    unsafe { *libc::__errno_location() }
}

/// This process's environment, byte for byte and in order. Nothing in memtop changes it.
pub fn environment() -> Vec<CString> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut all = Vec::new();
    // SAFETY: `environ` is null or a null-terminated vector of C strings; no thread of memtop
    // ever changes it.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            all.push(CStr::from_ptr(*next).to_owned());
            next = next.add(1);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Exit,
        sys::process::{self, Change},
    };

    fn run(file: &CStr, arguments: &[&CStr]) -> io::Result<Exit> {
        let arguments: Vec<CString> = arguments.iter().map(|&one| one.to_owned()).collect();
        let pid = spawn(&Spawn {
            file,
            arguments: &arguments,
            environment: &environment(),
            standard: [None; 3],
            hand_down: None,
            place: Place::Here,
        })?;
        loop {
            if let Some(Change::Ended(exit)) = process::reap(pid)? {
                return Ok(exit);
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_program_runs_with_its_arguments() {
        let exit = run(c"/bin/sh", &[c"sh", c"-c", c"exit $1", c"x", c"5"]);
        assert_eq!(exit.unwrap(), Exit::Code(5));
    }

    #[test]
    fn a_failing_exec_is_told_to_the_caller() {
        let error = run(c"/nonexistent", &[c"x"]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        let error = run(c"/etc/passwd", &[c"x"]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    }

    #[test]
    fn the_environment_is_complete() {
        assert_eq!(environment().len(), std::env::vars_os().count());
    }
}
