//! Everything that can go wrong before or beside the traced program, and its exit code.
//!
//! A message says what was tried, on what, why it failed and what to do. `main` alone
//! prints it. Once the traced program runs, its own status is passed through and memtop's
//! troubles are only said.

use std::{io, path::PathBuf};

use memtop_ui::format::{agree, exactly};

use crate::{
    config::ConfigError,
    keeper::{LaunchError, client::JoinError},
    recording::ReadError,
};

/// Exit codes of memtop's own.
pub mod exit_code {
    /// Something failed.
    pub const FAILED: u8 = 1;
    /// Wrong usage, or something that is not built yet.
    pub const USAGE: u8 = 2;
    /// The condition of `--fail-if` is met.
    pub const CONDITION_MET: u8 = 3;
    /// `run` and `record`: memtop failed before the program ran.
    pub const NOT_STARTED: u8 = 125;
    /// `run` and `record`: the program cannot be run or traced.
    pub const CANNOT_RUN: u8 = 126;
    /// `run` and `record`: the program was not found.
    pub const NOT_FOUND: u8 = 127;
}

/// An error with its message and exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command or option of the contract that does not exist yet.
    #[error("{what} is not built yet{}", hint(.instead))]
    NotBuilt {
        /// As the user typed it: `memtop attach`, `memtop run --events`.
        what: String,
        /// What to do instead; may be empty.
        instead: &'static str,
    },
    /// Options that do not go together, or a value that means nothing here.
    #[error("{0}")]
    Usage(String),
    /// A recording could not be read.
    #[error("cannot read the recording {}: {source}{}", path.display(), hint(missing_file(.source)))]
    Recording {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// A recording has nothing to show.
    #[error("nothing to show of the recording {}: {why}", path.display())]
    NothingToShow {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// There is no such moment to save, or nothing at it.
    #[error("nothing saved: {why}")]
    NothingToSave {
        /// Why.
        why: &'static str,
    },
    /// A file or stream could not be written.
    #[error("cannot write {what}: {source}")]
    Write {
        /// What was to be written, and where.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A value that `--fail-if` needs is unknown.
    #[error("cannot decide --fail-if '{expression}': {field} is unknown (null) in this report")]
    Undecided {
        /// The condition.
        expression: String,
        /// The first field without a value.
        field: String,
    },
    /// `--fail-if` is not met by figures that are lower bounds, which proves nothing.
    #[error(
        "cannot decide --fail-if '{expression}': {} {} not followed, so the figures are \
         lower bounds; record again with a larger --max-tracer-memory",
        exactly(*.blocks, "block"),
        agree(*.blocks, "was", "were")
    )]
    LowerBounds {
        /// The condition.
        expression: String,
        /// How many were not followed.
        blocks: u64,
    },
    /// The condition of `--fail-if` is met.
    #[error("--fail-if '{expression}' is met: {found}")]
    ConditionMet {
        /// The condition.
        expression: String,
        /// The values that met it.
        found: String,
    },
    /// memtop could not prepare the launch.
    #[error("cannot {what}: {source}{}", hint(.remedy))]
    NotStarted {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        source: io::Error,
        /// What to do; may be empty.
        remedy: &'static str,
    },
    /// The configuration file cannot be used.
    #[error("{0}; correct it, or start memtop with MEMTOP_CONFIG=/dev/null to do without")]
    Config(#[from] ConfigError),
    /// The program was not started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A running program could not be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Something else that failed.
    #[error("cannot {what}: {source}{}", hint(.remedy))]
    Failed {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        source: io::Error,
        /// What to do; may be empty.
        remedy: &'static str,
    },
}

impl Error {
    /// Something that does not exist yet, without advice.
    pub fn not_built(what: impl Into<String>) -> Self {
        Self::NotBuilt { what: what.into(), instead: "" }
    }

    /// The status to exit with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotBuilt { .. } | Self::Usage(_) | Self::Config(_) => exit_code::USAGE,
            Self::ConditionMet { .. } => exit_code::CONDITION_MET,
            Self::NotStarted { .. } => exit_code::NOT_STARTED,
            Self::Launch(error) => error.exit_code(),
            Self::Recording { .. }
            | Self::NothingToShow { .. }
            | Self::NothingToSave { .. }
            | Self::Write { .. }
            | Self::Undecided { .. }
            | Self::LowerBounds { .. }
            | Self::Join(_)
            | Self::Failed { .. } => exit_code::FAILED,
        }
    }

    /// Whether the reader of our output went away, which is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        let source = match self {
            Self::Write { source, .. } => source,
            Self::Recording { source: ReadError::Io(source), .. } => source,
            _ => return false,
        };
        source.kind() == io::ErrorKind::BrokenPipe
    }
}

/// What to do about a recording that is not there.
fn missing_file(source: &ReadError) -> &'static str {
    match source {
        ReadError::Io(source) if source.kind() == io::ErrorKind::NotFound => {
            "memtop record -o FILE PROG makes one"
        }
        _ => "",
    }
}

fn hint(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("; {text}"),
    }
}
