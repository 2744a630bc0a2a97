//! The file of a recording that keeps to a size.
//!
//! Whoever records counts offsets as if nothing was ever left out; this end knows by how much
//! the file is shorter, and puts the offsets in index and end frames right as they pass. So a
//! file may also begin with what another one [holds](Held), thinned or not, when its recorder is
//! a fork of the other's.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use super::{
    FRAME_HEADER_BYTES, MAGIC, TRAILER_BYTES,
    file::{Bytes, File},
    frame_crc,
    index::Index,
    kind,
    schema::{End, Record},
    thin::{Thinned, thin},
    value::nanos,
};
use crate::sys::{descriptor, file};

/// Of the size that is allowed, so much is left after a thinning.
const LEFT: (u64, u64) = (3, 4);

/// How much shorter a file is than what was written into it, as others see it.
#[derive(Debug, Clone, Default)]
pub struct Saved(Arc<Shown>);

#[derive(Debug, Default)]
struct Shown {
    bytes: AtomicU64,
    /// Nanoseconds since the launch; 0 where nothing was left out.
    until: AtomicU64,
    has_thinned: AtomicBool,
    awaits_beginning: AtomicBool,
}

impl Saved {
    /// Bytes that were left out.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }

    /// Up to when, since the launch, something was left out; `None` where nothing was.
    pub fn until(&self) -> Option<Duration> {
        let until = self.0.until.load(Relaxed);
        (until > 0).then(|| Duration::from_nanos(until))
    }

    /// Whether it was this file that met its size, and not the one that it began with.
    pub fn has_thinned(&self) -> bool {
        self.0.has_thinned.load(Relaxed)
    }

    /// The file is yet to [begin with](Bounded::begin_with) what another one holds.
    pub fn await_beginning(&self) {
        self.0.awaits_beginning.store(true, Relaxed);
    }

    /// Whether the file has what it begins with; [`until`](Self::until) is known then.
    pub fn has_begun(&self) -> bool {
        !self.0.awaits_beginning.load(Acquire)
    }

    fn tell(&self, bytes: u64, until: Option<Duration>) {
        self.0.bytes.store(bytes, Relaxed);
        self.0.until.store(until.map_or(0, nanos), Relaxed);
    }
}

/// What a file holds at a moment between two segments, for another to begin with. It stays
/// whatever becomes of the file.
#[derive(Debug)]
pub struct Held {
    file: fs::File,
    received: u64,
    length: u64,
    frames: u64,
    last_index: Option<u64>,
    until: Option<Duration>,
}

impl Bytes for Held {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        self.file.read_at(offset, &mut into[..count])
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }
}

impl Held {
    /// All of it, as it is.
    fn copy(&self, out: &mut impl Write) -> io::Result<Thinned> {
        let (mut offset, mut buffer) = (0, vec![0; 64 << 10]);
        while offset < self.length {
            let count = self.read_at(offset, &mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out.write_all(&buffer[..count])?;
            offset += count as u64;
        }
        let Self { length: bytes, frames, last_index, until, .. } = *self;
        Ok(Thinned { bytes, frames, last_index, until })
    }
}

/// Where the file is, and how another takes its place.
#[derive(Debug)]
enum Place {
    /// In a folder: the other one is written beside it.
    Named(PathBuf),
    /// In memory: the other one gets its descriptor, by which readers find it.
    InMemory,
}

/// Takes whole frames, as a recorder writes them.
#[derive(Debug)]
pub struct Bounded {
    file: fs::File,
    place: Place,
    most: u64,
    /// It is thinned beyond this; more than `most` where no more can be left out.
    limit: u64,
    /// Bytes that came, and bytes of the file.
    received: u64,
    length: u64,
    /// Frames of the file.
    frames: u64,
    saved: Saved,
    last_index: Option<u64>,
    /// Where the end frame is, once it has come.
    end: Option<u64>,
}

impl Bounded {
    /// The recording in this file, which is empty, is to take at most so many bytes.
    pub fn new(file: fs::File, path: &Path, most: u64) -> (Self, Saved) {
        Self::at(Place::Named(path.to_owned()), file, most)
    }

    /// A recording in a file in memory, which is empty, is to take at most so many bytes. Its
    /// descriptor stays the same.
    pub fn in_memory(file: fs::File, most: u64) -> (Self, Saved) {
        Self::at(Place::InMemory, file, most)
    }

    fn at(place: Place, file: fs::File, most: u64) -> (Self, Saved) {
        let saved = Saved::default();
        let bounded = Self {
            file,
            place,
            most,
            limit: most,
            received: 0,
            length: 0,
            frames: 0,
            saved: saved.clone(),
            last_index: None,
            end: None,
        };
        (bounded, saved)
    }

    /// What the file holds now. It must be in memory, and the last frame an index.
    ///
    /// # Errors
    /// When the system is out of descriptors.
    pub fn hold(&self) -> io::Result<Held> {
        Ok(Held {
            file: self.file.try_clone()?,
            received: self.received,
            length: self.length,
            frames: self.frames,
            last_index: self.last_index,
            until: self.saved.until(),
        })
    }

    /// Begins the file, which is empty, with what another one held. What comes next comes from
    /// a recorder that was forked at that moment.
    ///
    /// # Errors
    /// When the other one cannot be read, or this one cannot be written.
    pub fn begin_with(&mut self, held: Held) -> io::Result<()> {
        let is_over = held.length > self.limit;
        let received = held.received;
        let copied = match is_over {
            true => self.thin_into(held, &self.file)?,
            false => held.copy(&mut self.file)?,
        };
        self.received = received;
        self.count(copied);
        self.saved.0.has_thinned.fetch_or(is_over, Relaxed);
        self.saved.0.awaits_beginning.store(false, Release);
        Ok(())
    }

    /// From here on the file is what was copied.
    fn count(&mut self, copied: Thinned) {
        (self.length, self.frames) = (copied.bytes, copied.frames);
        self.last_index = copied.last_index;
        self.limit = self.most.max(copied.bytes.saturating_mul(LEFT.1) / LEFT.0);
        self.saved.tell(self.received.saturating_sub(self.length), copied.until);
    }

    /// Bytes of the first frame of `bytes`, or of what stands before and behind all frames.
    fn first_length(&self, bytes: &[u8]) -> usize {
        let length = match (self.received, self.end, bytes) {
            (0, ..) => MAGIC.len() + 4,
            (_, None, [l0, l1, l2, l3, ..]) => {
                FRAME_HEADER_BYTES + u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize
            }
            _ => bytes.len(),
        };
        length.min(bytes.len())
    }

    fn take(&mut self, frame: &[u8]) -> io::Result<()> {
        let kind = frame.get(4).filter(|_| self.received > 0 && self.end.is_none()).copied();
        let payload = frame.get(FRAME_HEADER_BYTES..).unwrap_or_default();
        let ours = match (kind, self.end) {
            (Some(kind::INDEX), _) if self.is_as_written() => {
                self.last_index = Some(self.length);
                None
            }
            (Some(kind::INDEX), _) => Some(frame_of(kind::INDEX, &self.index(payload)?)),
            (Some(kind::END), _) => Some(frame_of(kind::END, &self.end(payload)?)),
            (_, Some(end)) if frame.len() == TRAILER_BYTES => {
                Some([end.to_le_bytes(), MAGIC].concat())
            }
            _ => None,
        };
        let bytes = ours.as_deref().unwrap_or(frame);
        self.file.write_all(bytes)?;
        self.received += frame.len() as u64;
        self.length += bytes.len() as u64;
        self.frames += u64::from(kind.is_some());
        match kind == Some(kind::INDEX) && self.length > self.limit {
            true => self.thin(),
            false => Ok(()),
        }
    }

    /// Whether no offset needs to be put right.
    fn is_as_written(&self) -> bool {
        self.received == self.length && self.saved.until().is_none()
    }

    /// The payload of an index frame, which comes next, with offsets of this file.
    fn index(&mut self, payload: &[u8]) -> io::Result<Vec<u8>> {
        let mut index = Index::read(payload).map_err(|_| io::ErrorKind::InvalidData)?;
        let ours = |offset: u64| offset.wrapping_sub(self.received).wrapping_add(self.length);
        index.start = ours(index.start);
        index.entries.iter_mut().for_each(|entry| entry.offset = ours(entry.offset));
        index.previous = self.last_index.replace(self.length);
        let mut payload = Vec::new();
        index.put(&mut payload);
        Ok(payload)
    }

    fn end(&mut self, payload: &[u8]) -> io::Result<Vec<u8>> {
        let mut end = End::read_fields(payload).map_err(|_| io::ErrorKind::InvalidData)?;
        (end.frames, end.index) = (self.frames, self.last_index);
        self.end = Some(self.length);
        let mut payload = Vec::new();
        end.put_fields(&mut payload);
        Ok(payload)
    }

    /// Writes the file anew beside itself, and puts it in its place when it is whole.
    fn thin(&mut self) -> io::Result<()> {
        let copied = match &self.place {
            Place::Named(path) => {
                let (thinned, copied) = self.thin_beside(path)?;
                self.file = thinned;
                copied
            }
            Place::InMemory => {
                let thinned = file::in_memory(PAST)?;
                let copied = self.thin_into(self.file.try_clone()?, &thinned)?;
                descriptor::replace(&self.file, &thinned)?;
                copied
            }
        };
        self.count(copied);
        self.saved.0.has_thinned.store(true, Relaxed);
        Ok(())
    }

    fn thin_beside(&self, path: &Path) -> io::Result<(fs::File, Thinned)> {
        let beside = path.with_added_extension("thinned");
        let mut options = fs::OpenOptions::new();
        let thinned = options.write(true).create(true).truncate(true).open(&beside)?;
        let copied = fs::File::open(path).and_then(|old| self.thin_into(old, &thinned));
        let copied = copied.and_then(|copied| fs::rename(&beside, path).map(|()| copied));
        let copied = copied.inspect_err(|_| drop(fs::remove_file(&beside)))?;
        Ok((thinned, copied))
    }

    fn thin_into(&self, old: impl Bytes, thinned: &fs::File) -> io::Result<Thinned> {
        let old = File::new(old).map_err(io::Error::other)?;
        let mut out = BufWriter::new(thinned);
        let copied = thin(&old, self.most / LEFT.1 * LEFT.0, &mut out).map_err(io::Error::other)?;
        out.flush()?;
        Ok(copied)
    }
}

/// Name of a recording in memory; `/proc/PID/fd` shows it.
pub const PAST: &std::ffi::CStr = c"memtop-past";

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut left = bytes;
        while !left.is_empty() {
            let (frame, rest) = left.split_at(self.first_length(left));
            self.take(frame)?;
            left = rest;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn frame_of(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let crc = frame_crc(length, kind, payload).to_le_bytes();
    [&length[..], &[kind], &crc, payload].concat()
}
