//! Opens a recording at any moment without reading all of it.
//!
//! Always holds: what is kept in memory grows with segments, process images and their
//! dictionaries, not with ticks or events; no offset leads anywhere but to a frame whose CRC
//! is right; index frames lead backwards only, so that no file makes a reader run in circles.

use std::{collections::HashMap, fs, io, os::unix::fs::FileExt, path::Path, time::Duration};

use super::{
    FRAME_HEADER_BYTES, Frame, Gap, MAGIC, MAX_FRAME_BYTES, MAX_HELD_BYTES, Mark, ReadError,
    TRAILER_BYTES, frame_crc,
    index::{ANCHOR, Entry, Index},
    kind,
    reader::{check_header, decode},
    wire::{Fields, take_uint},
};
use crate::{
    Error,
    model::{Exit, Identity, Point},
};

/// Bytes that can be read from anywhere.
pub trait Bytes {
    /// Fills as much of `into` as there is at `offset`.
    ///
    /// # Errors
    /// When the system refuses.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// How many there are.
    ///
    /// # Errors
    /// When the system refuses.
    fn length(&self) -> io::Result<u64>;
}

impl Bytes for fs::File {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match FileExt::read_at(self, &mut into[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl Bytes for Vec<u8> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = into.len().min(self.len() - from);
        into[..count].copy_from_slice(&self[from..from + count]);
        Ok(count)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

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
    version: u32,
    segments: Vec<Segment>,
    images: Vec<ImageFacts>,
    positions: HashMap<u32, usize>,
    command: Vec<Vec<u8>>,
    launched_at: Duration,
    exit: Option<Exit>,
    marks: Vec<(Option<usize>, Mark)>,
    gaps: Vec<Gap>,
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
            bytes,
            segments: Vec::new(),
            images: Vec::new(),
            positions: HashMap::new(),
            command: Vec::new(),
            launched_at: Duration::ZERO,
            exit: None,
            marks: Vec::new(),
            gaps: Vec::new(),
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

    /// Marked moments, with the position of the image that each is of.
    pub fn marks(&self) -> &[(Option<usize>, Mark)] {
        &self.marks
    }

    /// What is missing.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
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
        let moment = super::value::nanos(moment);
        let behind = self.segments.partition_point(|segment| segment.from <= moment);
        (!self.segments.is_empty()).then(|| behind.saturating_sub(1))
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

    /// Shows `with` the points of an image's timeline frames that begin before `until`, since
    /// its session began.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn each_point(
        &self,
        image: usize,
        until: Duration,
        with: &mut impl FnMut(Point),
    ) -> Result<(), ReadError> {
        let entries = self.images.get(image).map(|facts| &facts.timeline[..]).unwrap_or_default();
        let until = super::value::nanos(until);
        for entry in entries.iter().filter(|entry| entry.at < until) {
            if let Some(Frame::Timeline { points, .. }) = self.frame(entry)? {
                points.into_iter().for_each(&mut *with);
            }
        }
        Ok(())
    }

    /// The samples of an image right before and behind a moment, since its session began.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn neighbours(
        &self,
        image: usize,
        at: Duration,
    ) -> Result<(Option<Duration>, Option<Duration>), ReadError> {
        let entries = self.images.get(image).map(|facts| &facts.timeline[..]).unwrap_or_default();
        let behind = entries.partition_point(|entry| entry.at <= super::value::nanos(at));
        let near = behind.saturating_sub(2)..(behind + 1).min(entries.len());
        let (mut before, mut after) = (None, None);
        for entry in &entries[near] {
            if let Some(Frame::Timeline { points, .. }) = self.frame(entry)? {
                let times = || points.iter().map(|point| point.at);
                before = times().rfind(|time| *time < at).or(before);
                after = after.or_else(|| times().find(|time| *time > at));
            }
        }
        Ok((before, after))
    }

    /// The frame of an entry; `None` when it is damaged or of another kind than it says.
    pub(super) fn frame(&self, entry: &Entry) -> Result<Option<Frame>, ReadError> {
        let raw = self.raw_frame(entry.offset)?;
        let right = raw.filter(|raw| raw.kind == entry.kind & !ANCHOR);
        Ok(right.and_then(|raw| decode(raw.kind, &raw.payload).ok()))
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
        let there = whole && end <= self.bytes.length()?;
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

/// A segment on the way in.
type Found = (Option<u64>, Index);

impl<B: Bytes> File<B> {
    /// All indices of a recording that is complete, found from its end; `None` when it is not.
    fn chain(&mut self) -> Result<Option<Vec<Found>>, ReadError> {
        let length = self.bytes.length()?;
        let Some(trailer) = length.checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        let mut bytes = [0; TRAILER_BYTES];
        self.bytes.read_at(trailer, &mut bytes)?;
        let (offset, magic) = bytes.split_at(8);
        let offset = u64::from_le_bytes(offset.try_into().unwrap_or_default());
        let end = match magic == MAGIC {
            true => self.raw_frame(offset)?.filter(|raw| raw.kind == kind::END),
            false => None,
        };
        let Some(end) = end.filter(|raw| raw.end == trailer) else {
            return Ok(None);
        };
        let Ok(Frame::End { index: mut next, .. }) = decode(kind::END, &end.payload) else {
            return Ok(None);
        };
        let (mut found, mut limit) = (Vec::new(), offset);
        while let Some(at) = next {
            let Some((index, behind)) = self.index(at)?.filter(|_| at < limit) else {
                return Ok(None);
            };
            // Index and next segment are neighbours, so none is left out.
            if behind != limit {
                return Ok(None);
            }
            limit = index.start;
            next = index.previous;
            found.push((Some(at), Index { entries: notable(index.entries), ..index }));
        }
        found.reverse();
        self.good_bytes = trailer;
        Ok((limit == 12).then_some(found))
    }

    /// All indices of a recording whose end is missing, and what stands behind the last one.
    fn walk(&mut self) -> Result<Vec<Found>, ReadError> {
        let (mut found, mut start) = (Vec::new(), 12);
        let mut at = start;
        while let Some(header) = self.header(at)? {
            if header.kind == kind::INDEX {
                let Some((index, end)) = self.index(at)?.filter(|(one, _)| one.start == start)
                else {
                    break;
                };
                found.push((Some(at), Index { entries: notable(index.entries), ..index }));
                (start, at) = (end, end);
                continue;
            }
            at += FRAME_HEADER_BYTES as u64 + u64::from(header.length);
        }
        let from = found.last().map_or(0, |(_, index): &Found| index.to);
        let tail = self.walk_tail(start, from)?;
        if !tail.entries.is_empty() {
            found.push((None, tail));
        }
        Ok(found)
    }

    /// Checks every frame from `start` on, up to the first bad one.
    fn walk_tail(&mut self, start: u64, from: u64) -> Result<Index, ReadError> {
        let mut tail = Index { start, from, to: from, ..Index::default() };
        let mut started = HashMap::new();
        self.good_bytes = start;
        self.cut = true;
        while let Some(raw) = self.raw_frame(self.good_bytes)? {
            let Ok(frame) = decode(raw.kind, &raw.payload) else {
                break;
            };
            if let Frame::Process { image, identity } = &frame {
                started.insert(*image, identity.started);
            }
            let entry = entry_of(self.good_bytes, raw.kind, &frame, &raw.payload);
            tail.to = tail.to.max(self.time_of(&entry, &frame, &started));
            tail.entries.push(entry);
            self.good_bytes = raw.end;
            if matches!(frame, Frame::End { .. }) {
                self.cut = false;
                break;
            }
        }
        Ok(tail)
    }

    /// When the last thing in a frame was, since the launch.
    fn time_of(&self, entry: &Entry, frame: &Frame, started: &HashMap<u64, Duration>) -> u64 {
        let image = entry.image.map(u64::from);
        let base = image.and_then(|image| started.get(&image)).copied();
        let base = base.map_or(0, super::value::nanos);
        let own = match frame {
            Frame::Ticks { ticks, .. } => {
                entry.at.saturating_add(ticks.scan().map_or(0, |(_, span)| span))
            }
            Frame::Timeline { points, .. } => {
                points.last().map_or(0, |point| super::value::nanos(point.at))
            }
            Frame::Exit { ended, .. } => {
                return ended.map_or(0, super::value::nanos);
            }
            _ => entry.at,
        };
        base.saturating_add(own)
    }

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
            kind::LAUNCH | kind::PROCESS | kind::EXIT | kind::MARK | kind::GAP => {
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
        image.segments.1 = segment;
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

    /// Position of the image that an entry is about.
    pub(super) fn position(&self, entry: &Entry) -> Option<usize> {
        self.positions.get(&entry.image?).copied()
    }
}

/// Entries that say what [`File::note`] looks at; the others are many, and read again when
/// their segment is.
fn notable(mut entries: Vec<Entry>) -> Vec<Entry> {
    let bulk = [kind::TICKS, kind::CELLS, kind::CELLS | ANCHOR, kind::WINDOW, kind::EVENTS];
    entries.retain(|entry| !bulk.contains(&entry.kind));
    entries.shrink_to_fit();
    entries
}

/// What an index would say of a frame.
fn entry_of(offset: u64, raw_kind: u8, frame: &Frame, payload: &[u8]) -> Entry {
    let anchor = match frame {
        Frame::Along { .. } => true,
        Frame::Cells { cells, .. } => cells.reset,
        _ => false,
    };
    let place_of_time = match raw_kind {
        kind::WINDOW | kind::STATE => 3,
        _ => 2,
    };
    let about_image = matches!(raw_kind, 2..=6 | 16..=21 | kind::TICKS | kind::MARK);
    let mut entry =
        Entry { offset, kind: raw_kind | if anchor { ANCHOR } else { 0 }, image: None, at: 0 };
    for (tag, mut value) in Fields(payload).flatten() {
        match tag {
            1 if about_image => {
                entry.image = take_uint(&mut value).ok().and_then(|one| u32::try_from(one).ok());
            }
            tag if tag == place_of_time && has_time(raw_kind) => {
                entry.at = take_uint(&mut value).unwrap_or(0);
            }
            _ => {}
        }
    }
    if let Frame::Timeline { points, .. } = frame {
        entry.at = points.first().map_or(0, |point| super::value::nanos(point.at));
    }
    entry
}

/// Kinds whose payload says when.
fn has_time(kind: u8) -> bool {
    matches!(kind, kind::WINDOW | kind::STATE | kind::MARK | kind::TICKS | 16..=21)
}
