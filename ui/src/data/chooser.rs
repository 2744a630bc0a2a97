//! What can be opened.

/// What can be opened: programs that run, then recordings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chooser {
    /// One row each.
    pub rows: Vec<ChooserRow>,
}

/// A program that can be joined, or a recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChooserRow {
    /// Process id of a program.
    pub pid: Option<u32>,
    /// Command line, or the name of the file.
    pub command: String,
    /// What it is.
    pub kind: JoinKind,
    /// Since how many seconds it runs, or is recorded.
    pub age_s: Option<f64>,
    /// Live bytes.
    pub live: Option<u64>,
    /// Dashboards already looking at it.
    pub viewers: Option<u32>,
}

/// What can be opened, and how it is traced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JoinKind {
    /// Started by `memtop run`.
    #[default]
    Kept,
    /// As that, and has ended.
    Ended,
    /// Carries the allocator in itself.
    Embedded,
    /// A recording in this folder.
    Recording,
}
