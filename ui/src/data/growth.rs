//! What grew since the baseline, or what shrank where nothing did.

use super::{Baseline, Key, Name};

/// What grew since the baseline, largest growth first; where nothing did what shrank, largest
/// loss first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Growth {
    /// Since when.
    pub since: Baseline,
    /// How long ago that was.
    pub age_s: Option<f64>,
    /// What the rows are; sizes where there are no stacks, whatever was chosen.
    pub by: GrowthBy,
    /// Nothing grew: the rows are what shrank.
    pub shrank: bool,
    /// The rows that fit.
    pub rows: Vec<GrowthRow>,
    /// How many rows of their kind were left out.
    pub more: usize,
}

/// By what growth is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GrowthBy {
    /// By site.
    #[default]
    Site,
    /// By size class.
    Size,
}

impl GrowthBy {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Site => Self::Size,
            Self::Size => Self::Site,
        }
    }
}

/// Growth of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrowthRow {
    /// What grew.
    pub what: Grown,
    /// Change of live bytes.
    pub delta_bytes: i64,
    /// Change of live blocks.
    pub delta_blocks: i64,
    /// Live bytes now.
    pub live_bytes: u64,
}

/// What grew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grown {
    /// A size class.
    Class {
        /// Smallest requested size, inclusive.
        min: u64,
        /// Largest requested size, inclusive.
        max: u64,
    },
    /// A site.
    Site {
        /// Which.
        key: Key,
        /// How it is called.
        name: Name,
    },
}
