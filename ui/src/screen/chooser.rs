//! Programs that can be joined.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;

use super::Cx;
use crate::data::{ChooserRow, JoinKind};
use crate::format::{self, BYTES_WIDTH};
use crate::theme::Role;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel};

const COLUMNS: &[Column<ChooserRow, ()>] = &[
    Column {
        title: "pid",
        width: Width::Fixed(9),
        align: Alignment::Right,
        rank: 0,
        cell: |row, (), _| (row.pid.to_string(), Some(Role::Figure)),
    },
    Column {
        title: "live",
        width: Width::Fixed(BYTES_WIDTH),
        align: Alignment::Right,
        rank: 1,
        cell: |row, (), _| (format::or_unknown(row.live, format::bytes), Some(Role::Live)),
    },
    Column {
        title: "runs for",
        width: Width::Fixed(8),
        align: Alignment::Right,
        rank: 2,
        cell: |row, (), _| (format::or_unknown(row.age_s, format::clock), None),
    },
    Column {
        title: "traced",
        width: Width::Fixed(10),
        align: Alignment::Left,
        rank: 3,
        cell: |row, (), _| (kind(row.kind).to_owned(), Some(Role::Label)),
    },
    Column {
        title: "viewers",
        width: Width::Fixed(7),
        align: Alignment::Right,
        rank: 4,
        cell: |row, (), _| {
            let viewers = format::or_unknown(row.viewers, |viewers| viewers.to_string());
            (viewers, Some(Role::Label))
        },
    },
    Column {
        title: "command",
        width: Width::Fill(12),
        align: Alignment::Left,
        rank: 0,
        cell: |row, (), width| (format::command(&row.command, width), None),
    },
];

const EMPTY: &str = "No traced program is running. Start one with  memtop run PROGRAM  \
    or see what memtop does with  memtop demo .";

/// Draws the list.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let rows = &cx.data.chooser.rows;
    let title = Line::styled(" Traced programs ", cx.theme.style(Role::Title));
    let count = match rows.len() {
        0 => String::new(),
        n => format!(" {n} running "),
    };
    let count = Line::styled(count, cx.theme.style(Role::Label));
    let inner = panel(frame, area, cx.theme, (title, count));
    if rows.is_empty() {
        return empty_words(frame, inner, cx.theme, EMPTY);
    }
    let visible = usize::from(inner.height.saturating_sub(1)).max(1);
    let first = (cx.state.selected + 1).saturating_sub(visible);
    let selected = Some(cx.state.selected - first);
    Table { columns: COLUMNS, context: &(), selected }.draw(
        frame,
        airy(inner),
        cx.theme,
        &rows[first.min(rows.len())..],
    );
}

fn kind(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Kept => "by memtop",
        JoinKind::Embedded => "built in",
    }
}
