//! What a live session knows beside its figures: what resident memory consists of, and the tree
//! of processes with those that are not traced. Both are looked at seldom enough to cost nothing.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use memtop_probe::session::reader::Reader;

use super::session::since;
use crate::{
    keeper::processes::{Image, Processes},
    model::{Gap, ProcessState, Sums, Traced, TreeRow, gap},
    procfs::{
        Paced,
        children::{Children, Untraced},
        group, mappings,
    },
    sys::{clock, process},
};

/// Between two looks at the mappings, during which the program may not map: while much changes, so
/// that what is live is not shown twice and differently, and while little does.
const MAPPINGS_SOONEST: Duration = Duration::from_millis(250);
const MAPPINGS_EVERY: Duration = Duration::from_secs(2);
/// Much is this part of what is resident.
const MUCH: u64 = 16;
/// Between two looks at the tree.
const TREE_EVERY: Duration = Duration::from_millis(500);

/// All rows of the tree, shared so that a reading costs no copy.
pub type Tree = Arc<Vec<Arc<TreeRow>>>;

/// Keeps what was seen last.
#[derive(Debug)]
pub struct Surroundings {
    mappings: Paced,
    looked: Option<Looked>,
    tree: Paced,
    children: Children,
    rows: Tree,
}

/// What a look at the mappings came to.
#[derive(Debug, Clone, Copy)]
struct Looked {
    /// Of this image.
    image: usize,
    at_ns: u64,
    /// Usable bytes that were live then.
    usable: u64,
    gap: Gap,
}

impl Looked {
    fn age(&self, now_ns: u64) -> Duration {
        Duration::from_nanos(now_ns.saturating_sub(self.at_ns))
    }

    fn is_old(&self, usable: u64, now_ns: u64) -> bool {
        self.age(now_ns) >= MAPPINGS_EVERY || self.is_of_another_time(usable)
    }

    fn is_of_another_time(&self, usable: u64) -> bool {
        usable.abs_diff(self.usable) > self.gap.resident() / MUCH
    }
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            mappings: Paced::new(MAPPINGS_SOONEST),
            looked: None,
            tree: Paced::new(TREE_EVERY),
            children: Children::default(),
            rows: Tree::default(),
        }
    }
}

impl Surroundings {
    /// What the resident memory of the shown image consists of; after its end, what it last did.
    pub fn gap(&mut self, image: &Image, state: &ProcessState) -> Option<Gap> {
        if self.looked.is_some_and(|looked| looked.image != image.index) {
            self.looked = None;
            self.mappings = Paced::new(MAPPINGS_SOONEST);
        }
        if image.end().is_none() {
            self.look(image, state);
        }
        let looked = self.looked?;
        let is_told =
            image.end().is_none() && looked.is_of_another_time(state.totals.usable_current_bytes);
        let age = is_told.then(|| looked.age(clock::monotonic_ns()));
        Some(Gap { age, ..looked.gap })
    }

    fn look(&mut self, image: &Image, state: &ProcessState) {
        let (at_ns, usable) = (clock::monotonic_ns(), state.totals.usable_current_bytes);
        if self.looked.is_some_and(|looked| !looked.is_old(usable, at_ns)) {
            return;
        }
        let read = || mappings::read(image.pid).map(|found| (found, group::limit_of(image.pid)));
        if let Some((found, group)) = self.mappings.run(clock::monotonic_ns, read).flatten() {
            let gap = gap::gap(state, &found, group);
            self.looked = Some(Looked { image: image.index, at_ns, usable, gap });
        }
    }

    /// All processes in order of their start, those that are not traced at the end.
    pub fn tree(&mut self, processes: &Processes, reader: &Reader) -> Tree {
        let (children, before) = (&mut self.children, &self.rows);
        let look = || rows(processes, reader, children, before);
        if let Some(rows) = self.tree.run(clock::monotonic_ns, look) {
            self.rows = Arc::new(rows);
        }
        Arc::clone(&self.rows)
    }
}

fn rows(
    processes: &Processes,
    reader: &Reader,
    children: &mut Children,
    before: &[Arc<TreeRow>],
) -> Vec<Arc<TreeRow>> {
    let images = processes.images();
    let launched_ns = reader.clock().created_ns;
    let alive = images.iter().filter(|image| image.end().is_none());
    let alive: BTreeSet<u32> = alive.map(|image| image.pid).collect();
    let now_ns = clock::monotonic_ns();
    children.hear(reader, now_ns);
    children.observe(&alive, &processes.gone_untraced(reader), now_ns);
    let mut rows: Vec<Arc<TreeRow>> = Vec::with_capacity(images.len());
    for (position, image) in images.iter().enumerate() {
        // What has ended says the same for ever.
        let known = before.get(position).filter(|row| is_final(row, image, launched_ns));
        let look = || {
            let seen = traced(position, image, processes, reader);
            Arc::new(seen.unwrap_or_else(|| unseen(position, image, launched_ns)))
        };
        rows.push(known.cloned().unwrap_or_else(look));
    }
    rows.extend(children.all().map(|child| Arc::new(untraced(child, launched_ns))));
    rows
}

/// Whether nothing will change in a row. A viewer that comes late notices ends late, until the
/// keeper tells when they were.
fn is_final(row: &TreeRow, image: &Image, launched_ns: u64) -> bool {
    let same = (row.pid, row.generation) == (image.pid, image.generation);
    let end = image.end().map(|end| (Some(since(launched_ns, end.at_ns)), end.exit));
    same && end == Some((row.ended, row.exit))
}

/// One whose figures were given back before anyone looked here, or that cannot be read.
fn unseen(position: usize, image: &Image, launched_ns: u64) -> TreeRow {
    TreeRow {
        pid: image.pid,
        generation: image.generation,
        started: since(launched_ns, image.started_ns()),
        ended: image.end().map(|end| since(launched_ns, end.at_ns)),
        exit: image.end().and_then(|end| end.exit),
        traced: Traced::Unseen(position),
        ..TreeRow::default()
    }
}

fn traced(
    position: usize,
    image: &Image,
    processes: &Processes,
    reader: &Reader,
) -> Option<TreeRow> {
    let state = processes.state(image, reader)?;
    let runs = state.identity.ended.is_none();
    let resident = runs.then(|| process::resident_bytes(image.pid)).flatten();
    let sums = Sums::of(position, &state);
    Some(TreeRow {
        pid: image.pid,
        generation: image.generation,
        parent: state.identity.parent,
        command: state.identity.command,
        started: state.identity.started,
        ended: state.identity.ended,
        exit: state.identity.exit,
        resident: resident.map(|all| all.saturating_sub(state.exactness.tracer_bytes)),
        traced: Traced::Yes(sums),
    })
}

fn untraced(child: &Untraced, launched_ns: u64) -> TreeRow {
    let since_launch = |at: u64| since(launched_ns, at);
    TreeRow {
        pid: child.pid,
        parent: Some(child.parent),
        command: child.command.clone(),
        started: since_launch(child.started_ns),
        ended: child.ended_ns.map(since_launch),
        resident: child.resident,
        traced: Traced::No(child.reason),
        ..TreeRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_mappings_is_old_after_a_while_or_once_much_has_changed() {
        let gap = Gap { live: 100, files: 60, ..Gap::default() };
        let looked = Looked { image: 0, at_ns: 1000, usable: 100, gap };
        let later = |ns: u64| 1000 + ns;
        assert!(!looked.is_old(110, later(0)) && !looked.is_old(90, later(1_999_999_999)));
        assert!(looked.is_old(111, later(0)) && looked.is_old(89, later(0)));
        assert!(looked.is_old(100, later(2_000_000_000)));
    }
}
