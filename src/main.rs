//! The memtop command: parse, dispatch, turn an error into message and exit code.

use std::process::ExitCode;

use memtop::{cli, commands, sys::limits};

fn main() -> ExitCode {
    limits::raise();
    match cli::parse().and_then(commands::dispatch) {
        Ok(code) => code,
        Err(error) => {
            commands::complain(format_args!("{error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
