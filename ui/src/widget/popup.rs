//! A box in the middle of everything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear};

use crate::theme::{Role, Theme};

/// Columns and rows that what lies below must keep around a box, to be told from it.
const AROUND: u16 = 4;

/// Draws `lines` in a titled box in the middle of `area`, as large as they need, and returns
/// where they stand. What would look out by no more than an edge is blank.
pub fn popup(
    frame: &mut Frame,
    area: Rect,
    theme: &Theme,
    title: &str,
    lines: &[Line<'_>],
) -> Rect {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.len() + 4);
    let width = (widest as u16 + 4).min(area.width);
    let height = (lines.len() as u16 + 2).min(area.height);
    let at = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let title = Line::styled(format!(" {title} "), theme.style(Role::Title));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.style(Role::Key))
        .title_style(Style::new().fg(Color::Reset))
        .title(title);
    let inner = block.inner(at);
    let is_tight = area.width - width < 2 * AROUND || area.height - height < AROUND;
    frame.render_widget(Clear, if is_tight { area } else { at });
    frame.render_widget(block, at);
    for (line, y) in lines.iter().zip(inner.top()..inner.bottom()) {
        let row = Rect { x: inner.x + 1, y, width: inner.width.saturating_sub(2), height: 1 };
        frame.render_widget(line, row);
    }
    inner
}
