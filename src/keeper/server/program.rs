//! The program as the keeper's job: started, stopped and continued, asked to end, ended.

use std::{io, os::fd::RawFd};

use super::Server;
use crate::{
    keeper::{launch::LaunchError, protocol::FromKeeper, terminal::Terminal, watch::Watch},
    sys::{clock, descriptor, last_resort, process, spawn::Place},
};

/// A program that was asked to end is made to after so long.
const FORCE_NS: u64 = 3_000_000_000;

/// Whether somebody wants the program to end, or what it left behind.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// It was asked to.
    asked: bool,
    /// When it is made to.
    force_at_ns: Option<u64>,
}

/// Starts the program on its terminal and lets go of everything that is the program's.
pub(super) fn start(watch: &Watch, terminal: &Terminal) -> Result<u32, LaunchError> {
    let Some(slave) = terminal.slave() else {
        let gone = io::Error::from(io::ErrorKind::NotConnected);
        return Err(LaunchError::prepare("use the terminal", gone, "try again"));
    };
    let pid = watch.prepared().start(terminal.standard(), Place::Foreground(slave))?;
    let standard: [RawFd; 3] = [0, 1, 2];
    let _ = descriptor::release_standard(&standard);
    descriptor::release_inherited();
    Ok(pid)
}

impl Server {
    /// Sees what became of the program.
    pub(super) fn reap(&mut self) {
        while self.signals.take().is_some() {}
        let was_stopped = self.watch.is_stopped();
        if self.watch.reap() {
            self.program_ended();
        } else if self.watch.is_stopped() != was_stopped {
            self.send_all(&FromKeeper::Stopped(!was_stopped));
        }
    }

    fn program_ended(&mut self) {
        last_resort::release(0);
        if std::mem::take(&mut self.ending).asked {
            // Whoever wanted it to end does not want its foreground to go on without it.
            self.terminal.hang_up();
        }
        self.terminal.take_back();
        // What it wrote comes before its end. A terminal holds little, and what others still
        // write to it must not keep this from ending.
        (0..16).for_each(|_| self.pass_output());
        let changes = self.watch.look();
        self.tell(&changes);
        if let Some(exit) = self.watch.exit() {
            self.send_all(&FromKeeper::Exit(exit));
        }
    }

    /// Lets a program that was stopped go on, in the foreground.
    pub(super) fn continue_program(&self) {
        if self.watch.is_stopped() {
            self.terminal.give_to(self.watch.root());
            self.signal_program(libc::SIGCONT);
        }
    }

    /// Asks the program to end, or what it left behind when it ended.
    pub(super) fn end_program(&mut self) {
        if self.ending.force_at_ns.is_some() {
            return;
        }
        self.signal_program(libc::SIGTERM);
        // One that is stopped must go on to hear it.
        self.signal_program(libc::SIGCONT);
        let force_at_ns = Some(clock::monotonic_ns() + FORCE_NS);
        self.ending = Ending { asked: true, force_at_ns };
    }

    /// Makes who was asked to end and did not.
    pub(super) fn insist(&mut self) {
        let now = clock::monotonic_ns();
        if self.ending.force_at_ns.take_if(|at| *at <= now).is_some() {
            self.signal_program(libc::SIGKILL);
        }
    }

    fn signal_program(&self, signal: i32) {
        match self.watch.exit() {
            None => _ = process::signal_group(self.watch.root(), signal),
            Some(_) => self.watch.processes().signal(signal),
        }
    }
}
