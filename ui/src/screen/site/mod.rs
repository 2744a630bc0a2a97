//! One site, or one group of sites, in full.

mod facts;
mod source;
mod stack;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::{Cx, as_of, baseline, tendency};
use crate::data::{Figures, Site, Source};
use crate::format;
use crate::symbol;
use crate::theme::{Role, Theme};
use crate::widget::{airy, empty_words, panel, wrap};

/// From this width on, what is known about the site stands beside its stack.
const WIDE: u16 = 76;

/// In fewer rows there is room for the stack alone.
const LOW: u16 = 12;

const GONE: &str = "It is not there (any more): Esc leads back.";

/// Draws what was opened.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let Some(site) = cx.data.site.as_deref() else {
        let title = Line::styled(" Site ", cx.theme.style(Role::Title));
        let inner = panel(frame, area, cx.theme, (title, Line::default()));
        return empty_words(frame, inner, cx.theme, GONE);
    };
    let most = if area.height < 18 { 2 } else { 3 };
    let room = (usize::from(area.width.saturating_sub(4)), most);
    let since = baseline(cx.data, site.since);
    let words = summary((site, &since), as_of(cx.data), room, cx.theme);
    let height = match area.height {
        0..LOW => 0,
        height => (words.len() as u16 + 2).min(height * 2 / 5),
    };
    let rows = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]);
    let [top, bottom] = rows.areas(area);
    draw_summary(frame, top, cx, site, words);
    if area.width < WIDE {
        return draw_code(frame, bottom, cx, site);
    }
    let columns = Layout::horizontal([Constraint::Fill(8), Constraint::Fill(5)]);
    let [left, right] = columns.areas(bottom);
    draw_code(frame, left, cx, site);
    facts::draw(frame, right, cx, site);
}

/// The stack above, the source of its selected frame below.
fn draw_code(frame: &mut Frame, area: Rect, cx: Cx, site: &Site) {
    let entries = site.stack.entries.len() as u16 + u16::from(site.stack.cut) + 2;
    let rows = match site.source {
        Source::None => 0,
        _ if area.height < LOW => 0,
        Source::Unreadable { .. } => 4,
        Source::Lines { .. } => (area.height / 2).max(area.height.saturating_sub(entries)),
    };
    let parts = Layout::vertical([Constraint::Fill(1), Constraint::Length(rows)]);
    let [above, below] = parts.areas(area);
    stack::draw(frame, above, cx, site);
    source::draw(frame, below, cx, &site.source);
}

fn draw_summary(frame: &mut Frame, area: Rect, cx: Cx, site: &Site, words: Vec<Line<'static>>) {
    let room = usize::from(area.width.saturating_sub(6));
    let place = symbol::place_beside(&site.name, room / 2);
    let name = symbol::name(&site.name, room.saturating_sub(place.chars().count() + 2));
    let title = Line::styled(format!(" {name} "), cx.theme.style(Role::Title));
    let place = match place.is_empty() {
        true => Line::default(),
        false => Line::styled(format!(" {place} "), cx.theme.style(Role::Label)),
    };
    if area.height < 3 {
        return;
    }
    let inner = airy(panel(frame, area, cx.theme, (title, place)));
    let is_cut = words.len() > usize::from(inner.height);
    for (line, y) in words.into_iter().zip(inner.top()..inner.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..inner });
    }
    if is_cut && !inner.is_empty() {
        let end = Rect { x: area.right() - 2, y: inner.bottom() - 1, width: 1, height: 1 };
        frame.render_widget(Span::styled("…", cx.theme.style(Role::Label)), end);
    }
}

/// Of when it all is, the figures that fit in `most` lines, and the sentence.
fn summary(
    (site, since): (&Site, &str),
    as_of: Option<String>,
    (width, most): (usize, usize),
    theme: &Theme,
) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    let as_of = as_of.map(|words| vec![Span::styled(words, theme.style(Role::Key))]);
    for item in as_of.into_iter().chain(figures(site, since, theme)) {
        let line = lines.last_mut().expect("starts with one");
        let used = line.width();
        if used > 0 && used + 3 + item.iter().map(Span::width).sum::<usize>() > width {
            lines.push(Line::from(item));
            continue;
        }
        if used > 0 {
            line.push_span("   ");
        }
        item.into_iter().for_each(|span| line.push_span(span));
    }
    lines.truncate(most);
    let sentence = site.sentence.as_deref().unwrap_or_default();
    let words = wrap(sentence, width).into_iter().filter(|row| !row.is_empty());
    lines.extend(words.map(|row| Line::styled(row, theme.style(Role::Figure))));
    lines
}

/// Label and value, the value in its role.
type Item = (String, String, Role);

/// `since`: the word for what growth is measured from.
fn figures(site: &Site, since: &str, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let figures = &site.figures;
    let item = |label: &str, value, role| -> Item { (label.to_owned(), value, role) };
    let mut items = vec![
        item("live", format::bytes(figures.live_bytes), Role::Live),
        item("of all", share(figures.live_bytes, site.process_live_bytes), Role::Figure),
    ];
    if figures.with_callees_bytes != figures.live_bytes {
        items.push(item("with callees", format::bytes(figures.with_callees_bytes), Role::Figure));
    }
    let tendency = figures.delta_bytes.map_or(Role::Label, tendency);
    items.extend([
        item("blocks", format::count(figures.live_blocks), Role::Figure),
        (format!("Δ since {}", since), change(figures), tendency),
        item("at peak", format::bytes(figures.at_peak_bytes), Role::Peak),
        item("allocated", format::bytes(figures.allocated_bytes), Role::Figure),
        item("allocs", allocations(figures), Role::Figure),
        item("temporary", share(figures.temporary, figures.allocations), Role::Figure),
    ]);
    let spans = |(label, value, role): Item| {
        vec![
            Span::styled(format!("{label} "), theme.style(Role::Label)),
            Span::styled(value, theme.style(role)),
        ]
    };
    items.into_iter().map(spans).collect()
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => format::UNKNOWN.to_owned(),
        whole => format::percent(100.0 * part as f64 / whole as f64),
    }
}

fn change(figures: &Figures) -> String {
    let blocks = figures.delta_blocks.filter(|blocks| *blocks != 0);
    let blocks = blocks.map(|n| format!(" in {}", format::signed_count(n))).unwrap_or_default();
    format::or_unknown(figures.delta_bytes, |bytes| format::signed_bytes(bytes) + &blocks)
}

fn allocations(figures: &Figures) -> String {
    let rate = figures.per_s.map(|rate| format!(" · {}", format::rate(rate))).unwrap_or_default();
    format::count(figures.allocations) + &rate
}
