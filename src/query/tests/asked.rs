//! Code that certain threads asked for.

use super::*;
use crate::model::{Asked, Askers, ThreadState};

/// `parse` and `store` are asked by `io`, the other two by `main`; `cache` by both.
fn model_with_threads() -> Model {
    let mut model = small();
    let thread = |tid, name: &str| ThreadState {
        tid,
        name: Some(name.to_owned()),
        ..ThreadState::default()
    };
    let threads = vec![thread(7, "io"), thread(8, "main")];
    let state = Some(ProcessState { threads, ..ProcessState::default() });
    model.observe(Reading { state, connected: true, ..Reading::default() });
    let stacks = |all: &[u32]| all.iter().map(|stack| StackId(*stack)).collect();
    let askers = Askers(vec![(7, stacks(&[0, 1])), (8, stacks(&[1, 2, 3]))]);
    model.askers = Asked::Known(askers);
    model
}

fn filtered(screen: Screen, text: &str) -> State {
    let mut state = by(Grouping::Stack, screen);
    state.code.filter = CodeFilter::parse(text).expect("a filter");
    state
}

fn held(model: &mut Model, text: &str) -> Vec<u64> {
    let data = shown(model, &filtered(Screen::Sites, text));
    assert_eq!(data.filter_problem, None);
    data.sites.rows.rows.iter().map(|row| row.figures.live_bytes).collect()
}

#[test]
fn sites_are_those_that_a_thread_asked_at() {
    let mut model = model_with_threads();
    assert_eq!(held(&mut model, "thread:io"), [600, 300]);
    assert_eq!(held(&mut model, "thread:main"), [300, 60, 40]);
    assert_eq!(held(&mut model, "thread:io thread:main"), [300]);
    assert_eq!(held(&mut model, "-thread:io"), [60, 40]);
    assert_eq!(held(&mut model, "thread:8 fn:lookup"), [40]);
    assert_eq!(held(&mut model, "thread:nobody"), [0; 0]);
    // A thread that comes to ask at a place is seen to.
    let stacks = [StackId(0), StackId(3)].into_iter().collect();
    model.askers = Asked::Known(Askers(vec![(7, stacks)]));
    assert_eq!(held(&mut model, "thread:io"), [600, 40]);
}

#[test]
fn flames_and_diffs_are_of_the_same_sites() {
    let mut model = model_with_threads();
    let state = filtered(Screen::Flame, "thread:io");
    let flame = shown(&mut model, &state).flame;
    assert_eq!((flame.whole, flame.matching), (900, None));
    let searched = shown(&mut model, &filtered(Screen::Flame, "thread:io fn:parse")).flame;
    assert_eq!((searched.whole, searched.matching), (900, Some(600)));
    let mut state = filtered(Screen::Snapshots, "thread:io");
    state.diff.pair = Pair { from: When::Start, to: When::Now };
    let diff = shown(&mut model, &state).snapshots.diff;
    let grown: u64 = diff.rows.rows.iter().map(|row| row.sides.to_bytes).sum();
    assert_eq!((diff.problem, grown), (None, 900));
}

#[test]
fn what_is_not_known_of_threads_is_not_called_nothing() {
    let mut model = model_with_threads();
    model.askers = Asked::Unknown;
    for text in ["thread:io", "-thread:io"] {
        let data = shown(&mut model, &filtered(Screen::Sites, text));
        assert!(data.sites.rows.rows.is_empty() && data.sites.total == 4, "{text}");
        assert!(data.filter_problem.is_some_and(|why| why.contains("not known")), "{text}");
    }
    let diff = shown(&mut model, &filtered(Screen::Snapshots, "thread:io")).snapshots.diff;
    assert!(diff.problem.is_some_and(|why| why.contains("not known")));
    // Nobody needs to know for another filter.
    let data = shown(&mut model, &filtered(Screen::Sites, "fn:parse"));
    assert_eq!((data.filter_problem, data.sites.rows.rows.len()), (None, 2));
}

#[test]
fn a_recording_and_the_past_say_that_they_do_not_hold_who_asked() {
    let mut model = model_with_threads();
    model.askers = Asked::Unknown;
    let why = |model: &mut Model, state: &State, origin| {
        let session = Session { origin, ..Session::default() };
        prepare(model, state);
        let data = data(model, state, &session, &Memory::default(), Output::Elsewhere);
        data.filter_problem.unwrap_or_default()
    };
    let mut state = filtered(Screen::Sites, "thread:io");
    assert!(why(&mut model, &state, Origin::Replay).starts_with("A recording does not hold"));
    state.playback.at_s = Some(1.0);
    assert!(why(&mut model, &state, Origin::default()).contains("and not of the past"));
    // Where threads are the rows, nobody needs to know.
    state.code.grouping = Grouping::Thread;
    assert_eq!(why(&mut model, &state, Origin::Replay), "");
}

#[test]
fn ended_threads_are_found_by_that_word() {
    let mut model = model_with_threads();
    let stacks = [StackId(2), StackId(3)].into_iter().collect();
    model.askers = Asked::Known(Askers(vec![(0, stacks)]));
    assert_eq!(held(&mut model, "thread:ended"), [60, 40]);
}
