//! The memtop command: parse, dispatch, turn an error into message and exit code.

use std::process::ExitCode;

use clap::Parser;
use memtop::{cli::Cli, commands};

fn main() -> ExitCode {
    match commands::dispatch(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("memtop: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
