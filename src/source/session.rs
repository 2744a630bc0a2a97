//! From a live session's figures to the state of a process: pure functions.
//!
//! The figures come from shared memory that the program can scribble over, so all arithmetic
//! saturates. What the memory cannot know (generation, end, names, history) is handed in as
//! [`Facts`].

use std::{collections::BTreeMap, time::Duration};

use memtop_probe::session::{
    layout,
    reader::{ClassReading, ClockReading, SessionReading, ThreadReading},
    size_class,
};

use crate::model::{
    Entry, Exactness, Exit, Identity, Inherited, Interval, Names, Point, ProcessState, Sites,
    SizeClass, ThreadState, Totals, Untracked, Window,
};

/// What is known about a process image beside its figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// 0 for the first image of its pid.
    pub generation: u32,
    /// Whether the parent is part of the tree.
    pub parent_in_tree: bool,
    /// When it ended, `CLOCK_MONOTONIC` nanoseconds.
    pub ended_ns: Option<u64>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Names of threads by id.
    pub thread_names: BTreeMap<u32, String>,
    /// Its history.
    pub timeline: Vec<Point>,
}

/// The state of one process image. The launch is the moment the memory was made.
pub fn process_state(reading: &SessionReading, clock: &ClockReading, facts: Facts) -> ProcessState {
    ProcessState {
        identity: identity(reading, clock, &facts),
        window: window(clock, reading.started_ns, facts.ended_ns),
        totals: totals(reading, clock),
        untracked: untracked(reading),
        inherited: inherited(reading),
        exactness: exactness(reading),
        size_classes: size_classes(&reading.classes),
        size_classes_at_peak: size_classes_at_peak(&reading.classes),
        threads: threads(&reading.threads, &facts.thread_names),
        sites: Sites::default(),
        names: Names::default(),
        timeline: facts.timeline,
    }
}

/// One sample of the timeline.
pub fn point(reading: &SessionReading, now_ns: u64, highest: u64, resident: Option<u64>) -> Point {
    let current = live_bytes(reading);
    Point {
        at: since(reading.started_ns, now_ns),
        current_bytes: current,
        max_bytes: highest.max(current),
        rss_bytes: resident.map(|bytes| bytes.saturating_sub(reading.tracer_bytes)),
        untracked_freed_bytes: reading.untracked_bytes,
    }
}

/// Live requested bytes.
pub fn live_bytes(reading: &SessionReading) -> u64 {
    sum(&reading.classes, ClassReading::live_bytes)
}

fn identity(reading: &SessionReading, clock: &ClockReading, facts: &Facts) -> Identity {
    let since_launch = |at| since(clock.created_ns, at);
    Identity {
        pid: reading.pid,
        generation: facts.generation,
        parent: facts.parent_in_tree.then_some(reading.parent),
        command: reading.command.clone(),
        entry: entry(reading.entry),
        started: since_launch(reading.started_ns),
        ended: facts.ended_ns.map(since_launch),
        exit: facts.exit,
    }
}

fn entry(code: u32) -> Entry {
    match code {
        layout::entry::EMBEDDED => Entry::Embedded,
        layout::entry::FORK => Entry::Fork,
        _ => Entry::Preload,
    }
}

/// The stretches of tracing that lie in the life of the process, since its start.
fn window(clock: &ClockReading, started_ns: u64, ended_ns: Option<u64>) -> Window {
    let clip = |&(from, to): &(u64, Option<u64>)| {
        let from = from.max(started_ns);
        // An interval that is open goes on as long as the process.
        let to = match (to, ended_ns) {
            (Some(to), Some(ended)) => Some(to.min(ended)),
            (to, ended) => to.or(ended),
        };
        let empty = to.is_some_and(|to| to <= from);
        (!empty).then(|| Interval {
            from: since(started_ns, from),
            to: to.map(|to| since(started_ns, to)),
        })
    };
    let intervals: Vec<Interval> = clock.intervals.iter().filter_map(clip).collect();
    let cleared = clock.cleared_ns.filter(|&at| ended_ns.is_none_or(|ended| at < ended));
    let cleared = cleared.map(|at| since(started_ns, at));
    let first = intervals.first().map(|first| first.from);
    Window { cleared: cleared.filter(|at| first.is_some_and(|first| first < *at)), intervals }
}

fn totals(reading: &SessionReading, clock: &ClockReading) -> Totals {
    let classes = &reading.classes;
    let followed = sum(classes, |class| class.allocations);
    let allocations = followed.saturating_add(reading.unattributed);
    let allocated = sum(classes, |class| class.allocated_bytes);
    Totals {
        current_bytes: live_bytes(reading),
        current_blocks: sum(classes, ClassReading::live_blocks),
        peak_bytes: reading.peak_bytes,
        peak_blocks: reading.peak_blocks,
        peak_at: peak_at(reading, clock).filter(|_| followed != 0),
        max_blocks: reading.max_blocks,
        allocated_bytes: allocated.saturating_add(reading.unattributed_bytes),
        allocations,
        freed_bytes: sum(classes, |class| class.freed_bytes),
        frees: sum(classes, |class| class.frees),
        reallocations: reading.reallocations,
        temporary: reading.temporary,
        usable_current_bytes: reading.usable_allocated.saturating_sub(reading.usable_freed),
        usable_allocated_bytes: reading.usable_allocated,
        usable_freed_bytes: reading.usable_freed,
    }
}

/// The moment of the peak, to the tick in which it was reached; `None` where nobody kept the
/// time.
fn peak_at(reading: &SessionReading, clock: &ClockReading) -> Option<Duration> {
    if clock.unwatched_until(reading.peak_tick).is_some() {
        return None;
    }
    let since_launch = reading.peak_tick.saturating_mul(clock.tick_ns);
    Some(since(reading.started_ns, clock.created_ns.saturating_add(since_launch)))
}

fn untracked(reading: &SessionReading) -> Untracked {
    let freed = i128::from(reading.usable_freed) + i128::from(reading.untracked_bytes);
    let unattributed = i128::from(reading.unattributed_usable);
    let net = i128::from(reading.usable_allocated) + unattributed - freed;
    Untracked {
        frees: reading.untracked_frees,
        freed_bytes: reading.untracked_bytes,
        net_bytes: net.clamp(i64::MIN.into(), i64::MAX.into()) as i64,
        census: None,
    }
}

fn inherited(reading: &SessionReading) -> Inherited {
    Inherited {
        blocks: reading.inherited_blocks,
        bytes: reading.inherited_bytes,
        frees: reading.inherited_frees,
        freed_bytes: reading.inherited_freed,
    }
}

fn exactness(reading: &SessionReading) -> Exactness {
    Exactness {
        peak_error_bytes: reading.peak_error_bytes,
        dropped_events: reading.dropped_events,
        lost_records: reading.lost_records,
        unattributed_blocks: reading.unattributed,
        frames_unresolved: None,
        stacks_cut: reading.stacks_cut,
        tracer_bytes: reading.tracer_bytes,
        ns_per_event: reading.cost.map(|cost| cost.ns),
        ns_per_event_error: reading.cost.and_then(|cost| cost.error_ns),
    }
}

fn size_classes(classes: &[ClassReading]) -> Vec<SizeClass> {
    let used = |(index, class): (usize, &ClassReading)| {
        let (min, max) = size_class::bounds(index);
        (class.allocations != 0).then(|| SizeClass {
            min,
            max,
            current_blocks: class.live_blocks(),
            current_bytes: class.live_bytes(),
            allocations: class.allocations,
            allocated_bytes: class.allocated_bytes,
        })
    };
    classes.iter().enumerate().filter_map(used).collect()
}

/// What was live at the peak; the sums up to then are not kept and read as those of now.
fn size_classes_at_peak(classes: &[ClassReading]) -> Vec<SizeClass> {
    let held = |(index, class): (usize, &ClassReading)| {
        let (min, max) = size_class::bounds(index);
        (class.peak_blocks > 0).then(|| SizeClass {
            min,
            max,
            current_blocks: class.peak_blocks as u64,
            current_bytes: class.peak_bytes.max(0) as u64,
            allocations: class.allocations,
            allocated_bytes: class.allocated_bytes,
        })
    };
    classes.iter().enumerate().filter_map(held).collect()
}

fn threads(readings: &[ThreadReading], names: &BTreeMap<u32, String>) -> Vec<ThreadState> {
    let state = |reading: &ThreadReading| ThreadState {
        tid: reading.tid,
        name: names.get(&reading.tid).cloned(),
        current_bytes: reading.current_bytes,
        allocations: reading.allocations,
        allocated_bytes: reading.allocated_bytes,
    };
    readings.iter().map(state).collect()
}

fn sum(classes: &[ClassReading], figure: impl Fn(&ClassReading) -> u64) -> u64 {
    classes.iter().map(figure).fold(0, u64::saturating_add)
}

/// From one moment to another.
pub(super) fn since(start_ns: u64, at_ns: u64) -> Duration {
    Duration::from_nanos(at_ns.saturating_sub(start_ns))
}

#[cfg(test)]
mod tests;
