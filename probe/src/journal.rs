//! The writing half of a slot's journal: events that are recorded, none of which is to be lost.
//!
//! ```text
//!  writer   room? ──yes──▶ event ──▶ head + 1 ──▶ half a journal since? wake the reader
//!             └─no─▶ wake the reader, sleep on `tail`  ◀── tail, wake ── reader
//! ```
//!
//! Always holds: a writer waits only while the reader has been at work within [`STALE_NS`], and
//! never longer than [`LONGEST_NS`]; having given up it does not wait again before the reader
//! has moved. What found no room is counted in the ring's `dropped`. A signal handler inside a
//! hook never waits: it may stand on the very thread whose turn it is. Waiting is by a futex, as
//! in the allocator itself; the reader needs nothing that a waiting thread could hold, because
//! it only reads session memory.
//!
//! A slot's own journal has one writer, which publishes an event by `head`. That of the shared
//! slot has many: each takes a position by moving `head` first, and publishes by writing `what`
//! last, which the reader puts back to 0 before the position is used again. So an event of a
//! process that was killed in between is a hole, and not a lie.

use core::{
    hint,
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
        fence,
    },
};

use crate::{
    counter::{Mode, Own},
    process,
    ring::Push,
    session::layout::{Header, JOURNAL, Journal, Slot, flag, kind},
    sys,
    tls::{self, State},
};

/// A reader that was not at work for so long is stopped, or gone.
const STALE_NS: u64 = 1_000_000_000;
/// Longest that one event waits.
const LONGEST_NS: u64 = 5_000_000_000;
/// Room is looked for so often before the system is asked to wait.
const SPINS: u32 = 64;
/// Between two looks at the reader's last sign of life.
const NAP_NS: u64 = 20_000_000;

/// Writes an event, waiting for room if need be; or counts it as dropped.
pub fn write<M: Mode>(slot: &'static Slot, push: Push) {
    let written = match of(slot) {
        None => false,
        Some(journal) if M::SHARED => write_among_others(journal, &push),
        Some(journal) => write_alone(journal, &push),
    };
    // A child that was forked while this thread waited counts nothing for its parent.
    if !written && !process::header().is_null() {
        M::add(&slot.ring.dropped, 1);
    }
}

/// The slot has another owner now: events from here on are its.
pub fn change_owner(slot: &'static Slot) {
    if process::pulse() & flag::LOSSLESS == 0 || slot.ring.journal.load(Relaxed) == 0 {
        return;
    }
    let size = u64::from(slot.owner.load(Relaxed));
    let push = Push { kind: kind::OWNER, address: 0, size, birth_tick: 0, tick: 0, id: 0 };
    write::<Own>(slot, push);
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
    journal.tid.store(slot.owner.load(Relaxed), Relaxed);
    let distance = memory.address_of(offset).wrapping_sub(core::ptr::from_ref(slot).addr());
    let place = &slot.ring.journal;
    // Whoever loses this race leaves a journal unused; that is all.
    match place.compare_exchange(0, distance as u64, AcqRel, Acquire) {
        Ok(_) => Some(journal),
        Err(_) => of(slot),
    }
}

#[inline(always)]
fn write_alone(journal: &Journal, push: &Push) -> bool {
    let head = journal.head.load(Relaxed);
    // Pairs with the reader's Release: what it has read may be written over.
    if !is_free(head, journal.tail.load(Acquire)) && !wait(journal, head) {
        return false;
    }
    push.put(&journal.events[head as usize % JOURNAL], Relaxed);
    let next = head.wrapping_add(1);
    // Publishes the event to the reader's Acquire.
    journal.head.store(next, Release);
    wake_at_half(next);
    true
}

fn write_among_others(journal: &Journal, push: &Push) -> bool {
    loop {
        let head = journal.head.load(Relaxed);
        if !is_free(head, journal.tail.load(Acquire)) {
            // Whoever has a slot of its own is here from inside a hook.
            if tls::state() == State::Slot || !wait(journal, head) {
                return false;
            }
            continue;
        }
        let next = head.wrapping_add(1);
        if journal.head.compare_exchange_weak(head, next, AcqRel, Relaxed).is_ok() {
            // `what` publishes the event to the reader's Acquire.
            push.put(&journal.events[head as usize % JOURNAL], Release);
            wake_at_half(next);
            return true;
        }
    }
}

/// Whether an event may be written at `head`. A writer among others may have been put aside since
/// it read that, and the reader be past it: there is nothing to wait for, and it looks again.
#[inline(always)]
fn is_free(head: u64, tail: u64) -> bool {
    (head.wrapping_sub(tail) as i64) < JOURNAL as i64
}

#[inline(always)]
fn wake_at_half(next: u64) {
    if next.is_multiple_of(JOURNAL as u64 / 2) {
        wake_reader();
    }
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
    use super::{JOURNAL, is_free};

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
