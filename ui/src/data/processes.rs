//! The tree of fork and exec, and the threads of the process that is shown.

use super::{Key, Listing};

/// Everything about processes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Processes {
    /// The part of the tree that shows, in its order.
    pub rows: Listing<ProcessRow>,
    /// Sums over all that are traced.
    pub sums: ProcessSums,
    /// Threads of the shown process that allocate, the busiest first, and then the ended ones
    /// in one row.
    pub threads: Vec<ThreadRow>,
}

/// Sums over the tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessSums {
    /// Images that run.
    pub running: usize,
    /// Images that have ended, or made way for another.
    pub ended: usize,
    /// Processes that are not traced.
    pub untraced: usize,
    /// Those among the running and ended ones whose figures are in no sum.
    pub unseen: usize,
    /// One of them runs.
    pub live_is_least: bool,
    /// Live bytes of those that run.
    pub live: u64,
    /// Allocations of all but the unseen ones.
    pub allocations: u64,
}

/// A process image, or a process that is not traced.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessRow {
    /// What it is.
    pub key: Key,
    /// Its place among the images that can be shown; none of one that is not traced.
    pub position: Option<usize>,
    /// It is the one that all other screens are about.
    pub shown: bool,
    /// How many ancestors it has in the tree.
    pub depth: usize,
    /// Process id.
    pub pid: u32,
    /// Command line.
    pub command: String,
    /// What has become of it.
    pub fate: ProcessFate,
    /// How long it has lived, seconds.
    pub age_s: f64,
    /// Resident bytes.
    pub rss: Option<u64>,
    /// What it did, where it is traced.
    pub figures: Option<ProcessFigures>,
}

/// What a traced process did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Live bytes; at the end, what was never freed.
    pub live: u64,
    /// Highest live bytes.
    pub peak: u64,
    /// Allocations.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// Bytes of its parent's blocks that it still holds.
    pub inherited: u64,
    /// Threads that allocate.
    pub threads: usize,
}

/// What has become of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProcessFate {
    /// It runs.
    #[default]
    Running,
    /// It made way for another program in the same process.
    Execed,
    /// It left with this status.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// It has ended, nobody knows how.
    Ended,
    /// It runs and is not traced, for this reason.
    Untraced(&'static str),
    /// It was not traced, and has ended.
    UntracedEnded(&'static str),
}

/// A thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadRow {
    /// Thread id; 0 for the row of ended ones.
    pub tid: u32,
    /// Name.
    pub name: Option<String>,
    /// Allocated − freed by this thread: may be below zero.
    pub current_bytes: i64,
    /// Allocations.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
}
