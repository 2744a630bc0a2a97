//! What is selected, as text for the clipboard.
//!
//! Names are whole, however they are cut on the screen, and nothing but text: who pastes them
//! into a shell or an editor gets no control characters that a program chose for its names.

use super::{Effect, tell};
use crate::data::{ChooserRow, Data, Frame, Name, Notice, Output, Place, ProcessRow, StackEntry};
use crate::format;
use crate::printable::printable;
use crate::state::{Screen, State};
use crate::update::flame_cursor;

/// Most bytes that are copied: base64 makes 100,000 of them, the most that all terminals take.
const MOST: usize = 74_994;

/// Columns that a copied line takes of what is said of it.
const SAID: usize = 40;

pub(super) fn copy(state: &mut State, data: &Data) -> Effect {
    let found = text(state, data).filter(|text| !text.trim().is_empty());
    let Some(whole) = found else {
        return tell(state, Notice::info("nothing is selected here that could be copied"));
    };
    let text = cut(&whole);
    state.notice = Some(said(text, text.len() < whole.len()));
    Effect::Copy(text.to_owned())
}

fn text(state: &State, data: &Data) -> Option<String> {
    match state.screen {
        Screen::Overview => data.sentence.as_deref().map(line),
        Screen::Sites => data.sites.rows.chosen().map(|row| name(&row.name)),
        Screen::Site => data.site.as_ref().map(|site| stack(&site.stack.entries)),
        Screen::Flame => {
            let at = flame_cursor(state, &data.flame);
            data.flame.nodes.get(at).map(|node| name(&node.name))
        }
        Screen::Snapshots => data.snapshots.diff.rows.chosen().map(|row| name(&row.name)),
        Screen::Processes => data.processes.rows.chosen().map(process),
        Screen::Output => match data.output {
            Output::Terminal(screen) => Some(lines(&screen.contents())),
            _ => None,
        },
        Screen::Chooser => data.chooser.rows.get(state.selected).map(choice),
        Screen::Sizes | Screen::Time | Screen::Events => None,
    }
}

fn name(name: &Name) -> String {
    let place = match &name.place {
        Place::Source { file, line: Some(number) } => format!("{file}:{number}"),
        Place::Source { file, line: None } => file.clone(),
        Place::Module { module, offset } => format!("{module}+{offset:#x}"),
        Place::Nowhere => String::new(),
    };
    line(format!("{} {place}", name.text).trim())
}

fn stack(entries: &[StackEntry]) -> String {
    let entry = |entry: &StackEntry| match entry {
        StackEntry::Frame(Frame { name: called, .. }) => name(called),
        StackEntry::Folded { frames, what } => {
            format!("({})", format::counted(*frames as u64, &format!("{what} frame")))
        }
    };
    entries.iter().map(entry).collect::<Vec<_>>().join("\n")
}

fn process(row: &ProcessRow) -> String {
    line(&format!("{} {}", row.pid, row.command))
}

fn choice(row: &ChooserRow) -> String {
    let pid = row.pid.map(|pid| format!("{pid} "));
    line(&format!("{}{}", pid.unwrap_or_default(), row.command))
}

/// In one line, without anything that is no text.
fn line(text: &str) -> String {
    text.chars().map(printable).collect()
}

fn lines(text: &str) -> String {
    text.lines().map(|one| line(one.trim_end())).collect::<Vec<_>>().join("\n")
}

/// As much as terminals take.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MOST)]
}

/// The terminal does not say whether it did what it was asked for.
fn said(text: &str, is_cut: bool) -> Notice {
    let what = match text.lines().count() {
        1 => format::command(text, SAID),
        lines => format!("{lines} lines"),
    };
    match is_cut {
        false => Notice::info(format!("sent to the terminal’s clipboard: {what}")),
        true => Notice::warning(format!("sent to the terminal’s clipboard, cut: {what}")),
    }
}
