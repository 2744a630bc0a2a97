//! The thread that reads the journals: nothing but that, so that no program waits for long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use memtop_probe::session::{layout::JOURNAL, reader::Reader};

use super::busy::{Busy, ToPack, Until};

/// Events wait so long for company: a recording that is cut lacks no more than a second.
const FLUSH: Duration = Duration::from_millis(300);
/// Fewer events at a look are not worth another at once: who writes as fast as it can would be
/// run after one by one.
const LITTLE: usize = JOURNAL / 4;
/// With little to read it sleeps for so long, unless a journal holds enough before.
const SLEEP_NS: u64 = 10_000_000;
/// Who packs is waited for in pieces of so long, so that writers know that they are read.
const PATIENCE: Duration = Duration::from_millis(50);

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
    to_pack: Sender<ToPack>,
    sessions: Vec<Life>,
    busy: Busy,
    flushed: Instant,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Running,
    /// Its journals are read once more.
    Ended,
    /// They were read to their end.
    Done,
}

impl Drain {
    /// Reads nothing yet.
    pub fn new(reader: Arc<Reader>, orders: Receiver<Order>, to_pack: Sender<ToPack>) -> Self {
        let (sessions, busy, flushed) = (Vec::new(), Busy::default(), Instant::now());
        Self { reader, orders, to_pack, sessions, busy, flushed }
    }

    /// Forgets what stands in the journals from an earlier reading.
    pub fn discard(&self) {
        self.reader.attend_journals();
        for session in 0..self.reader.session_count() {
            for number in 0..self.reader.journal_count(session) {
                self.reader.discard_journal((session, number));
            }
        }
    }

    /// Reads until it is told to finish, or nobody packs any more.
    pub fn run(mut self) {
        let reader = Arc::clone(&self.reader);
        loop {
            reader.attend_journals();
            let finish = self.obey();
            let found = match finish || self.flushed.elapsed() >= FLUSH {
                true => self.flush(),
                false => self.read(Until::Quiet),
            };
            if finish {
                return reader.leave_journals();
            }
            if found < LITTLE {
                reader.await_journals(SLEEP_NS, || self.read(Until::Quiet) >= LITTLE);
            }
        }
    }

    /// True when it is to finish.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Ended(session)) => self.end(session),
                Ok(Order::Finish) => return true,
                Err(error) => return error.is_disconnected(),
            }
        }
    }

    /// One that came and went since the last look is known by this alone.
    fn end(&mut self, session: usize) {
        if session >= self.sessions.len() {
            self.sessions.resize(session + 1, Life::Running);
        }
        if self.sessions[session] == Life::Running {
            self.sessions[session] = Life::Ended;
        }
    }

    /// How many events there were to read.
    fn read(&mut self, until: Until) -> usize {
        let count = self.reader.session_count().max(self.sessions.len());
        self.sessions.resize(count, Life::Running);
        (0..count).map(|session| self.read_session(session, until)).sum()
    }

    fn read_session(&mut self, session: usize, until: Until) -> usize {
        match self.sessions[session] {
            Life::Done => 0,
            Life::Running => self.read_journals(session, until),
            Life::Ended => {
                self.sessions[session] = Life::Done;
                let found = self.read_journals(session, Until::End);
                self.busy.finish(session);
                self.send();
                found
            }
        }
    }

    fn read_journals(&mut self, session: usize, until: Until) -> usize {
        let mut found = 0;
        for number in 0..self.reader.journal_count(session) {
            found += self.busy.read(&self.reader, (session, number), until);
            self.send();
        }
        found
    }

    /// Reads all that there is, and keeps nothing of it.
    fn flush(&mut self) -> usize {
        self.flushed = Instant::now();
        let found = self.read(Until::Now);
        self.busy.finish_all();
        self.send();
        found
    }

    /// Waits for who packs, which only computes and so never stands still.
    fn send(&mut self) {
        for mut draft in self.busy.take_finished() {
            while let Err(SendTimeoutError::Timeout(unsent)) =
                self.to_pack.send_timeout(draft, PATIENCE)
            {
                self.reader.attend_journals();
                draft = unsent;
            }
        }
    }
}
