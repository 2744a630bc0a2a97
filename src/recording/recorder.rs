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
    events::Encoded,
    schema::{Gap, Mark},
    tracked::{Look, Named, Tracked},
    writer::Writer,
};
use crate::model::{Exit, Names, SitesUpdate, UntracedProcess};

/// Ticks wait so long for company.
const FLUSH: Duration = Duration::from_millis(500);
/// Changed figures of sites are written so often.
const CELLS: Duration = Duration::from_secs(1);
/// At most so often where live bytes move far.
const BURST_CELLS: Duration = Duration::from_millis(250);
/// A segment lasts at least and at most so long.
const SEGMENT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Below this a segment does not end for its size.
const LEAST_BYTES: u64 = 256 << 10;
/// A segment of so many bytes ends in any case.
const MOST_BYTES: u64 = 16 << 20;
/// Of a recording that keeps to a size, a segment takes no more than one part in so many.
const SHARES: u64 = 16;

/// What of a tick is kept.
#[derive(Debug, Clone, Copy)]
struct Detail {
    /// Its figures.
    ticks: bool,
    /// Sites were looked at.
    has_sites: bool,
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
    /// The next tick is one whose sites are kept, whenever it comes.
    sites_are_due: bool,
    segment: Duration,
    /// Bytes of what the segment begins with.
    anchors: u64,
    /// A segment of so many bytes ends in any case.
    most_bytes: u64,
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
            sites_are_due: false,
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

    /// Goes on into a second place as well: a recorder that knows what this one knows, whose
    /// recording begins with what `begin` takes of this one's, which then is whole segments.
    ///
    /// # Errors
    /// Those of `begin` as well; after them this recording goes on.
    pub fn fork<V: Write>(
        &mut self,
        begin: impl FnOnce(&mut W) -> io::Result<V>,
    ) -> io::Result<Recorder<V>> {
        self.end_segment()?;
        let fork = begin(self.writer.get_mut()).map(|out| self.with_out(out));
        self.begin_segment()?;
        let mut fork = fork?;
        fork.begin_segment()?;
        Ok(fork)
    }

    fn with_out<V: Write>(&self, out: V) -> Recorder<V> {
        Recorder {
            writer: self.writer.with_out(out),
            live: self.live.clone(),
            named: self.named.clone(),
            now: self.now,
            flushed: self.flushed,
            celled: self.celled,
            sites_are_due: self.sites_are_due,
            segment: self.segment,
            anchors: self.anchors,
            most_bytes: self.most_bytes,
        }
    }

    /// Takes in what the tick at `now`, since the launch, shows.
    pub fn tick(&mut self, now: Duration, looks: Vec<Look>) -> io::Result<()> {
        self.now = now;
        let has_sites = self.wants_sites(now);
        self.begin_segment_if_due()?;
        for look in looks {
            self.take_in(look, Detail { ticks: true, has_sites })?;
        }
        match has_sites {
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
        self.sites_are_due || now >= self.celled + CELLS
    }

    /// The next tick is one whose sites are kept.
    pub fn ask_for_sites(&mut self) {
        self.sites_are_due = true;
    }

    /// Asks for the sites of the tick at `now` where live bytes are far from what they were when
    /// sites were kept last: a burst may be over before they would be again.
    pub fn ask_for_sites_of_a_burst(&mut self, now: Duration, looks: &[Look]) {
        let is_far = |look: &Look| self.live.get(&look.image).is_some_and(|one| one.is_far(look));
        self.sites_are_due |= now >= self.celled + BURST_CELLS && looks.iter().any(is_far);
    }

    /// Takes in a tick of which only the beginning and end of processes and what is said once
    /// are kept: whoever takes the bytes is too slow. The caller notes the [`gap`](Self::gap).
    pub fn skip(&mut self, now: Duration, looks: Vec<Look>) -> io::Result<()> {
        self.now = now;
        for look in looks {
            // The last figures of a process are kept in any case.
            let has_ended = look.state.identity.ended.is_some();
            self.take_in(look, Detail { ticks: has_ended, has_sites: has_ended })?;
        }
        self.hand_on()
    }

    /// Notes what is new about an image's sites since the last tick that had it.
    pub fn sites(&mut self, image: usize, update: SitesUpdate) {
        if let Some(tracked) = self.live.get_mut(&image) {
            tracked.note_sites(update);
        }
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

    /// Notes a process that is not traced, or what is new about it.
    pub fn untraced(&mut self, process: &UntracedProcess) -> io::Result<()> {
        self.writer.untraced(process)
    }

    /// Notes that something is missing.
    pub fn gap(&mut self, gap: &Gap) -> io::Result<()> {
        self.writer.gap(gap)
    }

    /// Bytes of the recording so far.
    pub fn bytes(&self) -> u64 {
        self.writer.offset()
    }

    /// Hands what was written so far on; what waits in the writer waits for this alone.
    pub fn hand_on(&mut self) -> io::Result<()> {
        self.writer.flush()
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

    fn take_in(&mut self, look: Look, detail: Detail) -> io::Result<()> {
        let ended = look.state.identity.ended.is_some();
        let number = look.image;
        if let Some(named) = self.named.get_mut(&number).filter(|_| look.sites.restart) {
            named.written.clear();
        }
        match self.live.get_mut(&number) {
            Some(tracked) => tracked.take_in(look, detail.ticks, &mut self.writer)?,
            None => self.introduce(look)?,
        }
        if detail.has_sites || ended {
            self.live.get_mut(&number).into_iter().for_each(Tracked::sites_were_looked_at);
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

    /// Ends it with what is known of the last tick; the one that comes is not looked at yet.
    fn end_segment(&mut self) -> io::Result<()> {
        self.flush_rows()?;
        self.live.values_mut().try_for_each(|tracked| tracked.flush_cells(&mut self.writer))?;
        for tracked in self.live.values_mut() {
            let points = tracked.take_points();
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
        let asked = take(&mut self.sites_are_due);
        if asked {
            // That nothing changed since the last look is news of this moment as well.
            self.live.values_mut().for_each(Tracked::insist_on_cells);
        }
        self.live.values_mut().try_for_each(|tracked| tracked.flush_cells(&mut self.writer))
    }
}
