//! One site, or one group of sites, in full.

use super::{Baseline, Figures, Key, Name, Place};

/// Everything about what was opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Site {
    /// What was opened.
    pub key: Key,
    /// How it is called.
    pub name: Name,
    /// Its numbers.
    pub figures: Figures,
    /// What their change is measured from.
    pub since: Baseline,
    /// Live bytes of the whole process, which shares are shares of.
    pub process_live_bytes: u64,
    /// The stack shown; the largest comes first.
    pub stack: Stack,
    /// Position of the stack shown among those of the group.
    pub stack_index: usize,
    /// How many stacks the group has; 1 for a site.
    pub stacks: usize,
    /// The source around the selected frame.
    pub source: Source,
    /// Live bytes over time; empty while there is no history.
    pub history: Vec<Moment>,
    /// The history is still being read, and is known up to this moment; `None` when it is whole.
    pub history_to_s: Option<f64>,
    /// Allocations by size, of the events that were seen; empty where none were.
    pub sizes: Vec<SizeShare>,
    /// Who asked and who freed, the one that asked for most first; `None` where threads are not
    /// known by site.
    pub threads: Option<Vec<ThreadShare>>,
    /// Freed blocks by how long they lived, of the events that were seen, in ascending order;
    /// empty where none were.
    pub lifetimes: Vec<Lifetime>,
    /// What a colleague would say about it.
    pub sentence: Option<String>,
}

/// A stack, innermost frame first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    /// What is to be seen of it.
    pub entries: Vec<StackEntry>,
    /// Frames are missing at the outer end: the limit on frames was met.
    pub cut: bool,
}

impl Stack {
    /// Position of the entry that is selected when `entry` was chosen; where nothing was, the
    /// innermost call that shows.
    pub fn selected(&self, entry: Option<usize>) -> Option<usize> {
        let last = self.entries.len().checked_sub(1)?;
        let call = |entry: &StackEntry| matches!(entry, StackEntry::Frame(_));
        Some(entry.or_else(|| self.entries.iter().position(call)).unwrap_or(0).min(last))
    }
}

/// A line of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackEntry {
    /// A call.
    Frame(Frame),
    /// Calls that are not the program's own, folded.
    Folded {
        /// How many.
        frames: usize,
        /// Of what: `allocator`, `standard library`, `runtime`.
        what: &'static str,
    },
}

/// A call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The function and its place.
    pub name: Name,
    /// The file name of the program or library it is in.
    pub module: Option<String>,
    /// The compiler put it into its caller.
    pub inlined: bool,
    /// Belongs to an allocator, a library or the runtime; seen only when all frames are.
    pub plumbing: bool,
}

/// Source lines around a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// Nothing is selected that could have any.
    #[default]
    None,
    /// The lines.
    Lines {
        /// The path they were read from.
        file: String,
        /// Number of the first line.
        first: u32,
        /// The lines without their ends.
        lines: Vec<String>,
        /// The line of the call.
        at: u32,
    },
    /// The file cannot be shown, with the reason in words.
    Unreadable {
        /// The path as the compiler noted it.
        file: String,
        /// The reason.
        why: String,
    },
}

/// Live bytes at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moment {
    /// When.
    pub t_s: f64,
    /// Live bytes.
    pub live_bytes: u64,
    /// The highest that is known since the moment before.
    pub max_bytes: u64,
}

/// What a thread asked for, or several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadShare {
    /// Its name, or its number; `None` of ended threads and those that took over from them, which
    /// cannot be told apart.
    pub name: Option<String>,
    /// Allocated − freed by this thread: less than nothing for one that frees what others
    /// allocate.
    pub net_bytes: i64,
    /// Allocations.
    pub allocations: u64,
}

/// Allocations of about the same size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SizeShare {
    /// Smallest requested size, inclusive.
    pub min: u64,
    /// Largest requested size, inclusive.
    pub max: u64,
    /// Allocations that were seen.
    pub allocations: u64,
    /// Their requested bytes.
    pub bytes: u64,
}

/// Blocks that lived about as long.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lifetime {
    /// At most so long, seconds; infinite for the last.
    pub up_to_s: f64,
    /// How many blocks.
    pub blocks: u64,
}

impl Place {
    /// The source file, if there is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Source { file, .. } => Some(file),
            _ => None,
        }
    }
}
