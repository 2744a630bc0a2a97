//! What the person asks for, carried out.

use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, KeyEventKind};
use memtop_ui::{
    Action, Effect, Leave,
    data::{Notice, Origin},
    format, keymap, mouse, update,
};

use super::{App, Outcome, Shown};
use crate::{
    Error,
    keeper::{output, protocol::FromKeeper},
    model::{Exit, Reading},
    query, recording,
    sys::process,
    terminal,
};

/// Columns that a command line may take of what is said of it.
const COMMAND: usize = 60;

impl App {
    pub(super) fn on_terminal(&mut self, event: TerminalEvent) -> Result<Option<Outcome>, Error> {
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
        if action == Action::Quit {
            self.catch_up();
        }
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
        // What is chosen to be compared is there at once.
        self.recall_marks();
        self.carry_out(effect)
    }

    pub(super) fn carry_out(&mut self, effect: Effect) -> Result<Option<Outcome>, Error> {
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
            Effect::Copy(text) => {
                terminal::copy(self.terminal.backend_mut(), &text).map_err(Self::drawing)?;
            }
            Effect::Suspend => {
                terminal::suspend(&mut self.guard, &mut self.terminal).map_err(Self::drawing)?;
            }
            // Only the chooser joins.
            Effect::Join(_) => {}
            Effect::SaveSnapshot(when, path) => self.shown.save(when, &path),
            Effect::LoadSnapshot(path) => self.shown.load(&path),
            Effect::Seek(at) => {
                self.source.seek(at.map(|at| Duration::try_from_secs_f64(at).unwrap_or_default()));
                self.observe_at_once();
            }
            Effect::Quit(leave) => return Ok(Some(self.leave(leave))),
        }
        Ok(None)
    }

    /// Lets a mark go into what is recorded.
    pub(super) fn keep_mark(&self, number: u32) {
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
                    _ => Outcome::Ended(None),
                }
            }
            Leave::Detach | Leave::Leave => self.left(),
        }
    }

    pub(super) fn left(&self) -> Outcome {
        let Reading { exit, connected, .. } = self.shown.model.reading;
        match (exit, self.shown.session.origin) {
            (None, _) if connected => Outcome::Detached,
            // A status is for who started the program.
            (None, _) | (_, Origin::Joined | Origin::Embedded) => Outcome::Ended(None),
            (exit, _) => Outcome::Ended(exit),
        }
    }

    /// How to come back, for who leaves a program that goes on.
    pub(super) fn last_words(&self) -> Option<String> {
        if self.shown.session.origin == Origin::Replay {
            return None;
        }
        let pid = self.shown.model.reading.images.first()?.pid;
        let runs = process::resident_bytes(pid).is_some();
        runs.then(|| goes_on(&query::title(&self.shown.session.command), pid))
    }

    /// What was said and happened while nobody looked is taken in before anything is drawn.
    pub(super) fn stood_still(&mut self, still: Duration) {
        self.catch_up();
        let Shown { model, state, session, .. } = &mut self.shown;
        if session.origin != Origin::Replay && model.reading.exit.is_none() {
            let span = format::span(still.as_secs_f64());
            let words = format!("memtop stood still for {span}; the program went on");
            state.notice = Some(Notice::warning(words));
        }
        self.dirty = true;
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
}

/// What a person reads who left a program running.
fn goes_on(command: &str, pid: u32) -> String {
    let command = format::command(command, COMMAND);
    format!("{command} (process {pid}) goes on; to see it again: memtop")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_named_in_one_line() {
        let said = goes_on("/srv/bin/server --port\n8080", 7);
        let expected = "/srv/bin/server --port 8080 (process 7) goes on; to see it again: memtop";
        assert_eq!(said, expected);
        assert!(goes_on(&"word ".repeat(100), 7).contains("… (process 7) goes on"));
    }
}
