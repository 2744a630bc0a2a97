//! The report as data: what `--json` prints, and what the text is made from.
//!
//! Names and meanings are a contract with users' scripts: fields may be added, none changes.
//! Times are seconds since the process's session began; bytes are requested bytes unless a
//! name or a note says otherwise; unknown is null, never 0; text that is not UTF-8 gets
//! U+FFFD. Where a recording was cut before the figures of a process were written, its
//! `totals`, `untracked`, `inherited`, `exactness`, `size_classes` and `threads` are null.

use serde::Serialize;

pub use super::sites::Sites;
use crate::symbols::Trouble;

/// The number of this contract.
pub const SCHEMA: u32 = 1;

/// The one object that is printed.
#[derive(Debug, Clone, Serialize)]
pub struct Report<'a> {
    /// [`SCHEMA`].
    pub schema: u32,
    /// About the file.
    pub recording: Source,
    /// Of the chosen process, or of all of them.
    #[serde(flatten)]
    pub sections: Sections<'a>,
    /// With `--by`: its groups, most live bytes first, cut by `--top`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// Every process image, in order of their start.
    pub processes: Vec<Process<'a>>,
    /// Processes of the tree that could not be traced and lived for a second, in order of their
    /// start.
    pub untraced: Vec<UntracedProcess>,
    /// Which of them the sections are of; `None` for a sum.
    #[serde(skip)]
    pub chosen: Option<usize>,
}

impl Report<'_> {
    /// Whether tracing of the chosen process had not started at the moment: nothing is known of it.
    pub(super) fn is_before_tracing(&self) -> bool {
        self.chosen.is_some() && self.sections.window.started_after_s.is_none()
    }
}

/// About the recording.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    /// Format of the file.
    pub format: u32,
    /// Whether it reaches its end; otherwise it was cut, is damaged or still being written.
    pub complete: bool,
    /// When the program was launched, in seconds since the Unix epoch.
    pub launched_at_s: f64,
    /// Its end, where a later moment was asked for. For people: the JSON has the end anyway.
    #[serde(skip)]
    pub ended_before_s: Option<f64>,
    /// Files of which places have no name: it was not recorded, and they are not here.
    pub files_missing: Vec<FileMissing>,
}

/// A file that would have names.
#[derive(Debug, Clone, Serialize)]
pub struct FileMissing {
    /// Its path.
    pub module: String,
    /// Why it names nothing, in words.
    pub why: String,
}

impl From<Trouble> for FileMissing {
    fn from(trouble: Trouble) -> Self {
        let module = String::from_utf8_lossy(&trouble.module).into_owned();
        Self { module, why: trouble.why }
    }
}

/// One process image.
#[derive(Debug, Clone, Serialize)]
pub struct Process<'a> {
    /// Process id.
    pub pid: u32,
    /// 0 for the first image of this pid, one more for every exec.
    pub generation: u32,
    /// Process id of the parent; null if that is not part of the recording.
    pub parent: Option<u32>,
    /// Since the launch.
    pub started_s: f64,
    /// Since the launch; null while it runs, or unknown.
    pub ended_s: Option<f64>,
    /// All of its figures.
    #[serde(flatten)]
    pub sections: Sections<'a>,
}

/// A process of the tree that could not be traced.
#[derive(Debug, Clone, Serialize)]
pub struct UntracedProcess {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent, traced or not; null where unknown.
    pub parent: Option<u32>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// When it was seen first, since the launch.
    pub started_s: f64,
    /// When it was seen to be gone, since the launch; null while it runs, or unknown.
    pub ended_s: Option<f64>,
    /// Why, in few words, as in `static`; null where unknown.
    pub why: Option<String>,
    /// Its program's name, for the text.
    #[serde(skip)]
    pub name: String,
}

/// What is said of one process, or of a sum.
#[derive(Debug, Clone, Serialize)]
pub struct Sections<'a> {
    /// Who it is.
    pub target: Target,
    /// When it was traced.
    pub window: Window,
    /// Its figures.
    pub totals: Option<Totals>,
    /// Frees of blocks whose allocation was not seen; usable bytes.
    pub untracked: Option<Untracked>,
    /// Of the parent's traced blocks, at fork.
    pub inherited: Option<Inherited>,
    /// How far off the figures may be.
    pub exactness: Option<Exactness>,
    /// By requested size, smallest first, empty ones omitted; null where unknown.
    pub size_classes: Option<Vec<SizeClass>>,
    /// By stack, most live bytes first; empty without stacks. With `--at peak` live is what was
    /// at the peak.
    pub sites: Sites<'a>,
    /// By thread; ended ones in one row with tid 0.
    pub threads: Option<Vec<Thread>>,
    /// Oldest sample first; empty for a sum.
    pub timeline: Vec<Point>,
    /// The window in a sentence, for the text.
    #[serde(skip)]
    pub sentence: Option<String>,
    /// Nothing was ever traced: that is why all of it is unknown.
    #[serde(skip)]
    pub is_untraced: bool,
}

impl Sections<'_> {
    /// Whether it is known by stack what is live; where nothing was allocated, it is.
    pub(super) fn knows_sites(&self) -> bool {
        let nothing = self.totals.is_some_and(|totals| totals.allocations == 0);
        nothing || self.captures_stacks() && self.sites.are_known()
    }

    /// Whether stacks were captured.
    pub(super) fn captures_stacks(&self) -> bool {
        self.exactness.is_some_and(|exactness| exactness.stacks_cut.is_some())
    }
}

/// The program.
#[derive(Debug, Clone, Serialize)]
pub struct Target {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Null for a sum.
    pub pid: Option<u32>,
    /// Null while it runs, or unknown.
    pub exit: Option<Exit>,
}

/// How it ended: `{"code": 0}` or `{"signal": 9}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// Left with this status.
    Code(i32),
    /// Killed by this signal.
    Signal(i32),
}

/// When tracing was on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Window {
    /// Null when it never started, and for a sum.
    pub started_after_s: Option<f64>,
    /// In order; empty for a sum.
    pub intervals: Vec<Interval>,
    /// The last clear: figures count from then on. Null where there was none, and for a sum.
    pub cleared_after_s: Option<f64>,
}

/// One stretch of tracing.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Interval {
    /// Start.
    pub from_s: f64,
    /// Null while open.
    pub to_s: Option<f64>,
}

/// The figures. Those about a peak are null in a sum: processes peak at different moments.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Totals {
    /// Live bytes; with `--at peak` those of the peak.
    pub current_bytes: u64,
    /// Live blocks; with `--at peak` those of the peak.
    pub current_blocks: u64,
    /// Highest live bytes.
    pub peak_bytes: Option<u64>,
    /// Blocks at the byte peak.
    pub peak_blocks: Option<u64>,
    /// When; null before the first allocation. With several threads as late as when a thread that
    /// slept tells what it held, if that made the peak higher: the timeline says when it was reached.
    pub peak_at_s: Option<f64>,
    /// Highest number of blocks.
    pub max_blocks: Option<u64>,
    /// In a sum only: the sum of all peaks, which the true peak cannot exceed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_at_most_bytes: Option<u64>,
    /// Bytes of all allocations.
    pub allocated_bytes: u64,
    /// All allocations.
    pub allocations: u64,
    /// Bytes of all frees.
    pub freed_bytes: u64,
    /// All frees of traced blocks.
    pub frees: u64,
    /// Reallocs that succeeded.
    pub reallocations: u64,
    /// Freed by their thread with no allocation of its own in between.
    pub temporary: u64,
    /// Live usable bytes; null with `--at peak`.
    pub usable_current_bytes: Option<u64>,
}

/// Frees of blocks whose allocation was not seen; usable bytes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Untracked {
    /// Their number.
    pub frees: u64,
    /// Their bytes.
    pub freed_bytes: u64,
    /// Allocated − freed − freed untracked.
    pub net_bytes: Option<i64>,
    /// Null where the older heap was not counted.
    pub census: Option<Census>,
}

/// The heap when tracing started; usable bytes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Census {
    /// Blocks then.
    pub blocks: u64,
    /// Bytes then.
    pub bytes: u64,
    /// Those not freed since.
    pub still_live_blocks: u64,
    /// Their bytes.
    pub still_live_bytes: u64,
}

/// What a forked child took over.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Inherited {
    /// Blocks at the fork.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those freed since.
    pub frees: u64,
    /// Their bytes.
    pub freed_bytes: u64,
}

/// How far off the figures may be.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Exactness {
    /// The peak is right to ± this; null in a sum.
    pub peak_error_bytes: Option<u64>,
    /// Lost by the feed; no figure depends on them.
    pub dropped_events: u64,
    /// Frees never seen.
    pub lost_records: u64,
    /// Blocks counted but not tracked.
    pub unattributed_blocks: u64,
    /// Places in code without a name; null without stacks.
    pub frames_unresolved: Option<u64>,
    /// Stacks whose outer frames are missing; null without stacks.
    pub stacks_cut: Option<u64>,
    /// When sites were looked at, where that is before the moment; null: with the rest. In a sum
    /// the oldest of them, on the clock of the launched program.
    pub sites_at_s: Option<f64>,
    /// By how much sites come to more than `current_bytes`, as they are looked at right after it
    /// while the program goes on; null where it has ended, where they are of another moment, or
    /// unknown.
    pub sites_off_bytes: Option<i64>,
    /// The tracer's own memory in the program.
    pub tracer_bytes: u64,
    /// Null where it was not measured, and in a sum.
    pub ns_per_event: Option<f64>,
    /// That is right to ± this in 19 of 20 cases (two standard errors); null where it cannot be
    /// told, and in a sum.
    pub ns_per_event_error: Option<f64>,
}

/// Requested sizes `min..=max`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SizeClass {
    /// Smallest size.
    pub min: u64,
    /// Largest size.
    pub max: u64,
    /// Live blocks; with `--at peak` those of the peak.
    pub current_blocks: u64,
    /// Live bytes; with `--at peak` those of the peak.
    pub current_bytes: u64,
    /// Allocations, up to the end with `--at peak` as well.
    pub allocations: u64,
    /// Their bytes, likewise.
    pub allocated_bytes: u64,
}

/// One thread.
#[derive(Debug, Clone, Serialize)]
pub struct Thread {
    /// 0: ended threads together.
    pub tid: u32,
    /// Null where it could not be read.
    pub name: Option<String>,
    /// Allocated − freed by this thread; null with `--at peak`.
    pub current_bytes: Option<i64>,
    /// Allocations.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
}

impl Thread {
    /// Thread id and name, or `ended`.
    pub(super) fn key(&self) -> String {
        match (self.tid, &self.name) {
            (0, _) => "ended".to_owned(),
            (tid, Some(name)) => format!("{tid} {name}"),
            (tid, None) => tid.to_string(),
        }
    }
}

/// One sample. What only tracing tells is null before it first started.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Point {
    /// When.
    pub t_s: f64,
    /// Live bytes.
    pub current_bytes: Option<u64>,
    /// Highest live bytes since the sample before.
    pub max_bytes: Option<u64>,
    /// Resident set without the tracer; null when it could not be read.
    pub rss_bytes: Option<u64>,
    /// Usable bytes of untracked frees so far.
    pub untracked_freed_bytes: Option<u64>,
}

/// One group of `--by`.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// `dictAdd dict.c:312` (sites), a name or path, `17-32` (sizes), thread id and name, `ended`.
    pub key: String,
    /// Live bytes; null where unknown.
    pub current_bytes: Option<i64>,
    /// Live blocks; null where unknown.
    pub current_blocks: Option<u64>,
    /// Live bytes of it and all it called; null where nothing calls anything.
    pub with_callees_bytes: Option<u64>,
    /// Allocations.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
}
