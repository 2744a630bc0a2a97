//! Pseudo-terminals.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use super::{check, descriptor};

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Width.
    pub columns: u16,
    /// Height.
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { columns: 80, rows: 24 }
    }
}

/// Both ends of a new pseudo-terminal.
#[derive(Debug)]
pub struct Pty {
    /// The end that memtop holds; does not block.
    pub master: File,
    /// The end that the program sees as its terminal.
    pub slave: OwnedFd,
}

impl Pty {
    /// Makes one. Its settings are the kernel's, plus UTF-8 line editing.
    pub fn open(size: Size) -> io::Result<Self> {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        // SAFETY: takes integers; the result is checked.
        let fd = check(unsafe { libc::posix_openpt(flags) })?;
        // SAFETY: a fresh descriptor that nobody else owns.
        let master = unsafe { File::from_raw_fd(fd) };
        // SAFETY: both act on an open master.
        check(unsafe { libc::grantpt(fd) })?;
        // SAFETY: as above.
        check(unsafe { libc::unlockpt(fd) })?;
        // SAFETY: TIOCGPTPEER takes open flags and gives a descriptor; no path is looked up, so
        // it works in containers without /dev/pts too.
        let slave = check(unsafe { libc::ioctl(fd, libc::TIOCGPTPEER, flags) })?;
        // SAFETY: a fresh descriptor that nobody else owns.
        let slave = unsafe { OwnedFd::from_raw_fd(slave) };
        accept_utf8(&slave);
        set_size(&master, size)?;
        descriptor::set_nonblocking(&master)?;
        Ok(Self { master, slave })
    }
}

fn accept_utf8(terminal: &OwnedFd) {
    let fd = terminal.as_raw_fd();
    // SAFETY: `settings` is plain data that tcgetattr fills before it is used.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        if libc::tcgetattr(fd, &mut settings) == 0 {
            settings.c_iflag |= libc::IUTF8;
            libc::tcsetattr(fd, libc::TCSANOW, &settings);
        }
    }
}

/// Sets the size; the program on it gets `SIGWINCH`.
pub fn set_size(terminal: &impl AsRawFd, size: Size) -> io::Result<()> {
    let window =
        libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &window) }).map(drop)
}

/// Makes it the terminal of this process's session.
///
/// # Errors
/// When this process leads no session, or either has another already.
pub fn take(terminal: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes integers.
    check(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// The process group in the foreground, to which the terminal's keys send signals; `None` when
/// there is none, or it is not the terminal of this process's session.
pub fn foreground(terminal: &impl AsRawFd) -> Option<u32> {
    // SAFETY: takes an integer.
    let group = unsafe { libc::tcgetpgrp(terminal.as_raw_fd()) };
    u32::try_from(group).ok().filter(|group| *group > 0)
}

/// Lets a process group of this process's session have the foreground. From the background, which
/// `SIGTTOU` must be ignored for.
///
/// # Errors
/// When there is no such group in this session, or it is not this session's terminal.
pub fn set_foreground(terminal: &impl AsRawFd, group: u32) -> io::Result<()> {
    // SAFETY: takes integers.
    check(unsafe { libc::tcsetpgrp(terminal.as_raw_fd(), group as i32) }).map(drop)
}

/// The size of a terminal; `None` if it is none, or does not know.
pub fn size_of(number: RawFd) -> Option<Size> {
    // SAFETY: winsize is plain data; TIOCGWINSZ fills one.
    let window = unsafe {
        let mut window: libc::winsize = std::mem::zeroed();
        (libc::ioctl(number, libc::TIOCGWINSZ, &mut window) == 0).then_some(window)
    }?;
    (window.ws_col != 0 && window.ws_row != 0)
        .then_some(Size { columns: window.ws_col, rows: window.ws_row })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn what_is_written_to_the_terminal_comes_out_of_the_master() {
        let size = Size { columns: 101, rows: 7 };
        let mut pty = Pty::open(size).unwrap();
        assert_eq!(size_of(pty.slave.as_raw_fd()), Some(size));
        File::from(pty.slave.try_clone().unwrap()).write_all(b"hello").unwrap();
        let mut bytes = [0; 16];
        let length = pty.master.read(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"hello");
        let nothing = pty.master.read(&mut bytes).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }
}
