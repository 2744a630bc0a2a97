//! Looking at a journal without taking anything out.

use core::sync::atomic::{
    Ordering::{Acquire, Relaxed},
    fence,
};
use std::vec::Vec;

use super::{EventReading, Heard, entry};
use crate::session::layout::{JOURNAL, Journal};

/// How far a journal was looked at.
#[derive(Debug, Default)]
pub struct Seen {
    next: u64,
    heard: Heard,
}

impl Seen {
    /// Copies what is new and still there. Events before the first note that was seen are of
    /// nobody knows whom and when: they are left out.
    pub(super) fn peek(&mut self, journal: &Journal, first_id: u32, into: &mut Vec<EventReading>) {
        let head = journal.head.load(Acquire);
        let oldest = head.saturating_sub(JOURNAL as u64).max(self.next);
        let copied = (oldest..head).map(|position| entry(journal, position));
        let copied: Vec<_> =
            copied.map(|one| (one.what.load(Relaxed), one.word.load(Relaxed))).collect();
        fence(Acquire);
        // The writer may have been over these meanwhile, and be inside the next.
        let now = journal.head.load(Relaxed);
        let first = now.saturating_add(1).saturating_sub(JOURNAL as u64).max(oldest);
        if first > self.next {
            self.heard = Heard::default();
        }
        for (what, word) in copied.into_iter().skip((first - oldest) as usize) {
            if let Some(event) = self.heard.take(what, word)
                && self.heard.tid() != 0
            {
                into.push(event.reading(self.heard, first_id));
            }
        }
        self.next = head;
    }
}
