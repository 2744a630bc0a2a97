//! Session memory of processes that have ended goes to those that come: a build has thousands
//! of processes, and few at once.
//!
//! Always holds: nothing is given back while any process that began before those ended, and is
//! not known to live in a session of its own, may have the memory mapped: it could be one of them
//! after all, or work on the books of one. Nothing is given back of a process that has just ended,
//! so that viewers have read what it held; and nothing at all as long as little is used, since the
//! sites of an ended process can be looked at for as long as they are there.

use std::{collections::VecDeque, sync::atomic::Ordering::Relaxed};

use memtop_probe::session::reader::Reader;

/// Viewers look ten times a second; this is how late one may be.
const GRACE_NS: u64 = 3_000_000_000;
/// The same, where a process that comes would soon find no memory.
const SHORT_GRACE_NS: u64 = 500_000_000;
/// Bytes of session memory that may be used without a process's being forgotten.
const KEPT: u64 = 256 << 20;
/// Between two looks at who has the memory mapped.
const LOOK_EVERY_NS: u64 = 250_000_000;
/// So many are forgotten at once.
const BATCH: usize = 64;

/// The processes that have ended and whose memory was not given back.
#[derive(Debug, Default)]
pub struct Ended {
    /// Session numbers, and when they ended; oldest first.
    waiting: VecDeque<(usize, u64)>,
    /// Looking for who has the memory mapped takes milliseconds.
    next_look_ns: u64,
}

impl Ended {
    /// Takes note of images that have ended by `now_ns`, and takes their private memory, which
    /// went with them, off the account. Nothing is given back of those that `is_wanted`.
    pub fn note(
        &mut self,
        reader: &Reader,
        ended: &[usize],
        now_ns: u64,
        is_wanted: impl Fn(usize) -> bool,
    ) {
        ended.iter().for_each(|index| reader.settle_private(*index));
        let others = ended.iter().filter(|index| !is_wanted(**index));
        self.waiting.extend(others.map(|index| (*index, now_ns)));
    }

    /// Gives back what is needed, the oldest first. `may_be_held` tells whether anyone who began by
    /// a time may have the memory of those mapped that ended then.
    pub fn give_back(&mut self, reader: &Reader, now_ns: u64, may_be_held: impl Fn(u64) -> bool) {
        let is_old = |grace: u64| {
            let oldest = self.waiting.front();
            oldest.is_some_and(|(_, at)| at.saturating_add(grace) <= now_ns)
        };
        // What is cheap to ask is asked first: this is asked at every tick.
        if now_ns < self.next_look_ns || !is_old(SHORT_GRACE_NS) {
            return;
        }
        let Some(grace) = grace_ns(reader).filter(|grace| is_old(*grace)) else { return };
        let until_ns = now_ns.saturating_sub(grace);
        self.next_look_ns = now_ns.saturating_add(LOOK_EVERY_NS);
        if !may_be_held(until_ns) {
            self.give_back_older(reader, until_ns);
        }
    }

    fn give_back_older(&mut self, reader: &Reader, until_ns: u64) {
        while grace_ns(reader).is_some() {
            let old = |(_, at): &&(usize, u64)| *at <= until_ns;
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
    let (used, filled) = (reader.used_bytes(), reader.filled());
    if used > limit / 4 * 3 || filled > 0.75 {
        return Some(SHORT_GRACE_NS);
    }
    let is_short = used > limit / 2 || reader.shared_bytes() > KEPT || filled > 0.5;
    is_short.then_some(GRACE_NS)
}
