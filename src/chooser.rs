//! `memtop` without a command: what runs under memtop now, to choose from.

use std::{
    io::{self, BufWriter},
    time::Duration,
};

use crossbeam_channel::{select, tick};
use crossterm::event::{Event as TerminalEvent, KeyEventKind};
use memtop_ui::{
    Data, Effect, Screen, State,
    data::{ChooserRow, JoinKind},
    draw, keymap,
    terminal::Guard,
    update,
};
use ratatui::{Terminal, backend::CrosstermBackend};

use crate::{
    Error,
    keeper::{
        client::{self, Running},
        embedded::{self, Embedded},
    },
    query::title,
    source::session::live_bytes,
    sys::clock,
    terminal::{self, Look},
};

/// Between two looks at what runs.
const REFRESH: Duration = Duration::from_secs(1);

/// What a person can join.
#[derive(Debug, Clone)]
pub enum Choice {
    /// A program that a keeper holds.
    Kept(Running),
    /// A program that embeds the allocator.
    Embedded(Embedded),
}

/// Lets the person choose; `None` when they leave.
///
/// # Errors
/// When the terminal cannot be drawn on.
pub fn choose(screen: &terminal::Screen) -> Result<Option<Choice>, Error> {
    choose_on(screen).map_err(|source| Error::Failed {
        what: "draw on the terminal".to_owned(),
        source,
        remedy: "what runs goes on",
    })
}

fn choose_on(screen: &terminal::Screen) -> io::Result<Option<Choice>> {
    let _guard = Guard::enter(screen.writer()?)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(screen.writer()?)))?;
    let look = Look::of_environment();
    let mut state = State::new(Screen::Chooser, screen.size());
    let refresh = tick(REFRESH);
    let mut choices = list();
    loop {
        let mut data = Data::default();
        data.chooser.rows = choices.iter().map(row).collect();
        state.observe_lengths(&data);
        let theme = look.theme(state.palette);
        terminal.draw(|frame| draw(frame, &data, &state, &theme))?;
        select! {
            recv(screen.events()) -> event => {
                let Ok(terminal::Event::Terminal(event)) = event else { return Ok(None) };
                match on_terminal(event, &mut state, &data) {
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

fn on_terminal(event: TerminalEvent, state: &mut State, data: &Data) -> Effect {
    match event {
        TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => {
            keymap::dispatch(state, key).map_or(Effect::None, |action| update(state, action, data))
        }
        TerminalEvent::Resize(columns, rows) => {
            state.observe_size(columns, rows);
            Effect::Redraw
        }
        _ => Effect::None,
    }
}

fn list() -> Vec<Choice> {
    let kept = client::list_running().into_iter().map(Choice::Kept);
    kept.chain(embedded::list_embedded().into_iter().map(Choice::Embedded)).collect()
}

fn row(choice: &Choice) -> ChooserRow {
    match choice {
        Choice::Kept(running) => ChooserRow {
            pid: running.pid,
            command: title(&running.command),
            kind: JoinKind::Kept,
            age_s: clock::wall().checked_sub(running.launched_at).map(|age| age.as_secs_f64()),
            live: None,
            viewers: None,
        },
        Choice::Embedded(program) => embedded_row(program),
    }
}

fn embedded_row(program: &Embedded) -> ChooserRow {
    let reading = program.open().ok().and_then(|reader| reader.read(0));
    let age = |started_ns: u64| clock::monotonic_ns().saturating_sub(started_ns) as f64 / 1e9;
    ChooserRow {
        pid: program.pid,
        command: title(&program.command),
        kind: JoinKind::Embedded,
        age_s: reading.as_ref().map(|reading| age(reading.started_ns)),
        live: reading.as_ref().map(live_bytes),
        viewers: None,
    }
}
