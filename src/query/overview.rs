//! The overview: timeline, totals, sizes, and what grew.

use memtop_ui::{
    Capacity, State,
    data::{
        Baseline, Grown, Growth, GrowthBy, GrowthRow, Interval, Point, SizeRow, Sizes, Timeline,
        Totals,
    },
};

use super::header::peak;
use crate::model::{self, Model, ProcessState, SizeClass, Snapshot};

pub(super) fn timeline(model: &Model, state: &State) -> Timeline {
    let reading = &model.reading;
    let intervals = model.state().map(|state| &state.window.intervals[..]).unwrap_or_default();
    let interval = |one: &model::Interval| Interval {
        from_s: one.from.as_secs_f64(),
        to_s: one.to.map(|to| to.as_secs_f64()),
    };
    Timeline {
        points: reading.timeline.iter().map(point).collect(),
        intervals: intervals.iter().map(interval).collect(),
        now_s: reading.now_s,
        marks: state.marks.clone(),
        peak: model.state().and_then(peak),
    }
}

fn point(point: &model::Point) -> Point {
    Point {
        t_s: point.at.as_secs_f64(),
        live: point.current_bytes,
        max: point.max_bytes,
        rss: point.rss_bytes,
        untracked_freed: point.untracked_freed_bytes,
    }
}

pub(super) fn totals(state: &ProcessState) -> Totals {
    let totals = &state.totals;
    Totals {
        allocations: totals.allocations,
        frees: totals.frees,
        reallocations: totals.reallocations,
        temporary: totals.temporary,
        allocated_bytes: totals.allocated_bytes,
        live_blocks: totals.current_blocks,
        peak_blocks: totals.peak_at.map(|_| totals.peak_blocks),
    }
}

/// Where not all classes fit, those that hold the most stay, in order of size.
pub(super) fn sizes(model: &Model, room: Capacity) -> Sizes {
    let mut rows: Vec<SizeRow> = classes(model).iter().map(size_row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.bytes, row.blocks, row.allocations)));
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

pub(super) fn growth(model: &Model, state: &State, room: Capacity) -> Growth {
    let (since, then) = baseline(model, state);
    let mut rows: Vec<GrowthRow> = classes(model)
        .iter()
        .map(|class| growth_row(class, then.map_or(&[], |marked| &marked.classes)))
        .collect();
    rows.retain(|row| row.delta_bytes != 0 || row.delta_blocks != 0);
    rows.sort_by_key(|row| std::cmp::Reverse((row.delta_bytes, row.delta_blocks)));
    let more = rows.len().saturating_sub(room.growth);
    rows.truncate(room.growth);
    let age_s = then.map(|marked| model.reading.now_s - marked.t_s);
    Growth { since, age_s, by: GrowthBy::Size, rows, more }
}

/// What growth is measured from; the start when the mark is not of this process.
fn baseline<'a>(model: &'a Model, state: &State) -> (Baseline, Option<&'a Snapshot>) {
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
