//! Wishes about the flame.

use super::{Effect, show, tell};
use crate::action::{Motion, Step};
use crate::data::{Data, Flame, Key, Measure, Notice};
use crate::state::{Screen, State};
use crate::widget::flame::{depths, rows};

pub(super) fn next_measure(state: &mut State) -> Effect {
    state.flame.measure = state.flame.measure.next();
    Effect::Redraw
}

/// The trees have no node in common.
pub(super) fn invert(state: &mut State) -> Effect {
    state.flame.inverted = !state.flame.inverted;
    (state.flame.zoom, state.flame.selected, state.flame.top) = (None, None, 0);
    Effect::Redraw
}

pub(super) fn of_growth(state: &mut State) -> Effect {
    state.flame.measure = Measure::Delta;
    show(state, Screen::Flame)
}

/// Position of the node under the cursor: the root, when the selected one is not there.
pub(crate) fn cursor(state: &State, flame: &Flame) -> usize {
    let selected = state.flame.selected;
    flame.nodes.iter().position(|node| Some(node.key) == selected).unwrap_or(0)
}

pub(super) fn zoom_in(state: &mut State, data: &Data) -> Effect {
    let at = cursor(state, &data.flame);
    let Some(node) = data.flame.nodes.get(at).filter(|_| at > 0) else {
        return zoom_out(state, data);
    };
    (state.flame.zoom, state.flame.selected, state.flame.top) = (Some(node.key), Some(node.key), 0);
    Effect::Redraw
}

/// To the frame around the one that fills the width.
pub(super) fn zoom_out(state: &mut State, data: &Data) -> Effect {
    let zoom = &data.flame.zoom;
    let outer = zoom.len().checked_sub(2).map(|at| zoom[at].key);
    (state.flame.zoom, state.flame.top) = (outer, 0);
    Effect::Redraw
}

/// Shows everything again, if only a part shows.
pub(super) fn leave_zoom(state: &mut State) -> bool {
    let zoomed = state.screen == Screen::Flame && state.flame.zoom.is_some();
    if zoomed {
        (state.flame.zoom, state.flame.top) = (None, 0);
    }
    zoomed
}

pub(super) fn to_match(state: &mut State, step: Step, data: &Data) -> Effect {
    let nodes = &data.flame.nodes;
    let at = cursor(state, &data.flame);
    // There may be no node at all.
    let is_match = |at: &usize| nodes.get(*at).is_some_and(|node| node.matched);
    let found = match step {
        Step::Next => (at + 1..nodes.len()).chain(0..=at).find(is_match),
        Step::Previous => (0..at).rev().chain((at..nodes.len()).rev()).find(is_match),
    };
    match found {
        Some(found) => select(state, data, found),
        None if state.code.filter.is_empty() => {
            return tell(state, Notice::info("nothing is looked for: / looks for a name"));
        }
        None => return tell(state, Notice::info("nothing that shows matches")),
    }
    Effect::Redraw
}

pub(super) fn go(state: &mut State, motion: Motion, data: &Data) {
    let at = cursor(state, &data.flame);
    if let Some(next) = neighbour(&data.flame, at, motion) {
        select(state, data, next);
    }
}

/// The node a motion leads to: out and in along the tree, sideways along a row.
fn neighbour(flame: &Flame, at: usize, motion: Motion) -> Option<usize> {
    let depths = depths(&flame.nodes);
    let depth = *depths.get(at)?;
    let mut same_row = (0..depths.len()).filter(|i| depths[*i] == depth);
    match motion {
        Motion::Up => flame.nodes[at].parent.map(|parent| parent as usize),
        Motion::Down => flame.nodes.iter().position(|node| node.parent == u32::try_from(at).ok()),
        Motion::Left => same_row.take_while(|i| *i < at).last(),
        Motion::Right => same_row.find(|i| *i > at),
        Motion::Top | Motion::PageUp => Some(0),
        Motion::Bottom | Motion::PageDown => heaviest_leaf(flame, at),
    }
}

/// Down the heaviest path.
fn heaviest_leaf(flame: &Flame, from: usize) -> Option<usize> {
    let step = |at: &usize| neighbour(flame, *at, Motion::Down);
    std::iter::successors(Some(from), step).last()
}

/// Selects a node and scrolls so far that it shows.
fn select(state: &mut State, data: &Data, at: usize) {
    let nodes = &data.flame.nodes;
    let depth = depths(nodes)[at];
    let key: Key = nodes[at].key;
    let room = rows(state).max(1);
    let top = state.flame.top;
    state.flame.selected = Some(key);
    state.flame.top = top.clamp((depth + 1).saturating_sub(room), depth);
}
