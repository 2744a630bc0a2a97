//! One file a screen, and the two bars around all of them.

pub(crate) mod asked;
pub mod chooser;
pub mod dialog;
pub mod events;
pub mod flame;
pub mod footer;
pub mod growth;
pub mod header;
pub mod help;
pub mod output;
pub mod overview;
pub mod processes;
mod resident;
pub mod site;
pub mod sites;
pub mod sizes;
pub mod snapshots;
pub mod time;
pub mod too_small;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use crate::data::{Baseline, Data, Origin, RunState};
use crate::format;
use crate::mouse::Targets;
use crate::state::{Mode, Screen, State};
use crate::theme::{Role, Theme};

/// What every screen draws from.
#[derive(Clone, Copy)]
pub(crate) struct Cx<'a> {
    pub data: &'a Data<'a>,
    pub state: &'a State,
    pub theme: &'a Theme,
    pub targets: &'a Targets,
}

/// Rows of the header.
pub(crate) const HEADER: u16 = 2;

/// Splits the terminal into header, body and footer.
pub(crate) fn split(area: Rect, screen: Screen) -> [Rect; 3] {
    let header = if screen == Screen::Chooser { 1 } else { HEADER };
    Layout::vertical([Constraint::Length(header), Constraint::Min(0), Constraint::Length(1)])
        .areas(area)
}

/// Draws the screen the state asks for, and what is on top of it.
pub(crate) fn draw(frame: &mut Frame, cx: Cx) {
    let area = frame.area();
    if too_small::draw(frame, area) {
        return;
    }
    let [top, body, bottom] = split(area, cx.state.screen);
    header::draw(frame, top, cx);
    match cx.state.screen {
        Screen::Chooser => chooser::draw(frame, body, cx),
        Screen::Overview => overview::draw(frame, body, cx),
        Screen::Sites => sites::draw(frame, body, cx),
        Screen::Site => site::draw(frame, body, cx),
        Screen::Flame => flame::draw(frame, body, cx),
        Screen::Snapshots => snapshots::draw(frame, body, cx),
        Screen::Sizes => sizes::draw(frame, body, cx),
        Screen::Processes => processes::draw(frame, body, cx),
        Screen::Output => output::draw(frame, body, cx),
        Screen::Time => time::draw(frame, body, cx),
        Screen::Events => events::draw(frame, body, cx),
    }
    if !matches!(cx.state.mode, Mode::Browse) {
        // What lies below cannot be reached.
        cx.targets.clear();
    }
    match &cx.state.mode {
        Mode::Help => {
            frame.render_widget(Clear, body);
            help::draw(frame, body, cx);
        }
        Mode::Asking(asked) => dialog::draw(frame, body, cx, *asked),
        Mode::Browse | Mode::Prompt(_) | Mode::Typing => {}
    }
    footer::draw(frame, bottom, cx);
}

/// How the program ended, in words; nothing while it runs.
pub(crate) fn fate(state: &RunState) -> Option<String> {
    match state {
        RunState::Starting | RunState::Running => None,
        RunState::Untraced => Some("runs on as a program that cannot be traced".to_owned()),
        RunState::Ended { code: Some(code) } => Some(format!("ended: exit {code}")),
        RunState::Ended { code: None } => Some("ended".to_owned()),
        RunState::Killed { signal, name, hint } => {
            let reason = hint.as_ref().unwrap_or(name);
            Some(format!("killed by signal {signal} ({reason})"))
        }
        RunState::Disconnected => Some("disconnected: the program may still run".to_owned()),
    }
}

/// The same without the reason.
pub(crate) fn fate_in_short(state: &RunState) -> Option<String> {
    match state {
        RunState::Killed { signal, .. } => Some(format!("killed by signal {signal}")),
        RunState::Disconnected => Some("disconnected".to_owned()),
        RunState::Untraced => Some("runs on untraced".to_owned()),
        state => fate(state),
    }
}

/// The role of a change.
pub(crate) fn tendency(delta: i64) -> Role {
    match delta {
        0 => Role::Label,
        1.. => Role::Growing,
        _ => Role::Freed,
    }
}

/// A piece of the frame between two parts of a title.
pub(crate) fn rule(cx: Cx) -> Span<'static> {
    Span::styled("── ", cx.theme.style(Role::Border))
}

/// The right end of a frame: the most important words last, of the others as many as fit beside
/// `title`.
pub(crate) fn beside(
    title: &[Span],
    mut words: Vec<(String, Role)>,
    width: u16,
    theme: &Theme,
) -> Line<'static> {
    let used: usize = title.iter().map(Span::width).sum();
    let room = usize::from(width).saturating_sub(used + 6);
    let need = |words: &[(String, Role)]| {
        words.iter().map(|(text, _)| Span::raw(text).width() + 3).sum::<usize>()
    };
    while words.len() > 1 && need(&words) > room {
        words.remove(0);
    }
    let mut line = Line::default();
    for (i, (text, role)) in words.into_iter().enumerate() {
        line.push_span(Span::styled(if i > 0 { "· " } else { " " }, theme.style(Role::Label)));
        line.push_span(Span::styled(format!("{text} "), theme.style(role)));
    }
    line
}

/// The moment shown, in a word: `now` is only what lives.
pub(crate) fn present(cx: Cx) -> &'static str {
    let header = &cx.data.header;
    match (cx.state.playback.at_s, header.origin) {
        (Some(_), _) => "then",
        (None, Origin::Replay) => "end",
        (None, _) if header.state.is_alive() => "now",
        (None, _) => "end",
    }
}

/// `as of 0:12.3`: of when figures by site are, where that is before the moment shown.
pub(crate) fn as_of(data: &Data) -> Option<String> {
    data.sites_as_of_s.map(|at| format!("as of {}", format::clock_tenths(at)))
}

/// A baseline in a word or two; after a clear, figures start there.
pub(crate) fn baseline(data: &Data, baseline: Baseline) -> String {
    match baseline {
        Baseline::Start if data.header.tracing.cleared_s.is_some() => "the clear".to_owned(),
        Baseline::Start => "the start".to_owned(),
        Baseline::Mark(number) => format!("mark {number}"),
    }
}

/// What of a title says that not everything shows, or not the present.
pub(crate) fn narrowed<'a>(cx: Cx<'a>, filter: &'a str) -> Vec<Span<'a>> {
    let mut words = Vec::new();
    if !filter.is_empty() {
        words.push(rule(cx));
        words.push(Span::styled(format!("/ {filter} "), cx.theme.style(Role::Key)));
    }
    if cx.state.frozen {
        words.push(rule(cx));
        words.push(Span::styled("frozen ", cx.theme.style(Role::Warning)));
    }
    words
}

/// Since when growth is measured: `tracing began`, `mark 1 (0:52 ago)`.
pub(crate) fn since(data: &Data) -> String {
    let growth = &data.growth;
    let age = growth.age_s.map(|age| format!(" ({} ago)", format::clock(age))).unwrap_or_default();
    match growth.since {
        Baseline::Start => data.header.tracing.beginning().to_owned(),
        Baseline::Mark(number) => format!("mark {number}{age}"),
    }
}
