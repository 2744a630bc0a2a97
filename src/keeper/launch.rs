//! Starting the program with the probe in it.
//!
//! The program finds the library through `LD_PRELOAD` and the session memory through
//! `MEMTOP_SESSION=/proc/KEEPER/fd/N:NONCE`. A path, because it works for every descendant,
//! needs no descriptor in the program, and asks for no more than the loader itself does; the
//! nonce, because the number of a keeper that has ended may have been given to another process.

use std::{
    ffi::{CString, OsStr, OsString},
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::PathBuf,
    time::Duration,
};

use memtop_probe::session::{
    layout::FRAMES,
    memory::{LEAST_SIZE, Memory, MemoryError, Settings, TREE_SIZE},
    reader::Reader,
};

use super::{
    clock::{Start, nanoseconds},
    environment,
    output::Output,
    preflight::{self, Refusal},
    preload_file::Library,
};
use crate::error::exit_code;
use crate::sys::{
    clock, descriptor, limits, signal,
    spawn::{self, Place, Spawn},
};

/// What to launch and how to trace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// When tracing starts.
    pub start: Start,
    /// When it stops by itself, counted from the launch.
    pub stop_after: Option<Duration>,
    /// How often to look.
    pub tick: Duration,
    /// Most memory the tracer may take; `None` leaves it to [`limits::default_tracer_limit`].
    pub tracer_limit: Option<u64>,
    /// Frames of a stack to keep; 0 = no stacks.
    pub frames: u32,
    /// Whether every allocation and free is recorded.
    pub events: bool,
    /// Most bytes that a recording is to take.
    pub max_size: Option<u64>,
    /// Where the keeper records to from the start.
    pub output: Option<Output>,
    /// The preload library, where it is not to be the one that memtop carries.
    pub library: Option<PathBuf>,
}

impl Options {
    /// Traces `command` from its start, with the defaults.
    pub fn new(command: Vec<OsString>) -> Self {
        Self {
            command,
            start: Start::Now,
            stop_after: None,
            tick: Duration::from_millis(100),
            tracer_limit: None,
            frames: FRAMES,
            events: false,
            max_size: None,
            output: None,
            library: std::env::var_os("MEMTOP_PRELOAD_SO").map(PathBuf::from),
        }
    }

    /// The command as bytes.
    pub fn command_bytes(&self) -> Vec<Vec<u8>> {
        let bytes = |argument: &OsString| argument.as_bytes().to_vec();
        self.command.iter().map(bytes).collect()
    }
}

/// Why the program was not launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// It cannot be run or traced.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The kernel would not run it.
    #[error("cannot run {program}: {source}")]
    Exec {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// memtop's own part failed.
    #[error("cannot {what}: {source}; {remedy}")]
    Prepare {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The recording would overwrite a file.
    #[error(
        "cannot record into {}: it exists already; choose another name, or overwrite it with \
         --force", .0.display()
    )]
    OutputExists(PathBuf),
    /// A keeper said so, in its own words.
    #[error("{message}")]
    Remote {
        /// Its message.
        message: String,
        /// Its exit code.
        code: u8,
    },
}

impl LaunchError {
    pub(super) fn prepare(
        what: impl Into<String>,
        source: io::Error,
        remedy: &'static str,
    ) -> Self {
        Self::Prepare { what: what.into(), source, remedy }
    }

    /// 125 memtop failed, 126 cannot be run or traced, 127 not found.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(refusal) => refusal.exit_code(),
            Self::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                exit_code::NOT_FOUND
            }
            Self::Exec { .. } => exit_code::CANNOT_RUN,
            Self::Prepare { .. } | Self::OutputExists(_) => exit_code::NOT_STARTED,
            Self::Remote { code, .. } => *code,
        }
    }
}

/// A program that is checked, with all that is needed to start it.
#[derive(Debug)]
pub struct Prepared {
    /// What to say before the start, each with its remedy.
    pub warnings: Vec<String>,
    /// Reads the session memory.
    pub reader: Reader,
    /// The session memory's descriptor; it must stay open as long as anything is traced.
    pub memory: OwnedFd,
    /// Keeps a library in memory alive.
    _library: Option<Library>,
    program: String,
    file: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

/// Checks the program and makes session memory and environment.
///
/// # Errors
/// A [`LaunchError`] with the reason; nothing was started.
pub fn prepare(options: &Options) -> Result<Prepared, LaunchError> {
    // A limit on the size of files is an error to be told, not a reason to die.
    signal::ignore(&[libc::SIGXFSZ]);
    let program = options.command.first().map_or(OsStr::new(""), OsString::as_os_str);
    let checked = preflight::check(program)?;
    let library = library(options)?;
    let nonce = clock::nonce().map_err(|error| no_memory("draw a random number", error))?;
    let (memory, file) = create_memory(options, nonce)?;
    let session =
        format!("MEMTOP_SESSION=/proc/{}/fd/{}:{nonce:016x}", std::process::id(), file.as_raw_fd());
    let preload = library.as_ref().map(|library| library.path.as_os_str());
    let variables = environment::traced(spawn::environment(), preload, &session);
    Ok(Prepared {
        warnings: checked.warnings.into_iter().chain(limits::warning()).collect(),
        reader: Reader::over(memory),
        memory: file,
        _library: library,
        program: program.to_string_lossy().into_owned(),
        file: c_string(checked.file.as_os_str())?,
        arguments: options.command.iter().map(|one| c_string(one)).collect::<Result<_, _>>()?,
        environment: variables,
    })
}

impl Prepared {
    /// What the session memory is called among the mappings of a process.
    pub fn memory_inode(&self) -> Option<u64> {
        let path = format!("/proc/self/fd/{}", self.memory.as_raw_fd());
        std::fs::metadata(path).ok().map(|file| std::os::unix::fs::MetadataExt::ino(&file))
    }

    /// Starts the program; returns its process id.
    ///
    /// # Errors
    /// When the kernel would not run it.
    pub fn start(
        &self,
        standard: [Option<std::os::fd::BorrowedFd<'_>>; 3],
        place: Place<'_>,
    ) -> Result<u32, LaunchError> {
        let started = spawn::spawn(&Spawn {
            file: &self.file,
            arguments: &self.arguments,
            environment: &self.environment,
            standard,
            hand_down: None,
            place,
        });
        started.map_err(|source| LaunchError::Exec { program: self.program.clone(), source })
    }
}

fn library(options: &Options) -> Result<Option<Library>, LaunchError> {
    let placed = match &options.library {
        Some(path) => Library::at(path.clone()).map(Some),
        None => super::image().map(Library::place).transpose(),
    };
    placed.map_err(|error| {
        let otherwise = "set XDG_CACHE_HOME to a folder of yours without spaces, on a file \
                         system that is not mounted noexec";
        let remedy = remedy(&error, otherwise);
        LaunchError::prepare("place the preload library", error, remedy)
    })
}

/// As large as it may be, since it is sparse and cannot grow later; where the address space is
/// limited, it leaves most of it to the program, and to memtop, which both map it.
fn create_memory(options: &Options, nonce: u64) -> Result<(Memory, OwnedFd), LaunchError> {
    let mut settings = Settings {
        size: limits::address_space().map_or(TREE_SIZE, within),
        nonce,
        now_ns: clock::monotonic_ns(),
        tick_ns: nanoseconds(options.tick),
        limit: options.tracer_limit.unwrap_or_else(limits::default_tracer_limit),
        frames: options.frames,
    };
    loop {
        match Memory::create(&settings) {
            Ok((memory, fd)) => {
                let file = descriptor::adopt(fd).ok_or_else(|| bad_memory(MemoryError::Foreign))?;
                return Ok((memory, file));
            }
            Err(MemoryError::Map(_) | MemoryError::Resize(_)) if settings.size > LEAST_SIZE => {
                settings.size = (settings.size / 2).max(LEAST_SIZE);
            }
            Err(error) => return Err(bad_memory(error)),
        }
    }
}

fn within(address_space: u64) -> u64 {
    (address_space / 4).next_power_of_two().clamp(2 * LEAST_SIZE, 2 * TREE_SIZE) / 2
}

/// What the very first processors of x86-64 cannot do.
pub const LACKS_PAIRS: &str = "this processor lacks the instruction cmpxchg16b";

fn bad_memory(error: MemoryError) -> LaunchError {
    let (step, source) = match error {
        MemoryError::Create(errno) => ("create", io::Error::from_raw_os_error(errno)),
        MemoryError::Resize(errno) => ("size", io::Error::from_raw_os_error(errno)),
        MemoryError::Map(errno) => ("map", io::Error::from_raw_os_error(errno)),
        MemoryError::Inspect(errno) => ("inspect", io::Error::from_raw_os_error(errno)),
        MemoryError::Foreign => ("recognise", io::Error::other("it is not memtop's")),
        MemoryError::Processor => {
            let remedy = "run memtop on a newer one (in a virtual machine: let it have cx16)";
            return LaunchError::prepare("trace programs", io::Error::other(LACKS_PAIRS), remedy);
        }
    };
    no_memory(&format!("{step} the session memory"), source)
}

/// What to do about an error: `otherwise`, unless it says by itself.
fn remedy(error: &io::Error, otherwise: &'static str) -> &'static str {
    match error.raw_os_error() {
        // Memory that is shared is a file to the kernel, too.
        Some(libc::EFBIG) => {
            "raise the hard limit on the size of files (ulimit -Hf), or set it inside: memtop record \
             -o FILE sh -c 'ulimit -f N; exec PROG'"
        }
        _ => otherwise,
    }
}

fn no_memory(what: &str, source: io::Error) -> LaunchError {
    let remedy = remedy(&source, "raise the limits of memory, file size and open files");
    LaunchError::prepare(what, source, remedy)
}

fn c_string(text: &OsStr) -> Result<CString, LaunchError> {
    CString::new(text.as_bytes()).map_err(|error| LaunchError::Exec {
        program: text.to_string_lossy().into_owned(),
        source: error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_prepared_with_memory_of_its_own() {
        let mut options = Options::new(vec!["true".into()]);
        options.library = None;
        let prepared = prepare(&options).unwrap();
        assert_eq!(prepared.reader.session_count(), 0);
        assert_eq!(prepared.reader.clock().tick_ns, 100_000_000);
        assert!(prepare(&Options::new(vec!["memtop-no-such".into()])).is_err());
    }

    /// Who has the privilege to raise a hard limit never meets it.
    #[test]
    fn a_hard_limit_on_files_is_told_with_what_to_do() {
        let said = |errno| no_memory("size", io::Error::from_raw_os_error(errno)).to_string();
        let words = "; raise the hard limit on the size of files (ulimit -Hf), or set it inside: ";
        assert!(said(libc::EFBIG).contains(words), "{}", said(libc::EFBIG));
        assert!(!said(libc::ENOMEM).contains(words), "{}", said(libc::ENOMEM));
        assert!(said(libc::ENOMEM).contains("; raise the limits of memory, file size and"));
    }

    #[test]
    fn a_processor_that_is_too_old_is_no_lack_of_memory() {
        let error = bad_memory(MemoryError::Processor);
        let said = "cannot trace programs: this processor lacks the instruction cmpxchg16b; run ";
        assert!(error.to_string().starts_with(said), "{error}");
        assert_eq!(error.exit_code(), exit_code::NOT_STARTED);
    }

    #[test]
    fn exit_codes_tell_apart() {
        let code = |kind| {
            let source = io::Error::from(kind);
            let program = String::new();
            LaunchError::Exec { program, source }.exit_code()
        };
        assert_eq!(code(io::ErrorKind::NotFound), 127);
        assert_eq!(code(io::ErrorKind::PermissionDenied), 126);
        let other = LaunchError::prepare("try", io::Error::other("x"), "try again");
        assert_eq!(other.exit_code(), 125);
    }
}
