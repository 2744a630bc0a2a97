//! The dashboard's loop: the one place that holds model, ui state and terminal together.
//!
//! Keys, the source's messages, signals and ticks arrive through crossbeam channels; each one
//! changes the state, and at most twenty times a second a dirty state becomes a frame.

mod acting;
mod automatic;
mod marks;
mod naming;
mod observing;
mod pane;
mod recorded;
mod rewound;
mod shown;
mod snapshots;
mod source_lines;

use std::{
    cell::RefCell,
    fs::File,
    io::{self, BufWriter},
    num::NonZero,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, select, tick};
use memtop_ui::{
    Screen, State, Theme,
    data::{Notice, Time},
    draw_on,
    mouse::Targets,
    pane_size,
    terminal::Guard,
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};

use crate::{
    Error, commands,
    keeper::protocol::FromKeeper,
    model::{Exit, LocationId, Model},
    query::{self, Session},
    source::{Controls, past::Source},
    symbols::Plumbing,
    terminal::{self, Look},
    view::View,
};
use automatic::AutomaticMarks;
use marks::MarksAside;
use naming::Naming;
use observing::Pulse;
use pane::Pane;
use shown::Shown;

/// Between two frames.
const FRAME: Duration = Duration::from_millis(50);
/// Who has not looked for so long was stopped, or the machine had no time for it.
const STOOD_STILL: Duration = Duration::from_secs(3);
/// Between two frames of a program that does nothing: only clocks move.
const QUIET_FRAME: Duration = Duration::from_millis(500);

/// How the person left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The program had ended like this, or not at all.
    Ended(Option<Exit>),
    /// The program goes on without this viewer.
    Detached,
}

/// What the dashboard is opened on.
pub struct Opened {
    /// Where the readings come from.
    pub source: Box<dyn Source>,
    /// What it is.
    pub session: Session,
    /// What the keeper says.
    pub updates: Receiver<FromKeeper>,
    /// What can be asked of the keeper.
    pub controls: Controls,
    /// Whether the program's terminal is in the output pane.
    pub has_output: bool,
    /// Time between two readings.
    pub tick: Duration,
    /// Said in the first frames.
    pub notice: Option<Notice>,
}

/// Shows the dashboard until the person leaves.
///
/// # Errors
/// When the terminal cannot be used; the program is not touched by that.
pub fn run(opened: Opened, screen: &terminal::Screen, view: View) -> Result<Outcome, Error> {
    let mut app = App::new(opened, screen, view)?;
    app.resize_program();
    let outcome = app.run(screen)?;
    let words = (outcome == Outcome::Detached).then(|| app.last_words()).flatten();
    // The terminal is the shell's again before anything is said on it.
    drop(app);
    if let Some(words) = words {
        commands::complain(format_args!("{words}"));
    }
    Ok(outcome)
}

struct App {
    source: Box<dyn Source>,
    shown: Shown,
    theme: Theme,
    look: Look,
    naming: Naming,
    /// Places in code that the last frame showed.
    visible: Vec<LocationId>,
    updates: Receiver<FromKeeper>,
    controls: Controls,
    /// What can be clicked in the last frame.
    targets: Targets,
    automatic: AutomaticMarks,
    marks_aside: MarksAside,
    /// Up to when stacks are known, whatever moment is shown.
    foreseen: f64,
    /// The position that was shown without the person's choice.
    followed: usize,
    tick: Duration,
    dirty: bool,
    drawn: Instant,
    /// What the last reading said.
    pulse: Option<Pulse>,
    /// When it was looked at which thread allocated where.
    asked: Instant,
    // Dropped last: the terminal is whole again when everything else is gone.
    terminal: Terminal<CrosstermBackend<BufWriter<File>>>,
    guard: Guard<File>,
}

impl App {
    fn new(opened: Opened, screen: &terminal::Screen, view: View) -> Result<Self, Error> {
        let look = view.look;
        let size = screen.size();
        let mut state = State::new(Screen::Overview, size);
        state.palette = look.palette;
        state.notice = opened.notice;
        let failed = |source| Error::Failed {
            what: "draw on the terminal".to_owned(),
            source,
            remedy: "use memtop record, which needs none",
        };
        let guard = Guard::enter(screen.writer().map_err(failed)?, view.mouse).map_err(failed)?;
        let writer = BufWriter::new(screen.writer().map_err(failed)?);
        let terminal = Terminal::new(CrosstermBackend::new(writer)).map_err(failed)?;
        let program = opened.has_output.then(|| Pane::new(pane_of(size)));
        Ok(Self {
            source: opened.source,
            theme: look.theme(state.palette),
            shown: Shown {
                model: Model::new(Arc::new(Plumbing::in_use().clone())),
                present: None,
                state,
                session: opened.session,
                program,
                frozen: None,
                sources: RefCell::default(),
                memory: query::Memory::default(),
                recording: None,
                time: Time::default(),
            },
            naming: Naming::start(),
            visible: Vec::new(),
            targets: Targets::default(),
            automatic: AutomaticMarks::new(&view.mark_at, opened.tick),
            marks_aside: MarksAside::default(),
            foreseen: 0.0,
            look,
            updates: opened.updates,
            controls: opened.controls,
            followed: 0,
            tick: opened.tick,
            dirty: true,
            drawn: Instant::now() - FRAME,
            pulse: None,
            asked: Instant::now(),
            terminal,
            guard,
        })
    }

    fn run(&mut self, screen: &terminal::Screen) -> Result<Outcome, Error> {
        let ticks = tick(self.tick);
        let frames = tick(FRAME);
        let (mut played, mut awake) = (Instant::now(), Instant::now());
        self.observe();
        loop {
            select! {
                recv(screen.events()) -> event => match event {
                    Ok(terminal::Event::Terminal(event)) => {
                        if let Some(outcome) = self.on_terminal(event)? {
                            return Ok(outcome);
                        }
                    }
                    // The terminal is gone, or somebody asks this viewer to leave.
                    Ok(terminal::Event::Leave) | Err(_) => return Ok(self.left()),
                },
                recv(self.updates) -> update => self.on_update(update.ok()),
                recv(ticks) -> _ => self.observe(),
                recv(frames) -> _ => {
                    let elapsed = played.elapsed();
                    played = Instant::now();
                    self.play(elapsed)?;
                }
            }
            let still = std::mem::replace(&mut awake, Instant::now()).elapsed();
            if still >= STOOD_STILL {
                self.stood_still(still);
            }
            if self.dirty && self.drawn.elapsed() >= FRAME {
                self.drawn = Instant::now();
                self.draw()?;
            }
        }
    }

    fn resize_program(&mut self) {
        let (rows, columns) = pane_of(self.shown.state.size);
        if let Some(program) = &mut self.shown.program {
            program.resize((rows, columns));
            self.controls.resize(columns.get(), rows.get());
        }
    }

    fn draw(&mut self) -> Result<(), Error> {
        if let Some(program) = &mut self.shown.program {
            program.prepare(self.shown.state.scrollback);
        }
        query::prepare(&mut self.shown.model, &self.shown.state);
        let mut state = self.shown.state.clone();
        let data = self.shown.data();
        self.visible = query::visible(&self.shown.model, &data);
        state.observe_scale(&data);
        state.observe_lengths(&data);
        let (theme, targets) = (&self.theme, &self.targets);
        let draw = |frame: &mut Frame<'_>| draw_on(frame, &data, &state, theme, targets);
        terminal::draw_whole(&mut self.terminal, draw).map_err(Self::drawing)?;
        drop(data);
        self.shown.state = state;
        self.dirty = false;
        Ok(())
    }

    fn drawing(source: io::Error) -> Error {
        Error::Failed {
            what: "draw on the terminal".to_owned(),
            source,
            remedy: "the program goes on; memtop joins it again",
        }
    }
}

/// Rows and columns of the program's terminal when memtop's has `size` columns and rows.
fn pane_of(size: (u16, u16)) -> pane::Size {
    let (columns, rows) = pane_size(size.0, size.1);
    let at_least_one = |number| NonZero::new(number).unwrap_or(NonZero::<u16>::MIN);
    (at_least_one(rows), at_least_one(columns))
}
