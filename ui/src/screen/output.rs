//! The program's own terminal, and who has the keyboard.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Cx;
use crate::data::Output;
use crate::format;
use crate::state::Mode;
use crate::theme::Role;
use crate::widget::{empty_words, panel, terminal};

/// Draws the pane.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let title = Line::styled(" Output ", cx.theme.style(Role::Title));
    let typing = cx.state.mode == Mode::Typing;
    let inner = panel(frame, area, cx.theme, (title, banner(cx, typing)));
    match cx.data.output {
        Output::Terminal(screen) => {
            terminal::terminal(frame.buffer_mut(), inner, cx.theme, screen);
            if let Some(at) = terminal::cursor(inner, screen).filter(|_| typing) {
                frame.set_cursor_position(at);
            }
        }
        Output::Redirected => empty_words(frame, inner, cx.theme, REDIRECTED),
        Output::NotRecorded => empty_words(frame, inner, cx.theme, NOT_RECORDED),
        Output::Elsewhere => empty_words(frame, inner, cx.theme, ELSEWHERE),
    }
}

const REDIRECTED: &str = "The program's output was redirected when it was started; \
    it goes where you sent it and is not shown here.";

const NOT_RECORDED: &str = "Recordings hold no output: \
    what the program wrote went where it ran.";

const ELSEWHERE: &str = "memtop joined this program; \
    its output stays in the terminal it was started from.";

/// The size the program's terminal should have in a terminal of these columns and rows.
pub fn pane_size(cols: u16, rows: u16) -> (u16, u16) {
    (cols.saturating_sub(2).max(1), rows.saturating_sub(super::HEADER + 1 + 2).max(1))
}

fn banner(cx: Cx, typing: bool) -> Line<'static> {
    let Output::Terminal(screen) = cx.data.output else {
        return Line::default();
    };
    let (label, key) = (cx.theme.style(Role::Label), cx.theme.style(Role::Key));
    let runs = cx.data.header.runs();
    if typing {
        let text = match runs {
            true => " keys go to the program · Ctrl-] comes back ",
            false => " it has ended: no key is read · Ctrl-] comes back ",
        };
        return Line::styled(text, cx.theme.style(Role::Banner));
    }
    if screen.scrollback() > 0 {
        let back = format::counted(screen.scrollback() as u64, "line");
        let text = format!(" {back} back · ");
        return Line::from(vec![
            Span::styled(text, cx.theme.style(Role::Warning)),
            Span::styled("G", key),
            Span::styled(" to the present ", label),
        ]);
    }
    match (runs && !cx.data.header.read_only, cx.data.header.stopped) {
        (true, false) => {
            Line::from(vec![Span::styled(" i", key), Span::styled(" types to the program ", label)])
        }
        (true, true) => Line::from(vec![
            Span::styled(" stopped · ", cx.theme.style(Role::Warning)),
            Span::styled("i", key),
            Span::styled(" lets it go on ", label),
        ]),
        (false, _) => Line::default(),
    }
}
