//! Signals as something to read, and those to leave alone.

use std::{
    io::{self, Read},
    mem::offset_of,
    os::fd::{AsRawFd, FromRawFd, RawFd},
};

use super::{check, poll};

/// Signals that arrive here instead of at a handler. Made before any other thread is started,
/// which then inherits the blocked mask.
#[derive(Debug)]
pub struct Signals(std::fs::File);

impl Signals {
    /// Blocks these signals for the calling thread and collects them.
    pub fn collect(signals: &[i32]) -> io::Result<Self> {
        // SAFETY: sigset_t is plain data, emptied before it is used; the results of adding and
        // blocking real signal numbers need no check.
        let fd = unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            for &signal in signals {
                libc::sigaddset(&mut set, signal);
                // An ignored signal never arrives, and an ignored SIGCHLD, which memtop may
                // have inherited, would take the exit status of children away.
                libc::signal(signal, libc::SIG_DFL);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
            libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        };
        // SAFETY: a fresh descriptor, checked, that nobody else owns.
        Ok(Self(unsafe { std::fs::File::from_raw_fd(check(fd)?) }))
    }

    /// The next signal that came, if any.
    pub fn take(&mut self) -> Option<i32> {
        self.take_with_sender().map(|(signal, _)| signal)
    }

    /// The same, and who sent it.
    pub fn take_with_sender(&mut self) -> Option<(i32, Sender)> {
        let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
        let length = self.0.read(&mut info).ok()?;
        let word = |at: usize| info[at..].first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        let code = word(offset_of!(libc::signalfd_siginfo, ssi_code))?;
        let sender = if code <= libc::SI_USER { Sender::Process } else { Sender::Kernel };
        word(0).filter(|_| length == info.len()).map(|signal| (signal, sender))
    }
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A process, by `kill` and its kin.
    Process,
    /// The kernel: a key of the terminal, the end of a child.
    Kernel,
}

impl Signals {
    /// Waits for the next signal; `None` when it cannot be waited for.
    pub fn wait(&mut self) -> Option<i32> {
        loop {
            if let Some(signal) = self.take() {
                return Some(signal);
            }
            poll::wait(&mut [poll::Wait::new(self.as_raw_fd(), true, false)], None).ok()?;
        }
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Ignores signals: they are somebody else's business.
pub fn ignore(signals: &[i32]) {
    for &signal in signals {
        // SAFETY: ignoring runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collected_signal_can_be_read() {
        let mut signals = Signals::collect(&[libc::SIGURG]).unwrap();
        assert_eq!(signals.take(), None);
        // SAFETY: the signal is blocked for this thread and harmless by default.
        unsafe { libc::raise(libc::SIGURG) };
        assert_eq!(signals.take_with_sender(), Some((libc::SIGURG, Sender::Process)));
        assert_eq!(signals.take(), None);
    }
}
