//! The thread that packs what was read from the journals, for the recording.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Receiver;
use memtop_probe::session::reader::Reader;

use super::{busy::ToPack, ticks::TickTimes};
use crate::recording::Encoded;

/// Blocks that are not fetched take at most so many bytes; more is dropped, and counted.
const MOST_BYTES: usize = 64 << 20;

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

/// Makes blocks of what was read.
pub struct Pack {
    /// Whose events they are.
    pub reader: Arc<Reader>,
    /// When they were.
    pub ticks: Arc<TickTimes>,
    /// Where blocks go.
    pub outbox: Arc<Outbox>,
}

impl Pack {
    /// Packs until there is no more.
    pub fn run(&self, to_pack: &Receiver<ToPack>) {
        for one in to_pack {
            if let Some((_, started_ns)) = self.reader.identity(one.session) {
                self.pack(&one, started_ns);
            }
        }
    }

    fn pack(&self, ToPack { session, tid, draft }: &ToPack, started_ns: u64) {
        let since = |tick| self.ticks.of(tick).saturating_sub(started_ns);
        let began: Vec<_> = draft.ticks().map(since).collect();
        let block = Block { session: *session, events: draft.pack(*tid, &began) };
        if let Err(block) = self.outbox.put(block) {
            self.reader.count_dropped(block.session, block.events.count);
        }
    }
}
