//! One site in full.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Cx;
use crate::data::StackEntry;
use crate::symbol;
use crate::theme::Role;
use crate::widget::{empty_words, panel};

/// Draws what was opened.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let title = Line::styled(" Site ", cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, Line::default()));
    let Some(site) = &cx.data.site else {
        return empty_words(frame, inner, cx.theme, "It is not there any more: Esc leads back.");
    };
    let width = usize::from(inner.width);
    for (entry, y) in site.stack.entries.iter().zip(inner.top()..inner.bottom()) {
        let text = match entry {
            StackEntry::Frame(frame) => symbol::name(&frame.name, width),
            StackEntry::Folded { frames, what } => format!("{frames} {what} frames"),
        };
        frame.render_widget(Line::raw(text), Rect { y, height: 1, ..inner });
    }
}
