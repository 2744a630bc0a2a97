//! What is compared: marks, the start, the peak, now, and other runs.

use super::*;

#[test]
fn growth_is_measured_from_a_mark() {
    let mut model = small();
    assert!(model.mark(1).is_empty());
    let grown = SitesUpdate {
        changed: vec![(StackId(0), figures(700, 7)), (StackId(1), figures(100, 1))],
        ..Default::default()
    };
    observe(&mut model, grown, 1.0);
    let mut state = state(Screen::Overview);
    state.baseline = Baseline::Mark(1);
    let growth = shown(&mut model, &state).growth;
    assert_eq!((growth.by, growth.more), (GrowthBy::Site, 0));
    let row = |at: usize| {
        let row = &growth.rows[at];
        let Grown::Site { name, .. } = &row.what else { panic!("sites grow") };
        (name.text.clone(), row.delta_bytes, row.delta_blocks, row.live_bytes)
    };
    assert_eq!(row(0), ("parse".to_owned(), 100, 1, 760));
    assert_eq!((growth.rows.len(), growth.shrank), (1, false), "store shrank");
    let mut sites = by(Grouping::Site, Screen::Sites);
    sites.baseline = Baseline::Mark(1);
    let data = shown(&mut model, &sites);
    assert_eq!(data.sites.sums.delta_bytes, Some(-100));
    assert_eq!(data.sites.rows.rows[0].figures.delta_bytes, Some(100));
    assert_eq!(data.sites.since, Baseline::Mark(1));
}

#[test]
fn what_shrank_shows_where_nothing_grew_the_largest_loss_first() {
    let mut model = small();
    assert!(model.mark(1).is_empty());
    let shrunk = SitesUpdate {
        changed: vec![(StackId(0), figures(500, 5)), (StackId(1), figures(40, 1))],
        ..Default::default()
    };
    observe(&mut model, shrunk, 1.0);
    let mut state = state(Screen::Overview);
    state.baseline = Baseline::Mark(1);
    let growth = shown(&mut model, &state).growth;
    let deltas: Vec<i64> = growth.rows.iter().map(|row| row.delta_bytes).collect();
    assert_eq!((deltas, growth.shrank), (vec![-260, -100], true));
    // Nothing changed is neither.
    assert!(model.mark(2).is_empty());
    state.baseline = Baseline::Mark(2);
    let growth = shown(&mut model, &state).growth;
    assert_eq!((growth.rows.len(), growth.shrank), (0, false));
}

#[test]
fn sites_say_since_when_their_changes_are() {
    let mut model = small();
    // A mark of another process, or one that is still to be read.
    for grouping in [Grouping::Site, Grouping::Thread] {
        let mut sites = by(grouping, Screen::Sites);
        sites.baseline = Baseline::Mark(7);
        let data = shown(&mut model, &sites);
        assert_eq!(data.sites.since, Baseline::Start);
        let sums = &data.sites.sums;
        assert_eq!(sums.delta_bytes, i64::try_from(sums.live_bytes).ok());
    }
}

#[test]
fn what_is_remembered_is_as_true_as_what_is_summed_anew() {
    let mut model = small();
    let memory = Memory::default();
    let agree = |model: &mut Model, words: &str| {
        for (from, callees) in [(When::Mark(1), false), (When::Mark(1), true), (When::Start, true)]
        {
            let mut state = by(Grouping::Function, Screen::Snapshots);
            (state.diff.pair, state.diff.with_callees) = (Pair { from, to: When::Now }, callees);
            let anew = shown(model, &state).snapshots;
            let session = Session::default();
            let remembered = data(model, &state, &session, &memory, Output::Elsewhere).snapshots;
            assert_eq!(remembered, anew, "{words} {from:?} {callees}");
        }
    };
    agree(&mut model, "no mark");
    model.mark(1);
    agree(&mut model, "a mark");
    agree(&mut model, "the same again");
    let changed = vec![(StackId(0), figures(4000, 40))];
    observe(&mut model, SitesUpdate { changed, ..SitesUpdate::default() }, 1.0);
    agree(&mut model, "figures change");
    let node = model.sites.stacks[1].node;
    let stacks = vec![Stack { node, cut: false }];
    let stack = StackId(model.sites.stacks.len() as u32);
    let changed = vec![(stack, figures(70, 7))];
    observe(&mut model, SitesUpdate { changed, stacks, ..SitesUpdate::default() }, 2.0);
    agree(&mut model, "a stack comes");
    let function = Function { name: "found".into(), ..Function::default() };
    model.learn(LocationId(1), vec![function]);
    observe(&mut model, SitesUpdate::default(), 3.0);
    agree(&mut model, "a name comes");
}

#[test]
fn two_moments_differ() {
    let mut model = small();
    model.mark(1);
    let later = SitesUpdate {
        changed: vec![(StackId(0), figures(0, 0)), (StackId(3), figures(90, 9))],
        nodes: vec![Node { parent: Some(NodeId(0)), location: LocationId(3) }],
        ..Default::default()
    };
    let node = NodeId(model.sites.nodes.len() as u32);
    let stacks = vec![Stack { node: Some(node), cut: false }];
    let mut later = SitesUpdate { stacks, ..later };
    later.changed.push((StackId(4), figures(7, 1)));
    observe(&mut model, later, 1.0);
    let mut state = by(Grouping::Stack, Screen::Snapshots);
    state.diff.pair = Pair { from: When::Mark(1), to: When::Now };
    let snapshots = shown(&mut model, &state).snapshots;
    let whens: Vec<When> = snapshots.rows.iter().map(|row| row.when).collect();
    assert_eq!(whens, [When::Start, When::Mark(1), When::Now]);
    let diff = snapshots.diff;
    assert_eq!(diff.problem, None);
    let rows = diff.rows.rows.iter();
    let rows: Vec<_> = rows.map(|row| (&*row.name.text, row.sides.change())).collect();
    let expected = [("lookup", Change::Grown), ("store", Change::New), ("parse", Change::Gone)];
    assert_eq!(rows, expected);
    assert_eq!(diff.totals.delta_bytes, 50 + 7 - 600);
    assert_eq!(diff.totals.groups, [1, 1, 0, 1, 2]);
    state.code.grouping = Grouping::Function;
    state.diff.with_callees = true;
    let diff = shown(&mut model, &state).snapshots.diff;
    let main = diff.rows.rows.iter().find(|row| row.name.text == "main").expect("a caller");
    assert_eq!((main.sides.from_bytes, main.sides.to_bytes), (1000, 457));
    state.diff.pair.from = When::Mark(9);
    assert!(shown(&mut model, &state).snapshots.diff.problem.is_some());
}

#[test]
fn sites_that_are_not_known_of_a_moment_are_not_compared() {
    let mut model = Model::default();
    let counted = |allocations, sites| Reading {
        state: Some(ProcessState {
            totals: crate::model::Totals { allocations, ..Default::default() },
            ..Default::default()
        }),
        sites,
        images: vec![Default::default()],
        ..Reading::default()
    };
    model.observe(counted(0, SitesUpdate::default()));
    model.mark(1);
    model.observe(counted(5, SitesUpdate::default()));
    model.mark(2);
    model.observe(counted(9, small().sites.to_update()));
    let mut state = by(Grouping::Stack, Screen::Snapshots);
    let mut problem = |from, to| {
        state.diff.pair = Pair { from, to };
        shown(&mut model, &state).snapshots.diff.problem
    };
    assert_eq!(problem(When::Mark(1), When::Now), None, "nothing was allocated then");
    let unknown = |said: Option<String>| said.is_some_and(|said| said.contains("unknown"));
    assert!(unknown(problem(When::Mark(2), When::Now)));
    assert!(unknown(problem(When::Start, When::Mark(2))));
    let process = ProcessState {
        totals: crate::model::Totals { allocations: 1, ..Default::default() },
        ..Default::default()
    };
    let (name, path) = ("old".to_owned(), "/tmp/old.memtop".into());
    model.loaded.push(crate::model::Loaded { number: 1, name, path, process });
    state.diff.pair = Pair { from: When::File(1), to: When::Now };
    assert!(unknown(shown(&mut model, &state).snapshots.diff.problem));
}

#[test]
fn another_run_is_compared_by_names() {
    let mut model = small();
    // The same program with its functions elsewhere, and more in one place.
    let other = self::model(&[(&[0, 1, 2, 4], 200, 2), (&[0, 5], 9, 1)]);
    let mut process = ProcessState { sites: other.sites, names: other.names, ..Default::default() };
    process.sites.locations.iter_mut().for_each(|location| location.address += 0x500);
    let path = "/tmp/old.memtop".into();
    model.loaded.push(crate::model::Loaded { number: 1, name: "old".to_owned(), path, process });
    let mut state = by(Grouping::Function, Screen::Snapshots);
    state.diff.pair = Pair { from: When::File(1), to: When::Now };
    let diff = shown(&mut model, &state).snapshots.diff;
    let row = |name: &str| {
        let row = diff.rows.rows.iter().find(|row| row.name.text == name).expect(name);
        (row.sides.from_bytes, row.sides.to_bytes)
    };
    assert_eq!((row("parse"), row("cache"), row("lookup")), ((200, 660), (9, 0), (0, 40)));
    assert_eq!(diff.totals.delta_bytes, 1000 - 209);
}
