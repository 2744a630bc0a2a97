//! The writing half of a slot's journal: events that are recorded, none of which is to be lost.
//!
//! ```text
//!  writer   room? ──yes──▶ entry ──▶ head + 1 ──▶ much to read? wake the reader
//!             └─no─▶ wake the reader, sleep on `tail`  ◀── tail, wake ── reader
//! ```
//!
//! Always holds: a writer waits only while the reader has been at work within [`STALE_NS`], and
//! never longer than [`LONGEST_NS`] for an entry; having given up it does not wait again before
//! the reader has moved. What found no room is counted in the ring's `dropped`. A signal handler
//! inside a hook of a thread that has a slot never waits: it may stand on the very thread whose
//! turn it is. One of a thread without may stand on a hole that this thread was about to fill, and
//! wait its time. Waiting is by a futex, as in the allocator itself; the reader needs nothing that
//! a waiting thread could hold, because it only reads session memory.
//!
//! A slot's own journal has one writer, which publishes entries by `head`. That of the shared
//! slot has many: each takes the positions of an event by moving `head` first, and publishes by
//! writing each `what` last, which the reader puts back to 0 before the position is used again.
//! So an event of a process that was killed in between is a hole, and not a lie.
//!
//! Every [`STAMP_EVERY`] entries a writer draws a stamp, a number that nobody else gets: so the
//! order of what several threads did is known but for some sixty events of each.
//!
//! An event says neither thread nor tick: a note before it does, where they differ from those of
//! the last. One that found no room is written before the next event, so that none is of a
//! former owner of its slot. Where many write each event has its own note and stamp.

use core::{
    hint,
    sync::atomic::{
        AtomicU64,
        Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
};

use crate::{
    counter::Mode,
    process,
    session::layout::{Entry, Header, JOURNAL, Journal, Slot, kind},
    shadow, sys,
    tls::{self, State},
};

/// A reader that was not at work for so long is stopped, or gone.
const STALE_NS: u64 = 1_000_000_000;
/// Longest that one entry waits.
const LONGEST_NS: u64 = 5_000_000_000;
/// Room is looked for so often before the system is asked to wait.
const SPINS: u32 = 64;
/// Between two looks at the reader's last sign of life.
const NAP_NS: u64 = 20_000_000;
/// With so many entries that were not read the reader is called.
const CALL: u64 = JOURNAL as u64 / 4 * 3;

/// Entries between two stamps: no more events than the reader passes on at a time.
const STAMP_EVERY: u64 = 60;

/// Writes an event, waiting for room if need be; or counts it as dropped. `size` matters where
/// `word` has no room for it.
pub fn write<M: Mode>(slot: &'static Slot, tick: u32, what: u64, word: u64, size: u64) {
    let written = match of(slot) {
        None => false,
        Some(journal) if M::SHARED => write_among_others(journal, tick, (what, word), size),
        Some(journal) => write_alone(journal, slot, tick, (what, word), size),
    };
    // A child that was forked while this thread waited counts nothing for its parent.
    if !written && !process::header().is_null() {
        M::add(&slot.ring.dropped, 1);
    }
}

/// The first half of an event.
#[inline(always)]
pub fn what(kind: u64, address: usize) -> u64 {
    kind << 56 | address as u64
}

/// The slot's journal, made if need be; `None` without memory.
#[inline(always)]
fn of(slot: &'static Slot) -> Option<&'static Journal> {
    let distance = slot.ring.journal.load(Acquire);
    if distance == 0 {
        return make(slot);
    }
    let at = core::ptr::from_ref(slot).cast::<u8>().wrapping_add(distance as usize);
    // SAFETY: the distance leads from the slot to a journal in the same mapping, which stays;
    // the hooks alone write it.
    Some(unsafe { &*at.cast() })
}

#[cold]
#[inline(never)]
fn make(slot: &'static Slot) -> Option<&'static Journal> {
    let memory = process::memory()?;
    let offset = memory.take_piece(process::session(), size_of::<Journal>() as u64)?;
    // SAFETY: a journal is made of atomics alone.
    let journal = unsafe { memory.get::<Journal>(offset) }?;
    let distance = memory.address_of(offset).wrapping_sub(core::ptr::from_ref(slot).addr());
    let place = &slot.ring.journal;
    // Whoever loses this race leaves a journal unused; that is all.
    match place.compare_exchange(0, distance as u64, AcqRel, Acquire) {
        Ok(_) => Some(journal),
        Err(_) => of(slot),
    }
}

#[inline(always)]
fn write_alone(
    journal: &Journal,
    slot: &Slot,
    tick: u32,
    (what, word): (u64, u64),
    size: u64,
) -> bool {
    let note = u64::from(slot.owner.load(Relaxed)) << 32 | u64::from(tick);
    (journal.said.load(Relaxed) == note || say(journal, note))
        && (!is_stamp_due(journal) || stamp(journal))
        && (!shadow::is_wide(word) || put_before(journal, kind::SIZE, size))
        && put(journal, what, word)
}

impl Entry {
    /// Writes the entry; `what` comes last.
    #[inline(always)]
    fn put(&self, what: u64, word: u64, order: Ordering) {
        self.word.store(word, Relaxed);
        self.what.store(what, order);
    }
}

#[inline(always)]
fn put(journal: &Journal, what: u64, word: u64) -> bool {
    let head = journal.head.load(Relaxed);
    // Pairs with the reader's Release: what it has read may be written over.
    let tail = journal.tail.load(Acquire);
    if !is_free(head, tail) && !wait(journal, head) {
        return false;
    }
    journal.entries[head as usize % JOURNAL].put(what, word, Relaxed);
    let next = head.wrapping_add(1);
    // Publishes the entry to the reader's Acquire.
    journal.head.store(next, Release);
    if next.wrapping_sub(tail) == CALL {
        wake_reader();
    }
    true
}

/// An entry that says something of those behind it.
#[cold]
#[inline(never)]
fn put_before(journal: &Journal, kind: u64, word: u64) -> bool {
    put(journal, what(kind, 0), word)
}

fn say(journal: &Journal, note: u64) -> bool {
    let is_said = put_before(journal, kind::NOTE, note);
    if is_said {
        // Whoever looks at this note finds it among the entries.
        journal.said.store(note, Release);
    }
    is_said && stamp(journal)
}

#[inline(always)]
fn is_stamp_due(journal: &Journal) -> bool {
    let written = journal.head.load(Relaxed).wrapping_sub(journal.stamped.load(Relaxed));
    written >= STAMP_EVERY
}

#[cold]
#[inline(never)]
fn stamp(journal: &Journal) -> bool {
    let is_stamped = put_before(journal, kind::STAMP, next_stamp());
    if is_stamped {
        journal.stamped.store(journal.head.load(Relaxed), Relaxed);
    }
    is_stamped
}

/// What is done before another draws one has the lower one.
fn next_stamp() -> u64 {
    header().map_or(0, |header| header.stamps.fetch_add(1, Relaxed))
}

fn write_among_others(journal: &Journal, tick: u32, event: (u64, u64), size: u64) -> bool {
    let note = (what(kind::NOTE, 0), u64::from(tick));
    let stamp = (what(kind::STAMP, 0), next_stamp());
    match shadow::is_wide(event.1) {
        true => put_together(journal, &[note, stamp, (what(kind::SIZE, 0), size), event]),
        false => put_together(journal, &[note, stamp, event]),
    }
}

/// Puts entries among those of others, with none of theirs between.
fn put_together<const N: usize>(journal: &Journal, entries: &[(u64, u64); N]) -> bool {
    loop {
        let head = journal.head.load(Relaxed);
        let next = head.wrapping_add(N as u64);
        let tail = journal.tail.load(Acquire);
        if !is_free(next.wrapping_sub(1), tail) {
            // Whoever has a slot of its own is here from inside a hook.
            if tls::state() == State::Slot || !wait(journal, next.wrapping_sub(1)) {
                return false;
            }
            continue;
        }
        if journal.head.compare_exchange_weak(head, next, AcqRel, Relaxed).is_ok() {
            for (position, (what, word)) in (head as usize..).zip(entries) {
                // `what` publishes the entry to the reader's Acquire.
                journal.entries[position % JOURNAL].put(*what, *word, Release);
            }
            if next.wrapping_sub(tail).wrapping_sub(CALL) < N as u64 {
                wake_reader();
            }
            return true;
        }
    }
}

/// Whether an entry may be written at `head`. A writer among others may have been put aside since
/// it read that, and the reader be past it: there is nothing to wait for, and it looks again.
#[inline(always)]
fn is_free(head: u64, tail: u64) -> bool {
    (head.wrapping_sub(tail) as i64) < JOURNAL as i64
}

/// Wakes the reader if it sleeps.
#[inline(never)]
fn wake_reader() {
    let Some(header) = header() else { return };
    let sleeps = &header.journal_reader_sleeps;
    if sleeps.load(Relaxed) != 0 && sleeps.swap(0, AcqRel) != 0 {
        let _errno = sys::KeepErrno::new();
        sys::wake(sleeps.as_ptr());
    }
}

/// Waits until there is room at `head`; false when that is not to be had.
#[cold]
#[inline(never)]
fn wait(journal: &Journal, head: u64) -> bool {
    let tail = journal.tail.load(Acquire);
    if journal.given_up.load(Relaxed) == tail.wrapping_add(1) {
        return false;
    }
    for _ in 0..SPINS {
        if is_free(head, journal.tail.load(Acquire)) {
            return true;
        }
        hint::spin_loop();
    }
    let _errno = sys::KeepErrno::new();
    let begun_ns = sys::monotonic_ns();
    wake_reader();
    // A header that is gone is that of a child forked by a signal handler meanwhile.
    while let Some(header) = header() {
        journal.waited_for.store(1, Relaxed);
        // Either the reader sees that it is waited for, or this sees what it has read.
        fence(SeqCst);
        let tail = journal.tail.load(Acquire);
        if is_free(head, tail) {
            return true;
        }
        if is_hopeless(header, begun_ns)
            || !sys::sleep_on(low_half(&journal.tail), tail as u32, NAP_NS)
        {
            journal.given_up.store(tail.wrapping_add(1), Relaxed);
            return false;
        }
    }
    false
}

fn is_hopeless(header: &Header, begun_ns: u64) -> bool {
    let now_ns = sys::monotonic_ns();
    let since = |at_ns: u64| now_ns.saturating_sub(at_ns);
    since(begun_ns) > LONGEST_NS || since(header.journal_reader_ns.load(Relaxed)) > STALE_NS
}

fn header() -> Option<&'static Header> {
    // SAFETY: null, or the header of session memory, which is never unmapped.
    unsafe { process::header().as_ref() }
}

/// Where the low 32 bits of a counter are on this machine.
pub fn low_half(counter: &AtomicU64) -> *const u32 {
    const { assert!(cfg!(target_endian = "little")) };
    counter.as_ptr().cast()
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;

    use super::*;
    use crate::shadow::word_of;

    /// One that is all zeros, as session memory is.
    fn zeroed<T>() -> Box<T> {
        // SAFETY: journals and slots are made of atomics alone.
        unsafe { Box::new_zeroed().assume_init() }
    }

    fn written(journal: &Journal, position: usize) -> (u64, u64) {
        let entry = &journal.entries[position % JOURNAL];
        (entry.what.load(Relaxed) >> 56, entry.word.load(Relaxed))
    }

    fn kinds<const N: usize>(journal: &Journal, from: usize) -> [u64; N] {
        core::array::from_fn(|at| written(journal, from + at).0)
    }

    #[test]
    fn who_and_when_is_said_once_and_again_when_there_is_room() {
        let (journal, slot) = (zeroed::<Journal>(), zeroed::<Slot>());
        let write = |tick| write_alone(&journal, &slot, tick, (what(kind::ALLOCATE, 16), 9), 0);
        slot.owner.store(7, Relaxed);
        while write(3) {}
        assert_eq!(written(&journal, 0), (kind::NOTE, 7 << 32 | 3));
        assert!((1..JOURNAL).all(|at| written(&journal, at).0 != kind::NOTE));
        // Another takes the slot over, and finds it full.
        slot.owner.store(8, Relaxed);
        assert!(!write(3) && !write(4));
        journal.tail.store(JOURNAL as u64, Relaxed);
        assert!(write(4));
        assert_eq!(written(&journal, JOURNAL), (kind::NOTE, 8 << 32 | 4));
        assert_eq!(kinds(&journal, JOURNAL + 1), [kind::STAMP, kind::ALLOCATE]);
    }

    #[test]
    fn no_more_events_stand_between_two_stamps_than_are_passed_on_at_a_time() {
        let (journal, slot) = (zeroed::<Journal>(), zeroed::<Slot>());
        while write_alone(&journal, &slot, 1, (what(kind::ALLOCATE, 16), 9), 0) {}
        let kinds: [u64; JOURNAL] = kinds(&journal, 1);
        assert_eq!(kinds[0], kind::STAMP);
        let mut between = kinds.split(|kind| *kind == kind::STAMP);
        assert!(between.all(|events| events.len() <= STAMP_EVERY as usize));
    }

    #[test]
    fn a_size_that_has_no_room_stands_before_its_event() {
        let (journal, slot) = (zeroed::<Journal>(), zeroed::<Slot>());
        let (size, address) = (1 << 40, what(kind::ALLOCATE, 16));
        let all = [kind::NOTE, kind::STAMP, kind::SIZE, kind::ALLOCATE];
        assert!(write_alone(&journal, &slot, 1, (address, word_of(2, 1, size)), size));
        assert_eq!(kinds(&journal, 0), all);
        assert_eq!(written(&journal, 2).1, size);
        assert_eq!(written(&journal, 3).1, word_of(2, 1, size));
        assert!(write_among_others(&journal, 5, (address, word_of(2, 1, size)), size));
        assert_eq!(kinds(&journal, 4), all);
    }

    #[test]
    fn there_is_room_until_the_journal_is_full() {
        let tail = 5;
        let first = |head: u64| is_free(head, tail);
        assert!(first(tail) && first(tail + JOURNAL as u64 - 1));
        assert!(!first(tail + JOURNAL as u64) && !first(tail + JOURNAL as u64 + 1));
    }

    #[test]
    fn a_position_that_the_reader_has_passed_is_not_waited_for() {
        assert!(is_free(5, 6) && is_free(5, 5 + JOURNAL as u64) && is_free(u64::MAX, 3));
    }
}
