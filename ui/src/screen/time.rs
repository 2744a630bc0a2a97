//! Going back in time: through a session or a recording.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Cx;
use crate::data::TimeSource;
use crate::format;
use crate::theme::Role;
use crate::widget::{empty_words, panel};

/// Draws the time that can be gone through.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let time = &cx.data.time;
    let title = Line::styled(" Time ", cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, Line::default()));
    match time.source {
        TimeSource::Nothing => {
            empty_words(frame, inner, cx.theme, "No past is kept of this session.");
        }
        _ => empty_words(frame, inner, cx.theme, &format!("at {}", format::clock_ms(time.at_s))),
    }
}
