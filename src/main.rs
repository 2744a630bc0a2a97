//! memtop, the command.

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode};

use memtop::keeper::{LaunchError, Options, record, server};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == "keeper" => server::main(rest).into(),
        Some((command, rest)) if command == "record" => record(rest),
        _ => ExitCode::from(2),
    }
}

fn record(arguments: &[OsString]) -> ExitCode {
    let has = |flag: &str| {
        arguments
            .iter()
            .take_while(|one| *one != "--")
            .any(|one| one == flag)
    };
    let file = arguments.iter().skip_while(|one| *one != "-o").nth(1);
    let program = arguments.iter().skip_while(|one| *one != "--").skip(1);
    let output = record::Output {
        path: file.map(PathBuf::from).unwrap_or_default(),
        force: has("--force"),
    };
    let options = Options::new(program.cloned().collect());
    match record::run(&options, &output, has("--quiet")) {
        Ok(recorded) => finish(&recorded, &output, has("--quiet")),
        Err(error) => fail(&error),
    }
}

fn finish(recorded: &record::Recorded, output: &record::Output, quiet: bool) -> ExitCode {
    if !quiet && !record::shows_status(quiet) {
        eprintln!("{}", recorded.closing_line(&output.path));
    }
    recorded.outcome.exit_code().into()
}

fn fail(error: &LaunchError) -> ExitCode {
    eprintln!("memtop: {error}");
    error.exit_code().into()
}
