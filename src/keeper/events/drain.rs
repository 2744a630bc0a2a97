//! The thread that reads the journals: nothing but that, so that no program waits for long.

use std::{
    collections::BTreeMap,
    mem::{replace, take},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use memtop_probe::session::{
    layout::JOURNAL,
    reader::{EventReading, Reader},
};

use crate::recording::MAX_EVENTS;

/// Events wait so long for company: a recording that is cut lacks no more than a second.
const FLUSH: Duration = Duration::from_millis(300);
/// All that wait together are at most so many.
const MOST_WAITING: usize = 1 << 18;
/// Fewer events at a look are not worth another at once: who writes as fast as it can would be
/// run after one by one.
const LITTLE: usize = JOURNAL / 4;
/// With little to read it sleeps for so long, unless a journal is half full before.
const SLEEP_NS: u64 = 10_000_000;
/// A full batch has no room for another journal, and makes one frame.
const FULL: usize = MAX_EVENTS - JOURNAL;
/// The encoder is waited for in pieces of so long, so that writers know that they are read.
const PATIENCE: Duration = Duration::from_millis(50);

/// Events of one journal.
#[derive(Debug)]
pub struct Batch {
    /// Number of the session.
    pub session: usize,
    /// In order; those of one thread, and then those of the next that owned the journal.
    pub events: Vec<EventReading>,
}

/// What the thread is told.
#[derive(Debug)]
pub enum Order {
    /// The process of this session has ended.
    Ended(usize),
    /// Read everything that there is, and be done.
    Finish,
}

/// Reads all journals of a launch.
pub struct Drain {
    reader: Arc<Reader>,
    orders: Receiver<Order>,
    batches: Sender<Batch>,
    /// Room that was used before: the system makes new pages more slowly than they are filled.
    spares: Receiver<Vec<EventReading>>,
    /// By session; `None` for those that have ended and were read to their end.
    sessions: Vec<Option<Journals>>,
    flushed: Instant,
    waiting: usize,
}

/// What was read of the journals of a session.
#[derive(Default)]
struct Journals {
    waiting: BTreeMap<usize, Vec<EventReading>>,
    ended: bool,
}

impl Drain {
    /// Reads nothing yet.
    pub fn new(
        reader: Arc<Reader>,
        orders: Receiver<Order>,
        batches: Sender<Batch>,
        spares: Receiver<Vec<EventReading>>,
    ) -> Self {
        let (sessions, flushed) = (Vec::new(), Instant::now());
        Self { reader, orders, batches, spares, sessions, flushed, waiting: 0 }
    }

    /// Forgets what stands in the journals from an earlier reading.
    pub fn discard(&mut self) {
        self.reader.attend_journals();
        self.read();
        self.sessions.clear();
        self.waiting = 0;
    }

    /// Reads until it is told to finish, or nobody takes the batches any more.
    pub fn run(mut self) {
        let reader = Arc::clone(&self.reader);
        loop {
            reader.attend_journals();
            let finish = self.obey();
            let found = self.read();
            if finish || self.waiting >= MOST_WAITING || self.flushed.elapsed() >= FLUSH {
                self.flush();
            }
            if finish {
                return reader.leave_journals();
            }
            if found < LITTLE {
                reader.await_journals(SLEEP_NS, || self.read() >= LITTLE);
            }
        }
    }

    /// True when it is to finish.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Ended(session)) => {
                    if let Some(Some(journals)) = self.sessions.get_mut(session) {
                        journals.ended = true;
                    }
                }
                Ok(Order::Finish) => return true,
                Err(error) => return error.is_disconnected(),
            }
        }
    }

    /// How many events there were to read.
    fn read(&mut self) -> usize {
        let count = self.reader.session_count();
        if self.sessions.len() < count {
            self.sessions.resize_with(count, || Some(Journals::default()));
        }
        let mut found = 0;
        for session in 0..count {
            let Some(mut journals) = self.sessions[session].take() else { continue };
            for number in 0..self.reader.journal_count(session) {
                found += self.read_journal(session, number, &mut journals);
            }
            match journals.ended {
                true => self.send_all(session, journals),
                false => self.sessions[session] = Some(journals),
            }
        }
        found
    }

    fn read_journal(&mut self, session: usize, number: usize, journals: &mut Journals) -> usize {
        let ended = journals.ended;
        let events = journals.waiting.entry(number).or_default();
        let before = events.len();
        self.reader.drain_journal((session, number), ended, events);
        let found = events.len() - before;
        self.waiting += found;
        if events.len() > FULL {
            let room = self.spares.try_recv().unwrap_or_default();
            let full = replace(events, room);
            self.send(session, full);
        }
        found
    }

    fn flush(&mut self) {
        self.flushed = Instant::now();
        for session in 0..self.sessions.len() {
            let Some(journals) = &mut self.sessions[session] else { continue };
            let waiting = journals.waiting.values_mut().map(take).collect::<Vec<_>>();
            waiting.into_iter().for_each(|events| self.send(session, events));
        }
    }

    fn send_all(&mut self, session: usize, journals: Journals) {
        journals.waiting.into_values().for_each(|events| self.send(session, events));
    }

    /// Waits for the encoder, which only computes and so never stands still.
    fn send(&mut self, session: usize, events: Vec<EventReading>) {
        self.waiting -= events.len();
        if events.is_empty() {
            return;
        }
        let mut batch = Batch { session, events };
        while let Err(SendTimeoutError::Timeout(unsent)) =
            self.batches.send_timeout(batch, PATIENCE)
        {
            self.reader.attend_journals();
            batch = unsent;
        }
    }
}
