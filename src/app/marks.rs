//! Marks that were found in what is recorded, by whomever they were set: they are marks like any
//! other, but their figures are read when they are asked for.

use std::{
    collections::BTreeMap,
    mem::take,
    time::{Duration, Instant},
};

use memtop_ui::{
    Screen, State,
    data::{Baseline, Mark, When},
};

use super::{App, Shown};
use crate::{
    model::{Model, Snapshot},
    recording,
    source::past::Recalled,
};

/// Figures of marks are read for so long at a look, and those of one mark more at most.
const SLICE: Duration = Duration::from_millis(20);

/// Pid and generation of a process image.
type Image = (u32, u32);

/// Marks of the images that are not shown; a recording that is replayed does not have those that
/// were set while it was.
#[derive(Debug, Default)]
pub(super) struct MarksAside {
    shown: Option<Image>,
    of: BTreeMap<Image, Vec<Mark>>,
}

impl MarksAside {
    /// From now on `marks` are those of this image.
    fn show(&mut self, image: Image, marks: &mut Vec<Mark>) {
        let Some(former) = self.shown.replace(image).filter(|former| *former != image) else {
            return;
        };
        self.of.insert(former, take(marks));
        *marks = self.of.remove(&image).unwrap_or_default();
    }

    /// The highest number of any.
    fn highest(&self) -> u32 {
        self.of.values().flatten().map(|mark| mark.number).max().unwrap_or(0)
    }
}

impl App {
    /// Takes over the marks that are recorded of the shown image, and reads figures of those that
    /// are asked for.
    pub(super) fn adopt_marks(&mut self) {
        let Shown { model, state, time, .. } = &mut self.shown;
        if let Some(image) = model.reading.image() {
            self.marks_aside.show(image, &mut state.marks);
        }
        let past = self.source.past();
        let is_known = |number| model.marks.get(number).is_some_and(|mark| !mark.made_room);
        adopt(&mut state.marks, &past.marks, is_known);
        time.last_mark = past.last_mark.max(self.marks_aside.highest());
        self.recall_marks();
    }

    /// Lets the stacks of all marks be known, before figures of a mark are looked at.
    pub(super) fn foresee_marks(&mut self) {
        let moments = self.shown.state.marks.iter().map(|mark| mark.t_s);
        self.foreseen = moments.fold(0.0, f64::max);
        if self.foreseen > 0.0 {
            self.source.foresee(seconds(self.foreseen));
        }
    }

    /// Reads figures of marks that are asked for.
    pub(super) fn recall_marks(&mut self) {
        let began = Instant::now();
        let Shown { model, state, .. } = &mut self.shown;
        for mark in missing(model, state) {
            if mark.t_s <= self.foreseen && began.elapsed() < SLICE {
                keep(model, &mark, self.source.recall(seconds(mark.t_s)));
                self.dirty = true;
            }
        }
        let to_come = missing(model, state);
        let to_come = to_come.iter().chain(awaited(model, state));
        model.marks_to_come = to_come.map(|mark| mark.number).collect();
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Of recorded marks, those that `recorded` has are marks; one that was set here is a recorded one
/// only when its figures are not known any more, because they had to make room.
fn adopt(marks: &mut Vec<Mark>, recorded: &[recording::Mark], is_known: impl Fn(u32) -> bool) {
    let found = |mark: &recording::Mark| Mark {
        number: mark.number,
        t_s: mark.at.as_secs_f64(),
        name: Some(mark.label.clone()).filter(|name| !name.is_empty()),
        automatic: false,
        recorded: true,
    };
    let is_same = |mark: &Mark, one: &recording::Mark| {
        (mark.number, mark.t_s) == (one.number, one.at.as_secs_f64())
    };
    marks.retain(|mark| !mark.recorded || recorded.iter().any(|one| is_same(mark, one)));
    for one in recorded {
        match marks.binary_search_by_key(&one.number, |mark| mark.number) {
            Err(place) => marks.insert(place, found(one)),
            Ok(place) if !marks[place].recorded && !is_known(one.number) => {
                (marks[place].t_s, marks[place].recorded) = (one.at.as_secs_f64(), true);
            }
            Ok(_) => {}
        }
    }
}

/// Recorded marks whose figures are to be read, the most wanted first: the moments that are
/// compared, and on the list of moments all.
fn missing(model: &Model, state: &State) -> Vec<Mark> {
    let pair = [state.diff.pair.from, state.diff.pair.to];
    let is_wanted =
        |number| state.baseline == Baseline::Mark(number) || pair.contains(&When::Mark(number));
    let is_missing = |mark: &&Mark| {
        let known = model.marks.get(mark.number);
        let lost = known.is_some_and(|known| known.made_room) && is_wanted(mark.number);
        mark.recorded && (known.is_none() || lost)
    };
    let all = state.screen == Screen::Snapshots;
    let shows = |mark: &&Mark| all || is_wanted(mark.number);
    let mut missing: Vec<Mark> =
        state.marks.iter().filter(is_missing).filter(shows).cloned().collect();
    missing.sort_by_key(|mark| !is_wanted(mark.number));
    missing
}

/// Marks of moments that were over when they were set: their figures are those of the recorded
/// mark, once that is found.
fn awaited<'a>(model: &'a Model, state: &'a State) -> impl Iterator<Item = &'a Mark> {
    let is_awaited = |mark: &&Mark| !mark.recorded && model.marks.get(mark.number).is_none();
    state.marks.iter().filter(is_awaited)
}

/// Which marks had to make room is seen where they are looked at: they are read again then.
fn keep(model: &mut Model, mark: &Mark, recalled: Option<Recalled>) {
    let bare = Snapshot { t_s: mark.t_s, ..Snapshot::default() };
    match recalled {
        Some(Recalled { state, figures, sites_as_of }) => {
            let snapshot = Snapshot { state: Some(state), sites_as_of, ..bare };
            model.marks.insert(mark.number, snapshot, &figures);
        }
        None => model.marks.insert_without_sites(mark.number, bare),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Snapshots;

    fn recorded(number: u32, at: u64, label: &str) -> recording::Mark {
        recording::Mark { at: Duration::from_secs(at), number, label: label.to_owned() }
    }

    fn own(number: u32) -> Mark {
        Mark { number, t_s: 7.0, ..Mark::default() }
    }

    #[test]
    fn recorded_marks_are_marks_once_and_go_with_their_process() {
        let mut marks = vec![own(2)];
        let all =
            [recorded(1, 3, "before"), recorded(2, 8, "as the keeper has it"), recorded(4, 9, "")];
        for _ in 0..2 {
            adopt(&mut marks, &all, |number| number == 2);
            let shown: Vec<_> = marks.iter().map(|mark| (mark.number, mark.t_s)).collect();
            assert_eq!(shown, [(1, 3.0), (2, 7.0), (4, 9.0)]);
        }
        assert_eq!(marks[0].name.as_deref(), Some("before"));
        assert!(marks[0].recorded && !marks[1].recorded && marks[2].name.is_none());
        // Another process has others.
        adopt(&mut marks, &[recorded(1, 5, "")], |_| false);
        let shown: Vec<_> = marks.iter().map(|mark| (mark.number, mark.t_s)).collect();
        assert_eq!(shown, [(1, 5.0), (2, 7.0)]);
    }

    #[test]
    fn an_own_mark_is_read_again_when_its_figures_are_not_known_any_more() {
        let mut model = Model::default();
        let mut state = State::new(Screen::Snapshots, (80, 24));
        state.marks = vec![Mark { name: Some("own".into()), automatic: true, ..own(1) }];
        model.mark(1);
        let adopt = |model: &Model, state: &mut State, recorded: &[recording::Mark]| {
            adopt(&mut state.marks, recorded, |number| model.marks.get(number).is_some());
            missing(model, state).iter().map(|mark| (mark.number, mark.t_s)).collect::<Vec<_>>()
        };
        let kept = [recorded(1, 8, "")];
        assert_eq!(adopt(&model, &mut state, &kept), []);
        model.marks = Snapshots::default();
        assert_eq!(adopt(&model, &mut state, &[]), []);
        for _ in 0..2 {
            assert_eq!(adopt(&model, &mut state, &kept), [(1, 8.0)]);
        }
        let mark = &state.marks[0];
        assert!(mark.automatic && mark.name.as_deref() == Some("own"), "{mark:?}");
    }

    #[test]
    fn a_mark_of_the_past_is_awaited_until_the_recorded_one_is_found() {
        let (mut model, mut state) = (Model::default(), State::new(Screen::Snapshots, (80, 24)));
        state.marks = vec![own(1), own(2)];
        model.mark(2);
        let numbers = |state: &State| awaited(&model, state).map(|one| one.number).collect();
        let before: Vec<u32> = numbers(&state);
        adopt(&mut state.marks, &[recorded(1, 7, "")], |number| number == 2);
        let after: Vec<u32> = numbers(&state);
        assert_eq!((before, after), (vec![1], vec![]));
    }

    #[test]
    fn marks_go_with_their_process_and_come_back_with_it() {
        let (mut aside, mut marks) = (MarksAside::default(), vec![own(1)]);
        let numbers = |marks: &[Mark]| marks.iter().map(|mark| mark.number).collect::<Vec<_>>();
        // What was marked before a process was known is the first one's.
        aside.show((7, 0), &mut marks);
        assert_eq!((numbers(&marks), aside.highest()), (vec![1], 0));
        aside.show((7, 1), &mut marks);
        assert_eq!((numbers(&marks), aside.highest()), (vec![], 1));
        marks.push(own(2));
        aside.show((7, 0), &mut marks);
        assert_eq!((numbers(&marks), aside.highest()), (vec![1], 2));
        aside.show((7, 1), &mut marks);
        assert_eq!((numbers(&marks), aside.highest()), (vec![2], 1));
    }

    #[test]
    fn figures_are_read_of_what_is_compared_first_and_of_all_where_all_show() {
        let (mut model, mut state) = (Model::default(), State::new(Screen::Overview, (80, 24)));
        let marks = [1, 2, 3].map(|number| recorded(number, u64::from(number), ""));
        adopt(&mut state.marks, &marks, |_| false);
        let wanted = |model: &Model, state: &State| {
            missing(model, state).iter().map(|mark| mark.number).collect::<Vec<_>>()
        };
        assert!(wanted(&model, &state).is_empty());
        state.diff.pair.from = When::Mark(2);
        assert_eq!(wanted(&model, &state), [2]);
        state.screen = Screen::Snapshots;
        assert_eq!(wanted(&model, &state), [2, 1, 3]);
        keep(&mut model, &state.marks[1].clone(), None);
        assert_eq!(wanted(&model, &state), [1, 3]);
        assert!(model.marks.get(2).is_some_and(|mark| mark.figures.is_none() && mark.t_s == 2.0));
    }
}
