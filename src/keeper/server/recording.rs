//! The recording that viewers ask for: begun, fed, ended and spoken of.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crossbeam_channel::{Receiver, TryRecvError};

use super::Server;
use crate::{
    keeper::{
        events::Collector, output::Output, processes::Changes, protocol::FromKeeper,
        recording::Recording,
    },
    recording::Mark,
    sys::clock,
};

/// Viewers are told the size, and names of threads are read, so often.
const SAY_EVERY_NS: u64 = 1_000_000_000;
/// A mark that is no older was set at the present: a viewer's reading is not of this instant.
const PRESENT: Duration = Duration::from_millis(500);

/// What the keeper writes, and what still waits for the disk.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    current: Option<Recording>,
    /// Ended recordings that are being written to their end.
    ending: Vec<Ending>,
    say_at_ns: u64,
    said_thinned: bool,
    /// Where the one that somebody asked for goes, until they are told what it holds.
    unsaid: Option<PathBuf>,
    names_at_ns: u64,
    /// The last mark, image, number and moment as it was said, and the moment it got.
    settled: Option<((usize, u32, Duration), Duration)>,
}

/// A recording that is being written to its end.
struct Ending {
    written: Receiver<io::Result<()>>,
    /// What it holds, where that is not said yet.
    unsaid: Option<Unsaid>,
}

/// Where a recording goes, and from when on it is, once that is known.
type Unsaid = (PathBuf, Box<dyn Fn() -> Option<(Duration, Option<Duration>)>>);

impl fmt::Debug for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(out)
    }
}

impl Server {
    /// Begins a recording, with everything that is kept of the session; one at a time.
    pub(super) fn record(&mut self, output: &Output) {
        if self.recorded.current.is_some() {
            return;
        }
        match output.open().and_then(|file| Ok((file, self.watch.collect()?))) {
            Ok((file, events)) => {
                self.recorded.unsaid = Some(output.path.clone());
                let past = self.past.as_mut().map(|(past, kept)| (past, *kept));
                // Events are not kept, and begin where they are asked for.
                let recording =
                    match past.filter(|(past, _)| events.is_none() && past.is_up_to_date()) {
                        Some(past) => Recording::begin_with(past, file, &output.path, &self.watch),
                        None => Recording::begin(file, &output.path, &self.watch, events),
                    };
                self.begin_recording(recording, &output.path);
            }
            Err(error) => self.say_recording(None, &error.to_string()),
        }
    }

    /// Begins a recording from the launch on, into a file that was opened for it.
    pub(super) fn record_into(&mut self, file: File, path: &Path, events: Option<Collector>) {
        let recording = Recording::begin(file, path, &self.watch, events);
        self.begin_recording(recording, path);
    }

    fn begin_recording(&mut self, recording: io::Result<Recording>, path: &Path) {
        match recording {
            Ok(recording) => {
                self.recorded.current = Some(recording);
                self.recorded.said_thinned = false;
            }
            Err(error) => self.say_recording(None, &unwritten(path, &error)),
        }
    }

    /// Takes in what a tick found.
    pub(super) fn feed_recording(&mut self, changes: &Changes) {
        self.notice_endings();
        let Some(recording) = &mut self.recorded.current else {
            return;
        };
        if let Err(error) = recording.tick(&mut self.watch, changes) {
            return self.give_up(&error);
        }
        let reach = recording.reach();
        let is_thinned = recording.is_thinned();
        let (now, bytes) = (clock::monotonic_ns(), recording.bytes());
        if now >= self.recorded.say_at_ns {
            self.recorded.say_at_ns = now + SAY_EVERY_NS;
            // Said once.
            let news =
                is_thinned && !std::mem::replace(&mut self.recorded.said_thinned, is_thinned);
            let message = "the recording has reached its size: its oldest detail is left out";
            self.say_recording(Some(bytes), if news { message } else { "" });
        }
        let Some((from, until)) = reach else { return };
        if let Some(path) = self.recorded.unsaid.take() {
            self.say_beginning(path, from, until.unwrap_or_default());
        }
    }

    /// Says what the recording that was asked for holds; both times since the launch.
    fn say_beginning(&mut self, path: PathBuf, from: Duration, until: Duration) {
        let launched_ns = self.watch.reader().clock().created_ns;
        let first = self.watch.processes().image(0).map_or(launched_ns, |one| one.started_ns());
        let began = Duration::from_nanos(first.saturating_sub(launched_ns));
        let [from, thinned_until] = [from, until].map(|at| at.saturating_sub(began));
        self.send_all(&FromKeeper::RecordingBegan { path, from, thinned_until });
    }

    /// Keeps what a tick found for viewers to go back to.
    pub(super) fn keep_past(&mut self, changes: &Changes) {
        let now = clock::monotonic_ns();
        if now >= self.recorded.names_at_ns {
            self.recorded.names_at_ns = now + SAY_EVERY_NS;
            self.watch.name_threads();
            self.watch.look_for_untraced(now);
        }
        let kept = self.past.as_mut().map(|(past, _)| past.tick(&mut self.watch, changes));
        if let Some(Err(_)) = kept {
            self.past = None;
        }
    }

    /// Notes a marked moment wherever moments are kept.
    pub(super) fn mark(&mut self, index: usize, mark: Mark) {
        let mark = &self.settled(index, mark);
        if let Some((past, _)) = &mut self.past {
            // What is wrong with it shows at the next tick.
            let _ = past.mark(index, mark);
        }
        let marked = self.recorded.current.as_mut().map(|recording| recording.mark(index, mark));
        if let Some(Err(error)) = marked {
            self.give_up(&error);
        }
    }

    /// The mark, at a tick of its own where its moment is the present: so that what is kept of
    /// it, sites too, is of that very moment. One that gets a name stays where it is.
    fn settled(&mut self, index: usize, mark: Mark) -> Mark {
        let key = (index, mark.number, mark.at);
        if let Some((_, at)) = self.recorded.settled.filter(|(known, _)| *known == key) {
            return Mark { at, ..mark };
        }
        let Some(image) = self.watch.processes().image(index) else { return mark };
        let now = Duration::from_nanos(image.lived_ns(clock::monotonic_ns()));
        if image.end().is_some() || now.saturating_sub(mark.at) > PRESENT {
            return mark;
        }
        let at = self.tick_with_sites(index).unwrap_or(mark.at);
        self.recorded.settled = Some((key, at));
        Mark { at, ..mark }
    }

    /// A tick out of turn whose sites are kept; when it was, since the session of an image began.
    fn tick_with_sites(&mut self, index: usize) -> Option<Duration> {
        let past = self.past.as_mut().map(|(past, _)| past);
        past.into_iter().chain(&mut self.recorded.current).for_each(Recording::ask_for_sites);
        let changes = self.watch.look();
        self.tell(&changes);
        changes.samples.iter().rfind(|(of, _)| *of == index).map(|(_, point)| point.at)
    }

    /// Completes the recording, if there is one, without waiting for the disk.
    pub(super) fn end_recording(&mut self) {
        self.recorded.current.iter_mut().for_each(Recording::end);
        if self.recorded.current.is_some() && self.watch.processes().any_alive() {
            // Its end is this moment, sites and all.
            self.tick_with_sites(0);
        }
        let Some(recording) = self.recorded.current.take() else {
            return;
        };
        // One that was asked for when all had ended is over before anything could be said.
        let unsaid = self.recorded.unsaid.take();
        let unsaid = unsaid.map(|path| -> Unsaid { (path, Box::new(recording.reach_later())) });
        match recording.finish_aside(&self.watch) {
            Ok(written) => self.recorded.ending.push(Ending { written, unsaid }),
            Err(error) => self.say_recording(None, &format!("the recording stopped: {error}")),
        }
        self.hand_feed_on();
    }

    /// Between two ticks.
    pub(super) fn fetch_events(&mut self) {
        let fetched = self.recorded.current.as_mut().map(Recording::fetch_events);
        if let Some(Err(error)) = fetched {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.recorded.current = None;
        self.hand_feed_on();
        self.say_recording(None, &format!("the recording stopped: {error}"));
    }

    /// Says of recordings that were completed since how that went.
    fn notice_endings(&mut self) {
        for ending in std::mem::take(&mut self.recorded.ending) {
            let message = match ending.written.try_recv() {
                Err(TryRecvError::Empty) => {
                    self.recorded.ending.push(ending);
                    continue;
                }
                Ok(Err(error)) => format!("the recording is not complete: {error}"),
                _ => String::new(),
            };
            self.say_recording(None, &message);
            let holds = ending.unsaid.filter(|_| message.is_empty());
            if let Some((path, (from, until))) =
                holds.and_then(|(path, reach)| Some((path, reach()?)))
            {
                self.say_beginning(path, from, until.unwrap_or_default());
            }
        }
    }

    /// Waits for the disk, at the very end.
    pub(super) fn finish_recording(&mut self) {
        self.end_recording();
        // Who has just begun waits for what the past holds.
        if let Some((past, _)) = self.past.take().filter(|_| !self.recorded.ending.is_empty()) {
            let _ = past.finish(&self.watch);
        }
        for ending in self.recorded.ending.drain(..) {
            let _ = ending.written.recv();
        }
    }

    fn say_recording(&mut self, bytes: Option<u64>, message: &str) {
        self.send_all(&FromKeeper::Recording { bytes, message: message.to_owned() });
    }
}

fn unwritten(path: &Path, error: &io::Error) -> String {
    format!("cannot write the recording {}: {error}", path.display())
}
