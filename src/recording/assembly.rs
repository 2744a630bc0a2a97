//! From frames to a tree: each frame updates what it is about, and what that takes in memory
//! stays within [`MAX_HELD_BYTES`].

use std::{
    collections::HashMap,
    io::Read,
    mem::{size_of, size_of_val, take},
    time::Duration,
};

use super::{
    Frame, MAX_HELD_BYTES, ReadError, Reader, Snapshot, Ticks, VERSION, site_age::SitesAge,
    untraced::drop_traced,
};
use crate::model::{
    Function, Identity, Interval, Location, LocationId, Module, Names, Node, Point, ProcessState,
    SiteFigures, SitesUpdate, SizeClass, Stack, ThreadState, TreeState,
};

/// A recording, read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recording {
    /// What it holds, up to the cut if there is one.
    pub tree: TreeState,
    /// Whether it stops before its end: it is damaged, was cut, or is still being written.
    pub cut: bool,
    /// Indices of the processes whose figures the recording does not hold: it was cut before
    /// they were written. All of their figures are unknown, not zero.
    pub without_state: Vec<usize>,
    /// Its end, since the session of the launched program began, where a later moment was asked
    /// for.
    pub ended_before: Option<Duration>,
    /// How many of its bytes were good.
    pub good_bytes: u64,
    /// Its format.
    pub version: u32,
}

impl From<TreeState> for Recording {
    /// What a complete recording of `tree` reads as.
    fn from(tree: TreeState) -> Self {
        Self { tree, version: VERSION, ..Self::default() }
    }
}

/// Reads a whole recording.
///
/// # Errors
/// When `input` is no recording that this memtop understands, or cannot be read. A cut or
/// damaged one is read up to there.
pub fn read_tree<R: Read>(input: R) -> Result<Recording, ReadError> {
    let mut reader = Reader::new(input)?;
    let mut assembly = Assembly::default();
    while let Some(frame) = reader.next_frame()? {
        assembly.add(frame)?;
    }
    assembly.finish(reader.is_cut());
    Ok(Recording {
        without_state: assembly.without_state(),
        tree: assembly.tree,
        ended_before: None,
        cut: reader.is_cut(),
        good_bytes: reader.offset(),
        version: reader.version(),
    })
}

/// A tree in the making.
#[derive(Default)]
struct Assembly {
    tree: TreeState,
    positions: HashMap<u64, usize>,
    /// Beside each process of the tree.
    partial: Vec<Partial>,
    held_bytes: usize,
}

/// What is known of a process image beside what the tree holds.
#[derive(Default)]
struct Partial {
    has_state: bool,
    /// The point of the last tick.
    point: Point,
    /// Points of ticks whose timeline frame has not come.
    recent: Vec<Point>,
    /// Of when its sites are.
    age: SitesAge,
}

impl Assembly {
    fn add(&mut self, frame: Frame) -> Result<(), ReadError> {
        self.held_bytes = self.held_bytes.saturating_add(weight(&frame));
        self.apply(frame);
        if self.held_bytes > MAX_HELD_BYTES {
            return Err(ReadError::TooLarge);
        }
        Ok(())
    }

    fn apply(&mut self, frame: Frame) {
        match frame {
            Frame::Launch { command, launched_at } => {
                self.tree.command = command;
                self.tree.launched_at = launched_at;
            }
            Frame::Process { image, identity } => self.introduce(image, identity),
            Frame::Exit { image: None, exit, .. } => self.tree.exit = exit,
            Frame::Untraced(process) => process.note(&mut self.tree.untraced),
            Frame::Window { image, .. }
            | Frame::State { image, .. }
            | Frame::Along { image, .. }
            | Frame::Timeline { image, .. }
            | Frame::Modules { image, .. }
            | Frame::Stacks { image, .. }
            | Frame::Symbols { image, .. }
            | Frame::Cells { image, .. }
            | Frame::Ticks { image, .. }
            | Frame::Exit { image: Some(image), .. } => self.update(image, frame),
            Frame::Mark { .. }
            | Frame::Events { .. }
            | Frame::Gap(_)
            | Frame::Index { .. }
            | Frame::End { .. }
            | Frame::Skipped { .. } => {}
        }
    }

    fn introduce(&mut self, image: u64, identity: Identity) {
        let known = self.positions.get(&image).and_then(|&at| self.tree.processes.get_mut(at));
        if let Some(process) = known {
            let Identity { ended, exit, .. } = process.identity;
            process.identity = Identity { ended, exit, ..identity };
            return;
        }
        self.positions.insert(image, self.tree.processes.len());
        self.tree.processes.push(ProcessState { identity, ..ProcessState::default() });
        self.partial.push(Partial::default());
    }

    fn update(&mut self, image: u64, frame: Frame) {
        let Some(&position) = self.positions.get(&image) else {
            return;
        };
        let (Some(process), Some(partial)) =
            (self.tree.processes.get_mut(position), self.partial.get_mut(position))
        else {
            return;
        };
        let before = figures_weight(process);
        update(process, partial, frame);
        // Later figures replace the earlier ones: only one of them is held.
        self.held_bytes = self.held_bytes.saturating_sub(before) + figures_weight(process);
    }

    /// Ticks behind the last timeline frame are part of the timeline too. A recording that is
    /// complete was ended with a look at everything.
    fn finish(&mut self, is_cut: bool) {
        for (process, partial) in self.tree.processes.iter_mut().zip(&mut self.partial) {
            process.timeline.append(&mut partial.recent);
            if is_cut && partial.has_state {
                process.date_sites(partial.age.right_until());
            }
        }
        let images = self.tree.processes.iter().map(|process| &process.identity);
        drop_traced(&mut self.tree.untraced, images);
    }

    fn without_state(&self) -> Vec<usize> {
        let all = self.partial.iter().enumerate();
        all.filter(|(_, partial)| !partial.has_state).map(|(at, _)| at).collect()
    }
}

/// What a frame says about its image.
fn update(process: &mut ProcessState, partial: &mut Partial, frame: Frame) {
    match frame {
        Frame::Window { window, .. } => process.window = window,
        Frame::Timeline { mut points, .. } => {
            partial.recent.clear();
            process.timeline.append(&mut points);
        }
        Frame::Exit { ended, exit, .. } => {
            process.identity.ended = ended;
            process.identity.exit = exit;
        }
        Frame::State { state, .. } => set_figures(process, partial, *state),
        Frame::Along { state, at, .. } => {
            set_figures(process, partial, *state);
            partial.point = Point { at, ..Point::default() };
        }
        Frame::Ticks { ticks, .. } => add_ticks(process, partial, ticks),
        Frame::Cells { at, cells, .. } => {
            cells.apply(&mut process.sites.figures, &mut partial.age.sum);
            let tick = partial.has_state.then_some((partial.point.at, &process.totals));
            partial.age.looked(at, tick);
        }
        dictionary => {
            if matches!(dictionary, Frame::Modules { restart: true, .. }) {
                partial.age = SitesAge::default();
            }
            update_sites(process, dictionary);
        }
    }
}

fn set_figures(process: &mut ProcessState, partial: &mut Partial, state: ProcessState) {
    partial.has_state = true;
    *process = ProcessState {
        identity: take(&mut process.identity),
        window: take(&mut process.window),
        sites: take(&mut process.sites),
        names: take(&mut process.names),
        timeline: take(&mut process.timeline),
        ..state
    };
}

fn add_ticks(process: &mut ProcessState, partial: &mut Partial, mut ticks: Ticks) {
    // Without a state to count from the differences mean nothing.
    if !partial.has_state {
        return;
    }
    let mut snapshot = Snapshot { state: take(process), point: partial.point };
    while ticks.apply_next(&mut snapshot) {
        partial.recent.push(snapshot.point);
        partial.age.tick(snapshot.point.at, &snapshot.state.totals);
    }
    partial.point = snapshot.point;
    *process = snapshot.state;
}

fn update_sites(process: &mut ProcessState, frame: Frame) {
    let sites = &mut process.sites;
    match frame {
        Frame::Modules { restart, modules, .. } => {
            if restart {
                process.names = Names::default();
            }
            sites.apply(SitesUpdate { restart, modules, ..SitesUpdate::default() });
        }
        Frame::Stacks { update, .. } => sites.apply(update),
        Frame::Symbols { names, .. } => {
            let known = sites.locations.len();
            // A name of nothing that is known would only take up room.
            for (location, functions) in names {
                if (location.0 as usize) < known {
                    process.names.insert(location, functions);
                }
            }
        }
        _ => {}
    }
}

/// Memory that a frame takes for good once it is part of a tree, roughly; what figures take is
/// counted when they have been taken in.
fn weight(frame: &Frame) -> usize {
    match frame {
        Frame::Launch { command, .. } => arguments_weight(command),
        Frame::Process { identity, .. } => {
            size_of::<ProcessState>() + size_of::<Partial>() + arguments_weight(&identity.command)
        }
        Frame::Untraced(process) => size_of_val(process) + arguments_weight(&process.command),
        Frame::Window { window, .. } => window.intervals.len() * size_of::<Interval>(),
        Frame::Timeline { points, .. } => points.len() * size_of::<Point>(),
        Frame::Ticks { ticks, .. } => ticks.count() * size_of::<Point>(),
        Frame::Modules { modules, .. } => modules.iter().map(module_weight).sum(),
        Frame::Stacks { update, .. } => {
            update.locations.len() * (size_of::<Location>() + size_of::<Option<usize>>() * 2)
                + update.nodes.len() * size_of::<Node>()
                + update.stacks.len() * (size_of::<Stack>() + size_of::<SiteFigures>())
        }
        Frame::Symbols { names, .. } => names.iter().map(names_weight).sum(),
        _ => 0,
    }
}

fn module_weight(module: &Module) -> usize {
    size_of_val(module) + module.path.len() + module.build_id.len()
}

fn names_weight((_, functions): &(LocationId, Vec<Function>)) -> usize {
    let text = |function: &Function| {
        function.name.len() + function.file.as_ref().map_or(0, |file| file.len())
    };
    size_of_val(functions.as_slice()) + functions.iter().map(text).sum::<usize>()
}

fn figures_weight(state: &ProcessState) -> usize {
    let classes = state.size_classes.len() + state.size_classes_at_peak.len();
    let names = state.threads.iter().filter_map(|thread| thread.name.as_ref());
    classes * size_of::<SizeClass>()
        + state.threads.len() * size_of::<ThreadState>()
        + names.map(String::len).sum::<usize>()
}

fn arguments_weight(command: &[Vec<u8>]) -> usize {
    command.iter().map(Vec::len).sum::<usize>() + size_of_val(command)
}
