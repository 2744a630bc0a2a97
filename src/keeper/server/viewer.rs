//! One viewer as the keeper sees it: a socket that never blocks and a queue that is bounded.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

use crate::{
    keeper::protocol::{Frames, FromKeeper, FromViewer},
    sys::{clock, poll, socket},
};

/// Output and samples that a slow viewer may leave unread; what comes then is not queued.
/// More than a whole scrollback, which a new viewer gets at once.
const QUEUE: usize = 3 << 20;
/// Who connects must introduce itself so soon.
const INTRODUCTION_NS: u64 = 5_000_000_000;
/// Bytes read from one viewer before others have their turn.
const TURN: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Viewer {
    socket: UnixStream,
    incoming: Frames,
    outgoing: VecDeque<u8>,
    came_at_ns: u64,
    /// It has introduced itself and gets all messages.
    pub(super) is_open: bool,
    /// It drains the events, and what it asks for is done.
    pub(super) holds_feed: bool,
    /// Bytes of output that were not queued.
    lost: u64,
    /// Samples were not queued.
    is_behind: bool,
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stays,
    WhenSent,
    Closed,
}

impl Viewer {
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            incoming: Frames::default(),
            outgoing: VecDeque::new(),
            came_at_ns: clock::monotonic_ns(),
            is_open: false,
            holds_feed: false,
            lost: 0,
            is_behind: false,
            ending: Ending::Stays,
        })
    }

    pub(super) fn wait(&self) -> poll::Wait {
        // Nobody reads what is said after the last word, and it must not wake anybody for ever.
        let read = self.ending == Ending::Stays;
        poll::Wait::new(self.socket.as_raw_fd(), read, !self.outgoing.is_empty())
    }

    /// What it said since.
    pub(super) fn receive(&mut self) -> Vec<FromViewer> {
        let mut messages = Vec::new();
        let mut buffer = [0; 16 * 1024];
        let mut total = 0;
        while total < TURN && self.ending == Ending::Stays {
            match self.socket.read(&mut buffer) {
                Ok(0) => self.close(),
                Ok(length) => {
                    total += length;
                    self.incoming.extend(&buffer[..length]);
                    self.decode(&mut messages);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.close(),
            }
        }
        let introduced = self.is_open || !messages.is_empty() || self.ending != Ending::Stays;
        if !introduced && self.is_overdue() {
            self.close();
        }
        messages
    }

    fn is_overdue(&self) -> bool {
        clock::monotonic_ns() > self.came_at_ns.saturating_add(INTRODUCTION_NS)
    }

    fn decode(&mut self, messages: &mut Vec<FromViewer>) {
        loop {
            let frame = self.incoming.take();
            match frame.and_then(|frame| {
                frame.map(|(kind, payload)| FromViewer::decode(kind, payload)).transpose()
            }) {
                Ok(Some(message)) => messages.extend(message),
                Ok(None) => return,
                Err(_) => return self.close(),
            }
        }
    }

    /// Queues a message that must arrive. All of them together are bounded by what happens
    /// once in the life of a process.
    pub(super) fn send_frame(&mut self, frame: &[u8]) {
        self.outgoing.extend(frame);
    }

    /// Queues output, or counts it when the viewer is too slow.
    pub(super) fn send_output(&mut self, message: &FromKeeper) {
        if self.lost == 0 && self.outgoing.len() < QUEUE {
            self.send_frame(&message.encode());
        } else if let FromKeeper::Output(bytes) = message {
            self.lost += bytes.len() as u64;
        }
    }

    /// Queues samples, unless the viewer is too slow; it gets all of them later.
    pub(super) fn send_sample(&mut self, message: &FromKeeper) {
        if self.is_behind || self.outgoing.len() >= QUEUE {
            self.is_behind = true;
        } else {
            self.send_frame(&message.encode());
        }
    }

    /// Sends a frame at once, with a descriptor. The queue is empty at this time.
    pub(super) fn send_with_descriptor(&mut self, frame: &[u8], descriptor: BorrowedFd<'_>) {
        match socket::send_descriptor(&self.socket, frame, descriptor) {
            Ok(sent) => self.send_frame(&frame[sent.min(frame.len())..]),
            Err(_) => self.close(),
        }
    }

    /// Sends what the socket takes. True when a viewer that was too slow has read everything
    /// and needs the histories anew.
    pub(super) fn flush(&mut self) -> bool {
        self.push();
        // Who asks and does not listen is not kept waiting for.
        let done = self.outgoing.is_empty() || self.is_overdue();
        if done && self.ending == Ending::WhenSent {
            self.close();
        }
        if !self.outgoing.is_empty() || self.ending != Ending::Stays {
            return false;
        }
        if self.lost != 0 {
            let gap = FromKeeper::Gap(std::mem::take(&mut self.lost));
            self.send_frame(&gap.encode());
            self.push();
        }
        std::mem::take(&mut self.is_behind)
    }

    fn push(&mut self) {
        while !self.outgoing.is_empty() && self.ending != Ending::Closed {
            match self.socket.write(self.outgoing.as_slices().0) {
                Ok(length) if length > 0 => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => self.close(),
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.ending = Ending::Closed;
    }

    pub(super) fn close_when_sent(&mut self) {
        if self.ending == Ending::Stays {
            self.ending = Ending::WhenSent;
        }
    }

    /// It has said what it had to say.
    pub(super) fn is_leaving(&self) -> bool {
        self.ending != Ending::Stays
    }

    pub(super) fn is_closed(&self) -> bool {
        self.ending == Ending::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(socket: &mut UnixStream, frames: &mut Frames) -> Vec<FromKeeper> {
        let mut buffer = vec![0; 1 << 16];
        let mut found = Vec::new();
        while let Ok(length) = socket.read(&mut buffer) {
            frames.extend(&buffer[..length]);
            while let Some((kind, payload)) = frames.take().unwrap() {
                found.extend(FromKeeper::decode(kind, payload).unwrap());
            }
        }
        found
    }

    #[test]
    fn a_viewer_that_does_not_read_is_told_what_it_missed() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let mut viewer = Viewer::new(ours).unwrap();
        let output = FromKeeper::Output(vec![b'x'; 64 << 10]);
        let count = 100;
        for _ in 0..count {
            viewer.send_output(&output);
            assert!(!viewer.flush() || viewer.outgoing.is_empty());
            assert!(viewer.outgoing.len() <= QUEUE + (65 << 10));
        }
        viewer.send_sample(&FromKeeper::Feed);
        let mut frames = Frames::default();
        let mut received = 0;
        let mut gap = None;
        let mut again = false;
        while gap.is_none() {
            again |= viewer.flush();
            for message in messages(&mut theirs, &mut frames) {
                match message {
                    FromKeeper::Output(bytes) => received += bytes.len() as u64,
                    FromKeeper::Gap(bytes) => gap = Some(bytes),
                    _ => {}
                }
            }
        }
        assert_eq!(received + gap.unwrap(), count * (64 << 10));
        assert!(again);
        assert!(!viewer.is_closed());
    }

    #[test]
    fn garbage_ends_the_connection() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut viewer = Viewer::new(ours).unwrap();
        theirs.write_all(&[0xFF; 64]).unwrap();
        assert_eq!(viewer.receive(), []);
        assert!(viewer.is_closed());
    }

    #[test]
    fn a_viewer_that_leaves_is_noticed() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut viewer = Viewer::new(ours).unwrap();
        drop(theirs);
        viewer.receive();
        assert!(viewer.is_closed());
    }
}
