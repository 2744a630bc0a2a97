//! What the person chose on the screens about code and about time.

use crate::cursor::Cursor;
use crate::data::{DiffSort, Grouping, GrowthBy, Key, Measure, Pair, Sort, SortKey};
use crate::filter::CodeFilter;
use crate::state::Screen;

/// Choices that all screens about code share, so that they tell about the same things.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CodeChoice {
    /// By what memory is summed.
    pub grouping: Grouping,
    /// What is looked for, as typed.
    pub filter_text: String,
    /// The same, parsed: rows that do not match are left out, nodes of the flame that do are lit.
    pub filter: CodeFilter,
    /// Frames of allocators, libraries and the runtime show, too.
    pub all_frames: bool,
    /// By what growth is told on the overview.
    pub growth: GrowthBy,
}

/// Choices on the table of sites.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SitesChoice {
    /// How rows are sorted.
    pub sort: Sort<SortKey>,
    /// What is selected.
    pub cursor: Cursor,
}

/// The site that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteChoice {
    /// Which.
    pub key: Key,
    /// The screen it was opened from, to go back to.
    pub opened_from: Screen,
    /// Which of its stacks shows, the largest first.
    pub stack: usize,
    /// All frames of the stack show. What was opened stays the same: it is not summed anew, as
    /// [`CodeChoice::all_frames`] would.
    pub all_frames: bool,
    /// The selected entry of the stack; see [`Stack::selected`](crate::data::Stack::selected).
    pub entry: Option<usize>,
}

impl Default for SiteChoice {
    fn default() -> Self {
        Self {
            key: Key::default(),
            opened_from: Screen::Sites,
            stack: 0,
            all_frames: false,
            entry: None,
        }
    }
}

/// Choices on the flame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlameChoice {
    /// What widths mean.
    pub measure: Measure,
    /// Callees at the root, their callers above them.
    pub inverted: bool,
    /// The node that fills the width; `None` for everything.
    pub zoom: Option<Key>,
    /// The node under the cursor; `None` for the root.
    pub selected: Option<Key>,
    /// Depth of the first row that shows.
    pub top: usize,
}

/// Choices on the diff.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DiffChoice {
    /// The moments compared.
    pub pair: Pair,
    /// How rows are sorted.
    pub sort: Sort<DiffSort>,
    /// What a function called counts as its own as well.
    pub with_callees: bool,
    /// What is selected.
    pub cursor: Cursor,
}

/// How time goes by, on the time screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Playback {
    /// The moment that is looked at; `None` for the present of a live session, or the end of a
    /// recording.
    pub at_s: Option<f64>,
    /// Time goes on by itself.
    pub playing: bool,
    /// Seconds of the session that go by in a second.
    pub speed: f64,
}

impl Default for Playback {
    fn default() -> Self {
        Self { at_s: None, playing: false, speed: 1.0 }
    }
}
