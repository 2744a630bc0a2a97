//! What entries of a journal say, and events on their way to whoever takes them.

use core::sync::atomic::Ordering::Relaxed;

use super::EventReading;
use crate::{
    session::layout::{Journal, kind},
    shadow,
};

/// Events are passed on in pieces of at most so many: one at a time would be called for too often.
const AT_ONCE: usize = 64;
const ADDRESS: u64 = (1 << 56) - 1;

/// What entries said of those behind them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    note: u64,
    size: u64,
    stamp: u64,
}

impl Heard {
    pub(super) fn of(journal: &Journal) -> Self {
        Self {
            note: journal.heard.load(Relaxed),
            size: journal.heard_size.load(Relaxed),
            stamp: journal.heard_stamp.load(Relaxed),
        }
    }

    /// Nothing but a note.
    pub(super) fn note(note: u64) -> Self {
        Self { note, ..Self::default() }
    }

    /// Whether it is known whose an event is, and how large its block.
    pub(super) fn is_known(self, event: &Told) -> bool {
        self.tid() != 0 && !(shadow::is_wide(event.word) && event.size == 0)
    }

    pub(super) fn keep(self, journal: &Journal) {
        journal.heard.store(self.note, Relaxed);
        journal.heard_size.store(self.size, Relaxed);
        journal.heard_stamp.store(self.stamp, Relaxed);
    }

    pub(super) fn tid(self) -> u32 {
        (self.note >> 32) as u32
    }

    fn tick(self) -> u32 {
        self.note as u32
    }

    /// What an entry says, when it is an event.
    pub(super) fn take(&mut self, what: u64, word: u64) -> Option<Told> {
        match what >> 56 {
            kind::NOTE => self.note = word,
            kind::SIZE => self.size = word,
            kind::STAMP => self.stamp = word,
            _ => return Some(self.told(what, word)),
        }
        None
    }

    #[inline(always)]
    fn told(self, what: u64, word: u64) -> Told {
        let size = if shadow::is_wide(word) { self.size } else { shadow::size_in(word) };
        Told { what, word, size }
    }
}

/// An event, less what it has in common with others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    what: u64,
    word: u64,
    /// Requested bytes; usable bytes when untracked.
    pub size: u64,
}

impl Told {
    /// One of [`kind`](crate::session::layout::kind).
    #[inline(always)]
    pub fn kind(&self) -> u64 {
        self.what >> 56
    }

    /// Address of the block.
    #[inline(always)]
    pub fn address(&self) -> u64 {
        self.what & ADDRESS
    }

    /// When the block was born, in ticks (modulo 2^20); meaningful on a release.
    #[inline(always)]
    pub fn birth_tick(&self) -> u32 {
        shadow::birth_tick_in(self.word)
    }

    /// Id of the block's stack, less its session's first; meaningless when untracked.
    #[inline(always)]
    pub fn stack(&self, first_id: u32) -> u32 {
        shadow::id_in(self.word).wrapping_sub(first_id)
    }

    pub(super) fn reading(&self, heard: Heard, first_id: u32) -> EventReading {
        EventReading {
            kind: self.kind(),
            address: self.address(),
            size: self.size,
            tick: heard.tick(),
            birth_tick: self.birth_tick(),
            tid: heard.tid(),
            stack: self.stack(first_id),
        }
    }
}

/// Some events of a thread, in one tick.
#[derive(Debug, Clone, Copy)]
pub struct Together<'a> {
    /// In their order.
    pub events: &'a [Told],
    /// The session's first id.
    pub first_id: u32,
    /// They were all written when this was the next stamp.
    pub before: u64,
    heard: Heard,
}

impl Together<'_> {
    /// They were written after this was drawn.
    pub fn after(&self) -> u64 {
        self.heard.stamp
    }

    /// Who did it; 0 = not known.
    pub fn tid(&self) -> u32 {
        self.heard.tid()
    }

    /// When, in ticks (low 32 bits).
    pub fn tick(&self) -> u32 {
        self.heard.tick()
    }

    /// Each by itself.
    pub fn readings(&self) -> impl Iterator<Item = EventReading> {
        self.events.iter().map(|event| event.reading(self.heard, self.first_id))
    }
}

/// Events on their way to whoever takes them.
pub(super) struct Passing<'a> {
    heard: Heard,
    first_id: u32,
    /// The next stamp, when all that is to come was written.
    now: u64,
    events: [Told; AT_ONCE],
    count: usize,
    passed: usize,
    take: &'a mut dyn FnMut(&Together),
}

impl<'a> Passing<'a> {
    pub(super) fn new(
        heard: Heard,
        first_id: u32,
        now: u64,
        take: &'a mut dyn FnMut(&Together),
    ) -> Self {
        let events = [Told::default(); AT_ONCE];
        Self { heard, first_id, now, events, count: 0, passed: 0, take }
    }

    /// Takes in what an entry says.
    #[inline(always)]
    pub(super) fn put(&mut self, what: u64, word: u64) {
        if what >> 56 >= kind::NOTE {
            return self.hear(what, word);
        }
        self.events[self.count] = self.heard.told(what, word);
        self.count += 1;
        if self.count == AT_ONCE {
            self.pass(self.now);
        }
    }

    #[cold]
    #[inline(never)]
    fn hear(&mut self, what: u64, word: u64) {
        // Where many write, another drew it, perhaps before what stands here was written.
        let is_own_stamp = what >> 56 == kind::STAMP && self.heard.tid() != 0;
        self.pass(if is_own_stamp { word } else { self.now });
        if let Some(event) = self.heard.take(what, word) {
            (self.events[0], self.count) = (event, 1);
        }
    }

    #[inline(never)]
    fn pass(&mut self, before: u64) {
        if self.count > 0 {
            let events = &self.events[..self.count];
            let &mut Self { first_id, heard, .. } = self;
            (self.take)(&Together { events, first_id, before, heard });
        }
        self.passed += self.count;
        self.count = 0;
    }

    /// What was said last.
    pub(super) fn heard(&self) -> Heard {
        self.heard
    }

    /// How many events there were.
    pub(super) fn finish(mut self) -> usize {
        self.pass(self.now);
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between which stamps the events of a journal of thread `tid` were written, when 9 is next.
    fn windows(tid: u64) -> Vec<(u64, u64)> {
        let mut windows = Vec::new();
        let mut take = |some: &Together| windows.push((some.after(), some.before));
        let mut passing = Passing::new(Heard::default(), 0, 9, &mut take);
        for stamp in [5, 4] {
            passing.put(kind::NOTE << 56, tid << 32);
            passing.put(kind::STAMP << 56, stamp);
            passing.put(kind::ALLOCATE << 56, 0);
        }
        passing.put(kind::STAMP << 56, 7);
        assert_eq!(passing.finish(), 2);
        windows
    }

    #[test]
    fn a_stamp_is_later_than_what_its_own_thread_wrote_before() {
        assert_eq!(windows(3), [(5, 9), (4, 7)]);
        assert_eq!(windows(0), [(5, 9), (4, 9)]);
    }
}
