//! A question on top of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Cx;
use crate::action::{Action, Answer};
use crate::format;
use crate::state::{Choice, Dialog, Question};
use crate::theme::Role;
use crate::widget::{popup::popup, wrap};

/// Draws what `asked` asks, in the middle of `area`.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx, asked: Dialog) {
    let (title, question) = question(asked.question, cx);
    let answers = asked.question.answers();
    let words = |answer: &Choice| words(answer, asked.question, cx);
    let mut lines: Vec<Line> = wrap(&question, usize::from(area.width.saturating_sub(4)))
        .into_iter()
        .map(Line::raw)
        .collect();
    if lines.len() + 1 + answers.len() + 2 <= usize::from(area.height) {
        lines.push(Line::raw(""));
    }
    let above = lines.len() as u16;
    let widest = answers.iter().map(|answer| words(answer).chars().count()).max();
    lines.extend(answers.iter().enumerate().map(|(i, answer)| {
        let (key, words) = (answer.1, format::left(words(answer), widest.unwrap_or(0)));
        match i == asked.selected {
            true => Line::styled(format!("▸ {key}  {words} "), cx.theme.style(Role::Selected)),
            false => Line::from(vec![
                Span::styled(format!("  {key}"), cx.theme.style(Role::Key)),
                Span::raw(format!("  {words} ")),
            ]),
        }
    }));
    let at = popup(frame, area, cx.theme, title, &lines);
    for ((answer, ..), y) in answers.iter().zip(at.top() + above..at.bottom()) {
        cx.targets.add(Rect { y, height: 1, ..at }, Action::Answer(*answer));
    }
}

/// A title, and what is asked.
fn question(question: Question, cx: Cx) -> (&'static str, String) {
    let header = &cx.data.header;
    let program = format::command(&header.title, 24);
    match question {
        // It may end while it is asked.
        Question::Quit if header.runs() => ("Quit", format!("{program} still runs.")),
        Question::Quit => ("Quit", format!("{program} has ended.")),
        Question::LeftBehind => ("Quit", left_behind(header.left_behind as u64)),
        Question::Clear => ("Clear", "Forget the blocks traced so far?".to_owned()),
    }
}

/// What an answer means: of a program that has ended meanwhile there is nothing to end.
fn words(answer: &Choice, question: Question, cx: Cx) -> &'static str {
    match answer.0 {
        Answer::Detach if question == Question::Quit && !cx.data.header.runs() => "leave",
        Answer::EndProgram if question == Question::Quit && !cx.data.header.runs() => {
            "leave: there is nothing to end"
        }
        _ => answer.2,
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
