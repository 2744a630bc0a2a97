//! The past of a session that lives, out of the recording that its keeper keeps in memory.
//!
//! It is opened as a recording that was cut: up to its last half a second, while it grows. What
//! is shown of a moment is what a replay of it shows; what goes on beside that (who runs, whether
//! tracing is on) is the present's.

use std::path::PathBuf;
use std::time::Duration;

use super::{
    past::{Past, Source},
    replay::Replay,
    site_history::OpenedSite,
};
use crate::{
    keeper::client::Connection,
    model::{ImageName, Reading, SiteHistory},
    recording::File,
};

/// A recording in the making, and the moment that is looked at.
#[derive(Debug)]
pub struct Rewind {
    path: PathBuf,
    replay: Option<Replay>,
    at: Option<Duration>,
}

impl Rewind {
    /// The past that the keeper at the other end keeps, if it does.
    pub fn of(connection: &Connection) -> Option<Self> {
        let hello = connection.hello();
        let path = format!("/proc/{}/fd/{}", hello.keeper, hello.past?);
        Some(Self { path: path.into(), replay: None, at: None })
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
        if self.replay.as_ref().is_none_or(|replay| replay.reaches(image).is_none_or(|to| to < at))
        {
            self.open();
        }
        let replay = self.replay.as_mut()?;
        let position = replay.position(image)?;
        replay.show_moment(position, at);
        Some(replay.read(Some(position)))
    }

    /// What there is to go through of the image that was read last.
    pub fn past(&self) -> Option<&Past> {
        self.replay.as_ref().map(Replay::past)
    }

    /// What a site held up to the moment of the past that is looked at, if one is.
    pub fn history_of(&mut self, site: &OpenedSite) -> Option<SiteHistory> {
        self.at.and(self.replay.as_mut())?.history_of(site)
    }

    /// Marks that were made by now, by whichever viewer, and when since the session began.
    pub fn marks(&mut self) -> Vec<(u32, Duration)> {
        if self.replay.is_none() {
            self.open();
        }
        self.past().map(|past| past.marks.clone()).unwrap_or_default()
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
