//! The reading half of the journals; [`crate::journal`] has the protocol.
//!
//! One reader of a launch at a time: a second one makes events appear twice or not at all, and
//! harms nothing else.

use core::sync::atomic::{
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use std::{collections::BTreeMap, vec::Vec};

use super::{EventReading, Reader};
use crate::{
    journal::low_half,
    session::layout::{JOURNAL, Journal, Session, Slot, kind},
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

    /// Sleeps until a journal is half full, for at most so long; not at all when `is_needed`,
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

    /// How many events there are to read in a journal, those that changed hands included.
    pub fn journal_pending(&self, of: (usize, usize)) -> u64 {
        let journal = self.journal_of(of).map(|(_, journal)| journal);
        journal.map_or(0, |one| one.head.load(Relaxed).wrapping_sub(one.tail.load(Relaxed)))
    }

    /// Gives `take` the events of journal `number` of session `index`, in their order, and says
    /// how many they were: at most [`JOURNAL`]. Of a process that has `ended`, what was never
    /// written to its end is passed over.
    #[inline(always)]
    pub fn drain_journal(
        &self,
        (index, number): (usize, usize),
        ended: bool,
        take: impl FnMut(EventReading),
    ) -> usize {
        let Some((session, journal)) = self.journal_of((index, number)) else { return 0 };
        let first_id = session.first_id.load(Relaxed);
        let read = match number {
            0 => drain_shared(journal, first_id, ended, take),
            _ => drain_own(journal, first_id, take),
        };
        wake_writers(journal);
        read
    }

    /// Forgets what stands in a journal from an earlier reading, before a new one begins. Whose
    /// its slot became while nothing was read is not written in it.
    pub fn discard_journal(&self, of: (usize, usize)) {
        self.drain_journal(of, false, drop);
        if let Some((slot, journal)) = self.slot_and_journal(of) {
            journal.tid.store(slot.owner.load(Relaxed), Relaxed);
        }
    }

    /// Copies what is new in the journals of session `index` and still there, for somebody who
    /// only looks: whoever records takes it out. `seen` is by session and journal.
    pub fn peek_journals(
        &self,
        index: usize,
        seen: &mut BTreeMap<(usize, usize), u64>,
        into: &mut Vec<EventReading>,
    ) {
        let Some(session) = self.session(index) else { return };
        let first_id = session.first_id.load(Relaxed);
        // What many write to is put back to 0 by whoever records.
        for (number, slot) in self.slots(session).enumerate().skip(1) {
            if let Some(journal) = self.journal(slot) {
                let seen = seen.entry((index, number)).or_insert(0);
                *seen = peek(journal, *seen, first_id, into);
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

    fn journal_of(&self, of: (usize, usize)) -> Option<(&Session, &Journal)> {
        Some((self.session(of.0)?, self.slot_and_journal(of)?.1))
    }

    fn slot_and_journal(&self, (index, number): (usize, usize)) -> Option<(&Slot, &Journal)> {
        let slot = self.memory.slot(self.session(index)?.slot_offset(number)?)?;
        Some((slot, self.journal(slot)?))
    }

    fn journal(&self, slot: &Slot) -> Option<&'static Journal> {
        let distance = slot.ring.journal.load(Acquire);
        let base = core::ptr::from_ref(self.header()).addr();
        let offset = (core::ptr::from_ref(slot).addr() - base) as u64;
        // SAFETY: a journal is made of atomics alone.
        (distance != 0).then(|| unsafe { self.memory.get(offset.wrapping_add(distance)) })?
    }
}

/// Room is given back each time that so many events are read: nobody waits for the last of them.
const PIECE: u64 = JOURNAL as u64 / 8;

#[inline(always)]
fn drain_own(journal: &Journal, first_id: u32, mut take: impl FnMut(EventReading)) -> usize {
    // Pairs with the writer's Release: events below `head` are written.
    let head = journal.head.load(Acquire);
    let tail = journal.tail.load(Relaxed);
    // A program that scribbles over its session gets nonsense, not a reader that never ends.
    let pending = head.wrapping_sub(tail).min(JOURNAL as u64);
    let (mut tid, mut read) = (journal.tid.load(Relaxed), 0);
    for position in 0..pending {
        let event = &journal.events[(tail.wrapping_add(position) % JOURNAL as u64) as usize];
        let what = event.what.load(Relaxed);
        if what >> 56 == kind::OWNER {
            tid = event.size.load(Relaxed) as u32;
        } else {
            take(EventReading::of(event, what, tid, first_id));
            read += 1;
        }
        if position % PIECE == PIECE - 1 {
            // Pairs with the writer's Acquire: it may now write over what was read.
            journal.tail.store(tail.wrapping_add(position + 1), Release);
        }
    }
    journal.tid.store(tid, Relaxed);
    journal.tail.store(head, Release);
    read
}

/// Where the next look begins.
fn peek(journal: &Journal, seen: u64, first_id: u32, into: &mut Vec<EventReading>) -> u64 {
    let head = journal.head.load(Acquire);
    let oldest = head.saturating_sub(JOURNAL as u64).max(seen);
    let before = into.len();
    let tid = journal.tid.load(Relaxed);
    for position in oldest..head {
        let event = &journal.events[(position % JOURNAL as u64) as usize];
        let what = event.what.load(Relaxed);
        into.push(EventReading::of(event, what, tid, first_id));
    }
    fence(Acquire);
    // The writer may have been over these meanwhile, and be inside the next.
    let now = journal.head.load(Relaxed);
    let overwritten = now.saturating_add(1).saturating_sub(JOURNAL as u64).saturating_sub(oldest);
    let count = into.len() - before;
    into.drain(before..before + count.min(overwritten as usize));
    into.retain(|event| event.kind != kind::OWNER);
    head
}

fn drain_shared(
    journal: &Journal,
    first_id: u32,
    ended: bool,
    mut take: impl FnMut(EventReading),
) -> usize {
    let head = journal.head.load(Acquire);
    let tail = journal.tail.load(Relaxed);
    let pending = head.wrapping_sub(tail).min(JOURNAL as u64);
    let (mut passed, mut read) = (0, 0);
    while passed < pending {
        let event = &journal.events[(tail.wrapping_add(passed) % JOURNAL as u64) as usize];
        // Pairs with the writer's Release: the rest of the event is written.
        let what = event.what.load(Acquire);
        if what != 0 {
            take(EventReading::of(event, what, 0, first_id));
            event.what.store(0, Relaxed);
            read += 1;
        } else if !ended {
            break;
        }
        passed += 1;
    }
    journal.tail.store(tail.wrapping_add(passed), Release);
    read
}

fn wake_writers(journal: &Journal) {
    // Either this sees that a writer waits, or the writer sees the room.
    fence(SeqCst);
    if journal.waited_for.load(Relaxed) != 0 {
        journal.waited_for.store(0, Relaxed);
        sys::wake(low_half(&journal.tail));
    }
}
