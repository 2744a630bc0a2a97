//! Lines of source files, for the frame under the cursor. The last file is kept: a cursor goes
//! from line to line of the same one, and a frame must not wait for a disk twenty times a
//! second.

use std::{fs, io, path::Path};

use memtop_ui::{data::Source, printable::printable};

/// Lines shown before and behind the one of the call.
const AROUND: usize = 20;

/// The largest file that is read.
const LARGEST: u64 = 8 << 20;

/// The file that was read last.
#[derive(Debug)]
pub(super) struct SourceLines {
    file: String,
    lines: Result<Vec<String>, String>,
}

impl Default for SourceLines {
    fn default() -> Self {
        Self { file: String::new(), lines: Ok(Vec::new()) }
    }
}

impl SourceLines {
    /// The lines around `line` of `file`.
    pub(super) fn around(&mut self, file: &str, line: u32) -> Source {
        if self.file != file {
            self.lines = read(Path::new(file));
            file.clone_into(&mut self.file);
        }
        let lines = match &self.lines {
            Ok(lines) => lines,
            Err(why) => return Source::Unreadable { file: file.to_owned(), why: why.clone() },
        };
        let at = (line as usize).saturating_sub(1);
        if at >= lines.len() {
            let why = format!("it has {} lines only; was it changed?", lines.len());
            return Source::Unreadable { file: file.to_owned(), why };
        }
        let first = at.saturating_sub(AROUND);
        let end = (at + AROUND + 1).min(lines.len());
        Source::Lines {
            file: file.to_owned(),
            first: first as u32 + 1,
            lines: lines[first..end].to_vec(),
            at: line,
        }
    }
}

/// Why a file of source code is not there to be read.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "the source is not on this machine".to_owned(),
        _ => error.to_string(),
    }
}

fn read(path: &Path) -> Result<Vec<String>, String> {
    let facts = fs::metadata(path).map_err(|error| why(&error))?;
    if !facts.is_file() || facts.len() > LARGEST {
        return Err("it is no file of source code".to_owned());
    }
    let bytes = fs::read(path).map_err(|error| why(&error))?;
    let shown = |c: char| if c == '\t' { c } else { printable(c) };
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().map(|line| line.chars().map(shown).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_a_call() {
        let mut sources = SourceLines::default();
        let this = concat!(env!("CARGO_MANIFEST_DIR"), "/src/app/source_lines.rs");
        let Source::Lines { first, lines, at, .. } = sources.around(this, 3) else {
            panic!("this file can be read");
        };
        assert_eq!((first, at, lines.len()), (1, 3, 3 + AROUND));
        assert!(lines[0].starts_with("//! Lines of source files"));
        assert!(matches!(sources.around(this, 100_000), Source::Unreadable { .. }));
        assert!(matches!(sources.around("/nowhere.c", 1), Source::Unreadable { .. }));
    }
}
