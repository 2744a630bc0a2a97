//! Every allocation and free of a launch, on its way from the journals to the recording.
//!
//! ```text
//!  journals ──▶ drain ──▶ drafts ──▶ pack ──▶ blocks ──▶ whoever records, when it likes
//!  writers wait  thread    bounded   thread    bounded: what has no room is dropped, counted
//! ```
//!
//! Events are foreseen and spelled out right where they are read: nothing of 16 bytes is kept
//! that would be two a moment later.
//!
//! Always holds: the thread that reads the journals waits for nothing but the one that packs,
//! which waits for nothing; so a program waits for memtop to compute, and never for a disk, a
//! terminal or a viewer.

mod busy;
mod drain;
mod pack;
mod ticks;

use std::{
    io,
    os::fd::AsRawFd,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Sender, bounded, unbounded};
use memtop_probe::session::{control, reader::Reader};

use drain::{Drain, Order};
pub use pack::Block;
use pack::{Outbox, Pack};
pub use ticks::TickTimes;

use super::launch::Prepared;

/// Drafts that wait to be packed.
const DRAFTS: usize = 4;

/// Collects events until it is finished.
#[derive(Debug)]
pub struct Collector {
    reader: Arc<Reader>,
    orders: Sender<Order>,
    outbox: Arc<Outbox>,
    drain: Option<JoinHandle<()>>,
    pack: Option<JoinHandle<()>>,
    /// Blocks of processes that whoever records does not know yet.
    early: Vec<Block>,
    /// Whether there was a feed before.
    fed: bool,
    is_stopped: bool,
}

impl Collector {
    /// From now on every event of the launch is collected, and programs wait for that.
    ///
    /// # Errors
    /// When the session memory cannot be mapped again, or there can be no more threads.
    pub fn start(prepared: &Prepared, ticks: &Arc<TickTimes>) -> io::Result<Self> {
        let reader = Reader::open(prepared.memory.as_raw_fd())
            .map_err(|error| io::Error::other(format!("{error:?}")))?;
        let reader = Arc::new(reader);
        let (orders, received) = unbounded();
        let (drafts, to_pack) = bounded(DRAFTS);
        let outbox = Arc::new(Outbox::default());
        let drain = Drain::new(Arc::clone(&reader), received, drafts);
        drain.discard();
        let pack = Pack {
            reader: Arc::clone(&reader),
            ticks: Arc::clone(ticks),
            outbox: Arc::clone(&outbox),
        };
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let pack = named("memtop-pack").spawn(move || pack.run(&to_pack))?;
        let drain = named("memtop-drain").spawn(move || drain.run())?;
        let fed = control::has_feed(reader.header());
        control::set_lossless(reader.header(), true);
        control::set_feed(reader.header(), true);
        Ok(Self {
            reader,
            orders,
            outbox,
            drain: Some(drain),
            pack: Some(pack),
            early: Vec::new(),
            fed,
            is_stopped: false,
        })
    }

    /// The processes of these sessions have ended.
    pub fn ended(&self, sessions: &[usize]) {
        for &session in sessions {
            let _ = self.orders.send(Order::Ended(session));
        }
    }

    /// Gives `take` every block that is ready; it returns false for a process that it does not
    /// know yet.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn fetch(&mut self, mut take: impl FnMut(&Block) -> io::Result<bool>) -> io::Result<()> {
        let early = std::mem::take(&mut self.early);
        for block in early.into_iter().chain(self.outbox.fetch()) {
            if !take(&block)? {
                self.early.push(block);
            }
        }
        Ok(())
    }

    /// Drops every block that is ready, and counts what was in them.
    pub fn drop_blocks(&mut self) {
        for block in std::mem::take(&mut self.early).into_iter().chain(self.outbox.fetch()) {
            self.reader.count_dropped(block.session, block.events.count);
        }
    }

    /// From now on events are for whoever looks at them, if anyone does. The journals are read to
    /// their end when this returns, some milliseconds later: another may read them then, and two
    /// at a time would get events twice or not at all.
    pub fn stop(&mut self) {
        if self.is_stopped {
            return;
        }
        self.is_stopped = true;
        control::set_feed(self.reader.header(), self.fed);
        control::set_lossless(self.reader.header(), false);
        let _ = self.orders.send(Order::Finish);
        let _ = self.drain.take().map(JoinHandle::join);
    }

    /// Stops, and waits until what was read is packed.
    pub fn finish(&mut self) {
        self.stop();
        let _ = self.pack.take().map(JoinHandle::join);
    }
}

impl Drop for Collector {
    /// A recording that stopped for whatever reason leaves nobody waiting.
    fn drop(&mut self) {
        self.finish();
    }
}
