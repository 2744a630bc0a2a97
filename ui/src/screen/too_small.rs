//! What a terminal shows that is too small for anything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Wrap};

/// Columns memtop needs.
pub const COLUMNS: u16 = 40;
/// Rows memtop needs.
pub const ROWS: u16 = 10;

/// Draws the message if `area` is too small, and tells whether it did.
pub fn draw(frame: &mut Frame, area: Rect) -> bool {
    let small = area.width < COLUMNS || area.height < ROWS;
    if small {
        let text = format!("memtop needs {COLUMNS}×{ROWS}, this is {}×{}", area.width, area.height);
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
    }
    small
}
