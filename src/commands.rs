//! From a parsed command line to the part of memtop that does it.

use std::{
    fmt,
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use clap::CommandFactory;

use crate::{
    Error,
    cli::{Cli, Command, DumpOptions},
    doctor, export,
    keeper::server,
    launch, recording, report,
    symbols::Plumbing,
};

/// Does what the command line asks for.
///
/// # Errors
/// Whatever the command met; [`Error::exit_code`] is then the status.
pub fn dispatch(cli: Cli) -> Result<ExitCode, Error> {
    if let Some(path) = &cli.plumbing {
        Plumbing::add_file(path).map_err(|error| Error::Usage(error.to_string()))?;
    }
    match cli.command {
        None => launch::choose(&cli.view),
        Some(Command::Run(options)) => launch::run(&options),
        Some(Command::Record(options)) => {
            if options.pid.is_some() {
                return not_built("memtop record --pid");
            }
            launch::record(&options)
        }
        Some(Command::Report(options)) => report::run(&options).map(|()| ExitCode::SUCCESS),
        Some(Command::Diff(options)) => report::diff::run(&options).map(|()| ExitCode::SUCCESS),
        Some(Command::Export(options)) => export::run(&options).map(|()| ExitCode::SUCCESS),
        Some(Command::Dump(options)) => dump(&options).map(|()| ExitCode::SUCCESS),
        Some(Command::Demo(options)) => launch::demo(&options),
        Some(Command::Keeper(options)) => Ok(server::main(&options.arguments).into()),
        Some(Command::Attach(_)) => not_built("memtop attach"),
        Some(Command::Replay(options)) => launch::replay(&options),
        Some(Command::Doctor(options)) => doctor::run(options.json),
        Some(Command::Completions(options)) => {
            let mut text = Vec::new();
            clap_complete::generate(options.shell, &mut Cli::command(), "memtop", &mut text);
            print(&text).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Man) => print(&man()).map(|()| ExitCode::SUCCESS),
    }
}

fn not_built(what: &str) -> Result<ExitCode, Error> {
    Err(Error::not_built(what))
}

/// The manual page: memtop, then each command with its options.
fn man() -> Vec<u8> {
    let mut text = Vec::new();
    let whole = Cli::command();
    // Writing to memory does not fail.
    let _ = clap_mangen::Man::new(whole.clone()).render(&mut text);
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("memtop {}", command.get_name());
        let page = clap_mangen::Man::new(command.clone().display_name(name.clone()).name(name));
        let _ = writeln!(text, ".SH MEMTOP {}", command.get_name().to_uppercase());
        let _ = page.render_synopsis_section(&mut text);
        let _ = page.render_description_section(&mut text);
        let _ = page.render_options_section(&mut text);
    }
    text
}

fn dump(options: &DumpOptions) -> Result<(), Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    let dumped = recording::dump_file(&options.file, &mut out);
    unless_nobody_reads(dumped.and_then(|()| out.flush().map_err(to_stdout)))
}

/// Writes to stdout, all at once.
pub(crate) fn print(text: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text).and_then(|()| out.flush());
    unless_nobody_reads(written.map_err(to_stdout))
}

/// Says something on stderr, if anybody can be told.
pub fn complain(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "memtop: {what}");
}

/// Writes one JSON object and a line feed to stdout, as it is made: it may be long.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    let written = written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    unless_nobody_reads(written.map_err(to_stdout))
}

fn to_stdout(source: io::Error) -> Error {
    Error::Write { what: "to the standard output".to_owned(), source }
}

/// A pager that was left early is no failure.
pub(crate) fn unless_nobody_reads(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.is_broken_pipe() => Ok(()),
        result => result,
    }
}
