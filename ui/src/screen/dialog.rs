//! A question on top of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Cx;
use crate::action::Action;
use crate::format;
use crate::state::{Dialog, Question};
use crate::theme::Role;
use crate::widget::popup::popup;

/// Draws what `asked` asks, in the middle of `area`.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx, asked: Dialog) {
    let (title, question) = match asked.question {
        Question::Quit => {
            let header = &cx.data.header;
            let program = format::command(&header.title, 24);
            // It may end while it is asked.
            match header.runs() {
                true => ("Quit", format!("{program} still runs.")),
                false => ("Quit", format!("{program} has ended.")),
            }
        }
        Question::LeftBehind => ("Quit", left_behind(cx.data.header.left_behind as u64)),
        Question::Clear => ("Clear", "Forget what was traced so far?".to_owned()),
    };
    let mut lines = vec![Line::raw(question), Line::raw("")];
    let widest = asked.question.answers().iter().map(|(.., words)| words.chars().count()).max();
    for (i, (_, key, words)) in asked.question.answers().iter().enumerate() {
        let words = format::left(words, widest.unwrap_or(0));
        lines.push(match i == asked.selected {
            true => Line::styled(format!("▸ {key}  {words} "), cx.theme.style(Role::Selected)),
            false => Line::from(vec![
                Span::styled(format!("  {key}"), cx.theme.style(Role::Key)),
                Span::raw(format!("  {words} ")),
            ]),
        });
    }
    let at = popup(frame, area, cx.theme, title, &lines);
    let answers = asked.question.answers().iter().zip(at.top() + 2..at.bottom());
    for ((answer, ..), y) in answers {
        cx.targets.add(Rect { y, height: 1, ..at }, Action::Answer(*answer));
    }
}

/// They may end while it is asked.
fn left_behind(count: u64) -> String {
    let processes = format::counted(count, "process");
    match count {
        0 => "The program has ended, and all that it left.".to_owned(),
        1 => format!("The program has ended; {processes} that it left still runs."),
        _ => format!("The program has ended; {processes} that it left still run."),
    }
}
