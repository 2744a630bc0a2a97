//! A process that gives the terminal back when the one that took it is killed.
//!
//! Against `SIGKILL` nothing inside the viewer helps. So before it takes the terminal it forks a
//! warden, which knows the settings as they were, sleeps on a pipe, and acts when the pipe ends
//! although the terminal was not given back.
//!
//! ```text
//!  viewer ──── taken · given back · taken ────▶ warden          one byte each
//!        ✝ end of the pipe while taken ───────▶ settings, screen, one line, gone
//! ```
//!
//! The shell takes the terminal back too, at the same moment. Therefore:
//! - Settings are put back only where they are still those of a raw terminal. A shell that came
//!   first has set its own, and those stay.
//! - The screen is put back only if the viewer had the foreground, which is asked once a second:
//!   a viewer that was stopped and left in the background owns nothing any more.
//! - The warden is in a group of its own, so that who kills the job by its group leaves it alive,
//!   and blocks every signal: a background process that blocks `SIGTTOU` may set a terminal.
//!
//! It is forked and never executes anything, so it costs no start and needs no file; it is
//! forked before there are threads, and makes plain system calls only.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsRawFd, FromRawFd, RawFd},
};

use super::{check, inherited, process};

/// Name of the process: not memtop's, so that who kills memtop by name leaves it alive.
const NAME: &std::ffi::CStr = c"tty-warden";
/// How often the foreground is asked for.
const LOOK_MS: i32 = 1000;

const TAKEN: u8 = b'+';
const GIVEN_BACK: u8 = b'-';

/// The viewer's end. The warden ends when it is dropped.
#[derive(Debug)]
pub struct Warden(File);

impl Warden {
    /// Starts a warden of `terminal`, which is as it should be again later. `farewell` is what
    /// makes the screen whole.
    ///
    /// # Errors
    /// When there can be no other process; the viewer works without.
    pub fn start(terminal: &File, farewell: &[u8]) -> io::Result<Self> {
        let settings = settings(terminal.as_raw_fd())?;
        let mut ends = [0; 2];
        // SAFETY: pipe2 writes two descriptors, which are then ours alone.
        let [listen, tell] = unsafe {
            check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
            ends.map(|end| File::from_raw_fd(end))
        };
        let post = Post {
            listen: listen.as_raw_fd(),
            terminal: terminal.as_raw_fd(),
            settings,
            group: process::own_group(),
            farewell,
        };
        let _blocked = inherited::AllBlocked::new();
        // SAFETY: the child makes plain system calls on memory that exists before the fork.
        if check(unsafe { libc::fork() })? == 0 {
            post.stand();
        }
        Ok(Self(tell))
    }

    /// The terminal is taken, or was given back.
    pub fn tell(&self, taken: bool) {
        // A warden that is gone cannot be helped.
        let _ = (&self.0).write(&[if taken { TAKEN } else { GIVEN_BACK }]);
    }
}

fn settings(terminal: RawFd) -> io::Result<libc::termios> {
    // SAFETY: plain data that tcgetattr fills before it is used.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        check(libc::tcgetattr(terminal, &mut settings)).map(|_| settings)
    }
}

/// What the warden knows. Everything here runs after the fork: nothing may allocate, lock or
/// panic.
struct Post<'a> {
    listen: RawFd,
    terminal: RawFd,
    settings: libc::termios,
    group: i32,
    farewell: &'a [u8],
}

impl Post<'_> {
    fn stand(&self) -> ! {
        self.withdraw();
        let owned = self.listen();
        if owned {
            self.restore();
        }
        // SAFETY: ends this process without running anything of the viewer's.
        unsafe { libc::_exit(0) }
    }

    /// Lets go of all that is the viewer's or the program's.
    fn withdraw(&self) {
        // SAFETY: system calls on integers and constant strings.
        unsafe {
            libc::setpgid(0, 0);
            libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            for number in 0..3 {
                if number != self.listen && number != self.terminal {
                    libc::dup2(null, number);
                }
            }
        }
        let (low, high) = match self.listen < self.terminal {
            true => (self.listen, self.terminal),
            false => (self.terminal, self.listen),
        };
        close_range(3, low - 1);
        close_range(low + 1, high - 1);
        close_range(high + 1, i32::MAX);
    }

    /// Until the viewer is gone; true when it had the terminal, in the foreground.
    fn listen(&self) -> bool {
        let (mut taken, mut in_front) = (false, false);
        loop {
            let mut wait = libc::pollfd { fd: self.listen, events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid entry. Then: `word` is writable for its length.
            let (ready, word) = unsafe {
                let ready = libc::poll(&mut wait, 1, if taken { LOOK_MS } else { -1 });
                let mut word = 0_u8;
                let length = match ready {
                    0 => 1,
                    _ => libc::read(self.listen, (&raw mut word).cast(), 1),
                };
                (ready, (length == 1).then_some(word))
            };
            match (ready, word) {
                (0, _) => in_front = self.is_in_front(),
                (_, Some(word)) => {
                    taken = word == TAKEN;
                    in_front = taken;
                }
                _ => return taken && in_front,
            }
        }
    }

    /// A terminal that is not the controlling one has no foreground to lose.
    fn is_in_front(&self) -> bool {
        // SAFETY: takes an integer.
        let group = unsafe { libc::tcgetpgrp(self.terminal) };
        group < 0 || group == self.group
    }

    fn restore(&self) {
        const RAW: libc::tcflag_t = libc::ISIG | libc::ICANON | libc::ECHO;
        let is_raw = settings(self.terminal).is_ok_and(|now| now.c_lflag & RAW == 0);
        let farewell = self.farewell;
        // SAFETY: the settings were filled by tcgetattr; the bytes are readable for their length.
        unsafe {
            if is_raw {
                // Keys meant for the viewer are not the shell's.
                libc::tcflush(self.terminal, libc::TCIFLUSH);
                libc::tcsetattr(self.terminal, libc::TCSANOW, &self.settings);
            }
            libc::write(self.terminal, farewell.as_ptr().cast(), farewell.len());
        }
    }
}

/// Closes the descriptors from `first` to `last`.
fn close_range(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: takes integers; this process uses none of these descriptors any more.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first as u32, last as u32, 0) != 0 {
            // A kernel before 5.9: those that a terminal program could have.
            (first..=last.min(1024)).for_each(|number| _ = libc::close(number));
        }
    }
}
