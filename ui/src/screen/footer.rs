//! The keys that work here, from the key table; or what there is to say just now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Cx;
use crate::action::Action;
use crate::data::{Notice, Output, Severity};
use crate::keymap::{Binding, advertised};
use crate::state::{Mode, Prompt, Purpose};
use crate::theme::{Role, Theme};

/// Draws the footer.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let notice = cx.state.notice.as_ref().or(cx.data.notice.as_ref());
    let line = match (&cx.state.mode, notice) {
        (Mode::Prompt(input), _) => prompt(input, cx.theme),
        (_, Some(notice)) => words(notice, cx.theme),
        _ => keys(cx, usize::from(area.width)),
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
fn keys(cx: Cx, room: usize) -> Line<'static> {
    let (last, first): (Vec<_>, Vec<_>) = advertised(cx.state)
        .filter(|b| works(b, cx))
        .partition(|b| matches!(b.action, Action::Help | Action::Quit));
    let reserved: usize = last.iter().map(|b| width(b, cx)).sum();
    let mut line = Line::raw(" ");
    let mut used = 1 + reserved;
    for binding in first.into_iter() {
        used += width(binding, cx);
        if used > room {
            break;
        }
        push(&mut line, binding, cx);
    }
    last.into_iter().for_each(|binding| push(&mut line, binding, cx));
    line
}

/// Keys that could only be refused are not offered.
fn works(binding: &Binding, cx: Cx) -> bool {
    let header = &cx.data.header;
    let typeable = matches!(cx.data.output, Output::Terminal(_)) && header.state.is_alive();
    match binding.action {
        Action::ToggleTracing => header.state.is_alive() && !header.read_only,
        Action::StartTyping => typeable && !header.read_only,
        Action::Mark => header.state.is_alive(),
        Action::NextBaseline => !cx.state.marks.is_empty(),
        _ => true,
    }
}

fn width(binding: &Binding, cx: Cx) -> usize {
    binding.keys[0].name().chars().count() + label(binding, cx).len() + 3
}

fn push(line: &mut Line<'static>, binding: &Binding, cx: Cx) {
    let here = matches!(binding.action, Action::Show(screen) if screen == cx.state.screen);
    let (key, word) = if here { (Role::Title, Role::Title) } else { (Role::Key, Role::Label) };
    let mut word = cx.theme.style(word);
    if here {
        word = word.underlined();
    }
    line.push_span(Span::styled(binding.keys[0].name(), cx.theme.style(key)));
    line.push_span(Span::raw(" "));
    line.push_span(Span::styled(label(binding, cx), word));
    line.push_span(Span::raw("  "));
}

/// The word for a key; for a switch, what it would do now.
fn label(binding: &Binding, cx: Cx) -> &'static str {
    let header = &cx.data.header;
    match binding.action {
        Action::ToggleTracing if !header.tracing.on && header.tracing.since_s.is_none() => "start",
        Action::ToggleTracing if !header.tracing.on => "resume",
        Action::Freeze if cx.state.frozen => "go on",
        _ => binding.label,
    }
}
