//! Who has a memory file mapped: any process that the machine shows, whatever is known of it
//! otherwise.

use std::{fs, io, ops::Range, os::unix::fs::MetadataExt};

use crate::sys::{file, process};

/// What the start of a process is rounded down by, at most.
const SLACK_NS: u64 = 50_000_000;

/// Whether a process that began in a time (`CLOCK_MONOTONIC`, nanoseconds) may have the memory
/// file with this inode mapped, apart from those that `is_known`. True also when that cannot be
/// told. Who began before the file was made is none of its holders.
pub fn may_be_held(inode: u64, began: Range<u64>, is_known: impl Fn(u32) -> bool) -> bool {
    let Ok(all) = fs::read_dir("/proc") else { return true };
    all.map(|entry| {
        entry.map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
    })
    .any(|pid| match pid {
        Ok(Some(pid)) => match began_in(pid, &began) {
            Ok(is_in) => is_in && !is_known(pid) && may_hold(pid, inode),
            Err(error) => !is_gone(&error),
        },
        Ok(None) => false,
        Err(_) => true,
    })
}

fn began_in(pid: u32, began: &Range<u64>) -> io::Result<bool> {
    let is_before = process::began_by(pid, began.start.saturating_sub(SLACK_NS))?;
    Ok(!is_before && process::began_by(pid, began.end)?)
}

fn may_hold(pid: u32, inode: u64) -> bool {
    // Who may not be looked at is another user's, and has come to that by an exec, which takes
    // all mappings away.
    if is_foreign(pid) {
        return false;
    }
    match fs::read(format!("/proc/{pid}/maps")) {
        // A first thread that has ended shows no mappings while others go on.
        Ok(text) if text.is_empty() => process::has_threads(pid),
        Ok(text) => holds(&text, inode),
        Err(error) => !is_gone(&error),
    }
}

fn is_foreign(pid: u32) -> bool {
    let own = file::credentials().effective_user;
    let theirs = fs::metadata(format!("/proc/{pid}")).map(|one| one.uid());
    own != 0 && theirs.is_ok_and(|uid| uid != own && uid != 0)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// Whether a list of mappings has the file: its inode stands before its name.
fn holds(text: &[u8], inode: u64) -> bool {
    let inode = inode.to_string();
    text.split(|byte| *byte == b'\n').any(|line| {
        let line = String::from_utf8_lossy(line);
        line.contains("/memfd:") && line.split_ascii_whitespace().nth(4) == Some(inode.as_str())
    })
}

#[cfg(test)]
mod tests {
    use memtop_probe::session::memory::{LEAST_SIZE, Memory, Settings};

    use super::*;
    use crate::sys::{clock, descriptor};

    #[test]
    fn who_has_a_file_mapped_is_found() {
        let settings = Settings {
            size: LEAST_SIZE,
            nonce: 1,
            now_ns: 0,
            tick_ns: 1000,
            limit: LEAST_SIZE,
            frames: 0,
        };
        let (memory, fd) = Memory::create(&settings).unwrap();
        let inode = fs::metadata(format!("/proc/self/fd/{fd}")).unwrap().ino();
        drop(descriptor::adopt(fd));
        let (own, now) = (std::process::id(), clock::monotonic_ns());
        assert!(may_hold(own, inode) && began_in(own, &(0..now)).unwrap());
        assert!(may_be_held(inode, 0..now, |_| false));
        assert!(!began_in(own, &(0..1)).unwrap(), "begun later");
        assert!(!began_in(own, &(now + 1_000_000_000..u64::MAX)).unwrap(), "begun before");
        memory.unmap();
        assert!(!may_hold(own, inode), "not mapped");
    }
}
