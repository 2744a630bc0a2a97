//! Appends frames. Each frame goes out in one write, so that a crash leaves whole frames.

use std::io::{self, Write};
use std::time::Duration;

use super::{
    FRAME_HEADER_BYTES, MAGIC, MAX_FRAME_BYTES, MAX_FRAME_POINTS, MOMENT_ALONG, MOMENT_END,
    VERSION,
    cells::Cells,
    column::{put_envelope, put_packed_envelope},
    dictionary::{Modules, Named, Symbols, pieces, put_stacks},
    events::Encoded,
    frame_crc,
    index::{ANCHOR, Entry, Index},
    kind,
    schema::{End, Ending, Gap, Launch, Mark, Record},
    timeline::put_points,
    value::{Field, nanos},
    wire::put_field,
};
use crate::model::{
    Exit, Function, Identity, LocationId, Point, ProcessState, SitesUpdate, TreeState,
    UntracedProcess, Window,
};

/// Names of one frame take about so many bytes at most.
const NAMES_BYTES: usize = 1 << 20;
/// Frames that one index lists at most; then it is time for the next.
const MAX_LISTED: usize = 1 << 16;

/// A process image of this recording, as its frames name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image(u64);

/// Appends a recording to `W`, frame by frame. Only [`Writer::end`] makes it complete; a
/// writer that is dropped before leaves a recording that reads as cut.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    frames: u64,
    images: u64,
    offset: u64,
    /// Frames since the last index.
    listed: Index,
}

/// What a frame is about.
#[derive(Debug, Clone, Copy, Default)]
struct About {
    image: Option<Image>,
    at: u64,
    anchor: bool,
}

impl About {
    fn image(image: Image, at: Duration) -> Self {
        Self { image: Some(image), at: nanos(at), anchor: false }
    }
}

impl<W: Write> Writer<W> {
    /// Begins a recording of `command`, launched at this time since the Unix epoch.
    ///
    /// # Errors
    /// When `out` cannot be written, as for every method here.
    pub fn new(mut out: W, command: &[Vec<u8>], launched_at: Duration) -> io::Result<Self> {
        out.write_all(&[&MAGIC[..], &VERSION.to_le_bytes()].concat())?;
        let offset = (MAGIC.len() + 4) as u64;
        let listed = Index { start: offset, ..Index::default() };
        let mut writer = Self { out, frames: 0, images: 0, offset, listed };
        let launch = Launch { launched_at, command: command.to_vec() };
        writer.record(kind::LAUNCH, About::default(), &launch)?;
        Ok(writer)
    }

    /// The same, of which all that comes goes to `out`.
    pub(super) fn with_out<V: Write>(&self, out: V) -> Writer<V> {
        let Self { frames, images, offset, .. } = *self;
        Writer { out, frames, images, offset, listed: self.listed.clone() }
    }

    /// Introduces a process image: what never changes about it. Its end goes to
    /// [`Writer::image_exit`].
    pub fn process(&mut self, identity: &Identity) -> io::Result<Image> {
        let image = Image(self.images);
        self.images += 1;
        self.record(kind::PROCESS, About::image(image, Duration::ZERO), identity)?;
        Ok(image)
    }

    /// Says anew who an image is, when more is known than before.
    pub fn process_again(&mut self, image: Image, identity: &Identity) -> io::Result<()> {
        self.record(kind::PROCESS, About::image(image, Duration::ZERO), identity)
    }

    /// When the image was traced, so far, said at this time since its session began. The last
    /// one counts.
    pub fn window(&mut self, image: Image, at: Duration, window: &Window) -> io::Result<()> {
        let mut payload = Vec::new();
        Some(image.0).put(1, &mut payload);
        Some(at).put(3, &mut payload);
        window.put_fields(&mut payload);
        self.frame(kind::WINDOW, About::image(image, at), &payload)
    }

    /// The figures of an image at its end, or at the end of the recording, so long after its
    /// session began: all of `state` but its identity, window, sites, names and timeline. The
    /// last one counts.
    pub fn state(&mut self, image: Image, at: Duration, state: &ProcessState) -> io::Result<()> {
        let mut payload = Vec::new();
        Some(image.0).put(1, &mut payload);
        Some(MOMENT_END).put(2, &mut payload);
        Some(at).put(3, &mut payload);
        state.put_fields(&mut payload);
        self.frame(kind::STATE, About::image(image, at), &payload)
    }

    /// The figures of an image along the way: the same of `state`.
    pub fn along(&mut self, image: Image, at: Duration, state: &ProcessState) -> io::Result<()> {
        let mut payload = Vec::new();
        Some(image.0).put(1, &mut payload);
        Some(MOMENT_ALONG).put(2, &mut payload);
        Some(at).put(3, &mut payload);
        state.put_fields(&mut payload);
        let about = About { anchor: true, ..About::image(image, at) };
        self.frame(kind::STATE, about, &payload)
    }

    /// Patches, the first of a tick at this time.
    pub(super) fn ticks(&mut self, image: Image, at: Duration, rows: &[u8]) -> io::Result<()> {
        let mut fields = Vec::new();
        put_field(1, rows, &mut fields);
        self.envelope(kind::TICKS, About::image(image, at), &fields)
    }

    /// Allocations and frees of one thread.
    pub fn events(&mut self, image: Image, events: &Encoded) -> io::Result<()> {
        let about = About::image(image, events.at);
        let mut payload = Vec::new();
        put_packed_envelope(image.0, about.at, &events.packed, &mut payload);
        self.frame(kind::EVENTS, about, &payload)
    }

    /// Figures of sites.
    pub fn cells(&mut self, image: Image, at: Duration, cells: &Cells) -> io::Result<()> {
        let mut fields = Vec::new();
        cells.put(&mut fields);
        let about = About { anchor: cells.reset, ..About::image(image, at) };
        self.envelope(kind::CELLS, about, &fields)
    }

    /// Modules, locations, nodes and stacks that are new; nothing of the figures. A restart
    /// voids those before.
    pub fn dictionary(
        &mut self,
        image: Image,
        at: Duration,
        update: &SitesUpdate,
    ) -> io::Result<()> {
        let about = About::image(image, at);
        if update.restart || !update.modules.is_empty() {
            let restart = u64::from(update.restart);
            let mut fields = Vec::new();
            Modules { modules: update.modules.clone(), restart }.put_fields(&mut fields);
            self.envelope(kind::MODULES, about, &fields)?;
        }
        for piece in pieces(update) {
            let mut fields = Vec::new();
            put_stacks(&piece, &mut fields);
            self.envelope(kind::STACKS, about, &fields)?;
        }
        Ok(())
    }

    /// What locations of an image are called.
    pub fn symbols<'a>(
        &mut self,
        image: Image,
        names: impl Iterator<Item = (LocationId, &'a [Function])>,
    ) -> io::Result<()> {
        let about = About::image(image, Duration::ZERO);
        let mut fields = Vec::new();
        for (location, functions) in names {
            let named = Named { location: location.0, functions: functions.to_vec() };
            Symbols { named: vec![named] }.put_fields(&mut fields);
            if fields.len() >= NAMES_BYTES {
                self.envelope(kind::SYMBOLS, about, &std::mem::take(&mut fields))?;
            }
        }
        match fields.is_empty() {
            true => Ok(()),
            false => self.envelope(kind::SYMBOLS, about, &fields),
        }
    }

    /// More samples of an image, later than those before.
    pub fn timeline(&mut self, image: Image, points: &[Point]) -> io::Result<()> {
        for batch in points.chunks(MAX_FRAME_POINTS) {
            let mut payload = Vec::new();
            Some(image.0).put(1, &mut payload);
            put_points(batch, &mut payload);
            self.frame(kind::TIMELINE, About::image(image, batch[0].at), &payload)?;
        }
        Ok(())
    }

    /// A moment that somebody marked.
    pub fn mark(&mut self, image: Option<Image>, mark: &Mark) -> io::Result<()> {
        let about = About { image, at: nanos(mark.at), anchor: false };
        self.record(kind::MARK, about, mark)
    }

    /// A stretch of time of which something is missing.
    pub fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        self.record(kind::GAP, About { at: nanos(gap.from), ..About::default() }, gap)
    }

    /// A process that is not traced; again when more is known of it.
    pub fn untraced(&mut self, process: &UntracedProcess) -> io::Result<()> {
        let about = About { at: nanos(process.started), ..About::default() };
        self.record(kind::UNTRACED, about, process)
    }

    /// How and when (since the launch) an image ended, as far as it is known.
    pub fn image_exit(
        &mut self,
        image: Image,
        ended: Option<Duration>,
        exit: Option<Exit>,
    ) -> io::Result<()> {
        let about = About::image(image, Duration::ZERO);
        self.record(kind::EXIT, about, &Ending { ended, exit })
    }

    /// How the launched program ended.
    pub fn program_exit(&mut self, exit: Exit) -> io::Result<()> {
        let ending = Ending { ended: None, exit: Some(exit) };
        self.record(kind::EXIT, About::default(), &ending)
    }

    /// Ends a segment that went over this time, since the launch.
    pub fn index(&mut self, from: Duration, to: Duration) -> io::Result<()> {
        self.listed.from = nanos(from);
        self.listed.to = nanos(to);
        let offset = self.offset;
        let mut payload = Vec::new();
        self.listed.put(&mut payload);
        self.raw_frame(kind::INDEX, &payload)?;
        self.listed = Index { previous: Some(offset), start: self.offset, ..Index::default() };
        Ok(())
    }

    /// Bytes of the recording so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the segment so far.
    pub fn segment_bytes(&self) -> u64 {
        self.offset - self.listed.start
    }

    /// Whether the index of the segment has no room for many more frames.
    pub fn segment_is_full(&self) -> bool {
        self.listed.entries.len() >= MAX_LISTED
    }

    /// Hands what was written so far to the system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What the recording is written to.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Completes the recording and gives back what it was written to.
    pub fn end(mut self) -> io::Result<W> {
        if !self.listed.entries.is_empty() {
            let [from, to] = [self.listed.from, self.listed.to].map(Duration::from_nanos);
            self.index(from, to)?;
        }
        let end = End { frames: self.frames, index: self.listed.previous };
        let offset = self.offset;
        let mut payload = Vec::new();
        end.put_fields(&mut payload);
        self.raw_frame(kind::END, &payload)?;
        self.out.write_all(&[offset.to_le_bytes(), MAGIC].concat())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn record(&mut self, kind: u8, about: About, record: &impl Record) -> io::Result<()> {
        let mut payload = Vec::new();
        about.image.map(|image| image.0).put(1, &mut payload);
        record.put_fields(&mut payload);
        self.frame(kind, about, &payload)
    }

    fn envelope(&mut self, kind: u8, about: About, fields: &[u8]) -> io::Result<()> {
        let mut payload = Vec::new();
        put_envelope(about.image.map_or(0, |image| image.0), about.at, fields, &mut payload);
        self.frame(kind, about, &payload)
    }

    /// A frame that the index lists.
    fn frame(&mut self, kind: u8, about: About, payload: &[u8]) -> io::Result<()> {
        self.listed.entries.push(Entry {
            offset: self.offset,
            kind: kind | if about.anchor { ANCHOR } else { 0 },
            image: about.image.map(|image| image.0 as u32),
            at: about.at,
        });
        self.raw_frame(kind, payload)
    }

    fn raw_frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let length = frame_length(payload)?.to_le_bytes();
        let crc = frame_crc(length, kind, payload).to_le_bytes();
        let frame = [&length[..], &[kind], &crc, payload].concat();
        self.out.write_all(&frame)?;
        self.frames += 1;
        self.offset += (FRAME_HEADER_BYTES + payload.len()) as u64;
        Ok(())
    }
}

fn frame_length(payload: &[u8]) -> io::Result<u32> {
    u32::try_from(payload.len()).ok().filter(|length| *length <= MAX_FRAME_BYTES).ok_or_else(|| {
        let message =
            format!("a record of {} bytes is over the format's {MAX_FRAME_BYTES}", payload.len());
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// Writes a complete recording of `tree` and gives back what it was written to.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_tree<W: Write>(out: W, tree: &TreeState) -> io::Result<W> {
    let mut writer = Writer::new(out, &tree.command, tree.launched_at)?;
    for process in &tree.processes {
        write_process(&mut writer, process)?;
    }
    for process in &tree.untraced {
        writer.untraced(process)?;
    }
    if let Some(exit) = tree.exit {
        writer.program_exit(exit)?;
    }
    writer.end()
}

fn write_process<W: Write>(writer: &mut Writer<W>, process: &ProcessState) -> io::Result<()> {
    let identity = &process.identity;
    let image = writer.process(identity)?;
    writer.window(image, Duration::ZERO, &process.window)?;
    writer.timeline(image, &process.timeline)?;
    let sites = SitesUpdate { restart: false, ..process.sites.to_update() };
    writer.dictionary(image, Duration::ZERO, &sites)?;
    if !process.sites.figures.is_empty() {
        for cells in Cells::whole(&process.sites.figures) {
            writer.cells(image, Duration::ZERO, &cells)?;
        }
    }
    writer.symbols(image, process.names.iter())?;
    writer.state(image, lifetime(process), process)?;
    writer.image_exit(image, identity.ended, identity.exit)
}

/// How long an image lived, or was seen.
pub(super) fn lifetime(process: &ProcessState) -> Duration {
    let identity = &process.identity;
    let seen = process.timeline.last().map_or(Duration::ZERO, |point| point.at);
    identity.ended.map_or(seen, |ended| ended.saturating_sub(identity.started))
}
