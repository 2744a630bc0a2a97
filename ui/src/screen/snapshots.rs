//! Marked moments, and what differs between two of them.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;

use super::{Cx, tendency};
use crate::data::{Data, DiffRow};
use crate::format::{self, BYTES_WIDTH, SIGNED_BYTES_WIDTH};
use crate::state::State;
use crate::symbol;
use crate::theme::Role;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel};

const COLUMNS: &[Column<DiffRow, ()>] = &[
    Column {
        title: "state",
        width: Width::Fixed(6),
        align: Alignment::Left,
        rank: 0,
        cell: |row, (), _| (row.sides.change().word().to_owned(), None),
    },
    Column {
        title: "Δ bytes",
        width: Width::Fixed(SIGNED_BYTES_WIDTH),
        align: Alignment::Right,
        rank: 0,
        cell: |row, (), _| {
            let delta = row.sides.delta_bytes();
            (format::signed_bytes(delta), Some(tendency(delta)))
        },
    },
    Column {
        title: "live",
        width: Width::Fixed(BYTES_WIDTH),
        align: Alignment::Right,
        rank: 0,
        cell: |row, (), _| (format::bytes(row.sides.to_bytes), None),
    },
    Column {
        title: "site",
        width: Width::Fill(20),
        align: Alignment::Left,
        rank: 0,
        cell: |row, (), width| (symbol::name(&row.name, width), None),
    },
];

/// How many rows of the diff fit in a body like this.
pub(crate) fn capacity(body: Rect, _data: &Data) -> usize {
    usize::from(body.height.saturating_sub(3))
}

/// Rows a page motion moves.
pub(crate) fn page(state: &State, _data: &Data) -> usize {
    state.page()
}

/// Draws moments and diff.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let diff = &cx.data.snapshots.diff;
    let title = Line::styled(" Diff ", cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, Line::default()));
    if diff.rows.rows.is_empty() {
        let words = diff.problem.as_deref().unwrap_or("Nothing differs.");
        return empty_words(frame, inner, cx.theme, words);
    }
    let selected = diff.rows.selected.checked_sub(diff.rows.first);
    let table = Table { columns: COLUMNS, context: &(), selected };
    table.draw(frame, airy(inner), cx.theme, &diff.rows.rows);
}
