//! The tree of processes as a recording has it at a moment.
//!
//! The figures of an image at a moment cost a look into its segment, so they are told of the
//! newest images only, and anew no more often than the time that takes allows; of others it is
//! known when they lived.

use std::{sync::Arc, time::Duration};

use super::surroundings::Tree;
use crate::{
    keeper::preflight::Untraceable,
    model::{ProcessState, Sums, Traced, TreeRow, UntracedProcess},
    procfs::Paced,
    recording::{Cursor, File, ImageFacts},
    sys::clock,
};

/// Between two looks, at least.
const EVERY: Duration = Duration::from_millis(100);
/// Of so many images the figures are told.
const MOST: usize = 64;

/// Keeps what was shown last.
#[derive(Debug)]
pub struct Family {
    pace: Paced,
    /// Since the launch.
    at: Option<Duration>,
    rows: Tree,
}

impl Default for Family {
    fn default() -> Self {
        Self { pace: Paced::new(EVERY), at: None, rows: Tree::default() }
    }
}

impl Family {
    /// All processes that had begun by a moment, those that are not traced at the end. While
    /// moments pass faster than they can be looked at, those of one shortly before.
    pub fn at(&mut self, file: &File, moment: Duration) -> Tree {
        if self.at != Some(moment)
            && let Some(rows) = self.pace.run(clock::monotonic_ns, || rows(file, moment))
        {
            self.rows = Arc::new(rows);
            self.at = Some(moment);
        }
        Arc::clone(&self.rows)
    }
}

fn rows(file: &File, moment: Duration) -> Vec<Arc<TreeRow>> {
    let images = file.images();
    let begun = |position: &usize| images[*position].identity.started <= moment;
    let all: Vec<usize> = (0..images.len()).filter(begun).collect();
    let without_figures = all.len().saturating_sub(MOST);
    let mut rows: Vec<Arc<TreeRow>> = Vec::with_capacity(all.len());
    for (number, position) in all.into_iter().enumerate() {
        let sums = (number >= without_figures).then(|| sums(file, position, moment)).flatten();
        let traced = sums.map_or(Traced::Unseen(position), Traced::Yes);
        rows.push(Arc::new(image(&images[position], moment, traced)));
    }
    let untraced = UntracedProcess::known_at(file.untraced(), moment);
    rows.extend(untraced.into_iter().map(|one| Arc::new(outsider(one))));
    rows
}

fn image(facts: &ImageFacts, moment: Duration, traced: Traced) -> TreeRow {
    let identity = &facts.identity;
    let ended = identity.ended.filter(|ended| *ended <= moment);
    TreeRow {
        pid: identity.pid,
        generation: identity.generation,
        parent: identity.parent,
        command: identity.command.clone(),
        started: identity.started,
        ended,
        exit: ended.and(identity.exit),
        resident: None,
        traced,
    }
}

fn sums(file: &File, position: usize, moment: Duration) -> Option<Sums> {
    let facts = file.images().get(position)?;
    let mut cursor = Cursor::new(position);
    cursor.seek(file, facts.own_time(moment)).ok()?;
    Some(Sums::of(position, &cursor.state(file)?))
}

fn outsider(one: UntracedProcess) -> TreeRow {
    let why = one.why.as_deref().and_then(Untraceable::of_words);
    TreeRow {
        pid: one.pid,
        parent: one.parent,
        command: one.command,
        started: one.started,
        ended: one.ended,
        traced: Traced::No(why.unwrap_or(Untraceable::Unknown)),
        ..TreeRow::default()
    }
}

impl Sums {
    /// Those of the image in a position.
    pub(super) fn of(position: usize, state: &ProcessState) -> Self {
        let inherited = &state.inherited;
        Self {
            position,
            entry: state.identity.entry,
            live_bytes: state.totals.current_bytes,
            peak_bytes: state.totals.peak_bytes,
            allocations: state.totals.allocations,
            allocated_bytes: state.totals.allocated_bytes,
            inherited_bytes: inherited.bytes.saturating_sub(inherited.freed_bytes),
            threads: state.threads.iter().filter(|thread| thread.tid != 0).count(),
        }
    }
}
