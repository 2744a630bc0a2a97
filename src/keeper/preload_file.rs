//! Putting the preload library where the loader of a program can map it.
//!
//! memtop carries the library in itself. It is written once to a folder of the user's, under a name
//! that says its content, and stays there; where no folder will do, it is handed over in memory.
//! Root's is one that everybody can read, since root's programs become other users, and a loader
//! that cannot open the library says so on the program's stderr.
//!
//! Always holds: nobody but the user and root can write or replace what is named in `LD_PRELOAD`.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};

use crate::sys::file;

/// The library as memtop carries it.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// The file's bytes.
    pub bytes: &'a [u8],
    /// Something short that differs where the bytes do.
    pub hash: &'a str,
}

impl Image<'_> {
    /// Of the file it is put into.
    fn name(&self) -> String {
        format!("{PREFIX}{}-{}.so", env!("CARGO_PKG_VERSION"), self.hash)
    }
}

/// What the names of all such files begin with.
const PREFIX: &str = "libmemtop-";

/// The files of other versions in the folders where this one puts its own.
pub fn of_other_versions(image: Image<'_>) -> Vec<PathBuf> {
    let shared = Path::new(SHARED).join("memtop");
    let mut found: Vec<PathBuf> =
        folders().chain([shared]).flat_map(|folder| others(&folder, &image.name())).collect();
    found.sort();
    found.dedup();
    found
}

fn others(folder: &Path, own: &str) -> Vec<PathBuf> {
    let is_other = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        name.starts_with(PREFIX) && name.ends_with(".so") && name != own
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(is_other).map(|entry| entry.path()).collect()
}

/// A library that a loader can map.
#[derive(Debug)]
pub struct Library {
    /// Its path, free of the characters that `LD_PRELOAD` cannot hold.
    pub path: PathBuf,
    /// Keeps a library in memory alive; it goes when memtop does.
    _memory: Option<OwnedFd>,
}

impl Library {
    /// It stays where it is, and is not in memory for this launch alone.
    pub fn is_a_file(&self) -> bool {
        self._memory.is_none()
    }

    /// A library that somebody else put there: `MEMTOP_PRELOAD_SO`.
    ///
    /// # Errors
    /// When the loader could not take the path.
    pub fn at(path: PathBuf) -> io::Result<Self> {
        check_path(&path)?;
        check_mappable(&path)?;
        Ok(Self { path, _memory: None })
    }

    /// Places the library in the first folder that will do, else in memory.
    ///
    /// # Errors
    /// When not even memory will do.
    pub fn place(image: Image<'_>) -> io::Result<Self> {
        let name = image.name();
        let shared = || place_shared(&name, image.bytes);
        let own = || folders().find_map(|folder| place(&folder, &name, image.bytes).ok());
        let placed = shared().or_else(own);
        match placed {
            Some(path) => Ok(Self { path, _memory: None }),
            None => in_memory(image.bytes),
        }
    }
}

/// The user's cache folder, then one of the user's own in the folder for temporary files.
fn folders() -> impl Iterator<Item = PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let user = file::credentials().effective_user;
    let temporary = std::env::temp_dir().join(format!("memtop-{user}"));
    cache.map(|cache| cache.join("memtop")).into_iter().chain([temporary])
}

/// Where root keeps what others may read, unless a folder was asked for.
const SHARED: &str = "/var/cache";

fn place_shared(name: &str, bytes: &[u8]) -> Option<PathBuf> {
    let is_root = file::credentials().effective_user == 0;
    let chosen = std::env::var_os("XDG_CACHE_HOME").is_some_and(|value| !value.is_empty());
    if !is_root || chosen || !is_roots_and_open(Path::new(SHARED)) {
        return None;
    }
    let folder = Path::new(SHARED).join("memtop");
    private_folder(&folder).ok()?;
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).ok()?;
    write_once(&folder, name, bytes).ok()
}

/// Whether a folder and all above it are root's alone to change, and everybody's to pass.
fn is_roots_and_open(folder: &Path) -> bool {
    let is_safe = |data: fs::Metadata| data.uid() == 0 && data.mode() & 0o023 == 0o001;
    folder.ancestors().all(|one| fs::symlink_metadata(one).is_ok_and(is_safe))
}

fn place(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    check_path(folder)?;
    private_folder(folder)?;
    write_once(folder, name, bytes)
}

fn write_once(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let path = folder.join(name);
    // The content is compared, not trusted: a cut or changed file is replaced.
    if !fs::read(&path).is_ok_and(|found| found == bytes) {
        write(folder, &path, bytes)?;
    }
    check_mappable(&path)?;
    Ok(path)
}

/// The loader splits `LD_PRELOAD` at colons and spaces and knows no quoting.
fn check_path(path: &Path) -> io::Result<()> {
    let splits = |byte: &u8| b" :\t\n".contains(byte);
    if path.is_absolute() && !path.as_os_str().as_bytes().iter().any(splits) {
        return Ok(());
    }
    let why = "LD_PRELOAD takes absolute paths without spaces and colons only";
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Makes a folder that only this user can write: anybody else could swap the library.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let data = fs::symlink_metadata(folder)?;
    let own = data.uid() == file::credentials().effective_user;
    if data.is_dir() && own && data.mode() & 0o022 == 0 {
        return Ok(());
    }
    let why = "it must be a folder that belongs to you and that nobody else can write";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Written beside and renamed, so that nobody ever maps half a library.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!(".draft-{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.set_permissions(Permissions::from_mode(0o555)))
        .and_then(|()| fs::rename(&draft, path));
    written.inspect_err(|_| drop(fs::remove_file(&draft)))
}

/// A `noexec` mount takes the file, but the loader could not map it.
fn check_mappable(path: &Path) -> io::Result<()> {
    file::can_map_code(&File::open(path)?)
}

/// Named through memtop's own number, because the program may close its descriptors.
fn in_memory(bytes: &[u8]) -> io::Result<Library> {
    let mut file = file::in_memory(c"memtop-library")?;
    file.write_all(bytes)?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    Ok(Library { path: PathBuf::from(path), _memory: Some(file.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("memtop-preload-{}-{name}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const BYTES: &[u8] = b"\x7fELF and more";

    #[test]
    fn it_is_written_once_and_repaired_when_damaged() {
        let folder = Folder::new("once");
        let path = place(&folder.0, "lib.so", BYTES).unwrap();
        assert_eq!(fs::read(&path).unwrap(), BYTES);
        let first = path.metadata().unwrap().ino();
        place(&folder.0, "lib.so", BYTES).unwrap();
        assert_eq!(path.metadata().unwrap().ino(), first);
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"\x7fELF").unwrap();
        place(&folder.0, "lib.so", BYTES).unwrap();
        assert_eq!(fs::read(&path).unwrap(), BYTES);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn files_of_other_versions_are_found_and_nothing_else() {
        let folder = Folder::new("others");
        fs::create_dir(&folder.0).unwrap();
        for name in ["libmemtop-1-a.so", "libmemtop-1-b.so", "libmemtop-1", ".draft-7", "x.so"] {
            fs::write(folder.0.join(name), BYTES).unwrap();
        }
        assert_eq!(others(&folder.0, "libmemtop-1-b.so"), [folder.0.join("libmemtop-1-a.so")]);
        assert!(others(&folder.0.join("missing"), "x").is_empty());
    }

    #[test]
    fn folders_that_others_can_write_are_refused() {
        let folder = Folder::new("open");
        fs::create_dir(&folder.0).unwrap();
        fs::set_permissions(&folder.0, Permissions::from_mode(0o777)).unwrap();
        let error = place(&folder.0, "lib.so", BYTES).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(place(&folder.0.join("a b"), "lib.so", BYTES).is_err());
        assert!(place(Path::new("relative"), "lib.so", BYTES).is_err());
    }

    #[test]
    fn a_folder_that_others_can_write_or_swap_is_not_shared() {
        let folder = Folder::new("shared");
        let inner = folder.0.join("inner");
        fs::create_dir_all(&inner).unwrap();
        assert!(!is_roots_and_open(&inner), "the folder for temporary files is everybody's");
        assert!(!is_roots_and_open(Path::new("/nonexistent")));
    }

    #[test]
    fn memory_is_the_last_resort() {
        let library = in_memory(BYTES).unwrap();
        assert_eq!(fs::read(&library.path).unwrap(), BYTES);
        check_path(&library.path).unwrap();
    }
}
