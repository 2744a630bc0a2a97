//! Threads flush what they hold: live bytes add up, and the peak is never below what a flush saw.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use loom::{sync::Arc, thread};

use crate::{
    at_peak,
    counter::{Mode, Own},
    peak::{flush, flush_late, is_shared, leave_peak, rise, tell},
    session::layout::{Cell, Session, Slot},
};

/// Every interleaving with at most so many switches that no thread asked for: without a bound the
/// two dozen atomics of a flush take hours, and what goes wrong does so with two or three.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

/// What an allocation or a free leaves to be flushed.
fn hold(slot: &Slot, bytes: i64) {
    let held = slot.pending_bytes.load(Relaxed) + bytes;
    slot.pending_bytes.store(held, Relaxed);
    slot.pending_blocks.store(slot.pending_blocks.load(Relaxed) + bytes.signum(), Relaxed);
}

/// Holds and flushes; what the flush saw to be live.
fn flushed(session: &Session, slot: &Slot, bytes: i64) -> i64 {
    hold(slot, bytes);
    flush(session, slot);
    slot.flushed_bytes.load(Relaxed)
}

fn session_of(threads: u32) -> Arc<Session> {
    let session = Session::default();
    session.threads.store(threads, Relaxed);
    Arc::new(session)
}

#[test]
fn whoever_flushes_first() {
    model(|| {
        let session = session_of(2);
        let climb = |session: &Session, bytes| {
            let slot = Slot::default();
            let high = flushed(session, &slot, bytes);
            flushed(session, &slot, -bytes);
            high
        };
        let other = {
            let session = Arc::clone(&session);
            thread::spawn(move || climb(&session, 100))
        };
        let seen = climb(&session, 7).max(other.join().unwrap());
        assert_eq!((session.live.bytes(), session.live_blocks.load(Relaxed)), (0, 0));
        let peak = session.peak_bytes.load(Relaxed);
        assert!((seen..=107).contains(&peak), "{peak} after {seen}");
        assert_eq!(session.tick_peaks[0].load(Relaxed), peak as u64);
        // Whoever raised it fell afterwards, and so it was left: cells copy what they held.
        let (epoch, at_peak) = session.live.mark();
        assert!(epoch > 0 && !at_peak);
    });
}

/// Counts a block so large that it is told first, as `ledger` does.
fn count(session: &Session, slot: &Slot, cell: &Cell, bytes: i64) {
    tell(session, slot, bytes, bytes.signum());
    at_peak::keep(slot, cell);
    match bytes {
        0.. => Own::add(&cell.allocated_bytes, bytes as u64),
        _ => Own::add(&cell.freed_bytes, bytes.unsigned_abs()),
    }
}

/// What several threads do, each with blocks of its own: so many bytes more or less each time.
/// What the cells had at the peak adds up to it.
fn peak_is_what_cells_held<const THREADS: usize>(steps: [&'static [i64]; THREADS]) {
    model(move || {
        let session = session_of(THREADS as u32);
        let work = |session: &Session, steps: &[i64]| {
            let (slot, cell) = (Slot::default(), Cell::default());
            steps.iter().for_each(|&bytes| count(session, &slot, &cell, bytes));
            cell
        };
        let others: Vec<_> = steps[1..]
            .iter()
            .map(|&steps| {
                let session = Arc::clone(&session);
                thread::spawn(move || work(&session, steps))
            })
            .collect();
        let mut cells = vec![work(&session, steps[0])];
        cells.extend(others.into_iter().map(|other| other.join().unwrap()));
        let held = cells.iter().map(|cell| at_peak::of(cell, session.live.mark()).1);
        assert_eq!(held.sum::<i64>(), session.peak_bytes.load(Relaxed));
    });
}

#[test]
fn cells_that_rise_and_fall_at_once() {
    peak_is_what_cells_held([&[100, -100], &[7, -7]]);
}

#[test]
fn cells_that_go_on_beyond_the_peak() {
    peak_is_what_cells_held([&[100, -100, 50], &[70, -70]]);
}

#[test]
fn cells_that_fall_while_another_rises() {
    peak_is_what_cells_held([&[100, -60, 30], &[40, 30]]);
}

#[test]
fn a_thread_that_was_alone_and_one_that_comes() {
    model(|| {
        let session = session_of(1);
        let alone = Slot::default();
        alone.alone.store(1, Relaxed);
        alone.threshold.store(4096, Relaxed);
        let other = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                // As `thread` makes a slot known.
                session.threads.fetch_add(1, AcqRel);
                session.membership.fetch_add(1, AcqRel);
                let slot = Slot::default();
                flushed(&session, &slot, 7)
            })
        };
        hold(&alone, 100);
        rise(&session, &alone, 100, 1);
        if alone.at_peak.load(Relaxed) != 0 {
            leave_peak(&session, &alone);
        }
        let last = flushed(&session, &alone, -40);
        let seen = last.max(other.join().unwrap()).max(100);
        assert_eq!(session.live.bytes(), 67);
        let peak = session.peak_bytes.load(Relaxed).max(alone.peak_bytes.load(Relaxed));
        assert!((seen..=107).contains(&peak), "{peak} after {seen}");
    });
}

/// As `thread` makes a slot known.
fn comes(session: &Session) -> Slot {
    session.threads.fetch_add(1, AcqRel);
    session.membership.fetch_add(1, AcqRel);
    let slot = Slot::default();
    flush(session, &slot);
    slot
}

fn slot_of_lone_thread() -> Slot {
    let slot = Slot::default();
    slot.alone.store(1, Relaxed);
    slot.threshold.store(4096, Relaxed);
    slot
}

#[test]
fn who_comes_may_leave_the_peak_of_a_thread_that_was_alone() {
    model(|| {
        let (session, alone, cell) = (session_of(1), slot_of_lone_thread(), Cell::default());
        Own::add(&cell.allocated_bytes, 100);
        hold(&alone, 100);
        rise(&session, &alone, 100, 1);
        let other = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                let (slot, cell) = (comes(&session), Cell::default());
                count(&session, &slot, &cell, -60);
                cell
            })
        };
        if alone.at_peak.load(Relaxed) != 0 {
            leave_peak(&session, &alone);
        }
        at_peak::keep(&alone, &cell);
        Own::add(&cell.freed_bytes, 10);
        let cells = [cell, other.join().unwrap()];
        let held = cells.iter().map(|cell| at_peak::of(cell, session.live.mark()).1);
        assert_eq!((held.sum(), alone.peak_bytes.load(Relaxed)), (100, 100));
    });
}

#[test]
fn nobody_takes_himself_for_alone_with_figures_of_before_another_came() {
    model(|| {
        let (session, alone) = (session_of(1), slot_of_lone_thread());
        let other = {
            let session = Arc::clone(&session);
            thread::spawn(move || {
                let slot = comes(&session);
                flushed(&session, &slot, 7);
                // As `thread` ends.
                session.threads.fetch_sub(1, AcqRel);
                session.membership.fetch_add(1, AcqRel);
            })
        };
        flush(&session, &alone);
        other.join().unwrap();
        let is_right = alone.flushed_bytes.load(Relaxed) == session.live.bytes();
        assert!(is_right || is_shared(&session, &alone));
    });
}

/// A thread that held something back in tick 5, and in tick 100 tells of it.
fn wakes(session: &Session, asleep: &Slot) {
    asleep.pulse.store(5 << 32, Relaxed);
    hold(asleep, 3000);
    let awake = Slot::default();
    awake.pulse.store(90 << 32, Relaxed);
    flushed(session, &awake, 10_000);
    flush_late(session, asleep, 100);
}

#[test]
fn who_wakes_dates_no_peak_back() {
    loom::model(|| {
        // Others have grown, so it is of the moment at which all are seen together.
        let session = session_of(2);
        wakes(&session, &Slot::default());
        let peak = (session.peak_bytes.load(Relaxed), session.peak_tick.load(Relaxed));
        assert_eq!(peak, (13_000, 100));
        // Of a tick that is long gone nothing is written over one that is not.
        assert_eq!(session.tick_peaks[0].load(Relaxed), 90 << 48 | 10_000);
        assert_eq!(session.tick_peaks[1].load(Relaxed), 0);
    });
}

#[test]
fn who_wakes_beside_nobody_that_grew_tells_of_its_own_time() {
    loom::model(|| {
        let (session, asleep) = (session_of(2), Slot::default());
        asleep.pulse.store(5 << 32, Relaxed);
        hold(&asleep, 3000);
        flush_late(&session, &asleep, 100);
        assert_eq!(session.peak_tick.load(Relaxed), 5);
    });
}

#[test]
fn a_higher_peak_is_of_no_earlier_tick() {
    loom::model(|| {
        let (session, asleep) = (session_of(2), Slot::default());
        session.peak_bytes.store(2000, Relaxed);
        session.peak_tick.store(90, Relaxed);
        asleep.pulse.store(5 << 32, Relaxed);
        hold(&asleep, 3000);
        flush_late(&session, &asleep, 100);
        assert_eq!(session.peak_tick.load(Relaxed), 90);
    });
}
