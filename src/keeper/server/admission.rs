//! How viewers get in, and what they are told first.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    time::Duration,
};

use memtop_probe::session::control;

use super::{Server, viewer::Viewer};
use crate::{
    keeper::{
        launch::Options,
        protocol::{Frames, FromKeeper, FromViewer, Hello, Purpose, VERSION},
    },
    source::session::live_bytes,
    sys::{file, pty::Size, socket},
};

/// A viewer that has just made its keeper says at once what to start.
const PATIENCE: Duration = Duration::from_secs(10);
/// Viewers at a time.
const MOST_VIEWERS: usize = 32;
/// Of a longer command line, viewers get the beginning.
const COMMAND: usize = 64 << 10;

pub(super) fn receive_start(socket: &UnixStream) -> io::Result<(Options, Size)> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut frames = Frames::default();
    let mut buffer = [0; 4096];
    loop {
        let (length, _) = socket::receive(socket, &mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        frames.extend(&buffer[..length]);
        let Some((kind, payload)) = frames.take().map_err(io::Error::other)? else {
            continue;
        };
        return match FromViewer::decode(kind, payload).map_err(io::Error::other)? {
            Some(FromViewer::Start { options, size }) => Ok((options, size)),
            _ => Err(io::ErrorKind::InvalidData.into()),
        };
    }
}

impl Server {
    /// The viewer that made this keeper.
    pub(super) fn welcome(&mut self, socket: UnixStream) -> io::Result<()> {
        self.viewers.push(Viewer::new(socket)?);
        self.open(0, Purpose::Watch);
        Ok(())
    }

    pub(super) fn accept(&mut self) {
        let Some(door) = &self.door else { return };
        while let Ok((socket, _)) = door.listener.accept() {
            let own = file::credentials().effective_user;
            let welcome = socket::peer_user(&socket).is_ok_and(|user| user == own);
            if welcome && self.viewers.len() < MOST_VIEWERS {
                self.viewers.extend(Viewer::new(socket));
            }
        }
    }

    pub(super) fn admit(&mut self, number: usize, version: u32, purpose: Purpose) {
        if version == VERSION {
            return self.open(number, purpose);
        }
        let message = format!(
            "the program is held by another version of memtop (protocol {VERSION}, not \
             {version}); join it with the one that started it"
        );
        let refusal = FromKeeper::Failed { message, code: 1 };
        self.viewers[number].send_frame(&refusal.encode());
        self.viewers[number].close_when_sent();
    }

    fn open(&mut self, number: usize, purpose: Purpose) {
        if purpose == Purpose::Ask {
            let hello = FromKeeper::Hello(self.hello(false));
            self.viewers[number].send_frame(&hello.encode());
            return self.viewers[number].close_when_sent();
        }
        let holds = !self.viewers.iter().any(|viewer| viewer.holds_feed);
        let hello = FromKeeper::Hello(self.hello(holds)).encode();
        let viewer = &mut self.viewers[number];
        viewer.is_open = true;
        viewer.holds_feed = holds;
        viewer.send_with_descriptor(&hello, self.watch.prepared().memory.as_fd());
        control::set_feed(self.watch.reader().header(), true);
        let scrollback = FromKeeper::Scrollback(self.terminal.scrollback.bytes());
        self.viewers[number].send_frame(&scrollback.encode());
        self.catch_up(number);
        if self.watch.is_stopped() {
            self.viewers[number].send_frame(&FromKeeper::Stopped(true).encode());
        }
        if let Some(exit) = self.watch.exit() {
            self.viewers[number].send_frame(&FromKeeper::Exit(exit).encode());
        }
    }

    fn hello(&self, holds_feed: bool) -> Hello {
        let mut room = COMMAND;
        let mut command = self.watch.command().to_vec();
        command.retain_mut(|argument| {
            argument.truncate(room);
            room -= argument.len();
            room > 0
        });
        Hello {
            version: VERSION,
            keeper: std::process::id(),
            root: self.watch.root(),
            launched_at: self.watch.launched_at(),
            has_pty: self.has_pty,
            holds_feed,
            size: self.terminal.size(),
            command,
            warnings: self.warnings.clone(),
            live: self.live_bytes(),
            viewers: self.viewers.iter().filter(|viewer| viewer.is_open).count() as u32,
            exit: self.watch.exit(),
            past: self.past.as_ref().and_then(|(_, number)| u32::try_from(*number).ok()),
        }
    }

    /// What all processes that run hold together; unknown while there is none.
    fn live_bytes(&self) -> Option<u64> {
        let reader = self.watch.reader();
        let alive = self.watch.processes().images().iter().filter(|image| image.end().is_none());
        let live = alive.filter_map(|image| reader.read(image.index)).map(|one| live_bytes(&one));
        live.reduce(u64::saturating_add)
    }

    /// All histories and ends so far, for a viewer that came late or fell behind.
    pub(super) fn catch_up(&mut self, number: usize) {
        let mut messages = Vec::new();
        for image in self.watch.processes().images() {
            messages.extend(self.history(image.index, image.timeline().to_vec(), true));
            messages.extend(self.ending(image.index));
        }
        for message in messages {
            self.viewers[number].send_frame(&message.encode());
        }
    }
}
