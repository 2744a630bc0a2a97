//! Handing out session memory.
//!
//! ```text
//!  session ──cuts──▶ piece piece piece ┆ free     a region belongs to one session
//!                    └──────── region ────────┘   owners[region] = its mark
//! ```
//!
//! Always holds:
//! - a process cuts pieces from regions of its own session alone, and never gives one back: who
//!   dies at any instruction leaves nothing half done that anyone waits for;
//! - a piece is zero-filled when it is handed out;
//! - the keeper gives regions back (`reader::returned`), whole, once their process is gone.

use core::{
    ops::Range,
    sync::atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use super::{
    layout::{
        FORKED, GONE, Header, OWNERS, PAGE, PIECES, REFUSED, REGION, REGIONS, SESSIONS, Session,
        UNPLACED,
    },
    memory::Memory,
};
use crate::sys;

impl Memory {
    /// Hands out a piece for a session, whole pages, zero-filled. `None` when the limit is met or
    /// no region is free.
    pub fn take_piece(&self, session: &Session, bytes: u64) -> Option<u64> {
        let bytes = bytes.checked_next_multiple_of(PAGE)?;
        let offset = self.charged(bytes, || {
            cut(session, bytes).or_else(|| {
                // A session that was taken from under its process has no mark.
                let mark = Some(session.mark.load(Relaxed)).filter(|mark| *mark != 0)?;
                let start = self.claim(bytes, mark)?;
                keep_rest(session, start + bytes);
                Some(start)
            })
        })?;
        session.shared_bytes.fetch_add(bytes, Relaxed);
        Some(offset)
    }

    /// Hands out the first piece of a session, which is to begin there.
    pub fn take_first_piece(&self, bytes: u64) -> Option<(u64, &'static Session)> {
        let bytes = bytes.checked_next_multiple_of(PAGE)?;
        // Without a place in the table nobody would ever give the region back.
        if self.header().sessions.load(Relaxed) as usize >= SESSIONS {
            return None;
        }
        let offset = self.charged(bytes, || self.claim(bytes, UNPLACED))?;
        let session = self.session(offset)?;
        session.shared_bytes.store(bytes, Relaxed);
        keep_rest(session, offset + bytes);
        Some((offset, session))
    }

    /// Enters a session, which begins at an offset, into the table: readers see it from now on.
    pub fn enter(&self, session: &Session, offset: u64) -> Option<()> {
        let index = self.header().sessions.fetch_add(1, AcqRel);
        let entry = self.table_entry(index as usize)?;
        session.mark.store(index + 1, Relaxed);
        self.owner(region_of(offset))?.store(index + 1, Relaxed);
        entry.store(offset, Release);
        Some(())
    }

    /// Notes a process that found no room for a session: a fork, or a program that was executed.
    pub fn refuse(&self, pid: u32, is_fork: bool) {
        let header = self.header();
        let number = header.refused.fetch_add(1, Relaxed);
        let who = if is_fork { pid | FORKED } else { pid };
        let told = u64::from(number.wrapping_add(1)) << 32 | u64::from(who);
        let place = number as usize % REFUSED;
        header.refused_ns[place].store(sys::monotonic_ns(), Relaxed);
        header.refused_processes[place].store(told, Release);
    }

    /// Whether the session with this mark is in the table still.
    pub fn is_entered(&self, mark: u32) -> bool {
        let entry = mark.checked_sub(1).and_then(|index| self.table_entry(index as usize));
        entry.is_some_and(|entry| entry.load(Acquire) & GONE == 0)
    }

    /// Mark of the session that a region belongs to; 0 = none.
    pub(super) fn owner(&self, region: usize) -> Option<&'static AtomicU32> {
        if region >= self.regions() {
            return None;
        }
        // SAFETY: an atomic has no invalid values.
        unsafe { self.get(OWNERS + region as u64 * 4) }
    }

    /// How many regions there are.
    pub(super) fn regions(&self) -> usize {
        REGIONS.min((self.length().saturating_sub(PIECES) / REGION) as usize)
    }

    /// What `take` hands out, if so many bytes are within the limit.
    fn charged(&self, bytes: u64, take: impl FnOnce() -> Option<u64>) -> Option<u64> {
        let header = self.header();
        let is_over = |shared: u64| {
            let used = shared.saturating_add(header.private_bytes.load(Relaxed));
            used.saturating_add(bytes) > header.limit.load(Relaxed)
        };
        // Asked beforehand too: many ask once the limit is met.
        if is_over(header.shared_bytes.load(Relaxed)) {
            return None;
        }
        let is_over = is_over(header.shared_bytes.fetch_add(bytes, Relaxed));
        let taken = if is_over { None } else { take() };
        if taken.is_none() {
            header.shared_bytes.fetch_sub(bytes, Relaxed);
        }
        taken
    }

    /// Marks as many regions in a row as hold so many bytes, and returns their offset.
    fn claim(&self, bytes: u64, mark: u32) -> Option<u64> {
        let (count, all) = (bytes.div_ceil(REGION) as usize, self.regions());
        let Header { next_region: next, freed, full_at, .. } = self.header();
        // Looking through all of them takes microseconds, which nobody is to pay at each call.
        let full = freed.load(Acquire).wrapping_add(1);
        if full_at.load(Relaxed) == full {
            return None;
        }
        let first = next.load(Relaxed) as usize;
        for from in (0..all).map(|distance| (first + distance) % all) {
            if self.mark_all(from, count, mark) {
                next.store((from + count) as u32, Relaxed);
                return Some(PIECES + from as u64 * REGION);
            }
        }
        if count == 1 {
            full_at.store(full, Relaxed);
        }
        None
    }

    /// All of these regions, or none.
    fn mark_all(&self, from: usize, count: usize, mark: u32) -> bool {
        let marked = (from..from + count).take_while(|region| {
            let free = |owner: &AtomicU32| {
                owner.load(Relaxed) == 0 && owner.compare_exchange(0, mark, AcqRel, Relaxed).is_ok()
            };
            self.owner(*region).is_some_and(free)
        });
        let marked = marked.count();
        if marked < count {
            self.set_free(from..from + marked);
        }
        marked == count
    }

    /// Lets others have regions.
    pub(super) fn set_free(&self, regions: Range<usize>) {
        if !regions.is_empty() {
            regions
                .filter_map(|region| self.owner(region))
                .for_each(|owner| owner.store(0, Release));
            self.header().freed.fetch_add(1, Release);
        }
    }
}

/// The region that an offset lies in.
fn region_of(offset: u64) -> usize {
    (offset.saturating_sub(PIECES) / REGION) as usize
}

/// Bytes from an offset to the end of its region; at the very end there are none.
fn rest_of(offset: u64) -> u64 {
    offset.wrapping_sub(PIECES).wrapping_neg() % REGION
}

/// A piece from the rest of the session's newest region.
fn cut(session: &Session, bytes: u64) -> Option<u64> {
    let next = &session.next_piece;
    let fits = |offset: u64| (offset != 0 && rest_of(offset) >= bytes).then(|| offset + bytes);
    next.fetch_update(AcqRel, Acquire, fits).ok()
}

/// Later pieces are cut from here on, if more is left than of the region before.
fn keep_rest(session: &Session, offset: u64) {
    if rest_of(offset) > rest_of_newest(session) {
        session.next_piece.store(offset, Release);
    }
}

fn rest_of_newest(session: &Session) -> u64 {
    match session.next_piece.load(Acquire) {
        0 => 0,
        offset => rest_of(offset),
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::session::{memory::Settings, reader::Reader};

    const SMALL: u64 = 4 << 20;

    fn memory(limit: u64) -> Memory {
        let settings = Settings { size: SMALL, nonce: 1, now_ns: 0, tick_ns: 1, limit, frames: 0 };
        let (memory, fd) = Memory::create(&settings).unwrap();
        // SAFETY: the descriptor is ours; the mapping stays.
        unsafe { libc::close(fd) };
        memory
    }

    fn new_session(memory: &Memory) -> (&'static Session, u64) {
        let (offset, session) = memory.take_first_piece(40 * 1024).unwrap();
        memory.enter(session, offset).unwrap();
        (session, offset)
    }

    #[test]
    fn pieces_of_a_session_share_its_region_and_no_other_ones() {
        let memory = memory(SMALL);
        let ((one, start), (other, elsewhere)) = (new_session(&memory), new_session(&memory));
        assert_eq!(elsewhere, start + REGION);
        let pieces: Vec<u64> = (0..3).map(|_| memory.take_piece(one, 28 * 1024).unwrap()).collect();
        assert_eq!(pieces, [40, 68, 96].map(|at| start + at * 1024));
        assert_eq!(memory.take_piece(one, 28 * 1024), Some(start + 2 * REGION));
        assert_eq!(memory.take_piece(other, 1), Some(elsewhere + 40 * 1024));
        assert_eq!(one.shared_bytes.load(Relaxed), (40 + 4 * 28) * 1024);
    }

    #[test]
    fn a_piece_that_is_larger_than_a_region_has_several_in_a_row() {
        let memory = memory(SMALL);
        let (session, start) = new_session(&memory);
        let large = memory.take_piece(session, 2 * REGION + 1).unwrap();
        assert_eq!(large, start + REGION);
        assert!((1..4).all(|region| memory.owner(region).unwrap().load(Relaxed) == 1));
        // What is left of the last one is more than what is left of the first.
        assert_eq!(memory.take_piece(session, PAGE), Some(large + 2 * REGION + PAGE));
    }

    #[test]
    fn nothing_is_handed_out_beyond_the_limit_or_the_end() {
        let limited = memory(100 * 1024);
        let (session, _) = new_session(&limited);
        assert_eq!(limited.take_piece(session, 64 * 1024), None);
        assert_eq!(limited.header().shared_bytes.load(Relaxed), 40 * 1024);
        assert!(limited.take_piece(session, 60 * 1024).is_some());
        let memory = memory(u64::MAX);
        let (session, _) = new_session(&memory);
        assert_eq!(memory.take_piece(session, SMALL), None);
        assert_eq!(memory.take_piece(session, u64::MAX), None);
        assert!((1..memory.regions()).all(|_| memory.take_piece(session, REGION).is_some()));
        assert_eq!(memory.take_piece(session, REGION), None);
        assert!(memory.take_piece(session, PAGE).is_some(), "the first region has room");
    }

    #[test]
    fn once_all_is_taken_nobody_looks_again_before_something_is_free() {
        let memory = memory(u64::MAX);
        let (session, _) = new_session(&memory);
        while memory.take_piece(session, REGION).is_some() {}
        let last = memory.regions() - 1;
        memory.owner(last).unwrap().store(0, Relaxed);
        assert_eq!(memory.take_piece(session, REGION), None, "it does not look");
        memory.set_free(last..last + 1);
        assert_eq!(memory.take_piece(session, REGION), Some(PIECES + last as u64 * REGION));
        assert_eq!(memory.take_piece(session, REGION), None);
    }

    #[test]
    fn those_that_are_refused_are_told_in_order_and_as_far_as_they_have_said() {
        let memory = memory(SMALL);
        let reader = Reader::over(memory);
        let refused = |from| {
            let (all, next, is_late) = reader.refused(from);
            let who = all.iter().map(|one| (one.pid, one.is_fork)).collect::<Vec<_>>();
            (who, next, is_late)
        };
        assert_eq!(refused(0), (vec![], 0, false));
        let before = sys::monotonic_ns();
        memory.refuse(7, false);
        let between = sys::monotonic_ns();
        memory.refuse(8, true);
        assert_eq!(refused(0), (vec![(7, false), (8, true)], 2, false));
        let [first, second] = reader.refused(0).0[..] else { panic!("two are told") };
        assert!((before..=between).contains(&first.at_ns), "{first:?}");
        assert!((between..=sys::monotonic_ns()).contains(&second.at_ns), "{second:?}");
        // The next one has its number, and has not said who it is.
        memory.header().refused.fetch_add(1, Relaxed);
        memory.refuse(9, false);
        assert_eq!(refused(1), (vec![(8, true)], 2, true));
        assert_eq!(refused(2), (vec![], 2, true));
        assert_eq!(refused(3), (vec![(9, false)], 4, false));
        (0..REFUSED).for_each(|_| memory.refuse(1, false));
        assert_eq!(refused(0).0.len(), REFUSED, "older ones are forgotten");
    }
}
