//! Other processes: are they alive, how did they end, and asking them to.

use std::{
    fs, io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    time::Duration,
};

use super::{check, clock, poll};
use crate::model::Exit;

/// What became of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A signal stopped it.
    Stopped,
    /// It goes on.
    Continued,
    /// It has ended, and is reaped.
    Ended(Exit),
}

/// What became of a child since it was asked last; `None` when nothing did.
pub fn reap(child: u32) -> io::Result<Option<Change>> {
    let mut status = 0;
    let flags = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
    // SAFETY: `status` is writable.
    let pid = check(unsafe { libc::waitpid(child as i32, &mut status, flags) })?;
    Ok((pid != 0).then(|| match status {
        _ if libc::WIFSTOPPED(status) => Change::Stopped,
        _ if libc::WIFCONTINUED(status) => Change::Continued,
        _ if libc::WIFSIGNALED(status) => Change::Ended(Exit::Signal(libc::WTERMSIG(status))),
        _ => Change::Ended(Exit::Code(libc::WEXITSTATUS(status))),
    }))
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes integers only.
    check(unsafe { libc::kill(pid as i32, signal) }).map(drop)
}

/// Sends a signal to a process group.
pub fn signal_group(leader: u32, signal: i32) -> io::Result<()> {
    // SAFETY: killpg takes integers only.
    check(unsafe { libc::killpg(leader as i32, signal) }).map(drop)
}

/// The process group of this process.
pub fn own_group() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getpgrp() }
}

/// A process that can be asked whether it has ended, even after its number was given away.
#[derive(Debug)]
pub enum Handle {
    /// The kernel's own way.
    Descriptor(OwnedFd),
    /// Where it is missing or forbidden: the number and the start time that goes with it.
    StartTime(u32, u64),
    /// It was gone already.
    Gone,
}

impl Handle {
    /// The process with this number, if it started before `by_ns` (`CLOCK_MONOTONIC`): a
    /// later one has only inherited the number.
    pub fn open(pid: u32, by_ns: u64) -> Self {
        let descriptor = open_descriptor(pid);
        // Asked after opening, so that it speaks of the process that was opened.
        match start_time(pid) {
            Some(start) if !is_after(start, by_ns) => {
                descriptor.map_or(Self::StartTime(pid, start), Self::Descriptor)
            }
            _ => Self::Gone,
        }
    }

    /// Whether it has ended. A zombie has.
    pub fn has_ended(&self) -> bool {
        match self {
            Self::Descriptor(descriptor) => {
                let mut list = [poll::Wait::new(descriptor.as_raw_fd(), true, false)];
                poll::wait(&mut list, Some(Duration::ZERO)).is_ok() && list[0].readable()
            }
            Self::StartTime(pid, start) => start_time(*pid) != Some(*start),
            Self::Gone => true,
        }
    }

    /// Sends it a signal, and never one to a process that only got its number.
    pub fn signal(&self, number: i32) -> io::Result<()> {
        match self {
            Self::Descriptor(descriptor) => {
                let fd = descriptor.as_raw_fd();
                let none = std::ptr::null::<libc::siginfo_t>();
                // SAFETY: integers, and a null that stands for a signal as kill sends it.
                let sent =
                    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, number, none, 0) };
                check(sent as i32).map(drop)
            }
            Self::StartTime(pid, start) if start_time(*pid) == Some(*start) => signal(*pid, number),
            Self::StartTime(..) | Self::Gone => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }
}

fn open_descriptor(pid: u32) -> Option<OwnedFd> {
    // SAFETY: pidfd_open takes integers only; the descriptor is close-on-exec by itself.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    // SAFETY: a non-negative result is a fresh descriptor that nobody else owns.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// What the kernel says of a process in `/proc/PID/stat`.
struct Stat(String);

/// The numbers of its fields, from 1, as in `proc(5)`.
const STATE: usize = 3;
const PARENT: usize = 4;
const START: usize = 22;
const STACK: usize = 28;

impl Stat {
    fn read(pid: u32) -> io::Result<Self> {
        fs::read_to_string(format!("/proc/{pid}/stat")).map(Self)
    }

    /// One of the fields behind the name.
    fn field(&self, number: usize) -> Option<&str> {
        // The name stands in parentheses and may hold anything, parentheses too.
        self.0.rsplit_once(')')?.1.split_ascii_whitespace().nth(number - STATE)
    }

    fn number(&self, number: usize) -> Option<u64> {
        self.field(number)?.parse().ok()
    }
}

/// Start of a process in clock ticks since boot; `None` if there is none, or only a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = Stat::read(pid).ok()?;
    let (state, start) = (stat.field(STATE)?, stat.number(START)?);
    // Its first thread may have ended alone.
    let is_over = state == "X" || state == "Z" && !has_threads(pid);
    (!is_over).then_some(start)
}

/// Whether a process has more threads than its first.
pub fn has_threads(pid: u32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|all| all.count() > 1)
}

/// Whether a process began by a time, `CLOCK_MONOTONIC` nanoseconds.
///
/// # Errors
/// When it is gone, or cannot be looked at.
pub fn began_by(pid: u32, monotonic_ns: u64) -> io::Result<bool> {
    let start = Stat::read(pid)?.number(START);
    Ok(start.is_none_or(|start| !is_after(start, monotonic_ns)))
}

fn is_after(start_ticks: u64, monotonic_ns: u64) -> bool {
    let tick_ns = kernel_tick_ns();
    // One tick of slack: the start is rounded down, and the two clocks are read in turn.
    start_ticks.saturating_mul(tick_ns) > monotonic_ns.saturating_add(asleep_ns() + tick_ns)
}

/// Device and inode of the file that a process executes; another one after an exec.
pub fn executable(pid: u32) -> Option<(u64, u64)> {
    let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((file.dev(), file.ino()))
}

/// What changes with every exec, and with nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incarnation {
    /// The file that is executed.
    pub file: (u64, u64),
    /// Where its stack began, which the kernel chooses anew each time.
    stack: u64,
}

/// That of a process; `None` when it is gone or cannot be looked at.
pub fn incarnation(pid: u32) -> Option<Incarnation> {
    let stack = Stat::read(pid).ok()?.number(STACK)?;
    Some(Incarnation { file: executable(pid)?, stack })
}

/// Whether a process runs with another user's rights than this one, and may not be looked at. A
/// program that is traced comes to that by the exec of a set-user-ID program alone.
pub fn is_another_users(pid: u32) -> bool {
    // SAFETY: geteuid has no preconditions.
    let own = unsafe { libc::geteuid() };
    let is_hidden = executable(pid).is_none() && resident_bytes(pid).is_some();
    is_hidden && effective_user(pid).is_some_and(|user| user != own)
}

/// The user by whose rights a process runs; `None` when it is gone. Whoever it belongs to may be
/// asked for.
fn effective_user(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let users = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// When a process began, in ticks of the kernel since it was started: with its number it tells
/// one process from all others, whatever it executes.
pub fn birth(pid: u32) -> Option<u64> {
    Stat::read(pid).ok()?.number(START)
}

/// Process id of the parent; 0 for one whose parent is out of sight.
pub fn parent(pid: u32) -> Option<u32> {
    Stat::read(pid).ok()?.field(PARENT)?.parse().ok()
}

/// When a process began, `CLOCK_MONOTONIC` nanoseconds: up to a tick of the kernel later than it
/// was, and so not before what its parent did until then.
pub fn birth_ns(pid: u32) -> Option<u64> {
    let ticks = birth(pid)?.saturating_add(1);
    Some(ticks.saturating_mul(kernel_tick_ns()).saturating_sub(asleep_ns()))
}

fn kernel_tick_ns() -> u64 {
    // SAFETY: sysconf takes an integer.
    1_000_000_000 / unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64
}

/// By how much the clock of birth times is ahead of the monotonic one.
fn asleep_ns() -> u64 {
    clock::boot_ns().saturating_sub(clock::monotonic_ns())
}

/// Resident bytes of a process.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: sysconf takes an integer.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as u64;
    // A zombie has no memory, which is not the same as using none.
    (pages != 0).then(|| pages.saturating_mul(page))
}

/// Name of a thread.
pub fn thread_name(pid: u32, tid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/task/{tid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_handle_follows_its_process() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let now = clock::monotonic_ns();
        let handle = Handle::open(child.id(), now);
        assert!(matches!(handle, Handle::Descriptor(_) | Handle::StartTime(..)));
        assert!(!handle.has_ended());
        let by_time = Handle::StartTime(child.id(), start_time(child.id()).unwrap());
        assert!(!by_time.has_ended());
        // A process that started after the session claims to have began is another one.
        assert!(matches!(Handle::open(child.id(), now - 10_000_000_000), Handle::Gone));
        assert!(resident_bytes(child.id()).unwrap() > 0);
        by_time.signal(0).unwrap();
        handle.signal(libc::SIGKILL).unwrap();
        while !handle.has_ended() {
            std::thread::yield_now();
        }
        assert!(by_time.has_ended());
        assert!(by_time.signal(libc::SIGKILL).is_err());
        assert!(Handle::Gone.signal(libc::SIGKILL).is_err());
        assert!(resident_bytes(child.id()).is_none());
        child.wait().unwrap();
    }

    #[test]
    fn an_exec_of_the_same_file_is_another_incarnation() {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "read line; exec /bin/sh -c 'read line'"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Until it reads, it may still be on its way through the first exec.
        let mut before = incarnation(shell.id());
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(20));
            before = incarnation(shell.id());
        }
        let before = before.unwrap();
        assert_eq!(incarnation(shell.id()), Some(before));
        io::Write::write_all(shell.stdin.as_mut().unwrap(), b"\n").unwrap();
        let after = loop {
            match incarnation(shell.id()) {
                Some(now) if now != before => break now,
                _ => std::thread::yield_now(),
            }
        };
        assert_eq!(after.file, before.file);
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!(incarnation(shell.id()), None);
    }

    #[test]
    fn reaping_tells_code_from_signal_from_stop() {
        let next = |child: u32| {
            loop {
                if let Some(change) = reap(child).unwrap() {
                    return change;
                }
                std::thread::yield_now();
            }
        };
        let start = |script| Command::new("/bin/sh").args(["-c", script]).spawn().unwrap().id();
        assert_eq!(next(start("exit 7")), Change::Ended(Exit::Code(7)));
        assert_eq!(next(start("kill -9 $$")), Change::Ended(Exit::Signal(9)));
        let stops = start("kill -STOP $$; exit 3");
        assert_eq!(next(stops), Change::Stopped);
        signal(stops, libc::SIGCONT).unwrap();
        // It may have ended before anybody asked whether it goes on.
        let then = next(stops);
        let end = if then == Change::Continued { next(stops) } else { then };
        assert_eq!(end, Change::Ended(Exit::Code(3)));
    }
}
