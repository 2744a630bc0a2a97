//! Finding programs that carry the tracing allocator in themselves and have no keeper.
//!
//! Such a program keeps the descriptor of its session memory open, and its kernel name gives
//! it away. The traced programs of a keeper have no such descriptor; the keeper itself has,
//! and is told by memory that somebody else's sessions are in, or none.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use memtop_probe::session::{
    memory::{Memory, MemoryError},
    reader::Reader,
};

use super::LACKS_PAIRS;
use crate::sys::file;

/// What the kernel calls the descriptor of session memory.
const LINK: &str = "/memfd:memtop-session (deleted)";

/// A program with an embedded tracer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// Process id.
    pub pid: u32,
    /// Its command line.
    pub command: Vec<Vec<u8>>,
    /// Its session memory, to be opened.
    memory: PathBuf,
}

impl Embedded {
    /// Maps its session memory.
    ///
    /// # Errors
    /// When it has ended, or its memory is of another version.
    pub fn open(&self) -> io::Result<Reader> {
        open(&self.memory)
    }
}

fn open(path: &Path) -> io::Result<Reader> {
    let file: File = OpenOptions::new().read(true).write(true).open(path)?;
    Reader::open(file.as_raw_fd()).map_err(|error| match error {
        MemoryError::Create(errno)
        | MemoryError::Resize(errno)
        | MemoryError::Map(errno)
        | MemoryError::Inspect(errno) => io::Error::from_raw_os_error(errno),
        MemoryError::Processor => io::Error::other(LACKS_PAIRS),
        MemoryError::Foreign => io::Error::other(
            "it was built with another version of memtop's tracing allocator; build it with \
             this one",
        ),
    })
}

/// Those of this user that run now.
pub fn list_embedded() -> Vec<Embedded> {
    let user = file::credentials().effective_user;
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        (entry.metadata().ok()?.uid() == user && pid != std::process::id()).then_some(pid)
    });
    pids.filter_map(embedded).collect()
}

fn embedded(pid: u32) -> Option<Embedded> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let is_memory = |path: &PathBuf| fs::read_link(path).is_ok_and(|to| to == Path::new(LINK));
    let memory = entries.filter_map(|entry| Some(entry.ok()?.path())).find(is_memory)?;
    is_its_own(pid, &memory).then(|| Embedded { pid, command: command(pid), memory })
}

/// Made by this very process for itself: a fork that kept the descriptor is not listed again,
/// and a keeper made it for others.
fn is_its_own(pid: u32, memory: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(memory) else {
        return false;
    };
    let Ok(memory) = Memory::map(file.as_raw_fd(), None) else {
        return false;
    };
    let creator = memory.header().creator.load(std::sync::atomic::Ordering::Relaxed);
    let reader = Reader::over(memory);
    let first = reader.identity(0).map(|(first, _)| first);
    creator == pid && first == Some(pid)
}

fn command(pid: u32) -> Vec<Vec<u8>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    text.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
}
