//! The structures of session memory, each with the fields that are checked.

#[path = "../../../probe/src/session/layout/events.rs"]
mod events;
#[path = "../../../probe/src/session/layout/flag.rs"]
pub mod flag;
#[path = "../../../probe/src/session/layout/live.rs"]
mod live;

pub use events::{Event, Ring};
pub use live::{Live, LiveState};

use crate::sync::{AtomicI64, AtomicU32, AtomicU64};

pub const INTERVALS: usize = 4;
pub const UNWATCHED: usize = 2;
pub const TICK_PEAKS: usize = 2;

#[derive(Default)]
pub struct Header {
    pub pulse: AtomicU64,
    pub intervals_begun: AtomicU32,
    pub created_ns: AtomicU64,
    pub tick_ns: AtomicU64,
    pub cleared_ns: AtomicU64,
    pub unwatched_begun: AtomicU32,
    pub unwatched: [AtomicU64; UNWATCHED],
    pub intervals: [Interval; INTERVALS],
}

#[derive(Default)]
pub struct Interval {
    pub from_ns: AtomicU64,
    pub to_ns: AtomicU64,
}

#[derive(Default)]
pub struct Session {
    pub live: Live,
    pub live_blocks: AtomicI64,
    pub threads: AtomicU32,
    pub membership: AtomicU32,
    pub peak_bytes: AtomicI64,
    pub peak_blocks: AtomicI64,
    pub peak_tick: AtomicU64,
    pub max_blocks: AtomicI64,
    pub tick_peaks: [AtomicU64; TICK_PEAKS],
}

#[derive(Default)]
pub struct Slot {
    pub epoch: AtomicU64,
    pub pending_bytes: AtomicI64,
    pub pending_blocks: AtomicI64,
    pub high_bytes: AtomicI64,
    pub high_blocks: AtomicI64,
    pub threshold: AtomicI64,
    pub sink: AtomicI64,
    pub at_peak: AtomicU32,
    pub alone: AtomicU32,
    pub pulse: AtomicU64,
    pub peak_gap: AtomicI64,
    pub flushed_bytes: AtomicI64,
    pub flushed_blocks: AtomicI64,
    pub peak_bytes: AtomicI64,
    pub peak_blocks: AtomicI64,
    pub peak_tick: AtomicU64,
    pub membership: AtomicU32,
}

#[derive(Default)]
pub struct Cell {
    pub allocations: AtomicU64,
    pub allocated_bytes: AtomicU64,
    pub frees: AtomicU64,
    pub freed_bytes: AtomicU64,
    pub epoch: AtomicU64,
    pub peak_blocks: AtomicI64,
    pub peak_bytes: AtomicI64,
}
