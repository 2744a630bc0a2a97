//! An events frame in the making.

use std::{mem::replace, time::Duration};

use super::{Encoded, EventRecord, columns::Columns, habits::Habits};
use crate::recording::{
    block,
    column::put_column,
    wire::{put_field, put_uint},
};

/// Makes one frame after the other. To be kept, for it takes some two megabytes where it had to.
pub struct Encoder {
    habits: Habits,
    draft: Draft,
    /// Tick of the last event of the frame.
    tick: Option<u64>,
}

/// What a frame says, before it is packed.
#[derive(Debug, Default)]
pub struct Draft {
    columns: Columns,
    /// Ticks, and of how many events each comes after.
    runs: Vec<(u64, usize)>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// One without events.
    pub fn new() -> Self {
        Self { habits: Habits::new(), draft: Draft::default(), tick: None }
    }

    /// Events of the frame so far.
    #[inline]
    pub fn count(&self) -> usize {
        self.draft.count()
    }

    /// What will be looked up for events at these addresses is fetched for all of them at once:
    /// one after the other would be waited for, as often as not.
    #[inline(always)]
    pub fn expect(&self, addresses: impl Iterator<Item = u64>) {
        addresses.for_each(|address| self.habits.expect(address));
    }

    /// Events from here on are of this tick.
    pub fn turn(&mut self, tick: u64) {
        if self.tick != Some(tick) {
            self.tick = Some(tick);
            self.draft.runs.push((tick, self.count()));
        }
    }

    /// Appends an event of the frame's thread and of the [tick](Self::turn); at most
    /// [`MAX_EVENTS`](super::MAX_EVENTS) are to be put.
    #[inline(always)]
    pub fn put(&mut self, event: &EventRecord) {
        debug_assert_eq!(Some(event.tick), self.tick);
        self.draft.columns.put(event, &mut self.habits);
    }

    /// The frame so far. The next begins, and will have about as much to say.
    pub fn finish(&mut self) -> Draft {
        self.habits.forget();
        self.tick = None;
        let next = Draft { columns: self.draft.columns.room_for_as_much(), runs: Vec::new() };
        replace(&mut self.draft, next)
    }
}

impl Draft {
    /// How many events it tells of.
    #[inline]
    pub fn count(&self) -> usize {
        self.columns.count()
    }

    /// The tick of each run of events of the same.
    pub fn ticks(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().map(|(tick, _)| *tick)
    }

    /// The frame, of this thread; `began` is that of [`Events`](super::Events).
    pub fn pack(&self, tid: u32, began: &[u64]) -> Encoded {
        let mut fields = Vec::with_capacity(self.columns.len());
        self.put_fields(tid, began, &mut fields);
        Encoded {
            count: self.count() as u64,
            at: Duration::from_nanos(began.first().copied().unwrap_or(0)),
            packed: block::pack_again(&fields),
        }
    }

    pub(super) fn put_fields(&self, tid: u32, began: &[u64], out: &mut Vec<u8>) {
        let mut counts = Vec::new();
        let ends = self.runs.iter().skip(1).map(|(_, begin)| *begin).chain([self.count()]);
        for ((_, begin), end) in self.runs.iter().zip(ends) {
            put_uint((end - begin) as u64, &mut counts);
        }
        let mut id = Vec::new();
        put_uint(tid.into(), &mut id);
        put_field(1, &id, out);
        put_column(2, self.ticks(), out);
        put_field(3, &counts, out);
        self.columns.put_fields(out);
        put_column(10, began.iter().copied(), out);
    }
}
