//! The program's terminal, cell by cell.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};

use crate::theme::Theme;

/// Draws `screen` into `area`, from its upper left corner, as far scrolled back as it is set to.
pub fn terminal(buffer: &mut Buffer, area: Rect, theme: &Theme, screen: &vt100::Screen) {
    for y in 0..area.height {
        for x in 0..area.width {
            let Some(from) = screen.cell(y, x) else { break };
            let at = Position { x: area.x + x, y: area.y + y };
            if let Some(to) = buffer.cell_mut(at).filter(|_| !from.is_wide_continuation()) {
                copy(from, to, theme, x + 1 < area.width);
            }
        }
    }
}

/// Where the cursor is within `area`, if it shows.
pub fn cursor(area: Rect, screen: &vt100::Screen) -> Option<Position> {
    let (row, col) = screen.cursor_position();
    let at = Position { x: area.x + col, y: area.y + row };
    let shows = !screen.hide_cursor() && screen.scrollback() == 0;
    (shows && area.contains(at)).then_some(at)
}

fn copy(from: &vt100::Cell, to: &mut Cell, theme: &Theme, has_room: bool) {
    // Half of a wide character at the border would push the frame aside.
    let visible = from.has_contents() && (has_room || !from.is_wide());
    to.set_symbol(if visible { from.contents() } else { " " });
    to.fg = theme.adapt(color(from.fgcolor()));
    to.bg = theme.adapt(color(from.bgcolor()));
    to.modifier = Modifier::empty();
    for (set, modifier) in [
        (from.bold(), Modifier::BOLD),
        (from.dim(), Modifier::DIM),
        (from.italic(), Modifier::ITALIC),
        (from.underline(), Modifier::UNDERLINED),
        (from.inverse(), Modifier::REVERSED),
    ] {
        to.modifier.set(modifier, set);
    }
}

fn color(color: vt100::Color) -> Color {
    match color {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}
