//! Source lines around the selected frame.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::data::Source;
use crate::format;
use crate::printable::is_printable;
use crate::screen::Cx;
use crate::symbol;
use crate::theme::{Role, Theme};
use crate::widget::{airy, empty_words, panel};

/// Draws the lines with the call among them.
pub(super) fn draw(frame: &mut Frame, area: Rect, cx: Cx, source: &Source) {
    if area.height < 3 {
        return;
    }
    let room = usize::from(area.width.saturating_sub(6));
    let title = |file: &str| {
        let text = format!(" {} ", symbol::path(file, room));
        Line::styled(text, cx.theme.style(Role::Title))
    };
    match source {
        Source::None => {}
        Source::Unreadable { file, why } => {
            let inner = panel(frame, area, cx.theme, (title(file), Line::default()));
            empty_words(frame, inner, cx.theme, why);
        }
        Source::Lines { file, first, lines, at } => {
            let inner = airy(panel(frame, area, cx.theme, (title(file), Line::default())));
            let numbered = (*first..).zip(lines);
            let skipped = skipped(*first, lines.len(), *at, usize::from(inner.height));
            let rows = inner.top()..inner.bottom();
            for ((number, text), y) in numbered.skip(skipped).zip(rows) {
                let line = line(number, text, number == *at, cx.theme, usize::from(inner.width));
                frame.render_widget(line, Rect { y, height: 1, ..inner });
            }
        }
    }
}

/// Lines left out above, so that the call is a little above the middle.
fn skipped(first: u32, lines: usize, at: u32, room: usize) -> usize {
    let position = at.saturating_sub(first) as usize;
    position.saturating_sub(room * 2 / 5).min(lines.saturating_sub(room))
}

fn line(number: u32, text: &str, here: bool, theme: &Theme, width: usize) -> Line<'static> {
    let text = text.replace('\t', "    ");
    let text: String = text.chars().filter(|c| is_printable(*c)).collect();
    let text = format::shorten(&text, width.saturating_sub(8));
    let (sign, number_role, text_role) = match here {
        true => ('▸', Role::Key, Role::Figure),
        false => (' ', Role::Muted, Role::Label),
    };
    Line::from(vec![
        Span::styled(format!("{sign}{number:>5} "), theme.style(number_role)),
        Span::styled("│ ", theme.style(Role::Border)),
        Span::styled(text, theme.style(text_role)),
    ])
}

#[cfg(test)]
mod tests {
    use super::skipped;

    #[test]
    fn the_call_shows_whatever_the_room() {
        for room in 1..30 {
            for at in 100..130 {
                let skipped = skipped(100, 30, at, room);
                let shown = skipped..skipped + room;
                assert!(shown.contains(&((at - 100) as usize)), "{room} {at} {shown:?}");
            }
        }
    }
}
