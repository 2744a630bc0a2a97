//! The live tail of allocations and frees.

/// The live tail, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Events {
    /// Rows that passed the filter and fit.
    pub rows: Vec<Event>,
    /// How many events passed the filter and are kept.
    pub matching: u64,
    /// How many events are kept.
    pub kept: u64,
    /// Events the feed dropped.
    pub dropped: u64,
    /// Allocations and frees per second, those that are not kept included.
    pub per_s: Option<f64>,
}

/// One allocation or free.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// Moment; `None` where nobody kept the time.
    pub t_s: Option<f64>,
    /// What happened.
    pub kind: EventKind,
    /// Requested bytes; of an untracked free, usable bytes.
    pub size: u64,
    /// Thread id.
    pub tid: u32,
    /// Thread name.
    pub thread: Option<String>,
    /// Address of the block.
    pub address: u64,
    /// On a free: how long the block lived.
    pub age_s: Option<f64>,
    /// It may have lived longer than that.
    pub age_is_least: bool,
    /// Moments and ages are known to so many seconds.
    pub tick_s: f64,
    /// On a free: the allocation was not traced.
    pub untracked: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventKind {
    /// A new block.
    #[default]
    Alloc,
    /// A block given back.
    Free,
    /// A block resized.
    Realloc,
}
