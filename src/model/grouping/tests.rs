use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::model::{
    Function, Kind, Location, Module, ModuleId, Names, Node, NodeId, Plumbing, Purpose, Sites,
    SitesUpdate, Stack, Term,
};

/// Functions whose name begins with `alloc` are plumbing.
#[derive(Debug)]
struct Alloc;

impl Plumbing for Alloc {
    fn kind(&self, function: &Function, _: Option<&[u8]>) -> Option<Kind> {
        function.name.starts_with("alloc").then_some(Kind::Allocator)
    }
}

fn scope<'a>(sites: &'a Sites, names: &'a Names) -> Scope<'a> {
    Scope { sites, names, plumbing: &Alloc, kinds: None }
}

/// main (0) calls parse (1), which calls itself and alloc (2); leaf (3) has no name yet.
fn small() -> (Sites, Names) {
    let node = |parent: Option<u32>, location| Node {
        parent: parent.map(NodeId),
        location: LocationId(location),
    };
    let stack = |node| Stack { node: Some(NodeId(node)), cut: false };
    let figures = |bytes, blocks| SiteFigures {
        current_bytes: bytes,
        current_blocks: blocks,
        allocations: blocks,
        ..SiteFigures::default()
    };
    let mut sites = Sites::default();
    sites.apply(SitesUpdate {
        modules: vec![Module { path: b"/bin/prog".to_vec(), build_id: vec![] }],
        locations: (0..4)
            .map(|at| Location { module: Some(ModuleId(0)), address: 0x1000 + at })
            .collect(),
        nodes: vec![
            node(None, 0),
            node(Some(0), 1),
            node(Some(1), 1),
            node(Some(2), 2),
            node(Some(1), 3),
        ],
        stacks: vec![stack(3), stack(4), Stack { node: None, cut: true }],
        changed: vec![
            (StackId(0), figures(100, 1)),
            (StackId(1), figures(20, 2)),
            (StackId(2), figures(3, 3)),
        ],
        restart: false,
    });
    let mut names = Names::default();
    for (at, name) in [(0, "main"), (1, "parse"), (2, "alloc_vec")] {
        names.insert(LocationId(at), vec![function(name, 10 + at)]);
    }
    (sites, names)
}

fn function(name: &str, line: u32) -> Function {
    Function { name: name.into(), file: Some("/src/prog.c".into()), line: Some(line) }
}

fn table(groups: &Groups, scope: Scope<'_>) -> Vec<(String, u64, u64)> {
    let row = |id| {
        let own = groups.own(id).current_bytes;
        (groups.label(scope, id).to_string(), own, groups.with_callees(id))
    };
    let mut rows: Vec<_> = groups.ids().map(row).collect();
    rows.sort();
    rows
}

fn rows(expected: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    expected.iter().map(|(name, own, all)| ((*name).to_owned(), *own, *all)).collect()
}

#[test]
fn plumbing_is_shown_at_its_caller_and_recursion_counts_once() {
    let (sites, names) = small();
    let scope = scope(&sites, &names);
    let by = |by| table(&Groups::of(scope, by, Filter::default()), scope);
    assert_eq!(
        by(Grouping::Function),
        rows(&[("(unknown)", 3, 3), ("/bin/prog", 20, 20), ("main", 0, 120), ("parse", 100, 120),])
    );
    assert_eq!(
        by(Grouping::Site),
        rows(&[
            ("(unknown)", 3, 3),
            ("main /src/prog.c:10", 0, 120),
            ("parse /src/prog.c:11", 100, 120),
            ("prog+0x1003", 20, 20),
        ])
    );
    assert_eq!(by(Grouping::Module), rows(&[("(unknown)", 3, 3), ("/bin/prog", 120, 120)]));
    assert_eq!(
        by(Grouping::Stack),
        rows(&[("(unknown)", 3, 3), ("parse /src/prog.c:11", 100, 100), ("prog+0x1003", 20, 20),])
    );
}

#[test]
fn inlined_functions_are_frames_of_their_own() {
    let (sites, mut names) = small();
    let inlined = vec![function("alloc_inlined", 1), function("helper", 2), function("outer", 3)];
    names.insert(LocationId(3), inlined);
    let scope = scope(&sites, &names);
    let groups = Groups::of(scope, Grouping::Function, Filter::default());
    let group = groups.of_stack(StackId(1)).expect("a group");
    assert_eq!(groups.label(scope, group).to_string(), "helper");
    assert!(table(&groups, scope).contains(&("outer".to_owned(), 0, 20)));
}

#[test]
fn a_filter_looks_at_the_site_or_at_every_frame() {
    let (sites, names) = small();
    let scope = scope(&sites, &names);
    let sum = |purpose, text: &str, all_frames| {
        let term = Term::parse(text).expect("a term");
        let filter = Filter::new(vec![(purpose, term)], all_frames).expect("one term");
        let groups = Groups::of(scope, Grouping::Function, filter);
        groups.ids().map(|id| groups.own(id).current_bytes).sum::<u64>()
    };
    assert_eq!(sum(Purpose::Include, "fn:parse", false), 100);
    assert_eq!(sum(Purpose::Include, "fn:parse", true), 120);
    assert_eq!(sum(Purpose::Include, "fn:alloc*", true), 100);
    assert_eq!(sum(Purpose::Include, "fn:alloc*", false), 0);
    assert_eq!(sum(Purpose::Exclude, "fn:main", true), 3);
    assert_eq!(sum(Purpose::Exclude, "file:*prog.c:11", false), 23);
}

#[test]
fn stacks_and_places_lead_to_their_groups() {
    let (sites, names) = small();
    let scope = scope(&sites, &names);
    let groups = Groups::of(scope, Grouping::Function, Filter::default());
    let parse = groups.of_stack(StackId(0)).expect("a group");
    let place = groups.get(parse).place.expect("a place");
    assert_eq!(groups.of_place(place), Some(parse));
    assert_eq!(groups.stacks_of(parse).collect::<Vec<_>>(), [StackId(0)]);
    let then = groups.at(|stack| Tally::new(u64::from(stack.0) + 1, 1));
    assert_eq!(then[parse.0 as usize], Tally::new(1, 1));
}

fn any_sites() -> impl Strategy<Value = Sites> {
    let nodes = vec((any::<u32>(), 0_u32..8), 1..40);
    let stacks = vec(0_u32..40, 1..30);
    (nodes, stacks).prop_map(|(nodes, stacks)| {
        let nodes = nodes.into_iter().enumerate().map(|(at, (parent, location))| Node {
            parent: (at > 0 && parent % 4 != 0).then(|| NodeId(parent % at as u32)),
            location: LocationId(location),
        });
        let mut sites = Sites::default();
        sites.apply(SitesUpdate {
            modules: vec![
                Module::default(),
                Module { path: b"/lib/x.so".to_vec(), build_id: vec![] },
            ],
            locations: (0..8)
                .map(|at| Location { module: Some(ModuleId(at % 2)), address: at.into() })
                .collect(),
            nodes: nodes.collect(),
            stacks: stacks
                .into_iter()
                .map(|node| Stack { node: Some(NodeId(node)), cut: false })
                .collect(),
            ..SitesUpdate::default()
        });
        sites
    })
}

fn some_names() -> Names {
    let mut names = Names::default();
    for (at, name) in [(0, "main"), (1, "alloc_a"), (2, "parse"), (3, "parse"), (5, "alloc_b")] {
        names.insert(LocationId(at), vec![function(name, at)]);
    }
    names.insert(
        LocationId(6),
        vec![function("alloc_c", 1), function("read", 2), function("main", 3)],
    );
    names
}

/// What the groups should be, computed the plain way.
fn naively(scope: Scope<'_>, by: Grouping) -> BTreeMap<String, (u64, u64)> {
    let mut sums = BTreeMap::<String, (u64, u64)>::new();
    for (at, figures) in scope.sites.figures.iter().enumerate() {
        let stack = StackId(at as u32);
        let label = |place| by.label(&scope.frame(place)).to_string();
        let site = scope.site(stack).map(label).unwrap_or(Frame::default().to_string());
        sums.entry(site.clone()).or_default().0 += figures.current_bytes;
        let own = scope.places(stack).filter(|place| !scope.is_plumbing(*place));
        let chain: BTreeSet<String> = own.map(label).chain([site]).collect();
        for name in chain {
            sums.entry(name).or_default().1 += figures.current_bytes;
        }
    }
    sums
}

proptest! {
    /// In slices, with changes in between, or at once: the sums are those of the plain way.
    #[test]
    fn groups_are_current_at_every_moment(
        mut sites in any_sites(),
        changes in vec((0_u32..30, 0_u64..1_000), 0..60),
        by in prop_oneof![Just(Grouping::Site), Just(Grouping::Function), Just(Grouping::File), Just(Grouping::Module)],
        slice in 1_usize..9,
    ) {
        let names = some_names();
        let mut groups = Groups::new(by, Filter::default());
        for (stack, bytes) in changes {
            let Some(old) = sites.figures.get(stack as usize).copied() else { continue };
            let new = SiteFigures { current_bytes: bytes, ..old };
            groups.change(scope(&sites, &names), StackId(stack), &old, &new);
            sites.figures[stack as usize] = new;
            groups.extend(scope(&sites, &names), slice);
        }
        let scope = scope(&sites, &names);
        while groups.extend(scope, slice) {}
        let found = table(&groups, scope).into_iter().map(|(name, own, all)| (name, (own, all)));
        let mut expected = naively(scope, by);
        expected.retain(|_, sums| *sums != (0, 0));
        let found: BTreeMap<_, _> = found.filter(|(_, sums)| *sums != (0, 0)).collect();
        prop_assert_eq!(found, expected);
    }
}
