//! Waiting for several descriptors at once.

use std::{io, os::fd::RawFd, time::Duration};

/// What to wait for on one descriptor, and what came of it.
#[derive(Debug, Clone, Copy)]
#[repr(transparent)]
pub struct Wait(libc::pollfd);

impl Wait {
    /// Waits until it can be read, written, or both; failures are always noticed.
    pub fn new(descriptor: RawFd, read: bool, write: bool) -> Self {
        let events = if read { libc::POLLIN } else { 0 } | if write { libc::POLLOUT } else { 0 };
        Self(libc::pollfd { fd: descriptor, events, revents: 0 })
    }

    /// It can be read, or has failed, which reading will tell.
    pub fn readable(&self) -> bool {
        self.0.revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
    }

    /// It can be written.
    pub fn writable(&self) -> bool {
        self.0.revents & libc::POLLOUT != 0
    }
}

/// Waits until one is ready or the time is over. A signal ends the wait early, as a timeout.
pub fn wait(list: &mut [Wait], timeout: Option<Duration>) -> io::Result<()> {
    // Rounded up: waking a moment too early would spin.
    let timeout =
        timeout.map_or(-1, |time| time.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32);
    // SAFETY: `Wait` is a transparent pollfd and the slice is writable for its length.
    let result =
        unsafe { libc::poll(list.as_mut_ptr().cast(), list.len() as libc::nfds_t, timeout) };
    match super::check(result) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            list.iter_mut().for_each(|wait| wait.0.revents = 0);
            Ok(())
        }
        other => other.map(drop),
    }
}
