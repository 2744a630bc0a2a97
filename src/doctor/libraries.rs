//! Tracing libraries that other versions of memtop left behind.
//!
//! Nothing deletes them by itself: a program that still runs under an older memtop hands the path
//! on to whatever it executes, in a year's time if it lives so long, and the loader of what finds
//! nothing there says so on the program's stderr. Not every process can be looked at, so memtop
//! cannot know that nobody needs a file any more; a person can.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use memtop_ui::format;

use super::Finding;
use crate::keeper::preload_file;

/// How much there is of them, where, and who uses them.
pub(super) fn old_libraries() -> Finding {
    let image = crate::keeper::image();
    let found = image.map(preload_file::of_other_versions).unwrap_or_default();
    Finding::works("old libraries", words(&found, number_in_use(&found)))
}

fn words(found: &[PathBuf], in_use: usize) -> String {
    if found.is_empty() {
        return "no other version of memtop left its tracing library behind".to_owned();
    }
    let bytes = found.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
    let folders: BTreeSet<_> = found.iter().filter_map(|path| path.parent()).collect();
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let needed = match in_use {
        0 => "none in use by a program that can be seen".to_owned(),
        count => format!("{count} in use"),
    };
    format!(
        "{} of other versions, {}, in {}, {needed}; delete them when nothing runs under memtop",
        found.len(),
        format::bytes(bytes),
        folders.join(" and ")
    )
}

/// How many of the files a process has mapped, or hands on to what it executes.
fn number_in_use(files: &[PathBuf]) -> usize {
    if files.is_empty() {
        return 0;
    }
    let mut unseen: Vec<&PathBuf> = files.iter().collect();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let texts = ["maps", "environ"].map(|name| fs::read(process.path().join(name)));
        let texts: Vec<Vec<u8>> = texts.into_iter().flatten().collect();
        unseen.retain(|file| !texts.iter().any(|text| names(text, file)));
    }
    files.len() - unseen.len()
}

fn names(text: &[u8], file: &Path) -> bool {
    let path = file.as_os_str().as_encoded_bytes();
    text.windows(path.len()).any(|part| part == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn who_hands_a_library_on_uses_it() {
        let folder = std::env::temp_dir().join(format!("memtop-old-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let files = ["one", "two"].map(|name| folder.join(format!("libmemtop-{name}.so")));
        files.iter().for_each(|file| fs::write(file, [0; 2048]).unwrap());
        assert_eq!(number_in_use(&files), 0);
        // The kernel shows the environment of a fresh image a moment after it runs.
        let mut sleep =
            Command::new("sleep").arg("60").env("HANDED_ON", &files[1]).spawn().unwrap();
        while number_in_use(&files) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(number_in_use(&files), 1);
        let said = words(&files, 1);
        let expected = format!("2 of other versions, 4.0 KiB, in {}, 1 in use; ", folder.display());
        assert!(said.starts_with(&expected), "{said}");
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
