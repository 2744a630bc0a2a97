//! The call tree as a picture.

use memtop_ui::data::{SitesKnown, When};

use super::*;

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

#[test]
fn what_is_remembered_of_calls_follows_new_stacks_and_names() {
    let (mut model, memory) = (small(), Memory::default());
    let mut state = state(Screen::Flame);
    state.flame.inverted = true;
    let update = |at: u32| SitesUpdate {
        stacks: (at == 1)
            .then_some(Stack { node: Some(NodeId(0)), cut: false })
            .into_iter()
            .collect(),
        changed: vec![(StackId(0), figures(100, 1)), (StackId(at * 3 + 1), figures(500, 5))],
        ..SitesUpdate::default()
    };
    let mut pictures = Vec::new();
    for round in 0..4 {
        match round {
            0 => {}
            3 => {
                let renamed = Function { name: "alloc_late".into(), ..Function::default() };
                model.learn(LocationId(3), vec![renamed]);
            }
            round => observe(&mut model, update(round - 1), 1.0),
        }
        prepare(&mut model, &state);
        let remembered = data(&model, &state, &Session::default(), &memory, Output::Elsewhere);
        assert_eq!(remembered.flame, shown(&mut model, &state).flame, "round {round}");
        pictures.push(picture(&shown(&mut model, &state).flame));
    }
    pictures.dedup();
    assert_eq!(pictures.len(), 4, "each round changes something");
    assert!(pictures[2].contains(&("main".to_owned(), 500, 500)));
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
fn screens_about_code_know_whether_there_is_any() {
    let mut model = small();
    let mut none = Model::default();
    let state_of_none = Some(ProcessState::default());
    none.observe(Reading { state: state_of_none, connected: true, ..Reading::default() });
    for screen in [Screen::Flame, Screen::Snapshots] {
        let sites = shown(&mut model, &state(screen)).sites;
        assert!(sites.total > 0 && sites.known == SitesKnown::Yes, "{screen:?}");
        let data = shown(&mut none, &state(screen));
        let now = data.snapshots.rows.iter().find(|row| row.when == When::Now);
        assert_eq!(now.and_then(|row| row.live_bytes), None, "nothing was counted");
        let sites = data.sites;
        assert_eq!((sites.total, sites.known), (0, SitesKnown::WithoutStacks), "{screen:?}");
    }
}

#[test]
fn stacks_of_a_program_that_is_not_traced_yet_are_no_sites() {
    let mut model = Model::default();
    let sites =
        SitesUpdate { stacks: vec![Stack { node: None, cut: false }], ..SitesUpdate::default() };
    observe(&mut model, sites, 0.0);
    assert_eq!(shown(&mut model, &state(Screen::Flame)).sites.total, 0);
}
