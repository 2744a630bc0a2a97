//! Between whoever records and the disk: bytes wait in a bounded queue, a thread of its own
//! writes them, so that a disk that is slow, hangs or fills up holds nobody else up.
//!
//! ```text
//!  recorder ──▶ pending ──▶ channel of 8 ──▶ thread ──▶ file
//!                 │ more than 8 MiB: behind, the recorder leaves detail out
//! ```

use std::{
    io::{self, Write},
    mem::take,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// Pieces that wait for the thread.
const PIECES: usize = 8;
/// Bytes that wait for the queue before detail is left out.
const BEHIND: usize = 8 << 20;

/// The near end.
#[derive(Debug)]
pub struct Queue {
    pending: Vec<u8>,
    pieces: Option<Sender<Vec<u8>>>,
    fate: Arc<Fate>,
    thread: Option<JoinHandle<()>>,
}

/// What became of the file.
#[derive(Debug, Default)]
struct Fate {
    failed: AtomicBool,
    error: Mutex<Option<io::Error>>,
}

impl Fate {
    fn fail(&self, error: io::Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.failed.store(true, Relaxed);
    }

    fn error(&self) -> io::Error {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.unwrap_or_else(|| io::Error::other("writing has failed before"))
    }
}

impl Queue {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn new(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = bounded(PIECES);
        let fate = Arc::new(Fate::default());
        let theirs = Arc::clone(&fate);
        let named = thread::Builder::new().name("memtop-recording".to_owned());
        let thread = named.spawn(move || write_all(out, &receiver, &theirs))?;
        Ok(Self { pending: Vec::new(), pieces: Some(sender), fate, thread: Some(thread) })
    }

    /// Whether more waits than should.
    pub fn is_behind(&self) -> bool {
        self.pending.len() > BEHIND
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// What went wrong with it, if that was not said before.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(pieces) = self.pieces.take() {
            // The far end takes everything until this end is gone.
            let _ = pieces.send(take(&mut self.pending));
        }
        self.thread.take().map(JoinHandle::join);
        match self.fate.failed.load(Relaxed) {
            true => Err(self.fate.error()),
            false => Ok(()),
        }
    }
}

impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Hands on what the queue has room for; never waits.
    fn flush(&mut self) -> io::Result<()> {
        if self.fate.failed.load(Relaxed) {
            return Err(self.fate.error());
        }
        let Some(pieces) = self.pieces.as_ref().filter(|_| !self.pending.is_empty()) else {
            return Ok(());
        };
        match pieces.try_send(take(&mut self.pending)) {
            Err(TrySendError::Full(piece) | TrySendError::Disconnected(piece)) => {
                self.pending = piece;
            }
            Ok(()) => {}
        }
        Ok(())
    }
}

/// After a failure what comes is thrown away, so that the near end never waits.
fn write_all(mut out: impl Write, pieces: &Receiver<Vec<u8>>, fate: &Fate) {
    for piece in pieces {
        if fate.failed.load(Relaxed) {
            continue;
        }
        if let Err(error) = out.write_all(&piece).and_then(|()| out.flush()) {
            fate.fail(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::mpsc,
        time::{Duration, Instant},
    };

    /// A disk that takes nothing until it is told to.
    struct Stuck(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_disk_holds_nobody_up_and_loses_nothing() {
        let (go, stop) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut queue = Queue::new(Stuck(stop, Arc::clone(&written))).unwrap();
        let began = Instant::now();
        let mut expected = Vec::new();
        let mut number = 0_u32;
        while !queue.is_behind() {
            let piece = number.to_le_bytes().repeat(1 << 16);
            queue.write_all(&piece).unwrap();
            queue.flush().unwrap();
            expected.extend_from_slice(&piece);
            number += 1;
        }
        assert!(began.elapsed() < Duration::from_secs(5));
        drop(go);
        queue.finish().unwrap();
        assert!(*written.lock().unwrap() == expected);
    }

    #[test]
    fn a_failure_is_told_once_and_ends_nothing_else() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut queue = Queue::new(full).unwrap();
        let began = Instant::now();
        let error = loop {
            queue.write_all(b"words").unwrap();
            match queue.flush() {
                Ok(()) => assert!(began.elapsed() < Duration::from_secs(10)),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(queue.flush().is_err());
    }
}
