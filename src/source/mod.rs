//! Where readings come from, and whom a person's wishes go to.

pub mod live;
pub mod session;

use crate::model::{Exit, Point};
use live::Live;

/// What whoever holds the program says of its own accord.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// The program wrote to its terminal.
    Output(Vec<u8>),
    /// The timeline of a session before this viewer came.
    History(usize, Vec<Point>),
    /// The program ended.
    Exit(Exit),
    /// Whether this viewer may empty the event rings.
    Feed(bool),
    /// Another viewer holds the keyboard.
    ReadOnly(bool),
    /// Something the person should know.
    Notice(String),
}

/// What can be asked of whoever holds the program. Nothing here waits or fails loudly: when
/// nobody answers any more, the screen says so.
pub trait Controls {
    /// Starts or stops tracing.
    fn set_tracing(&mut self, live: &Live, on: bool);
    /// Makes what was traced so far untracked.
    fn clear(&mut self, live: &Live);
    /// Writes to the program's terminal.
    fn send_input(&mut self, bytes: &[u8]);
    /// Tells the program's terminal its size.
    fn resize(&mut self, columns: u16, rows: u16);
    /// Asks the program to end.
    fn end_program(&mut self);
}
