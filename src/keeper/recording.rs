//! What a keeper sees, on its way into a file.
//!
//! The keeper of `memtop run` keeps one more recording, of its own: the past that viewers go
//! back to. It is written by the same recorder and read by the same reader, so that a moment of
//! a session that lives is shown as that of a file is. It lies in memory and not on a disk, so
//! that no folder fills up and nothing is left behind whoever is killed; it keeps to
//! `past_bytes`, its oldest detail first to go; viewers open it through `/proc`. It has no
//! names: viewers look those up anyway, and so does a recording that is begun later, which begins
//! with all of it:
//!
//! ```text
//!  past ──── fork ─────▶ recorder ──▶ queue ──▶ thread ──▶ memory
//!              │                         │ what it holds at that moment
//!              ▼                         ▼
//!            file: recorder ──▶ queue ──▶ thread ──▶ disk: that first, then what comes
//! ```
//!
//! Always holds: whatever happens to the file, the program and its viewers never wait for it
//! and the keeper goes on; what was written until then opens.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::{AsRawFd, RawFd},
    path::Path,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, bounded};

use super::{
    events::Collector,
    namer::{Asked, Namer},
    processes::Changes,
    watch::Watch,
    way::{self, Way},
};
use crate::{
    model::{Exit, SitesUpdate, UntracedProcess},
    recording::{Bounded, Gap, Look, Mark, PAST, Recorder, Saved},
    source::sites::Follower,
    sys::{file, limits},
};
use memtop_probe::session::reader::Reader;

/// Names that are not found so soon after the end of a program are left out, and sooner after
/// that of a recording whose program goes on.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_millis(300));

/// Most bytes of the past that is kept: at 15 KB a second, the last half an hour in full
/// detail. Less where a control group has little left.
fn past_bytes() -> u64 {
    (limits::default_tracer_limit() / 16).clamp(PAST_BYTES.0, PAST_BYTES.1)
}

const PAST_BYTES: (u64, u64) = (1 << 20, 32 << 20);

/// What a recording is made of beside its way to the disk.
struct Parts {
    saved: Saved,
    most: Option<u64>,
    namer: Option<Namer>,
    collector: Option<Collector>,
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder<Way>,
    /// Its first moment, since the launch.
    from: Duration,
    /// Since when detail is left out.
    behind_since: Option<Duration>,
    /// Nothing is dropped any more.
    is_ending: bool,
    places: BTreeMap<usize, Places>,
    /// `None` where whoever reads it finds the names.
    namer: Option<Namer>,
    collector: Option<Collector>,
    /// What was said of processes that are not traced.
    untraced: Vec<UntracedProcess>,
    saved: Saved,
}

/// Who follows an image's stacks, and what of them was asked for.
#[derive(Debug, Default)]
struct Places {
    follower: Follower,
    /// It has told all, and knows nothing any more.
    is_over: bool,
    asked: Asked,
}

/// Images whose memory was given back.
type Gone = Vec<usize>;

impl Places {
    /// What is new; its names are asked for.
    fn look(&mut self, reader: &Reader, image: usize, namer: Option<&mut Namer>) -> SitesUpdate {
        let update = self.follower.look(reader, image);
        if let Some(namer) = namer {
            namer.ask(image, &mut self.asked, &update);
        }
        update
    }

    /// The same for another recording, whose names are all to be asked for; those of an image
    /// that is `gone` from the session's memory are not found there.
    fn fork(&self, reader: &Reader, image: usize, (namer, gone): (&mut Namer, &mut Gone)) -> Self {
        let told = match self.is_over {
            true => Follower::whole(reader, image),
            false => self.follower.told(reader),
        };
        let mut asked = Asked::default();
        match self.is_over && reader.is_gone(image) {
            true => gone.push(image),
            false => namer.ask(image, &mut asked, &told),
        }
        Self { follower: self.follower.clone(), is_over: self.is_over, asked }
    }
}

impl Recording {
    /// Begins to record into `file`, which is emptied, with all that was seen so far, and the
    /// events that come, where they are collected.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn begin(
        file: File,
        path: &Path,
        watch: &Watch,
        collector: Option<Collector>,
    ) -> io::Result<Self> {
        let (way, saved, most) = way::to_file(file, path, watch.most_bytes())?;
        let namer = Some(Namer::new()?);
        Self::over(way, watch, Parts { saved, most, namer, collector })
    }

    /// Begins to record into `file`, which is emptied, with all that `past` has of the session;
    /// both go on. `kept` is the descriptor of the past.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn begin_with(
        (past, kept): (&mut Self, RawFd),
        file: File,
        path: &Path,
        watch: &Watch,
    ) -> io::Result<Self> {
        let (way, saved, most) = way::to_file(file, path, watch.most_bytes())?;
        saved.await_beginning();
        let mut namer = Namer::new()?;
        past.catch_up_with_sites(watch);
        let mut recorder = past.recorder.fork(|kept| way::lead(kept, way))?;
        recorder.keep_to(most.unwrap_or(u64::MAX));
        let mut gone = Gone::new();
        let fork = |(&image, places): (&usize, &Places)| {
            (image, places.fork(watch.reader(), image, (&mut namer, &mut gone)))
        };
        let places = past.places.iter().map(fork).collect();
        // Without it these have no names, as the report says, and nothing else is missing.
        if let Ok(past) = File::open(format!("/proc/self/fd/{kept}")) {
            namer.ask_recorded(past, gone);
        }
        Ok(Self {
            recorder,
            from: past.from,
            behind_since: None,
            is_ending: false,
            places,
            namer: Some(namer),
            collector: None,
            untraced: past.untraced.clone(),
            saved,
        })
    }

    /// Begins to keep the past, in memory; with the number of its descriptor.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn of_the_past(watch: &Watch) -> io::Result<(Self, RawFd)> {
        let file = file::in_memory(PAST)?;
        let (descriptor, most) = (file.as_raw_fd(), past_bytes());
        let (bounded, saved) = Bounded::in_memory(file, most);
        let parts = Parts { saved, most: Some(most), namer: None, collector: None };
        Ok((Self::over(Way::new(bounded)?, watch, parts)?, descriptor))
    }

    fn over(way: Way, watch: &Watch, parts: Parts) -> io::Result<Self> {
        let Parts { saved, most, namer, collector } = parts;
        let mut recorder = Recorder::new(way, watch.command(), watch.launched_at())?;
        most.into_iter().for_each(|most| recorder.keep_to(most));
        let mut recording = Self {
            recorder,
            from: watch.now(),
            behind_since: None,
            is_ending: false,
            places: BTreeMap::new(),
            namer,
            collector,
            untraced: Vec::new(),
            saved,
        };
        let mut looks = watch.looks_at_all();
        looks.iter_mut().for_each(|look| recording.add_sites(watch, look));
        recording.recorder.tick(watch.now(), looks)?;
        Ok(recording)
    }

    /// The next tick is one that somebody will look at: its sites are kept.
    pub fn ask_for_sites(&mut self) {
        self.recorder.ask_for_sites();
    }

    /// The next tick is the last one. What comes behind it is little, waited for by no program,
    /// and counted by no tick: it waits for the disk, however slow that is.
    pub fn end(&mut self) {
        self.ask_for_sites();
        self.is_ending = true;
    }

    /// Takes in what a tick found.
    ///
    /// # Errors
    /// When writing has failed; the recording is over then.
    pub fn tick(&mut self, watch: &mut Watch, changes: &Changes) -> io::Result<()> {
        let now = watch.now();
        let mut looks = watch.looks(changes);
        // Comparing sites costs more than the rest of a tick, so only those that are kept are
        // looked at.
        self.recorder.ask_for_sites_of_a_burst(now, &looks);
        let all = self.recorder.wants_sites(now);
        for look in &mut looks {
            let is_new = !self.places.contains_key(&look.image);
            if all || is_new || look.state.identity.ended.is_some() {
                self.add_sites(watch, look);
            }
        }
        for (image, names) in self.namer.as_mut().map(Namer::found).unwrap_or_default() {
            self.recorder.names(image, &names)?;
        }
        self.note_untraced(watch.untraced(), now)?;
        let behind = self.is_behind()?;
        match (behind, self.behind_since) {
            (true, None) => self.behind_since = Some(now),
            (false, Some(from)) => {
                self.behind_since = None;
                self.recorder.gap(&Gap { from, to: now, reason: Gap::SLOW })?;
            }
            _ => {}
        }
        match behind {
            true => self.recorder.skip(now, looks)?,
            false => self.recorder.tick(now, looks)?,
        }
        self.collector.iter().for_each(|collector| collector.ended(&changes.ended));
        self.fetch_events()
    }

    /// Takes in the events that are ready.
    ///
    /// # Errors
    /// As [`tick`](Self::tick).
    pub fn fetch_events(&mut self) -> io::Result<()> {
        if self.collector.is_none() {
            return Ok(());
        }
        let behind = self.is_behind()?;
        let Some(collector) = &mut self.collector else { return Ok(()) };
        if behind && !self.is_ending {
            collector.drop_blocks();
            return Ok(());
        }
        collector.fetch(|block| self.recorder.events(block.session, &block.events))?;
        // A fast program makes megabytes of them between two ticks.
        self.recorder.hand_on()
    }

    /// Whether the disk is: all that it has room for is handed on.
    fn is_behind(&mut self) -> io::Result<bool> {
        self.recorder.hand_on()?;
        Ok(self.recorder.get_mut().is_behind())
    }

    /// Says what is new about processes that are not traced. One that is not among them any more
    /// has become another program, or was traced after all.
    fn note_untraced(&mut self, all: Vec<UntracedProcess>, now: Duration) -> io::Result<()> {
        let key = |one: &UntracedProcess| (one.pid, one.started);
        for said in self.untraced.iter_mut().filter(|said| said.ended.is_none()) {
            if !all.iter().any(|one| key(one) == key(said)) {
                said.ended = Some(now);
                self.recorder.untraced(said)?;
            }
        }
        for one in all {
            if self.untraced.contains(&one) {
                continue;
            }
            self.recorder.untraced(&one)?;
            one.note(&mut self.untraced);
        }
        Ok(())
    }

    /// What is new about an image's sites goes with its look.
    fn add_sites(&mut self, watch: &Watch, look: &mut Look) {
        let places = self.places.entry(look.image).or_default();
        look.sites = places.look(watch.reader(), look.image, self.namer.as_mut());
        if look.state.identity.ended.is_some() {
            places.follower = Follower::default();
            places.is_over = true;
        }
    }

    /// Sites are looked at once a second; before somebody reads what there is, once more.
    fn catch_up_with_sites(&mut self, watch: &Watch) {
        for (&image, places) in self.places.iter_mut().filter(|(_, places)| !places.is_over) {
            let update = places.look(watch.reader(), image, self.namer.as_mut());
            self.recorder.sites(image, update);
        }
    }

    /// Notes a moment that somebody marked in an image.
    ///
    /// # Errors
    /// As [`tick`](Self::tick).
    pub fn mark(&mut self, image: usize, mark: &Mark) -> io::Result<()> {
        self.recorder.mark(Some(image), mark)
    }

    /// Bytes so far, those that still wait for the disk among them.
    pub fn bytes(&self) -> u64 {
        self.recorder.bytes().saturating_sub(self.saved.bytes())
    }

    /// Whether old detail was left out, to keep to its size.
    pub fn is_thinned(&self) -> bool {
        self.saved.has_thinned()
    }

    /// Whether it has everything up to now, and another one may begin with it.
    pub fn is_up_to_date(&self) -> bool {
        self.behind_since.is_none()
    }

    /// Its first moment, and up to when detail is left out, since the launch: once that is
    /// known.
    pub fn reach(&self) -> Option<(Duration, Option<Duration>)> {
        self.saved.has_begun().then(|| (self.from, self.saved.until()))
    }

    /// The same, to be asked for while it is completed.
    pub fn reach_later(&self) -> impl Fn() -> Option<(Duration, Option<Duration>)> + use<> {
        let (saved, from) = (self.saved.clone(), self.from);
        move || saved.has_begun().then(|| (from, saved.until()))
    }

    /// Completes the recording, names and all, and waits for the disk. Its end is the last tick:
    /// sites that are newer than that would not add up to its totals.
    ///
    /// # Errors
    /// When writing has failed.
    pub fn finish(self, watch: &Watch) -> io::Result<()> {
        self.complete(watch.now(), watch.exit())
    }

    /// The same, waited for by a thread of its own, which tells what came of it.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn finish_aside(mut self, watch: &Watch) -> io::Result<Receiver<io::Result<()>>> {
        let (now, exit) = (watch.now(), watch.exit());
        self.collector.iter_mut().for_each(Collector::stop);
        let (tell, told) = bounded(1);
        thread::Builder::new().spawn(move || tell.send(self.complete(now, exit)))?;
        Ok(told)
    }

    /// What is left out of it so far, to be known once it is written.
    pub fn saved(&self) -> Saved {
        self.saved.clone()
    }

    fn complete(mut self, now: Duration, exit: Option<Exit>) -> io::Result<()> {
        if let Some(from) = self.behind_since {
            self.recorder.gap(&Gap { from, to: now, reason: Gap::SLOW })?;
        }
        self.collector.iter_mut().for_each(Collector::finish);
        self.is_ending = true;
        self.fetch_events()?;
        let patience = if exit.is_some() { PATIENCE.0 } else { PATIENCE.1 };
        let rest = self.namer.map(|namer| namer.rest(patience)).unwrap_or_default();
        for (image, names) in rest {
            self.recorder.names(image, &names)?;
        }
        self.recorder.finish(exit)?.finish()
    }
}
