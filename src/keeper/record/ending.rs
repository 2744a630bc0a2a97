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
/// whoever interrupts after that leaves the file as it is: nobody is kept by a disk that hangs.
/// `TERM` is obeyed when it came before, too.
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
            Err(RecvTimeoutError::Timeout) if is_long => {
                leave_if(any_of(signals, &[libc::SIGINT, libc::SIGQUIT, libc::SIGTERM]))?;
            }
            Err(RecvTimeoutError::Timeout) if began.elapsed() > LONG => {
                is_long = true;
                // Whoever pressed Ctrl-C twice to end the program did not give its recording up.
                leave_if(any_of(signals, &[libc::SIGTERM]))?;
                if !quiet {
                    say(path);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn leave_if(is_interrupted: bool) -> io::Result<()> {
    match is_interrupted {
        true => Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
        false => Ok(()),
    }
}

/// Takes all signals that came, and says whether one that is meant was among them.
fn any_of(signals: &mut Signals, meant: &[i32]) -> bool {
    std::iter::from_fn(|| signals.take()).filter(|signal| meant.contains(signal)).count() > 0
}

fn say(path: &Path) {
    let _ = writeln!(
        io::stderr(),
        "memtop: still writing {}; Ctrl-C leaves it as it is, and what was written until then can \
         be opened",
        path.display()
    );
}
