//! The live tail: every allocation and free that the feed kept, newest first.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};

use super::{Cx, fate};
use crate::data::{Event, EventKind, Events, Origin};
use crate::format::{self, BYTES_WIDTH};
use crate::state::State;
use crate::theme::Role;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel};

const COLUMNS: &[Column<Event, ()>] = &[
    Column {
        title: "time",
        width: Width::Fixed(11),
        align: Alignment::Right,
        rank: 0,
        cell: |event, (), _| (format::or_unknown(event.t_s, format::clock_ms), Some(Role::Label)),
    },
    Column {
        title: "what",
        width: Width::Fixed(9),
        align: Alignment::Left,
        rank: 0,
        cell: |event, (), _| {
            let (word, role) = kind(event.kind);
            (word.to_owned(), Some(role))
        },
    },
    Column {
        title: "size",
        width: Width::Fixed(BYTES_WIDTH),
        align: Alignment::Right,
        rank: 0,
        cell: |event, (), _| (format::bytes(event.size), Some(Role::Figure)),
    },
    Column {
        title: "address",
        width: Width::Fixed(14),
        align: Alignment::Right,
        rank: 4,
        cell: |event, (), _| (format!("{:#x}", event.address), Some(Role::Muted)),
    },
    Column {
        title: "lived",
        width: Width::Fixed(8),
        align: Alignment::Right,
        rank: 1,
        cell: |event, (), _| (lived(event), event.untracked.then_some(Role::Untracked)),
    },
    Column {
        title: "tid",
        width: Width::Fixed(7),
        align: Alignment::Right,
        rank: 3,
        cell: |event, (), _| (event.tid.to_string(), Some(Role::Label)),
    },
    Column {
        title: "thread",
        width: Width::Fill(12),
        align: Alignment::Left,
        rank: 2,
        cell: |event, (), _| {
            let name = event.thread.clone();
            (name.unwrap_or_else(|| event.tid.to_string()), Some(Role::Label))
        },
    },
];

fn kind(kind: EventKind) -> (&'static str, Role) {
    match kind {
        EventKind::Alloc => ("+ alloc", Role::Live),
        EventKind::Free => ("− free", Role::Freed),
        EventKind::Realloc => ("~ realloc", Role::Label),
    }
}

fn lived(event: &Event) -> String {
    match event.kind {
        EventKind::Free if event.untracked => "not seen".to_owned(),
        EventKind::Free => format::or_unknown(event.age_s, |age| match age < event.tick_s {
            _ if event.age_is_least => format!("≥{}", format::span(age)),
            true => format!("<{}", format::span(event.tick_s)),
            false => format::span(age),
        }),
        _ => String::new(),
    }
}

/// How many rows fit in a terminal of this many rows.
pub(crate) fn capacity(rows: u16) -> usize {
    usize::from(rows.saturating_sub(super::HEADER + 1 + 2 + 1))
}

/// Draws the list.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let events = &cx.data.events;
    let title = Line::from(title(cx));
    let right = Line::from(counts(events, cx));
    let inner = panel(frame, area, cx.theme, (title, right));
    if events.rows.is_empty() {
        return empty_words(frame, inner, cx.theme, &why_empty(cx));
    }
    let first = cx.state.events_scroll.min(events.rows.len() - 1);
    let table = Table { columns: COLUMNS, context: &(), selected: None };
    table.draw(frame, airy(inner), cx.theme, &events.rows[first..]);
}

fn title<'a>(cx: Cx<'a>) -> Vec<Span<'a>> {
    let mut title = vec![Span::styled(" Events ", cx.theme.style(Role::Title))];
    let State { filter_text, frozen, events_scroll, .. } = cx.state;
    if !filter_text.is_empty() {
        title.push(Span::styled("── / ", cx.theme.style(Role::Border)));
        title.push(Span::styled(filter_text.as_str(), cx.theme.style(Role::Key)));
        title.push(Span::raw(" "));
    }
    if *frozen {
        let at = match events_scroll {
            0 => String::new(),
            n => format!(", {} newer above", format::count(*n as u64)),
        };
        title.push(Span::styled("── ", cx.theme.style(Role::Border)));
        title.push(Span::styled(format!("frozen{at} "), cx.theme.style(Role::Warning)));
    }
    title
}

fn counts(events: &Events, cx: Cx) -> Vec<Span<'static>> {
    let label = cx.theme.style(Role::Label);
    let mut counts = Vec::new();
    if events.dropped > 0 {
        let text = format!(" {} dropped ", format::count(events.dropped));
        counts.push(Span::styled(text, cx.theme.style(Role::Warning)));
        counts.push(Span::styled("·", label));
    }
    let shown = format::count(events.matching);
    let text = match cx.state.filter.is_empty() {
        true => format!(" {shown} kept "),
        false => format!(" {shown} of {} match ", format::count(events.kept)),
    };
    counts.push(Span::styled(text, label));
    if let Some(rate) = events.per_s {
        counts.push(Span::styled(format!("· {:>8} ", format::rate(rate)), label));
    }
    counts
}

fn why_empty(cx: Cx) -> String {
    let header = &cx.data.header;
    if !cx.state.filter.is_empty() && cx.data.events.kept > 0 {
        return "No event matches the filter: / changes it, Esc takes it away.".to_owned();
    }
    if cx.state.playback.at_s.is_some() || header.origin == Origin::Replay {
        return "No events are kept of this moment: --events records them.".to_owned();
    }
    if header.read_only {
        return "The events go to the dashboard that was here first.".to_owned();
    }
    if let Some(fate) = fate(&header.state) {
        return format!("{fate} — no events were kept");
    }
    match header.tracing.on {
        true => "Waiting for the program to allocate.".to_owned(),
        false => "Tracing is paused: press p to start.".to_owned(),
    }
}
