//! Where memory comes from: the table of sites, or of what they are summed by.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};

use super::{Cx, as_of, asked, baseline, beside, fate, narrowed, rule, tendency};
use crate::action::Action;
use crate::choice::CodeChoice;
use crate::data::{Figures, Grouping, SiteRow, SitesKnown, SortKey};
use crate::filter::code::Field;
use crate::format::{self, BYTES_WIDTH, COUNT_WIDTH, RATE_WIDTH, SIGNED_BYTES_WIDTH};
use crate::state::State;
use crate::symbol;
use crate::theme::Role;
use crate::widget::bar::bar;
use crate::widget::sorted::{self, Shown, SortedTable};
use crate::widget::table::{self, Column, Width};
use crate::widget::{empty_words, panel};

/// What cells look at beside their row.
#[derive(Debug)]
pub(crate) struct SitesCx {
    sums: Figures,
    sort: SortKey,
    /// Of threads, bytes and allocations are known, and nothing else.
    threads: bool,
}

impl SitesCx {
    fn unless_thread(&self, figure: impl FnOnce() -> String) -> String {
        if self.threads { format::UNKNOWN.to_owned() } else { figure() }
    }
}

/// A column, and what it has to do with sorting.
pub(crate) struct SiteColumn {
    pub column: Column<SiteRow, SitesCx>,
    /// What rows are sorted by with this column; none where it is not a figure.
    pub sort: Option<SortKey>,
}

/// Columns from left to right.
pub(crate) static COLUMNS: &[SiteColumn] = &[
    figure("live", BYTES_WIDTH, 0, SortKey::Live, |row, _, _| {
        (format::bytes(row.figures.live_bytes), Some(Role::Live))
    }),
    figure("total", BYTES_WIDTH, 4, SortKey::WithCallees, |row, _, _| {
        (format::bytes(row.figures.with_callees_bytes), Some(Role::Figure))
    }),
    plain("share", 6, Alignment::Right, 3, |row, cx, _| {
        let share = share(&row.figures, cx);
        (format::or_unknown(share, |share| format::percent(100.0 * share)), None)
    }),
    plain("", 10, Alignment::Left, 9, |row, cx, width| {
        let share = share(&row.figures, cx).unwrap_or(0.0);
        (bar((share * 1e6) as u64, 1_000_000, width), Some(Role::Bar))
    }),
    figure("Δ bytes", SIGNED_BYTES_WIDTH, 1, SortKey::DeltaBytes, |row, _, _| {
        let delta = row.figures.delta_bytes;
        (format::or_unknown(delta, format::signed_bytes), delta.map(tendency))
    }),
    figure("Δ blocks", 10, 8, SortKey::DeltaBlocks, |row, _, _| {
        let delta = row.figures.delta_blocks;
        (format::or_unknown(delta, format::signed_count), delta.map(tendency))
    }),
    figure("blocks", COUNT_WIDTH, 5, SortKey::Blocks, |row, cx, _| {
        (cx.unless_thread(|| format::count(row.figures.live_blocks)), None)
    }),
    figure("allocs/s", RATE_WIDTH, 6, SortKey::PerSecond, |row, _, _| {
        (format::or_unknown(row.figures.per_s, format::rate), Some(Role::Label))
    }),
    figure("allocs", COUNT_WIDTH, 7, SortKey::Allocations, |row, _, _| {
        (format::count(row.figures.allocations), None)
    }),
    figure("allocated", BYTES_WIDTH, 10, SortKey::Allocated, |row, _, _| {
        (format::bytes(row.figures.allocated_bytes), Some(Role::Label))
    }),
    figure("temp", 5, 11, SortKey::Temporary, |row, cx, _| {
        (cx.unless_thread(|| temporary(&row.figures)), Some(Role::Label))
    }),
    figure("at peak", BYTES_WIDTH, 12, SortKey::AtPeak, |row, cx, _| {
        (cx.unless_thread(|| format::bytes(row.figures.at_peak_bytes)), Some(Role::Peak))
    }),
    filling(NAME, 28, Alignment::Left, 0, |row, _, width| {
        let role = if row.name.pending { Role::Muted } else { Role::Figure };
        (symbol::name(&row.name, width), Some(role))
    }),
    filling(WHERE, 14, Alignment::Right, 2, |row, _, width| {
        (symbol::place_beside(&row.name, width), Some(Role::Label))
    }),
];

/// The heading of names, until it is known what they name.
const NAME: &str = "name";

/// The heading of places.
const WHERE: &str = "where";

type CellOf = table::CellOf<SiteRow, SitesCx>;

const fn figure(
    title: &'static str,
    width: usize,
    rank: u8,
    sort: SortKey,
    cell: CellOf,
) -> SiteColumn {
    SiteColumn { column: Column::figure(title, width, rank, cell), sort: Some(sort) }
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

const fn filling(
    title: &'static str,
    least: usize,
    align: Alignment,
    rank: u8,
    cell: CellOf,
) -> SiteColumn {
    let column = Column { title, width: Width::Fill(least), align, rank, cell };
    SiteColumn { column, sort: None }
}

/// What rows can be sorted by, in the order of the columns that show.
pub(crate) fn sort_keys(grouping: Grouping, sorted_by: SortKey) -> Vec<SortKey> {
    shown(grouping, sorted_by).filter_map(|column| column.sort).collect()
}

/// The columns that make sense. What a line called is seldom asked for: it has a column while
/// rows are sorted by it.
fn shown(grouping: Grouping, sorted_by: SortKey) -> impl Iterator<Item = &'static SiteColumn> {
    let callees = match grouping {
        Grouping::Site => sorted_by == SortKey::WithCallees,
        grouping => grouping.has_callees(),
    };
    let applies = move |sort: SortKey| sort != SortKey::WithCallees || callees;
    let columns = COLUMNS.iter().filter(move |column| column.sort.is_none_or(applies));
    columns.filter(move |shown| shown.column.title != WHERE || grouping.has_places())
}

/// The row's part of what rows are sorted by, or else of live bytes.
fn share(figures: &Figures, cx: &SitesCx) -> Option<f64> {
    let by = match cx.sort {
        SortKey::DeltaBytes | SortKey::DeltaBlocks | SortKey::PerSecond | SortKey::Temporary => {
            SortKey::Live
        }
        by => by,
    };
    let (part, whole) = (by.value(figures), by.value(&cx.sums));
    (whole > 0.0).then(|| part / whole)
}

fn temporary(figures: &Figures) -> String {
    match figures.allocations {
        0 => format::UNKNOWN.to_owned(),
        all => format::percent(100.0 * figures.temporary as f64 / all as f64),
    }
}

/// How many rows fit in the terminal.
pub(crate) fn capacity(state: &State) -> usize {
    let others = super::HEADER + 1 + 2 + 1 + asked::rows(state);
    usize::from(state.size.1.saturating_sub(others))
}

/// Draws the table.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let sites = &cx.data.sites;
    let title = title(cx, area.width);
    let counts = beside(&title, counts(cx), area.width, cx.theme);
    let inner = panel(frame, area, cx.theme, (Line::from(title), counts));
    if sites.rows.rows.is_empty() {
        return empty_words(frame, inner, cx.theme, &why_empty(cx));
    }
    let inner = asked::draw(frame, inner, cx);
    let State { sites: choice, code, .. } = cx.state;
    let columns: Vec<_> = shown(code.grouping, choice.sort.by)
        .map(|SiteColumn { column, sort }| Shown {
            column,
            title: if column.title == NAME { code.grouping.word() } else { column.title },
            descending: (*sort == Some(choice.sort.by)).then_some(choice.sort.descending),
            sort: sort.map(Action::SortSites),
        })
        .collect();
    let threads = code.grouping == Grouping::Thread;
    let context = SitesCx { sums: sites.sums, sort: choice.sort.by, threads };
    let selected = sites.rows.selected.checked_sub(sites.rows.first);
    let (targets, key) = (cx.targets, |row: &SiteRow| row.key);
    let table = SortedTable { columns: &columns, context: &context, selected, targets, key };
    table.draw(frame, inner, cx.theme, &sites.rows.rows);
}

/// Whether there is room for a column of what changed.
fn shows_growth(cx: Cx, width: u16) -> bool {
    let State { sites, code, .. } = cx.state;
    let by = Some(sites.sort.by);
    let columns = shown(code.grouping, sites.sort.by)
        .map(|shown| (&shown.column, sorted::rank(&shown.column, shown.sort == by)));
    let room = usize::from(width.saturating_sub(4));
    table::layout(columns, room).iter().any(|(column, _)| column.title.starts_with('Δ'))
}

fn title<'a>(cx: Cx<'a>, width: u16) -> Vec<Span<'a>> {
    let mut title = vec![Span::styled(" Sites ", cx.theme.style(Role::Title))];
    title.push(rule(cx));
    title.push(Span::styled(
        format!("by {} ", cx.state.code.grouping.word()),
        cx.theme.style(Role::Key),
    ));
    if shows_growth(cx, width) {
        title.push(rule(cx));
        let since = format!("Δ since {} ", baseline(cx.data, cx.data.sites.since));
        title.push(Span::styled(since, cx.theme.style(Role::Label)));
    }
    title.extend(narrowed(cx, &cx.state.code.filter_text));
    title
}

/// What is missing from the rows, and how many there are.
fn counts(cx: Cx) -> Vec<(String, Role)> {
    let sites = &cx.data.sites;
    let mut counts = Vec::new();
    if sites.names_pending > 0 {
        let text = format!("{} to come", format::counted(sites.names_pending, "name"));
        counts.push((text, Role::Muted));
    }
    // Older sites do not come to what is live at the moment.
    let same_moment = cx.data.sites_as_of_s.is_none();
    if same_moment && (sites.lower_bound || sites.unattributed_bytes > 0) {
        let text = format!("≥ {} in no site", format::bytes(sites.unattributed_bytes));
        counts.push((text, Role::Warning));
    }
    let grouping = cx.state.code.grouping;
    let plural = if sites.total == 1 { grouping.word() } else { grouping.plural() };
    let total = format::count(sites.total as u64);
    let text = match cx.state.code.filter.is_empty() {
        true => format!("{total} {plural}"),
        false => format!("{} of {total} {plural}", matching(cx)),
    };
    counts.extend(as_of(cx.data).map(|words| (words, Role::Key)));
    counts.push((text, Role::Label));
    counts
}

/// How many rows the filter left, where that can be said.
fn matching(cx: Cx) -> String {
    let count = || format::count(cx.data.sites.rows.matching as u64);
    cx.data.filter_problem.map_or_else(count, |_| format::UNKNOWN.to_owned())
}

fn why_empty(cx: Cx) -> String {
    match cx.data.sites.total {
        0 => why_no_sites(cx),
        _ => cx.data.filter_problem.unwrap_or(why_nothing_matches(&cx.state.code)).to_owned(),
    }
}

/// Why nothing is chosen by thread.
pub(crate) const NO_SUCH_THREAD: &str = "Nothing matches: Esc takes the filter away. Names of ended \
    threads are not kept; thread:ended chooses where those asked.";

/// A word that asks for what these rows do not have is the likely reason.
fn why_nothing_matches(code: &CodeChoice) -> &'static str {
    let by_thread = code.grouping == Grouping::Thread;
    if !by_thread && code.filter.threads().next().is_some() {
        return NO_SUCH_THREAD;
    }
    let mut fields = code.filter.texts().filter_map(|(_, field, _)| field);
    match fields.any(|field| field != Field::Thread) {
        true if by_thread => "fn:, file: and module: do not apply to threads: m sums by code.",
        _ => "Nothing matches the filter: / changes it, Esc takes it away.",
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
        true if header.live.is_some_and(|live| live > 0) => {
            "Waiting for a stack: what is live so far has none that is known.".to_owned()
        }
        true => "Waiting for the program to allocate.".to_owned(),
        false => "Tracing is paused: press p to start.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
