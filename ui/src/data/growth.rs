//! What grew since the baseline.

use super::Baseline;

/// What grew since the baseline, largest growth first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Growth {
    /// Since when.
    pub since: Baseline,
    /// How long ago that was.
    pub age_s: Option<f64>,
    /// The rows that fit.
    pub rows: Vec<GrowthRow>,
    /// How many rows were left out.
    pub more: usize,
}

/// Growth of one size class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GrowthRow {
    /// Smallest requested size, inclusive.
    pub min: u64,
    /// Largest requested size, inclusive.
    pub max: u64,
    /// Change of live bytes.
    pub delta_bytes: i64,
    /// Change of live blocks.
    pub delta_blocks: i64,
    /// Live bytes now.
    pub live_bytes: u64,
}
