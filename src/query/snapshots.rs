//! Marked moments, and what differs between two of them.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use memtop_ui::{
    State,
    data::{Diff, DiffRow, DiffTotals, Grouping, Key, Name, Sides, Snapshots, When},
};

use super::{
    code::{self, Numbers},
    listing::listing,
    moments,
};
use crate::model::{self, Frame, Groups, Model, Scope, Tally, View};

/// The moments, and the rows of the difference that show in `room` rows.
pub(super) fn snapshots(model: &Model, state: &State, room: usize) -> Snapshots {
    let rows = moments::rows(model, state);
    let diff = match diff(model, state, room) {
        Ok(diff) => diff,
        Err(problem) => Diff { problem: Some(problem), ..Diff::default() },
    };
    Snapshots { rows, diff }
}

/// A group on both sides, and how to name it.
struct Item<T> {
    key: Key,
    sides: Sides,
    what: T,
}

fn diff(model: &Model, state: &State, room: usize) -> Result<Diff, String> {
    if state.code.grouping == Grouping::Thread {
        return Err("threads are not compared: m sums by something else".to_owned());
    }
    let pair = state.diff.pair;
    let exactness = model.state().map(|state| &state.exactness);
    let lower_bound = exactness.is_some_and(|exactness| exactness.unattributed_blocks != 0);
    let diff = match (pair.from, pair.to) {
        (When::File(_), _) | (_, When::File(_)) => between_runs(model, state, room)?,
        _ => within_run(model, state, room)?,
    };
    Ok(Diff { lower_bound, ..diff })
}

/// Both moments are of the process shown: its groups are summed at both.
fn within_run(model: &Model, state: &State, room: usize) -> Result<Diff, String> {
    let view = code::chosen(state);
    let table = model.tables.get(&view).ok_or("there are no sites yet")?;
    let (groups, scope) = (table.groups(), view.scope(model.scope()));
    let sums = |groups: &Groups, when| {
        let held = moments::held(model, when)?;
        Ok::<_, String>(match state.diff.with_callees {
            false => groups.at(held),
            true => groups.at_with_callees(scope, held),
        })
    };
    let sides = |groups: &Groups| {
        let (from, to) = (sums(groups, state.diff.pair.from)?, sums(groups, state.diff.pair.to)?);
        Ok::<Vec<Sides>, String>(from.into_iter().zip(to).map(both).collect())
    };
    let rows = sides(groups)?;
    let whole = model.tables.get(&code::unfiltered(state)).map(|table| table.groups());
    let totals = match whole.filter(|_| !view.filter.is_empty()) {
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
fn between_runs(model: &Model, state: &State, room: usize) -> Result<Diff, String> {
    let pair = state.diff.pair;
    let view = code::chosen(state);
    let (a, b) = (named(model, pair.from, &view)?, named(model, pair.to, &view)?);
    let unfiltered = code::unfiltered(state);
    let totals = if view.filter.is_empty() {
        totals(joined(&a, &b).map(|(_, sides)| sides).collect::<Vec<_>>().iter())
    } else {
        let (a, b) = (named(model, pair.from, &unfiltered)?, named(model, pair.to, &unfiltered)?);
        totals(joined(&a, &b).map(|(_, sides)| sides).collect::<Vec<_>>().iter())
    };
    let items = joined(&a, &b).map(|(label, sides)| Item { key: key(label), sides, what: label });
    let name = |item: &Item<&Frame>| code::name_of(item.what, view.by);
    Ok(Diff { rows: shown(items, state, room, name), totals, ..Diff::default() })
}

/// What groups held at a moment, by what they are called.
fn named(model: &Model, when: When, view: &View) -> Result<BTreeMap<Frame, Tally>, String> {
    if let When::File(number) = when {
        let loaded = model.loaded.iter().find(|loaded| loaded.number == number);
        let process = &loaded.ok_or("that file is not loaded any more")?.process;
        let scope = Scope { sites: &process.sites, names: &process.names, ..model.scope() };
        let groups = Groups::of(view.scope(scope), view.by, view.filter.clone());
        let held = |stack: model::StackId| {
            let figures = process.sites.figures.get(stack.0 as usize).copied().unwrap_or_default();
            Tally::new(figures.current_bytes, figures.current_blocks)
        };
        return Ok(by_label(&groups, view.scope(scope), groups.at(held)));
    }
    let table = model.tables.get(view).ok_or("there are no sites yet")?;
    let held = moments::held(model, when)?;
    Ok(by_label(table.groups(), view.scope(model.scope()), table.groups().at(held)))
}

fn by_label(groups: &Groups, scope: Scope<'_>, sums: Vec<Tally>) -> BTreeMap<Frame, Tally> {
    let mut named = BTreeMap::<Frame, Tally>::new();
    for (group, tally) in groups.ids().zip(sums).filter(|(_, tally)| !tally.is_empty()) {
        named.entry(groups.label(scope, group)).or_default().add(tally);
    }
    named
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
            blocks: sides.from_blocks.max(sides.to_blocks),
            delta: Some(sides.delta_bytes().unsigned_abs()),
            allocations: None,
        }
    }
}
