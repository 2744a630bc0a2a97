//! Options of the commands that read recordings: report, diff, export.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};

use super::value::{self, ProcessChoice};
use crate::{
    Error,
    export::Figure,
    model::{Term, diff},
    recording,
};

/// `memtop report`.
#[derive(Debug, Clone, Args)]
pub struct ReportOptions {
    /// The recording.
    pub file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// The moment: `end`, `peak` (what was live then, in sizes and sites too; all else as at the
    /// end), seconds since the program began, `end-10` (so many before the end), or `mark:N`.
    #[arg(long, value_name = "WHEN", default_value = "end", value_parser = value::parse_moment)]
    pub at: Moment,
    /// Group by `site` (the line that asked, allocator functions left aside), `function`, `file`,
    /// `module`, `stack`, `thread` or `size`, largest first.
    #[arg(long, value_enum, value_name = "KEY", hide_possible_values = true)]
    pub by: Option<GroupBy>,
    /// Only the N largest rows of each table; in JSON, the N largest groups of --by.
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Which sites to look at.
    #[command(flatten)]
    pub filter: FilterOptions,
    /// The process: a PID (its last image), or `sum` of all [default: the launched program].
    #[arg(long, value_name = "PID|sum", value_parser = value::parse_process)]
    pub process: Option<ProcessChoice>,
    /// Exit 3 when this holds, as in `totals.peak_bytes > 64MiB or totals.frees == 0`.
    ///
    /// FIELD OP VALUE, joined by `and` and `or` (`and` binds closer). FIELD is a number of
    /// the JSON report, by its path. OP is one of > >= < <= ==. VALUE is a number, with or
    /// without a unit: B; K, KiB, M, MiB, G, GiB (powers of 1024); KB, MB, GB (of 1000).
    #[arg(long, value_name = "EXPR")]
    pub fail_if: Option<String>,
}

/// Which sites to look at: shared by report and diff.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterOptions {
    /// Only sites like PATTERN; several: like any of them.
    ///
    /// A word is a part of a name; fn:, file:, module: and thread: say of which. With * or ? the
    /// whole name must look like it, as in fn:parse_* or file:*/net/*.c; file:*/dict.c:312 is one
    /// line.
    #[arg(long, value_name = "PATTERN", value_parser = Term::parse)]
    pub include: Vec<Term>,
    /// No sites like PATTERN.
    #[arg(long, value_name = "PATTERN", value_parser = Term::parse)]
    pub exclude: Vec<Term>,
    /// Try the patterns on every frame of a stack, and not only on its site.
    #[arg(long)]
    pub all_frames: bool,
}

/// `memtop diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffOptions {
    /// The recording to start from: FILE, FILE@peak, FILE@SECONDS,
    /// FILE@end-SECONDS, or FILE@mark:N.
    #[arg(value_name = "A[@WHEN]")]
    pub a: OsString,
    /// The recording to compare with it.
    #[arg(value_name = "B[@WHEN]")]
    pub b: OsString,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Compare by `site` (the line that asked), `function`, `file`, `module`, `stack`, `thread` or
    /// `size` [default: site; size without stacks].
    #[arg(long, value_enum, value_name = "KEY", hide_possible_values = true)]
    pub by: Option<GroupBy>,
    /// Let a function, file or module count what it called as its own.
    #[arg(long)]
    pub with_callees: bool,
    /// Sort by growth in `bytes` or `blocks`.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value = "bytes",
        hide_possible_values = true
    )]
    pub sort: DiffSort,
    /// Only the N groups that changed most.
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Which sites to look at.
    #[command(flatten)]
    pub filter: FilterOptions,
    /// The process on both sides: a PID (its last image), or `sum` of all [default: the launched
    /// program].
    #[arg(long, value_name = "PID|sum", value_parser = value::parse_process)]
    pub process: Option<ProcessChoice>,
    /// Exit 3 when this holds, as in `totals.bytes_delta > 10%` or `states.new.groups > 0`.
    ///
    /// FIELD OP VALUE, joined by `and` and `or`, as for report. FIELD is a number of the JSON diff,
    /// by its path; groups.0 is the one that grew most. VALUE may be a percentage: of the figure
    /// at A.
    #[arg(long, value_name = "EXPR")]
    pub fail_if: Option<String>,
}

/// `memtop export`.
#[derive(Debug, Clone, Args)]
pub struct ExportOptions {
    /// The recording.
    pub file: PathBuf,
    /// The format: `folded` stacks, a `flamegraph` (SVG), `pprof`, `heaptrack`, `csv` or
    /// `parquet`.
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub format: ExportFormat,
    /// Where to write it; `-` is the standard output.
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// The moment: `end`, `peak` (what was live then; all else as at the end), seconds since the
    /// start, `end-10` (so many before the end), or `mark:N`.
    #[arg(long, value_name = "WHEN", default_value = "end", value_parser = value::parse_moment)]
    pub at: Moment,
    /// What `folded` and `flamegraph` show: live `bytes` or `blocks`, or `allocated` bytes,
    /// `allocations` or `temporary` ones since the start [default: bytes].
    #[arg(long, value_enum, value_name = "FIGURE", hide_possible_values = true)]
    pub figure: Option<Figure>,
    /// The process: a PID (its last image), or `sum` of all [default: the launched program].
    #[arg(long, value_name = "PID|sum", value_parser = value::parse_process)]
    pub process: Option<ProcessChoice>,
    /// A row of `csv` or `parquet` is an event, and not a stack; of a recording made with --events.
    #[arg(long)]
    pub events: bool,
    /// Overwrite OUT if it exists.
    #[arg(long)]
    pub force: bool,
}

/// A format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A line a stack.
    Folded,
    /// A picture.
    Flamegraph,
    /// Go's profile.
    Pprof,
    /// heaptrack's text.
    Heaptrack,
    /// A table in text.
    Csv,
    /// A table in columns.
    Parquet,
}

impl ExportFormat {
    /// As it is written on the command line.
    pub fn word(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether people cannot read it.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Pprof | Self::Parquet)
    }

    /// Whether it has one number a stack, which must be chosen.
    pub fn has_one_figure(self) -> bool {
        matches!(self, Self::Folded | Self::Flamegraph)
    }
}

/// A moment of a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moment {
    /// When the process, or the recording, ended.
    End,
    /// At the byte peak.
    Peak,
    /// So long after the session began.
    At(Duration),
    /// So long before the recording ends.
    BeforeEnd(Duration),
    /// When somebody set the mark of this number, which the recording knows.
    Mark(u32),
}

impl Moment {
    /// The same, what only the recording at `path` knows looked up in it: marks, and its end.
    ///
    /// # Errors
    /// When it has no such mark, or cannot be read.
    pub(crate) fn known_in(self, path: &Path) -> Result<Self, Error> {
        match self {
            Self::BeforeEnd(span) => recording::time_before_end(path, span).map(Self::At),
            Self::Mark(number) => recording::time_of_mark(path, number).map(Self::At),
            moment => Ok(moment),
        }
    }
}

/// What a report is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    /// The line that asked, allocator functions left aside.
    Site,
    /// Function.
    Function,
    /// Source file.
    File,
    /// Program or library.
    Module,
    /// Stack, as a whole.
    Stack,
    /// Thread.
    Thread,
    /// Size class.
    Size,
}

impl GroupBy {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Function => "function",
            Self::File => "file",
            Self::Module => "module",
            Self::Stack => "stack",
            Self::Thread => "thread",
            Self::Size => "size",
        }
    }
}

/// What a diff is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffSort {
    /// Bytes.
    Bytes,
    /// Blocks.
    Blocks,
}

impl From<DiffSort> for diff::By {
    fn from(sort: DiffSort) -> Self {
        match sort {
            DiffSort::Bytes => Self::Bytes,
            DiffSort::Blocks => Self::Blocks,
        }
    }
}
