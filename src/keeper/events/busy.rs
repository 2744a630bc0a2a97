//! Events on their way out of the journals, and into frames in the making.

use std::mem::take;

use memtop_probe::session::{
    layout::{JOURNAL, kind},
    reader::{Reader, Together, Told},
};

use crate::recording::{Draft, Encoder, EventRecord, Kind, MAX_EVENTS, Window};

/// Frames that are in the making at a time: each has habits of its own, in two megabytes and more.
/// Of more journals than these, the one that was quiet for longest makes way, with a frame that
/// is the shorter for it.
const MOST: usize = 32;
/// With fewer events a journal does not become busy: they may wait where they are.
const FEW: u64 = JOURNAL as u64 / 8;
/// A frame of more has no room for what a journal may hold.
const FULL: usize = MAX_EVENTS - JOURNAL;
/// Ticks of a birth are kept modulo this in the program.
const BIRTH_TICKS: u32 = 1 << 20;

/// Events of one thread of a session, to be packed.
#[derive(Debug)]
pub struct ToPack {
    /// Number of the session.
    pub session: usize,
    /// The thread.
    pub tid: u32,
    /// The events.
    pub draft: Draft,
}

/// How far journals are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Quiet ones not at all.
    Quiet,
    /// Each as far as it is written.
    Now,
    /// Of a process that has ended: what was never written to its end is passed over.
    End,
}

/// The frames in the making, of the journals in which something was found of late.
#[derive(Default)]
pub struct Busy {
    /// The one that was read last comes last.
    open: Vec<Open>,
    idle: Vec<Encoder>,
    finished: Vec<ToPack>,
}

/// A frame in the making.
struct Open {
    /// Session and number of the journal.
    journal: (usize, usize),
    tid: u32,
    encoder: Encoder,
}

impl Open {
    fn finish(&mut self, finished: &mut Vec<ToPack>) {
        if self.encoder.count() > 0 {
            let (session, tid, draft) = (self.journal.0, self.tid, self.encoder.finish());
            finished.push(ToPack { session, tid, draft });
        }
    }

    fn close(mut self, finished: &mut Vec<ToPack>) -> Encoder {
        self.finish(finished);
        self.encoder
    }

    /// Frames are of one thread each, and a journal that changed hands is of two.
    fn put(&mut self, together: &Together, finished: &mut Vec<ToPack>) {
        if together.tid() != self.tid {
            self.finish(finished);
            self.tid = together.tid();
        }
        let events = together.events;
        self.encoder.turn(together.tick().into());
        self.encoder.during(Window { after: together.after(), before: together.before });
        self.encoder.expect(events.iter().map(Told::address));
        for event in events {
            self.encoder.put(&record(event, together));
        }
    }
}

impl Busy {
    /// Takes what is in a journal, and says how many events that were; or leaves those of a
    /// quiet one for later.
    pub fn read(&mut self, reader: &Reader, journal: (usize, usize), until: Until) -> usize {
        let pending = reader.journal_pending(journal);
        if pending == 0 {
            return 0;
        }
        let place = self.open.iter().rposition(|open| open.journal == journal);
        if place.is_none() && pending < FEW && until == Until::Quiet {
            return 0;
        }
        let mut open = match place {
            Some(place) => self.open.remove(place),
            None => Open { journal, tid: 0, encoder: self.encoder() },
        };
        if open.encoder.count() > FULL {
            open.finish(&mut self.finished);
        }
        let finished = &mut self.finished;
        let found =
            reader.drain_journal(journal, until == Until::End, |some| open.put(some, finished));
        self.open.push(open);
        found
    }

    /// Finishes the frames of a session.
    pub fn finish(&mut self, session: usize) {
        for open in self.open.extract_if(.., |open| open.journal.0 == session) {
            self.idle.push(open.close(&mut self.finished));
        }
    }

    /// Finishes all frames. As many may soon be in the making again, and no more is kept for them.
    pub fn finish_all(&mut self) {
        let closed = self.open.drain(..).map(|open| open.close(&mut self.finished));
        self.idle = closed.collect();
    }

    /// The frames that were finished, in the order of their events.
    pub fn take_finished(&mut self) -> Vec<ToPack> {
        take(&mut self.finished)
    }

    /// For another journal.
    fn encoder(&mut self) -> Encoder {
        match self.open.len() < MOST {
            true => self.idle.pop().unwrap_or_default(),
            false => self.open.remove(0).close(&mut self.finished),
        }
    }
}

#[inline(always)]
fn record(event: &Told, together: &Together) -> EventRecord {
    let kind = match event.kind() {
        kind::REALLOCATE => Kind::Reallocate,
        kind::RELEASE => Kind::Free,
        kind::RELEASE_UNTRACKED => Kind::FreeUntracked,
        _ => Kind::Allocate,
    };
    let tick = together.tick();
    let age = tick.wrapping_sub(event.birth_tick()) % BIRTH_TICKS;
    let tracked = kind != Kind::FreeUntracked;
    EventRecord {
        kind,
        address: event.address(),
        size: event.size,
        tick: tick.into(),
        birth: if kind == Kind::Free { tick.wrapping_sub(age).into() } else { 0 },
        stack: if tracked { event.stack(together.first_id) } else { 0 },
    }
}
