//! Clocks and randomness.

use std::{
    fs::File,
    io::{self, Read},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable and of the right type. The clocks used here always exist.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// `CLOCK_MONOTONIC`, nanoseconds.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// `CLOCK_BOOTTIME`, nanoseconds: the clock of the start times in `/proc/PID/stat`.
pub fn boot_ns() -> u64 {
    read(libc::CLOCK_BOOTTIME)
}

/// Time since the Unix epoch.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A random number that is not zero, for telling one session memory from another.
pub fn nonce() -> io::Result<u64> {
    let mut bytes = [0; 8];
    // SAFETY: `bytes` is writable for the length given.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != bytes.len() as isize {
        // Sandboxes may forbid the call and still have the device.
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    }
    Ok(u64::from_ne_bytes(bytes) | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_and_nonces_differ() {
        let before = monotonic_ns();
        assert!(monotonic_ns() >= before);
        assert!(boot_ns() > 0);
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }
}
