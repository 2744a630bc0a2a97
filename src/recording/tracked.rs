//! One process image of a recording in the making: what of it is written, and what waits.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    mem::take,
    time::Duration,
};

use super::{
    cells::Cells,
    figures::Snapshot,
    patch::Base,
    site_age::SitesAge,
    writer::{Image, Writer, lifetime},
};
use crate::model::{
    Identity, Names, Point, ProcessState, SiteFigures, Sites, SitesUpdate, StackId, Window,
};

/// Patches of one image that wait take at most so many bytes.
const MOST_ROWS: usize = 1 << 20;
/// Live bytes that move by more than this part of the peak have moved far.
const FAR: u64 = 10;
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

/// One process image that is being recorded.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) image: Image,
    identity: Identity,
    window: Window,
    last: Snapshot,
    base: Base,
    rows: Vec<u8>,
    /// When the first tick of `rows` was.
    rows_at: Duration,
    /// None of its sites are written yet.
    pub(super) is_fresh: bool,
    /// Figures of sites are written next time even if none changed.
    insists: bool,
    /// Live bytes when figures of sites were written last.
    celled_bytes: u64,
    /// Of when the figures of its sites are.
    age: SitesAge,
    news: SitesUpdate,
    changed: BTreeMap<StackId, SiteFigures>,
    figures: Vec<SiteFigures>,
    stacks: usize,
    knows_sites: bool,
    points: Thinning,
}

/// Which locations of an image have their names in the recording.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) image: Image,
    pub(super) written: Vec<bool>,
}

/// Points of a segment, at the resolution that an image of this age has.
#[derive(Debug, Clone, Default)]
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

impl Tracked {
    pub(super) fn introduce<W: Write>(look: Look, writer: &mut Writer<W>) -> io::Result<Self> {
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
            insists: false,
            celled_bytes: 0,
            age: SitesAge::default(),
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

    pub(super) fn take_in<W: Write>(
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
        self.age.tick(point.at, &self.last.state.totals);
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

    /// Whether a look shows live bytes that are a good part of the peak away from those that the
    /// written sites go with.
    pub(super) fn is_far(&self, look: &Look) -> bool {
        let totals = &look.state.totals;
        totals.current_bytes.abs_diff(self.celled_bytes) > totals.peak_bytes / FAR
    }

    /// The patch from the last tick that was written to the newest.
    fn put_patch(&mut self) {
        if self.rows.is_empty() {
            self.rows_at = self.last.point.at;
        }
        self.base.put_patch(&mut self.last, &mut self.rows);
    }

    /// The samples since they were taken last.
    pub(super) fn take_points(&mut self) -> Vec<Point> {
        take(&mut self.points.points)
    }

    /// The last tick had a look at its sites, whether anything was new or not.
    pub(super) fn sites_were_looked_at(&mut self) {
        let totals = &self.last.state.totals;
        // That nothing changed although something happened is news.
        self.insists |= self.age.is_behind(totals);
        self.age.looked(self.last.point.at, Some((self.last.point.at, totals)));
    }

    pub(super) fn note_sites(&mut self, mut update: SitesUpdate) {
        if !update.changed.is_empty() {
            self.sites_were_looked_at();
        }
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
    pub(super) fn write_anchor<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        let at = self.last.point.at;
        writer.window(self.image, at, &self.window)?;
        writer.along(self.image, at, &self.last.state)?;
        let sites_at = self.age.right_until().unwrap_or(at);
        for cells in Cells::whole(&self.figures) {
            writer.cells(self.image, sites_at, &cells)?;
        }
        // The state says nothing of the sample that goes with it.
        let bare = Point { at, ..Point::default() };
        self.base = Base::new(Snapshot { state: self.last.state.clone(), point: bare });
        self.put_patch();
        Ok(())
    }

    pub(super) fn flush_rows<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = take(&mut self.rows);
        writer.ticks(self.image, self.rows_at, &rows)
    }

    /// Figures of sites are to be written even where none changed: they are of now.
    pub(super) fn insist_on_cells(&mut self) {
        self.insists = true;
    }

    pub(super) fn flush_cells<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        // Frames stand in the order of their time: ticks until now, then what is of now.
        self.flush_rows(writer)?;
        self.write_news(writer)?;
        self.celled_bytes = self.last.state.totals.current_bytes;
        let changed = take(&mut self.changed);
        let mut pieces = Cells::difference(&mut self.figures, changed.iter());
        if take(&mut self.insists) && pieces.is_empty() {
            pieces.push(Cells::default());
        }
        let sites_at = self.age.right_until().unwrap_or(self.last.point.at);
        for cells in pieces {
            writer.cells(self.image, sites_at, &cells)?;
        }
        Ok(())
    }

    /// The last that is said of an image.
    pub(super) fn finish<W: Write>(&mut self, writer: &mut Writer<W>) -> io::Result<()> {
        self.flush_cells(writer)?;
        writer.timeline(self.image, &self.take_points())?;
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
    pub(super) fn write<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        names: &Names,
    ) -> io::Result<()> {
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
