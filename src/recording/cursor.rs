//! One process image of an open recording at one moment, which can be moved.
//!
//! Forward moves read on; others start from what the segment begins with. What a cursor shows
//! at a moment is what the last tick up to then showed, and does not depend on the way there.

use std::{collections::BTreeSet, time::Duration};

use super::{
    ReadError,
    cells::Cells,
    figures::Snapshot,
    file::{Bytes, File},
    index::Entry,
    kind,
    patch::Ticks,
    reader::Frame,
    site_age::SitesAge,
    value::nanos,
};
use crate::model::{Names, Point, ProcessState, Sites, SitesUpdate, StackId, Window};

/// Where a replay of one image stands.
#[derive(Debug, Default)]
pub struct Cursor {
    image: usize,
    segment: Option<usize>,
    /// Frames of the segment about this image.
    entries: Vec<Entry>,
    next: usize,
    /// A ticks frame of which not all is past.
    open: Option<Ticks>,
    snapshot: Option<Snapshot>,
    window: Window,
    sites: Sites,
    /// Of when those are.
    age: SitesAge,
    names: Names,
    names_read: bool,
    /// How many frames of the dictionary were read, and how often it began anew in them.
    learnt: usize,
    beginnings: u32,
    recent: Vec<Point>,
    at: Duration,
    /// What a viewer has not been told about the sites.
    jumped: bool,
    changed: BTreeSet<StackId>,
    told: Told,
}

/// How much of the dictionary a viewer knows.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    modules: usize,
    locations: usize,
    nodes: usize,
    stacks: usize,
}

impl Cursor {
    /// At no moment yet of the image in this position.
    pub fn new(image: usize) -> Self {
        Self { image, jumped: true, ..Self::default() }
    }

    /// Position of the image.
    pub fn image(&self) -> usize {
        self.image
    }

    /// Moves to a moment since the image's session began.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn seek<B: Bytes>(&mut self, file: &File<B>, at: Duration) -> Result<(), ReadError> {
        let Some(facts) = file.images().get(self.image) else {
            return Ok(());
        };
        let moment = facts.identity.started.saturating_add(at);
        let (first, last) = facts.segments;
        let target = file.segment_at(moment).map(|segment| segment.clamp(first, last));
        if target != self.segment || at < self.at {
            self.enter(file, target)?;
        }
        self.at = at;
        self.play(file)
    }

    /// To the beginning of a segment.
    fn enter<B: Bytes>(&mut self, file: &File<B>, segment: Option<usize>) -> Result<(), ReadError> {
        let forward = self.segment.is_some() && segment > self.segment;
        let entries = match segment {
            Some(segment) if Some(segment) != self.segment => file.entries(segment)?,
            _ => std::mem::take(&mut self.entries),
        };
        // Events and marks stand in no order with the rest.
        let in_order = |entry: &Entry| !matches!(entry.kind, kind::EVENTS | kind::MARK);
        let own = |entry: &Entry| in_order(entry) && file.position(entry) == Some(self.image);
        self.entries = entries.into_iter().filter(own).collect();
        self.segment = segment;
        self.next = 0;
        self.open = None;
        self.snapshot = None;
        self.window = Window::default();
        self.recent.clear();
        let begin = self.entries.first().map_or(u64::MAX, |entry| entry.offset);
        let known = file.images()[self.image].dictionary.partition_point(|one| one.offset < begin);
        if known < self.learnt && !forward {
            self.sites = Sites::default();
            (self.learnt, self.beginnings) = (0, 0);
        }
        self.sites.figures.fill(Default::default());
        self.age = SitesAge::default();
        match forward {
            // Whoever follows hears of every figure anew, and forgets nothing.
            true => self.changed = (0..self.sites.stacks.len() as u32).map(StackId).collect(),
            false => self.jumped = true,
        }
        self.learn(file, begin)
    }

    /// Reads the dictionary up to an offset.
    fn learn<B: Bytes>(&mut self, file: &File<B>, until: u64) -> Result<(), ReadError> {
        let dictionary = &file.images()[self.image].dictionary;
        while let Some(entry) = dictionary.get(self.learnt).filter(|entry| entry.offset < until) {
            self.learnt += 1;
            if entry.kind == kind::SYMBOLS {
                continue;
            }
            match file.frame(entry)? {
                Some(Frame::Modules { restart, modules, .. }) => {
                    self.jumped |= restart;
                    if restart {
                        self.age = SitesAge::default();
                        self.beginnings += 1;
                    }
                    self.sites.apply(SitesUpdate { restart, modules, ..SitesUpdate::default() });
                }
                Some(Frame::Stacks { update, .. }) => self.sites.apply(update),
                _ => {}
            }
        }
        Ok(())
    }

    /// Plays the segment up to the moment.
    fn play<B: Bytes>(&mut self, file: &File<B>) -> Result<(), ReadError> {
        let until = nanos(self.at);
        loop {
            self.play_ticks();
            let due = self.entries.get(self.next).filter(|entry| entry.at <= until);
            let Some(entry) = due.filter(|_| self.open.is_none()).copied() else {
                return Ok(());
            };
            self.next += 1;
            match entry.kind {
                kind::MODULES | kind::STACKS => self.learn(file, entry.offset + 1)?,
                kind::SYMBOLS | kind::TIMELINE | kind::PROCESS | kind::EXIT => {}
                _ => {
                    if let Some(frame) = file.frame(&entry)? {
                        self.take_in(frame);
                    }
                }
            }
        }
    }

    fn play_ticks(&mut self) {
        let Some(mut ticks) = self.open.take() else {
            return;
        };
        let Some(snapshot) = &mut self.snapshot else {
            return;
        };
        while let Some(after) = ticks.next_after() {
            let next = snapshot.point.at.saturating_add(Duration::from_nanos(after));
            if next > self.at {
                self.open = Some(ticks);
                return;
            }
            if !ticks.apply_next(snapshot) {
                return;
            }
            self.recent.push(snapshot.point);
            self.age.tick(snapshot.point.at, &snapshot.state.totals);
        }
    }

    fn take_in(&mut self, frame: Frame) {
        match frame {
            Frame::Window { window, .. } => self.window = window,
            Frame::Along { at, state, .. } => {
                let point = Point { at, ..Point::default() };
                self.snapshot = Some(Snapshot { state: *state, point });
            }
            Frame::State { state, .. } => {
                let point = self.snapshot.take().map(|last| last.point).unwrap_or_default();
                self.snapshot = Some(Snapshot { state: *state, point });
            }
            Frame::Ticks { ticks, .. } => self.open = Some(ticks),
            Frame::Cells { at, cells, .. } => self.take_cells(at, &cells),
            _ => {}
        }
    }

    fn take_cells(&mut self, at: Duration, cells: &Cells) {
        cells.apply(&mut self.sites.figures, &mut self.age.sum);
        let tick = self.snapshot.as_ref().map(|last| (last.point.at, &last.state.totals));
        self.age.looked(at, tick);
        self.changed.extend(cells.stacks());
    }

    /// The figures at the moment, window and identity with them, without sites and timeline;
    /// `None` before the first tick.
    pub fn state<B: Bytes>(&self, file: &File<B>) -> Option<ProcessState> {
        let snapshot = self.snapshot.as_ref()?;
        let mut identity = file.images().get(self.image)?.identity.clone();
        let moment = identity.started.saturating_add(self.at);
        if identity.ended.is_some_and(|ended| ended > moment) {
            identity.ended = None;
            identity.exit = None;
        }
        Some(ProcessState { identity, window: self.window.clone(), ..snapshot.state.clone() })
    }

    /// When the image was traced, up to the moment.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// The sites at the moment: of the last look at them before, about once a second.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The last tick, or look, up to the moment at which they were right for certain.
    pub fn sites_at(&self) -> Option<Duration> {
        self.age.right_until()
    }

    /// The last tick before the moment, where sites are older than that: of when they are.
    pub fn sites_as_of(&self) -> Option<Duration> {
        let tick = self.snapshot.as_ref()?.point.at;
        // What was written as a whole has no time of its own.
        self.sites_at().filter(|at| *at < tick && !at.is_zero())
    }

    /// Ticks from the segment's beginning up to the moment.
    pub fn recent(&self) -> &[Point] {
        &self.recent
    }

    /// When the segment begins, since the image's session began: [`recent`](Self::recent) goes
    /// on from there, and the timeline frames before it stand for what was earlier.
    pub fn segment_begin(&self) -> Duration {
        self.recent.first().map_or(self.at, |point| point.at)
    }

    /// The moment.
    pub fn at(&self) -> Duration {
        self.at
    }

    /// What changed about the sites since this was last asked.
    pub fn take_update(&mut self) -> SitesUpdate {
        self.take_update_with(None)
    }

    /// The same, with the stacks that are known at a later moment, at which `ahead` is: whoever
    /// compares with that needs to know them, although nothing is held under them yet.
    pub fn take_update_with(&mut self, ahead: Option<&Self>) -> SitesUpdate {
        let all = std::mem::take(&mut self.jumped);
        let changed = std::mem::take(&mut self.changed);
        let told = if all { Told::default() } else { self.told };
        let same = |ahead: &&Self| {
            (ahead.image, ahead.beginnings) == (self.image, self.beginnings)
                && ahead.sites.stacks.len() >= self.sites.stacks.len()
        };
        let known = ahead.filter(same).map_or(&self.sites, |ahead| &ahead.sites);
        let Sites { modules, locations, nodes, stacks, .. } = known;
        let figures = &self.sites.figures;
        self.told = Told {
            modules: modules.len().max(told.modules),
            locations: locations.len().max(told.locations),
            nodes: nodes.len().max(told.nodes),
            stacks: stacks.len().max(told.stacks),
        };
        let figure = |stack: StackId| Some((stack, *figures.get(stack.0 as usize)?));
        SitesUpdate {
            restart: all,
            modules: behind(modules, told.modules),
            locations: behind(locations, told.locations),
            nodes: behind(nodes, told.nodes),
            stacks: behind(stacks, told.stacks),
            changed: match all {
                true => self.sites.to_update().changed,
                false => changed.into_iter().filter_map(figure).collect(),
            },
        }
    }

    /// What the image's locations are called, as far as the recording says so anywhere.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub fn names<B: Bytes>(&mut self, file: &File<B>) -> Result<&Names, ReadError> {
        let Some(facts) = file.images().get(self.image).filter(|_| !self.names_read) else {
            return Ok(&self.names);
        };
        self.names_read = true;
        for entry in facts.dictionary.iter().filter(|entry| entry.kind == kind::SYMBOLS) {
            if let Some(Frame::Symbols { names, .. }) = file.frame(entry)? {
                for (location, functions) in names {
                    if (location.0 as usize) < MAX_LOCATIONS {
                        self.names.insert(location, functions);
                    }
                }
            }
        }
        Ok(&self.names)
    }
}

/// What comes behind the first `told` of a list.
fn behind<T: Clone>(all: &[T], told: usize) -> Vec<T> {
    all.get(told..).unwrap_or_default().to_vec()
}

/// A name of a location beyond this is not believed: the list of names grows up to it.
const MAX_LOCATIONS: usize = 1 << 22;
