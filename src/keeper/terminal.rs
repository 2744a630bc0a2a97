//! The program's terminal as the keeper holds it.
//!
//! It is always drained, viewer or not: a full pseudo-terminal would stop the program, a
//! closed one would hang it up.
//!
//! It is to the program what a shell's terminal is to a job. The keeper leads the session that
//! it belongs to, so that it outlives the program, and with it all that the program leaves in the
//! background; the program is in the foreground while it runs, and then the keeper itself, which
//! no key means anything to.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use super::scrollback::Scrollback;
use crate::sys::{
    descriptor, process,
    pty::{self, Pty, Size},
};

/// Typed ahead and not read yet; more is lost, as in any terminal, and never waited for.
const INPUT: usize = 1 << 20;
/// Bytes read at a time before others have their turn; also the most that one message holds.
const TURN: usize = 32 << 10;

#[derive(Debug)]
pub(super) struct Terminal {
    master: Option<File>,
    /// Kept open while anything that is traced runs, for a terminal that nobody has open is hung
    /// up.
    slave: Option<OwnedFd>,
    size: Size,
    input: VecDeque<u8>,
    pub(super) scrollback: Scrollback,
}

impl Terminal {
    /// A new one, which is the terminal of this process's session from now on.
    pub(super) fn open(size: Size) -> io::Result<Self> {
        let pty = Pty::open(size)?;
        pty::take(&pty.slave)?;
        Ok(Self {
            master: Some(pty.master),
            slave: Some(pty.slave),
            size,
            input: VecDeque::new(),
            scrollback: Scrollback::default(),
        })
    }

    /// The program's end.
    pub(super) fn slave(&self) -> Option<BorrowedFd<'_>> {
        self.slave.as_ref().map(AsFd::as_fd)
    }

    /// Which standard descriptors of the program it replaces: those that are terminals.
    pub(super) fn standard(&self) -> [Option<BorrowedFd<'_>>; 3] {
        [0, 1, 2].map(|number| self.slave().filter(|_| descriptor::is_terminal(number)))
    }

    /// Lets the program be in the foreground again, whoever took it.
    pub(super) fn give_to(&self, program: u32) {
        if let Some(slave) = &self.slave {
            let _ = pty::set_foreground(slave, program);
        }
    }

    /// The program has ended: what it left is in the background, where no key reaches it and the
    /// end of the session does not either.
    pub(super) fn take_back(&self) {
        if let Some(slave) = &self.slave {
            let _ = pty::set_foreground(slave, process::own_group() as u32);
        }
    }

    /// Hangs up what is in the foreground, as the end of a terminal does.
    pub(super) fn hang_up(&self) {
        let front = self.slave.as_ref().and_then(pty::foreground);
        if let Some(group) = front.filter(|group| *group != process::own_group() as u32) {
            let _ = process::signal_group(group, libc::SIGHUP);
            let _ = process::signal_group(group, libc::SIGCONT);
        }
    }

    /// Nothing that is traced runs any more: from now on it is gone when nobody has it open.
    pub(super) fn let_go(&mut self) {
        self.slave = None;
    }

    /// Whether it is still there.
    pub(super) fn is_open(&self) -> bool {
        self.master.is_some()
    }

    /// What to poll, and whether there is something to write; -1 when it is gone.
    pub(super) fn descriptor(&self) -> (RawFd, bool) {
        let number = self.master.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        (number, !self.input.is_empty())
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn resize(&mut self, size: Size) {
        let worth = size != self.size && size.columns != 0 && size.rows != 0;
        let master = self.master.as_ref().filter(|_| worth);
        if master.is_some_and(|master| pty::set_size(master, size).is_ok()) {
            self.size = size;
        }
    }

    /// Takes what was typed.
    pub(super) fn type_in(&mut self, bytes: &[u8]) {
        let room = INPUT - self.input.len().min(INPUT);
        self.input.extend(&bytes[..bytes.len().min(room)]);
        self.pass_input();
    }

    /// Hands the program what it is ready to take.
    pub(super) fn pass_input(&mut self) {
        let Some(master) = &mut self.master else {
            return self.input.clear();
        };
        while !self.input.is_empty() {
            match master.write(self.input.as_slices().0) {
                Ok(0) | Err(_) => return,
                Ok(length) => drop(self.input.drain(..length)),
            }
        }
    }

    /// What the program wrote since; empty when there is nothing.
    pub(super) fn drain(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 8 * 1024];
        while all.len() < TURN {
            let Some(master) = &mut self.master else {
                break;
            };
            match master.read(&mut buffer) {
                Ok(length) if length > 0 => all.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // No process has it open any more.
                _ => self.master = None,
            }
        }
        self.scrollback.extend(&all);
        all
    }
}
