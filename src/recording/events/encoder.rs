//! An events frame in the making.

use std::{mem::replace, time::Duration};

use super::{
    Encoded, EventRecord, Window,
    columns::{Columns, store},
    habits::Habits,
};
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
    /// When it was written.
    window: Option<Window>,
}

/// What a frame says, before it is packed.
#[derive(Debug, Default)]
pub struct Draft {
    columns: Columns,
    /// Ticks, and of how many events each comes after.
    runs: Vec<(u64, usize)>,
    /// When events were written, and of how many each comes after.
    windows: Vec<(Window, usize)>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// One without events.
    pub fn new() -> Self {
        Self { habits: Habits::new(), draft: Draft::default(), tick: None, window: None }
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

    /// Events from here on were written then.
    pub fn during(&mut self, window: Window) {
        if self.window != Some(window) {
            self.window = Some(window);
            self.draft.windows.push((window, self.count()));
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
        (self.tick, self.window) = (None, None);
        let columns = self.draft.columns.room_for_as_much();
        let next = Draft { columns, ..Draft::default() };
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
        self.each_run(&self.runs).for_each(|(_, count)| put_uint(count, &mut counts));
        let mut id = Vec::new();
        put_uint(tid.into(), &mut id);
        put_field(1, &id, out);
        put_column(2, self.ticks(), out);
        put_field(3, &counts, out);
        self.columns.put_fields(out);
        put_column(10, began.iter().copied(), out);
        self.put_windows(out);
    }

    fn put_windows(&self, out: &mut Vec<u8>) {
        if self.windows.is_empty() {
            return;
        }
        let (mut runs, mut last) = (Vec::new(), 0);
        for (Window { after, before }, count) in self.each_run(&self.windows) {
            for value in [after.wrapping_sub(last), before.saturating_sub(after), count] {
                put_uint(value, &mut runs);
            }
            last = after;
        }
        put_field(11, &store(&runs), out);
    }

    /// What runs of events have in common, and how many each has.
    fn each_run<T: Copy>(&self, runs: &[(T, usize)]) -> impl Iterator<Item = (T, u64)> {
        let ends = runs.iter().skip(1).map(|(_, begin)| *begin).chain([self.count()]);
        runs.iter().zip(ends).map(|((what, begin), end)| (*what, (end - begin) as u64))
    }
}
