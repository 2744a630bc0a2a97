//! The moments that can be compared, and what each stack held at them.

use memtop_ui::{
    State,
    data::{SnapshotRow, When},
};

use crate::model::{Loaded, Model, ProcessState, Snapshot, StackId, Tally};

/// Every moment there is, in order of time, files last but for now.
pub(super) fn rows(model: &Model, state: &State) -> Vec<SnapshotRow> {
    let totals = model.state().map(|state| &state.totals);
    let began = model.state().and_then(|state| state.window.counted().first().copied());
    let start = SnapshotRow {
        when: When::Start,
        t_s: began.map(|first| first.from.as_secs_f64()),
        live_bytes: Some(0),
        live_blocks: Some(0),
        ..SnapshotRow::default()
    };
    let marks = model.marks.iter().map(|(number, mark)| {
        let row = marked(number, mark, state);
        SnapshotRow { unknown: mark.state.is_none().then(|| nothing_of(mark, model)), ..row }
    });
    let to_come = state.marks.iter().filter(|mark| model.marks_to_come.contains(&mark.number));
    let unread = |mark: &memtop_ui::data::Mark| {
        let row = marked(mark.number, &Snapshot { t_s: mark.t_s, ..Snapshot::default() }, state);
        SnapshotRow { unknown: Some("being read"), ..row }
    };
    let marks = marks.chain(to_come.map(unread));
    let has_peak = model.state().is_some_and(ProcessState::has_peak);
    let peak = totals.filter(|_| has_peak).map(|totals| SnapshotRow {
        when: When::Peak,
        t_s: totals.peak_at.map(|at| at.as_secs_f64()),
        live_bytes: Some(totals.peak_bytes),
        live_blocks: model.state().and_then(ProcessState::peak_blocks),
        ..SnapshotRow::default()
    });
    let counted = totals.filter(|_| !model.state().is_some_and(ProcessState::is_untraced));
    let now = SnapshotRow {
        when: When::Now,
        t_s: Some(model.reading.now_s),
        live_bytes: counted.map(|totals| totals.current_bytes),
        live_blocks: counted.map(|totals| totals.current_blocks),
        ..SnapshotRow::default()
    };
    let files = model.loaded.iter().map(file);
    let mut rows: Vec<SnapshotRow> = marks.chain(peak).collect();
    rows.sort_by(|one, other| one.t_s.unwrap_or(0.0).total_cmp(&other.t_s.unwrap_or(0.0)));
    [start].into_iter().chain(rows).chain(files).chain([now]).collect()
}

fn marked(number: u32, mark: &Snapshot, state: &State) -> SnapshotRow {
    let named = state.marks.iter().find(|one| one.number == number);
    let totals = mark.state.as_ref().map(|state| state.totals);
    SnapshotRow {
        when: When::Mark(number),
        name: named.and_then(|one| one.name.clone()),
        t_s: Some(mark.t_s),
        live_bytes: totals.map(|totals| totals.current_bytes),
        live_blocks: totals.map(|totals| totals.current_blocks),
        automatic: named.is_some_and(|one| one.automatic),
        ..SnapshotRow::default()
    }
}

/// Why nothing is known of a mark.
fn nothing_of(mark: &Snapshot, model: &Model) -> &'static str {
    let first = model.reading.timeline.first();
    match first.is_none_or(|first| mark.t_s < first.at.as_secs_f64()) {
        true => "before the first reading",
        false => "nothing is kept of it",
    }
}

fn file(loaded: &Loaded) -> SnapshotRow {
    let totals = &loaded.process.totals;
    SnapshotRow {
        when: When::File(loaded.number),
        name: Some(loaded.name.clone()),
        t_s: loaded.process.timeline.last().map(|point| point.at.as_secs_f64()),
        live_bytes: Some(totals.current_bytes),
        live_blocks: Some(totals.current_blocks),
        file: Some(loaded.path.display().to_string()),
        ..SnapshotRow::default()
    }
}

/// What stacks of the shown process held at a moment.
///
/// # Errors
/// With words, where that is not known.
pub(super) fn held(model: &Model, when: When) -> Result<impl Fn(StackId) -> Tally + '_, String> {
    let mark = match when {
        When::Mark(number) => Some(known_mark(model, number)?),
        When::Now | When::Peak if !model.knows_sites() => {
            return Err("The sites of this moment are unknown.".to_owned());
        }
        _ => None,
    };
    Ok(move |stack: StackId| {
        let figures = || model.sites.figures.get(stack.0 as usize).copied().unwrap_or_default();
        match when {
            When::Start | When::File(_) => Tally::default(),
            When::Mark(_) => mark.map(|mark| mark.tally(stack)).unwrap_or_default(),
            When::Peak => Tally::new(figures().at_peak_bytes, figures().at_peak_blocks),
            When::Now => Tally::new(figures().current_bytes, figures().current_blocks),
        }
    })
}

/// Of when the sites of a moment are, where that is before it.
pub(super) fn as_of_s(model: &Model, when: When) -> Option<f64> {
    let shown = model.sites.as_of;
    let as_of = match when {
        When::Start | When::File(_) => None,
        When::Now => shown,
        When::Mark(number) => model.marks.get(number).and_then(|mark| mark.sites_as_of),
        When::Peak => shown.filter(|_| !is_their_peak(model)),
    };
    as_of.map(|at| at.as_secs_f64())
}

/// Whether what sites held at their peak is what was live at the peak there is: one that came
/// later may be of the same tick.
fn is_their_peak(model: &Model) -> bool {
    let held: u64 = model.sites.figures.iter().map(|figures| figures.at_peak_bytes).sum();
    model.state().is_some_and(|state| state.totals.peak_bytes == held)
}

fn known_mark(model: &Model, number: u32) -> Result<&Snapshot, String> {
    let mark = model.marks.get(number);
    let mark = mark.ok_or_else(|| match model.marks_to_come.contains(&number) {
        true => format!("mark {number} is being read"),
        false => format!("mark {number} is of another process"),
    })?;
    match &mark.figures {
        None if mark.state.is_none() => {
            Err(format!("there are no figures of mark {number}: {}", nothing_of(mark, model)))
        }
        Some(_) => Ok(mark),
        None if mark.made_room => {
            Err(format!("the sites of mark {number} had to make room for later marks"))
        }
        None => Err(format!("the sites of mark {number} are unknown: none had been seen then")),
    }
}
