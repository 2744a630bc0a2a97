//! Where memory comes from, stack by stack: the `sites` of the JSON report.
//!
//! There may be a hundred thousand stacks of twenty frames, so a row borrows from the
//! recording and its frames are only written out as they are printed.

use std::cmp::Reverse;

use serde::{Serialize, Serializer};

use crate::{
    model::{self, Filter, Grouping, Groups, ProcessState, Scope, SiteFigures, StackId},
    symbols::Plumbing,
};

/// The stacks of a process at a moment, or of several.
#[derive(Debug, Clone, Default)]
pub struct Sites<'a> {
    sources: Vec<Source<'a>>,
    rows: Vec<Site<'a>>,
}

/// A process and its moment.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its stacks.
    pub scope: Scope<'a>,
    /// Live figures are those of the byte peak.
    pub at_peak: bool,
}

/// One stack.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// What its process has.
    pub source: Source<'a>,
    /// Which of them it is.
    pub stack: StackId,
    /// Its figures at the moment of its source.
    pub figures: SiteFigures,
}

impl<'a> Source<'a> {
    fn new(process: &'a ProcessState, at_peak: bool) -> Self {
        let plumbing = Plumbing::in_use();
        let scope = Scope { sites: &process.sites, names: &process.names, plumbing, kinds: None };
        Self { scope, at_peak }
    }

    /// Figures as they were at its moment.
    pub fn then(&self, figures: &SiteFigures) -> SiteFigures {
        match self.at_peak {
            false => *figures,
            true => SiteFigures {
                current_bytes: figures.at_peak_bytes,
                current_blocks: figures.at_peak_blocks,
                ..*figures
            },
        }
    }

    fn rows(self, filter: &Filter) -> Vec<Site<'a>> {
        let groups =
            (!filter.is_empty()).then(|| Groups::of(self.scope, Grouping::Stack, filter.clone()));
        let figures = self.scope.sites.figures.iter().enumerate();
        let row = |(at, figures): (usize, &SiteFigures)| {
            let stack = StackId(at as u32);
            let passes = groups.as_ref().is_none_or(|groups| groups.of_stack(stack).is_some());
            let used = figures.allocations != 0 || figures.current_blocks != 0;
            (passes && used).then(|| Site { source: self, stack, figures: self.then(figures) })
        };
        figures.filter_map(row).collect()
    }
}

impl<'a> Sites<'a> {
    /// At the end of a process.
    pub(super) fn at_end(process: &'a ProcessState, filter: &Filter) -> Self {
        Self::new(Source::new(process, false), filter)
    }

    /// At its byte peak.
    pub(super) fn at_peak(process: &'a ProcessState, filter: &Filter) -> Self {
        Self::new(Source::new(process, true), filter)
    }

    /// Those of several processes.
    pub(super) fn together<'b>(parts: impl Iterator<Item = &'b Self>) -> Self
    where
        'a: 'b,
    {
        let mut all = Self::default();
        for part in parts {
            all.sources.extend(&part.sources);
            all.rows.extend(&part.rows);
        }
        all.sort();
        all
    }

    fn new(source: Source<'a>, filter: &Filter) -> Self {
        let mut sites = Self { sources: vec![source], rows: source.rows(filter) };
        sites.sort();
        sites
    }

    fn sort(&mut self) {
        let weight = |site: &Site<'_>| {
            let figures = &site.figures;
            (Reverse(figures.current_bytes), Reverse(figures.allocated_bytes), site.stack)
        };
        self.rows.sort_by_key(weight);
    }

    /// The processes it is of.
    pub(super) fn sources(&self) -> &[Source<'a>] {
        &self.sources
    }

    /// Whether there is any stack.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether anything is known of what came from where: some moments have totals and no more.
    pub(super) fn are_known(&self) -> bool {
        self.sources.iter().any(|source| source.scope.sites.have_figures())
    }

    /// Without its stacks.
    pub(super) fn emptied(&self) -> Self {
        Self { sources: self.sources.clone(), rows: Vec::new() }
    }
}

/// Places without a name and stacks cut short; `None` without stacks.
pub(super) fn exactness(process: &ProcessState) -> Option<(u64, u64)> {
    let model::Sites { locations, stacks, .. } = &process.sites;
    let named = |functions: &[model::Function]| functions.iter().any(|one| !one.name.is_empty());
    let resolved = process.names.iter().filter(|(_, functions)| named(functions)).count();
    let cut = stacks.iter().filter(|stack| stack.cut).count();
    let unresolved = locations.len().saturating_sub(resolved);
    (!stacks.is_empty()).then_some((unresolved as u64, cut as u64))
}

/// By how much sites come to more than what is live: those of a tick are looked at right after its
/// totals, while the program goes on. `None` where that is not known, where they are of another
/// moment, and of what has ended and went on with nothing.
pub(super) fn off_bytes(process: &ProcessState) -> Option<i64> {
    let is_comparable = process.knows_sites()
        && process.sites.as_of.is_none()
        && process.identity.ended.is_none()
        && process.exactness.unattributed_blocks == 0;
    let bytes = process.sites.figures.iter().map(|one| one.current_bytes);
    let sum = bytes.fold(0, u64::wrapping_add);
    is_comparable.then_some(sum.wrapping_sub(process.totals.current_bytes) as i64)
}

impl Serialize for Sites<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.rows)
    }
}

impl Serialize for Site<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scope = self.source.scope;
        let frames: Vec<_> = scope.places(self.stack).map(|place| scope.frame(place)).collect();
        let figures = &self.figures;
        Written {
            frames: frames.iter().map(Frame::new).collect(),
            current_bytes: figures.current_bytes,
            current_blocks: figures.current_blocks,
            at_peak_bytes: figures.at_peak_bytes,
            at_peak_blocks: figures.at_peak_blocks,
            allocated_bytes: figures.allocated_bytes,
            allocations: figures.allocations,
            temporary: figures.temporary,
        }
        .serialize(serializer)
    }
}

/// A site as the contract has it.
#[derive(Serialize)]
struct Written<'a> {
    frames: Vec<Frame<'a>>,
    current_bytes: u64,
    current_blocks: u64,
    at_peak_bytes: u64,
    at_peak_blocks: u64,
    allocated_bytes: u64,
    allocations: u64,
    temporary: u64,
}

/// A frame as the contract has it: null for what is not known.
#[derive(Serialize)]
struct Frame<'a> {
    function: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    module: Option<&'a str>,
    address: Option<String>,
}

impl<'a> Frame<'a> {
    fn new(frame: &'a model::Frame) -> Self {
        Self {
            function: frame.function.as_deref(),
            file: frame.file.as_deref(),
            line: frame.line,
            module: frame.module.as_deref(),
            address: frame.address.map(|address| format!("{address:#x}")),
        }
    }
}
