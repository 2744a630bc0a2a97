//! What every format is made of: the stacks of a process, and figures of each.

use std::{borrow::Cow, time::Duration};

use clap::ValueEnum;

use crate::{
    model::{Frame, Identity, LocationId, ProcessState, Scope, SiteFigures, StackId, command_line},
    recording::File,
    symbols::Plumbing,
};

/// What a format with one number a stack shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Figure {
    /// Live bytes.
    #[default]
    Bytes,
    /// Live blocks.
    Blocks,
    /// Bytes of all allocations so far.
    Allocated,
    /// Allocations so far.
    Allocations,
    /// Allocations freed before their thread allocated again.
    Temporary,
}

impl Figure {
    /// Its number for one stack.
    pub fn of(self, row: &Row) -> u64 {
        match self {
            Self::Bytes => row.bytes,
            Self::Blocks => row.blocks,
            Self::Allocated => row.figures.allocated_bytes,
            Self::Allocations => row.figures.allocations,
            Self::Temporary => row.figures.temporary,
        }
    }

    /// Whether it counts bytes.
    pub fn is_bytes(self) -> bool {
        matches!(self, Self::Bytes | Self::Allocated)
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bytes => "live bytes",
            Self::Blocks => "live blocks",
            Self::Allocated => "allocated bytes",
            Self::Allocations => "allocations",
            Self::Temporary => "temporary allocations",
        }
    }
}

/// A process image at the moment of the export.
#[derive(Debug, Clone, Copy)]
pub struct Process<'a> {
    /// Its state.
    pub state: &'a ProcessState,
    /// Of the launch, since the Unix epoch.
    pub launched_at: Duration,
    /// Since its session began; `None` at its end.
    pub at: Option<Duration>,
    /// Live figures are those of its byte peak.
    pub at_peak: bool,
    /// There are others beside it, so that its name must be said.
    pub one_of_several: bool,
}

/// A stack with its figures.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which stack.
    pub stack: StackId,
    /// Live bytes at the moment.
    pub bytes: u64,
    /// Live blocks at the moment.
    pub blocks: u64,
    /// Everything known.
    pub figures: SiteFigures,
}

impl<'a> Process<'a> {
    pub(super) fn has_stacks(&self) -> bool {
        !self.state.sites.stacks.is_empty()
    }

    /// Which image of an open recording it is.
    pub(super) fn image_in(&self, file: &File) -> Option<usize> {
        let own = |one: &Identity| (one.pid, one.generation, one.started);
        let identity = &self.state.identity;
        file.images().iter().position(|image| own(&image.identity) == own(identity))
    }

    /// Its stacks and names.
    pub fn scope(&self) -> Scope<'a> {
        let (sites, names) = (&self.state.sites, &self.state.names);
        Scope { sites, names, plumbing: Plumbing::in_use(), kinds: None }
    }

    /// The stacks under which anything was ever allocated.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<'a> {
        let at_peak = self.at_peak;
        let figures = self.state.sites.figures.iter().enumerate();
        let used = figures.filter(|(_, one)| one.allocations > 0 || one.current_blocks > 0);
        used.map(move |(at, figures)| Row {
            stack: StackId(at as u32),
            bytes: if at_peak { figures.at_peak_bytes } else { figures.current_bytes },
            blocks: if at_peak { figures.at_peak_blocks } else { figures.current_blocks },
            figures: *figures,
        })
    }

    /// The frames of a stack, innermost first, inlined ones among them.
    pub fn frames(&self, stack: StackId) -> impl Iterator<Item = Frame> + use<'a> {
        let scope = self.scope();
        scope.places(stack).map(move |place| scope.frame(place))
    }

    /// The locations of a stack, innermost first.
    pub fn locations(&self, stack: StackId) -> impl Iterator<Item = LocationId> + use<'a> {
        self.state.sites.frames(stack)
    }

    /// The frames' names, outermost first, after the process's own where there are several.
    pub fn path(&self, stack: StackId) -> Vec<String> {
        let mut path: Vec<String> = self.frames(stack).map(|frame| label(&frame).into()).collect();
        if self.state.sites.stacks.get(stack.0 as usize).is_some_and(|stack| stack.cut) {
            path.push(CUT.to_owned());
        }
        if path.is_empty() {
            path.push(NO_FRAMES.to_owned());
        }
        if self.one_of_several {
            path.push(self.name());
        }
        path.reverse();
        path
    }

    /// `4242 redis-server`.
    pub fn name(&self) -> String {
        let identity = &self.state.identity;
        let program = identity.command.first().map(|word| String::from_utf8_lossy(word));
        format!("{} {}", identity.pid, program.unwrap_or_default())
    }

    /// The program and its arguments, on one line.
    pub fn command(&self) -> String {
        let words: Vec<_> =
            self.state.identity.command.iter().map(|word| String::from_utf8_lossy(word)).collect();
        command_line(words.iter().map(AsRef::as_ref))
    }

    /// `end`, `peak` or `at`: which moment it is.
    pub fn moment_word(&self) -> &'static str {
        match self.at {
            _ if self.at_peak => "peak",
            Some(_) => "at",
            None => "end",
        }
    }

    /// When the moment was, since the process's session began; `None` when nobody knows.
    pub fn time(&self) -> Option<Duration> {
        let state = self.state;
        let lived = || Some(state.identity.ended?.saturating_sub(state.identity.started));
        match self.at {
            _ if self.at_peak => state.totals.peak_at,
            Some(at) => Some(at),
            None => lived().or_else(|| Some(state.timeline.last()?.at)),
        }
    }

    /// What is shown, for a person: `live bytes at the peak`.
    pub fn moment(&self) -> String {
        match self.at {
            _ if self.at_peak => "at the peak".to_owned(),
            Some(at) => format!("after {} s", at.as_secs_f64()),
            None => "at the end".to_owned(),
        }
    }
}

/// What stands outside of a stack's outermost frame when more are missing.
pub const CUT: &str = "(more frames)";

/// A stack without frames.
pub const NO_FRAMES: &str = "(no stack)";

/// What a frame is called: its function, else where it is.
pub fn label(frame: &Frame) -> Cow<'_, str> {
    match frame.function.as_deref() {
        Some(function) => function.into(),
        None => frame.place().map_or("(unknown)".into(), Cow::Owned),
    }
}
