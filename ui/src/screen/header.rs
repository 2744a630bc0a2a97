//! The honesty bar: whose memory, since when, how much, and how exact.
//!
//! Both lines are lists of items. Where room is short items go in the order of their rank; rank
//! zero always stays: the program, *tracing since*, live, peak, and any loss.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Cx, fate_in_short};
use crate::data::{Header, Peak, RunState};
use crate::format::{self, BYTES_WIDTH, RATE_WIDTH, SIGNED_BYTES_WIDTH};
use crate::state::{Screen, State};
use crate::theme::{Role, Theme};

/// Something to say, and how soon it may be left unsaid.
struct Item {
    spans: Vec<(String, Role)>,
    rank: u8,
}

impl Item {
    fn new(rank: u8, spans: impl Into<Vec<(String, Role)>>) -> Self {
        Self { spans: spans.into(), rank }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(|(text, _)| Span::raw(text).width()).sum()
    }
}

/// Columns between two items.
const GAP: usize = 2;

/// Draws the bar.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let row = |y: u16| Rect { y: area.y + y, height: 1, ..area };
    if cx.state.screen == Screen::Chooser {
        let line = Line::styled(" memtop", cx.theme.style(Role::Title));
        return frame.render_widget(line, row(0));
    }
    let width = usize::from(area.width);
    frame.render_widget(first_line(&cx.data.header, cx, width), row(0));
    let room = width.saturating_sub(2);
    let figures = shortened(fitting(figures(&cx.data.header), room), room);
    frame.render_widget(join(&figures, cx.theme, " "), row(1));
}

/// The program on the left, the tracing window and its honesty on the right.
fn first_line(header: &Header, cx: Cx, width: usize) -> Line<'static> {
    let name = Item::new(0, [(" memtop ".to_owned(), Role::Title)]);
    let least = name.width() + 2 * GAP + least_identity(header);
    let right = fitting(honesty(header, cx.state), width.saturating_sub(least + 1));
    let room = width.saturating_sub(name.width() + 2 * GAP + total(&right) + 1);
    let left = [name, identity(header, room)];
    let mut line = join(&left, cx.theme, "");
    let space = width.saturating_sub(line.width() + total(&right) + 1);
    line.push_span(" ".repeat(space));
    line.extend(join(&right, cx.theme, "").spans);
    line
}

/// Columns for a title one can recognise, the pid, and which process of several it is.
fn least_identity(header: &Header) -> usize {
    let needed = details(header).into_iter().filter(|detail| detail.rank < UPTIME);
    least_title(header) + width_of(&needed.collect::<Vec<_>>())
}

/// Columns for the program's name and the beginning of its arguments.
fn least_title(header: &Header) -> usize {
    Span::raw(format::without_folder(&header.title)).width().min(28)
}

/// Title, pid, process, uptime: in `room` columns.
fn identity(header: &Header, room: usize) -> Item {
    let mut details = details(header);
    // A title one can recognise comes before the details.
    let least = least_title(header);
    while least + width_of(&details) > room
        && let Some(last) = (0..details.len()).max_by_key(|at| details[*at].rank)
    {
        details.remove(last);
    }
    let title = format::command(&header.title, room.saturating_sub(width_of(&details)));
    let details: String = details.iter().map(|detail| format!(" · {}", detail.text)).collect();
    Item::new(0, [(title, Role::Figure), (details, Role::Label)])
}

/// What may stand behind the title, and how soon it may be left unsaid.
struct Detail {
    rank: u8,
    text: String,
}

const UPTIME: u8 = 2;

fn width_of(details: &[Detail]) -> usize {
    details.iter().map(|detail| 3 + detail.text.chars().count()).sum()
}

/// In their order. That there are other processes tells why this one may hold nothing: a program
/// that only starts another is shown first.
fn details(header: &Header) -> Vec<Detail> {
    let process = header.process;
    let of =
        (process.count > 1).then(|| format!("process {} of {}", process.shown + 1, process.count));
    let up = header.uptime_s.filter(|_| header.state.is_alive());
    let up = up.map(|seconds| format!("up {}", format::clock(seconds)));
    let pid = header.pid.map(|pid| format!("pid {pid}"));
    let details = [(1, pid), (0, of), (UPTIME, up)].into_iter();
    details.filter_map(|(rank, text)| Some(Detail { rank, text: text? })).collect()
}

fn honesty(header: &Header, state: &State) -> Vec<Item> {
    let exact = &header.exactness;
    let mut items = Vec::new();
    if state.frozen {
        items.push(Item::new(0, [(" frozen ".to_owned(), Role::Banner)]));
    }
    if let Some(at) = state.playback.at_s {
        items.push(Item::new(0, [(format!(" at {} ", format::clock(at)), Role::Banner)]));
    }
    // What is shown of the past comes before what goes on now.
    let rank = u8::from(state.playback.at_s.is_some());
    items.push(Item::new(rank, tracing(header)));
    if header.read_only {
        items.push(Item::new(4, [("read-only".to_owned(), Role::Label)]));
    }
    if let Some(bytes) = header.recording {
        let text = format!(" {:>BYTES_WIDTH$}", format::bytes(bytes));
        items.push(Item::new(5, [("rec".to_owned(), Role::Active), (text, Role::Label)]));
    }
    if let Some(bytes) = exact.tracer_bytes {
        let text = format!("tracer {:>BYTES_WIDTH$}", format::bytes(bytes));
        items.push(Item::new(2, [(text, Role::Label)]));
    }
    if let Some(ns) = header.overhead_ns {
        let text = match header.overhead_error_ns {
            Some(error) => format!("{ns:.0} ±{:.0} ns", error.ceil()),
            None => format!("≈{ns:.0} ns"),
        };
        items.push(Item::new(3, [(format!("overhead {text:>6}"), Role::Label)]));
    }
    items.push(losses(header));
    items
}

/// Losses are always visible; that there are none is worth saying where there is room. What
/// the feed dropped is missing from the events screen only, which tells of it: no figure depends
/// on it.
fn losses(header: &Header) -> Item {
    match header.exactness.lost_records {
        0 => Item::new(4, [("0 lost".to_owned(), Role::Label)]),
        lost => Item::new(0, [(format!("{} lost", format::count(lost)), Role::Warning)]),
    }
}

/// The state in a word, and since when tracing is on.
fn tracing(header: &Header) -> Vec<(String, Role)> {
    let since = header.tracing.since_s.map(|s| format!("since {}", format::clock(s)));
    let cleared = header.tracing.cleared_s.map(|s| format!(" · cleared {}", format::clock(s)));
    let since = since.map(|since| since + &cleared.unwrap_or_default());
    if let Some(fate) = fate_in_short(&header.state) {
        let (sign, role) = match header.state {
            RunState::Ended { code: Some(0) | None } => ("■", Role::Label),
            _ => ("✖", Role::Warning),
        };
        let traced = since.map(|since| format!(" · traced {since}")).unwrap_or_default();
        return vec![(format!("{sign} {fate}"), role), (traced, Role::Label)];
    }
    match (header.tracing.on, since) {
        (_, since) if header.stopped => {
            let traced = since.map(|since| format!(" · traced {since}")).unwrap_or_default();
            vec![("○ stopped".to_owned(), Role::Warning), (traced, Role::Label)]
        }
        _ if header.state == RunState::Starting => vec![("○ starting".to_owned(), Role::Label)],
        (true, Some(since)) => vec![(format!("● tracing {since}"), Role::Active)],
        (true, None) => vec![("● tracing".to_owned(), Role::Active)],
        (false, Some(since)) => vec![
            ("○ paused".to_owned(), Role::Warning),
            (format!(" · traced {since}"), Role::Label),
        ],
        (false, None) => vec![("○ not tracing yet".to_owned(), Role::Warning)],
    }
}

/// The second line: what is measured.
fn figures(header: &Header) -> Vec<Item> {
    let mut items = vec![live(header)];
    items.extend(header.live_per_s.map(tendency));
    items.push(header.peak.map_or_else(unknown_peak, |peak| peak_item(header, peak)));
    let rss = format::or_unknown(header.rss, format::bytes);
    items.push(figure(4, "rss", &rss, BYTES_WIDTH, Role::Rss));
    if header.untracked_freed.is_some_and(|bytes| bytes > 0) {
        items.extend(untracked(header));
    }
    let rate = |value| format::or_unknown(value, format::rate);
    items.push(figure(3, "allocs", &rate(header.allocs_per_s), RATE_WIDTH, Role::Figure));
    items.push(figure(1, "frees", &rate(header.frees_per_s), RATE_WIDTH, Role::Figure));
    items
}

/// The sign of a lower bound.
fn bound(header: &Header) -> &'static str {
    if header.exactness.lower_bound { "≥" } else { "" }
}

/// Live bytes.
fn live(header: &Header) -> Item {
    let text =
        format::or_unknown(header.live, |live| format!("{}{}", bound(header), format::bytes(live)));
    let width = BYTES_WIDTH + usize::from(header.exactness.lower_bound);
    figure(0, "live", &text, width, Role::Live)
}

/// What was freed without having been seen allocated, and what that makes of the sum.
fn untracked(header: &Header) -> [Item; 2] {
    let label = match (header.tracing.was_paused, header.tracing.cleared_s) {
        (false, None) => "before-start freed",
        (false, Some(_)) => "before-clear freed",
        (true, _) => "not seen allocated",
    };
    // Frees of blocks that were not followed are among those that look untracked.
    let sign = if header.exactness.lower_bound { "≤" } else { "" };
    let bytes = format::or_unknown(header.untracked_freed, |freed| {
        format!("{sign}{}", format::bytes(freed))
    });
    let net = format::or_unknown(header.net, format::signed_bytes);
    [
        figure(6, label, &bytes, BYTES_WIDTH, Role::Untracked),
        figure(5, "net", &net, SIGNED_BYTES_WIDTH, Role::Figure),
    ]
}

/// How fast live bytes change.
fn tendency(per_s: f64) -> Item {
    let (sign, role) = match per_s {
        1.0.. => ('▲', Role::Growing),
        ..=-1.0 => ('▼', Role::Freed),
        _ => (' ', Role::Label),
    };
    Item::new(2, [(format!("{sign}{:>12}", format::byte_rate(per_s)), role)])
}

fn figure(rank: u8, label: &str, value: &str, width: usize, role: Role) -> Item {
    Item::new(rank, [(format!("{label} "), Role::Label), (format::right(value, width), role)])
}

fn unknown_peak() -> Item {
    figure(0, "peak", format::UNKNOWN, BYTES_WIDTH, Role::Peak)
}

fn peak_item(header: &Header, peak: Peak) -> Item {
    let error = match header.exactness.peak_error_bytes {
        0 => String::new(),
        error => format!(" ±{}", format::bytes(error)),
    };
    let text = format!("{}{}", bound(header), format::bytes(peak.bytes));
    let width = BYTES_WIDTH + usize::from(header.exactness.lower_bound);
    let mut item = figure(0, "peak", &text, width, Role::Peak);
    let moment = match peak.t_s {
        Some(at) => format!(" at {}", format::clock(at)),
        None => " before you looked".to_owned(),
    };
    item.spans.extend([(error, Role::Label), (moment, Role::Label)]);
    item
}

/// Leaves out the items of the lowest rank above zero until the others fit.
fn fitting(mut items: Vec<Item>, room: usize) -> Vec<Item> {
    while total(&items) > room {
        let Some(rank) = items.iter().map(|item| item.rank).filter(|rank| *rank > 0).min() else {
            break;
        };
        items.retain(|item| item.rank != rank);
    }
    items
}

/// Figures where there is too little room for what always stays, and nothing may be cut in two:
/// first the peak's moment goes, then what keeps figures in place, then the peak's error.
fn shortened(mut items: Vec<Item>, room: usize) -> Vec<Item> {
    let closed_up = |item: &mut Item| {
        item.spans.iter_mut().skip(1).take(1).for_each(|(text, _)| *text = text.trim().to_owned());
    };
    let steps: [&dyn Fn(&mut Item); 3] =
        [&|item| item.spans.truncate(3), &closed_up, &|item| item.spans.truncate(2)];
    for step in steps {
        if total(&items) > room {
            items.iter_mut().for_each(step);
        }
    }
    items
}

fn total(items: &[Item]) -> usize {
    items.iter().map(|item| item.width() + GAP).sum::<usize>().saturating_sub(GAP)
}

fn join(items: &[Item], theme: &Theme, before: &'static str) -> Line<'static> {
    let mut line = Line::raw(before);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            line.push_span(" ".repeat(GAP));
        }
        for (text, role) in &item.spans {
            line.push_span(Span::styled(text.clone(), theme.style(*role)));
        }
    }
    line
}
