mod asked;
mod past;

use std::collections::{HashMap, HashSet};

use memtop_ui::data::Grouping;
use memtop_ui::{
    State,
    data::{Baseline, Change, Grown, GrowthBy, Key, Measure, Pair, SortKey, When},
    filter::CodeFilter,
};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::model::{
    Function, Kind, Location, Module, ModuleId, Node, NodeId, Plumbing, ProcessState, Reading,
    SiteFigures, SitesUpdate, Stack, StackId,
};

#[derive(Debug)]
struct Alloc;

impl Plumbing for Alloc {
    fn kind(&self, function: &Function, _: Option<&[u8]>) -> Option<Kind> {
        function.name.starts_with("alloc").then_some(Kind::Allocator)
    }
}

const NAMES: [&str; 7] = ["main", "serve", "parse", "store", "alloc_vec", "cache", "lookup"];

/// Calls by name, outermost first, and live bytes and blocks.
type Site<'a> = (&'a [usize], u64, u64);

/// A model that shows a process with these sites.
fn model(sites: &[Site<'_>]) -> Model {
    let mut model = Model::new(std::sync::Arc::new(Alloc));
    let mut update = SitesUpdate {
        modules: vec![Module { path: b"/bin/server".to_vec(), build_id: vec![] }],
        locations: (0..NAMES.len() as u64)
            .map(|at| Location { module: Some(ModuleId(0)), address: 0x1000 + at })
            .collect(),
        ..SitesUpdate::default()
    };
    for (chain, bytes, blocks) in sites {
        let mut parent = None;
        for at in *chain {
            let known = update.nodes.iter().position(|node: &Node| {
                node.parent == parent && node.location == LocationId(*at as u32)
            });
            let at = known.unwrap_or_else(|| {
                update.nodes.push(Node { parent, location: LocationId(*at as u32) });
                update.nodes.len() - 1
            });
            parent = Some(NodeId(at as u32));
        }
        let stack = StackId(update.stacks.len() as u32);
        update.changed.push((stack, figures(*bytes, *blocks)));
        update.stacks.push(Stack { node: parent, cut: false });
    }
    observe(&mut model, update, 0.0);
    for (at, name) in NAMES.iter().enumerate() {
        let file = Some("/src/server.c".into());
        let function = Function { name: (*name).into(), file, line: Some(10 + at as u32) };
        model.learn(LocationId(at as u32), vec![function]);
    }
    model
}

fn figures(bytes: u64, blocks: u64) -> SiteFigures {
    SiteFigures {
        current_bytes: bytes,
        current_blocks: blocks,
        at_peak_bytes: bytes / 2,
        allocated_bytes: bytes * 3,
        allocations: blocks * 3,
        ..SiteFigures::default()
    }
}

fn observe(model: &mut Model, sites: SitesUpdate, now_s: f64) {
    let live = |(_, figures): &(StackId, SiteFigures)| figures.current_bytes;
    let mut state = ProcessState::default();
    state.totals.current_bytes = sites.changed.iter().map(live).sum();
    let state = Some(state);
    model.observe(Reading { state, sites, now_s, connected: true, ..Reading::default() });
}

fn small() -> Model {
    model(&[
        (&[0, 1, 2, 4], 600, 6),
        (&[0, 1, 3, 4], 300, 3),
        (&[0, 1, 2, 2, 4], 60, 1),
        (&[0, 5, 6], 40, 4),
    ])
}

fn state(screen: Screen) -> State {
    State::new(screen, (120, 40))
}

fn shown<'a>(model: &mut Model, state: &State) -> Data<'a> {
    prepare(model, state);
    data(model, state, &Session::default(), &Memory::default(), Output::Elsewhere)
}

fn by(grouping: Grouping, screen: Screen) -> State {
    let mut state = state(screen);
    state.code.grouping = grouping;
    state
}

fn names(data: &Data<'_>) -> Vec<(String, u64, u64)> {
    let row = |row: &memtop_ui::data::SiteRow| {
        (row.name.text.clone(), row.figures.live_bytes, row.figures.with_callees_bytes)
    };
    data.sites.rows.rows.iter().map(row).collect()
}

fn named(rows: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    rows.iter().map(|(name, own, all)| ((*name).to_owned(), *own, *all)).collect()
}

#[test]
fn sites_are_sorted_and_told_apart() {
    let mut model = small();
    let data = shown(&mut model, &by(Grouping::Stack, Screen::Sites));
    let expected =
        [("parse", 600, 600), ("store", 300, 300), ("parse", 60, 60), ("lookup", 40, 40)];
    assert_eq!(names(&data), named(&expected));
    let via: Vec<_> = data.sites.rows.rows.iter().map(|row| row.name.via.as_deref()).collect();
    assert_eq!(via, [Some("serve"), None, Some("parse"), None]);
    assert_eq!((data.sites.sums.live_bytes, data.sites.total), (1000, 4));
    let mut state = by(Grouping::Function, Screen::Sites);
    state.sites.sort.by = SortKey::WithCallees;
    let data = shown(&mut model, &state);
    let expected = [
        ("main", 0, 1000),
        ("serve", 0, 960),
        ("parse", 660, 660),
        ("store", 300, 300),
        ("cache", 0, 40),
        ("lookup", 40, 40),
    ];
    let mut found = names(&data);
    found[4..].sort();
    assert_eq!(found, named(&expected));
}

#[test]
fn plumbing_stands_for_itself_when_all_frames_show() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    state.code.all_frames = true;
    let data = shown(&mut model, &state);
    assert_eq!(names(&data)[0], ("alloc_vec".to_owned(), 960, 960));
}

#[test]
fn filters_are_words_and_numbers() {
    let mut model = small();
    let mut rows = |grouping, text: &str| {
        let mut state = by(grouping, Screen::Sites);
        state.code.filter = CodeFilter::parse(text).expect("a filter");
        let data = shown(&mut model, &state);
        let rows = names(&data).into_iter().map(|row| row.0).collect::<Vec<_>>();
        (rows.join(" "), data.sites.rows.matching, data.sites.total)
    };
    assert_eq!(rows(Grouping::Stack, "fn:serve"), ("parse store parse".to_owned(), 3, 4));
    assert_eq!(rows(Grouping::Stack, "fn:serve -store"), ("parse parse".to_owned(), 2, 4));
    assert_eq!(rows(Grouping::Function, "fn:parse"), ("parse".to_owned(), 1, 6));
    assert_eq!(rows(Grouping::Function, "size>100 blocks<5"), ("store".to_owned(), 1, 6));
    assert_eq!(rows(Grouping::Site, "server.c:13"), ("store".to_owned(), 1, 3));
    assert_eq!(rows(Grouping::File, ""), ("/src/server.c".to_owned(), 1, 1));
}

#[test]
fn a_selection_follows_the_thing() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    let data = shown(&mut model, &state);
    let lookup = data.sites.rows.rows.iter().find(|row| row.name.text == "lookup").expect("a row");
    state.sites.cursor.key = Some(lookup.key);
    let grown = SitesUpdate { changed: vec![(StackId(3), figures(5000, 5))], ..Default::default() };
    observe(&mut model, grown, 1.0);
    let data = shown(&mut model, &state);
    assert_eq!(data.sites.rows.selected, 0);
    assert_eq!(data.sites.rows.chosen().map(|row| &*row.name.text), Some("lookup"));
    assert_eq!(data.sites.rows.rows[0].figures.live_bytes, 5000);
}

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
    assert_eq!(row(1), ("store".to_owned(), -200, -2, 100));
    assert_eq!(growth.rows.len(), 2);
    let mut sites = by(Grouping::Site, Screen::Sites);
    sites.baseline = Baseline::Mark(1);
    let data = shown(&mut model, &sites);
    assert_eq!(data.sites.sums.delta_bytes, Some(-100));
    assert_eq!(data.sites.rows.rows[0].figures.delta_bytes, Some(100));
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
fn the_chart_ends_with_what_the_header_shows() {
    let mut model = Model::default();
    let at = std::time::Duration::from_secs;
    let point = crate::model::Point { at: at(1), current_bytes: 7, ..Default::default() };
    let totals = crate::model::Totals { current_bytes: 9, ..Default::default() };
    model.observe(Reading {
        now_s: 1.1,
        state: Some(ProcessState { totals, ..Default::default() }),
        timeline: vec![point],
        ..Reading::default()
    });
    let data = shown(&mut model, &State::new(Screen::Overview, (80, 24)));
    let last = data.timeline.points.last().map(|point| (point.t_s, point.live));
    assert_eq!((last, data.header.live), (Some((1.1, 9)), Some(9)));
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

#[test]
fn a_site_is_told_in_full() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    let data = shown(&mut model, &state);
    state.site.key = data.sites.rows.rows[0].key;
    for second in 1..=12 {
        let bytes = 600 + second * 100;
        let changed = vec![(StackId(0), figures(bytes, 6))];
        observe(&mut model, SitesUpdate { changed, ..Default::default() }, second as f64);
    }
    state.screen = Screen::Site;
    let site = shown(&mut model, &state).site.expect("it is there");
    assert_eq!((&*site.name.text, site.stacks, site.stack_index), ("parse", 2, 0));
    let entries: Vec<String> =
        site.stack.entries.iter().map(|entry| format!("{entry:?}")).collect();
    assert!(entries[0].contains("Folded { frames: 1, what: \"allocator\" }"), "{entries:?}");
    assert!(entries[1].contains("parse") && entries[3].contains("main"), "{entries:?}");
    let curve: Vec<u64> = site.history.iter().map(|moment| moment.live_bytes).collect();
    assert_eq!(&curve[..3], [660, 760, 860]);
    assert_eq!(curve.last(), Some(&1860));
    let sentence = site.sentence.expect("a sentence");
    assert_eq!(
        sentence,
        "1.8 KiB in 7 blocks of 265 B on average, 103 % of what is live, growing 100 B/s."
    );
    state.site.stack = 1;
    let site = shown(&mut model, &state).site.expect("it is there");
    assert_eq!(site.stack.entries.len(), 5);
    state.site.stack = 0;
    state.site.all_frames = true;
    let unfolded = shown(&mut model, &state).site.expect("it is there");
    assert_eq!((unfolded.figures, unfolded.stacks), (site.figures, 2), "it is the same");
    let first = format!("{:?}", unfolded.stack.entries[0]);
    assert!(first.contains("alloc_vec") && first.contains("plumbing: true"), "{first}");
    state.site.key = Key(u64::MAX);
    assert_eq!(shown(&mut model, &state).site, None);
}

#[test]
fn a_history_has_every_second_that_tables_were_held_still() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    state.site.key = shown(&mut model, &state).sites.rows.rows[0].key;
    state.screen = Screen::Site;
    for second in 1..=8 {
        if second == 3 {
            model.hold_sites(true);
        }
        let changed = vec![(StackId(0), figures(600 + second * 100, 6))];
        observe(&mut model, SitesUpdate { changed, ..Default::default() }, second as f64);
    }
    let curve = |model: &mut Model| -> Vec<u64> {
        let site = shown(model, &state).site.expect("it is there");
        site.history.iter().map(|moment| moment.live_bytes).collect()
    };
    assert_eq!(curve(&mut model).last(), Some(&860), "held still");
    model.hold_sites(false);
    assert_eq!(curve(&mut model)[..9], [660, 760, 860, 960, 1060, 1160, 1260, 1360, 1460]);
    let changed = vec![(StackId(0), figures(100, 6))];
    observe(&mut model, SitesUpdate { changed, ..Default::default() }, 9.0);
    assert_eq!(curve(&mut model)[7..10], [1360, 1460, 160]);
}

#[test]
fn terms_about_code_match_no_thread() {
    let mut model = small();
    let mut reading = Reading { state: Some(ProcessState::default()), ..Reading::default() };
    let thread =
        crate::model::ThreadState { tid: 7, name: Some("file".into()), ..Default::default() };
    reading.state.as_mut().expect("a state").threads.push(thread);
    model.observe(reading);
    let mut rows = |text: &str| {
        let mut state = by(Grouping::Thread, Screen::Sites);
        state.code.filter = CodeFilter::parse(text).expect("a filter");
        shown(&mut model, &state).sites.rows.rows.len()
    };
    assert_eq!((rows("file"), rows("thread:file")), (1, 1));
    assert_eq!((rows("file:file"), rows("fn:file"), rows("-fn:file")), (0, 0, 1));
    // How many blocks it holds is not known: neither more nor less than anything.
    for unknown in ["blocks>0", "blocks<1", "blocks=0", "blocks>=0"] {
        assert_eq!(rows(unknown), 0, "{unknown}");
    }
    assert_eq!((rows("-blocks=0"), rows("size<1"), rows("allocs=0")), (1, 1, 1));
}

fn flame_of(model: &mut Model, change: impl Fn(&mut State)) -> memtop_ui::data::Flame {
    let mut state = state(Screen::Flame);
    change(&mut state);
    shown(model, &state).flame
}

fn picture(flame: &memtop_ui::data::Flame) -> Vec<(String, u64, u64)> {
    flame.nodes.iter().map(|node| (node.name.text.clone(), node.value, node.own)).collect()
}

#[test]
fn the_flame_merges_calls_and_leaves_plumbing_out() {
    let mut model = small();
    let flame = flame_of(&mut model, |_| {});
    assert_eq!(
        picture(&flame),
        named(&[
            ("everything", 1000, 0),
            ("main", 1000, 0),
            ("serve", 960, 0),
            ("parse", 660, 600),
            ("parse", 60, 60),
            ("store", 300, 300),
            ("cache", 40, 0),
            ("lookup", 40, 40),
        ])
    );
    let turned = flame_of(&mut model, |state| state.flame.inverted = true);
    assert_eq!(
        picture(&turned)[..4],
        named(
            &[("everything", 1000, 0), ("parse", 660, 0), ("serve", 600, 0), ("main", 600, 600),]
        )
    );
    let all = flame_of(&mut model, |state| state.code.all_frames = true);
    assert!(picture(&all).contains(&("alloc_vec".to_owned(), 600, 600)));
}

#[test]
fn the_flame_zooms_and_searches() {
    let mut model = small();
    let flame = flame_of(&mut model, |_| {});
    let key = flame.nodes[3].key;
    let zoomed = flame_of(&mut model, |state| state.flame.zoom = Some(key));
    assert_eq!(picture(&zoomed), named(&[("parse", 660, 600), ("parse", 60, 60)]));
    let crumbs: Vec<&str> = zoomed.zoom.iter().map(|crumb| &*crumb.name).collect();
    assert_eq!(crumbs, ["main", "serve", "parse"]);
    assert_eq!(zoomed.whole, 1000);
    let found = flame_of(&mut model, |state| {
        state.code.filter = CodeFilter::parse("fn:parse").expect("a filter");
    });
    assert_eq!((found.matching, found.matches), (Some(660), 2));
    assert_eq!(found.nodes.iter().filter(|node| node.matched).count(), 2);
    model.mark(1);
    let changed = vec![(StackId(1), figures(200, 2)), (StackId(0), figures(650, 6))];
    observe(&mut model, SitesUpdate { changed, ..Default::default() }, 1.0);
    let grown = flame_of(&mut model, |state| {
        state.flame.measure = Measure::Delta;
        state.diff.pair = Pair { from: When::Mark(1), to: When::Now };
    });
    assert_eq!((grown.whole, grown.shrunk_bytes), (50, 100));
    assert_eq!(grown.nodes[1].delta_bytes, Some(-50));
}

fn any_sites() -> impl Strategy<Value = Vec<(Vec<usize>, u64)>> {
    vec((vec(0_usize..NAMES.len(), 1..7), 0_u64..1000), 1..25)
}

proptest! {
    /// However it is turned, a picture's nodes hold what is below them, all of it adds up, and
    /// zooming to a node shows that node.
    #[test]
    fn any_flame_adds_up(sites in any_sites(), inverted: bool, all_frames: bool) {
        let sites: Vec<Site<'_>> = sites.iter().map(|(chain, bytes)| (&chain[..], *bytes, 1)).collect();
        let mut model = model(&sites);
        let choose = |state: &mut State| {
            state.flame.inverted = inverted;
            state.code.all_frames = all_frames;
            state.size = (u16::MAX, 60);
        };
        let flame = flame_of(&mut model, choose);
        let whole: u64 = sites.iter().map(|site| site.1).sum();
        prop_assert_eq!(flame.whole, whole);
        let keys: HashSet<_> = flame.nodes.iter().map(|node| node.key).collect();
        prop_assert_eq!(keys.len(), flame.nodes.len());
        let mut below: HashMap<u32, u64> = HashMap::new();
        for node in &flame.nodes {
            if let Some(parent) = node.parent {
                *below.entry(parent).or_default() += node.value;
            }
        }
        for (at, node) in flame.nodes.iter().enumerate() {
            let below = below.get(&(at as u32)).copied().unwrap_or(0);
            prop_assert_eq!(node.value, node.own + below, "nothing is narrower than a cell here");
        }
        for node in flame.nodes.iter().skip(1) {
            let zoomed = flame_of(&mut model, |state| {
                choose(state);
                state.flame.zoom = Some(node.key);
            });
            prop_assert_eq!(zoomed.nodes[0].key, node.key);
            prop_assert_eq!(zoomed.nodes[0].value, node.value);
        }
    }
}

#[test]
fn the_overview_knows_what_is_resident() {
    let gap = crate::model::Gap { live: 5 << 20, files: 3 << 20, ..Default::default() };
    let mut model = model(&[]);
    model.observe(Reading { gap: Some(gap), ..Reading::default() });
    let (session, memory) = (Session::default(), Memory::default());
    let state = State::new(Screen::Overview, (120, 40));
    let shown = data(&model, &state, &session, &memory, Output::default()).classes.gap;
    assert_eq!(shown.map(|gap| gap.resident), Some(8 << 20));
}
