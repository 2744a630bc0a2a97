//! Going back in time: through the past of a session, or through a recording.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::Cx;
use crate::data::{Mark, Stop, StopKind, Time, TimeSource, Timeline};
use crate::format;
use crate::symbol;
use crate::theme::Role;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, empty_words, panel, timeline};

/// From this width on, stops stand beside the curve.
const WIDE: u16 = 120;
/// Their columns then.
const BESIDE: u16 = 40;
/// Rows of stops below the curve where the terminal is narrow.
const BELOW: u16 = 7;

const NOTHING: &str = "This is now: r records from here on, and memtop replay goes back in time.";

/// Draws the curve with the moment that is looked at, the state of playing, and the stops.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let time = &cx.data.time;
    if time.source == TimeSource::Nothing {
        let title = Line::styled(" Time ", cx.theme.style(Role::Title));
        let inner = panel(frame, area, cx.theme, (title, Line::default()));
        return empty_words(frame, inner, cx.theme, NOTHING);
    }
    let [curve, transport, stops] = parts(area);
    draw_curve(frame, curve, cx);
    frame.render_widget(words(cx, transport.width), transport);
    draw_stops(frame, stops, cx);
}

fn parts(area: Rect) -> [Rect; 3] {
    let wide = area.width >= WIDE;
    let beside = Constraint::Length(if wide { BESIDE } else { 0 });
    let below = match area.height {
        _ if wide => 0,
        0..14 => 0,
        height => (height / 3).min(BELOW),
    };
    let [left, right] = Layout::horizontal([Constraint::Fill(1), beside]).areas(area);
    let rows = [Constraint::Fill(1), Constraint::Length(1), Constraint::Length(below)];
    let [curve, transport, bottom] = Layout::vertical(rows).areas(left);
    [curve, transport, if wide { right } else { bottom }]
}

fn draw_curve(frame: &mut Frame, area: Rect, cx: Cx) {
    let time = &cx.data.time;
    let timeline = Timeline {
        points: time.points.clone(),
        intervals: time.intervals.clone(),
        cleared_s: time.cleared_s,
        now_s: time.last_s,
        read_to_s: None,
        marks: cx.data.timeline.marks.clone(),
        peak: time.peak,
    };
    let view = timeline::View {
        title: "Time",
        timeline: &timeline,
        extent: timeline::Extent::default(),
        zoom_s: None,
        untracked_label: "",
        present: match time.source == TimeSource::Session && !has_ended(time) {
            true => "now",
            false => "end",
        },
        words: time.points.is_empty().then_some("nothing was recorded"),
        playhead_s: Some(time.at_s),
    };
    view.draw(frame, area, cx.theme);
}

/// Whether what is gone through does not go on.
fn has_ended(time: &Time) -> bool {
    time.stops.iter().any(|stop| stop.what == StopKind::End)
}

/// `▶ 1:44.200 of 3:12 · speed ×2 · redis.memtop`, in so many columns: what is missing is said
/// before what goes without saying.
fn words(cx: Cx, width: u16) -> Line<'static> {
    let time = &cx.data.time;
    let playback = &cx.state.playback;
    let (sign, role) = match (playback.playing, playback.at_s) {
        (true, _) => ("▶ ", Role::Active),
        (false, None) if time.source == TimeSource::Session => ("● ", Role::Active),
        (false, _) => ("■ ", Role::Label),
    };
    let mut line = Line::from(vec![
        Span::styled(format!("  {sign}"), cx.theme.style(role)),
        Span::styled(format::clock_ms(time.at_s), cx.theme.style(Role::Key)),
        Span::styled(format!(" of {}", format::clock(time.last_s)), cx.theme.style(Role::Label)),
    ]);
    if let Some(missing) = missing(time) {
        line.push_span(Span::styled(format!(" · {missing}"), cx.theme.style(Role::Warning)));
    }
    for part in [speed(playback.speed), source(&time.source)] {
        let room = usize::from(width).saturating_sub(line.width() + 3);
        if room >= LEAST_NAME.min(part.chars().count()) {
            let part = format!(" · {}", format::shorten(&part, room));
            line.push_span(Span::styled(part, cx.theme.style(Role::Label)));
        }
    }
    line
}

/// Columns in which the beginning of a name can be recognised.
const LEAST_NAME: usize = 8;

fn speed(speed: f64) -> String {
    format!("speed ×{speed}")
}

fn source(source: &TimeSource) -> String {
    match source {
        TimeSource::Nothing => String::new(),
        TimeSource::Session => "this session".to_owned(),
        TimeSource::Recording(file) => symbol::file_name(file).to_owned(),
    }
}

/// What cannot be told of the moment.
fn missing(time: &Time) -> Option<&'static str> {
    if time.seeking {
        return Some("reading");
    }
    if time.gaps.iter().any(|(from, to)| (*from..*to).contains(&time.at_s)) {
        return Some("nothing was kept of this moment");
    }
    let sites = time.sites_from_s.is_none_or(|from| time.at_s < from);
    sites.then_some("no sites of this moment")
}

/// What cells of the stops look at.
struct StopsCx {
    at_s: f64,
    marks: Vec<Mark>,
}

const STOPS: &[Column<Stop, StopsCx>] = &[
    Column {
        title: "",
        width: Width::Fixed(9),
        align: Alignment::Right,
        rank: 0,
        cell: |stop, cx, _| {
            let role = if stop.t_s <= cx.at_s { Role::Muted } else { Role::Figure };
            (format::clock(stop.t_s), Some(role))
        },
    },
    Column {
        title: "",
        width: Width::Fill(12),
        align: Alignment::Left,
        rank: 0,
        cell: |stop, cx, _| {
            let (words, role) = what(stop.what);
            (words + &label(stop.what, &cx.marks), Some(role))
        },
    },
];

fn what(stop: StopKind) -> (String, Role) {
    match stop {
        StopKind::TracingOn => ("tracing on".to_owned(), Role::StartMark),
        StopKind::TracingOff => ("tracing paused".to_owned(), Role::Warning),
        StopKind::Peak => ("peak".to_owned(), Role::Peak),
        StopKind::Mark(number) => (format!("mark {number}"), Role::Mark),
        StopKind::Growth(bytes) => {
            (format!("sudden growth +{}", format::bytes(bytes)), Role::Growing)
        }
        StopKind::End => ("end".to_owned(), Role::Label),
    }
}

/// ` · before the import`: what a mark is called.
fn label(stop: StopKind, marks: &[Mark]) -> String {
    let mark = stop.mark().and_then(|number| marks.iter().find(|mark| mark.number == number));
    let name = mark.and_then(|mark| mark.name.as_ref());
    name.map(|name| format!(" · {name}")).unwrap_or_default()
}

/// The stops around the moment that is looked at.
fn draw_stops(frame: &mut Frame, area: Rect, cx: Cx) {
    if area.height < 3 {
        return;
    }
    let time = &cx.data.time;
    let title = Line::styled(" Stops ", cx.theme.style(Role::Title));
    let keys = Line::styled(" [ ] ", cx.theme.style(Role::Key));
    let inner = panel(frame, area, cx.theme, (title, keys));
    if time.stops.is_empty() {
        return empty_words(frame, inner, cx.theme, "Nothing happened yet.");
    }
    let room = usize::from(inner.height);
    let passed = time.stops.iter().take_while(|stop| stop.t_s <= time.at_s).count();
    let first = passed.saturating_sub(room / 2).min(time.stops.len().saturating_sub(room));
    let context = StopsCx { at_s: time.at_s, marks: cx.data.timeline.marks.clone() };
    let table = Table { columns: STOPS, context: &context, selected: None };
    table.draw_rows(frame, airy(inner), cx.theme, &time.stops[first..]);
}
