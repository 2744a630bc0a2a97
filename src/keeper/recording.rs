//! What a keeper sees, on its way into a file.
//!
//! The keeper of `memtop run` keeps one more recording, of its own: the past that viewers go
//! back to. It is written by the same recorder and read by the same reader, so that a moment of
//! a session that lives is shown as that of a file is. It lies in memory and not on a disk, so
//! that no folder fills up and nothing is left behind whoever is killed; it keeps to
//! `past_bytes`, its oldest detail first to go; viewers open it through `/proc`. It has no
//! names: viewers look those up anyway.
//!
//! Always holds: whatever happens to the file, the program and its viewers never wait for it
//! and the keeper goes on; what was written until then opens.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::{AsRawFd, RawFd},
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    events::Collector,
    namer::{Asked, Namer},
    processes::Changes,
    queue::Queue,
    watch::Watch,
};
use crate::{
    model::Exit,
    recording::{Bounded, Gap, Look, Mark, PAST, Recorder, Saved},
    source::sites::Follower,
    sys::{file, limits},
};

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

fn queue(file: File, path: &Path, most: Option<u64>) -> io::Result<(Queue, Saved)> {
    match most {
        None => Ok((Queue::new(file)?, Saved::default())),
        Some(most) => {
            let (bounded, saved) = Bounded::new(file, path, most);
            Ok((Queue::new(bounded)?, saved))
        }
    }
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder<Queue>,
    /// Since when detail is left out.
    behind_since: Option<Duration>,
    places: BTreeMap<usize, Places>,
    /// `None` where whoever reads it finds the names.
    namer: Option<Namer>,
    collector: Option<Collector>,
    saved: Saved,
}

/// Who follows an image's stacks, and what of them was asked for.
#[derive(Debug, Default)]
struct Places {
    follower: Follower,
    asked: Asked,
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
        let is_file = file.metadata()?.is_file();
        if is_file {
            file.set_len(0)?;
        }
        let most = watch.most_bytes().filter(|_| is_file);
        let (queue, saved) = queue(file, path, most)?;
        let namer = Some(Namer::new()?);
        Self::over(queue, watch, Parts { saved, most, namer, collector })
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
        Ok((Self::over(Queue::new(bounded)?, watch, parts)?, descriptor))
    }

    fn over(queue: Queue, watch: &Watch, parts: Parts) -> io::Result<Self> {
        let Parts { saved, most, namer, collector } = parts;
        let mut recorder = Recorder::new(queue, watch.command(), watch.launched_at())?;
        most.into_iter().for_each(|most| recorder.keep_to(most));
        let places = BTreeMap::new();
        let mut recording = Self { recorder, behind_since: None, places, namer, collector, saved };
        let mut looks = watch.looks_at_all();
        looks.iter_mut().for_each(|look| recording.add_sites(watch, look));
        recording.recorder.tick(watch.now(), looks)?;
        Ok(recording)
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
        let behind = self.recorder.get_mut().is_behind();
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
        let Some(collector) = &mut self.collector else { return Ok(()) };
        if self.recorder.get_mut().is_behind() {
            collector.drop_blocks();
            return Ok(());
        }
        collector.fetch(|block| self.recorder.events(block.session, &block.events))
    }

    /// What is new about an image's sites goes with its look.
    fn add_sites(&mut self, watch: &Watch, look: &mut Look) {
        let places = self.places.entry(look.image).or_default();
        look.sites = places.follower.look(watch.reader(), look.image);
        if let Some(namer) = &mut self.namer {
            namer.ask(look.image, &mut places.asked, &look.sites);
        }
        if look.state.identity.ended.is_some() {
            places.follower = Follower::default();
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

    /// Whether old detail was left out, to keep to a size.
    pub fn is_thinned(&self) -> bool {
        self.saved.bytes() > 0
    }

    /// Completes the recording, names and all, and waits for the disk.
    ///
    /// # Errors
    /// When writing has failed.
    pub fn finish(self, watch: &Watch) -> io::Result<Saved> {
        let saved = self.saved.clone();
        self.complete(watch.now(), watch.exit()).map(|()| saved)
    }

    /// The same, waited for by a thread of its own.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn finish_aside(mut self, watch: &Watch) -> io::Result<JoinHandle<io::Result<()>>> {
        let (now, exit) = (watch.now(), watch.exit());
        self.collector.iter_mut().for_each(Collector::stop);
        thread::Builder::new().spawn(move || self.complete(now, exit))
    }

    fn complete(mut self, now: Duration, exit: Option<Exit>) -> io::Result<()> {
        if let Some(from) = self.behind_since {
            self.recorder.gap(&Gap { from, to: now, reason: Gap::SLOW })?;
        }
        self.collector.iter_mut().for_each(Collector::finish);
        self.fetch_events()?;
        let patience = if exit.is_some() { PATIENCE.0 } else { PATIENCE.1 };
        let rest = self.namer.map(|namer| namer.rest(patience)).unwrap_or_default();
        for (image, names) in rest {
            self.recorder.names(image, &names)?;
        }
        self.recorder.finish(exit)?.finish()
    }
}
