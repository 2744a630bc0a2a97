//! The moments a session or a recording can be looked at.

use super::{Interval, Peak, Point};

/// What can be shown, and what is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Time {
    /// What is scrubbed through.
    pub source: TimeSource,
    /// The first moment that can be shown.
    pub first_s: f64,
    /// The last one.
    pub last_s: f64,
    /// The moment the other screens show.
    pub at_s: f64,
    /// The reading before that moment.
    pub before_s: Option<f64>,
    /// The reading after it.
    pub after_s: Option<f64>,
    /// The curve over all of it, thinned to what a screen can show.
    pub points: Vec<Point>,
    /// When tracing was on, over all of it.
    pub intervals: Vec<Interval>,
    /// The last clear.
    pub cleared_s: Option<f64>,
    /// The highest live bytes of all of it.
    pub peak: Option<Peak>,
    /// The highest number of a recorded mark, of whichever process.
    pub last_mark: u32,
    /// Where jumps lead, in the order of time.
    pub stops: Vec<Stop>,
    /// Moments before this one have no figures by site.
    pub sites_from_s: Option<f64>,
    /// Stretches that are missing: the recording was cut or thinned there.
    pub gaps: Vec<(f64, f64)>,
    /// The moment that was asked for is still being read.
    pub seeking: bool,
}

/// What is scrubbed through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TimeSource {
    /// Nothing: no past is kept.
    #[default]
    Nothing,
    /// The past of a session that goes on.
    Session,
    /// A recording, by its file name.
    Recording(String),
}

/// A moment worth a jump.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// When.
    pub t_s: f64,
    /// What.
    pub what: StopKind,
}

/// What makes a moment worth a jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// Tracing began or went on.
    TracingOn,
    /// Tracing was paused.
    TracingOff,
    /// The highest live bytes.
    Peak,
    /// The mark of this number.
    Mark(u32),
    /// Live bytes began to grow suddenly, by so many in the next seconds.
    Growth(u64),
    /// The program ended.
    End,
}

impl StopKind {
    /// The number of the mark it is.
    pub fn mark(self) -> Option<u32> {
        match self {
            Self::Mark(number) => Some(number),
            _ => None,
        }
    }
}
