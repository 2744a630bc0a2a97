//! Reusable drawing, each piece testable alone.

pub mod bar;
pub mod flame;
pub mod popup;
pub mod sorted;
pub mod table;
pub mod terminal;
pub mod timeline;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType};

use crate::theme::{Role, Theme};

/// A rounded frame with a title on the left and one on the right; yields the area inside.
pub(crate) fn panel(
    frame: &mut Frame,
    area: Rect,
    theme: &Theme,
    (left, right): (Line<'_>, Line<'_>),
) -> Rect {
    let mut block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.style(Role::Border))
        .title_style(Style::new().fg(Color::Reset));
    let room = usize::from(area.width.saturating_sub(4));
    let fits = left.width() + right.width() + 2 <= room;
    block = block.title_top(left);
    if fits && right.width() > 0 {
        block = block.title_top(right.right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// `area` without a column of air on each side.
pub(crate) fn airy(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

/// Where the rows of a table stand that is drawn in `area`.
pub(crate) fn below_heading(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

/// A sentence in the middle of an otherwise empty area.
pub(crate) fn empty_words(frame: &mut Frame, area: Rect, theme: &Theme, words: &str) {
    if area.is_empty() {
        return;
    }
    let lines = wrap(words, usize::from(area.width.saturating_sub(2)));
    let height = (lines.len() as u16).min(area.height);
    let top = area.y + (area.height - height) / 2;
    for (y, line) in (top..top + height).zip(lines) {
        let line = Line::styled(line, theme.style(Role::Label)).centered();
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

/// Breaks words into lines of at most `width` columns.
pub(crate) fn wrap(words: &str, width: usize) -> Vec<String> {
    use unicode_width::UnicodeWidthStr;
    let mut lines: Vec<String> = vec![String::new()];
    for word in words.split(' ') {
        let line = lines.last_mut().expect("starts with one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
