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
const KEYS: usize = 11;
/// Columns that keys and words need; where there is room for them twice, the page has two columns.
const LEAST: usize = 46;
/// Columns between two columns, beside the one before each key.
const GAP: usize = 1;

/// Draws the page.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let title = Line::styled(" Keys ", cx.theme.style(Role::Title));
    let page = Page::new(cx.theme, area.width);
    let hidden = page.height().saturating_sub(usize::from(area.height.saturating_sub(2)));
    let more = if hidden > cx.state.help_scroll { " ↓ more below " } else { "" };
    let inner =
        panel(frame, area, cx.theme, (title, Line::styled(more, cx.theme.style(Role::Key))));
    let offset = cx.state.help_scroll.min(hidden) as u16;
    let step = (page.width + GAP) as u16;
    for (column, x) in page.columns.into_iter().zip((inner.x + 1..).step_by(usize::from(step))) {
        let room = Rect { x, width: page.width as u16, ..inner };
        frame.render_widget(Paragraph::new(Text::from(column)).scroll((offset, 0)), room);
    }
}

/// How far the page can be scrolled down.
pub(crate) fn last_line(state: &State) -> usize {
    let (cols, rows) = state.size;
    let theme = Theme::new(state.palette, crate::theme::ColorDepth::None, Default::default());
    let room = rows.saturating_sub(HEADER + 1 + 2);
    Page::new(&theme, cols).height().saturating_sub(usize::from(room))
}

/// The page in as many columns as fit, of about the same height.
struct Page {
    columns: Vec<Vec<Line<'static>>>,
    /// Of one of them.
    width: usize,
}

impl Page {
    /// A page with its frame in so many columns of the terminal.
    fn new(theme: &Theme, cols: u16) -> Self {
        let room = usize::from(cols.saturating_sub(4));
        let count = ((room + GAP) / (LEAST + GAP)).max(1);
        let width = (room + GAP) / count - GAP.min(room);
        let pieces = pieces(theme, width);
        let lines = pieces.iter().map(Vec::len).sum::<usize>();
        let columns = (lines.div_ceil(count)..)
            .map(|height| flow(&pieces, height))
            .find(|columns| columns.len() <= count);
        Self { columns: columns.unwrap_or_default(), width }
    }

    fn height(&self) -> usize {
        self.columns.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// Pieces one below the other, in columns of at most `height` lines if no piece is higher.
fn flow(pieces: &[Vec<Line<'static>>], height: usize) -> Vec<Vec<Line<'static>>> {
    let mut columns: Vec<Vec<Line>> = Vec::new();
    for piece in pieces {
        match columns.last_mut().filter(|column| column.len() + piece.len() <= height) {
            Some(column) => column.extend(piece.iter().cloned()),
            None => {
                // The line that keeps groups apart has no use on top.
                let blank = usize::from(piece.first().is_some_and(|line| line.width() == 0));
                columns.push(piece[blank..].to_vec());
            }
        }
    }
    columns
}

/// What is not torn apart: a key with its words, and the first of a group with its heading.
fn pieces(theme: &Theme, width: usize) -> Vec<Vec<Line<'static>>> {
    let mut pieces = Vec::new();
    for group in Group::ALL {
        let bindings = shown(group);
        let only = only_scope(&bindings);
        let place = only.map(|scope| format!("  ({})", scope.name())).unwrap_or_default();
        let heading = Line::styled(format!("{}{place}", group.title()), theme.style(Role::Title));
        let mut piece = vec![Line::raw(""), heading];
        for binding in bindings {
            let place = binding.scope != Scope::Everywhere && only.is_none();
            piece.extend(entry(binding, place && group != Group::Move, theme, width));
            pieces.push(std::mem::take(&mut piece));
        }
    }
    pieces
}

/// The keys of a group; moving is the same on every screen and said once.
fn shown(group: Group) -> Vec<&'static Binding> {
    let mut shown: Vec<&Binding> = Vec::new();
    for binding in BINDINGS.iter().filter(|b| b.group == group && is_shown(b.scope)) {
        if !shown.iter().any(|b| b.help == binding.help) {
            shown.push(binding);
        }
    }
    shown
}

/// The screen that all of a group belongs to, if it is one alone.
fn only_scope(bindings: &[&Binding]) -> Option<Scope> {
    let first = bindings.first()?.scope;
    let only = first != Scope::Everywhere && bindings.iter().all(|b| b.scope == first);
    only.then_some(first)
}

/// Dialogs and prompts name their keys themselves.
fn is_shown(scope: Scope) -> bool {
    !matches!(
        scope,
        Scope::Help | Scope::Prompt | Scope::Quit | Scope::Clear | Scope::On(Screen::Chooser)
    )
}

/// A key with its words, and with the screen it belongs to if the `place` is to be told.
fn entry(binding: &Binding, place: bool, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let keys: Vec<_> = binding.keys.iter().map(|key| key.name()).collect();
    let keys = format!(" {:<1$}", keys.join(" "), KEYS - 1);
    let place = if place { format!("  ({})", binding.scope.name()) } else { String::new() };
    let words = wrap(&format!("{}{place}", binding.help), width.saturating_sub(KEYS).max(10));
    let mut rows = words.into_iter();
    let first = rows.next().unwrap_or_default();
    let mut lines =
        vec![Line::from(vec![Span::styled(keys, theme.style(Role::Key)), Span::raw(first)])];
    lines.extend(rows.map(|row| Line::raw(format!("{:KEYS$}{row}", ""))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_columns_as_fit_and_all_say_the_same() {
        let theme =
            Theme::new(Default::default(), crate::theme::ColorDepth::None, Default::default());
        let words = |page: &Page| {
            let text = page.columns.iter().flatten().map(|line| line.to_string() + " ");
            text.collect::<String>().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let narrow = words(&Page::new(&theme, 80));
        for (cols, count) in [(40, 1), (80, 1), (96, 1), (97, 2), (143, 2), (144, 3), (200, 4)] {
            let page = Page::new(&theme, cols);
            assert_eq!(page.columns.len(), count, "{cols}");
            assert_eq!(words(&page), narrow, "{cols}");
            let used = count * (page.width + GAP) - GAP;
            assert!(used <= usize::from(cols) - 4, "{cols}");
            let lowest = page.columns.iter().map(Vec::len).min().unwrap();
            assert!(page.height() - lowest <= 8, "{cols}: {} and {lowest}", page.height());
        }
    }
}
