//! Sums over the whole window, and the size-class histogram.

/// The size-class histogram: classes in ascending order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sizes {
    /// The classes that fit.
    pub rows: Vec<SizeRow>,
    /// How many classes were left out.
    pub more: usize,
}

/// One size class.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SizeRow {
    /// Smallest requested size, inclusive.
    pub min: u64,
    /// Largest requested size, inclusive.
    pub max: u64,
    /// Live blocks.
    pub blocks: u64,
    /// Live requested bytes.
    pub bytes: u64,
    /// Allocations since the window began.
    pub allocations: u64,
}

/// Sums over the whole window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Allocations.
    pub allocations: u64,
    /// Frees of traced blocks.
    pub frees: u64,
    /// Reallocations.
    pub reallocations: u64,
    /// Blocks freed with no allocation of their thread in between.
    pub temporary: u64,
    /// Requested bytes of all allocations.
    pub allocated_bytes: u64,
    /// Live blocks.
    pub live_blocks: u64,
    /// Live blocks at the byte peak.
    pub peak_blocks: Option<u64>,
}
