//! Moments that can be compared, and what differs between two of them.

use std::cmp::Ordering;

use super::{Baseline, Key, Listing, Name};

/// The moments and the difference between the pair chosen of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshots {
    /// Every moment that can be compared: the start, marks, the peak, now, loaded files.
    pub rows: Vec<SnapshotRow>,
    /// What differs.
    pub diff: Diff,
}

/// A moment that can be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum When {
    /// When tracing began: nothing was live.
    #[default]
    Start,
    /// The mark of this number.
    Mark(u32),
    /// The highest live bytes.
    Peak,
    /// A snapshot loaded from a file, by its number.
    File(u32),
    /// The moment shown.
    Now,
}

impl From<Baseline> for When {
    fn from(baseline: Baseline) -> Self {
        match baseline {
            Baseline::Start => Self::Start,
            Baseline::Mark(number) => Self::Mark(number),
        }
    }
}

/// A moment, in the list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SnapshotRow {
    /// Which.
    pub when: When,
    /// The name a person gave it, or its file's.
    pub name: Option<String>,
    /// When it was; of a file, in its own session.
    pub t_s: Option<f64>,
    /// Live bytes.
    pub live_bytes: Option<u64>,
    /// Live blocks.
    pub live_blocks: Option<u64>,
    /// Why its figures are unknown, in words, where they are.
    pub unknown: Option<&'static str>,
    /// The file it was saved to or loaded from.
    pub file: Option<String>,
    /// memtop made it, not the person: at a threshold, at a new peak.
    pub automatic: bool,
}

/// Two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The one compared with.
    pub from: When,
    /// The one looked at.
    pub to: When,
}

impl Default for Pair {
    fn default() -> Self {
        Self { from: When::Start, to: When::Now }
    }
}

/// What differs between two moments.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Diff {
    /// Why there is nothing to compare, in words.
    pub problem: Option<String>,
    /// The part of the list that shows. What stayed the same is not in it.
    pub rows: Listing<DiffRow>,
    /// Sums over all groups, filtered or not.
    pub totals: DiffTotals,
    /// Figures are lower bounds.
    pub lower_bound: bool,
    /// Of when the sites of both moments are, where that is before them.
    pub as_of_s: [Option<f64>; 2],
    /// Change of live bytes and blocks between the moments themselves, where that is known and
    /// sites are older.
    pub whole: Option<(i64, i64)>,
}

/// A group on both sides.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DiffRow {
    /// What it is.
    pub key: Key,
    /// How it is called.
    pub name: Name,
    /// Its numbers.
    pub sides: Sides,
}

/// The numbers of a group at both moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sides {
    /// Live bytes at the first.
    pub from_bytes: u64,
    /// Live blocks at the first.
    pub from_blocks: u64,
    /// Live bytes at the second.
    pub to_bytes: u64,
    /// Live blocks at the second.
    pub to_blocks: u64,
}

impl Sides {
    /// Change of live bytes.
    pub fn delta_bytes(&self) -> i64 {
        self.to_bytes.wrapping_sub(self.from_bytes) as i64
    }

    /// Change of live blocks.
    pub fn delta_blocks(&self) -> i64 {
        self.to_blocks.wrapping_sub(self.from_blocks) as i64
    }

    /// What became of the group. Blocks decide whether it is there at all: a block of no bytes is
    /// one.
    pub fn change(&self) -> Change {
        match (self.from_blocks, self.to_blocks, self.delta_bytes(), self.delta_blocks()) {
            (.., 0, 0) => Change::Same,
            (0, ..) => Change::New,
            (_, 0, ..) => Change::Gone,
            (_, _, bytes, blocks) if bytes > 0 || (bytes == 0 && blocks > 0) => Change::Grown,
            _ => Change::Shrunk,
        }
    }
}

/// What became of a group between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Change {
    /// Was not there.
    New,
    /// Has more.
    Grown,
    /// Has less.
    Shrunk,
    /// Is not there any more.
    Gone,
    /// Nothing.
    #[default]
    Same,
}

impl Change {
    /// All of them, in the order of a sum.
    pub const ALL: [Self; 5] = [Self::New, Self::Grown, Self::Shrunk, Self::Gone, Self::Same];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown => "grown",
            Self::Shrunk => "shrunk",
            Self::Gone => "gone",
            Self::Same => "same",
        }
    }
}

/// Sums over all groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffTotals {
    /// Change of live bytes.
    pub delta_bytes: i64,
    /// Change of live blocks.
    pub delta_blocks: i64,
    /// Bytes by which groups grew, those that shrank left aside.
    pub grown_bytes: u64,
    /// Bytes by which groups shrank.
    pub shrunk_bytes: u64,
    /// Groups by what became of them, in the order of [`Change::ALL`].
    pub groups: [usize; 5],
}

impl DiffTotals {
    /// Counts a group in.
    pub fn add(&mut self, sides: &Sides) {
        let delta = sides.delta_bytes();
        self.delta_bytes = self.delta_bytes.wrapping_add(delta);
        self.delta_blocks = self.delta_blocks.wrapping_add(sides.delta_blocks());
        let side = if delta > 0 { &mut self.grown_bytes } else { &mut self.shrunk_bytes };
        *side = side.saturating_add(delta.unsigned_abs());
        let at = Change::ALL.iter().position(|change| *change == sides.change());
        self.groups[at.unwrap_or_default()] += 1;
    }
}

/// A figure that rows of a diff are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum DiffSort {
    /// Change of live bytes.
    #[default]
    Bytes,
    /// Change of live blocks.
    Blocks,
    /// Live bytes at the second moment.
    To,
    /// Live bytes at the first moment.
    From,
}

impl DiffSort {
    /// What `sides` are sorted by.
    pub fn value(self, sides: &Sides) -> f64 {
        match self {
            Self::Bytes => sides.delta_bytes() as f64,
            Self::Blocks => sides.delta_blocks() as f64,
            Self::To => sides.to_bytes as f64,
            Self::From => sides.from_bytes as f64,
        }
    }
}

impl super::Sort<DiffSort> {
    /// Which of two rows stands first; what is equal stands in the order of keys.
    pub fn compare(&self, left: (Key, &Sides), right: (Key, &Sides)) -> Ordering {
        self.order(self.by.value(left.1), self.by.value(right.1)).then(left.0.cmp(&right.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_group() {
        let sides = |from_bytes, from_blocks, to_bytes, to_blocks| Sides {
            from_bytes,
            from_blocks,
            to_bytes,
            to_blocks,
        };
        for (expected, sides) in [
            (Change::New, sides(0, 0, 0, 1)),
            (Change::Gone, sides(0, 1, 0, 0)),
            (Change::Grown, sides(10, 1, 20, 1)),
            (Change::Grown, sides(10, 1, 10, 2)),
            (Change::Shrunk, sides(10, 1, 9, 2)),
            (Change::Same, sides(10, 1, 10, 1)),
            (Change::Same, sides(0, 0, 0, 0)),
        ] {
            assert_eq!(sides.change(), expected, "{sides:?}");
        }
    }
}
