//! The call tree by weight.
//!
//! Whoever fills it gives the tree as nodes with values, pruned of what is narrower than a cell
//! ([`Capacity`](crate::Capacity) says how wide and high the picture is); the view lays them out.

use super::{Key, Name};

/// The call tree from the zoomed node on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flame {
    /// Nodes in the order of a walk: a parent before its children, the heavier child first. The
    /// first is the root of the picture, as wide as the screen.
    pub nodes: Vec<FlameNode>,
    /// What the whole program comes to, whatever is zoomed on.
    pub whole: u64,
    /// The nodes zoomed through, outermost first; the last is the root of the picture. Empty when
    /// everything shows.
    pub zoom: Vec<Crumb>,
    /// What the nodes that match the search come to, counted once; `None` without a search.
    pub matching: Option<u64>,
    /// How many nodes match, drawn or not.
    pub matches: usize,
    /// With Δ: bytes that shrank, which have no width.
    pub shrunk_bytes: u64,
    /// Names that are still being looked up.
    pub names_pending: u64,
}

/// A node of the tree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlameNode {
    /// What it is.
    pub key: Key,
    /// Position of its parent in [`Flame::nodes`]; `None` for the first alone.
    pub parent: Option<u32>,
    /// How it is called.
    pub name: Name,
    /// What it and its callees come to: its width.
    pub value: u64,
    /// What it comes to without them.
    pub own: u64,
    /// Change since the baseline, where the picture is of that.
    pub delta_bytes: Option<i64>,
    /// Blocks behind the value.
    pub blocks: u64,
    /// Whose code it is.
    pub origin: CodeOrigin,
    /// The search found it.
    pub matched: bool,
}

/// Whose code a function is, which decides its colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum CodeOrigin {
    /// The program's own.
    #[default]
    Program,
    /// A library's.
    Library,
    /// An allocator's, a standard library's, the runtime's.
    Plumbing,
    /// Nobody knows its name.
    Unknown,
}

/// A node that was zoomed through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crumb {
    /// What it is.
    pub key: Key,
    /// How it is called.
    pub name: String,
}

/// What widths of the flame mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Live bytes.
    #[default]
    Live,
    /// Live bytes at the peak.
    AtPeak,
    /// Bytes of all allocations.
    Allocated,
    /// Growth between the pair of moments chosen for the diff.
    Delta,
}

impl Measure {
    /// All of them, in the order the key goes through them.
    pub const ALL: [Self; 4] = [Self::Live, Self::AtPeak, Self::Allocated, Self::Delta];

    /// The next one; the last leads to the first.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|measure| *measure == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::AtPeak => "at peak",
            Self::Allocated => "allocated",
            Self::Delta => "growth",
        }
    }
}
