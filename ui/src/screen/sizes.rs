//! All size classes with what they hold, held and cost, and below them what else is resident.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::Cx;
use crate::data::{ClassRow, Data, Gap, Origin};
use crate::format::{self, BYTES_WIDTH, COUNT_WIDTH};
use crate::state::Bars;
use crate::theme::{Role, Theme};
use crate::widget::bar::bar;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, below_heading, empty_words, panel, wrap};

/// From this height on every part of resident memory has a row of its own.
const TALL: u16 = 30;

/// What cells look at beside their row.
struct ClassCx {
    bars: Bars,
    sums: ClassRow,
    most: ClassRow,
}

const COLUMNS: &[Column<ClassRow, ClassCx>] = &[
    Column::figure("size", 11, 0, |row, _, _| {
        (format::size_class(row.min, row.max), Some(Role::Label))
    }),
    Column::figure("blocks", COUNT_WIDTH, 0, |row, _, _| (format::count(row.blocks), None)),
    Column::figure("bytes", BYTES_WIDTH, 0, |row, _, _| {
        (format::bytes(row.bytes), Some(Role::Figure))
    }),
    Column::figure("share", 6, 1, |row, cx, _| (share(row.bytes, cx.sums.bytes), None)),
    Column::figure("at peak", BYTES_WIDTH, 3, |row, _, _| {
        (format::or_unknown(row.at_peak_bytes, format::bytes), Some(Role::Peak))
    }),
    Column::figure("allocs", COUNT_WIDTH, 2, |row, _, _| {
        (format::count(row.allocations), Some(Role::Label))
    }),
    Column::figure("allocated", BYTES_WIDTH, 4, |row, _, _| {
        (format::bytes(row.allocated_bytes), Some(Role::Label))
    }),
    Column {
        title: "",
        width: Width::Fill(6),
        align: Alignment::Left,
        rank: 1,
        cell: |row, cx, width| {
            let (value, most) = match cx.bars {
                Bars::Bytes => (row.bytes, cx.most.bytes),
                Bars::Blocks => (row.blocks, cx.most.blocks),
            };
            (bar(value, most, width), Some(Role::Bar))
        },
    },
];

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => format::UNKNOWN.to_owned(),
        _ => format::percent(100.0 * part as f64 / whole as f64),
    }
}

/// The table, and what is below it.
fn parts(area: Rect) -> [Rect; 2] {
    let gap = match area.height {
        0..12 => 0,
        12..TALL => 6,
        _ => 12,
    };
    Layout::vertical([Constraint::Min(4), Constraint::Length(gap)]).areas(area)
}

/// How many classes fit in this body of the screen.
pub(crate) fn capacity(body: Rect) -> usize {
    usize::from(parts(body)[0].height.saturating_sub(3))
}

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let [table, gap] = parts(area);
    draw_classes(frame, table, cx);
    if gap.height > 0 {
        draw_gap(frame, gap, cx);
    }
}

fn draw_classes(frame: &mut Frame, area: Rect, cx: Cx) {
    let classes = &cx.data.classes;
    let title = Line::styled(" Sizes ", cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, Line::from(sums(cx))));
    if classes.rows.rows.is_empty() {
        return empty_words(frame, inner, cx.theme, "No block was traced yet.");
    }
    let context = ClassCx { bars: cx.state.bars, sums: classes.sums, most: classes.most };
    let selected = classes.rows.selected.checked_sub(classes.rows.first);
    cx.targets.add_rows(below_heading(inner), classes.rows.rows.iter().map(|row| row.key()));
    let table = Table { columns: COLUMNS, context: &context, selected };
    table.draw(frame, airy(inner), cx.theme, &classes.rows.rows);
}

/// ` 12 classes · slack 2.1 MiB, 4.2 % `.
fn sums(cx: Cx) -> Vec<Span<'static>> {
    let classes = &cx.data.classes;
    let label = cx.theme.style(Role::Label);
    let bars = match cx.state.bars {
        Bars::Bytes => "bars: bytes",
        Bars::Blocks => "bars: blocks",
    };
    let counted = format::counted(classes.rows.matching as u64, "class");
    let mut words = vec![Span::styled(format!(" {counted} "), label)];
    if let Some(slack) = classes.slack_bytes {
        let part = share(slack, classes.sums.bytes.saturating_add(slack));
        words.push(Span::styled("· slack ", label));
        let figure = cx.theme.style(Role::Figure);
        words.push(Span::styled(format!("{}, {part} ", format::bytes(slack)), figure));
    }
    words.push(Span::styled(format!("· {bars} "), label));
    words
}

fn draw_gap(frame: &mut Frame, area: Rect, cx: Cx) {
    // What was known last stands beside newer figures.
    let is_past = cx.data.classes.gap.is_some() && !cx.data.header.state.is_alive();
    let age_s = cx.data.classes.gap.as_ref().and_then(|gap| gap.age_s);
    let title = match age_s {
        _ if is_past => " Resident memory, as last seen ".to_owned(),
        Some(age_s) => format!(" Resident memory, {age_s:.1} s ago "),
        None => " Resident memory ".to_owned(),
    };
    let title = Line::styled(title, cx.theme.style(Role::Title));
    let limit = Line::styled(limit(cx.data), cx.theme.style(Role::Label));
    let inner = panel(frame, area, cx.theme, (title, limit));
    let Some(gap) = &cx.data.classes.gap else {
        let is_past = cx.state.playback.at_s.is_some() || cx.data.header.origin == Origin::Replay;
        let words = match is_past {
            true => "What was resident is recorded as a whole alone: the timeline has it as rss.",
            false => {
                "What is resident is not known: the kernel tells it of running programs of one's own."
            }
        };
        return empty_words(frame, inner, cx.theme, words);
    };
    let inner = airy(inner);
    let lines = match inner.height {
        0..9 => in_short(gap, cx.theme, usize::from(inner.width)),
        _ => in_full(gap, cx.theme, usize::from(inner.width)),
    };
    for (line, y) in lines.into_iter().zip(inner.top()..inner.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..inner });
    }
}

/// ` limit 512.0 MiB, 120.0 MiB left `.
fn limit(data: &Data) -> String {
    let limit = data.classes.gap.as_ref().and_then(|gap| gap.limit);
    limit.map_or_else(String::new, |limit| {
        let (bytes, left) = (format::bytes(limit.bytes), format::bytes(limit.headroom));
        format!(" group's limit {bytes}, {left} left ")
    })
}

/// The parts in a sum, and the sentence.
fn in_short(gap: &Gap, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let parts = gap.parts.iter().filter(|part| part.bytes > 0);
    let parts: Vec<String> =
        parts.map(|part| format!("{} {}", part.name, format::bytes(part.bytes))).collect();
    let sum = format!("{} = {}", format::bytes(gap.resident), parts.join(" + "));
    let mut lines: Vec<Line> = wrap(&sum, width)
        .into_iter()
        .map(|line| Line::styled(line, theme.style(Role::Figure)))
        .collect();
    lines.extend(sentence(gap, theme, width));
    lines
}

/// A row with a bar for each part, and the sentence.
fn in_full(gap: &Gap, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let widest = gap.parts.iter().map(|part| part.name.chars().count()).max().unwrap_or(0);
    let help = gap.parts.iter().map(|part| part.help.chars().count()).max().unwrap_or(0);
    let room = width.saturating_sub(widest + BYTES_WIDTH + 11);
    let room = room.saturating_sub(help).min(60).max(room.min(12));
    let mut lines: Vec<Line> = gap
        .parts
        .iter()
        .map(|part| {
            let bar = format::left(&bar(part.bytes, gap.resident, room), room + 1);
            Line::from(vec![
                Span::styled(format::left(part.name, widest), theme.style(Role::Label)),
                Span::styled(
                    format!(" {:>BYTES_WIDTH$}", format::bytes(part.bytes)),
                    theme.style(Role::Figure),
                ),
                Span::raw(format!(" {:>6}  ", share(part.bytes, gap.resident))),
                Span::styled(bar, theme.style(Role::Bar)),
                Span::styled(
                    format::shorten(
                        part.help,
                        width.saturating_sub(widest + room + BYTES_WIDTH + 11),
                    ),
                    theme.style(Role::Muted),
                ),
            ])
        })
        .collect();
    lines.push(Line::from(vec![
        Span::styled(format::left("together", widest), theme.style(Role::Label)),
        Span::styled(
            format!(" {:>BYTES_WIDTH$}", format::bytes(gap.resident)),
            theme.style(Role::Rss),
        ),
    ]));
    lines.extend(sentence(gap, theme, width));
    lines
}

fn sentence(gap: &Gap, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let words = gap.sentence.iter().flat_map(|sentence| wrap(sentence, width));
    words.map(|line| Line::styled(line, theme.style(Role::Title))).collect()
}
