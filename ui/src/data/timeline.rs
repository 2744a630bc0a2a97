//! The curve of live memory, its tracing window, and the moments marked on it.

use super::Peak;

/// The curve of live memory over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Readings in the order of time.
    pub points: Vec<Point>,
    /// When tracing was on, in the order of time.
    pub intervals: Vec<Interval>,
    /// The last clear: from then on only blocks that were allocated after it count.
    pub cleared_s: Option<f64>,
    /// The present, or the end.
    pub now_s: f64,
    /// Nothing is known beyond this moment, as it is still being read; `None` when all is.
    pub read_to_s: Option<f64>,
    /// Moments the person marked.
    pub marks: Vec<Mark>,
    /// The highest live bytes.
    pub peak: Option<Peak>,
}

/// One reading of the timeline.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// Moment.
    pub t_s: f64,
    /// Live bytes at that moment.
    pub live: u64,
    /// Highest live bytes since the reading before.
    pub max: u64,
    /// Resident set size.
    pub rss: Option<u64>,
    /// Untracked freed bytes up to that moment.
    pub untracked_freed: u64,
}

/// A stretch of time in which tracing was on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Interval {
    /// Its start.
    pub from_s: f64,
    /// Its end; `None` while it lasts.
    pub to_s: Option<f64>,
}

/// A moment the person marked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mark {
    /// Its number, from one.
    pub number: u32,
    /// Its moment.
    pub t_s: f64,
    /// What the person calls it, or why it marked itself.
    pub name: Option<String>,
    /// It marked itself.
    pub automatic: bool,
    /// It was found in what is recorded: its figures are read from there.
    pub recorded: bool,
}

/// Where growth is measured from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Baseline {
    /// The start of tracing.
    #[default]
    Start,
    /// The mark of this number.
    Mark(u32),
}
