//! What a screen can show: plain values, already sorted and cut to what fits.
//!
//! The caller fills these structs from its model before each frame (see
//! [`capacity`](crate::capacity) for how many rows fit); the view only draws them. Times are
//! seconds since the shown process's session began, sizes are bytes. `None` means *unknown* and is
//! drawn as `–`, never as zero.

use vt100::Screen;

/// Everything one frame needs.
#[derive(Debug, Default)]
pub struct Data<'a> {
    /// The honesty bar on top of every screen.
    pub header: Header,
    /// The curve of live memory and its tracing window.
    pub timeline: Timeline,
    /// The size-class histogram.
    pub sizes: Sizes,
    /// What grew since the baseline.
    pub growth: Growth,
    /// Sums over the whole window.
    pub totals: Totals,
    /// What the window means, in one sentence.
    pub sentence: Option<String>,
    /// The live tail of allocations and frees.
    pub events: Events,
    /// The program's own terminal.
    pub output: Output<'a>,
    /// Programs that can be joined.
    pub chooser: Chooser,
    /// A passing message from the engine.
    pub notice: Option<Notice>,
}

/// The honesty bar: whose memory this is, since when it is traced, and how exact the numbers are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// The command line; the view shortens it.
    pub title: String,
    /// Process id.
    pub pid: Option<u32>,
    /// What the program is doing.
    pub state: RunState,
    /// How memtop came to the program, which decides what leaving means.
    pub origin: Origin,
    /// How long the program has run.
    pub uptime_s: Option<f64>,
    /// The tracing window.
    pub tracing: Tracing,
    /// Live requested bytes.
    pub live: Option<u64>,
    /// How fast live bytes change, per second.
    pub live_per_s: Option<f64>,
    /// Highest live bytes.
    pub peak: Option<Peak>,
    /// Resident set size as the kernel sees it, without the tracer's share.
    pub rss: Option<u64>,
    /// Usable bytes of freed blocks whose allocation was not traced.
    pub untracked_freed: Option<u64>,
    /// Allocated minus freed minus untracked freed, usable bytes.
    pub net: Option<i64>,
    /// Allocations per second.
    pub allocs_per_s: Option<f64>,
    /// Frees per second.
    pub frees_per_s: Option<f64>,
    /// Measured cost of one traced operation.
    pub overhead_ns: Option<f64>,
    /// How far off the numbers may be.
    pub exactness: Exactness,
    /// Bytes recorded so far; `None` when not recording.
    pub recording: Option<u64>,
    /// Which process of the tree is shown.
    pub process: ProcessChoice,
    /// This viewer may look but not touch.
    pub read_only: bool,
}

/// What the program is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RunState {
    /// Launched, the probe has not reported yet.
    #[default]
    Starting,
    /// Runs.
    Running,
    /// Exited by itself.
    Ended {
        /// Exit status; `None` where nobody could learn it.
        code: Option<i32>,
    },
    /// Ended by a signal.
    Killed {
        /// Signal number.
        signal: i32,
        /// Signal name, such as `SIGKILL`.
        name: String,
        /// A likely reason, such as `out of memory?`.
        hint: Option<String>,
    },
    /// The connection to the program is gone; its fate is unknown.
    Disconnected,
}

impl RunState {
    /// Whether the program can still allocate.
    pub fn is_alive(&self) -> bool {
        matches!(self, Self::Starting | Self::Running)
    }
}

/// How memtop came to the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Origin {
    /// memtop started it: leaving asks what should become of it.
    #[default]
    Launched,
    /// memtop joined it: leaving lets it run.
    Joined,
    /// A recording: there is no program.
    Replay,
}

/// The tracing window in short.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tracing {
    /// Start of the first interval; `None` when tracing never began.
    pub since_s: Option<f64>,
    /// Whether allocations are traced now.
    pub on: bool,
    /// Whether tracing was ever paused, so that unseen blocks need not be from before the start.
    pub was_paused: bool,
}

/// The highest live bytes and when they were reached.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Peak {
    /// Bytes.
    pub bytes: u64,
    /// Moment.
    pub t_s: f64,
}

/// How far off the numbers may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exactness {
    /// Figures are lower bounds (`≥`): something could not be attributed or was lost.
    pub lower_bound: bool,
    /// The peak is exact to this many bytes.
    pub peak_error_bytes: u64,
    /// Events the live feed dropped; no sum depends on them.
    pub dropped_events: u64,
    /// Records that were missed and taken out of the sums.
    pub lost_records: u64,
    /// Memory the tracer itself uses.
    pub tracer_bytes: Option<u64>,
}

/// Which process of the traced tree is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessChoice {
    /// Index of the shown one, from zero.
    pub shown: usize,
    /// How many there are.
    pub count: usize,
}

impl Default for ProcessChoice {
    fn default() -> Self {
        Self { shown: 0, count: 1 }
    }
}

/// The curve of live memory over time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Readings in the order of time.
    pub points: Vec<Point>,
    /// When tracing was on, in the order of time.
    pub intervals: Vec<Interval>,
    /// The present, or the end.
    pub now_s: f64,
    /// Moments the person marked.
    pub marks: Vec<Mark>,
    /// The highest live bytes.
    pub peak: Option<Peak>,
}

/// One reading of the timeline.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// Moment.
    pub t_s: f64,
    /// Live bytes at that moment.
    pub live: u64,
    /// Highest live bytes since the reading before.
    pub max: u64,
    /// Resident set size.
    pub rss: Option<u64>,
    /// Untracked freed bytes up to that moment.
    pub untracked_freed: u64,
}

/// A stretch of time in which tracing was on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Interval {
    /// Its start.
    pub from_s: f64,
    /// Its end; `None` while it lasts.
    pub to_s: Option<f64>,
}

/// A moment the person marked.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mark {
    /// Its number, from one.
    pub number: u32,
    /// Its moment.
    pub t_s: f64,
}

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

/// Where growth is measured from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Baseline {
    /// The start of tracing.
    #[default]
    Start,
    /// The mark of this number.
    Mark(u32),
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

/// The live tail, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Events {
    /// Rows that passed the filter and fit.
    pub rows: Vec<Event>,
    /// How many events passed the filter and are kept.
    pub matching: u64,
    /// How many events are kept.
    pub kept: u64,
    /// Events the feed dropped.
    pub dropped: u64,
    /// Events per second.
    pub per_s: Option<f64>,
}

/// One allocation or free.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// Moment.
    pub t_s: f64,
    /// What happened.
    pub kind: EventKind,
    /// Requested bytes; of an untracked free, usable bytes.
    pub size: u64,
    /// Thread id.
    pub tid: u32,
    /// Thread name.
    pub thread: Option<String>,
    /// Address of the block.
    pub address: u64,
    /// On a free: how long the block lived.
    pub age_s: Option<f64>,
    /// On a free: the allocation was not traced.
    pub untracked: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EventKind {
    /// A new block.
    #[default]
    Alloc,
    /// A block given back.
    Free,
    /// A block resized.
    Realloc,
}

/// The program's own terminal.
#[derive(Default)]
pub enum Output<'a> {
    /// memtop holds the program's terminal. Call `set_scrollback` with
    /// [`State::scrollback`](crate::State::scrollback) before the frame.
    Terminal(&'a Screen),
    /// The program writes elsewhere: its output was redirected.
    Redirected,
    /// memtop joined the program, which keeps its own terminal.
    #[default]
    Elsewhere,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Terminal(_) => "Terminal(..)",
            Self::Redirected => "Redirected",
            Self::Elsewhere => "Elsewhere",
        })
    }
}

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
    /// Started by `memtop run` or `memtop record`.
    #[default]
    Kept,
    /// As that, and has ended.
    Ended,
    /// Carries the allocator in itself.
    Embedded,
    /// A recording in this folder.
    Recording,
}

/// A passing message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// One line.
    pub text: String,
    /// How much it matters.
    pub severity: Severity,
}

impl Notice {
    /// A message that is good to know.
    pub fn info(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Severity::Info }
    }

    /// A message that needs attention.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Severity::Warning }
    }
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    #[default]
    Info,
    /// Needs attention.
    Warning,
}
