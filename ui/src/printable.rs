//! Text of others on its way to a terminal. Names, commands and lines of source may hold what a
//! terminal takes for an order, or what turns the text behind it around.

use ratatui::buffer::Buffer;

/// Whether a terminal shows a character where it stands, and does nothing else.
///
/// ```
/// use memtop_ui::printable::is_printable;
/// assert!(is_printable('ñ') && !is_printable('\u{1b}') && !is_printable('\u{202e}'));
/// ```
pub fn is_printable(c: char) -> bool {
    !c.is_control() && !is_directing(c)
}

/// The character, or a sign that there is one that cannot be shown.
pub fn printable(c: char) -> char {
    if is_printable(c) { c } else { '\u{fffd}' }
}

/// Marks, embeddings, overrides and isolates of the bidirectional algorithm, and what ends lines.
fn is_directing(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Takes out of a screen what would turn its rows around: it takes no room, so nothing moves.
pub(crate) fn straighten(buffer: &mut Buffer) {
    for cell in buffer.content.iter_mut().filter(|cell| cell.symbol().contains(is_directing)) {
        let straight: String = cell.symbol().chars().filter(|c| !is_directing(*c)).collect();
        cell.set_symbol(if straight.is_empty() { " " } else { &straight });
    }
}
