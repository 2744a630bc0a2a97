//! Readings of a live session: straight out of session memory, as often as wanted.
//!
//! The viewer only reads. What it cannot see from outside, the history before it came and how
//! the program ended, the keeper tells it; an embedded program has no keeper, and then this
//! source lets the time pass itself, so that ages and the timeline go on.

mod back;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use memtop_probe::session::{
    control,
    reader::{EventReading, Reader, Seen, SiteThreadReading},
};

use crate::{
    keeper::protocol::FromKeeper,
    keeper::{
        history::History,
        processes::{Image, Processes},
    },
    model::{
        Askers, Event, Exit, ImageName, Point, ProcessState, Reading, SiteHistory, StackId,
        StackSet, ThreadState,
    },
    source::{
        feed,
        past::{Past, Recalled, Source},
        rewind::Rewind,
        site_history::OpenedSite,
        sites::Follower,
        surroundings::Surroundings,
    },
    sys::clock,
};

/// Names of threads are read anew after so many looks: they cost a few system calls each.
const NAMES_EVERY: u32 = 10;

/// A live session.
#[derive(Debug)]
pub struct Live {
    reader: Arc<Reader>,
    processes: Processes,
    /// What the keeper saw of each session; without a keeper this viewer's own samples count.
    histories: Option<BTreeMap<usize, History>>,
    root: Option<u32>,
    stopped: bool,
    exit: Option<Exit>,
    connected: bool,
    /// Nobody else lets time pass.
    keeps_time: bool,
    /// Whether this viewer may empty the rings.
    holds_feed: bool,
    drained: Vec<EventReading>,
    /// How far journals were looked into, which the keeper empties.
    seen: BTreeMap<(usize, usize), Seen>,
    reads: u32,
    /// Sessions that have ended and whose last events were taken.
    emptied: BTreeSet<usize>,
    surroundings: Surroundings,
    sites: Follower,
    /// Session of the image that was shown last.
    index: Option<usize>,
    past: Past,
    /// Where moments of the past come from.
    rewind: Option<Rewind>,
    /// What goes on now, read while a moment of the past is shown.
    present: Option<Reading>,
}

impl Live {
    /// A session whose program, `root`, a keeper holds.
    pub fn kept(reader: Arc<Reader>, root: u32, holds_feed: bool) -> Self {
        let mut live = Self::over(reader);
        live.processes.root_started(root);
        live.histories = Some(BTreeMap::new());
        live.root = Some(root);
        live.holds_feed = holds_feed;
        live
    }

    /// The same, with what there is of its past.
    #[must_use]
    pub fn with_past(self, rewind: Option<Rewind>) -> Self {
        Self { rewind, ..self }
    }

    /// The session of a program that embeds the allocator.
    pub fn embedded(reader: Arc<Reader>, pid: u32) -> Self {
        control::catch_up(reader.header(), clock::monotonic_ns());
        control::set_feed(reader.header(), true);
        Self { root: Some(pid), keeps_time: true, holds_feed: true, ..Self::over(reader) }
    }

    fn over(reader: Arc<Reader>) -> Self {
        Self {
            reader,
            processes: Processes::default(),
            histories: None,
            root: None,
            stopped: false,
            exit: None,
            connected: true,
            keeps_time: false,
            holds_feed: false,
            drained: Vec::new(),
            seen: BTreeMap::new(),
            reads: 0,
            emptied: BTreeSet::new(),
            surroundings: Surroundings::default(),
            sites: Follower::default(),
            index: None,
            past: Past::default(),
            rewind: None,
            present: None,
        }
    }

    /// The session memory, for control words.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Takes over what the keeper saw of session `index`; `restart` replaces what came before.
    pub fn remember(&mut self, index: usize, restart: bool, points: &[Point]) {
        let histories = self.histories.get_or_insert_default();
        let history = histories.entry(index).or_default();
        if restart {
            *history = History::default();
        }
        points.iter().for_each(|point| history.push(*point));
    }

    /// The program has ended.
    pub fn ended(&mut self, exit: Exit) {
        (self.exit, self.stopped) = (Some(exit), false);
        self.processes.root_ended(exit, clock::monotonic_ns());
    }

    /// The keeper saw the image of session `index` end.
    pub fn image_ended(&mut self, index: usize, exit: Option<Exit>, at_ns: u64) {
        self.processes.ended_elsewhere(index, exit, at_ns);
    }

    /// Nobody answers any more.
    pub fn lost(&mut self) {
        self.connected = false;
    }

    /// May this viewer empty the rings from now on?
    pub fn hold_feed(&mut self, holds: bool) {
        self.holds_feed = holds;
    }

    /// One look: at the image in position `wanted`, or the program's own newest.
    pub fn read(&mut self, wanted: Option<usize>) -> Reading {
        let now_ns = clock::monotonic_ns();
        if self.keeps_time {
            control::catch_up(self.reader.header(), now_ns);
        }
        self.processes.observe(&self.reader, now_ns);
        let shown = self.choose(wanted);
        if self.reads.is_multiple_of(NAMES_EVERY) {
            self.processes.name_threads_of(shown, &self.reader);
        }
        self.reads = self.reads.wrapping_add(1);
        let events = self.events(shown);
        let image = self.processes.images().get(shown);
        let state = image.and_then(|image| self.state(image));
        let gap = image.zip(state.as_ref());
        let gap = gap.and_then(|(image, state)| self.surroundings.gap(image, state));
        let index = image.map(|image| image.index);
        self.index = index;
        let sites = index.map(|index| self.sites.look(&self.reader, index)).unwrap_or_default();
        let tree = self.surroundings.tree(&self.processes, &self.reader);
        Reading {
            now_s: image.map_or(0.0, |image| image.lived_ns(now_ns) as f64 / 1e9),
            images: self.processes.images().iter().map(|image| self.name(image)).collect(),
            shown,
            given_back: state.is_none() && image.is_some_and(|image| image.end().is_some()),
            state,
            sites,
            sites_as_of: None,
            timeline: image.map(|image| self.timeline(image).to_vec()).unwrap_or_default(),
            events,
            events_anew: false,
            gap,
            tree,
            tree_at: Duration::from_nanos(now_ns.saturating_sub(self.reader.clock().created_ns)),
            goes_on_untraced: image.is_some_and(Image::goes_on_untraced),
            tracing: control::is_tracing(self.reader.header()),
            stopped: self.stopped,
            exit: self.exit,
            left_behind: self.exit.map_or(0, |_| self.processes.living()),
            connected: self.connected,
        }
    }

    /// The wanted image if there is one; else the newest image of the program itself.
    fn choose(&self, wanted: Option<usize>) -> usize {
        let images = self.processes.images();
        let newest = || images.iter().rposition(|image| Some(image.pid) == self.root);
        wanted.filter(|&wanted| wanted < images.len()).or_else(newest).unwrap_or(0)
    }

    fn state(&self, image: &Image) -> Option<ProcessState> {
        let mut state = self.processes.state(image, &self.reader)?;
        let identity = &mut state.identity;
        // Its end may be noticed before the keeper has said how the program ended.
        if identity.ended.is_some() && identity.exit.is_none() && Some(image.pid) == self.root {
            identity.exit = self.exit;
        }
        Some(state)
    }

    fn timeline<'a>(&'a self, image: &'a Image) -> &'a [Point] {
        match &self.histories {
            Some(histories) => histories.get(&image.index).map_or(&[], History::points),
            None => image.timeline(),
        }
    }

    fn name(&self, image: &Image) -> ImageName {
        ImageName {
            pid: image.pid,
            generation: image.generation,
            command: self.reader.command(image.index),
        }
    }

    /// Empties the rings of all images, so that none looks full, and keeps the shown one's.
    fn events(&mut self, shown: usize) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.holds_feed {
            return events;
        }
        let clock = self.reader.clock();
        for (position, image) in self.processes.images().iter().enumerate() {
            if image.end().is_some() && !self.emptied.insert(image.index) {
                continue;
            }
            self.drained.clear();
            match control::is_lossless(self.reader.header()) {
                true => self.reader.peek_journals(image.index, &mut self.seen, &mut self.drained),
                false => self.reader.drain_events(image.index, &mut self.drained),
            }
            if position == shown {
                let convert = |event| feed::event(event, &clock, image.started_ns());
                events.extend(self.drained.iter().map(convert));
            }
        }
        events
    }
}

impl Source for Live {
    fn read(&mut self, wanted: Option<usize>) -> Reading {
        let present = Self::read(self, wanted);
        self.rewind.iter_mut().for_each(Rewind::look_for_marks);
        match self.rewound(&present) {
            Some(then) => {
                self.look_back(&present, &then);
                self.present = Some(present);
                then
            }
            None => {
                self.look_back(&present, &present);
                present
            }
        }
    }

    fn session(&self) -> Option<usize> {
        self.index
    }

    fn read_present(&mut self) -> Option<Reading> {
        self.present.take()
    }

    fn seek(&mut self, at: Option<Duration>) {
        self.rewind.iter_mut().for_each(|rewind| rewind.seek(at));
    }

    fn past(&self) -> &Past {
        &self.past
    }

    fn threads_of(&self, stacks: &[StackId]) -> Option<Vec<ThreadState>> {
        if self.rewind.as_ref().is_some_and(Rewind::is_past) {
            return None;
        }
        let index = self.index.filter(|index| self.reader.has_stacks(*index))?;
        let mut threads: BTreeMap<u32, ThreadState> = BTreeMap::new();
        for SiteThreadReading { tid, figures } in
            stacks.iter().flat_map(|stack| self.reader.site_threads(index, stack.0))
        {
            let thread = threads.entry(tid).or_default();
            let net = figures.allocated_bytes.wrapping_sub(figures.freed_bytes) as i64;
            thread.tid = tid;
            thread.current_bytes = thread.current_bytes.saturating_add(net);
            thread.allocations = thread.allocations.saturating_add(figures.allocations);
            thread.allocated_bytes = thread.allocated_bytes.saturating_add(figures.allocated_bytes);
        }
        Some(threads.into_values().collect())
    }

    fn history_of(&mut self, site: &OpenedSite, slice: Duration) -> Option<SiteHistory> {
        self.rewind.as_mut()?.history_of(site, slice)
    }

    fn askers(&self) -> Option<Askers> {
        if self.rewind.as_ref().is_some_and(Rewind::is_past) {
            return None;
        }
        let index = self.index.filter(|index| self.reader.has_stacks(*index))?;
        let mut threads: BTreeMap<u32, StackSet> = BTreeMap::new();
        for (tid, stacks) in self.reader.stacks_by_thread(index) {
            let set = threads.entry(tid).or_default();
            stacks.into_iter().for_each(|stack| set.insert(StackId(stack)));
        }
        Some(Askers(threads.into_iter().collect()))
    }

    fn recall(&mut self, at: Duration) -> Option<Recalled> {
        let shown = |image: &&Image| Some(image.index) == self.index;
        let image = self.processes.images().iter().find(shown).map(|image| self.name(image))?;
        self.rewind.as_mut()?.recall(&image, at)
    }

    fn foresee(&mut self, until: Duration) {
        self.rewind.iter_mut().for_each(|rewind| rewind.foresee(until));
    }

    fn hear(&mut self, message: &FromKeeper) {
        match message {
            FromKeeper::History { index, restart, points, .. } => {
                self.remember(*index as usize, *restart, points);
            }
            FromKeeper::Stopped(stopped) => self.stopped = *stopped,
            FromKeeper::Exit(exit) => self.ended(*exit),
            FromKeeper::Feed => self.hold_feed(true),
            FromKeeper::ProcessEnded { index, exit, ended_ns, .. } => {
                self.image_ended(*index as usize, *exit, *ended_ns);
            }
            _ => {}
        }
    }

    fn lost(&mut self) {
        Self::lost(self);
    }
}
