//! Marked moments, and what differs between two of them.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use memtop_ui::{
    State,
    data::{
        Diff, DiffRow, DiffTotals, Grouping, Key, Name, Pair, Sides, SnapshotRow, Snapshots, When,
    },
};

use super::{
    code::{self, Numbers},
    listing::listing,
    moments,
    remembered::Memory,
};
use crate::model::{Frame, Model, Tally, View};

/// The moments, and the rows of the difference that show in `room` rows.
///
/// `problem` is why the filter cannot be answered.
pub(super) fn snapshots(
    model: &Model,
    state: &State,
    room: usize,
    memory: &Memory,
    problem: Option<&str>,
) -> Snapshots {
    let rows = moments::rows(model, state);
    let found = problem.map_or_else(|| diff(model, state, room, memory), |why| Err(why.to_owned()));
    let diff = match found {
        Ok(diff) => Diff { whole: whole(state.diff.pair, &diff, &rows), ..diff },
        Err(problem) => Diff { problem: Some(problem), ..Diff::default() },
    };
    Snapshots { rows, diff }
}

/// What differs between the moments themselves, where the sites of one are older.
fn whole(pair: Pair, diff: &Diff, rows: &[SnapshotRow]) -> Option<(i64, i64)> {
    diff.as_of_s.iter().flatten().next()?;
    let held = |when| {
        let row = rows.iter().find(|row| row.when == when)?;
        Some((row.live_bytes?, row.live_blocks?))
    };
    let (from, to) = (held(pair.from)?, held(pair.to)?);
    let delta = |from: u64, to: u64| to.wrapping_sub(from) as i64;
    Some((delta(from.0, to.0), delta(from.1, to.1)))
}

/// A group on both sides, and how to name it.
struct Item<T> {
    key: Key,
    sides: Sides,
    what: T,
}

fn diff(model: &Model, state: &State, room: usize, memory: &Memory) -> Result<Diff, String> {
    if state.code.grouping == Grouping::Thread {
        return Err("Threads are not compared: m sums by something else.".to_owned());
    }
    let pair = state.diff.pair;
    let exactness = model.state().map(|state| &state.exactness);
    let lower_bound = exactness.is_some_and(|exactness| exactness.unattributed_blocks != 0);
    let diff = match (pair.from, pair.to) {
        (When::File(_), _) | (_, When::File(_)) => between_runs(model, state, room, memory)?,
        _ => within_run(model, state, room, memory)?,
    };
    let as_of_s = [pair.from, pair.to].map(|when| moments::as_of_s(model, when));
    Ok(Diff { lower_bound, as_of_s, ..diff })
}

/// Both moments are of the process shown: its groups are summed at both.
fn within_run(model: &Model, state: &State, room: usize, memory: &Memory) -> Result<Diff, String> {
    let view = code::chosen(model, state);
    let table = model.tables.get(&view).ok_or("There are no sites yet.")?;
    let (groups, scope) = (table.groups(), view.scope(model.scope()));
    let sides = |view: &View| {
        let sums = |when| memory.groups(model, view, when, state.diff.with_callees);
        let (from, to) = (sums(state.diff.pair.from)?, sums(state.diff.pair.to)?);
        let pairs = from.iter().copied().zip(to.iter().copied());
        Ok::<Vec<Sides>, String>(pairs.map(both).collect())
    };
    let rows = sides(&view)?;
    let whole = code::unfiltered(state);
    let totals = match Some(&whole).filter(|_| !view.filter.is_empty()) {
        Some(whole) => totals(sides(whole)?.iter()),
        None => totals(rows.iter()),
    };
    let items = groups.ids().zip(rows).map(|(group, sides)| Item {
        key: code::key(groups, group),
        sides,
        what: group,
    });
    let name = |item: &Item<_>| code::name(model, scope, groups, item.what);
    Ok(Diff { rows: shown(items, state, room, name), totals, ..Diff::default() })
}

/// One of the moments is of another run: groups are the same when they are called the same.
fn between_runs(
    model: &Model,
    state: &State,
    room: usize,
    memory: &Memory,
) -> Result<Diff, String> {
    let pair = state.diff.pair;
    let view = code::chosen(model, state);
    if !view.filter.chosen.is_all() {
        return Err(
            "A file does not hold which thread asked where, so thread: finds nothing in it."
                .to_owned(),
        );
    }
    let named = |view: &View, when| memory.labels(model, view, when);
    let (a, b) = (named(&view, pair.from)?, named(&view, pair.to)?);
    let unfiltered = code::unfiltered(state);
    let totals = if view.filter.is_empty() {
        totals(joined(&a, &b).map(|(_, sides)| sides).collect::<Vec<_>>().iter())
    } else {
        let (a, b) = (named(&unfiltered, pair.from)?, named(&unfiltered, pair.to)?);
        totals(joined(&a, &b).map(|(_, sides)| sides).collect::<Vec<_>>().iter())
    };
    let items = joined(&a, &b).map(|(label, sides)| Item { key: key(label), sides, what: label });
    let name = |item: &Item<&Frame>| code::name_of(item.what, view.by);
    Ok(Diff { rows: shown(items, state, room, name), totals, ..Diff::default() })
}

fn joined<'a>(
    a: &'a BTreeMap<Frame, Tally>,
    b: &'a BTreeMap<Frame, Tally>,
) -> impl Iterator<Item = (&'a Frame, Sides)> {
    let of = |side: &BTreeMap<Frame, Tally>, label| side.get(label).copied().unwrap_or_default();
    let only_b = b.keys().filter(|label| !a.contains_key(label));
    a.keys().chain(only_b).map(move |label| (label, both((of(a, label), of(b, label)))))
}

fn key(label: &Frame) -> Key {
    let mut hasher = DefaultHasher::new();
    label.hash(&mut hasher);
    Key(hasher.finish() | code::ELSEWHERE)
}

fn both((from, to): (Tally, Tally)) -> Sides {
    let figure = |figure: i64| figure.max(0) as u64;
    Sides {
        from_bytes: figure(from.bytes),
        from_blocks: figure(from.blocks),
        to_bytes: figure(to.bytes),
        to_blocks: figure(to.blocks),
    }
}

fn totals<'a>(sides: impl Iterator<Item = &'a Sides>) -> DiffTotals {
    let mut totals = DiffTotals::default();
    sides.filter(|sides| **sides != Sides::default()).for_each(|sides| totals.add(sides));
    totals
}

/// The rows that show: what changed, and passes the filter.
fn shown<T>(
    items: impl Iterator<Item = Item<T>>,
    state: &State,
    room: usize,
    name: impl Fn(&Item<T>) -> Name,
) -> memtop_ui::data::Listing<DiffRow> {
    let filter = &state.code.filter;
    let changed = |item: &Item<T>| item.sides.delta_bytes() != 0 || item.sides.delta_blocks() != 0;
    let passes = |item: &Item<T>| filter.numbers_match(&Numbers::from(&item.sides));
    listing(
        items.filter(changed).filter(passes).collect(),
        &state.diff.cursor,
        room,
        |item| item.key,
        |left, right| state.diff.sort.compare((left.key, &left.sides), (right.key, &right.sides)),
        |item| DiffRow { key: item.key, name: name(item), sides: item.sides },
    )
}

impl From<&Sides> for Numbers {
    fn from(sides: &Sides) -> Self {
        Self {
            size: sides.from_bytes.max(sides.to_bytes),
            blocks: Some(sides.from_blocks.max(sides.to_blocks)),
            delta: Some(sides.delta_bytes().unsigned_abs()),
            allocations: None,
        }
    }
}
