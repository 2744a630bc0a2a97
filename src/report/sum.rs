//! All processes of a launch as one.
//!
//! Live, allocated and freed figures, size classes, untracked and inherited blocks add up,
//! each process image taken at its own end; its sites are those of every process. What does not
//! add up is null: a peak (processes peak at different moments, so the sum of their peaks is only
//! an upper bound, given as `totals.peak_at_most_bytes`), times and windows (each process has a
//! clock of its own), the cost of a call, and the timeline.

use std::{collections::BTreeMap, time::Duration};

use super::{
    ages,
    convert::{seconds, words},
    json::{
        Census, Exactness, Exit, Inherited, Sections, Sites, SizeClass, Target, Thread, Totals,
        Untracked, Window,
    },
};
use crate::model::TreeState;

/// The sum of `parts`, the sections of all processes of `tree`. Where one of them is
/// unknown, the sum is; one that was never traced adds nothing.
pub(super) fn sum<'a>(tree: &TreeState, parts: &[Sections<'a>]) -> Sections<'a> {
    let traced: Vec<_> = parts.iter().filter(|part| !part.is_untraced).cloned().collect();
    let parts = if traced.is_empty() { parts } else { &traced[..] };
    let totals = parts.iter().map(|part| part.totals.as_ref());
    let untracked = parts.iter().map(|part| part.untracked.as_ref());
    let inherited = parts.iter().map(|part| part.inherited.as_ref());
    let exactness = parts.iter().map(|part| part.exactness.as_ref());
    let origin = tree.processes.first().map_or(Duration::ZERO, |one| one.identity.started);
    let sites_at_s = ages::oldest(&tree.processes, origin).map(seconds);
    Sections {
        target: Target {
            command: words(&tree.command),
            pid: None,
            exit: tree.exit.map(Exit::from),
        },
        window: Window::default(),
        totals: fold(totals, add_totals),
        untracked: fold_from(NONE_UNTRACKED, untracked, add_untracked)
            .map(|sum| with_census(sum, parts)),
        inherited: fold(inherited, add_inherited),
        exactness: fold(exactness, add_exactness).map(|sum| Exactness { sites_at_s, ..sum }),
        size_classes: add_size_classes(parts),
        sites: Sites::together(parts.iter().map(|part| &part.sites)),
        threads: add_threads(parts),
        timeline: Vec::new(),
        sentence: None,
        is_untraced: parts.iter().all(|part| part.is_untraced),
    }
}

/// The net of nothing is known.
const NONE_UNTRACKED: Untracked =
    Untracked { frees: 0, freed_bytes: 0, net_bytes: Some(0), census: None };

fn fold<'a, T: Default + 'a>(
    parts: impl Iterator<Item = Option<&'a T>>,
    add: impl Fn(&mut T, &T),
) -> Option<T> {
    fold_from(T::default(), parts, add)
}

fn fold_from<'a, T: 'a>(
    first: T,
    mut parts: impl Iterator<Item = Option<&'a T>>,
    add: impl Fn(&mut T, &T),
) -> Option<T> {
    parts.try_fold(first, |mut sum, part| {
        add(&mut sum, part?);
        Some(sum)
    })
}

fn add(sum: &mut u64, part: u64) {
    *sum = sum.saturating_add(part);
}

fn add_totals(sum: &mut Totals, part: &Totals) {
    let mut most = sum.peak_at_most_bytes.unwrap_or(0);
    add(&mut most, part.peak_bytes.unwrap_or(0));
    sum.peak_at_most_bytes = Some(most);
    let mut usable = sum.usable_current_bytes.unwrap_or(0);
    add(&mut usable, part.usable_current_bytes.unwrap_or(0));
    sum.usable_current_bytes = Some(usable);
    add(&mut sum.current_bytes, part.current_bytes);
    add(&mut sum.current_blocks, part.current_blocks);
    add(&mut sum.allocated_bytes, part.allocated_bytes);
    add(&mut sum.allocations, part.allocations);
    add(&mut sum.freed_bytes, part.freed_bytes);
    add(&mut sum.frees, part.frees);
    add(&mut sum.reallocations, part.reallocations);
    add(&mut sum.temporary, part.temporary);
}

fn add_untracked(sum: &mut Untracked, part: &Untracked) {
    add(&mut sum.frees, part.frees);
    add(&mut sum.freed_bytes, part.freed_bytes);
    sum.net_bytes = sum.net_bytes.zip(part.net_bytes).map(|(sum, part)| sum.saturating_add(part));
}

/// The older heaps together, if each of them was counted.
fn with_census(sum: Untracked, parts: &[Sections<'_>]) -> Untracked {
    let census = parts.iter().map(|part| part.untracked.as_ref()?.census.as_ref());
    Untracked { census: fold(census, add_census).filter(|_| !parts.is_empty()), ..sum }
}

fn add_census(sum: &mut Census, part: &Census) {
    add(&mut sum.blocks, part.blocks);
    add(&mut sum.bytes, part.bytes);
    add(&mut sum.still_live_blocks, part.still_live_blocks);
    add(&mut sum.still_live_bytes, part.still_live_bytes);
}

fn add_inherited(sum: &mut Inherited, part: &Inherited) {
    add(&mut sum.blocks, part.blocks);
    add(&mut sum.bytes, part.bytes);
    add(&mut sum.frees, part.frees);
    add(&mut sum.freed_bytes, part.freed_bytes);
}

fn add_exactness(sum: &mut Exactness, part: &Exactness) {
    add(&mut sum.dropped_events, part.dropped_events);
    add(&mut sum.lost_records, part.lost_records);
    add(&mut sum.unattributed_blocks, part.unattributed_blocks);
    add(&mut sum.tracer_bytes, part.tracer_bytes);
    sum.frames_unresolved = either(sum.frames_unresolved, part.frames_unresolved);
    let off = sum.sites_off_bytes.zip(part.sites_off_bytes);
    let off = off.map(|(sum, part)| sum.saturating_add(part));
    sum.sites_off_bytes = off.or(sum.sites_off_bytes).or(part.sites_off_bytes);
    sum.stacks_cut = either(sum.stacks_cut, part.stacks_cut);
}

/// A process without stacks has none to add.
fn either(sum: Option<u64>, part: Option<u64>) -> Option<u64> {
    let both = sum.zip(part).map(|(sum, part)| sum.saturating_add(part));
    both.or(sum).or(part)
}

fn add_size_classes(parts: &[Sections<'_>]) -> Option<Vec<SizeClass>> {
    let mut classes = BTreeMap::<(u64, u64), SizeClass>::new();
    for part in parts {
        for class in part.size_classes.as_ref()? {
            classes
                .entry((class.min, class.max))
                .and_modify(|sum| add_size_class(sum, class))
                .or_insert(*class);
        }
    }
    Some(classes.into_values().collect())
}

fn add_size_class(sum: &mut SizeClass, part: &SizeClass) {
    add(&mut sum.current_blocks, part.current_blocks);
    add(&mut sum.current_bytes, part.current_bytes);
    add(&mut sum.allocations, part.allocations);
    add(&mut sum.allocated_bytes, part.allocated_bytes);
}

/// All threads that still had a row of their own, then all ended ones in one.
fn add_threads(parts: &[Sections<'_>]) -> Option<Vec<Thread>> {
    let mut threads = Vec::new();
    let mut ended: Option<Thread> = None;
    for part in parts {
        for thread in part.threads.as_ref()? {
            match &mut ended {
                _ if thread.tid != 0 => threads.push(thread.clone()),
                Some(sum) => add_thread(sum, thread),
                None => ended = Some(thread.clone()),
            }
        }
    }
    threads.extend(ended);
    Some(threads)
}

fn add_thread(sum: &mut Thread, part: &Thread) {
    let both = sum.current_bytes.zip(part.current_bytes);
    sum.current_bytes = both.map(|(a, b)| a.saturating_add(b));
    add(&mut sum.allocations, part.allocations);
    add(&mut sum.allocated_bytes, part.allocated_bytes);
}
