//! From the options of `run`, `record` and `demo` to a launched program.

use std::{
    ffi::OsString,
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use crate::{
    Error,
    cli::{RecordOptions, StartAt, TraceOptions},
    keeper::{
        Options, Start,
        record::{self, Output, Recorded},
    },
    model::TreeState,
    recording,
};

/// What to launch, from the command line.
pub fn launch_options(trace: &TraceOptions, program: &[OsString]) -> Options {
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
        ..Options::new(program.to_vec())
    }
}

/// `--stop` counts from the start of tracing, the schedule from the launch.
fn stop_after(trace: &TraceOptions) -> Option<std::time::Duration> {
    let begun = match trace.start {
        StartAt::After(delay) => delay,
        StartAt::Now | StartAt::Paused => std::time::Duration::ZERO,
    };
    trace.stop.map(|stop| begun + stop)
}

/// `memtop record`.
///
/// # Errors
/// When the program was not started, or the recording cannot be written.
pub fn record(options: &RecordOptions) -> Result<ExitCode, Error> {
    let output = Output { path: options.output(), force: options.force };
    let launch = launch_options(&options.trace, &options.program);
    let recorded = record::run(&launch, &output, options.quiet)?;
    let code = recorded.outcome.exit_code();
    if let Err(error) = write(&recorded) {
        // The program has run: memtop's own trouble never changes its status.
        let _ = writeln!(io::stderr(), "memtop: {}", unwritten(&output, error));
    } else if !options.quiet {
        let _ = writeln!(io::stderr(), "{}", recorded.closing_line(&output.path));
    }
    Ok(ExitCode::from(code))
}

fn write(recorded: &Recorded) -> io::Result<()> {
    write_tree(&recorded.tree, &recorded.file)
}

fn write_tree(tree: &TreeState, file: impl Write) -> io::Result<()> {
    recording::write_tree(BufWriter::new(file), tree)?.flush()
}

fn unwritten(output: &Output, source: io::Error) -> Error {
    Error::Failed {
        what: format!("cannot write the recording {}", output.path.display()),
        source,
        remedy: "the program ran to its end; record it again onto another disk",
    }
}
