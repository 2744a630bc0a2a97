//! What differs between the two moments.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::{moment, pair};
use crate::action::Action;
use crate::data::{Change, DiffRow, DiffSort, DiffTotals, SitesKnown};
use crate::format::{self, BYTES_WIDTH, SIGNED_BYTES_WIDTH};
use crate::screen::{
    Cx, asked, narrowed, present, rule,
    sites::{NO_SUCH_THREAD, why_no_sites},
    tendency,
};
use crate::state::State;
use crate::symbol;
use crate::theme::Role;
use crate::widget::sorted::{Shown, SortedTable};
use crate::widget::table::{Column, Width};
use crate::widget::{airy, empty_words, panel};

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
            rank: 1,
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
            title: WHERE,
            width: Width::Fill(14),
            align: Alignment::Right,
            rank: 2,
            cell: |row, _, width| (symbol::place_beside(&row.name, width), Some(Role::Label)),
        },
        None,
    ),
];

/// Headings that depend on what was chosen.
const FROM: &str = "from";
const TO: &str = "to";
const NAME: &str = "name";
const WHERE: &str = "where";

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

/// Draws sums and rows.
pub(super) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let diff = &cx.data.snapshots.diff;
    let inner = panel(frame, area, cx.theme, (Line::from(title(cx)), Line::from(matching(cx))));
    if let Some(problem) = &diff.problem {
        let why = match cx.data.sites.known {
            SitesKnown::Yes => problem.clone(),
            _ => why_no_sites(cx),
        };
        return empty_words(frame, inner, cx.theme, &why);
    }
    let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(inner);
    let top = airy(top);
    frame.render_widget(sums(cx, usize::from(top.width)), top);
    if diff.rows.rows.is_empty() {
        return empty_words(frame, rest, cx.theme, &why_empty(cx));
    }
    let rest = asked::draw(frame, rest, cx);
    let pair = cx.state.diff.pair;
    let present = present(cx);
    let (from, to) = (moment(pair.from, present), moment(pair.to, present));
    let sort = cx.state.diff.sort;
    let columns: Vec<_> = COLUMNS
        .iter()
        .filter(|(column, _)| column.title != WHERE || cx.state.code.grouping.has_places())
        .map(|(column, by)| Shown {
            column,
            title: match column.title {
                FROM => &from,
                TO => &to,
                NAME => cx.state.code.grouping.word(),
                title => title,
            },
            descending: (*by == Some(sort.by)).then_some(sort.descending),
            sort: by.map(Action::SortDiff),
        })
        .collect();
    let selected = diff.rows.selected.checked_sub(diff.rows.first);
    let context = DiffCx { totals: diff.totals };
    let (targets, key) = (cx.targets, |row: &DiffRow| row.key);
    let table = SortedTable { columns: &columns, context: &context, selected, targets, key };
    table.draw(frame, rest, cx.theme, &diff.rows.rows);
}

fn title<'a>(cx: Cx<'a>) -> Vec<Span<'a>> {
    let State { diff, code, .. } = cx.state;
    let callees = match diff.with_callees && code.grouping.has_callees() {
        true => ", with callees",
        false => "",
    };
    let mut title = vec![Span::styled(" Diff ", cx.theme.style(Role::Title)), rule(cx)];
    title.push(Span::styled(format!("{} ", pair(cx)), cx.theme.style(Role::Key)));
    title.push(rule(cx));
    title.push(Span::styled(
        format!("by {}{callees} ", code.grouping.word()),
        cx.theme.style(Role::Key),
    ));
    title.extend(narrowed(cx, &code.filter_text));
    title
}

fn matching(cx: Cx) -> Vec<Span<'static>> {
    let diff = &cx.data.snapshots.diff;
    if cx.state.code.filter.is_empty() || diff.problem.is_some() {
        return Vec::new();
    }
    let text = format!(" {} match ", format::count(diff.rows.matching as u64));
    vec![Span::styled(text, cx.theme.style(Role::Label))]
}

/// Which of the moments have older sites.
fn of_when(cx: Cx) -> Vec<Span<'static>> {
    let pair = cx.state.diff.pair;
    let sides = [pair.from, pair.to].into_iter().zip(cx.data.snapshots.diff.as_of_s);
    let words = sides.filter_map(|(when, at)| {
        Some(format!("{} as of {}   ", moment(when, present(cx)), format::clock_tenths(at?)))
    });
    words.map(|words| Span::styled(words, cx.theme.style(Role::Key))).collect()
}

/// What it all comes to: bytes, blocks, and groups by what became of them. Where there is no room
/// for all, what became of none is left out, and then what is last.
fn sums(cx: Cx, room: usize) -> Line<'static> {
    let totals = &cx.data.snapshots.diff.totals;
    let width = |line: &Line, counts: &[(Change, usize)]| {
        let counts = counts.iter().map(|count| Line::from(count_of(*count, cx).to_vec()).width());
        line.width() + counts.sum::<usize>()
    };
    let mut line = change(cx);
    let mut counts: Vec<_> = Change::ALL.into_iter().zip(totals.groups).collect();
    if width(&line, &counts) > room {
        counts.retain(|(_, groups)| *groups > 0);
    }
    while width(&line, &counts) > room && counts.pop().is_some() {}
    counts.into_iter().for_each(|count| line.extend(count_of(count, cx)));
    line
}

/// `+13.6 MiB in +39,609 blocks`; where sites of one side are older, behind what differs between
/// the moments: `+24.1 MiB in +70,102 blocks   now as of 0:12.1   +13.6 MiB in +39,609 blocks`.
fn change(cx: Cx) -> Line<'static> {
    let diff = &cx.data.snapshots.diff;
    let totals = &diff.totals;
    let by_site = (totals.delta_bytes, totals.delta_blocks);
    let mut line = Line::default();
    if let Some(whole) = diff.whole.filter(|whole| *whole != by_site) {
        line.extend(change_of(whole, "", cx));
        line.push_span("   ");
    }
    line.extend(of_when(cx));
    line.extend(change_of(by_site, if diff.lower_bound { "≥" } else { "" }, cx));
    line
}

fn change_of((bytes, blocks): (i64, i64), bound: &str, cx: Cx) -> [Span<'static>; 2] {
    let noun = format::plural(blocks.unsigned_abs(), "block");
    let text = format!("{bound}{}", format::signed_bytes(bytes));
    [
        Span::styled(text, cx.theme.style(tendency(bytes))),
        Span::styled(
            format!(" in {} {noun}", format::signed_count(blocks)),
            cx.theme.style(Role::Figure),
        ),
    ]
}

/// `grown 2`, behind a gap.
fn count_of((change, groups): (Change, usize), cx: Cx) -> [Span<'static>; 2] {
    let role = if groups > 0 { role(change) } else { Role::Muted };
    [
        Span::styled(format!("   {} ", change.word()), cx.theme.style(Role::Label)),
        Span::styled(format::count(groups as u64), cx.theme.style(role)),
    ]
}

fn why_empty(cx: Cx) -> String {
    let totals = &cx.data.snapshots.diff.totals;
    let words = match totals.groups[..4].iter().sum::<usize>() {
        0 if cx.data.sites.total == 0 => return why_no_sites(cx),
        0 if cx.data.snapshots.diff.whole.is_some_and(|whole| whole != (0, 0)) => {
            "By whom is not known: figures by site are older than what differs."
        }
        0 => "Nothing differs.",
        _ if cx.state.chooses_by_thread() => NO_SUCH_THREAD,
        _ => "Nothing matches the filter: / changes it, Esc takes it away.",
    };
    words.to_owned()
}
