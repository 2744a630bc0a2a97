//! Where viewers find keepers: one socket a keeper, in a folder of the user's own.

use std::{
    fs, io,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
};

use super::preload_file::private_folder;
use crate::sys::file;

/// A socket address has room for this much.
const LONGEST: usize = 100;

/// The folders to look in, the preferred one first. A viewer may come from a login that has
/// no runtime folder, so both are searched.
fn folders() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime =
        runtime.filter(|folder| folder.is_absolute() && folder.as_os_str().len() < LONGEST - 30);
    let user = file::credentials().effective_user;
    let common = PathBuf::from(format!("/tmp/memtop-{user}"));
    let own = runtime.map(|folder| folder.join("memtop"));
    own.into_iter().chain([common]).collect()
}

/// A keeper's socket; the file goes when it is dropped.
#[derive(Debug)]
pub struct Door {
    /// Where viewers knock.
    pub listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Opens the socket of this process.
    ///
    /// # Errors
    /// When no folder will do.
    pub fn open() -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for folder in folders() {
            match Self::open_in(&folder) {
                Ok(door) => return Ok(door),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Where its socket is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_in(folder: &Path) -> io::Result<Self> {
        private_folder(folder)?;
        let path = folder.join(format!("{}.sock", std::process::id()));
        // Of an earlier process with this number, which is gone, for the number is ours.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Process ids of the keepers that have a socket. Sockets that dead ones left are removed.
pub fn keepers() -> Vec<u32> {
    let entries = folders().into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let pid = |entry: io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        let pid = path.file_name()?.to_str()?.strip_suffix(".sock")?.parse().ok()?;
        if Path::new(&format!("/proc/{pid}")).exists() {
            return Some(pid);
        }
        let _ = fs::remove_file(path);
        None
    };
    let mut all: Vec<u32> = entries.flatten().filter_map(pid).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Connects to a keeper.
///
/// # Errors
/// When it is not there, or does not listen.
pub fn connect(keeper: u32) -> io::Result<UnixStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for folder in folders() {
        match UnixStream::connect(folder.join(format!("{keeper}.sock"))) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}
