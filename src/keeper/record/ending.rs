//! The end of `memtop record`: the program has ended, and the disk may not be done.

use std::{
    io::{self, Write},
    path::Path,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::sys::signal::Signals;

/// A disk that takes longer deserves a word, and may be left alone.
const LONG: Duration = Duration::from_secs(2);
/// Keys are looked for so often.
const STEP: Duration = Duration::from_millis(50);

/// Waits until a recording is written. When that takes long, it is said, unless `quiet`, and
/// whoever then interrupts leaves the file as it is: nobody is kept by a disk that hangs.
///
/// # Errors
/// What became of the writing, or that it was interrupted.
pub fn wait(
    written: &Receiver<io::Result<()>>,
    signals: &mut Signals,
    path: &Path,
    quiet: bool,
) -> io::Result<()> {
    let began = Instant::now();
    let mut is_long = false;
    loop {
        match written.recv_timeout(STEP) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("its writer failed"));
            }
            Err(RecvTimeoutError::Timeout) if is_long && is_interrupted(signals) => {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
            }
            Err(RecvTimeoutError::Timeout) if !is_long && began.elapsed() > LONG => {
                is_long = true;
                if !quiet {
                    say(path);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn is_interrupted(signals: &mut Signals) -> bool {
    std::iter::from_fn(|| signals.take())
        .any(|signal| matches!(signal, libc::SIGINT | libc::SIGQUIT | libc::SIGTERM))
}

fn say(path: &Path) {
    let _ = writeln!(
        io::stderr(),
        "memtop: still writing {}; Ctrl-C leaves it as it is, and what was written until then can \
         be opened",
        path.display()
    );
}
