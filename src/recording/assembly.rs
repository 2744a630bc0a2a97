//! From frames to a tree: each frame updates what it is about, and what that takes in memory
//! stays within [`MAX_HELD_BYTES`].

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    mem::{size_of, size_of_val, take},
};

use super::{Frame, MAX_HELD_BYTES, ReadError, Reader, VERSION};
use crate::model::{Identity, Interval, Point, ProcessState, SizeClass, ThreadState, TreeState};

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
    Ok(Recording {
        without_state: assembly.without_state(),
        tree: assembly.tree,
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
    with_state: HashSet<usize>,
    held_bytes: usize,
}

impl Assembly {
    fn add(&mut self, frame: Frame) -> Result<(), ReadError> {
        self.held_bytes = self.held_bytes.saturating_add(weight(&frame));
        if self.held_bytes > MAX_HELD_BYTES {
            return Err(ReadError::TooLarge);
        }
        self.apply(frame);
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
            Frame::Window { image, .. }
            | Frame::State { image, .. }
            | Frame::Timeline { image, .. }
            | Frame::Exit { image: Some(image), .. } => self.update(image, frame),
            Frame::End { .. } | Frame::Skipped { .. } => {}
        }
    }

    fn introduce(&mut self, image: u64, identity: Identity) {
        self.positions.insert(image, self.tree.processes.len());
        self.tree.processes.push(ProcessState { identity, ..ProcessState::default() });
    }

    fn update(&mut self, image: u64, frame: Frame) {
        let Some(&position) = self.positions.get(&image) else {
            return;
        };
        let Some(process) = self.tree.processes.get_mut(position) else {
            return;
        };
        if matches!(frame, Frame::State { .. }) {
            self.with_state.insert(position);
            // A later state replaces the earlier one: only one of them is held.
            self.held_bytes = self.held_bytes.saturating_sub(figures_weight(process));
        }
        update(process, frame);
    }

    fn without_state(&self) -> Vec<usize> {
        let all = 0..self.tree.processes.len();
        all.filter(|at| !self.with_state.contains(at)).collect()
    }
}

/// What a frame says about its image.
fn update(process: &mut ProcessState, frame: Frame) {
    match frame {
        Frame::Window { window, .. } => process.window = window,
        Frame::Timeline { mut points, .. } => process.timeline.append(&mut points),
        Frame::Exit { ended, exit, .. } => {
            process.identity.ended = ended;
            process.identity.exit = exit;
        }
        Frame::State { state, .. } => {
            *process = ProcessState {
                identity: take(&mut process.identity),
                window: take(&mut process.window),
                timeline: take(&mut process.timeline),
                ..*state
            };
        }
        _ => {}
    }
}

/// Memory that a frame takes once it is part of a tree, roughly.
fn weight(frame: &Frame) -> usize {
    match frame {
        Frame::Launch { command, .. } => arguments_weight(command),
        Frame::Process { identity, .. } => {
            size_of::<ProcessState>() + arguments_weight(&identity.command)
        }
        Frame::Window { window, .. } => window.intervals.len() * size_of::<Interval>(),
        Frame::Timeline { points, .. } => points.len() * size_of::<Point>(),
        Frame::State { state, .. } => figures_weight(state),
        Frame::Exit { .. } | Frame::End { .. } | Frame::Skipped { .. } => 0,
    }
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
