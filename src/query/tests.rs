//! What screens are given of a model, by subject; and the model that they share.

mod asked;
mod flame;
mod moments;
mod overview;
mod past;
mod site;
mod sites;

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
