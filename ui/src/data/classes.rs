//! All size classes, and what resident memory consists of beside live blocks.

use super::{Key, Listing};

/// Everything about sizes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Classes {
    /// The classes that show, in ascending order.
    pub rows: Listing<ClassRow>,
    /// Sums over all classes.
    pub sums: ClassRow,
    /// The most any class holds: what bars are measured by.
    pub most: ClassRow,
    /// What blocks can hold beyond what was asked for; unknown where usable sizes are.
    pub slack_bytes: Option<u64>,
    /// Where resident memory goes.
    pub gap: Option<Gap>,
}

/// One size class, in requested bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassRow {
    /// Smallest requested size, inclusive.
    pub min: u64,
    /// Largest requested size, inclusive.
    pub max: u64,
    /// Live blocks.
    pub blocks: u64,
    /// Live bytes.
    pub bytes: u64,
    /// Allocations since the window began.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// Bytes live at the peak; unknown where that was not kept.
    pub at_peak_bytes: Option<u64>,
}

impl ClassRow {
    /// What it is: a class is known by its smallest size.
    pub fn key(&self) -> Key {
        Key(self.min)
    }
}

/// Resident memory by what it is for; the parts are the whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gap {
    /// The whole.
    pub resident: u64,
    /// The parts, in the order in which they are told.
    pub parts: Vec<GapPart>,
    /// How many seconds ago that was, where much has changed since.
    pub age_s: Option<f64>,
    /// The largest part that is not live, explained.
    pub sentence: Option<String>,
    /// The memory limit of the program's control group.
    pub limit: Option<Limit>,
}

/// A part of resident memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GapPart {
    /// In a word or two.
    pub name: &'static str,
    /// What that means.
    pub help: &'static str,
    /// Bytes.
    pub bytes: u64,
}

/// A memory limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// Bytes allowed.
    pub bytes: u64,
    /// Bytes left.
    pub headroom: u64,
}
