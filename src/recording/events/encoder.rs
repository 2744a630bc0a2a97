//! An events frame in the making.

use std::{mem::take, time::Duration};

use super::{Encoded, EventRecord, columns::Columns, habits::Habits};
use crate::recording::{
    block,
    column::put_column,
    wire::{put_field, put_uint},
};

/// Makes one frame after the other. To be kept, for it takes a megabyte.
pub struct Encoder {
    habits: Habits,
    columns: Columns,
    /// Ticks, and how many events in a row each has.
    runs: Vec<(u64, u64)>,
    fields: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// One without events.
    pub fn new() -> Self {
        let (runs, fields) = (Vec::new(), Vec::new());
        Self { habits: Habits::new(), columns: Columns::default(), runs, fields }
    }

    /// Events of the frame so far.
    pub fn count(&self) -> usize {
        self.columns.ops.len()
    }

    /// Appends an event of the frame's thread; at most [`MAX_EVENTS`](super::MAX_EVENTS) are to be put.
    #[inline]
    pub fn put(&mut self, event: &EventRecord) {
        match self.runs.last_mut() {
            Some((tick, count)) if *tick == event.tick => *count += 1,
            _ => self.runs.push((event.tick, 1)),
        }
        self.columns.put(event, &mut self.habits);
    }

    /// The tick of each run of events of the same.
    pub fn ticks(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().map(|(tick, _)| *tick)
    }

    /// The frame, of this thread; `began` is that of [`Events`](super::Events). The next begins.
    pub fn finish(&mut self, tid: u32, began: &[u64]) -> Encoded {
        let mut fields = take(&mut self.fields);
        self.put_fields(tid, began, &mut fields);
        let encoded = Encoded {
            count: self.count() as u64,
            at: Duration::from_nanos(began.first().copied().unwrap_or(0)),
            packed: block::pack(&fields),
        };
        fields.clear();
        self.fields = fields;
        self.habits.forget();
        self.columns.clear();
        self.runs.clear();
        encoded
    }

    pub(super) fn put_fields(&self, tid: u32, began: &[u64], out: &mut Vec<u8>) {
        let mut counts = Vec::new();
        self.runs.iter().for_each(|(_, count)| put_uint(*count, &mut counts));
        let mut id = Vec::new();
        put_uint(tid.into(), &mut id);
        put_field(1, &id, out);
        put_column(2, self.ticks(), out);
        put_field(3, &counts, out);
        self.columns.put_fields(out);
        put_column(10, began.iter().copied(), out);
    }
}
