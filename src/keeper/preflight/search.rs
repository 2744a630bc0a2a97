//! Finding the program as `execvp` does.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::Reason;
use crate::sys::file;

/// What `execvp` searches when there is no `PATH`.
const DEFAULT: &str = "/bin:/usr/bin";

/// The file that `execvp` would execute. A name with a slash is a path already.
pub(super) fn find(program: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Reason> {
    if program.as_bytes().contains(&b'/') {
        return Ok(PathBuf::from(program));
    }
    if program.is_empty() {
        return Err(Reason::NotFound);
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT));
    let mut denied = None;
    // An empty entry is the current folder, which `split_paths` and `join` get right.
    for candidate in std::env::split_paths(path).map(|folder| folder.join(program)) {
        match check_executable(&candidate) {
            Ok(()) => return Ok(absolute(candidate)),
            // As execvp: go on searching, and report this one if nothing better comes.
            Err(Reason::NotFound) => {}
            Err(reason) => denied = denied.or(Some(reason)),
        }
    }
    Err(denied.unwrap_or(Reason::NotFound))
}

/// `name` found in the current folder must not be searched for again.
fn absolute(file: PathBuf) -> PathBuf {
    if file.as_os_str().as_bytes().contains(&b'/') { file } else { Path::new(".").join(file) }
}

pub(super) fn check_executable(file: &Path) -> Result<(), Reason> {
    let data = file.metadata().map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => Reason::NotFound,
        _ => Reason::unreadable(file, &error),
    })?;
    if data.is_dir() {
        return Err(Reason::Directory);
    }
    if !data.is_file() || !file::may_execute(file) {
        return Err(Reason::NotExecutable { file: file.to_owned() });
    }
    Ok(())
}
