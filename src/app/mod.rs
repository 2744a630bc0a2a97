//! The dashboard's loop: the one place that holds model, ui state and terminal together.
//!
//! Keys, the source's messages, signals and ticks arrive through crossbeam channels; each one
//! changes the state, and at most twenty times a second a dirty state becomes a frame.

mod automatic;
mod naming;
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

use crossbeam_channel::{Receiver, never, select, tick};
use crossterm::event::{Event as TerminalEvent, KeyEventKind};
use memtop_ui::{
    Action, Effect, Leave, Screen, State, Theme,
    data::{Mark, Notice, Origin, Time},
    draw_on, keymap,
    mouse::{self, Targets},
    pane_size,
    state::Mode,
    terminal::Guard,
    update,
};
use ratatui::{Terminal, backend::CrosstermBackend};

use crate::{
    Error,
    keeper::{output, protocol::FromKeeper},
    model::{Exit, LocationId, Model, SiteThreads, Totals},
    query::{self, Session},
    recording,
    source::{Controls, past::Source},
    symbols::Plumbing,
    terminal::{self, Look},
    view::View,
};
use automatic::AutomaticMarks;
use naming::Naming;
use pane::Pane;
use shown::Shown;

/// Between two frames.
const FRAME: Duration = Duration::from_millis(50);
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
    app.run(screen)
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
    /// The position that was shown without the person's choice.
    followed: usize,
    tick: Duration,
    dirty: bool,
    drawn: Instant,
    /// What the last reading said.
    pulse: Option<Pulse>,
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
            automatic: AutomaticMarks::new(&view.mark_at),
            look,
            updates: opened.updates,
            controls: opened.controls,
            followed: 0,
            tick: opened.tick,
            dirty: true,
            drawn: Instant::now() - FRAME,
            pulse: None,
            terminal,
            guard,
        })
    }

    fn run(&mut self, screen: &terminal::Screen) -> Result<Outcome, Error> {
        let ticks = tick(self.tick);
        let frames = tick(FRAME);
        let mut played = Instant::now();
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
            if self.dirty && self.drawn.elapsed() >= FRAME {
                self.drawn = Instant::now();
                self.draw()?;
            }
        }
    }

    fn observe(&mut self) {
        let chosen =
            (self.shown.state.process != self.followed).then_some(self.shown.state.process);
        let reading = self.source.read(chosen);
        self.follow_the_present();
        if chosen.is_none() {
            self.followed = reading.shown;
            self.shown.state.process = reading.shown;
        } else {
            // From now on only the person's own choice counts.
            self.followed = usize::MAX;
        }
        self.shown.model.observe(reading);
        self.mark_by_itself();
        let names = self.source.take_names();
        if !names.is_empty() {
            // A recording knows better than the files of this machine.
            self.naming = Naming::default();
        }
        for (location, functions) in names {
            self.shown.model.learn(location, functions);
        }
        self.naming.tick(&mut self.shown.model, std::mem::take(&mut self.visible));
        self.look_at_threads();
        self.shown.time = query::time(self.source.past(), &self.shown.state.marks);
        let pulse = Pulse::of(&self.shown.model);
        let changed = self.pulse != Some(pulse);
        self.pulse = Some(pulse);
        self.dirty |= changed || self.drawn.elapsed() >= QUIET_FRAME;
    }

    /// Marks this moment if it is one that the person wants marked. A recording has its own.
    fn mark_by_itself(&mut self) {
        let Shown { model, state, session, time, .. } = &mut self.shown;
        let Some(totals) = model.state().map(|state| state.totals) else { return };
        if session.origin == Origin::Replay || state.playback.at_s.is_some() {
            return;
        }
        let now_s = model.reading.now_s;
        let figures = (totals.current_bytes, totals.peak_bytes);
        let observed = self.automatic.observe(model.reading.shown, figures, now_s);
        if let Some(reason) = observed {
            let recorded = time.stops.iter().filter_map(|stop| stop.what.mark()).max();
            let last = state.marks.last().map(|mark| mark.number).max(recorded);
            let number = last.unwrap_or(0) + 1;
            state.notice = Some(Notice::info(format!("mark {number}: {reason}")));
            let name = Some(reason);
            state.marks.push(Mark { number, t_s: now_s, name, automatic: true });
            self.shown.mark(number);
            self.keep_mark(number);
        }
    }

    /// Asks who allocated at the site that is open.
    fn look_at_threads(&mut self) {
        let Shown { model, state, .. } = &mut self.shown;
        if !state.frozen {
            let opened = query::opened(model, state);
            let told = |(of, stacks): (_, Vec<_>)| {
                Some(SiteThreads { of, threads: self.source.threads_of(&stacks)? })
            };
            model.site_threads = opened.and_then(told);
        }
    }

    /// Lets the moment that is looked at go on, as long as it plays.
    fn play(&mut self, elapsed: Duration) -> Result<(), Error> {
        if !self.shown.state.playback.playing {
            return Ok(());
        }
        let mut state = self.shown.state.clone();
        let effect = memtop_ui::advance(&mut state, elapsed.as_secs_f64(), &self.shown.data());
        self.shown.state = state;
        self.dirty = true;
        self.carry_out(effect).map(|_| ())
    }

    fn on_update(&mut self, update: Option<FromKeeper>) {
        // What is told at every tick is seen with the reading of that tick.
        self.dirty |= !matches!(update, Some(FromKeeper::History { .. }));
        update.iter().for_each(|message| self.source.hear(message));
        match update {
            Some(FromKeeper::Scrollback(bytes) | FromKeeper::Output(bytes)) => self.show(&bytes),
            Some(FromKeeper::Gap(bytes)) => {
                self.show(format!("\r\n\x1b[7m {bytes} bytes left out \x1b[0m\r\n").as_bytes());
            }
            Some(FromKeeper::Stopped(true)) => self.stopped(),
            Some(FromKeeper::Feed) => self.shown.session.read_only = false,
            Some(FromKeeper::Recording { bytes, message }) => {
                self.shown.recording = bytes;
                if !message.is_empty() {
                    self.shown.state.notice = Some(Notice::warning(message));
                }
            }
            Some(FromKeeper::RecordingBegan { path, from, thinned_until }) => {
                let said = recorded::words(&path, from, thinned_until);
                self.shown.state.notice = Some(Notice::info(said));
            }
            // The greeting is over; the rest is heard by the source.
            Some(_) => {}
            None => {
                self.source.lost();
                self.updates = never();
            }
        }
    }

    /// The keyboard of a program that was stopped comes back, as to a shell.
    fn stopped(&mut self) {
        let state = &mut self.shown.state;
        if state.mode == Mode::Typing {
            state.mode = Mode::Browse;
        }
        let words = "the program was stopped: i on its output (7) lets it go on";
        state.notice = Some(Notice::warning(words));
    }

    fn show(&mut self, bytes: &[u8]) {
        if let Some(program) = &mut self.shown.program {
            program.write(bytes);
        }
    }

    fn on_terminal(&mut self, event: TerminalEvent) -> Result<Option<Outcome>, Error> {
        match event {
            TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => {
                match keymap::dispatch(&self.shown.state, key) {
                    Some(action) => self.act(action),
                    None => Ok(None),
                }
            }
            TerminalEvent::Mouse(event) => {
                match mouse::dispatch(&self.shown.state, event, &self.targets) {
                    Some(action) => self.act(action),
                    None => Ok(None),
                }
            }
            TerminalEvent::Paste(text) => self.act(Action::Paste(text)),
            TerminalEvent::Resize(columns, rows) => {
                self.shown.state.observe_size(columns, rows);
                self.resize_program();
                self.dirty = true;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn act(&mut self, action: Action) -> Result<Option<Outcome>, Error> {
        let mut state = self.shown.state.clone();
        let effect = update(&mut state, action, &self.shown.data());
        let palette_changed = state.palette != self.shown.state.palette;
        let froze = state.frozen != self.shown.state.frozen;
        self.shown.state = state;
        if palette_changed {
            self.theme = self.look.theme(self.shown.state.palette);
        }
        if froze {
            self.shown.freeze(self.shown.state.frozen);
        }
        self.dirty = true;
        self.carry_out(effect)
    }

    fn carry_out(&mut self, effect: Effect) -> Result<Option<Outcome>, Error> {
        match effect {
            Effect::None | Effect::Redraw => {}
            Effect::Repaint => terminal::wipe(&mut self.terminal).map_err(Self::drawing)?,
            Effect::StartTracing => self.controls.set_tracing(true),
            Effect::StopTracing => self.controls.set_tracing(false),
            Effect::StartRecording => self.record(),
            Effect::StopRecording => self.controls.end_recording(),
            Effect::Clear => self.controls.clear(),
            Effect::Marked(number) => {
                self.shown.mark(number);
                self.keep_mark(number);
            }
            Effect::Named(number) => self.keep_mark(number),
            Effect::Continue => self.controls.continue_program(),
            Effect::SendInput(bytes) => self.controls.send_input(&bytes),
            Effect::Suspend => self.suspend()?,
            // Only the chooser joins.
            Effect::Join(_) => {}
            Effect::SaveSnapshot(when, path) => self.shown.save(when, &path),
            Effect::LoadSnapshot(path) => self.shown.load(&path),
            Effect::Seek(at) => {
                self.source.seek(at.map(|at| Duration::try_from_secs_f64(at).unwrap_or_default()));
                self.observe();
            }
            Effect::Quit(leave) => return Ok(Some(self.leave(leave))),
        }
        Ok(None)
    }

    /// Lets a mark go into what is recorded.
    fn keep_mark(&self, number: u32) {
        let marks = &self.shown.state.marks;
        let mark = marks.iter().find(|mark| mark.number == number);
        if let (Some(mark), Some(index)) = (mark, self.source.session()) {
            let at = Duration::try_from_secs_f64(mark.t_s).unwrap_or_default();
            let label = mark.name.clone().unwrap_or_default();
            self.controls.mark(index, recording::Mark { at, number, label });
        }
    }

    /// Asks for a recording into a new file of this folder.
    fn record(&mut self) {
        let path = output::unused_name(&self.shown.session.command);
        let said = format!("recording into {}", path.display());
        self.shown.state.notice = Some(match self.controls.record(path) {
            true => Notice::info(said),
            false => Notice::warning("only a program that memtop started can be recorded"),
        });
    }

    fn leave(&mut self, leave: Leave) -> Outcome {
        match leave {
            Leave::EndProgram => {
                let said = "asked the program to end; if it does not within 3 s, it is made to";
                self.shown.state.notice = Some(Notice::info(said));
                // Whoever asked sees why nothing happens; leaving does not depend on it.
                let _ = self.draw();
                match (self.end_program(), self.shown.session.origin) {
                    (exit, Origin::Launched) => Outcome::Ended(exit),
                    _ => Outcome::Detached,
                }
            }
            Leave::Detach | Leave::Leave => self.left(),
        }
    }

    fn left(&self) -> Outcome {
        match (self.shown.model.reading.exit, self.shown.session.origin) {
            (None, _) | (_, Origin::Joined | Origin::Embedded) => Outcome::Detached,
            (exit, _) => Outcome::Ended(exit),
        }
    }

    /// Asks the program to end and waits until it has; the keeper insists after a while. What it
    /// left behind, when it has ended, is not waited for.
    fn end_program(&mut self) -> Option<Exit> {
        self.controls.end_program();
        if let Some(exit) = self.shown.model.reading.exit {
            return Some(exit);
        }
        loop {
            match self.updates.recv_timeout(Duration::from_secs(6)) {
                Ok(FromKeeper::Exit(exit)) => return Some(exit),
                Ok(_) => {}
                Err(_) => return self.shown.model.reading.exit,
            }
        }
    }

    fn suspend(&mut self) -> Result<(), Error> {
        self.guard.pause().map_err(Self::drawing)?;
        terminal::stop_self();
        self.guard.resume().map_err(Self::drawing)?;
        terminal::wipe(&mut self.terminal).map_err(Self::drawing)
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
        let drawn = self.terminal.draw(|frame| draw_on(frame, &data, &state, theme, targets));
        drawn.map_err(Self::drawing)?;
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

/// What of a reading a person would want to see at once.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pulse {
    totals: Totals,
    untracked_frees: u64,
    images: (usize, usize),
    stands: (bool, bool, bool, Option<Exit>),
    sites: (u64, u64, u64),
}

impl Pulse {
    fn of(model: &Model) -> Self {
        let (reading, state) = (&model.reading, model.state());
        Self {
            totals: state.map(|state| state.totals).unwrap_or_default(),
            untracked_frees: state.map_or(0, |state| state.untracked.frees),
            images: (reading.images.len(), reading.shown),
            stands: (reading.tracing, reading.stopped, reading.connected, reading.exit),
            sites: (model.sites_revision(), model.names_found(), model.names_pending),
        }
    }
}

/// Rows and columns of the program's terminal when memtop's has `size` columns and rows.
fn pane_of(size: (u16, u16)) -> pane::Size {
    let (columns, rows) = pane_size(size.0, size.1);
    let at_least_one = |number| NonZero::new(number).unwrap_or(NonZero::<u16>::MIN);
    (at_least_one(rows), at_least_one(columns))
}
