//! Screens of a moment of the past.

use std::time::Duration;

use super::*;
use crate::model::{Point, SiteHistory, Totals};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A moment at twelve seconds whose sites are those of two seconds before.
fn read(model: &mut Model, live: u64, changed: Vec<(StackId, SiteFigures)>) {
    let totals = Totals { current_bytes: live, peak_at: Some(seconds(11)), ..Totals::default() };
    model.observe(Reading {
        now_s: 12.0,
        state: Some(ProcessState { totals, ..ProcessState::default() }),
        sites: SitesUpdate { changed, ..SitesUpdate::default() },
        sites_as_of: Some(seconds(10)),
        ..Reading::default()
    });
}

fn replayed<'a>(model: &mut Model, state: &State) -> Data<'a> {
    prepare(model, state);
    let session = Session { origin: Origin::Replay, ..Session::default() };
    data(model, state, &session, &Memory::default(), Output::Elsewhere)
}

#[test]
fn older_sites_say_so_and_their_shares_are_of_their_moment() {
    let mut model = small();
    read(&mut model, 50, Vec::new());
    let mut state = by(Grouping::Function, Screen::Sites);
    let sites = replayed(&mut model, &state);
    assert_eq!(sites.sites_as_of_s, Some(10.0));
    state.site.key = sites.sites.rows.rows[0].key;
    state.screen = Screen::Site;
    let site = replayed(&mut model, &state).site.expect("it is there");
    assert_eq!((site.process_live_bytes, site.figures.live_bytes), (1000, 660));
    // A mark of this moment has them as well, and so has a peak that came later.
    model.mark(1);
    let as_of = |model: &mut Model, from, to| {
        let mut state = by(Grouping::Function, Screen::Snapshots);
        state.diff.pair = Pair { from, to };
        replayed(model, &state).snapshots.diff.as_of_s
    };
    assert_eq!(as_of(&mut model, When::Start, When::Now), [None, Some(10.0)]);
    assert_eq!(as_of(&mut model, When::Mark(1), When::Peak), [Some(10.0); 2]);
    // What differs between the moments is known nevertheless.
    let mut state = by(Grouping::Function, Screen::Snapshots);
    state.diff.pair = Pair { from: When::Start, to: When::Now };
    let diff = replayed(&mut model, &state).snapshots.diff;
    assert_eq!((diff.totals.delta_bytes, diff.whole.map(|whole| whole.0)), (1000, Some(50)));
    // Those of a look at this very moment have no age.
    observe(&mut model, SitesUpdate::default(), 13.0);
    assert_eq!(as_of(&mut model, When::Mark(1), When::Now), [Some(10.0), None]);
    assert_eq!(replayed(&mut model, &state).sites_as_of_s, None);
}

#[test]
fn the_history_of_a_site_is_what_was_read_of_the_recording() {
    let mut model = small();
    read(&mut model, 1000, Vec::new());
    let mut state = by(Grouping::Function, Screen::Sites);
    state.site.key = replayed(&mut model, &state).sites.rows.rows[0].key;
    state.screen = Screen::Site;
    let opened = opened(&model, &state).expect("it is open");
    assert_eq!((opened.of, opened.known), (state.site.key.0, 4));
    assert_eq!(opened.stacks, [StackId(0), StackId(2)]);

    let told = |model: &mut Model| {
        let site = replayed(model, &state).site.expect("it is there");
        let curve: Vec<_> = site.history.iter().map(|at| (at.t_s, at.live_bytes)).collect();
        (curve, site.history_to_s, site.sentence.expect("a sentence"))
    };
    // Nothing was read: what the model saw on its way is of no use.
    assert_eq!(told(&mut model).0, []);
    let point = |at, current_bytes| Point { at: seconds(at), current_bytes, ..Point::default() };
    let half = SiteHistory {
        of: opened.of,
        points: vec![point(0, 10), point(1, 60)],
        read_to: Some(seconds(1)),
    };
    model.site_history = Some(half.clone());
    let (curve, to, sentence) = told(&mut model);
    assert_eq!((curve, to), (vec![(0.0, 10), (1.0, 60)], Some(1.0)));
    assert!(!sentence.contains("growing"), "{sentence}");
    model.site_history = Some(SiteHistory { read_to: None, ..half.clone() });
    let (curve, to, sentence) = told(&mut model);
    assert_eq!((curve, to), (vec![(0.0, 10), (1.0, 60), (10.0, 660)], None));
    assert!(sentence.contains("growing 65 B/s"), "{sentence}");
    // What was read of another site is not this one's.
    model.site_history = Some(SiteHistory { of: 99, ..half });
    assert_eq!(told(&mut model).0, []);
}

#[test]
fn marks_that_are_recorded_are_listed_before_their_figures_are_read() {
    let mut model = small();
    read(&mut model, 1000, Vec::new());
    let mut state = by(Grouping::Function, Screen::Snapshots);
    let recorded = |number, t_s, name: Option<&str>| memtop_ui::data::Mark {
        number,
        t_s,
        name: name.map(str::to_owned),
        recorded: true,
        ..Default::default()
    };
    state.marks = vec![recorded(1, 3.0, Some("before")), recorded(2, 60.0, None)];
    state.diff.pair = Pair { from: When::Mark(1), to: When::Now };
    model.marks_to_come = vec![1, 2];
    let shown = replayed(&mut model, &state);
    let rows: Vec<_> = shown.snapshots.rows.iter().map(|row| (row.when, row.live_bytes)).collect();
    assert_eq!(rows[1], (When::Mark(1), None));
    assert!(rows.contains(&(When::Mark(2), None)), "{rows:?}");
    assert_eq!(shown.snapshots.rows[1].name.as_deref(), Some("before"));
    assert_eq!(shown.snapshots.rows[1].unknown, Some("being read"));
    assert_eq!(shown.snapshots.diff.problem.as_deref(), Some("mark 1 is being read"));
    model.marks_to_come.clear();
    model.marks.insert_without_sites(1, crate::model::Snapshot { t_s: 3.0, ..Default::default() });
    for (first, why) in [(4, "before the first reading"), (2, "nothing is kept of it")] {
        model.reading.timeline = vec![Point { at: seconds(first), ..Point::default() }];
        let snapshots = replayed(&mut model, &state).snapshots;
        assert_eq!(snapshots.rows[1].unknown, Some(why));
        let problem = format!("there are no figures of mark 1: {why}");
        assert_eq!(snapshots.diff.problem, Some(problem));
    }
}
