//! The live tail of the event rings: the newest events, and how many passed by.

use std::collections::VecDeque;

use super::StackId;

/// Most events kept for the screen.
pub const KEPT: usize = 10_000;

/// What happened to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A new block.
    Allocate,
    /// The new block of a realloc.
    Reallocate,
    /// A block freed.
    Release,
}

/// One event of the process shown. Times are seconds since its session began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// When, to the tick; `None` where nobody kept the time.
    pub t_s: Option<f64>,
    /// What.
    pub kind: EventKind,
    /// Requested bytes; usable bytes when untracked.
    pub size: u64,
    /// Thread that did it.
    pub tid: u32,
    /// Address of the block.
    pub address: u64,
    /// Age of a freed block, to the tick; `None` for a new or an untracked one.
    pub age_s: Option<f64>,
    /// The block may be older than that.
    pub age_is_least: bool,
    /// Seconds of a tick.
    pub tick_s: f64,
    /// The block's allocation was not seen.
    pub untracked: bool,
    /// Stack that asked for the block; `None` for an untracked one, and without stacks.
    pub stack: Option<StackId>,
}

/// The newest events, bounded.
#[derive(Debug, Clone, Default)]
pub struct EventLog {
    newest_last: VecDeque<Event>,
}

impl EventLog {
    /// Takes a batch in; the oldest fall out.
    pub fn extend(&mut self, batch: impl IntoIterator<Item = Event>) {
        self.newest_last.extend(batch);
        let excess = self.newest_last.len().saturating_sub(KEPT);
        self.newest_last.drain(..excess);
    }

    /// Forgets everything, as when another process is shown.
    pub fn clear(&mut self) {
        self.newest_last.clear();
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.newest_last.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.newest_last.is_empty()
    }

    /// Newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Event> {
        self.newest_last.iter().rev()
    }
}
