//! Marked moments, and what differs between two of them.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::{Cx, narrowed, rule, tendency};
use crate::data::{Change, Data, DiffRow, DiffSort, DiffTotals, Pair, SnapshotRow, When};
use crate::format::{self, BYTES_WIDTH, SIGNED_BYTES_WIDTH};
use crate::state::State;
use crate::symbol;
use crate::theme::Role;
use crate::widget::bar::bar;
use crate::widget::sorted::{Shown, SortedTable};
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel};

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
pub(crate) fn capacity(body: Rect, data: &Data) -> usize {
    let [_, diff] = parts(body, data.snapshots.rows.len());
    usize::from(diff.height.saturating_sub(4))
}

/// Rows a page motion moves.
pub(crate) fn page(data: &Data) -> usize {
    data.snapshots.diff.rows.rows.len().saturating_sub(1).max(1)
}

/// The pair in words: `mark 1 → now`.
pub(crate) fn pair(pair: Pair) -> String {
    format!("{} → {}", moment(pair.from), moment(pair.to))
}

fn moment(when: When) -> String {
    match when {
        When::Start => "start".to_owned(),
        When::Mark(number) => format!("mark {number}"),
        When::Peak => "peak".to_owned(),
        When::File(number) => format!("file {number}"),
        When::Now => "now".to_owned(),
    }
}

/// Draws moments and diff.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let [moments, diff] = parts(area, cx.data.snapshots.rows.len());
    draw_moments(frame, moments, cx);
    draw_diff(frame, diff, cx);
}

/// What cells of the moments look at.
struct MomentsCx {
    pair: Pair,
    most: u64,
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
        cell: |row, _, _| (moment(row.when), Some(Role::Mark)),
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
            let blocks = |n| format!("{} blocks", format::count(n));
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

/// What it is called, where it is kept, and who made it.
fn remark(row: &SnapshotRow, width: usize) -> String {
    let saved = row.file.as_ref().filter(|file| row.name.as_ref() != Some(file));
    let name = row.name.clone().filter(|_| !matches!(row.when, When::File(_)));
    let file = match (row.when, &row.file) {
        (When::File(_), Some(file)) => Some(symbol::path(file, width)),
        _ => saved.map(|file| format!("saved to {}", symbol::file_name(file))),
    };
    let automatic = row.automatic.then(|| "automatic".to_owned());
    [name, file, automatic].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn draw_moments(frame: &mut Frame, area: Rect, cx: Cx) {
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
    let table = Table { columns: MOMENTS, context: &MomentsCx { pair, most }, selected: None };
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

/// What cells of the diff look at.
struct DiffCx {
    totals: DiffTotals,
}

/// A column, and what rows are sorted by with it.
type DiffColumn = (Column<DiffRow, DiffCx>, Option<DiffSort>);

static COLUMNS: &[DiffColumn] = &[
    (
        Column {
            title: "state",
            width: Width::Fixed(6),
            align: Alignment::Left,
            rank: 0,
            cell: |row, _, _| {
                let change = row.sides.change();
                (change.word().to_owned(), Some(role(change)))
            },
        },
        None,
    ),
    (
        Column {
            title: "Δ bytes",
            width: Width::Fixed(SIGNED_BYTES_WIDTH),
            align: Alignment::Right,
            rank: 0,
            cell: |row, _, _| {
                let delta = row.sides.delta_bytes();
                (format::signed_bytes(delta), Some(tendency(delta)))
            },
        },
        Some(DiffSort::Bytes),
    ),
    (
        Column {
            title: "Δ blocks",
            width: Width::Fixed(10),
            align: Alignment::Right,
            rank: 2,
            cell: |row, _, _| (format::signed_count(row.sides.delta_blocks()), None),
        },
        Some(DiffSort::Blocks),
    ),
    (
        Column {
            title: FROM,
            width: Width::Fixed(BYTES_WIDTH),
            align: Alignment::Right,
            rank: 5,
            cell: |row, _, _| {
                (side(row.sides.from_bytes, row.sides.from_blocks), Some(Role::Label))
            },
        },
        Some(DiffSort::From),
    ),
    (
        Column {
            title: TO,
            width: Width::Fixed(BYTES_WIDTH),
            align: Alignment::Right,
            rank: 4,
            cell: |row, _, _| (side(row.sides.to_bytes, row.sides.to_blocks), Some(Role::Live)),
        },
        Some(DiffSort::To),
    ),
    (
        Column {
            title: "share",
            width: Width::Fixed(6),
            align: Alignment::Right,
            rank: 3,
            cell: |row, cx, _| (share(row, &cx.totals), None),
        },
        None,
    ),
    (
        Column {
            title: NAME,
            width: Width::Fill(26),
            align: Alignment::Left,
            rank: 0,
            cell: |row, _, width| {
                let role = if row.name.pending { Role::Muted } else { Role::Figure };
                (symbol::name(&row.name, width), Some(role))
            },
        },
        None,
    ),
    (
        Column {
            title: "where",
            width: Width::Fill(14),
            align: Alignment::Right,
            rank: 1,
            cell: |row, _, width| (symbol::place_beside(&row.name, width), Some(Role::Label)),
        },
        None,
    ),
];

/// Headings that depend on what was chosen.
const FROM: &str = "from";
const TO: &str = "to";
const NAME: &str = "name";

fn role(change: Change) -> Role {
    match change {
        Change::New => Role::Warning,
        Change::Grown => Role::Growing,
        Change::Shrunk | Change::Gone => Role::Freed,
        Change::Same => Role::Label,
    }
}

/// A side where nothing is has no figure.
fn side(bytes: u64, blocks: u64) -> String {
    if blocks == 0 { format::UNKNOWN.to_owned() } else { format::bytes(bytes) }
}

/// Its part of what grew, or of what shrank.
fn share(row: &DiffRow, totals: &DiffTotals) -> String {
    let delta = row.sides.delta_bytes();
    let whole = if delta > 0 { totals.grown_bytes } else { totals.shrunk_bytes };
    match (delta, whole) {
        (0, _) | (_, 0) => format::UNKNOWN.to_owned(),
        _ => format::percent(100.0 * delta.unsigned_abs() as f64 / whole as f64),
    }
}

fn draw_diff(frame: &mut Frame, area: Rect, cx: Cx) {
    let diff = &cx.data.snapshots.diff;
    let inner = panel(frame, area, cx.theme, (Line::from(title(cx)), Line::from(matching(cx))));
    if let Some(problem) = &diff.problem {
        return empty_words(frame, inner, cx.theme, problem);
    }
    let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(inner);
    frame.render_widget(sums(cx), airy(top));
    if diff.rows.rows.is_empty() {
        return empty_words(frame, rest, cx.theme, why_empty(cx));
    }
    let pair = cx.state.diff.pair;
    let (from, to) = (moment(pair.from), moment(pair.to));
    let sort = cx.state.diff.sort;
    let columns: Vec<_> = COLUMNS
        .iter()
        .map(|(column, by)| Shown {
            column,
            title: match column.title {
                FROM => &from,
                TO => &to,
                NAME => cx.state.code.grouping.word(),
                title => title,
            },
            descending: (*by == Some(sort.by)).then_some(sort.descending),
        })
        .collect();
    let selected = diff.rows.selected.checked_sub(diff.rows.first);
    let table =
        SortedTable { columns: &columns, context: &DiffCx { totals: diff.totals }, selected };
    table.draw(frame, rest, cx.theme, &diff.rows.rows);
}

fn title<'a>(cx: Cx<'a>) -> Vec<Span<'a>> {
    let State { diff, code, .. } = cx.state;
    let callees = match diff.with_callees && code.grouping.has_callees() {
        true => ", with callees",
        false => "",
    };
    let mut title = vec![Span::styled(" Diff ", cx.theme.style(Role::Title)), rule(cx)];
    title.push(Span::styled(format!("{} ", pair(diff.pair)), cx.theme.style(Role::Key)));
    title.push(rule(cx));
    title.push(Span::styled(
        format!("by {}{callees} ", code.grouping.word()),
        cx.theme.style(Role::Key),
    ));
    title.extend(narrowed(cx, &code.filter_text));
    title
}

fn matching(cx: Cx) -> Vec<Span<'static>> {
    if cx.state.code.filter.is_empty() {
        return Vec::new();
    }
    let text = format!(" {} match ", format::count(cx.data.snapshots.diff.rows.matching as u64));
    vec![Span::styled(text, cx.theme.style(Role::Label))]
}

/// What it all comes to: bytes, blocks, and groups by what became of them.
fn sums(cx: Cx) -> Line<'static> {
    let diff = &cx.data.snapshots.diff;
    let totals = &diff.totals;
    let bound = if diff.lower_bound { "≥" } else { "" };
    let bytes = format!("{bound}{}", format::signed_bytes(totals.delta_bytes));
    let blocks = format!(" in {} blocks", format::signed_count(totals.delta_blocks));
    let mut line = Line::from(vec![
        Span::styled(bytes, cx.theme.style(tendency(totals.delta_bytes))),
        Span::styled(blocks, cx.theme.style(Role::Figure)),
    ]);
    for (change, groups) in Change::ALL.into_iter().zip(totals.groups) {
        let role = if groups > 0 { role(change) } else { Role::Muted };
        line.push_span(Span::styled(format!("   {} ", change.word()), cx.theme.style(Role::Label)));
        line.push_span(Span::styled(format::count(groups as u64), cx.theme.style(role)));
    }
    line
}

fn why_empty(cx: Cx) -> &'static str {
    let totals = &cx.data.snapshots.diff.totals;
    match totals.groups[..4].iter().sum::<usize>() {
        0 => "Nothing differs.",
        _ => "Nothing matches the filter: / changes it, Esc takes it away.",
    }
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
    fn what_became_of_a_group() {
        let sides = |from_bytes, from_blocks, to_bytes, to_blocks| crate::data::Sides {
            from_bytes,
            from_blocks,
            to_bytes,
            to_blocks,
        };
        for (expected, sides) in [
            (Change::New, sides(0, 0, 0, 1)),
            (Change::Gone, sides(0, 1, 0, 0)),
            (Change::Grown, sides(10, 1, 20, 1)),
            (Change::Grown, sides(10, 1, 10, 2)),
            (Change::Shrunk, sides(10, 1, 9, 2)),
            (Change::Same, sides(10, 1, 10, 1)),
            (Change::Same, sides(0, 0, 0, 0)),
        ] {
            assert_eq!(sides.change(), expected, "{sides:?}");
        }
    }
}
