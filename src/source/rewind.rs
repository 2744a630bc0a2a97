//! The past of a session that lives, out of the recording that its keeper keeps in memory.
//!
//! It is opened as a recording that was cut: up to its last half a second, while it grows. What
//! is shown of a moment is what a replay of it shows; what goes on beside that (who runs, whether
//! tracing is on) is the present's.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{
    past::{Past, Recalled, Source},
    replay::{self, Replay},
    site_history::OpenedSite,
};
use crate::{
    keeper::client::Connection,
    model::{ImageName, Reading, SiteHistory},
    recording::{File, Mark},
};

/// A recording in the making, and the moment that is looked at.
#[derive(Debug)]
pub struct Rewind {
    path: PathBuf,
    replay: Option<Replay>,
    at: Option<Duration>,
    /// Up to when stacks are told of.
    foreseen: Duration,
    /// So often it is opened anew because it does not reach as far.
    patience: u32,
    /// How large it was when marks were looked for, and when they are looked for again.
    looked: (u64, Option<Instant>),
}

/// Marks of other viewers are looked for so often at most.
const EVERY: Duration = Duration::from_secs(1);
/// To look takes at most this part of the time.
const SHARE: u32 = 50;

/// What is marked now is kept within half a second: so many looks.
const PATIENCE: u32 = 10;

impl Rewind {
    /// The past that the keeper at the other end keeps, if it does.
    pub fn of(connection: &Connection) -> Option<Self> {
        let hello = connection.hello();
        let path = format!("/proc/{}/fd/{}", hello.keeper, hello.past?);
        Some(Self::over(path.into()))
    }

    fn over(path: PathBuf) -> Self {
        Self {
            path,
            replay: None,
            at: None,
            foreseen: Duration::ZERO,
            patience: 0,
            looked: (0, None),
        }
    }

    /// Looks at a moment since the shown image's session began, or at none.
    pub fn seek(&mut self, at: Option<Duration>) {
        self.at = at;
    }

    /// Whether a moment of the past is looked at.
    pub fn is_past(&self) -> bool {
        self.at.is_some()
    }

    /// What was at the moment of the image with this name; `None` for the present, and where
    /// nothing of it is kept.
    pub fn read(&mut self, image: &ImageName) -> Option<Reading> {
        let at = self.at?;
        let reaches = self.replay.as_ref().and_then(|replay| replay.reaches(image));
        let is_short = reaches.is_none_or(|to| to < self.foreseen) && self.patience > 0;
        self.patience -= u32::from(is_short);
        if is_short || reaches.is_none_or(|to| to < at) {
            self.open();
        }
        let replay = self.replay.as_mut()?;
        let position = replay.position(image)?;
        replay.show_moment(position, at);
        replay.foresee(self.foreseen);
        Some(replay.read(Some(position)))
    }

    /// What there is to go through of the image that was read last.
    pub fn past(&self) -> Option<&Past> {
        self.replay.as_ref().map(Replay::past)
    }

    /// What a site held up to the moment of the past that is looked at, if one is.
    pub fn history_of(&mut self, site: &OpenedSite, slice: Duration) -> Option<SiteHistory> {
        self.at.and(self.replay.as_mut())?.history_of(site, slice)
    }

    /// Looks now and then whether marks were noted, by whichever viewer, since it was opened; to
    /// be called before the moment is read, as it may be opened anew.
    pub fn look_for_marks(&mut self) {
        let began = Instant::now();
        let Some(replay) = self.replay.as_ref().filter(|_| self.looked.1 <= Some(began)) else {
            return;
        };
        let length = fs::metadata(&self.path).map_or(self.looked.0, |facts| facts.len());
        let found = (length != self.looked.0).then(|| File::open(&self.path).ok()).flatten();
        if found.is_some_and(|found| found.marks() != replay.file().marks()) {
            self.open();
        }
        let pause = began.elapsed().saturating_mul(SHARE).max(EVERY);
        self.looked = (length, began.checked_add(pause));
    }

    /// Marks of an image that are known, by whichever viewer, and when since its session began;
    /// with the highest number of any.
    pub fn marks(&mut self, image: &ImageName) -> (Vec<Mark>, u32) {
        if self.replay.is_none() {
            self.open();
        }
        let Some(replay) = &self.replay else { return Default::default() };
        let marks = replay.position(image).map(|image| replay::marks(replay.file(), image));
        (marks.unwrap_or_default(), replay::last_mark(replay.file()))
    }

    /// What an image held at a moment since its session began.
    pub fn recall(&mut self, image: &ImageName, at: Duration) -> Option<Recalled> {
        let replay = self.replay.as_mut()?;
        replay.recall_of(replay.position(image)?, at)
    }

    /// Stacks are told of up to this moment.
    pub fn foresee(&mut self, until: Duration) {
        if self.foreseen != until {
            (self.foreseen, self.patience) = (until, PATIENCE);
        }
    }

    /// What there is of it now. A keeper that is gone leaves what was opened before.
    fn open(&mut self) {
        let opened = File::open(&self.path).and_then(|file| Replay::of(file, &self.path));
        let before = self.replay.take();
        self.replay = match opened {
            Ok(opened) => Some(opened.following(before)),
            Err(_) => before,
        };
    }
}
