//! Readings out of a recording, at whatever moment is asked for.

use std::{collections::BTreeMap, path::Path, time::Duration};

use crate::{
    Error,
    keeper::history::History,
    model::{
        Event, EventKind, Function, ImageName, LocationId, Point, Reading, SiteHistory, StackId,
    },
    recording::{Cursor, File, Gap, ImageFacts, Kind, Mark, Moment, Tail},
    source::{
        family::Family,
        past::{Past, Recalled, Source},
        site_history::{HistoryReader, OpenedSite},
    },
};

/// A recording that is replayed.
#[derive(Debug)]
pub struct Replay {
    file: File,
    name: String,
    cursor: Cursor,
    /// Since the launch.
    moment: Duration,
    /// The timeline before the cursor's segment, and where that begins.
    before: (Option<(usize, Duration)>, History),
    past: Past,
    /// Of the shown image; told with its sites.
    names: Vec<(LocationId, Vec<Function>)>,
    names_due: bool,
    /// When the ticks were that no timeline frame tells of yet: the last minute of a recording
    /// that was cut, or is still being written.
    last_ticks: Vec<Duration>,
    tail: Tail,
    /// Of the site that is looked at.
    history: HistoryReader,
    /// At the moment that was recalled last.
    recalled: Cursor,
    /// At the last moment that stacks are told of.
    ahead: Option<Cursor>,
    /// Not where somebody else knows the tree.
    family: Option<Family>,
}

impl Replay {
    /// Opens the recording at `path`, at its end.
    ///
    /// # Errors
    /// When it cannot be read, or holds no process.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let replay = Self::of(File::open(path)?, path)?;
        Ok(Self { family: Some(Family::default()), ..replay })
    }

    /// Replays what was opened under `path`, from its end.
    ///
    /// # Errors
    /// When it holds no process.
    pub fn of(file: File, path: &Path) -> Result<Self, Error> {
        if file.images().is_empty() {
            let why = "it holds no process; was the program's start traced?".to_owned();
            return Err(Error::NothingToShow { path: path.to_owned(), why });
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let mut replay = Self {
            moment: file.end(),
            file,
            name,
            cursor: Cursor::default(),
            before: (None, History::default()),
            past: Past::default(),
            names: Vec::new(),
            names_due: false,
            last_ticks: Vec::new(),
            tail: Tail::default(),
            history: HistoryReader::default(),
            recalled: Cursor::default(),
            ahead: None,
            family: None,
        };
        let root = replay.root();
        replay.show(root);
        Ok(replay)
    }

    /// Position of the image with this name.
    pub fn position(&self, name: &ImageName) -> Option<usize> {
        let is = |facts: &ImageFacts| {
            (facts.identity.pid, facts.identity.generation) == (name.pid, name.generation)
        };
        self.file.images().iter().position(is)
    }

    /// Up to when an image is known, since its session began.
    pub fn reaches(&self, name: &ImageName) -> Option<Duration> {
        let facts = &self.file.images()[self.position(name)?];
        Some(facts.own_time(self.file.end()))
    }

    /// From now on everything is shown as it was so long after the session of an image began.
    pub fn show_moment(&mut self, image: usize, at: Duration) {
        let started = self.file.images()[image].identity.started;
        self.moment = started.saturating_add(at).min(self.file.end());
    }

    /// Goes on with what was read of a site's history when the same recording was opened before.
    #[must_use]
    pub fn following(self, before: Option<Self>) -> Self {
        let mut history = before.map(|before| before.history).unwrap_or_default();
        history.reopen();
        Self { history, ..self }
    }

    /// The recording.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The newest image of the launched program that had begun by the moment.
    fn root(&self) -> usize {
        let images = self.file.images();
        let pid = images.first().map(|first| first.identity.pid);
        let begun = images.iter().rposition(|image| {
            Some(image.identity.pid) == pid && image.identity.started <= self.moment
        });
        begun.unwrap_or(0)
    }

    /// Shows another image, at the same moment.
    fn show(&mut self, image: usize) {
        self.cursor = Cursor::new(image);
        self.ahead = None;
        self.before = (None, History::default());
        self.past = self.past_of(image);
        let names = self.cursor.names(&self.file).map(|names| {
            names.iter().map(|(location, functions)| (location, functions.to_vec())).collect()
        });
        // A recording that cannot be read any more shows what was read.
        self.names = names.unwrap_or_default();
    }

    /// What there is to go through of an image.
    fn past_of(&mut self, image: usize) -> Past {
        let mut whole = History::default();
        let _ = self.file.each_point(image, Duration::MAX, &mut |point| whole.push(point));
        let mut at_end = Cursor::new(image);
        let _ = at_end.seek(&self.file, Duration::MAX);
        // What a cut recording says of its last minute stands in its ticks alone.
        let known = whole.points().last().map_or(Duration::ZERO, |point| point.at);
        let last = at_end.recent().iter().filter(|point| point.at > known);
        self.last_ticks = last.clone().map(|point| point.at).collect();
        last.for_each(|point| whole.push(*point));
        let points = whole.points().to_vec();
        let facts = &self.file.images()[image];
        let own = |moment| facts.own_time(moment);
        let peak = at_end
            .state(&self.file)
            .and_then(|state| Some((state.totals.peak_at?, state.totals.peak_bytes)));
        let first = points.first().map_or(Duration::ZERO, |point| point.at);
        Past {
            recording: Some(self.name.clone()),
            first,
            last: own(self.file.end()).max(points.last().map_or(Duration::ZERO, |point| point.at)),
            points: points.into(),
            intervals: at_end.window().intervals.clone(),
            cleared: at_end.window().cleared,
            peak,
            sites_from: at_end.sites().have_figures().then_some(first),
            marks: marks(&self.file, image),
            last_mark: last_mark(&self.file),
            ended: facts.identity.ended.map(own),
            gaps: self.file.gaps().iter().map(|gap| (own(gap.from), own(gap.to))).collect(),
            ..Past::default()
        }
    }

    /// What an image held at a moment since its session began.
    pub(super) fn recall_of(&mut self, image: usize, at: Duration) -> Option<Recalled> {
        if self.recalled.image() != image {
            self.recalled = Cursor::new(image);
        }
        let since_launch = self.file.images().get(image)?.identity.started.saturating_add(at);
        let is_missing = |gap: &Gap| (gap.from..gap.to).contains(&since_launch);
        if self.file.gaps().iter().any(is_missing) {
            return None;
        }
        self.recalled.seek(&self.file, at).ok()?;
        let state = self.recalled.state(&self.file)?;
        let sites_as_of = self.recalled.sites_as_of();
        Some(Recalled { state, figures: self.recalled.sites().figures.clone(), sites_as_of })
    }

    fn own_time(&self) -> Duration {
        self.file.images()[self.cursor.image()].own_time(self.moment)
    }

    /// The ticks right before and behind a moment.
    fn neighbours(&self, at: Duration) -> (Option<Duration>, Option<Duration>) {
        let known = self.file.neighbours(self.cursor.image(), at).unwrap_or_default();
        let before = self.last_ticks.iter().rfind(|tick| **tick < at).copied();
        let after = self.last_ticks.iter().find(|tick| **tick > at).copied();
        (before.or(known.0), known.1.or(after))
    }

    /// The last events before the moment, where events were recorded.
    fn events(&mut self, own: Duration) -> Vec<Event> {
        let image = self.cursor.image();
        let started = self.file.images()[image].identity.started;
        let last = self.tail.before(&self.file, image, own).unwrap_or_default();
        last.iter().map(|one| event(one, started)).collect()
    }

    /// The timeline up to the moment.
    fn timeline(&mut self) -> Vec<Point> {
        let begin = self.cursor.recent().first().map_or(Duration::MAX, |point| point.at);
        let key = Some((self.cursor.image(), begin));
        if self.before.0 != key {
            let mut history = History::default();
            let until = self.cursor.at();
            let _ = self.file.each_point(self.cursor.image(), begin, &mut |point| {
                if point.at < begin && point.at <= until {
                    history.push(point);
                }
            });
            self.before = (key, history);
        }
        let mut history = self.before.1.clone();
        self.cursor.recent().iter().for_each(|point| history.push(*point));
        history.points().to_vec()
    }
}

impl Source for Replay {
    fn read(&mut self, wanted: Option<usize>) -> Reading {
        let images = self.file.images();
        let shown = wanted.filter(|&wanted| wanted < images.len()).unwrap_or_else(|| self.root());
        if shown != self.cursor.image() {
            self.show(shown);
        }
        let own = self.own_time();
        let _ = self.cursor.seek(&self.file, own);
        let facts = &self.file.images()[shown];
        let begun = facts.identity.started <= self.moment;
        let state = self.cursor.state(&self.file).filter(|_| begun);
        let ended = facts.identity.ended.map(|ended| facts.own_time(ended));
        let now = ended.map_or(own, |ended| own.min(ended));
        let tracing = self.cursor.window().intervals.last().is_some_and(|one| one.to.is_none());
        let root = &self.file.images()[self.root()].identity;
        let is_over = root.ended.is_some_and(|ended| ended <= self.moment);
        let exit = self.file.exit().filter(|_| is_over);
        let (before, after) = self.neighbours(own);
        self.past.at = now;
        self.past.before = before;
        self.past.after = after;
        let sites_as_of = self.cursor.sites_as_of().filter(|_| begun);
        let sites = self.cursor.take_update_with(self.ahead.as_ref());
        self.names_due |= sites.restart;
        let (file, moment) = (&self.file, self.moment);
        let tree = self.family.as_mut().map(|family| family.at(file, moment));
        Reading {
            now_s: now.as_secs_f64(),
            images: self.file.images().iter().map(name).collect(),
            shown,
            state,
            sites,
            sites_as_of,
            timeline: self.timeline(),
            events: self.events(own),
            events_anew: true,
            tree: tree.unwrap_or_default(),
            tree_at: self.moment,
            tracing,
            exit,
            connected: true,
            ..Reading::default()
        }
    }

    fn seek(&mut self, at: Option<Duration>) {
        match at {
            Some(at) => self.show_moment(self.cursor.image(), at),
            None => self.moment = self.file.end(),
        }
    }

    fn past(&self) -> &Past {
        &self.past
    }

    fn history_of(&mut self, site: &OpenedSite, slice: Duration) -> Option<SiteHistory> {
        let until = self.past.at;
        Some(self.history.read(&self.file, self.cursor.image(), site, until, slice))
    }

    fn recall(&mut self, at: Duration) -> Option<Recalled> {
        self.recall_of(self.cursor.image(), at)
    }

    fn foresee(&mut self, until: Duration) {
        let image = self.cursor.image();
        if self.ahead.as_ref().is_none_or(|ahead| ahead.at() < until) {
            let mut ahead = self.ahead.take().unwrap_or_else(|| Cursor::new(image));
            // What cannot be read is not told.
            let _ = ahead.seek(&self.file, until);
            self.ahead = Some(ahead);
        }
    }

    fn take_names(&mut self) -> Vec<(LocationId, Vec<Function>)> {
        match std::mem::take(&mut self.names_due) {
            true => self.names.clone(),
            false => Vec::new(),
        }
    }
}

/// The marks of an image by number, the last of each, since its session began.
pub(super) fn marks(file: &File, image: usize) -> Vec<Mark> {
    let facts = &file.images()[image];
    let own = |(of, mark): &(Option<usize>, Mark)| {
        let at = match of {
            Some(of) if *of != image => return None,
            Some(_) => mark.at,
            None => facts.own_time(mark.at),
        };
        Some((mark.number, Mark { at, ..mark.clone() }))
    };
    let last: BTreeMap<u32, Mark> = file.marks().iter().filter_map(own).collect();
    last.into_values().collect()
}

/// The highest number of a mark.
pub(super) fn last_mark(file: &File) -> u32 {
    file.marks().iter().map(|(_, mark)| mark.number).max().unwrap_or(0)
}

fn event(moment: &Moment, started: Duration) -> Event {
    let record = &moment.event;
    let tick_s = (started + moment.at).as_secs_f64() / record.tick.max(1) as f64;
    let age = record.tick.saturating_sub(record.birth);
    Event {
        t_s: Some(moment.at.as_secs_f64()),
        kind: match record.kind {
            Kind::Allocate => EventKind::Allocate,
            Kind::Reallocate => EventKind::Reallocate,
            Kind::Free | Kind::FreeUntracked => EventKind::Release,
        },
        size: record.size,
        tid: moment.tid,
        address: record.address,
        age_s: (record.kind == Kind::Free).then_some(age as f64 * tick_s),
        age_is_least: false,
        tick_s,
        untracked: record.kind == Kind::FreeUntracked,
        stack: (record.kind != Kind::FreeUntracked).then_some(StackId(record.stack)),
    }
}

fn name(facts: &ImageFacts) -> ImageName {
    let identity = &facts.identity;
    ImageName {
        pid: identity.pid,
        generation: identity.generation,
        command: identity.command.clone(),
    }
}
