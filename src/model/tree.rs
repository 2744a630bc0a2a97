//! The tree of processes: every image with its sums, and who is not traced.

use std::time::Duration;

use super::{Entry, Exit};
use crate::keeper::preflight::Untraceable;

/// One process image, or one process that is not traced.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TreeRow {
    /// Process id.
    pub pid: u32,
    /// 0 for the first image of this pid, one more for every `exec`.
    pub generation: u32,
    /// Process id of the parent, if it is part of the tree.
    pub parent: Option<u32>,
    /// Its arguments.
    pub command: Vec<Vec<u8>>,
    /// Since the launch.
    pub started: Duration,
    /// Since the launch; `None` while it runs.
    pub ended: Option<Duration>,
    /// How it ended, where that is known.
    pub exit: Option<Exit>,
    /// Resident bytes, while it runs.
    pub resident: Option<u64>,
    /// What is known of its memory.
    pub traced: Traced,
}

/// Whether it is traced, and what that tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Traced {
    /// It is.
    Yes(Sums),
    /// It is, and its figures were not looked at; the position of the image.
    Unseen(usize),
    /// It is not.
    No(Untraceable),
}

impl Default for Traced {
    fn default() -> Self {
        Self::Yes(Sums::default())
    }
}

/// The sums of one image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sums {
    /// Position in the list of images, by which it is shown.
    pub position: usize,
    /// By which way the probe came in.
    pub entry: Entry,
    /// Live bytes.
    pub live_bytes: u64,
    /// Highest live bytes.
    pub peak_bytes: u64,
    /// Allocations.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// What it took over at its fork and has not freed.
    pub inherited_bytes: u64,
    /// Threads that allocate.
    pub threads: usize,
}
