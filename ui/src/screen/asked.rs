//! What is said where a filter chooses code by the threads that asked for it: that the figures
//! are not those of these threads alone, as others may have freed what they allocated.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Cx;
use crate::state::State;
use crate::theme::Role;
use crate::widget::airy;

/// The words, from the most to the fewest; the last one fits wherever anything is drawn.
const WORDS: [&str; 2] = [
    "Chosen by which threads asked here; the figures are those of all threads.",
    "The figures are of all threads.",
];

/// Rows that the words take at the top of what the filter left.
pub(crate) fn rows(state: &State) -> u16 {
    u16::from(state.chooses_by_thread())
}

/// Draws them, and yields what is left of `area`.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) -> Rect {
    let rows = rows(cx.state).min(area.height);
    let place = airy(Rect { height: rows, ..area });
    let fits = |words: &&str| words.chars().count() <= usize::from(place.width);
    let words = WORDS.into_iter().find(fits).unwrap_or(WORDS[1]);
    frame.render_widget(Line::styled(words, cx.theme.style(Role::Key)), place);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}
