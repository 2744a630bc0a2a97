//! From the commands that start or join a program to the dashboard or the recording.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::never;
use memtop_probe::session::layout;
use memtop_ui::data::{Notice, Origin};

use crate::{
    Error,
    app::{self, Opened, Outcome},
    chooser::{self, Choice},
    cli::{
        DEFAULT_TICK, DemoOptions, RecordOptions, ReplayOptions, RunOptions, StartAt, TraceOptions,
        ViewOptions,
    },
    commands, demo,
    keeper::{
        Options, Start,
        client::{Connection, release_program_descriptors},
        embedded::Embedded,
        output::Output,
        record,
    },
    model::Exit,
    query::Session,
    report,
    source::{Controls, live::Live, replay::Replay, rewind::Rewind},
    symbols::Resolver,
    sys::pty::Size,
    terminal::{self, Screen},
    view::View,
};

/// What to launch, from the command line.
fn launch_options(trace: &TraceOptions, program: &[OsString]) -> Options {
    let start = match trace.start {
        StartAt::Now => Start::Now,
        StartAt::Paused => Start::Paused,
        StartAt::After(delay) => Start::After(delay),
    };
    Options {
        start,
        stop_after: stop_after(trace),
        tick: trace.tick,
        tracer_limit: trace.max_tracer_memory,
        frames: frames(trace),
        events: trace.events,
        max_size: trace.max_size,
        ..Options::new(program.to_vec())
    }
}

/// How many frames of a stack to keep.
fn frames(trace: &TraceOptions) -> u32 {
    if trace.no_stacks { 0 } else { trace.depth.unwrap_or(layout::FRAMES) }
}

/// `--stop` counts from the start of tracing, the schedule from the launch.
fn stop_after(trace: &TraceOptions) -> Option<Duration> {
    let begun = match trace.start {
        StartAt::After(delay) => delay,
        StartAt::Now | StartAt::Paused => Duration::ZERO,
    };
    trace.stop.map(|stop| begun + stop)
}

/// `memtop record`.
///
/// # Errors
/// When the program was not started.
pub fn record(options: &RecordOptions) -> Result<ExitCode, Error> {
    let output = Output { path: options.output(), force: options.force };
    let launch = launch_options(&options.trace, &options.program);
    let recorded = record::run(&launch, &output, options.quiet)?;
    let code = recorded.outcome.exit_code();
    // Where there was a status line, the program's own last words end the screen, unless a person
    // has to know more.
    let has_shown = record::shows_status(options.quiet) && !recorded.lacks_something();
    if recorded.is_complete && !options.quiet && !has_shown {
        let _ = writeln!(io::stderr(), "{}", recorded.closing_line(&output.path));
    }
    Ok(ExitCode::from(code))
}

/// `memtop run`.
///
/// # Errors
/// When there is no terminal, or the program was not started.
pub fn run(options: &RunOptions) -> Result<ExitCode, Error> {
    let mut launch = launch_options(&options.trace, &options.program);
    // The keeper works in another folder one day.
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    launch.output = options
        .trace
        .output
        .as_ref()
        .map(|path| Output { path: absolute(path), force: options.force });
    show_launched(&launch, View::new(&options.view)?)
}

fn show_launched(launch: &Options, view: View) -> Result<ExitCode, Error> {
    // Before anything else: every thread from here on leaves the viewer's signals to the screen.
    let screen = Screen::open()?;
    let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
    let (columns, rows) = memtop_ui::pane_size(columns, rows);
    let connection = Connection::spawn(launch, Size { columns, rows })?;
    release_program_descriptors();
    app::run(kept(connection, Origin::Launched, launch.tick), &screen, view).map(exit_code)
}

/// What to show of a program that a keeper holds.
fn kept(connection: Connection, origin: Origin, tick: Duration) -> Opened {
    let hello = connection.hello().clone();
    let (reader, rewind) = (Arc::clone(connection.reader()), Rewind::of(&connection));
    Opened {
        source: Box::new(Live::kept(reader, hello.root, hello.holds_feed).with_past(rewind)),
        session: Session { command: hello.command, origin, read_only: !hello.holds_feed },
        updates: connection.messages().clone(),
        controls: Controls::Keeper(connection),
        has_output: hello.has_pty,
        tick,
        notice: hello.warnings.first().map(Notice::warning),
    }
}

/// What to show of a program that embeds the allocator.
fn embedded(program: &Embedded) -> Result<Opened, Error> {
    let reader = program.open().map_err(|source| Error::Failed {
        what: format!("join process {}", program.pid),
        source,
        remedy: "see whether it still runs",
    })?;
    let reader = Arc::new(reader);
    Ok(Opened {
        source: Box::new(Live::embedded(Arc::clone(&reader), program.pid)),
        session: Session {
            command: program.command.clone(),
            origin: Origin::Embedded,
            read_only: false,
        },
        updates: never(),
        controls: Controls::Memory(reader),
        has_output: false,
        tick: DEFAULT_TICK,
        notice: None,
    })
}

/// What to show of a recording.
fn replayed(path: &Path) -> Result<Opened, Error> {
    let replay = Replay::open(path)?;
    let notice = replay
        .file()
        .is_cut()
        .then(|| Notice::warning("this recording was cut: what stands before the cut is shown"));
    Ok(Opened {
        session: Session {
            command: replay.file().command().to_vec(),
            origin: Origin::Replay,
            read_only: false,
        },
        source: Box::new(replay),
        updates: never(),
        controls: Controls::Nobody,
        has_output: false,
        tick: DEFAULT_TICK,
        notice,
    })
}

/// `memtop replay`.
///
/// # Errors
/// When there is no terminal, or the recording cannot be read.
pub fn replay(options: &ReplayOptions) -> Result<ExitCode, Error> {
    // What is wrong with the file is said on the screen the person typed on.
    let (opened, view) = (replayed(&options.file)?, View::new(&options.view)?);
    let screen = Screen::open()?;
    app::run(opened, &screen, view)?;
    Ok(ExitCode::SUCCESS)
}

/// The program's own status, or 0 after a detach.
fn exit_code(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Ended(Some(Exit::Code(code))) => ExitCode::from(code as u8),
        Outcome::Ended(Some(Exit::Signal(signal))) => ExitCode::from((128 + signal) as u8),
        Outcome::Ended(None) | Outcome::Detached => ExitCode::SUCCESS,
    }
}

/// `memtop` without a command: joins what runs.
///
/// # Errors
/// When there is no terminal, or joining fails.
pub fn choose(options: &ViewOptions) -> Result<ExitCode, Error> {
    let view = View::new(options)?;
    let screen = Screen::open()?;
    let opened = match chooser::choose(&screen, &view)? {
        None => return Ok(ExitCode::SUCCESS),
        Some(Choice::Recording(path)) => replayed(&path)?,
        Some(Choice::Kept(running)) => {
            kept(Connection::join(running.keeper)?, Origin::Joined, DEFAULT_TICK)
        }
        Some(Choice::Embedded(program)) => embedded(&program)?,
    };
    app::run(opened, &screen, view).map(exit_code)
}

/// `memtop demo`.
///
/// # Errors
/// As [`run`]; without a terminal, when the report cannot be written.
pub fn demo(options: &DemoOptions) -> Result<ExitCode, Error> {
    if options.child {
        demo::play();
        return Ok(ExitCode::SUCCESS);
    }
    let own = env::current_exe().map_err(|source| Error::Failed {
        what: "find memtop's own program file".to_owned(),
        source,
        remedy: "start memtop by its path",
    })?;
    let command = [own.into_os_string(), "demo".into(), "--child".into()];
    let launch = Options { start: Start::After(demo::START), ..Options::new(command.to_vec()) };
    if terminal::is_there() {
        return show_launched(&launch, View::new(&options.view)?);
    }
    let mut tree = record::watch(&launch)?;
    Resolver::default().resolve_tree(&mut tree);
    let recording = tree.into();
    let report = report::build(&recording, &report::Choice::default());
    let report = report.map_err(|missing| Error::Usage(missing.to_string()))?;
    let text = report::text(&report, &report::Choice::default(), report::Look::of_stdout());
    commands::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
