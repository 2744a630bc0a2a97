//! The thread that makes blocks for the recording out of what was read from the journals.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender};
use memtop_probe::session::{
    layout::kind,
    reader::{EventReading, Reader},
};

use super::{drain::Batch, ticks::TickTimes};
use crate::recording::{Encoded, Encoder, EventRecord, Kind, MAX_EVENTS};

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

/// Makes blocks of batches.
pub struct Encode {
    /// Whose events they are.
    pub reader: Arc<Reader>,
    /// When they were.
    pub ticks: Arc<TickTimes>,
    /// Where blocks go.
    pub outbox: Arc<Outbox>,
    /// Where the room of a batch goes; what finds none is given back to the system.
    pub spares: Sender<Vec<EventReading>>,
}

impl Encode {
    /// Encodes batches until there are no more.
    pub fn run(&self, batches: &Receiver<Batch>) {
        let mut encoder = Encoder::new();
        for Batch { session, mut events } in batches {
            if let Some((_, started_ns)) = self.reader.identity(session) {
                self.encode(session, started_ns, &events, &mut encoder);
            }
            events.clear();
            if events.capacity() >= MAX_EVENTS {
                let _ = self.spares.try_send(events);
            }
        }
    }

    fn encode(
        &self,
        session: usize,
        started_ns: u64,
        mut events: &[EventReading],
        encoder: &mut Encoder,
    ) {
        while let Some(&EventReading { tid, .. }) = events.first() {
            let of_one = events.iter().take(MAX_EVENTS).take_while(|event| event.tid == tid);
            of_one.for_each(|event| encoder.put(&record(event)));
            events = &events[encoder.count()..];
            let since = |tick| self.ticks.of(tick).saturating_sub(started_ns);
            let began: Vec<_> = encoder.ticks().map(since).collect();
            let events = encoder.finish(tid, &began);
            if let Err(block) = self.outbox.put(Block { session, events }) {
                self.reader.count_dropped(block.session, block.events.count);
            }
        }
    }
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
