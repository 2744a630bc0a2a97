//! The call tree by weight.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Cx;
use super::sites::why_no_sites;
use crate::symbol;
use crate::theme::Role;
use crate::widget::flame::layout;
use crate::widget::{empty_words, panel};

/// Columns and rows of boxes in a body like this.
pub(crate) fn capacity(body: Rect) -> (usize, usize) {
    (usize::from(body.width.saturating_sub(2)), usize::from(body.height.saturating_sub(3)))
}

/// Draws the tree.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let title = format!(" Flame ── {} ", cx.state.flame.measure.words());
    let title = Line::styled(title, cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, Line::default()));
    let nodes = &cx.data.flame.nodes;
    if nodes.is_empty() {
        return empty_words(frame, inner, cx.theme, &why_no_sites(cx));
    }
    for cell in layout(nodes, usize::from(inner.width)) {
        let Some(row) = cell.depth.checked_sub(cx.state.flame.top) else { continue };
        if row + 1 >= usize::from(inner.height) {
            continue;
        }
        let text =
            crate::format::left(&symbol::name(&nodes[cell.node].name, cell.width), cell.width);
        let at = Rect {
            x: inner.x + cell.x as u16,
            y: inner.y + row as u16,
            width: cell.width as u16,
            height: 1,
        };
        frame.render_widget(Line::styled(text, cx.theme.style(Role::Bar)), at);
    }
}
