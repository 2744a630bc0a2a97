//! The help page: the key table, grouped by what a person wants to do.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Paragraph;

use super::{Cx, HEADER};
use crate::keymap::{BINDINGS, Binding, Group, Scope};
use crate::state::{Screen, State};
use crate::theme::{Role, Theme};
use crate::widget::{panel, wrap};

/// Columns of the keys.
const KEYS: usize = 16;

/// Draws the page.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let title = Line::styled(" Keys ", cx.theme.style(Role::Title));
    let lines = lines(cx.theme, usize::from(area.width.saturating_sub(4)));
    let hidden = lines.len().saturating_sub(usize::from(area.height.saturating_sub(2)));
    let more = if hidden > cx.state.help_scroll { " ↓ more below " } else { "" };
    let inner =
        panel(frame, area, cx.theme, (title, Line::styled(more, cx.theme.style(Role::Key))));
    let page = Paragraph::new(Text::from(lines));
    let offset = cx.state.help_scroll.min(hidden) as u16;
    frame.render_widget(page.scroll((offset, 0)), Rect { x: inner.x + 1, ..inner });
}

/// How far the page can be scrolled down.
pub(crate) fn last_line(state: &State) -> usize {
    let (cols, rows) = state.size;
    let theme = Theme::new(state.palette, crate::theme::ColorDepth::None, Default::default());
    let lines = lines(&theme, usize::from(cols.saturating_sub(4)));
    let page = rows.saturating_sub(HEADER + 1 + 2);
    lines.len().saturating_sub(usize::from(page))
}

fn lines(theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        if !lines.is_empty() {
            lines.push(Line::raw(""));
        }
        lines.push(Line::styled(group.title(), theme.style(Role::Title)));
        let mut shown: Vec<&Binding> = Vec::new();
        for binding in BINDINGS.iter().filter(|b| b.group == group && is_shown(b.scope)) {
            // Moving is the same on every screen and said once.
            if !shown.iter().any(|b| b.help == binding.help) {
                shown.push(binding);
                lines.extend(entry(binding, theme, width));
            }
        }
    }
    lines
}

/// Dialogs and prompts name their keys themselves.
fn is_shown(scope: Scope) -> bool {
    !matches!(
        scope,
        Scope::Help | Scope::Prompt | Scope::Quit | Scope::Clear | Scope::On(Screen::Chooser)
    )
}

fn entry(binding: &Binding, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let keys: Vec<_> = binding.keys.iter().map(|key| key.name()).collect();
    let keys = format!("  {:<1$}", keys.join(" "), KEYS - 2);
    let place = match binding.scope {
        Scope::Everywhere => String::new(),
        _ if binding.group == Group::Move => String::new(),
        scope => format!("  ({})", scope.name()),
    };
    let words = wrap(&format!("{}{place}", binding.help), width.saturating_sub(KEYS).max(10));
    let mut rows = words.into_iter();
    let first = rows.next().unwrap_or_default();
    let mut lines =
        vec![Line::from(vec![Span::styled(keys, theme.style(Role::Key)), Span::raw(first)])];
    lines.extend(rows.map(|row| Line::raw(format!("{:KEYS$}{row}", ""))));
    lines
}
