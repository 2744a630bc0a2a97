//! What a recording in a file says of a moment, and why it says nothing.

use std::{collections::BTreeSet, fs, io::BufReader, path::Path, time::Duration};

use memtop_ui::format::agree;

use super::{File, ReadError, Recording, When, dump, read_tree};
use crate::Error;

/// Larger recordings are not read from one end to the other to see their end.
const LARGE: u64 = 16 << 20;

/// Reads the recording in the file at `path`: all that is known at its end.
///
/// # Errors
/// When the file cannot be read or is not a recording that this memtop understands. A cut
/// file is no error: [`Recording::cut`] tells.
pub fn open(path: &Path) -> Result<Recording, Error> {
    let failed = |source| Error::Recording { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(|error| failed(error.into()))?;
    let length = file.metadata().map_or(0, |facts| facts.len());
    match length > LARGE {
        true => open_at(path, When::End),
        false => read_tree(BufReader::new(file)).map_err(failed),
    }
}

/// Reads what the recording in the file at `path` knows of a moment.
///
/// # Errors
/// As [`open`], and when it knows nothing of the moment because its first reading came later.
pub fn open_at(path: &Path, when: When) -> Result<Recording, Error> {
    let failed = |source| Error::Recording { path: path.to_owned(), source };
    let file = File::open(path)?;
    let recording = file.recording_at(when).map_err(failed)?;
    match when {
        When::At(at) if recording.tree.processes.is_empty() => {
            let first = file.first_reading_after(at).map_err(failed)?;
            first.map_or(Ok(recording), |first| Err(too_early(path, at, first)))
        }
        _ => Ok(recording),
    }
}

/// The moment that lies so long before the last that was recorded, since the session of the launched
/// program began; of a recording that is shorter, its first reading.
///
/// # Errors
/// When the recording cannot be read.
pub fn time_before_end(path: &Path, span: Duration) -> Result<Duration, Error> {
    let failed = |source| Error::Recording { path: path.to_owned(), source };
    let file = File::open(path)?;
    let began = file.images().first().map(|facts| facts.identity.started).unwrap_or_default();
    let at = file.end().saturating_sub(began).saturating_sub(span);
    let first = file.first_reading_after(Duration::ZERO).map_err(failed)?;
    Ok(at.max(first.unwrap_or_default()))
}

/// When the mark of this number was set, since the session of the launched program began.
///
/// # Errors
/// When the recording cannot be read, or has no such mark.
pub fn time_of_mark(path: &Path, number: u32) -> Result<Duration, Error> {
    let file = File::open(path)?;
    let began = |image: usize| file.images().get(image).map(|facts| facts.identity.started);
    let mark = file.marks().iter().rfind(|(_, mark)| mark.number == number);
    let since_launch =
        mark.map(|(image, mark)| image.and_then(began).unwrap_or_default() + mark.at);
    since_launch.map(|at| at.saturating_sub(began(0).unwrap_or_default())).ok_or_else(|| {
        let known: BTreeSet<_> = file.marks().iter().map(|(_, mark)| mark.number).collect();
        let known: Vec<_> = known.into_iter().map(|number| number.to_string()).collect();
        let why = match known.is_empty() {
            true => format!("it has no mark {number}: none was set while it was recorded"),
            false => {
                let are = agree(known.len() as u64, "is", "are");
                format!("it has no mark {number}; there {are} {}", known.join(", "))
            }
        };
        Error::NothingToShow { path: path.to_owned(), why }
    })
}

fn too_early(path: &Path, at: Duration, first: Duration) -> Error {
    // Rounded up, so that the moment that is named is one that is known.
    let first_s = (first.as_secs_f64() * 1e3).ceil() / 1e3;
    let why = format!(
        "at {} s nothing was recorded yet; its first reading is of {first_s} s",
        at.as_secs_f64()
    );
    Error::NothingToShow { path: path.to_owned(), why }
}

/// Writes the text form of the recording at `path` to `out`, one line a record.
///
/// # Errors
/// When the file cannot be read, or `out` cannot be written.
pub fn dump_file(path: &Path, out: &mut impl std::io::Write) -> Result<(), Error> {
    let lines = fs::File::open(path)
        .map_err(ReadError::from)
        .and_then(|file| dump(BufReader::new(file), out));
    lines.map_err(|source| Error::Recording { path: path.to_owned(), source })
}
