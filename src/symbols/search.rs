//! Where the files of a process are.
//!
//! A path that a process knows may mean another file here: it may live in a container, and its
//! program may have been rebuilt or removed while it runs. So the process's own view is tried
//! first, while it is alive, and every file found must show the build id that the process had.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::image::{DebugLink, Image, Unusable, hex};
use crate::model::Module;

/// Where distributions put debug files.
const DEBUG_FOLDER: &str = "/usr/lib/debug";

/// Where to look for files.
#[derive(Debug, Clone)]
pub struct Search {
    pid: Option<u32>,
    debug_folders: Vec<PathBuf>,
}

impl Default for Search {
    fn default() -> Self {
        Self { pid: None, debug_folders: vec![DEBUG_FOLDER.into()] }
    }
}

impl Search {
    /// In the file system as a process sees it, while it is alive, and in memtop's own.
    pub fn of_process(pid: u32) -> Self {
        Self { pid: Some(pid), ..Self::default() }
    }

    /// With one more folder for debug files, looked at before the others.
    pub fn with_debug_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.debug_folders.insert(0, folder.into());
        self
    }

    /// The file that the process had loaded; else why the likeliest one cannot be used.
    pub(super) fn image(&self, module: &Module) -> Result<Image, Unusable> {
        let mut why = Unusable::Unreadable("no such file".to_owned());
        for path in self.candidates(&module.path) {
            match Image::open(&path, &module.build_id) {
                Ok(image) => return Ok(image),
                // A file that is there tells more than one that is not.
                Err(error @ Unusable::AnotherBuild { .. }) => why = error,
                Err(error) if matches!(why, Unusable::Unreadable(_)) => why = error,
                Err(_) => {}
            }
        }
        Err(why)
    }

    fn candidates(&self, path: &[u8]) -> Vec<PathBuf> {
        let path = Path::new(OsStr::from_bytes(path.strip_suffix(b" (deleted)").unwrap_or(path)));
        if !path.is_absolute() {
            return Vec::new();
        }
        let mut candidates = Vec::new();
        if let Some(pid) = self.pid {
            candidates.push(in_root(pid, path));
            candidates.extend(deleted_program(pid, path));
            candidates.extend(mapped_file(pid, path));
        }
        candidates.push(path.to_owned());
        candidates
    }

    /// The file with the debug information of an image that has none itself.
    pub(super) fn debug_file(&self, image: &Image) -> Option<Image> {
        let build_id = image.build_id();
        self.by_build_id(&build_id).or_else(|| self.by_link(image, &build_id))
    }

    fn by_build_id(&self, build_id: &[u8]) -> Option<Image> {
        let places = self.build_id_places(build_id)?;
        let open = |path: PathBuf| Image::open(&path, build_id).ok();
        places.into_iter().filter_map(open).find(Image::has_debug_info)
    }

    fn build_id_places(&self, build_id: &[u8]) -> Option<Vec<PathBuf>> {
        let (first, rest) = build_id.split_first()?;
        let name = format!(".build-id/{first:02x}/{}.debug", hex(rest));
        let downloaded =
            debuginfod_cache().map(|cache| cache.join(hex(build_id)).join("debuginfo"));
        let installed = self.folders().into_iter().map(|folder| folder.join(&name));
        Some(installed.chain(downloaded).collect())
    }

    /// The folders for debug files, in the process's file system too.
    fn folders(&self) -> Vec<PathBuf> {
        let inside = self.pid.map(|pid| in_root(pid, Path::new(DEBUG_FOLDER)));
        self.debug_folders.iter().cloned().chain(inside).collect()
    }

    fn by_link(&self, image: &Image, build_id: &[u8]) -> Option<Image> {
        let link = image.debug_link()?;
        let places = self.link_places(image.path(), &link)?;
        let open = |path: PathBuf| linked(&path, &link, build_id);
        places.into_iter().filter(|path| path != image.path()).find_map(open)
    }

    /// Beside the file, in `.debug` beside it, and under the debug folders.
    fn link_places(&self, of: &Path, link: &DebugLink) -> Option<Vec<PathBuf>> {
        let name = Path::new(OsStr::from_bytes(&link.name));
        let folder = fs::canonicalize(of.parent()?).ok()?;
        let below = folder.strip_prefix("/").ok()?;
        let elsewhere = self.folders().into_iter().map(|debug| debug.join(below).join(name));
        let beside = [folder.join(name), folder.join(".debug").join(name)];
        Some(beside.into_iter().chain(elsewhere).collect())
    }

    /// The file of parts that an image shares with other debug files.
    pub(super) fn supplement(&self, of: &Image) -> Option<Image> {
        let (path, build_id) = of.supplement()?;
        let path = Path::new(OsStr::from_bytes(&path));
        let noted = of.path().parent()?.join(path);
        let places = self.build_id_places(&build_id).unwrap_or_default();
        [noted].into_iter().chain(places).find_map(|path| Image::open(&path, &build_id).ok())
    }
}

/// The debug file at `path`, if it is the one that was meant.
fn linked(path: &Path, link: &DebugLink, build_id: &[u8]) -> Option<Image> {
    let image = Image::open(path, &[]).ok()?;
    let found = image.build_id();
    let meant = match found.is_empty() || build_id.is_empty() {
        true => crc32fast::hash(image.bytes()) == link.crc,
        false => found == build_id,
    };
    (meant && image.has_debug_info()).then_some(image)
}

/// A path as the process sees it.
fn in_root(pid: u32, path: &Path) -> PathBuf {
    let below = path.strip_prefix("/").unwrap_or(path);
    Path::new("/proc").join(pid.to_string()).join("root").join(below)
}

/// The process's own program, where the path means it; it opens even when it was removed.
fn deleted_program(pid: u32, path: &Path) -> Option<PathBuf> {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    let target = fs::read_link(&link).ok()?;
    (without_mark(target.as_os_str().as_bytes()) == path.as_os_str().as_bytes()).then_some(link)
}

/// A mapped file by its mapping, which opens even when it was removed, given the privilege.
fn mapped_file(pid: u32, path: &Path) -> Option<PathBuf> {
    let maps = fs::read(format!("/proc/{pid}/maps")).ok()?;
    let wanted = path.as_os_str().as_bytes();
    let line = maps.split(|byte| *byte == b'\n').find(|line| {
        let at = line.iter().position(|byte| *byte == b'/');
        at.is_some_and(|at| without_mark(&line[at..]) == wanted)
    })?;
    let range = std::str::from_utf8(line.split(|byte| *byte == b' ').next()?).ok()?;
    Some(PathBuf::from(format!("/proc/{pid}/map_files/{range}")))
}

/// A path without the kernel's mark of a removed file.
fn without_mark(path: &[u8]) -> &[u8] {
    path.strip_suffix(b" (deleted)").unwrap_or(path)
}

/// Where debuginfod's client keeps what it has downloaded.
fn debuginfod_cache() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("DEBUGINFOD_CACHE_PATH").or_else(|| {
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        Some(cache?.join("debuginfod_client"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_asked_before_the_file_system() {
        let path = Path::new("/opt/prog");
        let candidates = Search::of_process(77).candidates(b"/opt/prog (deleted)");
        let inside = candidates.first().and_then(|first| first.strip_prefix("/proc/77/root").ok());
        assert_eq!(inside, path.strip_prefix("/").ok());
        assert_eq!(candidates.last().map(PathBuf::as_path), Some(path));
        assert!(Search::default().candidates(b"[vdso]").is_empty());
    }

    #[test]
    fn this_program_is_found_through_its_mappings() {
        let program = env::current_exe().expect("a path");
        let pid = std::process::id();
        assert!(mapped_file(pid, &program).is_some());
        assert!(deleted_program(pid, &program).is_some());
        assert!(deleted_program(pid, Path::new("/bin/sh")).is_none());
    }

    #[test]
    fn build_ids_are_folders_and_names() {
        let places = Search::default().build_id_places(&[0xab, 0xcd, 0xef]).expect("places");
        assert_eq!(places[0], Path::new("/usr/lib/debug/.build-id/ab/cdef.debug"));
        assert_eq!(Search::default().build_id_places(&[]), None);
    }
}
