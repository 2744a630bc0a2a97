//! What a source says at a tick, wherever it has it from: a session that lives, or a recording.

use std::{sync::Arc, time::Duration};

use super::{Event, Exit, Gap, Point, ProcessState, SitesUpdate, TreeRow};

/// What a source says at a tick.
#[derive(Debug, Default)]
pub struct Reading {
    /// Seconds since the shown process's session began; stands still once it has ended.
    pub now_s: f64,
    /// All process images, in order of their start.
    pub images: Vec<ImageName>,
    /// Position of the shown one in `images`.
    pub shown: usize,
    /// Its figures, without its timeline; `None` while it has no session.
    pub state: Option<ProcessState>,
    /// What is new about its sites; nothing while stacks are not captured.
    pub sites: SitesUpdate,
    /// Of when its sites are, where that is before this moment.
    pub sites_as_of: Option<Duration>,
    /// Its timeline.
    pub timeline: Vec<Point>,
    /// Its events since the last reading, oldest first.
    pub events: Vec<Event>,
    /// These are all that there is to know of events: those of earlier readings are of another
    /// moment.
    pub events_anew: bool,
    /// What its resident memory consists of, when that was looked at.
    pub gap: Option<Gap>,
    /// All processes in order of their start, then those that are not traced.
    pub tree: Arc<Vec<Arc<TreeRow>>>,
    /// When the tree was looked at, since the launch.
    pub tree_at: Duration,
    /// The shown image has ended and its process runs on, as a program that cannot be traced.
    pub goes_on_untraced: bool,
    /// The shown image has ended, and nothing is left of its figures: others have its memory.
    pub given_back: bool,
    /// Whether new blocks are recorded now.
    pub tracing: bool,
    /// A signal has stopped the program.
    pub stopped: bool,
    /// How the program ended, once it has.
    pub exit: Option<Exit>,
    /// Traced processes that live although the program has ended.
    pub left_behind: usize,
    /// Whether whoever holds the program still answers.
    pub connected: bool,
}

/// A process image in the list to choose from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImageName {
    /// Process id.
    pub pid: u32,
    /// Which image of that pid.
    pub generation: u32,
    /// Arguments; empty until it has said.
    pub command: Vec<Vec<u8>>,
}

impl Reading {
    /// Pid and generation of the image shown; `None` while there is none.
    pub fn image(&self) -> Option<(u32, u32)> {
        self.images.get(self.shown).map(|image| (image.pid, image.generation))
    }
}
