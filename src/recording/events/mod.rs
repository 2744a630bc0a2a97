//! Events frames: what one thread allocated and freed, in order.
//!
//! Most of what an event says can be foreseen, because allocators and programs are creatures
//! of habit: a new block takes the place of the one of its size that was freed last, or the
//! place behind the newest; the same stack asks for the same size again, and is followed by the
//! same stack as the last time; a free says only which block, since its size, stack and
//! birth stood with its allocation. Writer and reader guess alike ([`Habits`]); the frame says
//! where they guess right, and spells out the rest. Each frame starts without habits, so that it
//! can be read by itself.
//!
//! ```text
//!  1 tid uint   2 tick column      runs: tick, then how many events have it (`3 run` varints)
//!  4 ops        one byte an event: bits 0-1 kind, bits 2-3 place, bit 4 stack as foreseen,
//!               bit 5 size as foreseen
//!  5 size   6 stack   7 birth varints     where not foreseen
//!  8 rank       varints            place 1
//!  9 address    varints            place 3: 2 × zigzag of the difference to the last address
//!                                  spelled out, in steps of 16 bytes; or 1, then the address
//!  10 began     time column        when the tick of each run began, since the image's session
//!                                  began; empty where that is not known
//!  11 windows   varints            runs, three each: stamp after which events were written, less
//!                                  that of the run before; how much later the stamp is before
//!                                  which they were; how many they are. Missing where not known
//!
//!  Tags 4 to 9 and 11 begin with a byte that says how the rest is stored: 0 as it is, 1 packed,
//!  2 as a code (`huffman.rs`).
//!
//!  kind    0 allocation   1 new block of a reallocation   2 free   3 free of an untracked block
//!  place   of a new block: 0 the free one of its size that is newest; 1 another of these, rank
//!          from the newest; 2 behind the newest block; 3 spelled out
//!          of a freed one: 0 the newest block; 1 an older one, rank from the newest; 2 the one
//!          allocated after the one freed last; 3 spelled out, and so are size, stack and
//!          (free of a tracked block) birth unless foreseen
//! ```

mod columns;
mod encoder;
mod freed;
mod habits;
mod spelled;
#[cfg(test)]
mod tests;

use columns::restore;
pub use encoder::{Draft, Encoder};
use habits::Habits;
use spelled::Spelled;

use std::time::Duration;

use super::{
    column::Column,
    wire::{Fields, Malformed, take_uint},
};

/// Most events of one frame.
pub const MAX_EVENTS: usize = 1 << 16;

/// What happened to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A new block.
    #[default]
    Allocate,
    /// The new block of a reallocation; the free of the old one stands before it.
    Reallocate,
    /// A block freed.
    Free,
    /// A block freed whose allocation was not seen.
    FreeUntracked,
}

impl Kind {
    fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Allocate,
            1 => Self::Reallocate,
            2 => Self::Free,
            _ => Self::FreeUntracked,
        }
    }

    /// Whether a block is gone.
    pub fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::FreeUntracked)
    }
}

/// One allocation or free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventRecord {
    /// What.
    pub kind: Kind,
    /// Address of the block.
    pub address: u64,
    /// Requested bytes; usable bytes when untracked.
    pub size: u64,
    /// When, in ticks of the launch.
    pub tick: u64,
    /// Of a freed block that was tracked: the tick of its birth.
    pub birth: u64,
    /// Stack of the block; 0 when it has none.
    pub stack: u32,
}

/// When something was written, by stamps: numbers that all threads draw one after the other.
/// What was written before a stamp was before all that was written after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// A stamp that was drawn before.
    pub after: u64,
    /// One that was drawn later.
    pub before: u64,
}

/// Events of one thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Events {
    /// Thread id.
    pub tid: u32,
    /// In order.
    pub events: Vec<EventRecord>,
    /// When each tick in them began, nanoseconds since the image's session did: one for each
    /// run of events of the same tick, or none at all.
    pub began: Vec<u64>,
    /// When they were written, and how many in a row were; empty where that is not known.
    pub windows: Vec<(Window, u64)>,
}

/// Events of one thread, ready to be written.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// How many.
    pub count: u64,
    /// When the tick of the first began, since the image's session did.
    pub at: Duration,
    pub(super) packed: Vec<u8>,
}

impl Encoded {
    /// Bytes of a frame with them, nearly.
    pub fn len(&self) -> usize {
        self.packed.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Events {
    /// What a frame says of at most [`MAX_EVENTS`] of them.
    pub fn encode(&self) -> Encoded {
        self.draft().pack(self.tid, &self.began)
    }

    fn draft(&self) -> Draft {
        let mut encoder = Encoder::new();
        let mut windows = self.each_window();
        for event in self.events.iter().take(MAX_EVENTS) {
            encoder.turn(event.tick);
            windows.next().flatten().into_iter().for_each(|window| encoder.during(window));
            encoder.put(event);
        }
        encoder.finish()
    }

    /// Appends the fields; at most [`MAX_EVENTS`] are written.
    #[cfg(test)]
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        self.draft().put_fields(self.tid, &self.began, out);
    }

    /// The events, and when the tick of each began, as far as that is known.
    pub fn timed(&self) -> impl Iterator<Item = (&EventRecord, Option<u64>)> {
        let runs = self.events.chunk_by(|one, next| one.tick == next.tick);
        let began = self.began.iter().copied().map(Some).chain(std::iter::repeat(None));
        runs.zip(began).flat_map(|(run, began)| run.iter().map(move |event| (event, began)))
    }

    /// When each event was written, as far as that is known, and without end.
    pub fn each_window(&self) -> impl Iterator<Item = Option<Window>> {
        let each = |(window, count): &(Window, u64)| {
            std::iter::repeat_n(Some(*window), (*count).min(MAX_EVENTS as u64) as usize)
        };
        self.windows.iter().flat_map(each).chain(std::iter::repeat(None))
    }

    /// Whose events these fields tell.
    pub(super) fn tid_of(fields: &[u8]) -> Result<u32, Malformed> {
        let mut tid = 0;
        for field in Fields(fields) {
            if let (1, mut value) = field? {
                tid = take_uint(&mut value)?;
            }
        }
        u32::try_from(tid).map_err(|_| Malformed)
    }

    /// Reads the fields.
    pub(super) fn read(fields: &[u8]) -> Result<Self, Malformed> {
        let mut found: [&[u8]; 12] = [&[]; 12];
        for field in Fields(fields) {
            let (tag, value) = field?;
            if let Some(place) = found.get_mut(usize::try_from(tag).unwrap_or(usize::MAX)) {
                *place = value;
            }
        }
        let [_, mut tid, ticks, counts, stored @ .., began, windows] = found;
        let mut columns = Vec::new();
        for column in stored {
            columns.push(restore(column)?);
        }
        let [ops, size, stack, birth, rank, address] = &columns[..] else {
            return Err(Malformed);
        };
        if ops.len() > MAX_EVENTS {
            return Err(Malformed);
        }
        let tid = if tid.is_empty() { 0 } else { take_uint(&mut tid)? };
        let mut left = Spelled {
            ticks: Column::new(ticks),
            counts,
            tick: 0,
            run: 0,
            size,
            stack,
            birth,
            rank,
            address,
            numbers: Vec::with_capacity(ops.len()),
        };
        let mut events = Self {
            tid: u32::try_from(tid).map_err(|_| Malformed)?,
            events: Vec::with_capacity(ops.len()),
            began: read_began(began)?,
            windows: read_windows(&restore(windows)?)?,
        };
        let mut habits = Habits::new();
        for op in ops {
            let event = left.take(*op, &mut habits)?;
            habits.note(&event);
            events.events.push(event);
        }
        Ok(events)
    }
}

fn read_began(column: &[u8]) -> Result<Vec<u64>, Malformed> {
    let mut column = Column::new(column);
    let mut began = Vec::new();
    while !column.is_done() {
        if began.len() == MAX_EVENTS {
            return Err(Malformed);
        }
        began.push(column.next()?);
    }
    Ok(began)
}

fn read_windows(mut runs: &[u8]) -> Result<Vec<(Window, u64)>, Malformed> {
    let (mut after, mut windows) = (0_u64, Vec::new());
    while !runs.is_empty() {
        if windows.len() == MAX_EVENTS {
            return Err(Malformed);
        }
        after = after.wrapping_add(take_uint(&mut runs)?);
        let before = after.saturating_add(take_uint(&mut runs)?);
        windows.push((Window { after, before }, take_uint(&mut runs)?));
    }
    Ok(windows)
}
