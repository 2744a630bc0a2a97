//! Marked moments, and what differs between two of them.

mod diff;
mod moments;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::{Cx, asked, present};
use crate::data::{Data, Pair, When};
use crate::state::State;

/// From this width on, moments stand beside the diff.
const WIDE: u16 = 170;
/// Their columns then.
const BESIDE: u16 = 58;
/// Moments that show above the diff where the terminal is low.
const FEWEST: u16 = 3;

/// Moments above or beside, the diff below or right of them.
fn parts(body: Rect, moments: usize) -> [Rect; 2] {
    if body.width >= WIDE {
        let columns = [Constraint::Length(BESIDE), Constraint::Fill(1)];
        return Layout::horizontal(columns).areas(body);
    }
    let room = (body.height / 4).max(FEWEST);
    let height = match body.height {
        0..12 => 0,
        _ => 2 + room.min(moments.min(99) as u16),
    };
    Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(body)
}

/// How many rows of the diff fit in a body like this.
pub(crate) fn capacity(body: Rect, data: &Data, state: &State) -> usize {
    let [_, diff] = parts(body, data.snapshots.rows.len());
    usize::from(diff.height.saturating_sub(4 + asked::rows(state)))
}

/// Rows a page motion moves.
pub(crate) fn page(data: &Data) -> usize {
    data.snapshots.diff.rows.rows.len().saturating_sub(1).max(1)
}

/// The pair in words: `mark 1 → now`.
pub(crate) fn pair(cx: Cx) -> String {
    let Pair { from, to } = cx.state.diff.pair;
    let present = present(cx);
    format!("{} → {}", moment(from, present), moment(to, present))
}

/// A moment in a word or two; `present` is that for the one shown.
fn moment(when: When, present: &str) -> String {
    match when {
        When::Start => "start".to_owned(),
        When::Mark(number) => format!("mark {number}"),
        When::Peak => "peak".to_owned(),
        When::File(number) => format!("file {number}"),
        When::Now => present.to_owned(),
    }
}

/// Draws moments and diff.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let [moments, diff] = parts(area, cx.data.snapshots.rows.len());
    moments::draw(frame, moments, cx);
    diff::draw(frame, diff, cx);
}
