//! The moments that can be compared, and which two are.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;

use super::moment;
use crate::data::{Pair, SnapshotRow, When};
use crate::format::{self, BYTES_WIDTH};
use crate::screen::{Cx, present};
use crate::symbol;
use crate::theme::Role;
use crate::widget::bar::bar;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel};

/// What cells of the moments look at.
struct MomentsCx {
    pair: Pair,
    most: u64,
    present: &'static str,
}

const MOMENTS: &[Column<SnapshotRow, MomentsCx>] = &[
    Column {
        title: "",
        width: Width::Fixed(6),
        align: Alignment::Left,
        rank: 0,
        cell: |row, cx, _| {
            let side = match row.when {
                when if when == cx.pair.from => "[ from",
                when if when == cx.pair.to => "] to",
                _ => "",
            };
            (side.to_owned(), Some(Role::Key))
        },
    },
    Column {
        title: "",
        width: Width::Fixed(8),
        align: Alignment::Left,
        rank: 0,
        cell: |row, cx, _| (moment(row.when, cx.present), Some(Role::Mark)),
    },
    Column {
        title: "",
        width: Width::Fixed(8),
        align: Alignment::Right,
        rank: 0,
        cell: |row, _, _| (format::or_unknown(row.t_s, format::clock), Some(Role::Label)),
    },
    Column {
        title: "",
        width: Width::Fixed(BYTES_WIDTH),
        align: Alignment::Right,
        rank: 0,
        cell: |row, _, _| (format::or_unknown(row.live_bytes, format::bytes), Some(Role::Live)),
    },
    Column {
        title: "",
        width: Width::Fixed(16),
        align: Alignment::Right,
        rank: 3,
        cell: |row, _, _| {
            let blocks = |n| format::counted(n, "block");
            (format::or_unknown(row.live_blocks, blocks), Some(Role::Label))
        },
    },
    Column {
        title: "",
        width: Width::Fixed(12),
        align: Alignment::Left,
        rank: 4,
        cell: |row, cx, width| (bar(row.live_bytes.unwrap_or(0), cx.most, width), Some(Role::Bar)),
    },
    Column {
        title: "",
        width: Width::Fill(14),
        align: Alignment::Left,
        rank: 1,
        cell: |row, _, width| (remark(row, width), Some(Role::Figure)),
    },
];

/// Why it has no figures, what it is called, where it is kept, and who made it.
fn remark(row: &SnapshotRow, width: usize) -> String {
    let saved = row.file.as_ref().filter(|file| row.name.as_ref() != Some(file));
    let name = row.name.clone().filter(|_| !matches!(row.when, When::File(_)));
    let file = match (row.when, &row.file) {
        (When::File(_), Some(file)) => Some(symbol::path(file, width)),
        _ => saved.map(|file| format!("saved to {}", symbol::file_name(file))),
    };
    let automatic = row.automatic.then(|| "automatic".to_owned());
    let unknown = row.unknown.map(str::to_owned);
    [unknown, name, file, automatic].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Draws the moments that fit.
pub(super) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    if area.height < 3 {
        return;
    }
    let rows = &cx.data.snapshots.rows;
    let pair = cx.state.diff.pair;
    let room = usize::from(area.height - 2);
    let shown = fitting(rows, pair, room);
    let hidden = match rows.len() - shown.len() {
        0 => Line::default(),
        n => Line::styled(format!(" {n} more "), cx.theme.style(Role::Label)),
    };
    let title = Line::styled(" Snapshots ", cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, hidden));
    if rows.is_empty() {
        let words = "No moment to compare yet: s marks this one.";
        return empty_words(frame, inner, cx.theme, words);
    }
    let most = rows.iter().filter_map(|row| row.live_bytes).max().unwrap_or(0);
    let table = Table {
        columns: MOMENTS,
        context: &MomentsCx { pair, most, present: present(cx) },
        selected: None,
    };
    table.draw_rows(frame, airy(inner), cx.theme, &shown);
}

/// The rows that fit: the pair always, of the others the newest.
fn fitting(rows: &[SnapshotRow], pair: Pair, room: usize) -> Vec<SnapshotRow> {
    let chosen = |row: &&SnapshotRow| row.when == pair.from || row.when == pair.to;
    let mut others = room.saturating_sub(rows.iter().filter(chosen).count());
    let mut shown: Vec<SnapshotRow> = Vec::new();
    for row in rows.iter().rev() {
        if chosen(&row) {
            shown.push(row.clone());
        } else if let Some(fewer) = others.checked_sub(1) {
            others = fewer;
            shown.push(row.clone());
        }
    }
    shown.reverse();
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_always_shows_and_the_newest_of_the_others() {
        let row = |when| SnapshotRow { when, ..SnapshotRow::default() };
        let rows: Vec<_> = (1..=9).map(|n| row(When::Mark(n))).collect();
        let pair = Pair { from: When::Mark(2), to: When::Mark(5) };
        let shown = |room| fitting(&rows, pair, room).iter().map(|r| r.when).collect::<Vec<_>>();
        assert_eq!(shown(4), [2, 5, 8, 9].map(When::Mark));
        assert_eq!(shown(2), [2, 5].map(When::Mark));
        assert_eq!(shown(20).len(), 9);
    }

    #[test]
    fn a_moment_without_figures_says_why_before_all_else() {
        let row = SnapshotRow {
            when: When::Mark(1),
            name: Some("warm".to_owned()),
            unknown: Some("being read"),
            ..SnapshotRow::default()
        };
        assert_eq!(remark(&row, 40), "being read · warm");
    }
}
