//! The reading half of the journals; [`crate::journal`] has the protocol.
//!
//! One reader of a launch at a time: a second one makes events appear twice or not at all, and
//! harms nothing else.

mod peek;
mod told;

use core::sync::atomic::{
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use std::{collections::BTreeMap, vec::Vec};

pub use peek::Seen;
use told::{Heard, Passing};
pub use told::{Together, Told};

use super::{EventReading, Reader};
use crate::{
    journal::low_half,
    session::layout::{Entry, JOURNAL, Journal, Session, Slot},
    sys,
};

impl Reader {
    /// Says that the journals are read: writers wait for room as long as this is said often.
    pub fn attend_journals(&self) {
        self.header().journal_reader_ns.store(sys::monotonic_ns(), Relaxed);
    }

    /// Says that the journals are not read any more: nobody waits for room from now on.
    pub fn leave_journals(&self) {
        self.header().journal_reader_ns.store(0, Relaxed);
    }

    /// Sleeps until a journal holds enough, for at most so long; not at all when `is_needed`,
    /// asked once writers would wake it, says that there is enough to read.
    pub fn await_journals(&self, at_most_ns: u64, is_needed: impl FnOnce() -> bool) {
        let sleeps = &self.header().journal_reader_sleeps;
        sleeps.store(1, SeqCst);
        if !is_needed() {
            sys::sleep_on(sleeps.as_ptr(), 1, at_most_ns);
        }
        sleeps.swap(0, AcqRel);
    }

    /// How many journals session `index` may have by now.
    pub fn journal_count(&self, index: usize) -> usize {
        self.session(index).map_or(0, Session::slot_count)
    }

    /// How many entries there are to read in a journal, with those that are no events.
    pub fn journal_pending(&self, of: (usize, usize)) -> u64 {
        let journal = self.journal_of(of).map(|(_, journal)| journal);
        journal.map_or(0, |one| one.head.load(Relaxed).wrapping_sub(one.tail.load(Relaxed)))
    }

    /// Gives `take` the events of journal `number` of session `index`, some at a time, in their
    /// order, and says how many they were: at most [`JOURNAL`]. Of a process that has `ended`,
    /// what was never written to its end is passed over.
    pub fn drain_journal(
        &self,
        (index, number): (usize, usize),
        ended: bool,
        mut take: impl FnMut(&Together),
    ) -> usize {
        let Some((session, journal)) = self.journal_of((index, number)) else { return 0 };
        let first_id = session.first_id.load(Relaxed);
        // Pairs with the writer's Release: entries below `head` are written.
        let head = journal.head.load(Acquire);
        let now = self.header().stamps.load(Relaxed);
        let mut passing = Passing::new(Heard::of(journal), first_id, now, &mut take);
        match number {
            0 => drain_shared(journal, head, ended, &mut passing),
            _ => drain_own(journal, head, &mut passing),
        }
        let read = passing.finish();
        wake_writers(journal);
        read
    }

    /// Forgets what stands in a journal from an earlier reading, before a new one begins.
    pub fn discard_journal(&self, of: (usize, usize)) {
        self.drain_journal(of, false, |_| ());
    }

    /// Copies what is new in the journals of session `index` and still there, for somebody who
    /// only looks: whoever records takes it out. `seen` is by session and journal.
    pub fn peek_journals(
        &self,
        index: usize,
        seen: &mut BTreeMap<(usize, usize), Seen>,
        into: &mut Vec<EventReading>,
    ) {
        let Some(session) = self.session(index) else { return };
        let first_id = session.first_id.load(Relaxed);
        // What many write to is put back to 0 by whoever records.
        for (number, slot) in self.slots(session).enumerate().skip(1) {
            if let Some(journal) = self.journal(slot) {
                seen.entry((index, number)).or_default().peek(journal, first_id, into);
            }
        }
    }

    /// Counts events that were read and got lost behind the journals.
    pub fn count_dropped(&self, index: usize, events: u64) {
        let Some(session) = self.session(index) else { return };
        if let Some(slot) = self.slots(session).next() {
            slot.ring.dropped.fetch_add(events, Relaxed);
        }
    }

    fn journal_of(&self, (index, number): (usize, usize)) -> Option<(&Session, &Journal)> {
        let session = self.session(index)?;
        let slot = self.memory.slot(session.slot_offset(number)?)?;
        Some((session, self.journal(slot)?))
    }

    fn journal(&self, slot: &Slot) -> Option<&'static Journal> {
        let distance = slot.ring.journal.load(Acquire);
        let base = core::ptr::from_ref(self.header()).addr();
        let offset = (core::ptr::from_ref(slot).addr() - base) as u64;
        // SAFETY: a journal is made of atomics alone.
        (distance != 0).then(|| unsafe { self.memory.get(offset.wrapping_add(distance)) })?
    }
}

/// Room is given back each time that so many entries are read: nobody waits for the last of them.
const PIECE: u64 = JOURNAL as u64 / 8;

fn entry(journal: &Journal, position: u64) -> &Entry {
    &journal.entries[(position % JOURNAL as u64) as usize]
}

fn drain_own(journal: &Journal, head: u64, passing: &mut Passing) {
    let tail = journal.tail.load(Relaxed);
    // A program that scribbles over its session gets nonsense, not a reader that never ends.
    let pending = head.wrapping_sub(tail).min(JOURNAL as u64);
    for position in 0..pending {
        let entry = entry(journal, tail.wrapping_add(position));
        passing.put(entry.what.load(Relaxed), entry.word.load(Relaxed));
        if position % PIECE == PIECE - 1 {
            give_back(journal, tail.wrapping_add(position + 1), passing.heard());
        }
    }
    give_back(journal, head, passing.heard());
}

/// Whoever reads on from `tail`, be it after this reader's death, knows what was said before.
fn give_back(journal: &Journal, tail: u64, heard: Heard) {
    heard.keep(journal);
    // Pairs with the writer's Acquire: it may now write over what was read.
    journal.tail.store(tail, Release);
}

fn drain_shared(journal: &Journal, head: u64, ended: bool, passing: &mut Passing) {
    let tail = journal.tail.load(Relaxed);
    let pending = head.wrapping_sub(tail).min(JOURNAL as u64);
    let mut passed = 0;
    while passed < pending {
        let entry = entry(journal, tail.wrapping_add(passed));
        // Pairs with the writer's Release: the rest of the entry is written.
        let what = entry.what.load(Acquire);
        if what != 0 {
            passing.put(what, entry.word.load(Relaxed));
            entry.what.store(0, Relaxed);
        } else if !ended {
            break;
        }
        passed += 1;
    }
    give_back(journal, tail.wrapping_add(passed), passing.heard());
}

fn wake_writers(journal: &Journal) {
    // Either this sees that a writer waits, or the writer sees the room.
    fence(SeqCst);
    if journal.waited_for.load(Relaxed) != 0 {
        journal.waited_for.store(0, Relaxed);
        sys::wake(low_half(&journal.tail));
    }
}
