//! From the model to the report, one process at a time.

use std::time::Duration;

use super::{
    json::{
        Census, Exactness, Exit, Inherited, Interval, Point, Process, Sections, Sites, SizeClass,
        Target, Thread, Totals, UntracedProcess, Untracked, Window,
    },
    sites,
};
use crate::model::{self, Filter, ProcessState};

pub(super) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Arguments as text.
pub(super) fn words(command: &[Vec<u8>]) -> Vec<String> {
    let word = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    command.iter().map(word).collect()
}

impl<'a> Process<'a> {
    pub(super) fn new(process: &ProcessState, sections: Sections<'a>) -> Self {
        let identity = &process.identity;
        Self {
            pid: identity.pid,
            generation: identity.generation,
            parent: identity.parent,
            started_s: seconds(identity.started),
            ended_s: identity.ended.map(seconds),
            sections,
        }
    }
}

impl From<&model::UntracedProcess> for UntracedProcess {
    fn from(process: &model::UntracedProcess) -> Self {
        Self {
            pid: process.pid,
            parent: process.parent,
            command: words(&process.command),
            started_s: seconds(process.started),
            ended_s: process.ended.map(seconds),
            why: process.why.clone(),
            name: process.name(),
        }
    }
}

impl<'a> Sections<'a> {
    /// The figures of one process at its end; of its sites those that pass the filter.
    pub(super) fn at_end(process: &'a ProcessState, filter: &Filter) -> Self {
        if process.is_untraced() {
            let sentence = Some(model::window_sentence(process));
            return Self { sentence, is_untraced: true, ..Self::unknown(process) };
        }
        let classes = process.size_classes.iter().map(SizeClass::from);
        let peak_blocks = process.peak_blocks();
        Self {
            totals: Some(Totals { peak_blocks, ..Totals::from(&process.totals) }),
            untracked: Some(untracked(process)),
            inherited: Some(Inherited::from(&process.inherited)),
            exactness: Some(exactness(process)),
            sites: Sites::at_end(process, filter),
            size_classes: Some(classes.collect()),
            threads: Some(process.threads.iter().map(Thread::from).collect()),
            sentence: Some(model::window_sentence(process)),
            ..Self::unknown(process)
        }
    }

    /// The figures of one process at its byte peak.
    pub(super) fn at_peak(process: &'a ProcessState, filter: &Filter) -> Self {
        let mut sections = Self::at_end(process, filter);
        sections.sites = Sites::at_peak(process, filter);
        if let Some(exactness) = &mut sections.exactness {
            exactness.sites_off_bytes = None;
        }
        if let Some(totals) = &mut sections.totals {
            totals.current_bytes = process.totals.peak_bytes;
            totals.current_blocks = process.totals.peak_blocks;
            totals.usable_current_bytes = None;
        }
        let classes = &process.size_classes_at_peak;
        let known = !classes.is_empty() || process.totals.peak_blocks == 0;
        sections.size_classes = known.then(|| classes.iter().map(SizeClass::from).collect());
        for thread in sections.threads.iter_mut().flatten() {
            thread.current_bytes = None;
        }
        sections
    }

    /// What is known of a process whose figures were cut off.
    pub(super) fn unknown(process: &'a ProcessState) -> Self {
        Self {
            target: Target::from(&process.identity),
            window: Window::from(&process.window),
            totals: None,
            untracked: None,
            inherited: None,
            exactness: None,
            size_classes: None,
            sites: Sites::default(),
            threads: None,
            timeline: timeline(process),
            sentence: None,
            is_untraced: false,
        }
    }
}

impl From<&model::Identity> for Target {
    fn from(identity: &model::Identity) -> Self {
        Self {
            command: words(&identity.command),
            pid: Some(identity.pid),
            exit: identity.exit.map(Exit::from),
        }
    }
}

impl From<model::Exit> for Exit {
    fn from(exit: model::Exit) -> Self {
        match exit {
            model::Exit::Code(code) => Self::Code(code),
            model::Exit::Signal(signal) => Self::Signal(signal),
        }
    }
}

impl From<&model::Window> for Window {
    fn from(window: &model::Window) -> Self {
        let interval = |interval: &model::Interval| Interval {
            from_s: seconds(interval.from),
            to_s: interval.to.map(seconds),
        };
        let intervals: Vec<_> = window.intervals.iter().map(interval).collect();
        Self {
            started_after_s: intervals.first().map(|first| first.from_s),
            intervals,
            cleared_after_s: window.cleared.map(seconds),
        }
    }
}

impl From<&model::Totals> for Totals {
    fn from(totals: &model::Totals) -> Self {
        Self {
            current_bytes: totals.current_bytes,
            current_blocks: totals.current_blocks,
            peak_bytes: Some(totals.peak_bytes),
            peak_blocks: Some(totals.peak_blocks),
            peak_at_s: totals.peak_at.map(seconds),
            max_blocks: Some(totals.max_blocks),
            peak_at_most_bytes: None,
            allocated_bytes: totals.allocated_bytes,
            allocations: totals.allocations,
            freed_bytes: totals.freed_bytes,
            frees: totals.frees,
            reallocations: totals.reallocations,
            temporary: totals.temporary,
            usable_current_bytes: Some(totals.usable_current_bytes),
        }
    }
}

impl From<&model::Untracked> for Untracked {
    fn from(untracked: &model::Untracked) -> Self {
        Self {
            frees: untracked.frees,
            freed_bytes: untracked.freed_bytes,
            net_bytes: Some(untracked.net_bytes),
            census: untracked.census.map(|census| Census {
                blocks: census.blocks,
                bytes: census.bytes,
                still_live_blocks: census.still_live_blocks,
                still_live_bytes: census.still_live_bytes,
            }),
        }
    }
}

impl From<&model::Inherited> for Inherited {
    fn from(inherited: &model::Inherited) -> Self {
        Self {
            blocks: inherited.blocks,
            bytes: inherited.bytes,
            frees: inherited.frees,
            freed_bytes: inherited.freed_bytes,
        }
    }
}

impl From<&model::Exactness> for Exactness {
    fn from(exactness: &model::Exactness) -> Self {
        Self {
            peak_error_bytes: Some(exactness.peak_error_bytes),
            dropped_events: exactness.dropped_events,
            lost_records: exactness.lost_records,
            unattributed_blocks: exactness.unattributed_blocks,
            frames_unresolved: exactness.frames_unresolved,
            stacks_cut: exactness.stacks_cut,
            sites_at_s: None,
            sites_off_bytes: None,
            tracer_bytes: exactness.tracer_bytes,
            ns_per_event: exactness.ns_per_event,
            ns_per_event_error: exactness.ns_per_event_error,
        }
    }
}

fn untracked(process: &ProcessState) -> Untracked {
    let untracked = Untracked::from(&process.untracked);
    Untracked { net_bytes: untracked.net_bytes.filter(|_| process.knows_net()), ..untracked }
}

/// How far off the figures may be; about stacks, what they themselves say.
fn exactness(process: &ProcessState) -> Exactness {
    let exactness = Exactness::from(&process.exactness);
    let counted = sites::exactness(process);
    Exactness {
        frames_unresolved: exactness.frames_unresolved.or(counted.map(|counted| counted.0)),
        stacks_cut: exactness.stacks_cut.or(counted.map(|counted| counted.1)),
        sites_at_s: process.sites.as_of.map(seconds),
        sites_off_bytes: sites::off_bytes(process),
        ..exactness
    }
}

impl From<&model::SizeClass> for SizeClass {
    fn from(class: &model::SizeClass) -> Self {
        Self {
            min: class.min,
            max: class.max,
            current_blocks: class.current_blocks,
            current_bytes: class.current_bytes,
            allocations: class.allocations,
            allocated_bytes: class.allocated_bytes,
        }
    }
}

impl From<&model::ThreadState> for Thread {
    fn from(thread: &model::ThreadState) -> Self {
        Self {
            tid: thread.tid,
            name: thread.name.clone(),
            current_bytes: Some(thread.current_bytes),
            allocations: thread.allocations,
            allocated_bytes: thread.allocated_bytes,
        }
    }
}

/// What was live before tracing first started is not known: it was not nothing.
fn timeline(process: &ProcessState) -> Vec<Point> {
    let first = process.window.intervals.first();
    let sample = |point: &model::Point| {
        let counted = point.max_bytes > 0 || point.untracked_freed_bytes > 0;
        let known = counted || first.is_some_and(|first| first.from <= point.at);
        let known = |figure: u64| known.then_some(figure);
        Point {
            t_s: seconds(point.at),
            current_bytes: known(point.current_bytes),
            max_bytes: known(point.max_bytes),
            rss_bytes: point.rss_bytes,
            untracked_freed_bytes: known(point.untracked_freed_bytes),
        }
    };
    process.timeline.iter().map(sample).collect()
}
