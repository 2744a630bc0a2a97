//! The program's own terminal.

use vt100::Screen;

/// The program's own terminal.
#[derive(Default)]
pub enum Output<'a> {
    /// memtop holds the program's terminal. Call `set_scrollback` with
    /// [`State::scrollback`](crate::State::scrollback) before the frame.
    Terminal(&'a Screen),
    /// The program writes elsewhere: its output was redirected.
    Redirected,
    /// A recording is replayed, which holds no output.
    NotRecorded,
    /// memtop joined the program, which keeps its own terminal.
    #[default]
    Elsewhere,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Terminal(_) => "Terminal(..)",
            Self::Redirected => "Redirected",
            Self::NotRecorded => "NotRecorded",
            Self::Elsewhere => "Elsewhere",
        })
    }
}
