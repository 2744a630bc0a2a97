//! The keys that work here, from the key table; or what there is to say just now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Cx;
use crate::action::Action;
use crate::data::{Notice, Origin, Output, RunState, Severity};
use crate::keymap::{Binding, advertised};
use crate::state::{Mode, Prompt, Purpose, Screen};
use crate::theme::{Role, Theme};

/// Draws the footer.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let notice = cx.state.notice.as_ref().or(cx.data.notice.as_ref());
    let line = match (&cx.state.mode, notice) {
        (Mode::Prompt(input), _) => prompt(input, cx.theme),
        (_, Some(notice)) => words(notice, cx.theme),
        _ => keys(cx, area),
    };
    frame.render_widget(line, area);
}

fn words(notice: &Notice, theme: &Theme) -> Line<'static> {
    let (sign, role) = match notice.severity {
        Severity::Info => ("·", Role::Figure),
        Severity::Warning => ("!", Role::Warning),
    };
    Line::styled(format!(" {sign} {}", notice.text), theme.style(role))
}

fn prompt(prompt: &Prompt, theme: &Theme) -> Line<'static> {
    let (begin, hint) = purpose(prompt.purpose);
    let rest = match &prompt.error {
        Some(error) => Span::styled(format!("   {error}"), theme.style(Role::Warning)),
        None => Span::styled(format!("   {hint}Enter apply  Esc cancel"), theme.style(Role::Muted)),
    };
    let text = if prompt.is_old { Role::Selected } else { Role::Figure };
    Line::from(vec![
        Span::styled(format!(" {begin}"), theme.style(Role::Key)),
        Span::styled(prompt.text.clone(), theme.style(text)),
        Span::styled("█", theme.style(Role::Key)),
        rest,
    ])
}

/// How a line begins, and what can be typed there.
fn purpose(purpose: Purpose) -> (String, &'static str) {
    match purpose {
        Purpose::FilterEvents => ("/".to_owned(), ">1K  free  a thread's id or name   "),
        Purpose::FilterCode => ("/".to_owned(), "name  fn:  file:  size>1M  -word   "),
        Purpose::NameMark(number) => (format!("name of mark {number}: "), ""),
        Purpose::Save(_) => ("save the snapshot to: ".to_owned(), ""),
        Purpose::Load => ("load the snapshot in: ".to_owned(), ""),
    }
}

/// As many keys as fit; help and quit always do.
fn keys(cx: Cx, area: Rect) -> Line<'static> {
    // Nothing needs room behind the last word.
    let room = usize::from(area.width) + GAP;
    let (last, mut first): (Vec<_>, Vec<_>) = advertised(cx.state)
        .filter(|b| works(b, cx))
        .partition(|b| matches!(b.action, Action::Help | Action::Quit));
    if cx.state.frozen {
        // How to let the tables go on comes before what else could be done.
        first.sort_by_key(|b| (!b.is_tour(), b.action != Action::Freeze));
    }
    let tour: usize = first.iter().filter(|b| b.is_tour()).map(|b| width(b, cx, false)).sum();
    let brief = tour + ROOM_FOR_OTHERS > room;
    let reserved: usize = last.iter().map(|b| width(b, cx, brief)).sum();
    let mut line = Line::raw(" ");
    let mut used = 1 + reserved;
    for (at, binding) in first.iter().enumerate() {
        used += width(binding, cx, brief);
        // One side of a pair without the other would say little.
        let opens = matches!(binding.action, Action::PairFrom(_));
        let other = first[at + 1..].iter().find(|b| opens && matches!(b.action, Action::PairTo(_)));
        if used + other.map_or(0, |other| width(other, cx, brief)) > room {
            break;
        }
        push(&mut line, binding, cx, brief, area);
    }
    last.into_iter().for_each(|binding| push(&mut line, binding, cx, brief, area));
    line
}

/// Columns between a word and the next key.
const GAP: usize = 2;

/// Columns that other keys need beside the way to the screens, before screens get words.
const ROOM_FOR_OTHERS: usize = 60;

/// Keys that could only be refused are not offered.
fn works(binding: &Binding, cx: Cx) -> bool {
    let header = &cx.data.header;
    let typeable = matches!(cx.data.output, Output::Terminal(_)) && header.runs();
    match binding.action {
        Action::ToggleTracing => {
            let possible = header.state.is_alive() && header.origin != Origin::Replay;
            possible && !header.read_only
        }
        // What is kept of a program that has ended can still be recorded.
        Action::ToggleRecording => {
            let possible = header.state != RunState::Disconnected && !header.read_only;
            possible && matches!(header.origin, Origin::Launched | Origin::Joined)
        }
        Action::StartTyping => typeable && !header.read_only,
        Action::Mark => header.state.is_alive(),
        Action::EditFilter => cx.state.screen != Screen::Site,
        Action::Stack(_) => cx.data.site.as_ref().is_some_and(|site| site.stacks > 1),
        Action::NextBaseline => !cx.state.marks.is_empty(),
        _ => true,
    }
}

fn width(binding: &Binding, cx: Cx, brief: bool) -> usize {
    let key = binding.keys[0].name().chars().count();
    match word(binding, cx, brief) {
        "" => key + 1,
        word => key + 1 + word.chars().count() + GAP,
    }
}

fn push(line: &mut Line<'static>, binding: &Binding, cx: Cx, brief: bool, area: Rect) {
    let (x, width) = (area.x + line.width() as u16, width(binding, cx, brief) as u16);
    let place = Rect { x, width: width.saturating_sub(1), ..area };
    cx.targets.add(place, binding.action.clone());
    let here = is_here(binding, cx);
    let role = if here { Role::Title } else { Role::Key };
    line.push_span(Span::styled(binding.keys[0].name(), cx.theme.style(role)));
    line.push_span(Span::raw(" "));
    let word = word(binding, cx, brief);
    if word.is_empty() {
        return;
    }
    let style = match here {
        true => cx.theme.style(Role::Title).underlined(),
        false => cx.theme.style(Role::Label),
    };
    line.push_span(Span::styled(word, style));
    line.push_span(Span::raw("  "));
}

/// Whether the key leads to the screen that shows; a site belongs to the sites.
fn is_here(binding: &Binding, cx: Cx) -> bool {
    let shown = match cx.state.screen {
        Screen::Site => Screen::Sites,
        screen => screen,
    };
    binding.is_tour() && binding.action == Action::Show(shown)
}

/// The word beside a key; where room is short, other screens have none.
fn word(binding: &Binding, cx: Cx, brief: bool) -> &'static str {
    match brief && binding.is_tour() && !is_here(binding, cx) {
        true => "",
        false => label(binding, cx),
    }
}

fn all_frames(cx: Cx) -> bool {
    match cx.state.screen {
        Screen::Site => cx.state.site.all_frames,
        _ => cx.state.code.all_frames,
    }
}

/// The word for a key; for a switch, what it would do now.
fn label(binding: &Binding, cx: Cx) -> &'static str {
    let header = &cx.data.header;
    match binding.action {
        Action::ToggleTracing if !header.tracing.on && header.tracing.since_s.is_none() => "start",
        Action::ToggleTracing if !header.tracing.on => "resume",
        Action::ToggleRecording if header.recording.is_some() => "end recording",
        Action::Freeze if cx.state.frozen => "go on",
        Action::AllFrames if all_frames(cx) => "fold frames",
        Action::Play if cx.state.playback.playing => "stop",
        _ => binding.label,
    }
}
