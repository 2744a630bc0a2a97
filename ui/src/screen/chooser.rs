//! What can be opened: programs that run, and recordings.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;

use super::Cx;
use crate::data::{ChooserRow, JoinKind, Key};
use crate::format::{self, BYTES_WIDTH};
use crate::theme::Role;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, below_heading, empty_words, panel};

const COLUMNS: &[Column<ChooserRow, ()>] = &[
    Column {
        title: "pid",
        width: Width::Fixed(9),
        align: Alignment::Right,
        rank: 0,
        cell: |row, (), _| {
            let pid = row.pid.map_or_else(String::new, |pid| pid.to_string());
            (pid, Some(Role::Figure))
        },
    },
    Column {
        title: "live",
        width: Width::Fixed(BYTES_WIDTH),
        align: Alignment::Right,
        rank: 1,
        cell: |row, (), _| (of_a_program(row, row.live, format::bytes), Some(Role::Live)),
    },
    Column {
        title: "age",
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
            let viewers = of_a_program(row, row.viewers, |viewers| viewers.to_string());
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

const EMPTY: &str = "No traced program is running, and this folder has no recording. Start a \
    program with  memtop run PROGRAM  or see what memtop does with  memtop demo .";

/// What a recording has not is not unknown either.
fn of_a_program<T>(row: &ChooserRow, value: Option<T>, text: impl Fn(T) -> String) -> String {
    match row.kind {
        JoinKind::Recording => String::new(),
        _ => format::or_unknown(value, text),
    }
}

/// `2 running · 1 recorded`.
fn count(rows: &[ChooserRow]) -> String {
    let of = |wanted: &[JoinKind]| rows.iter().filter(|row| wanted.contains(&row.kind)).count();
    let counts = [
        (of(&[JoinKind::Kept, JoinKind::Embedded]), "running"),
        (of(&[JoinKind::Ended]), "ended"),
        (of(&[JoinKind::Recording]), "recorded"),
    ];
    let words = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = words.map(|(count, word)| format!(" {count} {word} ")).collect();
    words.join("·")
}

/// Draws the list.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let rows = &cx.data.chooser.rows;
    let title = Line::styled(" Programs and recordings ", cx.theme.style(Role::Title));
    let count = Line::styled(count(rows), cx.theme.style(Role::Label));
    let inner = panel(frame, area, cx.theme, (title, count));
    if rows.is_empty() {
        return empty_words(frame, inner, cx.theme, EMPTY);
    }
    let visible = usize::from(inner.height.saturating_sub(1)).max(1);
    let first = (cx.state.selected + 1).saturating_sub(visible);
    let selected = Some(cx.state.selected - first);
    let places = (first..rows.len()).map(|row| Key(row as u64));
    cx.targets.add_rows(below_heading(inner), places);
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
        JoinKind::Ended => "ended",
        JoinKind::Embedded => "built in",
        JoinKind::Recording => "recording",
    }
}
