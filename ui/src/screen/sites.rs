//! Where memory comes from: the table of sites, or of what they are summed by.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};

use super::{Cx, fate};
use crate::data::{Figures, Grouping, SiteRow, SitesKnown, SortKey};
use crate::format::{self, BYTES_WIDTH, COUNT_WIDTH, RATE_WIDTH, SIGNED_BYTES_WIDTH};
use crate::state::State;
use crate::symbol;
use crate::theme::Role;
use crate::widget::sorted::{Shown, SortedTable};
use crate::widget::table::{Column, Width};
use crate::widget::{airy, empty_words, panel};

/// What cells look at beside their row.
#[derive(Debug)]
pub(crate) struct SitesCx {
    sums: Figures,
    sort: SortKey,
    lower_bound: bool,
}

/// A column, and what it has to do with sorting.
pub(crate) struct SiteColumn {
    pub column: Column<SiteRow, SitesCx>,
    /// What rows are sorted by with this column.
    pub sort: Option<SortKey>,
}

/// Columns from left to right; a column without a sort key is not a figure.
pub(crate) static COLUMNS: &[SiteColumn] = &[
    figure("live", BYTES_WIDTH, 0, SortKey::Live, |row, cx, _| {
        (bytes(row.figures.live_bytes, cx), Some(Role::Live))
    }),
    figure("total", BYTES_WIDTH, 3, SortKey::WithCallees, |row, cx, _| {
        (bytes(row.figures.with_callees_bytes, cx), Some(Role::Figure))
    }),
    plain("share", 6, Alignment::Right, 2, |row, cx, _| (share(&row.figures, cx), None)),
    figure("Δ bytes", SIGNED_BYTES_WIDTH, 1, SortKey::DeltaBytes, |row, _, _| {
        let delta = row.figures.delta_bytes;
        (format::or_unknown(delta, format::signed_bytes), delta.map(super::tendency))
    }),
    figure("blocks", COUNT_WIDTH, 4, SortKey::Blocks, |row, _, _| {
        (format::count(row.figures.live_blocks), None)
    }),
    figure("allocs/s", RATE_WIDTH, 6, SortKey::PerSecond, |row, _, _| {
        (format::or_unknown(row.figures.per_s, format::rate), Some(Role::Label))
    }),
    figure("allocs", COUNT_WIDTH, 5, SortKey::Allocations, |row, _, _| {
        (format::count(row.figures.allocations), None)
    }),
    figure("allocated", BYTES_WIDTH, 7, SortKey::Allocated, |row, _, _| {
        (format::bytes(row.figures.allocated_bytes), Some(Role::Label))
    }),
    figure("temp", 5, 8, SortKey::Temporary, |row, _, _| {
        (temporary(&row.figures), Some(Role::Label))
    }),
    figure("at peak", BYTES_WIDTH, 9, SortKey::AtPeak, |row, _, _| {
        (format::bytes(row.figures.at_peak_bytes), Some(Role::Peak))
    }),
    SiteColumn {
        column: Column {
            title: "",
            width: Width::Fill(20),
            align: Alignment::Left,
            rank: 0,
            cell: |row, _, width| {
                let role = if row.name.pending { Role::Muted } else { Role::Figure };
                (symbol::name(&row.name, width), Some(role))
            },
        },
        sort: None,
    },
    SiteColumn {
        column: Column {
            title: "",
            width: Width::Fill(12),
            align: Alignment::Right,
            rank: 1,
            cell: |row, _, width| (place(row, width), Some(Role::Label)),
        },
        sort: None,
    },
];

type CellOf = fn(&SiteRow, &SitesCx, usize) -> (String, Option<Role>);

const fn figure(
    title: &'static str,
    width: usize,
    rank: u8,
    sort: SortKey,
    cell: CellOf,
) -> SiteColumn {
    let column = Column { title, width: Width::Fixed(width), align: Alignment::Right, rank, cell };
    SiteColumn { column, sort: Some(sort) }
}

const fn plain(
    title: &'static str,
    width: usize,
    align: Alignment,
    rank: u8,
    cell: CellOf,
) -> SiteColumn {
    let column = Column { title, width: Width::Fixed(width), align, rank, cell };
    SiteColumn { column, sort: None }
}

/// What rows can be sorted by, in the order of the columns.
pub(crate) fn sort_keys(grouping: Grouping) -> Vec<SortKey> {
    shown(grouping).filter_map(|column| column.sort).collect()
}

fn shown(grouping: Grouping) -> impl Iterator<Item = &'static SiteColumn> {
    let applies = move |sort: SortKey| sort != SortKey::WithCallees || grouping.has_callees();
    COLUMNS.iter().filter(move |column| column.sort.is_none_or(applies))
}

fn bytes(value: u64, cx: &SitesCx) -> String {
    let bound = if cx.lower_bound { "≥" } else { "" };
    format!("{bound}{}", format::bytes(value))
}

/// The row's part of what rows are sorted by.
fn share(figures: &Figures, cx: &SitesCx) -> String {
    let by = match cx.sort {
        SortKey::DeltaBytes | SortKey::DeltaBlocks | SortKey::PerSecond | SortKey::Temporary => {
            SortKey::Live
        }
        by => by,
    };
    let (part, whole) = (by.value(figures), by.value(&cx.sums));
    match whole > 0.0 {
        true => format::percent(100.0 * part / whole),
        false => format::UNKNOWN.to_owned(),
    }
}

fn temporary(figures: &Figures) -> String {
    match figures.allocations {
        0 => format::UNKNOWN.to_owned(),
        all => format::percent(100.0 * figures.temporary as f64 / all as f64),
    }
}

/// Where the row's code is, unless that is its name already.
fn place(row: &SiteRow, width: usize) -> String {
    match row.name.text.is_empty() {
        true => String::new(),
        false => symbol::place(&row.name.place, width),
    }
}

/// How many rows fit in a terminal of this many rows.
pub(crate) fn capacity(rows: u16) -> usize {
    usize::from(rows.saturating_sub(super::HEADER + 1 + 2 + 1))
}

/// Draws the table.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let sites = &cx.data.sites;
    let inner = panel(frame, area, cx.theme, (Line::from(title(cx)), Line::from(counts(cx))));
    if sites.rows.rows.is_empty() {
        return empty_words(frame, inner, cx.theme, &why_empty(cx));
    }
    let State { sites: choice, code, .. } = cx.state;
    let columns: Vec<_> = shown(code.grouping)
        .map(|column| Shown {
            column: &column.column,
            descending: (column.sort == Some(choice.sort.by)).then_some(choice.sort.descending),
        })
        .collect();
    let context =
        SitesCx { sums: sites.sums, sort: choice.sort.by, lower_bound: sites.lower_bound };
    let selected = sites.rows.selected.checked_sub(sites.rows.first);
    let table = SortedTable { columns: &columns, context: &context, selected };
    table.draw(frame, airy(inner), cx.theme, &sites.rows.rows);
}

fn title<'a>(cx: Cx<'a>) -> Vec<Span<'a>> {
    let grouping = format!("by {} ", cx.state.code.grouping.word());
    let mut title = vec![Span::styled(" Sites ", cx.theme.style(Role::Title))];
    title.push(Span::styled("── ", cx.theme.style(Role::Border)));
    title.push(Span::styled(grouping, cx.theme.style(Role::Key)));
    title.extend(super::narrowed(cx, &cx.state.code.filter_text));
    title
}

fn counts(cx: Cx) -> Vec<Span<'static>> {
    let sites = &cx.data.sites;
    let label = cx.theme.style(Role::Label);
    let mut counts = Vec::new();
    if sites.names_pending > 0 {
        let text = format!(" {} names to come ·", format::count(sites.names_pending));
        counts.push(Span::styled(text, cx.theme.style(Role::Muted)));
    }
    let plural = cx.state.code.grouping.plural();
    let total = format::count(sites.total as u64);
    let text = match cx.state.code.filter.is_empty() {
        true => format!(" {total} {plural} "),
        false => format!(" {} of {total} {plural} ", format::count(sites.rows.matching as u64)),
    };
    counts.push(Span::styled(text, label));
    counts
}

fn why_empty(cx: Cx) -> String {
    match cx.data.sites.total {
        0 => why_no_sites(cx),
        _ => "Nothing matches the filter: / changes it, Esc takes it away.".to_owned(),
    }
}

/// Why nothing is known about any code.
pub(crate) fn why_no_sites(cx: Cx) -> String {
    let header = &cx.data.header;
    match cx.data.sites.known {
        SitesKnown::WithoutStacks => {
            return "Traced without stacks: start it without --no-stacks to see where memory comes \
                    from."
                .to_owned();
        }
        SitesKnown::NotRecorded => return "This recording holds no stacks.".to_owned(),
        SitesKnown::Yes => {}
    }
    if let Some(fate) = fate(&header.state) {
        return format!("{fate} — nothing was traced");
    }
    match header.tracing.on {
        true => "Waiting for the program to allocate.".to_owned(),
        false => "Tracing is paused: press p to start.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;
    use crate::keymap::{BINDINGS, Scope};
    use crate::state::Screen;

    #[test]
    fn every_column_that_sorts_has_a_key() {
        for sort in COLUMNS.iter().filter_map(|column| column.sort) {
            let bound = BINDINGS.iter().find(|b| b.action == Action::SortSites(sort));
            assert_eq!(bound.map(|b| b.scope), Some(Scope::On(Screen::Sites)), "{sort:?}");
        }
        let sorting = BINDINGS.iter().filter(|b| matches!(b.action, Action::SortSites(_))).count();
        assert_eq!(sorting, COLUMNS.iter().filter(|column| column.sort.is_some()).count());
    }
}
