//! Between whoever records and the disk: bytes wait in a bounded queue, a thread of its own
//! writes them, so that a disk that is slow, hangs or fills up holds nobody else up.
//!
//! ```text
//!  recorder ──▶ pending ──▶ channel of 8 ──▶ thread ──▶ file
//!                 │ more than 8 MiB: behind, the recorder leaves detail out
//! ```

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Write},
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

/// What the far end does with what it writes to.
type Task<W> = Box<dyn FnOnce(&mut W) -> io::Result<()> + Send>;

/// What waits.
enum Piece<W> {
    Bytes(Vec<u8>),
    Task(Task<W>),
}

impl<W> Piece<W> {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Task(_) => 0,
        }
    }
}

impl<W> fmt::Debug for Piece<W> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(out, "{} bytes", bytes.len()),
            Self::Task(_) => write!(out, "a task"),
        }
    }
}

/// The near end.
#[derive(Debug)]
pub struct Queue<W> {
    pending: VecDeque<Piece<W>>,
    pieces: Option<Sender<Piece<W>>>,
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

impl<W: Write + Send + 'static> Queue<W> {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn new(out: W) -> io::Result<Self> {
        let (sender, receiver) = bounded(PIECES);
        let fate = Arc::new(Fate::default());
        let theirs = Arc::clone(&fate);
        let named = thread::Builder::new().name("memtop-recording".to_owned());
        let thread = named.spawn(move || work(out, &receiver, &theirs))?;
        Ok(Self { pending: VecDeque::new(), pieces: Some(sender), fate, thread: Some(thread) })
    }

    /// Whether more waits than should.
    pub fn is_behind(&self) -> bool {
        self.pending.iter().map(Piece::len).sum::<usize>() > BEHIND
    }

    /// Lets the far end do something when all bytes before are written; those behind wait for
    /// it. It is dropped where writing has failed before.
    pub fn then(&mut self, task: impl FnOnce(&mut W) -> io::Result<()> + Send + 'static) {
        self.pending.push_back(Piece::Task(Box::new(task)));
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// What went wrong with it, if that was not said before.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(pieces) = self.pieces.take() {
            // The far end takes everything until this end is gone.
            let _ = self.pending.drain(..).try_for_each(|piece| pieces.send(piece));
        }
        self.thread.take().map(JoinHandle::join);
        match self.fate.failed.load(Relaxed) {
            true => Err(self.fate.error()),
            false => Ok(()),
        }
    }
}

impl<W> Write for Queue<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.pending.back_mut() {
            Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.pending.push_back(Piece::Bytes(bytes.to_vec())),
        }
        Ok(bytes.len())
    }

    /// Hands on what the queue has room for; never waits.
    fn flush(&mut self) -> io::Result<()> {
        if self.fate.failed.load(Relaxed) {
            return Err(self.fate.error());
        }
        let Some(pieces) = &self.pieces else { return Ok(()) };
        while let Some(piece) = self.pending.pop_front() {
            if let Err(TrySendError::Full(piece) | TrySendError::Disconnected(piece)) =
                pieces.try_send(piece)
            {
                self.pending.push_front(piece);
                break;
            }
        }
        Ok(())
    }
}

/// After a failure what comes is thrown away, so that the near end never waits.
fn work<W: Write>(mut out: W, pieces: &Receiver<Piece<W>>, fate: &Fate) {
    for piece in pieces {
        if fate.failed.load(Relaxed) {
            continue;
        }
        let done = match piece {
            Piece::Bytes(bytes) => out.write_all(&bytes).and_then(|()| out.flush()),
            Piece::Task(task) => task(&mut out),
        };
        if let Err(error) = done {
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
    fn a_task_is_done_between_the_bytes_before_it_and_those_behind() {
        let (give, take) = mpsc::channel();
        let mut queue = Queue::new(Vec::new()).unwrap();
        queue.write_all(b"before").unwrap();
        queue.then(|out| out.write_all(b" then "));
        queue.write_all(b"behind").unwrap();
        queue.then(move |out: &mut Vec<u8>| give.send(out.clone()).map_err(io::Error::other));
        queue.flush().unwrap();
        assert_eq!(take.recv_timeout(Duration::from_secs(10)).unwrap(), b"before then behind");
        queue.then(|_| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(queue.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
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
