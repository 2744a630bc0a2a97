//! `memtop` without a command: what runs under memtop now, and what was recorded in this folder.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crossbeam_channel::{select, tick};
use crossterm::event::{Event as TerminalEvent, KeyEventKind};
use memtop_ui::{
    Data, Effect, Screen, State,
    data::{ChooserRow, JoinKind},
    draw_on,
    format::bytes,
    keymap,
    mouse::{self, Targets},
    terminal::Guard,
    update,
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

use crate::{
    Error,
    keeper::{
        client::{self, Running},
        embedded::{self, Embedded},
    },
    query::title,
    recording::MAGIC,
    source::session::live_bytes,
    sys::clock,
    terminal,
    view::View,
};

/// Between two looks at what runs.
const REFRESH: Duration = Duration::from_secs(1);

/// Files of a folder that are looked at; a folder of more is not one of recordings.
const MOST_FILES: usize = 2000;

/// What a person can open.
#[derive(Debug, Clone)]
pub enum Choice {
    /// A program that a keeper holds.
    Kept(Running),
    /// A program that embeds the allocator.
    Embedded(Embedded),
    /// A recording.
    Recording(PathBuf),
}

impl Choice {
    /// Whether it is what the other was, whatever has become of it.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Kept(one), Self::Kept(other)) => one.keeper == other.keeper,
            (Self::Embedded(one), Self::Embedded(other)) => one.pid == other.pid,
            (Self::Recording(one), Self::Recording(other)) => one == other,
            _ => false,
        }
    }

    /// What runs stands before what has ended, and that before recordings.
    fn place(&self) -> u8 {
        match self {
            Self::Kept(Running { exit: None, .. }) | Self::Embedded(_) => 0,
            Self::Kept(_) => 1,
            Self::Recording(_) => 2,
        }
    }
}

/// Where what was selected stands in a list that was made anew.
fn selected_in(new: &[Choice], old: &[Choice], selected: usize) -> usize {
    let is_it = |one: &Choice| old.get(selected).is_some_and(|old| one.is(old));
    new.iter().position(is_it).unwrap_or(selected)
}

/// Lets the person choose; `None` when they leave.
///
/// # Errors
/// When the terminal cannot be drawn on.
pub fn choose(screen: &terminal::Screen, view: &View) -> Result<Option<Choice>, Error> {
    choose_on(screen, view).map_err(|source| Error::Failed {
        what: "draw on the terminal".to_owned(),
        source,
        remedy: "what runs goes on",
    })
}

fn choose_on(screen: &terminal::Screen, view: &View) -> io::Result<Option<Choice>> {
    let mut guard = Guard::enter(screen.writer()?, view.mouse)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(screen.writer()?)))?;
    let mut state = State::new(Screen::Chooser, screen.size());
    state.palette = view.look.palette;
    let targets = Targets::default();
    let refresh = tick(REFRESH);
    let mut choices = list();
    loop {
        let mut data = Data::default();
        data.chooser.rows = choices.iter().map(row).collect();
        state.observe_lengths(&data);
        let theme = view.look.theme(state.palette);
        let draw = |frame: &mut Frame<'_>| draw_on(frame, &data, &state, &theme, &targets);
        terminal::draw_whole(&mut terminal, draw)?;
        select! {
            recv(screen.events()) -> event => {
                let Ok(terminal::Event::Terminal(event)) = event else { return Ok(None) };
                match on_terminal(event, &mut state, &data, &targets) {
                    Effect::Join(row) => return Ok(choices.get(row).cloned()),
                    Effect::Quit(_) => return Ok(None),
                    Effect::Repaint => terminal::wipe(&mut terminal)?,
                    Effect::Suspend => terminal::suspend(&mut guard, &mut terminal)?,
                    Effect::Copy(text) => terminal::copy(terminal.backend_mut(), &text)?,
                    _ => {}
                }
            }
            recv(refresh) -> _ => {
                let new = list();
                state.selected = selected_in(&new, &choices, state.selected);
                choices = new;
            }
        }
    }
}

fn on_terminal(event: TerminalEvent, state: &mut State, data: &Data, targets: &Targets) -> Effect {
    let action = match event {
        TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => {
            keymap::dispatch(state, key)
        }
        TerminalEvent::Mouse(event) => mouse::dispatch(state, event, targets),
        TerminalEvent::Resize(columns, rows) => {
            state.observe_size(columns, rows);
            None
        }
        _ => None,
    };
    action.map_or(Effect::None, |action| update(state, action, data))
}

fn list() -> Vec<Choice> {
    let kept = client::list_running().into_iter().map(Choice::Kept);
    let embedded = embedded::list_embedded().into_iter().map(Choice::Embedded);
    let recordings = recordings(Path::new(".")).map(Choice::Recording);
    let mut all: Vec<_> = kept.chain(embedded).chain(recordings).collect();
    all.sort_by_key(Choice::place);
    all
}

/// The recordings of a folder, the newest first: told by their first bytes, not by their names.
fn recordings(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_FILES);
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let mut found: Vec<(SystemTime, PathBuf)> = files
        .filter(|entry| is_recording(&entry.path()))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, path)| path)
}

fn is_recording(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == MAGIC
}

fn row(choice: &Choice) -> ChooserRow {
    match choice {
        Choice::Kept(running) => ChooserRow {
            pid: Some(running.pid),
            command: title(&running.command),
            kind: if running.exit.is_some() { JoinKind::Ended } else { JoinKind::Kept },
            age_s: clock::wall().checked_sub(running.launched_at).map(|age| age.as_secs_f64()),
            live: running.live,
            viewers: Some(running.viewers),
        },
        Choice::Embedded(program) => embedded_row(program),
        Choice::Recording(path) => recording_row(path),
    }
}

fn embedded_row(program: &Embedded) -> ChooserRow {
    let reading = program.open().ok().and_then(|reader| reader.read(0));
    let age = |started_ns: u64| clock::monotonic_ns().saturating_sub(started_ns) as f64 / 1e9;
    ChooserRow {
        pid: Some(program.pid),
        command: title(&program.command),
        kind: JoinKind::Embedded,
        age_s: reading.as_ref().map(|reading| age(reading.started_ns)),
        live: reading.as_ref().map(live_bytes),
        viewers: None,
    }
}

fn recording_row(path: &Path) -> ChooserRow {
    let facts = fs::metadata(path).ok();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let age = facts.as_ref().and_then(|facts| facts.modified().ok()?.elapsed().ok());
    ChooserRow {
        command: match &facts {
            Some(facts) => format!("{name}  {}", bytes(facts.len())),
            None => name.into_owned(),
        },
        kind: JoinKind::Recording,
        age_s: age.map(|age| age.as_secs_f64()),
        ..ChooserRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Exit;

    fn kept(keeper: u32, exit: Option<Exit>) -> Choice {
        Choice::Kept(Running {
            keeper,
            pid: keeper + 1,
            command: Vec::new(),
            launched_at: Duration::ZERO,
            live: None,
            viewers: 0,
            exit,
        })
    }

    #[test]
    fn what_is_selected_stays_so_when_the_list_changes() {
        let recording = || Choice::Recording("a".into());
        let ended = Some(Exit::Code(0));
        let old = [kept(10, None), kept(20, None), kept(30, ended), recording()];
        // The first has ended, and the third is gone.
        let new = [kept(20, None), kept(10, ended), recording()];
        let found = [0, 1, 3].map(|selected| selected_in(&new, &old, selected));
        assert_eq!(found, [1, 0, 2]);
        assert!(new.is_sorted_by_key(Choice::place) && old.is_sorted_by_key(Choice::place));
        assert_eq!(selected_in(&[], &old, 2), 2, "for whoever draws to bring it into the list");
    }
}
