//! Everything a person can ask for.

use crossterm::event::KeyEvent;

use crate::state::Screen;

/// One wish, independent of the key that expressed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Leave, asking first where that matters.
    Quit,
    /// Show a screen.
    Show(Screen),
    /// Show the screen after this one, in order.
    NextScreen,
    /// Show the screen before this one, in order.
    PreviousScreen,
    /// Open or close the help page.
    Help,
    /// Close what is on top, or undo the last narrowing.
    Back,
    /// Hold the tables still, or let them go on.
    Freeze,
    /// Number this moment and measure growth from it.
    Mark,
    /// Measure growth from the next mark, or from the start again.
    NextBaseline,
    /// Draw the size histogram by bytes or by blocks.
    ToggleBars,
    /// Pause or resume tracing.
    ToggleTracing,
    /// Forget what was traced so far.
    Clear,
    /// Show less time.
    ZoomIn,
    /// Show more time.
    ZoomOut,
    /// Show all time.
    ZoomReset,
    /// Show another process of the tree.
    Process(Step),
    /// Switch between the dark and the light palette.
    ToggleTheme,
    /// Draw everything anew.
    Repaint,
    /// Stop memtop in the shell; the program goes on.
    Suspend,
    /// Move in a list or a text.
    Move(Motion),
    /// Take what is selected.
    Choose,
    /// Give an answer to the dialog that asks.
    Answer(Answer),
    /// Start typing a filter.
    EditFilter,
    /// A character of the filter.
    Insert(char),
    /// Take back a character of the filter.
    Erase,
    /// Let the keyboard go to the program.
    StartTyping,
    /// Take the keyboard back.
    StopTyping,
    /// A key for the program.
    Type(KeyEvent),
    /// Pasted text, for the filter or the program.
    Paste(String),
}

/// To the one before or the one after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The one before.
    Previous,
    /// The one after.
    Next,
}

/// A movement in a list or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
}

/// What to do about the question a dialog asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Leave; the program goes on.
    Detach,
    /// Leave and end the program.
    EndProgram,
    /// Forget what was traced so far.
    Clear,
    /// Change nothing.
    Stay,
}
