//! Where memory comes from: one row for each site, function, file, module or thread.

use std::cmp::Ordering;

use super::{Baseline, Key, Name};

/// The table of sites, sorted and cut.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sites {
    /// Whether there is anything to tell.
    pub known: SitesKnown,
    /// The part of the list that shows.
    pub rows: Listing<SiteRow>,
    /// What changes are measured from: the start when the mark is not of this process.
    pub since: Baseline,
    /// Sums over all sites, filtered or not: what shares are shares of.
    pub sums: Figures,
    /// How many groups there are without the filter.
    pub total: usize,
    /// Figures are lower bounds (`≥`): the tracer met a cap.
    pub lower_bound: bool,
    /// Live bytes the tracer could not give to a site.
    pub unattributed_bytes: u64,
    /// Names that are still being looked up.
    pub names_pending: u64,
}

/// Whether sites can be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SitesKnown {
    /// They are here; there may be none yet.
    #[default]
    Yes,
    /// The program is traced without stacks.
    WithoutStacks,
    /// The recording holds none.
    NotRecorded,
}

/// The part of a sorted list that fits on screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<R> {
    /// The rows that show.
    pub rows: Vec<R>,
    /// Position of the first of them in the whole list.
    pub first: usize,
    /// Position of the selected one in the whole list.
    pub selected: usize,
    /// How long the whole list is, after the filter.
    pub matching: usize,
}

// Derived, it would ask for a default row.
impl<R> Default for Listing<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), first: 0, selected: 0, matching: 0 }
    }
}

impl<R> Listing<R> {
    /// The selected row, if it shows.
    pub fn chosen(&self) -> Option<&R> {
        self.rows.get(self.selected.checked_sub(self.first)?)
    }
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SiteRow {
    /// What it is.
    pub key: Key,
    /// How it is called.
    pub name: Name,
    /// Its numbers.
    pub figures: Figures,
}

/// The numbers of a site or of a group of sites. Requested bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Live bytes it asked for itself.
    pub live_bytes: u64,
    /// Live blocks it asked for itself.
    pub live_blocks: u64,
    /// Live bytes that it or anything it called asked for; of a site, the same as `live_bytes`.
    pub with_callees_bytes: u64,
    /// Change of live bytes since the baseline; `None` where the baseline knows no sites.
    pub delta_bytes: Option<i64>,
    /// Change of live blocks since the baseline.
    pub delta_blocks: Option<i64>,
    /// Live bytes when the process was at its peak.
    pub at_peak_bytes: u64,
    /// Bytes of all allocations.
    pub allocated_bytes: u64,
    /// Allocations.
    pub allocations: u64,
    /// Allocations per second just now.
    pub per_s: Option<f64>,
    /// Blocks freed with no allocation of their thread in between.
    pub temporary: u64,
}

/// By what memory is summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// By the line that asked, and its function.
    #[default]
    Site,
    /// By the function that asked.
    Function,
    /// By its source file.
    File,
    /// By the program or library.
    Module,
    /// By the thread that asked.
    Thread,
    /// Each stack by itself.
    Stack,
}

impl Grouping {
    /// All of them, in the order the key goes through them.
    pub const ALL: [Self; 6] =
        [Self::Site, Self::Function, Self::File, Self::Module, Self::Thread, Self::Stack];

    /// The next one; the last leads to the first.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|grouping| *grouping == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Function => "function",
            Self::File => "file",
            Self::Module => "module",
            Self::Thread => "thread",
            Self::Stack => "stack",
        }
    }

    /// Of several, in a word.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Site => "sites",
            Self::Function => "functions",
            Self::File => "files",
            Self::Module => "modules",
            Self::Thread => "threads",
            Self::Stack => "stacks",
        }
    }

    /// Whether its groups are at a place that their name does not tell.
    pub fn has_places(self) -> bool {
        !matches!(self, Self::File | Self::Module | Self::Thread)
    }

    /// Whether a group can call another, so that its callees are worth a column.
    pub fn has_callees(self) -> bool {
        !matches!(self, Self::Stack | Self::Thread)
    }
}

/// A figure that rows are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum SortKey {
    /// Live bytes.
    #[default]
    Live,
    /// Live bytes, with those of callees.
    WithCallees,
    /// Live blocks.
    Blocks,
    /// Change of live bytes.
    DeltaBytes,
    /// Change of live blocks.
    DeltaBlocks,
    /// Live bytes at the peak.
    AtPeak,
    /// Bytes of all allocations.
    Allocated,
    /// Allocations.
    Allocations,
    /// Allocations per second.
    PerSecond,
    /// Share of blocks that were temporary.
    Temporary,
}

impl SortKey {
    /// What `figures` are sorted by. An unknown figure is below every known one.
    pub fn value(self, figures: &Figures) -> f64 {
        let signed = |delta: Option<i64>| delta.map_or(f64::NEG_INFINITY, |delta| delta as f64);
        match self {
            Self::Live => figures.live_bytes as f64,
            Self::WithCallees => figures.with_callees_bytes as f64,
            Self::Blocks => figures.live_blocks as f64,
            Self::DeltaBytes => signed(figures.delta_bytes),
            Self::DeltaBlocks => signed(figures.delta_blocks),
            Self::AtPeak => figures.at_peak_bytes as f64,
            Self::Allocated => figures.allocated_bytes as f64,
            Self::Allocations => figures.allocations as f64,
            Self::PerSecond => figures.per_s.unwrap_or(f64::NEG_INFINITY),
            Self::Temporary => figures.temporary as f64 / figures.allocations.max(1) as f64,
        }
    }
}

/// How a table is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort<K> {
    /// By what.
    pub by: K,
    /// Largest first.
    pub descending: bool,
}

impl<K> Sort<K> {
    /// Largest first.
    pub const fn descending(by: K) -> Self {
        Self { by, descending: true }
    }

    /// Which of two values stands first.
    pub fn order(&self, left: f64, right: f64) -> Ordering {
        let ascending = left.total_cmp(&right);
        if self.descending { ascending.reverse() } else { ascending }
    }
}

impl<K: Default> Default for Sort<K> {
    fn default() -> Self {
        Self::descending(K::default())
    }
}

impl Sort<SortKey> {
    /// Which of two rows stands first; what is equal stands in the order of keys, so that nothing
    /// changes places without a reason.
    pub fn compare(&self, left: (Key, &Figures), right: (Key, &Figures)) -> Ordering {
        self.order(self.by.value(left.1), self.by.value(right.1)).then(left.0.cmp(&right.0))
    }
}
