//! `memtop record`: this process is the keeper, and the program's parent, in its process group.
//!
//! The program keeps stdin, stdout, stderr and the terminal. Signals of the terminal are its
//! business, and memtop waits for what it makes of them; `INT` and `QUIT` that somebody sends to
//! memtop are passed on, though one that went to the whole group then comes twice. `TERM` alone
//! is memtop's own, and ends the recording while the program runs on. Stopping and continuing act
//! on the group, so memtop sleeps when the program does.

mod ending;

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsRawFd,
    path::Path,
    time::Duration,
};

use memtop_ui::format::{agree, bytes, counted, exactly, thousands};

use super::{
    clock::Start,
    events::Collector,
    launch::{LaunchError, Options, prepare},
    output::Output,
    processes::Changes,
    recording::Recording,
    watch::Watch,
};
use crate::{
    model::{Exit, TreeState, UntracedProcess},
    recording::Saved,
    sys::{
        clock, descriptor, last_resort, poll, process,
        signal::{self, Sender, Signals},
        spawn::Place,
    },
};

/// What the group gets is meant for the program; a status line from the background must not
/// stop memtop (`TTOU`).
const NOT_OURS: [i32; 8] = [
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGTTOU,
];

/// Thread names are read, and the status line is renewed, so often.
const NAMES_EVERY_NS: u64 = 1_000_000_000;
const STATUS_EVERY_NS: u64 = 500_000_000;

/// How long the program's own end is waited for after a `TERM`.
const GROUP_TERM: Duration = Duration::from_millis(100);

/// How a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With the program.
    Exited(Exit),
    /// By `TERM`: the program runs on.
    Detached,
}

impl Outcome {
    /// The status to exit with: the program's own, 128 + signal, or 0 after a detach.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Exited(Exit::Code(code)) => code as u8,
            Self::Exited(Exit::Signal(signal)) => (128 + signal) as u8,
            Self::Detached => 0,
        }
    }
}

/// What came of a recording.
#[derive(Debug)]
pub struct Recorded {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether all of it was written; what went wrong was said when it did.
    pub is_complete: bool,
    images: usize,
    highest_peak: u64,
    untraced: Vec<UntracedProcess>,
    /// Bytes of old detail.
    left_out: u64,
    /// Events that were to be recorded and were not.
    dropped: u64,
}

/// So many processes that were not traced are named.
const NAMED: usize = 4;

impl Recorded {
    /// Whether the closing line says something that nothing else has said.
    pub fn lacks_something(&self) -> bool {
        !self.untraced.is_empty() || self.dropped > 0
    }

    /// One sentence for stderr, where no status line was shown.
    pub fn closing_line(&self, path: &Path) -> String {
        let left_out = match self.left_out {
            0 => String::new(),
            left_out => format!("; {} of the oldest detail are left out", bytes(left_out)),
        };
        let dropped = match self.dropped {
            0 => String::new(),
            dropped => {
                let are = agree(dropped, "is", "are");
                format!(
                    "; {} {are} missing: the disk or memtop was too slow, or the tracer's memory full",
                    exactly(dropped, "event")
                )
            }
        };
        format!(
            "memtop: recorded {} into {}; highest peak {}{}{left_out}{dropped}",
            images(self.images),
            path.display(),
            bytes(self.highest_peak),
            self.untraced_words(),
        )
    }

    /// `; not traced: busybox (static), 7 × sudo (gained privileges) and 3 more`.
    fn untraced_words(&self) -> String {
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for words in self.untraced.iter().map(words_of) {
            match kinds.iter_mut().find(|(known, _)| *known == words) {
                Some((_, count)) => *count += 1,
                None => kinds.push((words, 1)),
            }
        }
        let (named, others) = kinds.split_at(kinds.len().min(NAMED));
        let named: Vec<String> = named.iter().map(several).collect();
        match (&named[..], others.iter().map(|(_, count)| count).sum::<usize>()) {
            ([], _) => String::new(),
            (named, 0) => format!("; not traced: {}", named.join(", ")),
            (named, more) => format!("; not traced: {} and {more} more", named.join(", ")),
        }
    }
}

fn words_of(one: &UntracedProcess) -> String {
    match &one.why {
        Some(why) => format!("{} ({why})", one.name()),
        None => one.name(),
    }
}

fn several((words, count): &(String, usize)) -> String {
    if *count == 1 { words.clone() } else { format!("{} × {words}", thousands(*count as u64)) }
}

/// Whether `record` shows a status line on stderr; else it says one closing line.
pub fn shows_status(quiet: bool) -> bool {
    !quiet && descriptor::is_terminal(libc::STDERR_FILENO)
}

/// Starts the program and watches it until it ends, or until `TERM`. Only for the main thread
/// of a process that does nothing else: it takes over signals and inherited descriptors.
///
/// # Errors
/// A [`LaunchError`] when the program was not started; nothing is left behind then.
pub fn run(options: &Options, output: &Output, quiet: bool) -> Result<Recorded, LaunchError> {
    let prepared = prepare(options)?;
    let file = output.open()?;
    if options.start == Start::Paused && !quiet {
        warn(NEVER_STARTED);
    }
    let started = start(Watch::new(prepared, options), quiet);
    let (mut watch, mut signals, events) = started.inspect_err(|_| output.abandon())?;
    let mut sink = Sink::begin(file, &output.path, &watch, events);
    let status = Status::new(shows_status(quiet));
    let outcome = follow(&mut watch, &mut signals, status, &mut sink);
    let processes = watch.tree().processes;
    let peaks = processes.iter().map(|one| one.totals.peak_bytes);
    let dropped = processes.iter().map(|one| one.exactness.dropped_events).sum();
    let saved = sink.finish(&watch, &mut signals, quiet);
    Ok(Recorded {
        outcome,
        images: watch.processes().images().len(),
        highest_peak: peaks.max().unwrap_or(0),
        untraced: watch.untraced(),
        dropped: if options.events { dropped } else { 0 },
        is_complete: saved.is_some(),
        left_out: saved.map_or(0, |saved| saved.bytes()),
    })
}

/// Where ticks go, as long as they can.
enum Sink<'a> {
    Nowhere,
    File(Box<Recording>, &'a Path),
}

impl<'a> Sink<'a> {
    fn begin(file: File, path: &'a Path, watch: &Watch, events: Option<Collector>) -> Self {
        match Recording::begin(file, path, watch, events) {
            Ok(recording) => Self::File(Box::new(recording), path),
            Err(error) => {
                complain(path, &error);
                Self::Nowhere
            }
        }
    }

    /// Memtop's own trouble never changes what becomes of the program.
    fn tick(&mut self, watch: &mut Watch, changes: &Changes) {
        self.keep(|recording| recording.tick(watch, changes));
    }

    /// With the tick that comes.
    fn end(&mut self) {
        self.keep(|recording| {
            recording.end();
            Ok(())
        });
    }

    /// Between two ticks.
    fn fetch_events(&mut self) {
        self.keep(Recording::fetch_events);
    }

    fn keep(&mut self, work: impl FnOnce(&mut Recording) -> io::Result<()>) {
        if let Self::File(recording, path) = self
            && let Err(error) = work(recording)
        {
            complain(path, &error);
            *self = Self::Nowhere;
        }
    }

    /// What was left out of a complete recording; `None` when it is not complete.
    fn finish(self, watch: &Watch, signals: &mut Signals, quiet: bool) -> Option<Saved> {
        let Self::File(recording, path) = self else {
            return None;
        };
        let saved = recording.saved();
        let finished = recording
            .finish_aside(watch)
            .and_then(|written| ending::wait(&written, signals, path, quiet));
        finished.inspect_err(|error| complain(path, error)).ok().map(|()| saved)
    }
}

fn complain(path: &Path, error: &io::Error) {
    // In the place of a status line.
    let begin = if descriptor::is_terminal(libc::STDERR_FILENO) { ERASE } else { "" };
    let _ = writeln!(
        io::stderr(),
        "{begin}memtop: cannot write the recording {}: {error}; the program is not disturbed, and what \
         was written until now can be opened",
        path.display()
    );
}

fn warn(warning: &str) {
    let _ = writeln!(io::stderr(), "memtop: warning: {warning}");
}

/// Here nobody presses a key.
const NEVER_STARTED: &str = "tracing is paused, and without a dashboard there is no key to start \
                             it, so nothing will be recorded of the heap; use --start after:5s, \
                             or memtop run --start paused -o FILE and press p";

/// Starts the program and watches it to its end, without a recording or a word.
///
/// # Errors
/// As [`run`].
pub fn watch(options: &Options) -> Result<TreeState, LaunchError> {
    let (mut watch, mut signals, _) = start(Watch::new(prepare(options)?, options), true)?;
    follow(&mut watch, &mut signals, Status::new(false), &mut Sink::Nowhere);
    Ok(watch.tree())
}

fn start(
    mut watch: Watch,
    quiet: bool,
) -> Result<(Watch, Signals, Option<Collector>), LaunchError> {
    let ours = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];
    let signals = Signals::collect(&ours)
        .map_err(|error| LaunchError::prepare("watch for signals", error, "close some files"))?;
    signal::ignore(&NOT_OURS);
    watch.prepared().warnings.iter().filter(|_| !quiet).for_each(|warning| warn(warning));
    // Its threads must not get the signals that were asked for here.
    let events = watch.collect()?;
    let pid = watch.prepared().start([None; 3], Place::Here)?;
    watch.started(pid);
    last_resort::hold(pid, None);
    descriptor::release_inherited();
    Ok((watch, signals, events))
}

/// Ticks until the end.
fn follow(
    watch: &mut Watch,
    signals: &mut Signals,
    mut status: Status,
    sink: &mut Sink<'_>,
) -> Outcome {
    let mut names_at = 0;
    loop {
        let mut list = [poll::Wait::new(signals.as_raw_fd(), true, false)];
        if poll::wait(&mut list, Some(watch.idle_time())).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let now = clock::monotonic_ns();
        if let Some(changes) = watch.advance() {
            if now >= names_at {
                watch.name_threads();
                watch.look_for_untraced(now);
                names_at = now + NAMES_EVERY_NS;
            }
            sink.tick(watch, &changes);
            status.show(watch, now);
        } else {
            sink.fetch_events();
        }
        if let Some(outcome) = ended(watch, signals) {
            status.erase();
            // What is dropped here is counted by the last look.
            sink.fetch_events();
            let changes = watch.look();
            watch.look_for_untraced(clock::monotonic_ns());
            sink.end();
            sink.tick(watch, &changes);
            return outcome;
        }
    }
}

fn ended(watch: &mut Watch, signals: &mut Signals) -> Option<Outcome> {
    while let Some((signal, sender)) = signals.take_with_sender() {
        match signal {
            libc::SIGTERM => return Some(terminated(watch, signals)),
            libc::SIGCHLD => _ = watch.reap(),
            _ if sender == Sender::Process && watch.exit().is_none() => {
                let _ = process::signal(watch.root(), signal);
            }
            _ => {}
        }
    }
    let outcome = watch.exit().map(Outcome::Exited)?;
    last_resort::release(outcome.exit_code());
    Some(outcome)
}

/// A `TERM` that went to the whole group, as from `timeout`, reaches the program as well; its
/// status is worth a moment.
fn terminated(watch: &mut Watch, signals: &mut Signals) -> Outcome {
    watch.name_threads();
    let mut list = [poll::Wait::new(signals.as_raw_fd(), true, false)];
    let _ = poll::wait(&mut list, Some(GROUP_TERM));
    watch.reap();
    let outcome = watch.exit().map_or(Outcome::Detached, Outcome::Exited);
    last_resort::release(outcome.exit_code());
    outcome
}

/// Begins the row anew.
const ERASE: &str = "\r\x1b[K";

/// The line on stderr, overwritten in place.
struct Status {
    shown: bool,
    next_ns: u64,
    enabled: bool,
    /// Most bytes that were live at once in all processes together, as far as it was shown.
    highest: u64,
}

fn images(count: usize) -> String {
    match count {
        1 => "1 process image".to_owned(),
        count => format!("{count} process images"),
    }
}

impl Status {
    fn new(enabled: bool) -> Self {
        Self { shown: false, next_ns: 0, enabled, highest: 0 }
    }

    fn show(&mut self, watch: &Watch, now_ns: u64) {
        let quiet = !self.enabled || now_ns < self.next_ns;
        if quiet || !descriptor::in_foreground(libc::STDERR_FILENO) {
            return;
        }
        self.next_ns = now_ns + STATUS_EVERY_NS;
        let images = watch.processes().images();
        let live = images.iter().filter(|image| image.end().is_none());
        let current = live.filter_map(|image| Some(image.timeline().last()?.current_bytes));
        let current = current.sum();
        let points = images.iter().flat_map(|image| image.timeline());
        let highest = points.map(|point| point.max_bytes).max().unwrap_or(0);
        self.highest = self.highest.max(highest).max(current);
        let line = format!(
            "{ERASE}memtop: recording, {} live, {} highest, {}",
            bytes(current),
            bytes(self.highest),
            counted(images.len() as u64, "process"),
        );
        self.shown |= io::stderr().write_all(line.as_bytes()).is_ok();
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = io::stderr().write_all(ERASE.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_passed_on() {
        assert_eq!(Outcome::Exited(Exit::Code(3)).exit_code(), 3);
        assert_eq!(Outcome::Exited(Exit::Signal(9)).exit_code(), 137);
        assert_eq!(Outcome::Detached.exit_code(), 0);
    }
}
