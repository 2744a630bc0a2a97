//! Lines a person types: filters, names, files.

use super::{Effect, enter, tell};
use crate::action::Action;
use crate::data::{Data, Notice, When};
use crate::filter::{CodeFilter, Filter};
use crate::format;
use crate::state::{Mode, Prompt, Purpose, Screen, State};

/// Starts the line that `action` asks for.
pub(super) fn open(state: &mut State, action: &Action, data: &Data) -> Effect {
    let (purpose, text) = match action {
        Action::NameMark => match mark_to_name(state) {
            Some((number, name)) => (Purpose::NameMark(number), name),
            None => return tell(state, Notice::info("no marks yet: press s to mark a moment")),
        },
        Action::SaveSnapshot => (Purpose::Save(state.diff.pair.to), file_name(state, data)),
        Action::LoadSnapshot => (Purpose::Load, String::new()),
        _ if state.screen == Screen::Site => {
            return tell(state, Notice::info("the table has a filter: Esc leads back to it"));
        }
        _ if state.screen == Screen::Events => (Purpose::FilterEvents, state.filter_text.clone()),
        _ => (Purpose::FilterCode, state.code.filter_text.clone()),
    };
    let is_old = !text.is_empty();
    enter(state, Mode::Prompt(Prompt { purpose, text, error: None, is_old }))
}

/// The mark that is looked at, else the one compared with, else the last, with its name.
fn mark_to_name(state: &State) -> Option<(u32, String)> {
    let pair = [state.diff.pair.to, state.diff.pair.from];
    let chosen = pair.into_iter().find_map(|when| match when {
        When::Mark(number) => Some(number),
        _ => None,
    });
    let number = chosen.or(state.marks.last().map(|mark| mark.number))?;
    let mark = state.marks.iter().find(|mark| mark.number == number)?;
    Some((number, mark.name.clone().unwrap_or_default()))
}

/// What a snapshot is called unless the person knows better: program, pid, moment.
fn file_name(state: &State, data: &Data) -> String {
    let program = format::without_folder(&data.header.title);
    let program = program.split(' ').next().filter(|name| !name.is_empty()).unwrap_or("snapshot");
    let pid = data.header.pid.map(|pid| format!("-{pid}")).unwrap_or_default();
    let moment = match state.diff.pair.to {
        When::Mark(number) => format!("mark-{number}"),
        When::Peak => "peak".to_owned(),
        _ => format!("{:.0}s", data.timeline.now_s),
    };
    format!("{program}{pid}-{moment}.memtop")
}

/// Changes what was typed. What is typed first takes the place of an old text; taking back a
/// character edits it.
pub(super) fn edit(state: &mut State, edit: impl FnOnce(&mut String), replaces: bool) -> Effect {
    let Mode::Prompt(prompt) = &mut state.mode else {
        return Effect::None;
    };
    if std::mem::take(&mut prompt.is_old) && replaces {
        prompt.text.clear();
    }
    edit(&mut prompt.text);
    prompt.error = None;
    Effect::Redraw
}

/// Uses what was typed, or says why it cannot be used.
pub(super) fn apply(state: &mut State) -> Effect {
    let Mode::Prompt(prompt) = &mut state.mode else {
        return Effect::None;
    };
    let text = prompt.text.trim().to_owned();
    let purpose = prompt.purpose;
    match used(state, purpose, text) {
        Ok(effect) => {
            state.mode = Mode::Browse;
            effect
        }
        Err(error) => {
            if let Mode::Prompt(prompt) = &mut state.mode {
                prompt.error = Some(error);
            }
            Effect::Redraw
        }
    }
}

fn used(state: &mut State, purpose: Purpose, text: String) -> Result<Effect, String> {
    match purpose {
        Purpose::FilterEvents => {
            state.filter = Filter::parse(&text)?;
            state.filter_text = text;
            state.events_scroll = 0;
        }
        Purpose::FilterCode => {
            state.code.filter = CodeFilter::parse(&text)?;
            state.code.filter_text = text;
        }
        Purpose::NameMark(number) => return Ok(name(state, number, text)),
        Purpose::Save(when) => {
            return named_file(text).map(|file| Effect::SaveSnapshot(when, file));
        }
        Purpose::Load => return named_file(text).map(Effect::LoadSnapshot),
    }
    Ok(Effect::Redraw)
}

fn name(state: &mut State, number: u32, name: String) -> Effect {
    match state.marks.iter_mut().find(|mark| mark.number == number) {
        Some(mark) => {
            mark.name = Some(name).filter(|name| !name.is_empty());
            Effect::Named(number)
        }
        None => Effect::Redraw,
    }
}

fn named_file(text: String) -> Result<String, String> {
    if text.is_empty() { Err("which file?".to_owned()) } else { Ok(text) }
}

/// Takes the filter of the shown screen away, if it has one.
pub(super) fn clear_filter(state: &mut State) -> bool {
    match state.screen {
        Screen::Events if !state.filter.is_empty() => {
            state.filter = Filter::default();
            state.filter_text.clear();
        }
        Screen::Sites | Screen::Flame | Screen::Snapshots if !state.code.filter.is_empty() => {
            state.code.filter = CodeFilter::default();
            state.code.filter_text.clear();
        }
        _ => return false,
    }
    true
}
