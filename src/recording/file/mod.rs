//! Opens a recording at any moment without reading all of it.
//!
//! Always holds: what is kept in memory grows with segments, process images and their
//! dictionaries, not with ticks or events; no offset leads anywhere but to a frame whose CRC
//! is right; index frames lead backwards only, so that no file makes a reader run in circles.

mod bytes;
mod content;
mod walk;

use std::{collections::HashMap, fs, path::Path, time::Duration};

pub use bytes::Bytes;

use super::{
    FRAME_HEADER_BYTES, Frame, Gap, MAX_FRAME_BYTES, MAX_HELD_BYTES, Mark, ReadError, frame_crc,
    index::{ANCHOR, Entry, Index},
    kind,
    reader::{check_header, decode},
    untraced::drop_traced,
    value::nanos,
};
use crate::{
    Error,
    model::{Exit, Identity, UntracedProcess},
};

/// A stretch of the recording that can be read by itself.
#[derive(Debug, Clone)]
struct Segment {
    /// Since the launch, nanoseconds.
    from: u64,
    to: u64,
    place: Place,
}

/// Where the list of a segment's frames is.
#[derive(Debug, Clone)]
enum Place {
    Indexed(u64),
    /// The end of a recording that has no index there.
    Walked(Vec<Entry>),
}

/// What a recording says once about a process image.
#[derive(Debug, Clone, Default)]
pub struct ImageFacts {
    /// Who it is, and how it ended as far as that is recorded.
    pub identity: Identity,
    /// Frames of modules, stacks and symbols.
    pub(super) dictionary: Vec<Entry>,
    /// Timeline frames.
    timeline: Vec<Entry>,
    /// The first and the last segment that says something about it.
    pub(super) segments: (usize, usize),
    has_figures: bool,
}

impl ImageFacts {
    /// Since its session began, where the launch was so long ago.
    pub fn own_time(&self, since_launch: Duration) -> Duration {
        since_launch.saturating_sub(self.identity.started)
    }
}

/// A recording, open at any moment.
#[derive(Debug)]
pub struct File<B = fs::File> {
    bytes: B,
    /// How many there were when it was opened. A recording that is being written may grow as
    /// fast as it is read; then only what was there counts.
    length: u64,
    version: u32,
    segments: Vec<Segment>,
    images: Vec<ImageFacts>,
    positions: HashMap<u32, usize>,
    command: Vec<Vec<u8>>,
    launched_at: Duration,
    exit: Option<Exit>,
    marks: Vec<(Option<usize>, Mark)>,
    gaps: Vec<Gap>,
    untraced: Vec<UntracedProcess>,
    cut: bool,
    good_bytes: u64,
    held_bytes: usize,
}

impl File<fs::File> {
    /// Opens the recording at `path`.
    ///
    /// # Errors
    /// When the file cannot be read or is not a recording that this memtop understands.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = fs::File::open(path).map_err(ReadError::from).and_then(Self::new);
        file.map_err(|source| Error::Recording { path: path.to_owned(), source })
    }
}

impl<B: Bytes> File<B> {
    /// Opens a recording that consists of these bytes.
    ///
    /// # Errors
    /// When they are not a recording that this memtop understands.
    pub fn new(bytes: B) -> Result<Self, ReadError> {
        let mut header = [0; 12];
        let filled = bytes.read_at(0, &mut header)?;
        let mut file = Self {
            version: check_header(&header[..filled])?,
            length: bytes.length()?,
            bytes,
            segments: Vec::new(),
            images: Vec::new(),
            positions: HashMap::new(),
            command: Vec::new(),
            launched_at: Duration::ZERO,
            exit: None,
            marks: Vec::new(),
            gaps: Vec::new(),
            untraced: Vec::new(),
            cut: false,
            good_bytes: 0,
            held_bytes: 0,
        };
        let indices = match file.chain()? {
            Some(indices) => indices,
            None => file.walk()?,
        };
        for (place, index) in indices {
            file.add_segment(place, index)?;
        }
        drop_traced(&mut file.untraced, file.images.iter().map(|image| &image.identity));
        Ok(file)
    }

    /// The recording's format.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The command as it was typed.
    pub fn command(&self) -> &[Vec<u8>] {
        &self.command
    }

    /// Wall-clock time of the launch, since the Unix epoch.
    pub fn launched_at(&self) -> Duration {
        self.launched_at
    }

    /// How the launched program ended, if that is recorded.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// The process images, in order of their start.
    pub fn images(&self) -> &[ImageFacts] {
        &self.images
    }

    /// Marked moments as they were noted, with the position of the image that each is of: the
    /// last one of a number counts.
    pub fn marks(&self) -> &[(Option<usize>, Mark)] {
        &self.marks
    }

    /// What is missing.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Processes that could not be traced, as far as they were seen, in order of their start.
    pub fn untraced(&self) -> &[UntracedProcess] {
        &self.untraced
    }

    /// Whether it stops before its end.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Bytes up to the end, or the cut.
    pub fn good_bytes(&self) -> u64 {
        self.good_bytes
    }

    /// The last moment recorded, since the launch.
    pub fn end(&self) -> Duration {
        let last = self.segments.iter().map(|segment| segment.to).max();
        let ended = self.images.iter().filter_map(|image| image.identity.ended).max();
        Duration::from_nanos(last.unwrap_or(0)).max(ended.unwrap_or_default())
    }

    /// The segment that a moment since the launch lies in.
    pub(super) fn segment_at(&self, moment: Duration) -> Option<usize> {
        let moment = nanos(moment);
        let behind = self.segments.partition_point(|segment| segment.from <= moment);
        (!self.segments.is_empty()).then(|| behind.saturating_sub(1))
    }

    /// When a segment begins, since the launch.
    pub(super) fn begin_of(&self, segment: usize) -> Option<Duration> {
        self.segments.get(segment).map(|segment| Duration::from_nanos(segment.from))
    }

    /// From when to when the segments go, nanoseconds since the launch.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (u64, u64)> {
        self.segments.iter().map(|segment| (segment.from, segment.to))
    }

    /// The frames of a segment.
    pub(super) fn entries(&self, segment: usize) -> Result<Vec<Entry>, ReadError> {
        match self.segments.get(segment).map(|segment| &segment.place) {
            Some(Place::Walked(entries)) => Ok(entries.clone()),
            Some(Place::Indexed(offset)) => {
                let index = self.index(*offset)?;
                Ok(index.map(|(index, _)| index.entries).unwrap_or_default())
            }
            None => Ok(Vec::new()),
        }
    }

    /// The frame of an entry; `None` when it is damaged or of another kind than it says.
    pub(super) fn frame(&self, entry: &Entry) -> Result<Option<Frame>, ReadError> {
        let raw = self.raw_frame(entry.offset)?;
        let right = raw.filter(|raw| raw.kind == entry.kind & !ANCHOR);
        Ok(right.and_then(|raw| decode(raw.kind, &raw.payload).ok()))
    }

    /// What the frame of an entry holds; `None` when it is damaged.
    pub(super) fn payload(&self, entry: &Entry) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.raw_frame(entry.offset)?.map(|raw| raw.payload))
    }

    /// Bytes that the frame at `offset` takes.
    pub(super) fn frame_bytes(&self, offset: u64) -> Result<u64, ReadError> {
        let length = self.header(offset)?.map_or(0, |header| u64::from(header.length));
        Ok(FRAME_HEADER_BYTES as u64 + length)
    }

    /// The frame at `offset`, if it is whole and its CRC is right.
    fn raw_frame(&self, offset: u64) -> Result<Option<Raw>, ReadError> {
        let Some(header) = self.header(offset)? else {
            return Ok(None);
        };
        let mut payload = vec![0; header.length as usize];
        let start = offset + FRAME_HEADER_BYTES as u64;
        let filled = self.bytes.read_at(start, &mut payload)?;
        let length = header.length.to_le_bytes();
        let right =
            filled == payload.len() && header.crc == frame_crc(length, header.kind, &payload);
        let end = start + u64::from(header.length);
        Ok(right.then_some(Raw { kind: header.kind, payload, end }))
    }

    fn header(&self, offset: u64) -> Result<Option<Header>, ReadError> {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let filled = self.bytes.read_at(offset, &mut bytes)?;
        let [l0, l1, l2, l3, kind, c0, c1, c2, c3] = bytes;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        // What is not there is not worth a buffer.
        let end = offset.saturating_add(FRAME_HEADER_BYTES as u64 + u64::from(length));
        let whole = filled == bytes.len() && length <= MAX_FRAME_BYTES;
        let there = whole && end <= self.length;
        Ok(there.then(|| Header { length, kind, crc: u32::from_le_bytes([c0, c1, c2, c3]) }))
    }

    /// The index frame at `offset`, and where it ends.
    fn index(&self, offset: u64) -> Result<Option<(Index, u64)>, ReadError> {
        let raw = self.raw_frame(offset)?.filter(|raw| raw.kind == kind::INDEX);
        Ok(raw.and_then(|raw| Some((Index::read(&raw.payload).ok()?, raw.end))))
    }
}

struct Raw {
    kind: u8,
    payload: Vec<u8>,
    end: u64,
}

struct Header {
    length: u32,
    kind: u8,
    crc: u32,
}

impl<B: Bytes> File<B> {
    /// Takes in what a segment says once.
    fn add_segment(&mut self, place: Option<u64>, index: Index) -> Result<(), ReadError> {
        let number = self.segments.len();
        for entry in &index.entries {
            self.held_bytes = self.held_bytes.saturating_add(size_of::<Entry>());
            self.note(number, entry)?;
        }
        if self.held_bytes > MAX_HELD_BYTES {
            return Err(ReadError::TooLarge);
        }
        let Index { from, to, entries, .. } = index;
        let place = place.map_or(Place::Walked(entries), Place::Indexed);
        // Segments are searched by time: a file that lies about it shows the wrong ones.
        let from = self.segments.last().map_or(from, |last| from.max(last.from));
        self.segments.push(Segment { from, to, place });
        Ok(())
    }

    fn note(&mut self, segment: usize, entry: &Entry) -> Result<(), ReadError> {
        match entry.kind {
            kind::LAUNCH | kind::PROCESS | kind::EXIT | kind::MARK | kind::GAP | kind::UNTRACED => {
                if let Some(frame) = self.frame(entry)? {
                    self.note_frame(segment, frame);
                }
                return Ok(());
            }
            _ => {}
        }
        let position = entry.image.and_then(|image| self.positions.get(&image));
        let Some(image) = position.and_then(|&position| self.images.get_mut(position)) else {
            return Ok(());
        };
        // Names and events may come when an image is over.
        if !matches!(entry.kind, kind::SYMBOLS | kind::EVENTS) {
            image.segments.1 = segment;
        }
        image.has_figures |= entry.kind & !ANCHOR == kind::STATE;
        match entry.kind {
            kind::MODULES | kind::STACKS | kind::SYMBOLS => image.dictionary.push(*entry),
            kind::TIMELINE => image.timeline.push(*entry),
            _ => {}
        }
        Ok(())
    }

    fn note_frame(&mut self, segment: usize, frame: Frame) {
        match frame {
            Frame::Launch { command, launched_at } => {
                self.command = command;
                self.launched_at = launched_at;
            }
            Frame::Process { image, identity } => {
                let Ok(image) = u32::try_from(image) else {
                    return;
                };
                if let Some(facts) = self.facts_mut(image.into()) {
                    let Identity { ended, exit, .. } = facts.identity;
                    facts.identity = Identity { ended, exit, ..identity };
                    return;
                }
                let arguments = identity.command.iter().map(|one| one.len() + 24);
                self.held_bytes += size_of::<ImageFacts>() + arguments.sum::<usize>();
                self.positions.insert(image, self.images.len());
                let segments = (segment, segment);
                self.images.push(ImageFacts { identity, segments, ..ImageFacts::default() });
            }
            Frame::Exit { image: None, exit, .. } => self.exit = exit,
            Frame::Exit { image: Some(image), ended, exit } => {
                if let Some(facts) = self.facts_mut(image) {
                    facts.identity.ended = ended;
                    facts.identity.exit = exit;
                }
            }
            Frame::Mark { image, mark } => {
                self.held_bytes += size_of::<Mark>() + mark.label.len();
                let position = |image: u64| self.positions.get(&u32::try_from(image).ok()?);
                self.marks.push((image.and_then(position).copied(), mark));
            }
            Frame::Gap(gap) => self.gaps.push(gap),
            Frame::Untraced(process) => {
                let arguments = process.command.iter().map(|one| one.len() + 24);
                self.held_bytes += size_of::<UntracedProcess>() + arguments.sum::<usize>();
                process.note(&mut self.untraced);
            }
            _ => {}
        }
    }

    fn facts_mut(&mut self, image: u64) -> Option<&mut ImageFacts> {
        let position = self.positions.get(&u32::try_from(image).ok()?)?;
        self.images.get_mut(*position)
    }

    /// Whether an image's figures are recorded at all.
    pub(super) fn has_figures(&self, image: usize) -> bool {
        self.images.get(image).is_some_and(|facts| facts.has_figures)
    }

    /// Position among [`images`](Self::images) of the one that its writer gave this number.
    pub fn position_of(&self, number: usize) -> Option<usize> {
        self.positions.get(&u32::try_from(number).ok()?).copied()
    }

    /// Position of the image that an entry is about.
    pub(super) fn position(&self, entry: &Entry) -> Option<usize> {
        self.positions.get(&entry.image?).copied()
    }
}
