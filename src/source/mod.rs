//! Where readings come from, and whom a person's wishes go to.

pub mod family;
pub mod feed;
pub mod live;
pub mod past;
pub mod replay;
pub mod rewind;
pub mod session;
pub mod site_history;
pub mod sites;
pub mod surroundings;

use memtop_probe::session::{control, reader::Reader};

use crate::{
    keeper::{client::Connection, protocol::FromViewer},
    recording::Mark,
    sys::{clock, pty::Size},
};
use std::{path::PathBuf, sync::Arc};

/// What can be asked of whoever holds the program. Nothing here waits or fails loudly: when
/// nobody answers any more, the screen says so.
#[derive(Debug)]
pub enum Controls {
    /// A keeper does what is asked.
    Keeper(Connection),
    /// The program has no keeper; what can be asked of it goes into its session memory.
    Memory(Arc<Reader>),
    /// There is nobody to ask: it is a recording.
    Nobody,
}

impl Controls {
    /// Starts or stops tracing.
    pub fn set_tracing(&self, on: bool) {
        match self {
            Self::Keeper(connection) => tell(connection, &FromViewer::Tracing(on)),
            Self::Memory(reader) => {
                control::set_tracing(reader.header(), on, clock::monotonic_ns());
            }
            Self::Nobody => {}
        }
    }

    /// Makes what was traced so far untracked.
    pub fn clear(&self) {
        match self {
            Self::Keeper(connection) => tell(connection, &FromViewer::Clear),
            Self::Memory(reader) => control::clear(reader.header(), clock::monotonic_ns()),
            Self::Nobody => {}
        }
    }

    /// Writes to the program's terminal.
    pub fn send_input(&self, bytes: &[u8]) {
        if let Self::Keeper(connection) = self {
            tell(connection, &FromViewer::Input(bytes.to_vec()));
        }
    }

    /// Tells the program's terminal its size.
    pub fn resize(&self, columns: u16, rows: u16) {
        if let Self::Keeper(connection) = self {
            tell(connection, &FromViewer::Resize(Size { columns, rows }));
        }
    }

    /// Asks the keeper to record into a file; false where there is no keeper.
    pub fn record(&self, path: PathBuf) -> bool {
        match self {
            Self::Keeper(connection) => tell(connection, &FromViewer::Record(path)),
            Self::Memory(_) | Self::Nobody => return false,
        }
        true
    }

    /// Whether moments that are over are kept, and their figures can be read.
    pub fn keeps_moments(&self) -> bool {
        matches!(self, Self::Keeper(_))
    }

    /// Lets the keeper note a moment that was marked in the process of this session.
    pub fn mark(&self, session: usize, mark: Mark) {
        if let (Self::Keeper(connection), Ok(index)) = (self, u32::try_from(session)) {
            tell(connection, &FromViewer::Mark { index, mark });
        }
    }

    /// Asks the keeper to complete its recording.
    pub fn end_recording(&self) {
        if let Self::Keeper(connection) = self {
            tell(connection, &FromViewer::EndRecording);
        }
    }

    /// Lets a program that was stopped go on.
    pub fn continue_program(&self) {
        if let Self::Keeper(connection) = self {
            tell(connection, &FromViewer::Continue);
        }
    }

    /// Asks the program to end, or what it left behind. A program without a keeper is not memtop's to end.
    pub fn end_program(&self) {
        if let Self::Keeper(connection) = self {
            tell(connection, &FromViewer::EndProgram);
        }
    }
}

/// A keeper that is gone shows in its messages; there is nothing to do about it here.
fn tell(connection: &Connection, message: &FromViewer) {
    let _ = connection.send(message);
}
