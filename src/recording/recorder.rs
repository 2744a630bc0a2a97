//! A recording in the making: what a source sees at its ticks becomes segments.
//!
//! Always holds: what was written so far opens, up to half a second ago, whatever happens to
//! the writer; what a segment changes counts from what the segment itself begins with.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    mem::take,
    time::Duration,
};

use super::{
    cells::Cells,
    events::Encoded,
    figures::Snapshot,
    patch::Base,
    schema::{Gap, Mark},
    writer::{Image, Writer, lifetime},
};
use crate::model::{
    Exit, Identity, Names, Point, ProcessState, SiteFigures, Sites, SitesUpdate, StackId, Window,
};

/// Ticks wait so long for company.
const FLUSH: Duration = Duration::from_millis(500);
/// Changed figures of sites are written so often.
const CELLS: Duration = Duration::from_secs(1);
/// A segment lasts at least and at most so long.
const SEGMENT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Below this a segment does not end for its size.
const LEAST_BYTES: u64 = 256 << 10;
/// A segment of so many bytes ends in any case.
const MOST_BYTES: u64 = 16 << 20;
/// Of a recording that keeps to a size, a segment takes no more than one part in so many.
const SHARES: u64 = 16;
/// Patches of one image that wait take at most so many bytes.
const MOST_ROWS: usize = 1 << 20;
/// So many points of an image are kept at one resolution before it is halved.
const EPOCH: u64 = 1 << 17;

/// What one tick shows of one process image.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The image, by a number of the source's choice that never changes.
    pub image: usize,
    /// Its figures, identity and window. One that has ended says so here, and this is the last
    /// look at it.
    pub state: ProcessState,
    /// Its sample of the timeline.
    pub point: Point,
    /// What is new about its sites.
    pub sites: SitesUpdate,
    /// Samples from before the first look that is recorded; said with it.
    pub past: Vec<Point>,
}

/// Records the looks of a source.
#[derive(Debug)]
pub struct Recorder<W> {
    writer: Writer<W>,
    live: BTreeMap<usize, Tracked>,
    /// Of all images: names may come after the end.
    named: BTreeMap<usize, Named>,
    now: Duration,
    flushed: Duration,
    celled: Duration,
    segment: Duration,
    /// Bytes of what the segment begins with.
    anchors: u64,
    /// A segment of so many bytes ends in any case.
    most_bytes: u64,
}

/// One process image that is being recorded.
#[derive(Debug)]
struct Tracked {
    image: Image,
    identity: Identity,
    window: Window,
    last: Snapshot,
    base: Base,
    rows: Vec<u8>,
    /// When the first tick of `rows` was.
    rows_at: Duration,
    /// None of its sites are written yet.
    is_fresh: bool,
    news: SitesUpdate,
    changed: BTreeMap<StackId, SiteFigures>,
    figures: Vec<SiteFigures>,
    stacks: usize,
    knows_sites: bool,
    points: Thinning,
}

/// Which locations of an image have their names in the recording.
#[derive(Debug)]
struct Named {
    image: Image,
    written: Vec<bool>,
}

/// Points of a segment, at the resolution that an image of this age has.
#[derive(Debug, Default)]
struct Thinning {
    points: Vec<Point>,
    count: u64,
    merged: u64,
}

impl Thinning {
    fn push(&mut self, point: Point) {
        let stride = 1 << (self.count / EPOCH).min(32);
        match self.points.last_mut() {
            Some(last) if self.merged < stride => {
                *last = last.merged_with(&point);
                self.merged += 1;
            }
            _ => {
                self.points.push(point);
                self.count += 1;
                self.merged = 1;
            }
        }
    }
}

impl<W: Write> Recorder<W> {
    /// Begins a recording of `command`, launched at this time since the Unix epoch.
    ///
    /// # Errors
    /// When `out` cannot be written, as for every method here: then the recording is over.
    pub fn new(out: W, command: &[Vec<u8>], launched_at: Duration) -> io::Result<Self> {
        Ok(Self {
            writer: Writer::new(out, command, launched_at)?,
            live: BTreeMap::new(),
            named: BTreeMap::new(),
            now: Duration::ZERO,
            flushed: Duration::ZERO,
            celled: Duration::ZERO,
            segment: Duration::ZERO,
            anchors: 0,
            most_bytes: MOST_BYTES,
        })
    }

    /// The recording is to take at most so many bytes: segments are what it can do without, so
    /// there must be many.
    pub fn keep_to(&mut self, most: u64) {
        self.most_bytes = (most / SHARES).clamp(LEAST_BYTES / 4, MOST_BYTES);
    }

    /// Takes in what the tick at `now`, since the launch, shows.
    pub fn tick(&mut self, now: Duration, looks: Vec<Look>) -> io::Result<()> {
        self.now = now;
        self.begin_segment_if_due()?;
        for look in looks {
            self.take_in(look, true)?;
        }
        match self.wants_sites(now) {
            true => self.flush_cells()?,
            false => self.flush_first_cells()?,
        }
        if now >= self.flushed + FLUSH {
            self.flush_rows()?;
            self.writer.flush()?;
        }
        Ok(())
    }

    /// Whether the tick at `now` is one whose sites are kept: its looks should have them.
    pub fn wants_sites(&self, now: Duration) -> bool {
        now >= self.celled + CELLS
    }

    /// Takes in a tick of which only the beginning and end of processes and what is said once
    /// are kept: whoever takes the bytes is too slow. The caller notes the [`gap`](Self::gap).
    pub fn skip(&mut self, now: Duration, looks: Vec<Look>) -> io::Result<()> {
        self.now = now;
        for look in looks {
            // The last figures of a process are kept in any case.
            let has_ended = look.state.identity.ended.is_some();
            self.take_in(look, has_ended)?;
        }
        Ok(())
    }

    /// Notes names of an image's locations that were not written yet.
    pub fn names(&mut self, image: usize, names: &Names) -> io::Result<()> {
        match self.named.get_mut(&image) {
            Some(named) => named.write(&mut self.writer, names),
            None => Ok(()),
        }
    }

    /// Notes what a thread of an image did. False when the image was not looked at yet: its
    /// events come later, then.
    pub fn events(&mut self, image: usize, events: &Encoded) -> io::Result<bool> {
        let Some(image) = self.named.get(&image).map(|named| named.image) else {
            return Ok(false);
        };
        self.begin_segment_if_due()?;
        self.writer.events(image, events).map(|()| true)
    }

    /// Notes a moment that somebody marked; one with the number of another takes its place.
    pub fn mark(&mut self, image: Option<usize>, mark: &Mark) -> io::Result<()> {
        let image = image.and_then(|image| self.named.get(&image)).map(|named| named.image);
        self.writer.mark(image, mark)
    }

    /// Notes that something is missing.
    pub fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        self.writer.gap(gap)
    }

    /// Bytes of the recording so far.
    pub fn bytes(&self) -> u64 {
        self.writer.offset()
    }

    /// What the recording is written to.
    pub fn get_mut(&mut self) -> &mut W {
        self.writer.get_mut()
    }

    /// Completes the recording; `exit` is that of the launched program, if it has ended.
    pub fn finish(mut self, exit: Option<Exit>) -> io::Result<W> {
        self.flush_rows()?;
        self.flush_cells()?;
        for (_, mut tracked) in take(&mut self.live) {
            tracked.finish(&mut self.writer)?;
        }
        if let Some(exit) = exit {
            self.writer.program_exit(exit)?;
        }
        self.writer.index(self.segment, self.now)?;
        self.writer.end()
    }

    fn take_in(&mut self, look: Look, in_detail: bool) -> io::Result<()> {
        let ended = look.state.identity.ended.is_some();
        let number = look.image;
        if let Some(named) = self.named.get_mut(&number).filter(|_| look.sites.restart) {
            named.written.clear();
        }
        match self.live.get_mut(&number) {
            Some(tracked) => tracked.take_in(look, in_detail, &mut self.writer)?,
            None => self.introduce(look)?,
        }
        match ended.then(|| self.live.remove(&number)).flatten() {
            Some(mut tracked) => tracked.finish(&mut self.writer),
            None => Ok(()),
        }
    }

    fn introduce(&mut self, look: Look) -> io::Result<()> {
        let (number, before) = (look.image, self.writer.offset());
        let tracked = Tracked::introduce(look, &mut self.writer)?;
        self.anchors += self.writer.offset() - before;
        self.named.insert(number, Named { image: tracked.image, written: Vec::new() });
        self.live.insert(number, tracked);
        Ok(())
    }

    fn begin_segment_if_due(&mut self) -> io::Result<()> {
        if !self.segment_is_over() {
            return Ok(());
        }
        self.end_segment()?;
        self.begin_segment()
    }

    fn segment_is_over(&self) -> bool {
        let age = self.now.saturating_sub(self.segment);
        let bytes = self.writer.segment_bytes();
        let has_grown = bytes.saturating_sub(self.anchors) >= self.anchors.max(LEAST_BYTES);
        age >= SEGMENT.1
            || age >= SEGMENT.0 && has_grown
            || bytes.saturating_sub(self.anchors) >= self.most_bytes
            || self.writer.segment_is_full()
    }

    fn end_segment(&mut self) -> io::Result<()> {
        self.flush_rows()?;
        self.flush_cells()?;
        for tracked in self.live.values_mut() {
            let points = take(&mut tracked.points.points);
            self.writer.timeline(tracked.image, &points)?;
        }
        self.writer.index(self.segment, self.now)
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let before = self.writer.offset();
        for tracked in self.live.values_mut() {
            tracked.write_anchor(&mut self.writer)?;
        }
        self.segment = self.now;
        self.anchors = self.writer.offset() - before;
        Ok(())
    }

    fn flush_rows(&mut self) -> io::Result<()> {
        self.flushed = self.now;
        self.live.values_mut().try_for_each(|tracked| tracked.flush_rows(&mut self.writer))
    }

    /// An image that was just met has its sites at once.
    fn flush_first_cells(&mut self) -> io::Result<()> {
        for tracked in self.live.values_mut() {
            if take(&mut tracked.is_fresh) {
                tracked.flush_cells(&mut self.writer)?;
            }
        }
        Ok(())
    }

    fn flush_cells(&mut self) -> io::Result<()> {
        self.celled = self.now;
        self.live.values_mut().try_for_each(|tracked| tracked.flush_cells(&mut self.writer))
    }
}

impl Tracked {
    fn introduce<W: Write>(look: Look, writer: &mut Writer<W>) -> io::Result<Self> {
        let Look { state: mut seen, point, sites, past, .. } = look;
        let identity = take(&mut seen.identity);
        let window = take(&mut seen.window);
        let image = writer.process(&identity)?;
        writer.timeline(image, &past)?;
        let last = Snapshot { state: figures_of(seen), point };
        let mut tracked = Self {
            image,
            identity,
            window,
            base: Base::new(last.clone()),
            last,
            rows: Vec::new(),
            rows_at: point.at,
            is_fresh: true,
            news: SitesUpdate::default(),
            changed: BTreeMap::new(),
            figures: Vec::new(),
            stacks: 0,
            knows_sites: false,
            points: Thinning::default(),
        };
        tracked.note_sites(sites);
        tracked.write_anchor(writer)?;
        tracked.points.push(point);
        Ok(tracked)
    }

    fn take_in<W: Write>(
        &mut self,
        look: Look,
        in_detail: bool,
        writer: &mut Writer<W>,
    ) -> io::Result<()> {
        let Look { state: mut seen, point, sites, .. } = look;
        let identity = take(&mut seen.identity);
        if !same_process(&identity, &self.identity) {
            // Its command line, say, was not known at the first look.
            writer.process_again(self.image, &identity)?;
        }
        self.identity = identity;
        let window = take(&mut seen.window);
        self.last = Snapshot { state: figures_of(seen), point };
        self.note_sites(sites);
        if in_detail {
            self.put_patch();
            self.points.push(point);
        }
        if window != self.window {
            self.window = window;
            self.flush_rows(writer)?;
            writer.window(self.image, point.at, &self.window)?;
        }
        match self.rows.len() >= MOST_ROWS {
            true => self.flush_rows(writer),
            false => Ok(()),
        }
    }

    /// The patch from the last tick that was written to the newest.
    fn put_patch(&mut self) {
        if self.rows.is_empty() {
            self.rows_at = self.last.point.at;
        }
        self.base.put_patch(&mut self.last, &mut self.rows);
    }

    fn note_sites(&mut self, mut update: SitesUpdate) {
        if update.restart && self.knows_sites {
            self.news = SitesUpdate { restart: true, ..SitesUpdate::default() };
            self.changed.clear();
            self.figures.clear();
            self.stacks = 0;
        }
        self.knows_sites = true;
        self.news.modules.append(&mut update.modules);
        self.news.locations.append(&mut update.locations);
        self.news.nodes.append(&mut update.nodes);
        self.stacks += update.stacks.len();
        self.news.stacks.append(&mut update.stacks);
        let known = self.stacks;
        self.changed.extend(update.changed.into_iter().filter(|one| (one.0.0 as usize) < known));
    }

    fn write_news<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        let news = take(&mut self.news);
        writer.dictionary(self.image, self.last.point.at, &news)
    }

    /// All that a segment begins with.
    fn write_anchor<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        let at = self.last.point.at;
        writer.window(self.image, at, &self.window)?;
        writer.along(self.image, at, &self.last.state)?;
        for cells in Cells::whole(&self.figures) {
            writer.cells(self.image, at, &cells)?;
        }
        // The state says nothing of the sample that goes with it.
        let bare = Point { at, ..Point::default() };
        self.base = Base::new(Snapshot { state: self.last.state.clone(), point: bare });
        self.put_patch();
        Ok(())
    }

    fn flush_rows<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = take(&mut self.rows);
        writer.ticks(self.image, self.rows_at, &rows)
    }

    fn flush_cells<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        // Frames stand in the order of their time: ticks until now, then what is of now.
        self.flush_rows(writer)?;
        self.write_news(writer)?;
        let changed = take(&mut self.changed);
        for cells in Cells::difference(&mut self.figures, changed.iter()) {
            writer.cells(self.image, self.last.point.at, &cells)?;
        }
        Ok(())
    }

    /// The last that is said of an image.
    fn finish<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        self.flush_cells(writer)?;
        writer.timeline(self.image, &take(&mut self.points.points))?;
        writer.window(self.image, self.last.point.at, &self.window)?;
        let identity = take(&mut self.identity);
        let at = lifetime(&ProcessState {
            identity: identity.clone(),
            timeline: vec![self.last.point],
            ..ProcessState::default()
        });
        writer.state(self.image, at, &self.last.state)?;
        writer.image_exit(self.image, identity.ended, identity.exit)
    }
}

impl Named {
    fn write<W: Write>(&mut self, writer: &mut Writer<W>, names: &Names) -> io::Result<()> {
        let known = |at: usize| self.written.get(at).copied().unwrap_or(false);
        let new: Vec<_> = names.iter().filter(|(at, _)| !known(at.0 as usize)).collect();
        for (location, _) in &new {
            let at = location.0 as usize;
            if at >= self.written.len() {
                self.written.resize(at + 1, false);
            }
            self.written[at] = true;
        }
        writer.symbols(self.image, new.into_iter())
    }
}

/// Whether two looks say the same of who an image is, its end aside.
fn same_process(one: &Identity, other: &Identity) -> bool {
    let Identity { ended, exit, .. } = *one;
    *one == Identity { ended, exit, ..other.clone() }
}

/// Only the figures of a state.
fn figures_of(state: ProcessState) -> ProcessState {
    ProcessState {
        identity: Identity::default(),
        window: Window::default(),
        sites: Sites::default(),
        names: Names::default(),
        timeline: Vec::new(),
        ..state
    }
}
