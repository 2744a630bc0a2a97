//! The thread that makes blocks for the recording out of what was read from the journals.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Receiver;
use memtop_probe::session::{
    layout::kind,
    reader::{EventReading, Reader},
};

use super::{drain::Batch, ticks::TickTimes};
use crate::recording::{Encoded, EventRecord, Events, Kind, MAX_EVENTS};

/// Blocks that are not fetched take at most so many bytes; more is dropped, and counted.
const MOST_BYTES: usize = 64 << 20;
/// Ticks of a birth are kept modulo this in the program.
const BIRTH_TICKS: u32 = 1 << 20;

/// Events of one thread of a session.
#[derive(Debug)]
pub struct Block {
    /// Number of the session.
    pub session: usize,
    /// The events.
    pub events: Encoded,
}

/// Blocks that wait to be fetched.
#[derive(Debug, Default)]
pub struct Outbox {
    blocks: Mutex<(Vec<Block>, usize)>,
}

impl Outbox {
    /// Takes all blocks out.
    pub fn fetch(&self) -> Vec<Block> {
        let mut held = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        held.1 = 0;
        std::mem::take(&mut held.0)
    }

    /// Gives the block back when there is no room.
    fn put(&self, block: Block) -> Result<(), Block> {
        let mut held = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = held.1 + block.events.len();
        if bytes > MOST_BYTES {
            return Err(block);
        }
        held.1 = bytes;
        held.0.push(block);
        Ok(())
    }
}

/// Encodes batches until there are no more.
pub fn run(reader: &Reader, ticks: &TickTimes, batches: &Receiver<Batch>, outbox: &Arc<Outbox>) {
    for batch in batches {
        let Some((_, started_ns)) = reader.identity(batch.session) else { continue };
        for piece in batch.events.chunks(MAX_EVENTS) {
            let events = encode(piece, started_ns, ticks);
            if let Err(block) = outbox.put(Block { session: batch.session, events }) {
                reader.count_dropped(block.session, block.events.count);
            }
        }
    }
}

fn encode(readings: &[EventReading], started_ns: u64, ticks: &TickTimes) -> Encoded {
    let tid = readings.first().map_or(0, |first| first.tid);
    let events: Vec<_> = readings.iter().map(record).collect();
    let runs = events.chunk_by(|one, next| one.tick == next.tick);
    let began = runs.map(|run| ticks.of(run[0].tick).saturating_sub(started_ns)).collect();
    Events { tid, events, began }.encode()
}

fn record(reading: &EventReading) -> EventRecord {
    let kind = match reading.kind {
        kind::REALLOCATE => Kind::Reallocate,
        kind::RELEASE => Kind::Free,
        kind::RELEASE_UNTRACKED => Kind::FreeUntracked,
        _ => Kind::Allocate,
    };
    let age = reading.tick.wrapping_sub(reading.birth_tick) % BIRTH_TICKS;
    let tracked = kind != Kind::FreeUntracked;
    EventRecord {
        kind,
        address: reading.address,
        size: reading.size,
        tick: reading.tick.into(),
        birth: if kind == Kind::Free { reading.tick.wrapping_sub(age).into() } else { 0 },
        stack: if tracked { reading.stack } else { 0 },
    }
}
