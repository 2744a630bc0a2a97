//! Looking at a journal without taking anything out.

use core::sync::atomic::{
    Ordering::{Acquire, Relaxed},
    fence,
};
use std::vec::Vec;

use super::{EventReading, Heard, entry};
use crate::session::layout::{JOURNAL, Journal, kind};

/// How far a journal was looked at.
#[derive(Debug, Default)]
pub struct Seen {
    next: u64,
    heard: Heard,
}

/// Entries as they are copied: what, and the word.
type Copied = [(u64, u64)];

impl Seen {
    /// Copies what is new and still there. Events of which it is not known whose they are, or how
    /// large, are left out: those behind a gap, up to what is said next.
    pub(super) fn peek(&mut self, journal: &Journal, first_id: u32, into: &mut Vec<EventReading>) {
        let head = journal.head.load(Acquire);
        let said = journal.said.load(Acquire);
        let oldest = head.saturating_sub(JOURNAL as u64).max(self.next);
        let copied = (oldest..head).map(|position| entry(journal, position));
        let copied: Vec<_> =
            copied.map(|one| (one.what.load(Relaxed), one.word.load(Relaxed))).collect();
        fence(Acquire);
        // The writer may have been over these meanwhile, and be inside the next.
        let now = journal.head.load(Relaxed);
        let first = now.saturating_add(1).saturating_sub(JOURNAL as u64).max(oldest);
        let rest = copied.get((first - oldest) as usize..).unwrap_or_default();
        if first > self.next {
            self.heard = behind_a_gap(rest, (said, journal.said.load(Relaxed)));
        }
        for &(what, word) in rest {
            let event = self.heard.take(what, word).filter(|event| self.heard.is_known(event));
            into.extend(event.map(|event| event.reading(self.heard, first_id)));
        }
        self.next = head;
    }
}

/// What was said of entries, of which those before are not known. Where none of them says
/// anything, that is what the writer said last, before and after they were copied.
fn behind_a_gap(entries: &Copied, (before, after): (u64, u64)) -> Heard {
    let says = |(what, _): &(u64, u64)| what >> 56 == kind::NOTE;
    match before == after && !entries.iter().any(says) {
        true => Heard::note(after),
        false => Heard::default(),
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::Ordering::Release;
    use std::boxed::Box;

    use super::*;
    use crate::{journal::what, shadow::word_of};

    /// A journal and its writer.
    struct Written(Box<Journal>);

    impl Written {
        fn new() -> Self {
            // SAFETY: a journal is made of atomics alone.
            Self(unsafe { Box::new_zeroed().assume_init() })
        }

        fn put(&self, kind: u64, word: u64) {
            let head = self.0.head.load(Relaxed);
            entry(&self.0, head).word.store(word, Relaxed);
            entry(&self.0, head).what.store(what(kind, 16), Relaxed);
            self.0.head.store(head + 1, Release);
        }

        fn say(&self, tid: u64, tick: u64) {
            self.put(kind::NOTE, tid << 32 | tick);
            self.0.said.store(tid << 32 | tick, Release);
        }

        fn allocate(&self, count: usize) {
            (0..count).for_each(|_| self.put(kind::ALLOCATE, word_of(3, 0, 40)));
        }

        /// Number, thread and tick of what is seen, by run.
        fn look(&self, seen: &mut Seen) -> Vec<(usize, u32, u32)> {
            let mut events = Vec::new();
            seen.peek(&self.0, 1, &mut events);
            let of = |event: &EventReading| (event.tid, event.tick);
            let runs = events.chunk_by(|one, next| of(one) == of(next));
            runs.map(|run| (run.len(), run[0].tid, run[0].tick)).collect()
        }
    }

    #[test]
    fn a_busy_thread_is_seen_at_each_look() {
        let (written, mut seen) = (Written::new(), Seen::default());
        written.say(7, 1);
        written.allocate(10);
        assert_eq!(written.look(&mut seen), [(10, 7, 1)]);
        written.allocate(5);
        assert_eq!(written.look(&mut seen), [(5, 7, 1)]);
        // More than there is room for; the writer may be inside the oldest of them.
        for _ in 0..2 {
            written.allocate(JOURNAL + 100);
            assert_eq!(written.look(&mut seen), [(JOURNAL - 1, 7, 1)]);
        }
        assert_eq!(written.look(&mut seen), []);
    }

    #[test]
    fn what_is_of_nobody_knows_whom_is_left_out() {
        let (written, mut seen) = (Written::new(), Seen::default());
        written.say(7, 1);
        written.allocate(JOURNAL);
        written.say(8, 2);
        written.allocate(20);
        assert_eq!(written.look(&mut seen), [(20, 8, 2)]);
    }

    #[test]
    fn a_size_behind_a_gap_is_not_known() {
        let (written, mut seen) = (Written::new(), Seen::default());
        let wide = word_of(3, 0, 1 << 30);
        written.say(7, 1);
        written.put(kind::SIZE, 1 << 30);
        written.put(kind::ALLOCATE, wide);
        written.allocate(JOURNAL - 2);
        // The wide one is the oldest that is there.
        assert_eq!(written.look(&mut seen), [(JOURNAL - 2, 7, 1)]);
    }
}
