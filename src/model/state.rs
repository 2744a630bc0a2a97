//! The state of one process at one moment, and of the tree it belongs to.
//!
//! Times are [`Duration`]s of the monotonic clock since the **session of that process**
//! began, except in [`TreeState`], which says so. `*_bytes` are requested bytes unless the
//! name says `usable`. Unknown is `None`, never zero.

use std::time::Duration;

use memtop_ui::printable::is_printable;

use super::{names::Names, sites::Sites};

/// Every process image of one launch: each fork and each exec is an entry of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TreeState {
    /// The command as it was typed, program first.
    pub command: Vec<Vec<u8>>,
    /// Wall-clock time of the launch, since the Unix epoch.
    pub launched_at: Duration,
    /// How the launched program (the root process) ended; `None` while it runs or unknown.
    pub exit: Option<Exit>,
    /// In order of their start.
    pub processes: Vec<ProcessState>,
    /// Processes of the tree that could not be traced, in order of their start.
    pub untraced: Vec<UntracedProcess>,
}

/// A process of the tree that could not be traced, and lived long enough to be seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UntracedProcess {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent, which may be untraced too.
    pub parent: Option<u32>,
    /// Its arguments.
    pub command: Vec<Vec<u8>>,
    /// When it was seen first, since the launch.
    pub started: Duration,
    /// When it was seen to be gone, since the launch; `None` while it runs, or unknown.
    pub ended: Option<Duration>,
    /// Why, in few words, as in `static`.
    pub why: Option<String>,
}

impl UntracedProcess {
    /// The name of its program, without folders and whatever a terminal would take for an order.
    pub fn name(&self) -> String {
        let first = self.command.first().map(Vec::as_slice).unwrap_or_default();
        let name = first.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let text = match name {
            [] => "(command unknown)".into(),
            name => String::from_utf8_lossy(name),
        };
        text.chars()
            .map(|letter| if is_printable(letter) { letter } else { '?' })
            .take(40)
            .collect()
    }

    /// What was known of all of them at a moment, since the launch.
    pub fn known_at(all: &[Self], moment: Duration) -> Vec<Self> {
        let begun = all.iter().filter(|one| one.started <= moment);
        let then = |one: &Self| {
            let ended = one.ended.filter(|at| *at <= moment);
            Self { ended, ..one.clone() }
        };
        begun.map(then).collect()
    }

    /// Adds one to a list; what was said of the same one before is void.
    pub fn note(self, list: &mut Vec<Self>) {
        let is_same = |one: &&mut Self| (one.pid, one.started) == (self.pid, self.started);
        match list.iter_mut().rev().find(is_same) {
            Some(known) => *known = self,
            None => list.push(self),
        }
    }
}

/// One process image, from its first allocation to `exec` or exit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProcessState {
    /// Who it is and when it lived.
    pub identity: Identity,
    /// When its allocations were traced.
    pub window: Window,
    /// The figures at this moment.
    pub totals: Totals,
    /// Frees of blocks whose allocation was not seen.
    pub untracked: Untracked,
    /// What a forked child took over from its parent.
    pub inherited: Inherited,
    /// How far off the figures may be.
    pub exactness: Exactness,
    /// Size classes that ever held a block, smallest first.
    pub size_classes: Vec<SizeClass>,
    /// Size classes at the moment of the byte peak, smallest first; empty when unknown.
    pub size_classes_at_peak: Vec<SizeClass>,
    /// Threads that allocate, then one row for all that ended (`tid` 0).
    pub threads: Vec<ThreadState>,
    /// Where its memory comes from; empty in a live reading, which says only what is new, and
    /// where no stacks were captured.
    pub sites: Sites,
    /// What the locations of its stacks are called, as far as that was looked up.
    pub names: Names,
    /// Oldest first; empty where no history was kept.
    pub timeline: Vec<Point>,
}

impl ProcessState {
    /// Whether it is known which stacks held what; where nothing was allocated, none did.
    pub fn knows_sites(&self) -> bool {
        self.totals.allocations == 0 || self.sites.have_figures()
    }
}

/// Who a process image is and when it lived.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// 0 for the first image of this pid, one more for every `exec`.
    pub generation: u32,
    /// Process id of the parent, if the parent is part of the tree.
    pub parent: Option<u32>,
    /// The image's own arguments, program first; not necessarily UTF-8.
    pub command: Vec<Vec<u8>>,
    /// By which way the probe came in.
    pub entry: Entry,
    /// Since the launch.
    pub started: Duration,
    /// Since the launch; `None` while it runs.
    pub ended: Option<Duration>,
    /// How it ended, where that is known.
    pub exit: Option<Exit>,
}

/// By which way the probe came into a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Entry {
    /// The preload library, in a program started or exec'd under memtop.
    #[default]
    Preload,
    /// The tracing allocator, built into a Rust program.
    Embedded,
    /// A fork of a traced process.
    Fork,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It left with this status.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

/// When tracing was on; intervals are in order and do not overlap.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    /// Empty when tracing never started.
    pub intervals: Vec<Interval>,
    /// The last clear since tracing began: figures count from then on.
    pub cleared: Option<Duration>,
}

impl ProcessState {
    /// Nothing was ever counted: the figures are unknown, not zero. What a forked child took over
    /// is known without tracing.
    pub fn is_untraced(&self) -> bool {
        let nothing = self.totals == Totals::default() && self.inherited.blocks == 0;
        nothing && self.window.intervals.is_empty()
    }

    /// Whether the net is known. Where blocks could not be followed their frees look untracked,
    /// and so are seen as long as tracing goes on without a break, and no longer.
    pub fn knows_net(&self) -> bool {
        let unbroken = self.window.counted().len() == 1 && self.stopped().is_none();
        self.exactness.unattributed_blocks == 0 || unbroken
    }

    /// When tracing was stopped last, unless it goes on, or that was the end of the process.
    pub fn stopped(&self) -> Option<Duration> {
        let identity = &self.identity;
        let lived = identity.ended.map(|ended| ended.saturating_sub(identity.started));
        let last = self.window.intervals.last()?.to;
        last.filter(|to| lived.is_none_or(|lived| *to < lived))
    }

    /// Whether anything was live yet, so that there is a peak; its moment may be unknown.
    pub fn has_peak(&self) -> bool {
        self.totals.peak_at.is_some() || self.totals.max_blocks > 0
    }

    /// Live blocks at the byte peak. Where several threads allocate at once the peak is known to
    /// some bytes only; a peak within them says nothing of its blocks.
    pub fn peak_blocks(&self) -> Option<u64> {
        let totals = &self.totals;
        let known = self.exactness.peak_error_bytes < totals.peak_bytes.max(1);
        let told = totals.peak_blocks > 0 || totals.peak_bytes == 0;
        (known && told).then_some(totals.peak_blocks)
    }
}

impl Window {
    /// The stretches over which figures count: those since the last clear.
    pub fn counted(&self) -> Vec<Interval> {
        let cleared = self.cleared.unwrap_or_default();
        let since = self.intervals.iter().filter(|one| one.to.is_none_or(|to| to > cleared));
        since.map(|one| Interval { from: one.from.max(cleared), to: one.to }).collect()
    }
}

/// One stretch of tracing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Start.
    pub from: Duration,
    /// End; `None` while tracing is on.
    pub to: Option<Duration>,
}

/// The figures of a process. Counting rules are those of the README's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Live requested bytes.
    pub current_bytes: u64,
    /// Live blocks.
    pub current_blocks: u64,
    /// Highest live bytes.
    pub peak_bytes: u64,
    /// Blocks that were live at the byte peak.
    pub peak_blocks: u64,
    /// When the byte peak was reached; `None` before the first allocation, and where it was while
    /// nobody kept the time.
    pub peak_at: Option<Duration>,
    /// Highest number of live blocks at any moment.
    pub max_blocks: u64,
    /// Requested bytes of all allocations.
    pub allocated_bytes: u64,
    /// Number of allocations.
    pub allocations: u64,
    /// Requested bytes of all frees of traced blocks.
    pub freed_bytes: u64,
    /// Number of frees of traced blocks.
    pub frees: u64,
    /// Number of reallocs that succeeded.
    pub reallocations: u64,
    /// Blocks freed by their thread with no allocation of that thread in between.
    pub temporary: u64,
    /// Live usable bytes.
    pub usable_current_bytes: u64,
    /// Usable bytes of all allocations.
    pub usable_allocated_bytes: u64,
    /// Usable bytes of all frees of traced blocks.
    pub usable_freed_bytes: u64,
}

/// Frees of blocks that the ledger never saw allocated. All bytes are usable bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Untracked {
    /// Number of such frees while tracing.
    pub frees: u64,
    /// Their bytes.
    pub freed_bytes: u64,
    /// Allocated − freed of traced blocks − freed untracked: the true change over the window.
    pub net_bytes: i64,
    /// What was there before, where it was counted.
    pub census: Option<Census>,
}

/// The heap as it was when tracing started. Usable bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// What a forked child took over: its parent's traced blocks. Requested bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inherited {
    /// Blocks at the fork.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them this process freed.
    pub frees: u64,
    /// Their bytes.
    pub freed_bytes: u64,
}

/// How far off the figures may be, and what the tracer costs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Exactness {
    /// The peak is right to ± this; 0 with one thread.
    pub peak_error_bytes: u64,
    /// Events the live feed or the recording lost; no total depends on them.
    pub dropped_events: u64,
    /// Blocks whose free was never seen (their address was handed out again).
    pub lost_records: u64,
    /// Blocks counted without a place to note them: a cap was met. They are among what was
    /// allocated and in the net; what is live, and the peak, read "≥", since no more is known of
    /// them, and untracked frees "≤", since theirs are among those.
    pub unattributed_blocks: u64,
    /// Stack frames without a name; `None` while stacks are not captured.
    pub frames_unresolved: Option<u64>,
    /// Stacks cut at the frame limit; `None` while stacks are not captured.
    pub stacks_cut: Option<u64>,
    /// What the tracer itself holds in the target.
    pub tracer_bytes: u64,
    /// Measured cost of one hook call; `None` where it was not measured.
    pub ns_per_event: Option<f64>,
    /// That is right to ± this, two standard errors; `None` where it cannot be told.
    pub ns_per_event_error: Option<f64>,
}

/// One class of requested sizes, `min..=max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SizeClass {
    /// Smallest size.
    pub min: u64,
    /// Largest size.
    pub max: u64,
    /// Live blocks.
    pub current_blocks: u64,
    /// Live bytes.
    pub current_bytes: u64,
    /// Allocations so far.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
}

/// What one thread did. `current_bytes` is allocated − freed *by this thread*, so a thread
/// that frees what others allocate goes below zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ThreadState {
    /// Kernel thread id; 0 for the row that sums up ended threads.
    pub tid: u32,
    /// Name, where it could be read.
    pub name: Option<String>,
    /// Allocated − freed by this thread.
    pub current_bytes: i64,
    /// Allocations.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
}

/// What threads did at one site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteThreads {
    /// Which site, by the key that whoever asked has for it.
    pub of: u64,
    /// They, without names; what threads without a place of their own did is summed up.
    pub threads: Vec<ThreadState>,
}

/// One sample of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point {
    /// Since the process's session began.
    pub at: Duration,
    /// Live requested bytes at the sample.
    pub current_bytes: u64,
    /// Highest live bytes since the previous sample.
    pub max_bytes: u64,
    /// Resident set, the tracer's own share subtracted; `None` when it could not be read.
    pub rss_bytes: Option<u64>,
    /// Usable bytes of untracked frees so far.
    pub untracked_freed_bytes: u64,
}

impl Point {
    /// This and a later one as one: the state at the later moment, and the highest of both.
    #[must_use]
    pub fn merged_with(&self, later: &Self) -> Self {
        Self {
            max_bytes: self.max_bytes.max(later.max_bytes),
            rss_bytes: later.rss_bytes.or(self.rss_bytes),
            ..*later
        }
    }
}
