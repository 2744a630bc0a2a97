//! libc behind safe types: the only unsafe code outside the probe.
//!
//! Nothing here knows what memtop is for. Every descriptor is made close-on-exec, so that a
//! program that is started gets what memtop was started with and nothing of memtop's own.

pub mod clock;
pub mod descriptor;
pub mod file;
pub mod inherited;
pub mod last_resort;
pub mod limits;
pub mod machine;
pub mod map;
pub mod poll;
pub mod process;
pub mod pty;
pub mod signal;
pub mod socket;
pub mod spawn;
pub mod warden;

use std::io;

/// The usual convention of system calls: a negative result is an error in `errno`.
fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
