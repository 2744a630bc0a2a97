//! The command line. The doc comments are the help text; `MEMTOP_*` variables mirror the
//! options of `run`, `record` and `attach`. What is parsed but hidden is not built yet.

mod reading;
mod value;
mod view;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand,
    builder::FalseyValueParser,
    error::{ContextKind, ContextValue},
};

use crate::{Error, commands::complain, config};
pub use reading::{
    DiffOptions, DiffSort, ExportFormat, ExportOptions, FilterOptions, GroupBy, Moment,
    ReportOptions,
};
pub use value::{ProcessChoice, StartAt, parse_duration, parse_size};
pub(crate) use value::{parse_moment, split_unit, unit_bytes};
pub use view::{MarkAt, ViewOptions};

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
    /// How the dashboard looks.
    #[command(flatten)]
    pub view: ViewOptions,
    /// A table of functions that are not the reason why memory was allocated, added to memtop's
    /// own (assets/plumbing.txt).
    #[arg(long, global = true, value_name = "FILE", env = "MEMTOP_PLUMBING", hide_env = true)]
    pub plumbing: Option<PathBuf>,
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
    Completions(CompletionsOptions),
    /// Print the manual page.
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
    let matches = command.try_get_matches().unwrap_or_else(|error| refuse(&error));
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
    #[arg(short, long, value_name = "FILE", env = "MEMTOP_OUTPUT", hide_env = true, value_parser = value::recording_file())]
    pub output: Option<PathBuf>,
    /// Most memory the tracer may take in the program, as in `64M` or `4GiB`; at least 1M
    /// [default: the smaller of 4 GiB and a quarter of what the control group has left]. Beyond
    /// it, figures that suffer read "≥".
    #[arg(long, value_name = "SIZE", env = "MEMTOP_MAX_TRACER_MEMORY", hide_env = true, value_parser = value::parse_tracer_memory)]
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
    /// Keep the recording to SIZE, as in `64M`; at least 1M. Beyond it the oldest detail is left
    /// out: events first, then ticks.
    #[arg(long, value_name = "SIZE", env = "MEMTOP_MAX_SIZE", hide_env = true, value_parser = value::parse_max_size)]
    pub max_size: Option<u64>,
}

/// Ends the process with the message, and names the variable that a wrong value stands in: it was
/// set where nobody looks for it.
fn refuse(error: &clap::Error) -> ! {
    // There is nobody to tell that stderr is closed.
    let _ = error.print();
    if let Some(variable) = variable_of(error) {
        complain(format_args!("this is the value of {variable}; set another one, or unset it"));
    }
    std::process::exit(error.exit_code())
}

/// The variable of the option that has a wrong value, where that was not typed.
fn variable_of(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg)?.split([' ', '=']).next()?;
    let name = option.strip_prefix("--")?;
    let variable = format!("MEMTOP_{}", name.replace('-', "_").to_uppercase());
    let is_set =
        std::env::var(&variable).is_ok_and(|set| Some(&*set) == text(ContextKind::InvalidValue));
    let is = |word: &str| word.split('=').next() == Some(option);
    let is_typed = std::env::args_os().any(|word| word.to_str().is_some_and(is));
    (is_set && !is_typed).then_some(variable)
}

/// `memtop run`.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// How to trace.
    #[command(flatten)]
    pub trace: TraceOptions,
    /// How the dashboard looks.
    #[command(flatten)]
    pub view: ViewOptions,
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
    /// How the dashboard looks.
    #[command(flatten)]
    pub view: ViewOptions,
}

/// `memtop dump`.
#[derive(Debug, Clone, Args)]
pub struct DumpOptions {
    /// The recording.
    pub file: PathBuf,
}

/// `memtop demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// How the dashboard looks.
    #[command(flatten)]
    pub view: ViewOptions,
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
        for absent in ["attach", "keeper", "dump"] {
            assert!(!help.contains(absent), "{absent}");
        }
    }

    #[test]
    fn the_keeper_takes_whatever_its_starter_passes() {
        let Ok(Command::Keeper(options)) = parse("memtop keeper --fd 3 -x y") else {
            panic!("a keeper command");
        };
        assert_eq!(options.arguments, ["--fd", "3", "-x", "y"]);
    }
}
