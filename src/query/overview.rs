//! The overview: timeline, totals, sizes, and what grew.

use std::cmp::Reverse;

use memtop_ui::{
    Capacity, State,
    data::{
        Baseline, Grown, Growth, GrowthBy, GrowthRow, Interval, Point, SizeRow, Sizes, Timeline,
        Totals,
    },
};

use super::{code, header::peak};
use crate::model::{self, GroupId, Model, ProcessState, SizeClass, Snapshot, Table, Tally};

pub(super) fn timeline(model: &Model, state: &State) -> Timeline {
    let reading = &model.reading;
    let intervals = model.state().map(|state| &state.window.intervals[..]).unwrap_or_default();
    Timeline {
        points: points(model),
        intervals: intervals.iter().map(interval).collect(),
        cleared_s: model
            .state()
            .and_then(|state| state.window.cleared)
            .map(|cleared| cleared.as_secs_f64()),
        now_s: reading.now_s,
        read_to_s: None,
        marks: state.marks.clone(),
        peak: model.state().and_then(peak),
    }
}

/// The history, and at its end what the header shows: the last sample is up to a tick older.
fn points(model: &Model) -> Vec<Point> {
    let reading = &model.reading;
    let mut points: Vec<Point> = reading.timeline.iter().map(point).collect();
    if let (Some(last), Some(state)) = (points.last().copied(), model.state()) {
        let live = state.totals.current_bytes;
        let t_s = reading.now_s.max(last.t_s);
        let untracked_freed = state.untracked.freed_bytes;
        points.push(Point { t_s, live, max: live, untracked_freed, ..last });
    }
    points
}

pub(super) fn interval(interval: &model::Interval) -> Interval {
    Interval { from_s: interval.from.as_secs_f64(), to_s: interval.to.map(|to| to.as_secs_f64()) }
}

pub(super) fn point(point: &model::Point) -> Point {
    Point {
        t_s: point.at.as_secs_f64(),
        live: point.current_bytes,
        max: point.max_bytes,
        rss: point.rss_bytes,
        untracked_freed: point.untracked_freed_bytes,
    }
}

pub(super) fn totals(state: &ProcessState) -> Totals {
    let (totals, peak_blocks) = (&state.totals, state.peak_blocks());
    Totals {
        allocations: totals.allocations,
        frees: totals.frees,
        reallocations: totals.reallocations,
        temporary: totals.temporary,
        allocated_bytes: totals.allocated_bytes,
        live_blocks: totals.current_blocks,
        peak_blocks: peak_blocks.filter(|_| state.has_peak()),
    }
}

/// Classes that hold something. Where not all of them fit, those that hold the most stay, in order
/// of size.
pub(super) fn sizes(model: &Model, room: Capacity) -> Sizes {
    let held = classes(model).iter().filter(|class| class.current_blocks > 0);
    let mut rows: Vec<SizeRow> = held.map(size_row).collect();
    rows.sort_by_key(|row| Reverse((row.bytes, row.blocks)));
    let more = rows.len().saturating_sub(room.sizes);
    rows.truncate(room.sizes);
    rows.sort_by_key(|row| row.min);
    Sizes { rows, more }
}

fn classes(model: &Model) -> &[SizeClass] {
    model.state().map(|state| &state.size_classes[..]).unwrap_or_default()
}

fn size_row(class: &SizeClass) -> SizeRow {
    SizeRow {
        min: class.min,
        max: class.max,
        blocks: class.current_blocks,
        bytes: class.current_bytes,
        allocations: class.allocations,
    }
}

/// By site where there are stacks and the person did not choose otherwise, else by size.
pub(super) fn growth(model: &Model, state: &State, room: Capacity) -> Growth {
    let (since, then) = baseline(model, state);
    let (rows, shrank, more) = match by_site(model, state) {
        Some(table) => grown_sites(model, table, room.growth),
        None => {
            let then = then.and_then(|marked| marked.state.as_ref());
            let classes = then.map_or(&[][..], |state| &state.size_classes);
            grown_sizes(model, classes, room.growth)
        }
    };
    let by = growth_by(model, state);
    let age_s = then.map(|marked| model.reading.now_s - marked.t_s);
    Growth { since, age_s, by, shrank, rows, more }
}

/// What growth can be told by.
pub(super) fn growth_by(model: &Model, state: &State) -> GrowthBy {
    by_site(model, state).map_or(GrowthBy::Size, |_| GrowthBy::Site)
}

fn by_site<'a>(model: &'a Model, state: &State) -> Option<&'a Table> {
    let table = model.tables.get(&code::growth()).filter(|table| !table.groups().is_empty());
    table.filter(|_| state.code.growth == GrowthBy::Site)
}

/// Rows, whether they are of what shrank, and how many are left out.
type Changed<T> = (Vec<T>, bool, usize);

fn grown_sizes(model: &Model, then: &[SizeClass], room: usize) -> Changed<GrowthRow> {
    let rows = classes(model).iter().map(|class| growth_row(class, then)).collect();
    most_changed(rows, room, |row| (row.delta_bytes, row.delta_blocks))
}

fn grown_sites(model: &Model, table: &Table, room: usize) -> Changed<GrowthRow> {
    let groups = table.groups();
    let delta = |group| {
        let own = groups.own(group);
        let delta = Tally::new(own.current_bytes, own.current_blocks).since(table.then(group)?);
        (!delta.is_empty()).then_some((group, delta))
    };
    let grown = groups.ids().filter_map(delta).collect();
    let by = |(_, delta): &(GroupId, Tally)| (delta.bytes, delta.blocks);
    let (grown, shrank, more) = most_changed(grown, room, by);
    let row = |(group, delta): (GroupId, Tally)| GrowthRow {
        what: Grown::Site {
            key: code::key(groups, group),
            name: code::name(model, model.scope(), groups, group),
        },
        delta_bytes: delta.bytes,
        delta_blocks: delta.blocks,
        live_bytes: groups.own(group).current_bytes,
    };
    (grown.into_iter().map(row).collect(), shrank, more)
}

/// The `room` rows that grew most; where none did, those that shrank most.
fn most_changed<T>(rows: Vec<T>, room: usize, by: impl Fn(&T) -> (i64, i64)) -> Changed<T> {
    let (mut changed, others): (Vec<T>, Vec<T>) =
        rows.into_iter().partition(|row| by(row) > (0, 0));
    let shrank = changed.is_empty();
    if shrank {
        changed = others.into_iter().filter(|row| by(row) < (0, 0)).collect();
    }
    let shrank = shrank && !changed.is_empty();
    let loss = |(bytes, blocks): (i64, i64)| (bytes.saturating_neg(), blocks.saturating_neg());
    let (rows, more) = most(changed, room, |row| if shrank { loss(by(row)) } else { by(row) });
    (rows, shrank, more)
}

/// The `room` rows of most, in order, and how many are left out.
fn most<T, K: Ord>(mut rows: Vec<T>, room: usize, by: impl Fn(&T) -> K) -> (Vec<T>, usize) {
    let more = rows.len().saturating_sub(room);
    if more > 0 && room > 0 {
        rows.select_nth_unstable_by_key(room - 1, |row| Reverse(by(row)));
    }
    rows.truncate(room);
    rows.sort_by_key(|row| Reverse(by(row)));
    (rows, more)
}

/// What growth is measured from; the start when the mark is not of this process.
pub(super) fn baseline<'a>(model: &'a Model, state: &State) -> (Baseline, Option<&'a Snapshot>) {
    match state.baseline {
        Baseline::Mark(number) => match model.marks.get(number) {
            Some(marked) => (state.baseline, Some(marked)),
            None => (Baseline::Start, None),
        },
        Baseline::Start => (Baseline::Start, None),
    }
}

fn growth_row(class: &SizeClass, then: &[SizeClass]) -> GrowthRow {
    let before = then.iter().find(|before| before.min == class.min).copied().unwrap_or_default();
    GrowthRow {
        what: Grown::Class { min: class.min, max: class.max },
        delta_bytes: class.current_bytes.wrapping_sub(before.current_bytes) as i64,
        delta_blocks: class.current_blocks.wrapping_sub(before.current_blocks) as i64,
        live_bytes: class.current_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reading;

    #[test]
    fn an_empty_class_takes_no_row() {
        let class = |min, current_bytes, current_blocks| SizeClass {
            min,
            current_bytes,
            current_blocks,
            allocations: 9,
            ..SizeClass::default()
        };
        let classes = vec![class(0, 0, 3), class(17, 0, 0), class(33, 40, 1), class(65, 90, 1)];
        let process = ProcessState { size_classes: classes, ..ProcessState::default() };
        let mut model = Model::default();
        model.observe(Reading { state: Some(process), ..Reading::default() });
        let shown = |room| {
            let shown = sizes(&model, Capacity { sizes: room, ..Capacity::default() });
            (shown.rows.iter().map(|row| row.min).collect::<Vec<_>>(), shown.more)
        };
        assert_eq!(shown(9), (vec![0, 33, 65], 0));
        assert_eq!(shown(2), (vec![33, 65], 1));
    }
}
