//! What the dashboard hears and sees: readings of the source, and what the keeper says.

use std::time::{Duration, Instant};

use crossbeam_channel::never;
use memtop_ui::{
    data::{Mark, Notice, Origin, Time},
    state::Mode,
};

use super::{App, Naming, QUIET_FRAME, Shown, automatic::Found, recorded};
use crate::{
    Error,
    keeper::protocol::FromKeeper,
    model::{Asked, Exit, Model, Reading, SiteThreads, Totals},
    query,
    source::site_history::OpenedSite,
};

/// Stacks of a site of which threads are told.
const MOST_STACKS: usize = 1000;
/// A site's history is read for so long at a tick.
const SLICE: Duration = Duration::from_millis(20);
/// How often it is looked at which thread allocated where.
const ASKED_EVERY: Duration = Duration::from_secs(1);

impl App {
    /// A look at the source, as at every tick.
    pub(super) fn observe(&mut self) {
        self.look(SLICE);
    }

    /// The same when the moment has moved: whoever pressed the key waits for it, and for nothing
    /// that can be read a tick later.
    pub(super) fn observe_at_once(&mut self) {
        self.look(Duration::ZERO);
    }

    fn look(&mut self, slice: Duration) {
        let chosen =
            (self.shown.state.process != self.followed).then_some(self.shown.state.process);
        self.foresee_marks();
        let reading = self.source.read(chosen);
        self.follow_the_present();
        if self.shown.model.shows_another(&reading) {
            // What was foreseen is of the process that was shown.
            self.foreseen = 0.0;
        }
        if chosen.is_none() {
            self.followed = reading.shown;
            self.shown.state.process = reading.shown;
        } else {
            // From now on only the person's own choice counts.
            self.followed = usize::MAX;
        }
        self.shown.model.observe(reading);
        self.adopt_marks();
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
        let read = self.look_at_site(slice) | self.look_at_askers();
        let last_mark = self.shown.time.last_mark;
        let time = query::time(self.source.past(), &self.shown.state.marks);
        self.shown.time = Time { last_mark, ..time };
        let pulse = Pulse::of(&self.shown.model);
        let changed = self.pulse != Some(pulse);
        self.pulse = Some(pulse);
        self.dirty |= changed || read || self.drawn.elapsed() >= QUIET_FRAME;
    }

    /// Marks the moments that the person wants marked, of now and of when nobody looked. A
    /// recording has its own.
    fn mark_by_itself(&mut self) {
        let Shown { model, state, session, .. } = &mut self.shown;
        let Some(totals) = model.state().map(|state| state.totals) else { return };
        if session.origin == Origin::Replay || state.playback.at_s.is_some() {
            return;
        }
        let Reading { now_s, shown, timeline, .. } = &model.reading;
        let figures = (totals.current_bytes, totals.peak_bytes);
        let found = self.automatic.look(*shown, figures, *now_s, timeline);
        let (now_s, keeps) = (*now_s, self.controls.keeps_moments());
        for one in found {
            self.mark_found(if keeps { one } else { one.of_now(now_s) });
        }
    }

    /// Figures of a moment that is over are read like those of any mark that is recorded, as soon
    /// as this one is.
    fn mark_found(&mut self, Found { at_s, is_past, reason }: Found) {
        let Shown { model, state, time, .. } = &mut self.shown;
        let number = state.next_mark(time.last_mark);
        state.notice = Some(Notice::info(format!("mark {number}: {reason}")));
        let t_s = if is_past { at_s } else { model.reading.now_s };
        state.marks.push(Mark {
            number,
            t_s,
            name: Some(reason),
            automatic: true,
            recorded: false,
        });
        if !is_past {
            self.shown.mark(number);
        }
        self.keep_mark(number);
    }

    /// Asks who allocated at the site that is open, and what it held up to a moment of the past,
    /// which is read for a `slice`. Whether that was not known before.
    fn look_at_site(&mut self, slice: Duration) -> bool {
        let Shown { model, state, .. } = &mut self.shown;
        let opened = query::opened(model, state);
        if state.frozen && !opened.as_ref().is_some_and(|site| is_to_be_read(site, model)) {
            return false;
        }
        // There may be too many stacks to look at ten times a second: then those that hold most.
        let told = |site: &OpenedSite| {
            let stacks = &site.stacks[..site.stacks.len().min(MOST_STACKS)];
            Some(SiteThreads { of: site.of, threads: self.source.threads_of(stacks)? })
        };
        if !state.frozen {
            model.site_threads = opened.as_ref().and_then(told);
        }
        let history = opened.and_then(|site| self.source.history_of(&site, slice));
        let is_new = history != model.site_history;
        model.site_history = history;
        is_new
    }

    /// Asks which thread allocated where, while the filter is about that: now and then, as it
    /// takes a look at everything that there is. Whether that was looked at.
    fn look_at_askers(&mut self) -> bool {
        let Shown { model, state, .. } = &mut self.shown;
        if state.code.filter.threads().next().is_none() {
            model.askers = Asked::NotYet;
            return false;
        }
        let is_due = model.askers == Asked::NotYet || self.asked.elapsed() >= ASKED_EVERY;
        if !is_due || state.frozen && model.askers != Asked::NotYet {
            return false;
        }
        model.askers = self.source.askers().map_or(Asked::Unknown, Asked::Known);
        self.asked = Instant::now();
        true
    }

    /// Lets the moment that is looked at go on, as long as it plays.
    pub(super) fn play(&mut self, elapsed: Duration) -> Result<(), Error> {
        if !self.shown.state.playback.playing {
            return Ok(());
        }
        let mut state = self.shown.state.clone();
        let effect = memtop_ui::advance(&mut state, elapsed.as_secs_f64(), &self.shown.data());
        self.shown.state = state;
        self.dirty = true;
        self.carry_out(effect).map(|_| ())
    }

    pub(super) fn on_update(&mut self, update: Option<FromKeeper>) {
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

    /// Takes in what the keeper has said by now and looks anew, whenever the next tick is: of a
    /// program that has just ended it is not asked whether it should.
    pub(super) fn catch_up(&mut self) {
        while let Ok(update) = self.updates.try_recv() {
            self.on_update(Some(update));
        }
        self.observe();
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
}

/// Whether the history of a site was not read to its end.
fn is_to_be_read(site: &OpenedSite, model: &Model) -> bool {
    let known = model.site_history.as_ref().filter(|known| known.of == site.of);
    known.is_none_or(|known| known.read_to.is_some())
}

/// What of a reading a person would want to see at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pulse {
    totals: Totals,
    untracked_frees: u64,
    images: (usize, usize),
    stands: (bool, bool, bool, Option<Exit>),
    sites: (u64, u64, u64),
}

impl Pulse {
    pub(super) fn of(model: &Model) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SiteHistory;

    #[test]
    fn a_history_is_read_to_its_end_and_once() {
        let mut model = Model::default();
        let site = OpenedSite { of: 7, stacks: Vec::new(), known: 0 };
        let mut told = |history: Option<(u64, Option<Duration>)>| {
            model.site_history =
                history.map(|(of, read_to)| SiteHistory { of, points: Vec::new(), read_to });
            is_to_be_read(&site, &model)
        };
        assert!(told(None));
        assert!(told(Some((7, Some(Duration::ZERO)))));
        assert!(!told(Some((7, None))));
        assert!(told(Some((8, None))));
    }
}
