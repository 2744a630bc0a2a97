//! Why a program cannot be run or traced, and what to do.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

use crate::error::exit_code;

/// Why a program was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot run {program}: {reason}")]
pub struct Refusal {
    /// The program as it was typed.
    pub program: String,
    /// Why, and what to do.
    pub reason: Reason,
}

impl Refusal {
    pub(super) fn new(program: &OsStr, reason: Reason) -> Self {
        Self { program: program.to_string_lossy().into_owned(), reason }
    }

    /// 127 when something was not found, 126 when it cannot be run or traced.
    pub fn exit_code(&self) -> u8 {
        match self.reason {
            Reason::NotFound => exit_code::NOT_FOUND,
            _ => exit_code::CANNOT_RUN,
        }
    }
}

/// The reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No such file, or none on the search path.
    #[error(
        "not found; give its path, or add its folder to PATH (options of memtop stand \
         before the program)"
    )]
    NotFound,
    /// A directory.
    #[error("it is a directory; name a program in it")]
    Directory,
    /// The execute bit is missing.
    #[error(
        "{0} is not executable; if it is a program, make it so: chmod +x {0}",
        .file.display()
    )]
    NotExecutable {
        /// The file.
        file: PathBuf,
    },
    /// It cannot be read, so nothing is known about it.
    #[error(
        "{} cannot be read ({error}), so memtop cannot tell whether it can be traced; \
         make it readable, or run memtop as its owner",
        .file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        error: String,
    },
    /// Neither an ELF file nor a script.
    #[error(
        "{} is neither an ELF program nor a script; name the program that runs it",
        .file.display()
    )]
    NotAProgram {
        /// The file.
        file: PathBuf,
    },
    /// A script's `#!` line names a file that is not there.
    #[error(
        "its interpreter {} does not exist; install it, or correct the first line of {}",
        .interpreter.display(),
        .script.display()
    )]
    NoInterpreter {
        /// The script.
        script: PathBuf,
        /// What it names.
        interpreter: PathBuf,
    },
    /// Scripts run by scripts without end.
    #[error(
        "its interpreter is a script, and that one's again, up to {}; name the program \
         at the end of the chain",
        .file.display()
    )]
    TooManyInterpreters {
        /// The last one looked at.
        file: PathBuf,
    },
    /// An ELF file that cannot be made sense of.
    #[error(
        "{} is a damaged ELF file ({error}); build or install it again",
        .file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Why.
        error: String,
    },
    /// For another machine.
    #[error(
        "{} is a program for {architecture}, and memtop traces 64-bit x86 programs; use \
         a build for this machine",
        .file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// Its architecture.
        architecture: String,
    },
    /// No loader, so no preloading.
    #[error(
        "{} is statically linked: there is no loader that could preload the tracer; use \
         a dynamically linked build, or embed memtop's tracing allocator",
        .file.display()
    )]
    Static {
        /// The file.
        file: PathBuf,
    },
    /// Linked to musl.
    #[error(
        "{} is linked to musl (its loader is {loader}), and the tracer to glibc; use a \
         build for glibc, or embed memtop's tracing allocator",
        .file.display()
    )]
    Musl {
        /// The file.
        file: PathBuf,
        /// Its loader.
        loader: String,
    },
    /// The loader it asks for is not there.
    #[error(
        "the loader {loader} that {} asks for does not exist; install the libraries it \
         was built for",
        .file.display()
    )]
    NoLoader {
        /// The file.
        file: PathBuf,
        /// Its loader.
        loader: String,
    },
    /// Gains privileges by exec.
    #[error(
        "{} {gains}, and the loader then ignores LD_PRELOAD, so it cannot be traced; run \
         memtop as the user it changes to, or trace a copy without that property",
        .file.display()
    )]
    Privileged {
        /// The file.
        file: PathBuf,
        /// How: "is set-user-ID".
        gains: &'static str,
    },
    /// Built with a sanitizer, which is the allocator.
    #[error(
        "{} is built with {sanitizer}, which replaces the allocator and must be loaded \
         first; use a build without it",
        .file.display()
    )]
    Sanitized {
        /// The file.
        file: PathBuf,
        /// Name of the sanitizer.
        sanitizer: &'static str,
    },
}

impl Reason {
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), error: error.to_string() }
    }
}
