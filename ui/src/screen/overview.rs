//! The first screen: how much, since when, in what sizes, and what changed.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::{Cx, fate, growth, present, resident};
use crate::data::{Data, GrowthBy, Origin, RunState, SizeRow, Totals};
use crate::format::{self, BYTES_WIDTH, COUNT_WIDTH};
use crate::state::Bars;
use crate::theme::{Role, Theme};
use crate::widget::bar::bar;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel, timeline, wrap};

/// Where the parts of the screen are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// The timeline with its frame.
    pub timeline: Rect,
    /// The sentence below it.
    pub words: Rect,
    /// The histogram with its frame.
    pub sizes: Rect,
    /// What grew, with its frame.
    pub growth: Rect,
    /// The totals with their frame; empty where there is no room.
    pub totals: Rect,
}

/// Columns of the totals, frame included.
const TOTALS: u16 = 28;
/// From this height on there is room for what is resident, in a terminal of 30 rows.
const TALL: u16 = 27;
/// From this width on the longest sentence takes one row.
const ONE_LINE: u16 = 144;
/// From this width on it takes two, and mostly below.
const TWO_LINES: u16 = 78;
/// A table takes so many rows at least: its frame, a heading, and a row.
const LEAST_TABLE: u16 = 4;
/// From this width on there is room for the totals.
const WIDE: u16 = 116;

/// Columns of the sizes with blocks, bytes and the shortest bars, frame included.
const SHORT_BARS: u16 = 43;

/// Cuts `area` into its parts; `lines` of words stand below the timeline.
///
/// The chart comes first: it keeps ten rows in a terminal of 24, and gets a little more than half
/// of what is beyond that.
pub fn parts(area: Rect, lines: u16, growth: GrowthBy) -> Parts {
    let tables = match area.height {
        0..12 => 0,
        12..21 => match area.height.saturating_sub(lines + 8).min(7) {
            // A frame with a heading and nothing below says nothing.
            0..LEAST_TABLE => 0,
            rows => rows,
        },
        height => 9u16.saturating_sub(lines) + (height - 21) * 9 / 20,
    };
    let lines = if area.height < 9 { 0 } else { lines };
    let rows = [Constraint::Min(5), Constraint::Length(lines), Constraint::Length(tables)];
    let [timeline, words, bottom] = Layout::vertical(rows).areas(area);
    let totals = if area.width >= WIDE { TOTALS } else { 0 };
    let [sizes, growth] = shares(area.width, growth);
    let columns = [sizes, growth, Constraint::Length(totals)];
    let [sizes, growth, totals] = Layout::horizontal(columns).areas(bottom);
    Parts { timeline, words, sizes, growth, totals }
}

/// How sizes and growth share a row. Growth by size needs no more than its columns, and beyond
/// them room goes to the bars; by site, it goes to the names.
fn shares(width: u16, growth: GrowthBy) -> [Constraint; 2] {
    use Constraint::{Fill, Length};
    match (growth, width) {
        (GrowthBy::Site, 0..80) => [Length(0), Fill(1)],
        (GrowthBy::Site, 80..136) => [Length((36 + (width - 80) / 2).min(SHORT_BARS)), Fill(1)],
        (GrowthBy::Site, 136..160) => [Length(SHORT_BARS + (width - 136) / 2), Fill(1)],
        (GrowthBy::Site, 160..) => [Length(64), Fill(1)],
        (GrowthBy::Size, 0..80) => [Fill(3), Fill(2)],
        (GrowthBy::Size, 80..160) => [Fill(3), Length(37)],
        (GrowthBy::Size, 160..) => [Fill(3), Length(47)],
    }
}

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let parts = parts(area, lines(cx.data, area), cx.data.growth.by);
    draw_timeline(frame, parts.timeline, cx);
    draw_words(frame, parts.words, cx, has_resident(cx.data, area));
    draw_sizes(frame, parts.sizes, cx);
    growth::draw(frame, parts.growth, cx);
    draw_totals(frame, parts.totals, cx);
}

/// The words, and what is resident in the last row where one is kept for it.
fn draw_words(frame: &mut Frame, area: Rect, cx: Cx, resident: bool) {
    let end = area.bottom().saturating_sub(u16::from(resident));
    let words = words(cx, area.width);
    let is_cut = words.len() > usize::from(end.saturating_sub(area.top()));
    for (line, y) in words.into_iter().zip(area.top()..end) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
    if is_cut && end > area.top() {
        let at = Rect { x: area.right().saturating_sub(2), y: end - 1, width: 1, height: 1 };
        frame.render_widget(Span::styled("…", cx.theme.style(Role::Label)), at);
    }
    let gap = cx.data.classes.gap.as_ref().filter(|_| resident && area.height > 0);
    if let Some(gap) = gap {
        let width = area.width.saturating_sub(4);
        let line = resident::line(gap, cx.theme, usize::from(width));
        frame.render_widget(line, Rect { x: area.x + 2, y: end, width, height: 1 });
    }
}

fn draw_timeline(frame: &mut Frame, area: Rect, cx: Cx) {
    let header = &cx.data.header;
    let view = timeline::View {
        title: "Memory",
        timeline: &cx.data.timeline,
        extent: cx.state.extent,
        zoom_s: cx.state.zoom_s,
        untracked_label: match (header.tracing.was_paused, header.tracing.cleared_s) {
            (false, None) => "freed from before the start",
            (false, Some(_)) => "freed from before the clear",
            (true, _) => "freed, not seen allocated",
        },
        present: present(cx),
        words: waiting(cx.data),
        playhead_s: None,
    };
    view.draw(frame, area, cx.theme);
}

/// Why there is no curve, while there is none.
fn waiting(data: &Data) -> Option<&'static str> {
    let header = &data.header;
    let nothing = data.timeline.points.iter().all(|point| point.max == 0);
    match &header.state {
        RunState::Starting => Some("starting the program"),
        // Who has just come knows what is live before it knows the past.
        _ if !nothing || header.live.is_some_and(|live| live > 0) => None,
        RunState::Running if header.tracing.on => Some("waiting for the program to allocate"),
        RunState::Running => Some("tracing is paused: press p to start"),
        _ => Some("nothing was traced"),
    }
}

/// The lines below the timeline: how it ended, and what the window means.
fn words(cx: Cx, width: u16) -> Vec<Line<'static>> {
    let header = &cx.data.header;
    let mut lines = Vec::new();
    if let Some(fate) = fate(&header.state) {
        let role = if matches!(header.state, RunState::Ended { code: Some(0) | None }) {
            Role::Figure
        } else {
            Role::Warning
        };
        lines.push(Line::from(vec![
            Span::styled(format!("  {fate}"), cx.theme.style(role)),
            Span::styled(last_growth(cx.data), cx.theme.style(Role::Figure)),
            Span::styled(" — press ", cx.theme.style(Role::Label)),
            Span::styled("q", cx.theme.style(Role::Key)),
            Span::styled(" to leave", cx.theme.style(Role::Label)),
        ]));
    }
    let rows = sentence(cx.data, width);
    lines.extend(rows.iter().map(|r| Line::styled(format!("  {r}"), cx.theme.style(Role::Figure))));
    lines
}

fn sentence(data: &Data, width: u16) -> Vec<String> {
    wrap(data.sentence.as_deref().unwrap_or(""), usize::from(width).saturating_sub(4))
}

/// How live memory moved just before a kill: often the reason for it.
fn last_growth(data: &Data) -> String {
    const SECONDS: f64 = 10.0;
    let points = &data.timeline.points;
    let first = points.partition_point(|p| p.t_s < data.timeline.now_s - SECONDS);
    match (&data.header.state, points.get(first), points.last()) {
        (RunState::Killed { .. }, Some(then), Some(last)) => {
            let delta = last.live.wrapping_sub(then.live) as i64;
            format!(" · last {SECONDS:.0} s {}", format::signed_bytes(delta))
        }
        _ => String::new(),
    }
}

/// Rows kept for the words, whatever they are just now, so that nothing moves with them; where
/// the longest take three, two are enough for most.
pub(crate) fn lines(data: &Data, area: Rect) -> u16 {
    let sentence = match area.width {
        ONE_LINE.. => 1,
        TWO_LINES.. => 2,
        width => (sentence(data, width).len() as u16).clamp(2, 3),
    };
    let fate = u16::from(!data.header.state.is_alive());
    sentence + fate + u16::from(has_resident(data, area))
}

/// What is said of nothing: that it is nothing, that nobody has counted yet, or that what was
/// counted is gone.
pub(crate) fn none(cx: Cx, words: &'static str) -> &'static str {
    let header = &cx.data.header;
    match (header.live, &header.state) {
        (Some(_), _) => words,
        (None, RunState::Ended { .. }) => "Nothing is kept of it.",
        (None, _) => "Not counted yet.",
    }
}

/// Whether there is room for what is resident, and somebody who could know it.
fn has_resident(data: &Data, area: Rect) -> bool {
    // Of a program that has ended it would be what was known last, beside newer figures.
    let header = &data.header;
    area.height >= TALL && header.origin != Origin::Replay && header.state.is_alive()
}

/// What the cells of the histogram look at.
struct SizesCx {
    bars: Bars,
    most: u64,
}

impl SizesCx {
    fn measure(&self, row: &SizeRow) -> u64 {
        match self.bars {
            Bars::Bytes => row.bytes,
            Bars::Blocks => row.blocks,
        }
    }
}

/// Columns of the histogram. Bars are what it is for: where room is short, first the allocations
/// give way, then the figure that the bars do not stand for.
const fn sizes(blocks: u8, bytes: u8) -> [Column<SizeRow, SizesCx>; 5] {
    [
        Column::figure("size", 11, 0, |row, _, _| {
            (format::size_class(row.min, row.max), Some(Role::Label))
        }),
        Column::figure("blocks", COUNT_WIDTH, blocks, |row, _, _| {
            (format::count(row.blocks), None)
        }),
        Column::figure("bytes", BYTES_WIDTH, bytes, |row, _, _| {
            (format::bytes(row.bytes), Some(Role::Figure))
        }),
        Column::figure("allocated", COUNT_WIDTH, 4, |row, _, _| {
            (format::count(row.allocations), Some(Role::Label))
        }),
        Column {
            title: "",
            width: Width::Fill(LEAST_BAR),
            align: Alignment::Left,
            rank: 0,
            cell: |row, cx, width| (bar(cx.measure(row), cx.most, width), Some(Role::Bar)),
        },
    ]
}

/// Columns with which bars still tell sizes apart.
const LEAST_BAR: usize = 7;
/// The columns, with the bars by bytes.
const BY_BYTES: &[Column<SizeRow, SizesCx>] = &sizes(3, 0);
/// The columns, with the bars by blocks.
const BY_BLOCKS: &[Column<SizeRow, SizesCx>] = &sizes(0, 3);

fn draw_sizes(frame: &mut Frame, area: Rect, cx: Cx) {
    if area.width == 0 || area.height < 3 {
        return;
    }
    let sizes = &cx.data.sizes;
    let (columns, by) = match cx.state.bars {
        Bars::Bytes => (BY_BYTES, " bars: bytes "),
        Bars::Blocks => (BY_BLOCKS, " bars: blocks "),
    };
    let right = more(sizes.more, by, cx.theme);
    let title = Line::styled(" Sizes ", cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, right));
    if sizes.rows.is_empty() {
        return empty_words(frame, inner, cx.theme, none(cx, "No live blocks."));
    }
    let mut context = SizesCx { bars: cx.state.bars, most: 0 };
    context.most = sizes.rows.iter().map(|row| context.measure(row)).max().unwrap_or(0);
    Table { columns, context: &context, selected: None }.draw(
        frame,
        airy(inner),
        cx.theme,
        &sizes.rows,
    );
}

fn more(hidden: usize, words: &str, theme: &Theme) -> Line<'static> {
    let text = match hidden {
        0 => words.to_owned(),
        n => format!("{words}· {n} more "),
    };
    Line::styled(text, theme.style(Role::Label))
}

fn draw_totals(frame: &mut Frame, area: Rect, cx: Cx) {
    if area.width == 0 || area.height < 3 {
        return;
    }
    let title = format!(" Since {} ", cx.data.header.tracing.beginning());
    let title = Line::styled(title, cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, Line::default()));
    let width = usize::from(inner.width);
    let known = cx.data.header.live.is_some();
    for ((label, value), y) in totals(&cx.data.totals).into_iter().zip(inner.top()..inner.bottom())
    {
        let value = if known { value.as_str() } else { format::UNKNOWN };
        let value = format::right(value, width.saturating_sub(label.len() + 2));
        let line = Line::from(vec![
            Span::styled(format!(" {label}"), cx.theme.style(Role::Label)),
            Span::styled(value, cx.theme.style(Role::Figure)),
        ]);
        frame.render_widget(line, Rect { y, height: 1, ..inner });
    }
}

fn totals(totals: &Totals) -> [(&'static str, String); 7] {
    let share = match totals.allocations {
        0 => format::UNKNOWN.to_owned(),
        all => format::percent(100.0 * totals.temporary as f64 / all as f64),
    };
    [
        ("live blocks", format::thousands(totals.live_blocks)),
        ("blocks at peak", format::or_unknown(totals.peak_blocks, format::thousands)),
        ("allocations", format::thousands(totals.allocations)),
        ("frees", format::thousands(totals.frees)),
        ("allocated", format::bytes(totals.allocated_bytes)),
        ("temporary", share),
        ("reallocations", format::thousands(totals.reallocations)),
    ]
}
