//! Session memory of processes that have ended goes to those that come: a build has thousands
//! of processes, and few at once.
//!
//! Always holds: nothing is given back of a process that lives, or that has just ended, so that
//! viewers have read what it held; and nothing at all as long as little is used, since the sites
//! of an ended process can be looked at for as long as they are there.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed};

use memtop_probe::session::reader::Reader;

/// Viewers look ten times a second; this is how late one may be.
const GRACE_NS: u64 = 3_000_000_000;
/// The same, where a process that comes would soon find no memory.
const SHORT_GRACE_NS: u64 = 500_000_000;
/// Bytes of session memory that may be used without a process's being forgotten.
const KEPT: u64 = 256 << 20;
/// So many are forgotten at once.
const BATCH: usize = 64;

/// The processes that have ended and whose memory was not given back.
#[derive(Debug, Default)]
pub struct Ended {
    /// Session numbers, and when they ended; oldest first.
    waiting: VecDeque<(usize, u64)>,
}

impl Ended {
    /// Takes note of images that have ended by `now_ns`, and takes their private memory, which
    /// went with them, off the account.
    pub fn note(&mut self, reader: &Reader, ended: &[usize], now_ns: u64) {
        ended.iter().for_each(|index| reader.settle_private(*index));
        self.waiting.extend(ended.iter().map(|index| (*index, now_ns)));
    }

    /// Gives back what is needed, the oldest first.
    pub fn give_back(&mut self, reader: &Reader, now_ns: u64) {
        while let Some(grace) = grace_ns(reader) {
            let old = |(_, at): &&(usize, u64)| at.saturating_add(grace) <= now_ns;
            let count = self.waiting.iter().take(BATCH).take_while(old).count();
            if count == 0 {
                return;
            }
            let batch: Vec<usize> = self.waiting.drain(..count).map(|(index, _)| index).collect();
            reader.give_back(&batch);
        }
    }
}

/// How long after its end a process is forgotten; `None` while there is enough memory.
fn grace_ns(reader: &Reader) -> Option<u64> {
    let limit = reader.header().limit.load(Relaxed);
    let (bytes, filled) = (reader.shared_bytes(), reader.filled());
    if bytes > limit / 4 * 3 || filled > 0.75 {
        return Some(SHORT_GRACE_NS);
    }
    (bytes > KEPT.min(limit / 2) || filled > 0.5).then_some(GRACE_NS)
}
