//! The command line. The doc comments are the help text; `MEMTOP_*` variables mirror the
//! options of `run`, `record` and `attach`. What is parsed but hidden is not built yet.

mod value;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, builder::FalseyValueParser,
};

use crate::{
    Error, config,
    export::Figure,
    model::{Term, diff},
};
pub use value::{ProcessChoice, StartAt, parse_duration, parse_size};
pub(crate) use value::{parse_moment, split_unit, unit_bytes};

/// How often the dashboard and the recording look, unless `--tick` says otherwise.
pub const DEFAULT_TICK: Duration = Duration::from_millis(100);

/// A live memory dashboard for the terminal: how much memory a program holds, in what
/// sizes, since when, and what changed.
#[derive(Debug, Parser)]
#[command(
    name = "memtop",
    version,
    max_term_width = 100,
    after_help = "Exit: run and record pass on the program's status (128 + signal when killed); \
                  125 memtop failed before the program ran, 126 it cannot be run or traced, \
                  127 not found. Other commands: 0, 1 failed, 2 wrong usage, 3 --fail-if met."
)]
pub struct Cli {
    /// What to do; without it, choose among what is there.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a program with the dashboard in this terminal.
    ///
    /// Options end at PROG or at `--`: everything behind belongs to the program.
    Run(RunOptions),
    /// Start a program and record it, without a dashboard.
    ///
    /// The program keeps stdin, stdout and stderr. Ctrl-C goes to the program, and the
    /// recording is completed after it. Options end at PROG or at `--`.
    Record(RecordOptions),
    /// Join a running process.
    #[command(hide = true)]
    Attach(AttachOptions),
    /// Watch a recording in the dashboard.
    Replay(ReplayOptions),
    /// Print what a recording says, for people or as JSON.
    Report(ReportOptions),
    /// Compare two recordings, or two moments of one.
    Diff(DiffOptions),
    /// Write a recording in another tool's format.
    Export(ExportOptions),
    /// See a small traced program that shows every feature; without a terminal, its report.
    Demo(DemoOptions),
    /// Say what works on this machine, what does not, why, and what to do.
    Doctor(DoctorOptions),
    /// Print the completions for a shell.
    #[command(hide = true)]
    Completions(CompletionsOptions),
    /// Print the manual page.
    #[command(hide = true)]
    Man,
    /// Print the records of a recording, one a line.
    #[command(hide = true)]
    Dump(DumpOptions),
    /// The process that holds a traced program; started by memtop itself.
    #[command(hide = true)]
    Keeper(KeeperOptions),
}

/// `memtop doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorOptions {
    /// Print one JSON array.
    #[arg(long)]
    pub json: bool,
}

/// `memtop completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsOptions {
    /// bash, elvish, fish, powershell or zsh.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// The command line, with the defaults of the configuration file. The keeper, which memtop starts
/// itself, and what describes memtop do without.
///
/// # Errors
/// When the configuration cannot be used. A wrong command line ends the process with its message.
pub fn parse() -> Result<Cli, Error> {
    let mut command = Cli::command();
    let first = std::env::args_os().nth(1);
    let first = first.as_ref().and_then(|word| word.to_str()).unwrap_or_default();
    if !["keeper", "doctor", "completions", "man"].contains(&first) {
        command = config::load()?.apply(command)?;
    }
    let matches = command.get_matches();
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// How to trace: shared by run, record and attach.
#[derive(Debug, Clone, Args)]
pub struct TraceOptions {
    /// When to start tracing: `now`, `paused` (until a key is pressed), or `after:5s`.
    #[arg(long, value_name = "WHEN", env = "MEMTOP_START", hide_env = true, default_value = "now", value_parser = value::parse_start)]
    pub start: StartAt,
    /// Stop tracing so long after its start, as in `after:2m`. Frees are still seen.
    #[arg(long, value_name = "WHEN", env = "MEMTOP_STOP", hide_env = true, value_parser = value::parse_stop)]
    pub stop: Option<Duration>,
    /// How often to look, as in `250ms`; between 10ms and 1m.
    #[arg(long, value_name = "DURATION", env = "MEMTOP_TICK", hide_env = true, default_value = "100ms", value_parser = value::parse_tick)]
    pub tick: Duration,
    /// Record into FILE.
    #[arg(short, long, value_name = "FILE", env = "MEMTOP_OUTPUT", hide_env = true)]
    pub output: Option<PathBuf>,
    /// Most memory the tracer may take in the program, as in `64M` or `4GiB` [default: the
    /// smaller of 4 GiB and a quarter of what the control group has left]. Beyond it, figures
    /// that suffer read "≥".
    #[arg(long, value_name = "SIZE", env = "MEMTOP_MAX_TRACER_MEMORY", hide_env = true, value_parser = parse_size)]
    pub max_tracer_memory: Option<u64>,
    /// Do not capture stacks: how much and in what sizes, but not where from.
    #[arg(long, env = "MEMTOP_NO_STACKS", hide_env = true, value_parser = FalseyValueParser::new())]
    pub no_stacks: bool,
    /// Frames of a stack to keep, from 1 to 512; deeper stacks lose their outermost ones and
    /// are marked as cut [default: 128].
    #[arg(long, value_name = "N", env = "MEMTOP_DEPTH", hide_env = true, value_parser = clap::value_parser!(u32).range(1..=512))]
    pub depth: Option<u32>,
    /// Record every allocation and free as well, so that nothing is missing: a thread waits for
    /// memtop where it must, while memtop is there.
    #[arg(long, env = "MEMTOP_EVENTS", hide_env = true, value_parser = FalseyValueParser::new())]
    pub events: bool,
}

/// `memtop run`.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// How to trace.
    #[command(flatten)]
    pub trace: TraceOptions,
    /// Overwrite the recording if it exists.
    #[arg(long, env = "MEMTOP_FORCE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub force: bool,
    /// The program and its arguments.
    #[arg(value_name = "PROG", required = true, num_args = 1.., trailing_var_arg = true)]
    pub program: Vec<OsString>,
}

/// `memtop record`.
#[derive(Debug, Clone, Args)]
#[command(mut_arg("output", |arg| arg.required(true)))]
pub struct RecordOptions {
    /// How to trace.
    #[command(flatten)]
    pub trace: TraceOptions,
    /// Overwrite the recording if it exists.
    #[arg(long, env = "MEMTOP_FORCE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub force: bool,
    /// No status line, and no closing line.
    #[arg(long, env = "MEMTOP_QUIET", hide_env = true, value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// Record a running process.
    #[arg(long, value_name = "PID", hide = true)]
    pub pid: Option<u32>,
    /// The program and its arguments.
    #[arg(value_name = "PROG", required_unless_present = "pid", num_args = 1.., trailing_var_arg = true)]
    pub program: Vec<OsString>,
}

impl RecordOptions {
    /// The file to record into. The parser insists on one; the default is never used.
    pub fn output(&self) -> PathBuf {
        self.trace.output.clone().unwrap_or_default()
    }
}

/// `memtop attach`.
#[derive(Debug, Clone, Args)]
pub struct AttachOptions {
    /// How to trace.
    #[command(flatten)]
    pub trace: TraceOptions,
    /// The process.
    pub pid: u32,
}

/// `memtop replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayOptions {
    /// The recording.
    pub file: PathBuf,
}

/// `memtop dump`.
#[derive(Debug, Clone, Args)]
pub struct DumpOptions {
    /// The recording.
    pub file: PathBuf,
}

/// `memtop report`.
#[derive(Debug, Clone, Args)]
pub struct ReportOptions {
    /// The recording.
    pub file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// The moment: `end`, `peak` (live figures, sizes and sites as they were at the peak), or
    /// seconds since the program began.
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
    /// The recording to start from: FILE, FILE@peak, or FILE@SECONDS.
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
    /// Where to write it.
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// The moment: `end`, `peak` (live figures as they were at the peak), or seconds since
    /// the start.
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

    /// Whether it has one number a stack, which must be chosen.
    pub fn has_one_figure(self) -> bool {
        matches!(self, Self::Folded | Self::Flamegraph)
    }
}

/// `memtop demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// Be the program that the demo traces.
    #[arg(long, hide = true)]
    pub child: bool,
}

/// `memtop keeper`: what its starter passes, as it is.
#[derive(Debug, Clone, Args)]
pub struct KeeperOptions {
    /// Private to memtop.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    fn parse(line: &str) -> Result<Command, ErrorKind> {
        let cli = Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())?;
        cli.command.ok_or(ErrorKind::MissingSubcommand)
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_end_at_the_program() {
        let line = "memtop record --start after:5s -o out.memtop ls --quiet -o x";
        let Ok(Command::Record(options)) = parse(line) else {
            panic!("{line} is a record command");
        };
        assert_eq!(options.program, ["ls", "--quiet", "-o", "x"]);
        assert_eq!(options.output(), PathBuf::from("out.memtop"));
        assert_eq!(options.trace.start, StartAt::After(Duration::from_secs(5)));
        assert!(!options.quiet);
    }

    #[test]
    fn a_double_dash_starts_the_program() {
        let Ok(Command::Run(options)) = parse("memtop run -- --odd name --") else {
            panic!("a run command");
        };
        assert_eq!(options.program, ["--odd", "name", "--"]);
        assert_eq!(options.trace.tick, DEFAULT_TICK);
    }

    #[test]
    fn what_is_needed_is_asked_for() {
        let missing = Some(ErrorKind::MissingRequiredArgument);
        for line in ["memtop record ls", "memtop record -o x", "memtop run", "memtop report"] {
            assert_eq!(parse(line).err(), missing, "{line}");
        }
        assert_eq!(parse("memtop run --tpyo ls").err(), Some(ErrorKind::UnknownArgument));
    }

    #[test]
    fn what_is_not_built_is_not_in_the_help() {
        let mut command = Cli::command();
        let help = command.render_long_help().to_string();
        for absent in ["attach", "keeper", "dump", "completions"] {
            assert!(!help.contains(absent), "{absent}");
        }
        let run = command.find_subcommand_mut("run").expect("run");
        let help = run.render_long_help().to_string();
        assert!(!help.contains("--events"));
    }

    #[test]
    fn the_keeper_takes_whatever_its_starter_passes() {
        let Ok(Command::Keeper(options)) = parse("memtop keeper --fd 3 -x y") else {
            panic!("a keeper command");
        };
        assert_eq!(options.arguments, ["--fd", "3", "-x", "y"]);
    }
}
