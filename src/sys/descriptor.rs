//! Descriptors: flags, terminals, and letting go of those that belong to the program.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use super::check;

/// Takes over a descriptor known by its number, as one handed down by a parent is. It must
/// be close-on-exec from here on, so that it goes no further. `None` when nothing is open there.
pub fn adopt(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_SETFD takes an integer; a closed descriptor is an error and not a fault.
    let set = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: it is open, as fcntl has just shown; the number was given to this process by its
    // parent for this purpose, so nothing else here owns it.
    (number > 2 && set == 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets the descriptor of one file lead to another: whoever knows its number finds that.
pub fn replace(file: &File, with: &File) -> io::Result<()> {
    // SAFETY: dup3 takes integers; both descriptors are open and stay their owners'.
    check(unsafe { libc::dup3(with.as_raw_fd(), file.as_raw_fd(), libc::O_CLOEXEC) }).map(drop)
}

/// Turns blocking off.
pub fn set_nonblocking(descriptor: &impl AsRawFd) -> io::Result<()> {
    change_flags(descriptor, |flags| flags | libc::O_NONBLOCK)
}

/// Turns blocking on.
pub fn set_blocking(descriptor: &impl AsRawFd) -> io::Result<()> {
    change_flags(descriptor, |flags| flags & !libc::O_NONBLOCK)
}

fn change_flags(descriptor: &impl AsRawFd, change: impl Fn(i32) -> i32) -> io::Result<()> {
    let fd = descriptor.as_raw_fd();
    // SAFETY: fcntl with an integer argument touches no memory.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, change(flags)) }).map(drop)
}

/// Whether a descriptor is a terminal.
pub fn is_terminal(number: RawFd) -> bool {
    // SAFETY: isatty takes an integer and touches no memory.
    unsafe { libc::isatty(number) == 1 }
}

/// Whether this process may write on a terminal without disturbing: not from the background.
/// A terminal that is not the controlling one has neither foreground nor background.
pub fn in_foreground(terminal: RawFd) -> bool {
    // SAFETY: both calls take integers only.
    let (group, own) = unsafe { (libc::tcgetpgrp(terminal), libc::getpgrp()) };
    group < 0 || group == own
}

/// One of the three standard descriptors.
pub fn standard(number: RawFd) -> Option<BorrowedFd<'static>> {
    // SAFETY: fcntl with an integer argument touches no memory.
    let open = (0..3).contains(&number) && unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    // SAFETY: it is open, and this program never closes a standard descriptor, it only
    // replaces them (`release_standard`).
    open.then(|| unsafe { BorrowedFd::borrow_raw(number) })
}

/// Points the given standard descriptors to `/dev/null`. Whoever reads the other end of a
/// pipe that the program has closed must see its end, and not wait for memtop.
pub fn release_standard(numbers: &[RawFd]) -> io::Result<()> {
    let null: File = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    for &number in numbers.iter().filter(|number| (0..3).contains(*number)) {
        // SAFETY: dup2 takes integers; the target is a standard descriptor, which nothing in
        // this program owns.
        check(unsafe { libc::dup2(null.as_raw_fd(), number) })?;
    }
    Ok(())
}

/// Closes what memtop inherited above the standard descriptors: all that is not close-on-exec,
/// for everything memtop opens itself is.
pub fn release_inherited() {
    for number in inherited() {
        // SAFETY: the descriptor was inherited, so no object of this program owns it.
        unsafe { libc::close(number) };
    }
}

fn inherited() -> Vec<RawFd> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let all: Vec<RawFd> = entries.filter_map(number).collect();
    // SAFETY: F_GETFD takes integers; the one of the directory itself is closed by now, which
    // is an error and not a fault.
    let survives = |fd: &RawFd| *fd > 2 && unsafe { libc::fcntl(*fd, libc::F_GETFD) } == 0;
    all.into_iter().filter(survives).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_descriptors_are_what_they_are() {
        assert!(standard(1).is_some());
        assert!(standard(7).is_none());
        assert!(!is_terminal(File::open("/dev/null").unwrap().as_raw_fd()));
        assert!(adopt(1).is_none());
        assert!(adopt(9999).is_none());
    }
}
