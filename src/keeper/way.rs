//! The way of a recording's bytes to its file, which may keep to a size and may begin with what
//! another file holds.
//!
//! Always holds: nobody but a thread of the file's own waits for its disk.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use super::queue::Queue;
use crate::recording::{Bounded, Saved};

/// Bytes on their way to a file that may keep to a size.
pub type Way = Queue<Bounded>;

/// Empties the file that is to be written, and sets the way to it up; with the size it keeps to.
///
/// # Errors
/// When that cannot be done.
pub fn to_file(
    file: File,
    path: &Path,
    most: Option<u64>,
) -> io::Result<(Way, Saved, Option<u64>)> {
    let is_file = file.metadata()?.is_file();
    if is_file {
        file.set_len(0)?;
    }
    let most = most.filter(|_| is_file);
    let (bounded, saved) = Bounded::new(file, path, most.unwrap_or(u64::MAX));
    Ok((Queue::new(bounded)?, saved, most))
}

/// Lets `new` begin with what `kept` holds once everything before is written to it. The thread
/// of `new` alone waits for that.
///
/// # Errors
/// When one of both has failed before.
pub fn lead(kept: &mut Way, mut new: Way) -> io::Result<Way> {
    let (give, take) = crossbeam_channel::bounded(1);
    kept.then(move |bounded| {
        // Nobody may wait for it any more.
        let _ = give.send(bounded.hold()?);
        Ok(())
    });
    new.then(move |bounded| {
        let lost = |_| io::Error::other("what was kept of the session is lost");
        bounded.begin_with(take.recv().map_err(lost)?)
    });
    kept.flush()?;
    new.flush().map(|()| new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read,
        sync::mpsc,
        thread,
        time::{Duration, Instant},
    };

    use crate::{
        model::{Identity, ProcessState},
        recording::{Look, PAST, Recorder, read_tree},
        sys::file,
    };

    /// A look at a program whose command is a long one that never compresses.
    fn look(at: Duration) -> Look {
        let mut seed = at.as_nanos() as u64 | 1;
        let mut byte = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        };
        let command = vec![(0..40_000).map(|_| byte()).collect()];
        let identity = Identity { command, ..Identity::default() };
        let mut look =
            Look { state: ProcessState { identity, ..Default::default() }, ..Look::default() };
        look.point.at = at;
        look
    }

    #[test]
    fn a_disk_that_hangs_holds_neither_the_past_up_nor_who_records() {
        let (mut reads, writes) = io::pipe().unwrap();
        let memory = file::in_memory(PAST).unwrap();
        let (bounded, _) = Bounded::in_memory(memory, 1 << 30);
        let mut past = Recorder::new(Queue::new(bounded).unwrap(), &[], Duration::ZERO).unwrap();
        let began = Instant::now();
        for tick in 1..20 {
            past.tick(Duration::from_secs(tick), vec![look(Duration::from_secs(tick))]).unwrap();
        }
        let out = File::from(std::os::fd::OwnedFd::from(writes));
        let (way, saved, most) = to_file(out, Path::new("/nowhere"), Some(1000)).unwrap();
        assert_eq!(most, None, "what is no file keeps to no size");
        saved.await_beginning();
        let mut new = past.fork(|kept| lead(kept, way)).unwrap();
        for tick in 20..30 {
            for one in [&mut past, &mut new] {
                one.tick(Duration::from_secs(tick), vec![look(Duration::from_secs(tick))]).unwrap();
            }
        }
        // The past gets to its file whatever becomes of the other, which is stuck in the pipe.
        past.finish(None).unwrap().finish().unwrap();
        assert!(!saved.has_begun() && began.elapsed() < Duration::from_secs(20));
        let (give, take) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            reads.read_to_end(&mut bytes).unwrap();
            give.send(bytes).unwrap();
        });
        new.finish(None).unwrap().finish().unwrap();
        let recording = read_tree(&take.recv().unwrap()[..]).unwrap();
        assert!(!recording.cut && saved.has_begun());
        assert_eq!(recording.tree.processes[0].timeline.len(), 29);
    }
}
