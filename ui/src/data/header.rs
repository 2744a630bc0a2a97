//! The honesty bar: whose memory this is, since when it is traced, and how exact the numbers are.

/// The honesty bar: whose memory this is, since when it is traced, and how exact the numbers are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Header {
    /// The command line; the view shortens it.
    pub title: String,
    /// Process id.
    pub pid: Option<u32>,
    /// What the program is doing.
    pub state: RunState,
    /// The launched program runs, whatever became of the process that is shown.
    pub still_runs: bool,
    /// A signal has stopped it.
    pub stopped: bool,
    /// Traced processes that it left behind when it ended, and that live.
    pub left_behind: usize,
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
    /// That is right to ± this, where it can be told.
    pub overhead_error_ns: Option<f64>,
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
    /// Its process runs on, as a program that cannot be traced.
    Untraced,
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

impl Header {
    /// Whether there is a program that could be typed to, or ended.
    pub fn runs(&self) -> bool {
        self.still_runs || self.state.is_alive()
    }
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
    /// memtop joined it: who may touch it is asked as well.
    Joined,
    /// It embeds the allocator and nobody holds it: leaving lets it run.
    Embedded,
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
    /// Whether tracing was paused since figures count, so that unseen blocks need not be from
    /// before.
    pub was_paused: bool,
    /// The last clear, from which on figures count.
    pub cleared_s: Option<f64>,
}

impl Tracing {
    /// What figures count from: `tracing began`, or `the clear`.
    pub fn beginning(&self) -> &'static str {
        match self.cleared_s {
            None => "tracing began",
            Some(_) => "the clear",
        }
    }
}

/// The highest live bytes and when they were reached.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Peak {
    /// Bytes.
    pub bytes: u64,
    /// Moment; `None` where it was while nobody looked.
    pub t_s: Option<f64>,
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
