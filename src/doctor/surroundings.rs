//! Folders, other libraries, debug files, and the terminal.

use std::{
    env,
    fs::{self, OpenOptions},
    path::Path,
};

use super::Finding;
use crate::{
    keeper::{preload_file, rendezvous},
    terminal,
};

/// Where the tracing library is put, and whether the loader can map it from there.
pub(super) fn library() -> Finding {
    const NAME: &str = "library";
    let Some(image) = crate::keeper::image() else {
        return Finding::broken(NAME, "this memtop carries no tracing library", "build it again");
    };
    match preload_file::Library::place(image) {
        Ok(library) if library.is_a_file() => {
            Finding::works(NAME, format!("the tracing library is in {}", library.path.display()))
        }
        Ok(_) => Finding::limited(
            NAME,
            "no cache folder takes the tracing library (noexec?), so it is handed over in memory",
            "set XDG_CACHE_HOME to a folder of yours on a mount without noexec",
        ),
        Err(error) => Finding::broken(
            NAME,
            format!("the tracing library can be put nowhere: {error}"),
            "set XDG_CACHE_HOME to a folder of yours on a mount without noexec",
        ),
    }
}

/// Whether other terminals will find the programs that memtop starts.
pub(super) fn joining() -> Finding {
    const NAME: &str = "joining";
    match rendezvous::Door::open() {
        Ok(door) => {
            let folder = door.path().parent().unwrap_or(Path::new("/"));
            Finding::works(NAME, format!("programs are found again through {}", folder.display()))
        }
        Err(error) => Finding::limited(
            NAME,
            format!("no folder takes the socket by which programs are found again: {error}"),
            "set XDG_RUNTIME_DIR to a folder of yours",
        ),
    }
}

pub(super) fn preloaded() -> Finding {
    const NAME: &str = "LD_PRELOAD";
    match env::var_os("LD_PRELOAD").filter(|list| !list.is_empty()) {
        None => Finding::works(NAME, "not set by anybody else"),
        Some(list) => Finding::limited(
            NAME,
            format!("already set to {}", list.to_string_lossy()),
            "if that is an allocator, memtop stands before it and both work; otherwise unset it",
        ),
    }
}

pub(super) fn debug_files() -> Finding {
    const NAME: &str = "names";
    let installed = Path::new("/usr/lib/debug/.build-id").is_dir();
    let served = env::var_os("DEBUGINFOD_URLS").is_some_and(|urls| !urls.is_empty());
    match (installed, served) {
        (true, _) => Finding::works(NAME, "debug files of the system are in /usr/lib/debug"),
        (false, _) => Finding::limited(
            NAME,
            "no debug files of the system: its libraries have names of functions, but no lines",
            "install the -dbgsym packages of the libraries that matter to you",
        ),
    }
}

pub(super) fn terminal() -> Finding {
    const NAME: &str = "terminal";
    if !terminal::is_there() {
        let words = "there is none here";
        return Finding::limited(NAME, words, "use memtop record, which needs none");
    }
    let (columns, rows) = crossterm::terminal::size().unwrap_or_default();
    let words = format!("{columns}×{rows}, {}", terminal::abilities());
    let readable = OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
        || fs::metadata("/dev/tty").is_err();
    match columns >= 40 && rows >= 10 && readable {
        true => Finding::works(NAME, words),
        false => Finding::limited(NAME, words, "make it 40 columns and 10 rows at least"),
    }
}
