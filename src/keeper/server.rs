//! The keeper of `memtop run`: parent of the program, owner of its terminal and its session
//! memory, host of any number of viewers.
//!
//! One thread, one loop, nothing that blocks. Always holds: the terminal is drained whatever
//! viewers do; a viewer that goes, hangs or lies loses its connection at most; at most one
//! viewer holds the feed and may touch; the keeper ends when all that is traced has ended, nobody
//! has the program's terminal open and nobody looks any more.

mod admission;
mod program;
mod recording;
mod viewer;

use std::{
    io::{self, Write},
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use memtop_probe::session::control;

use super::{
    launch::{LaunchError, Options, prepare},
    output::Output,
    processes::Changes,
    protocol::{FromKeeper, FromViewer},
    recording::Recording,
    rendezvous::Door,
    terminal::Terminal,
    watch::Watch,
};
use crate::error::exit_code;
use crate::sys::{
    clock, descriptor, last_resort, poll,
    pty::Size,
    signal::{self, Signals},
};
use program::{Ending, start};
use recording::Recorded;
use viewer::Viewer;

/// Nobody looks and nothing runs: so long the end can still be seen by who comes.
const LINGER_NS: u64 = 3_000_000_000;

/// Being killed or interrupted is the viewer's lot, not the keeper's: its end hangs the
/// program up.
const NOT_OURS: [i32; 10] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGTSTP,
    libc::SIGTTOU,
    libc::SIGTTIN,
];

/// `memtop keeper N …`: serves the viewer at the other end of descriptor N, and others, until
/// there is nothing left to keep. The result is an exit status; messages go to the viewer.
pub fn main(arguments: &[std::ffi::OsString]) -> u8 {
    let number = arguments.first().and_then(|text| text.to_str()?.parse().ok());
    let Some(number) = number else {
        let _ = writeln!(io::stderr(), "memtop: keeper is private to memtop; use memtop run");
        return 2;
    };
    let Some(socket) = descriptor::adopt(number) else {
        return exit_code::NOT_STARTED;
    };
    match serve(UnixStream::from(socket)) {
        Ok(()) => 0,
        Err(_) => exit_code::NOT_STARTED,
    }
}

/// The error is that of the connection to the first viewer; whatever else fails is told to it.
fn serve(socket: UnixStream) -> io::Result<()> {
    let (options, size) = admission::receive_start(&socket)?;
    match Server::launch(&options, size) {
        Ok(mut server) => {
            server.welcome(socket)?;
            server.run();
            Ok(())
        }
        Err(error) => {
            let code = error.exit_code();
            let message = error.to_string();
            (&socket).write_all(&FromKeeper::Failed { message, code }.encode())
        }
    }
}

struct Server {
    watch: Watch,
    signals: Signals,
    terminal: Terminal,
    /// `None` where no folder would take the socket: then only the first viewer can look.
    door: Option<Door>,
    viewers: Vec<Viewer>,
    warnings: Vec<String>,
    has_pty: bool,
    /// Whether somebody wants the program to end.
    ending: Ending,
    /// When everything traced was seen to have ended.
    done_at_ns: Option<u64>,
    /// A viewer has seen that.
    was_seen: bool,
    recorded: Recorded,
    /// `None` where there is no memory for it, or once it failed.
    past: Option<(Recording, RawFd)>,
}

impl Server {
    fn launch(options: &Options, size: Size) -> Result<Self, LaunchError> {
        let prepared = prepare(options)?;
        let mut warnings = prepared.warnings.clone();
        let remedy = "close some programs: the system is out of terminals or descriptors";
        let failed = |what: &str, error| LaunchError::prepare(what, error, remedy);
        let signals = Signals::collect(&[libc::SIGCHLD])
            .map_err(|error| failed("watch for signals", error))?;
        signal::ignore(&NOT_OURS);
        let terminal = Terminal::open(size).map_err(|error| failed("make a terminal", error))?;
        let door = Door::open()
            .inspect_err(|error| {
                warnings.push(format!(
                    "other terminals cannot join this program: no folder for the socket \
                     ({error}); set XDG_RUNTIME_DIR to a folder of yours"
                ));
            })
            .ok();
        let mut watch = Watch::new(prepared, options);
        let has_pty = terminal.standard().iter().any(Option::is_some);
        // The viewer that asked for all this is already there: it sees the first events too.
        control::set_feed(watch.reader().header(), true);
        let file = options.output.as_ref().map(Output::open).transpose()?;
        let events = if file.is_some() { watch.collect() } else { Ok(None) };
        let started = events.and_then(|events| Ok((events, start(&watch, &terminal)?)));
        let (events, pid) = started.inspect_err(|_| {
            options.output.iter().for_each(Output::abandon);
        })?;
        watch.started(pid);
        last_resort::hold(pid, Some(terminal.descriptor().0));
        let mut server = Self {
            has_pty,
            watch,
            signals,
            terminal,
            door,
            viewers: Vec::new(),
            warnings,
            ending: Ending::default(),
            done_at_ns: None,
            was_seen: false,
            recorded: Recorded::default(),
            past: None,
        };
        server.past = Recording::of_the_past(&server.watch).ok();
        if let (Some(output), Some(file)) = (&options.output, file) {
            server.record_into(file, &output.path, events);
        }
        Ok(server)
    }

    fn run(&mut self) {
        loop {
            self.wait();
            self.reap();
            self.pass_output();
            self.terminal.pass_input();
            match self.watch.advance() {
                Some(changes) => self.tell(&changes),
                None => self.fetch_events(),
            }
            self.accept();
            self.hear();
            self.flush();
            if self.is_over() {
                return self.finish_recording();
            }
        }
    }

    /// Sleeps until something happens, or the next tick.
    fn wait(&mut self) {
        let (terminal, has_input) = self.terminal.descriptor();
        let door = self.door.as_ref().map_or(-1, |door| door.listener.as_raw_fd());
        let mut list = vec![
            poll::Wait::new(self.signals.as_raw_fd(), true, false),
            poll::Wait::new(door, true, false),
            poll::Wait::new(terminal, true, has_input),
        ];
        list.extend(self.viewers.iter().map(Viewer::wait));
        if poll::wait(&mut list, Some(self.watch.idle_time())).is_err() {
            // Out of memory: try again, and do not spin.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn pass_output(&mut self) {
        let bytes = self.terminal.drain();
        if !bytes.is_empty() {
            let message = FromKeeper::Output(bytes);
            self.open_viewers().for_each(|viewer| viewer.send_output(&message));
        }
    }

    fn tell(&mut self, changes: &Changes) {
        for &(index, point) in &changes.samples {
            if let Some(message) = self.history(index, vec![point], false) {
                self.open_viewers().for_each(|viewer| viewer.send_sample(&message));
            }
        }
        for &index in &changes.ended {
            if let Some(message) = self.ending(index) {
                self.send_all(&message);
            }
        }
        self.keep_past(changes);
        self.feed_recording(changes);
        self.insist();
    }

    fn history(
        &self,
        index: usize,
        points: Vec<crate::model::Point>,
        restart: bool,
    ) -> Option<FromKeeper> {
        let image = self.watch.processes().image(index)?;
        Some(FromKeeper::History {
            index: index as u32,
            pid: image.pid,
            generation: image.generation,
            restart,
            points,
        })
    }

    fn ending(&self, index: usize) -> Option<FromKeeper> {
        let image = self.watch.processes().image(index)?;
        let end = image.end()?;
        Some(FromKeeper::ProcessEnded {
            index: index as u32,
            pid: image.pid,
            generation: image.generation,
            exit: end.exit,
            ended_ns: end.at_ns,
        })
    }

    fn send_all(&mut self, message: &FromKeeper) {
        let frame = message.encode();
        self.open_viewers().for_each(|viewer| viewer.send_frame(&frame));
    }

    fn open_viewers(&mut self) -> impl Iterator<Item = &mut Viewer> {
        self.viewers.iter_mut().filter(|viewer| viewer.is_open)
    }

    /// Does what viewers ask for.
    fn hear(&mut self) {
        for number in 0..self.viewers.len() {
            for message in self.viewers[number].receive() {
                self.obey(number, message);
                // One answer to who only asks: a question may be said a thousand times at once.
                if self.viewers[number].is_leaving() {
                    break;
                }
            }
        }
    }

    fn obey(&mut self, number: usize, message: FromViewer) {
        let viewer = &self.viewers[number];
        match message {
            FromViewer::Open { version, purpose } if !viewer.is_open => {
                self.admit(number, version, purpose);
            }
            // Who has not introduced itself has no say, and who only looks has none either.
            _ if !viewer.is_open => self.viewers[number].close(),
            _ if !viewer.holds_feed => {}
            FromViewer::Input(bytes) => self.terminal.type_in(&bytes),
            FromViewer::Resize(size) => self.terminal.resize(size),
            FromViewer::Tracing(on) => {
                let now = clock::monotonic_ns();
                control::set_tracing(self.watch.reader().header(), on, now);
            }
            FromViewer::Clear => {
                control::clear(self.watch.reader().header(), clock::monotonic_ns());
            }
            FromViewer::EndProgram => self.end_program(),
            FromViewer::Continue => self.continue_program(),
            FromViewer::Record(path) => self.record(&Output { path, force: false }),
            FromViewer::EndRecording => self.end_recording(),
            FromViewer::Mark { index, mark } => self.mark(index as usize, mark),
            _ => {}
        }
    }

    /// Sends what is queued, lets viewers go, and hands the feed on.
    fn flush(&mut self) {
        for number in 0..self.viewers.len() {
            if self.viewers[number].flush() {
                self.catch_up(number);
                self.viewers[number].flush();
            }
        }
        let before = self.viewers.len();
        self.viewers.retain(|viewer| !viewer.is_closed());
        if before != self.viewers.len() {
            self.hand_feed_on();
        }
    }

    fn hand_feed_on(&mut self) {
        if self.viewers.iter().any(|viewer| viewer.holds_feed) {
            return;
        }
        match self.viewers.iter_mut().find(|viewer| viewer.is_open) {
            Some(next) => {
                next.holds_feed = true;
                next.send_frame(&FromKeeper::Feed.encode());
                next.flush();
            }
            // The keeper itself reads the events that are recorded.
            None if control::is_lossless(self.watch.reader().header()) => {}
            None => control::set_feed(self.watch.reader().header(), false),
        }
    }

    fn is_over(&mut self) -> bool {
        if self.watch.exit().is_none() || self.watch.processes().any_alive() {
            return false;
        }
        // Nothing more will come, but from those who still have the terminal open.
        self.end_recording();
        self.terminal.let_go();
        if self.terminal.is_open() {
            return false;
        }
        let now = clock::monotonic_ns();
        let done_at = *self.done_at_ns.get_or_insert(now);
        if !self.viewers.is_empty() {
            self.was_seen |= self.viewers.iter().any(|viewer| viewer.is_open);
            return false;
        }
        self.was_seen || now >= done_at + LINGER_NS
    }
}
