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
    let _guard = Guard::enter(screen.writer()?, view.mouse)?;
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
                    _ => {}
                }
            }
            recv(refresh) -> _ => choices = list(),
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
    kept.chain(embedded).chain(recordings(Path::new(".")).map(Choice::Recording)).collect()
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
