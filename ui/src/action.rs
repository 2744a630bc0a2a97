//! Everything a person can ask for.

use crossterm::event::KeyEvent;

use crate::data::{DiffSort, Key, SortKey};
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
    /// Begin or end a recording.
    ToggleRecording,
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
    /// Put what is selected on the clipboard.
    Copy,
    /// Draw everything anew.
    Repaint,
    /// Stop memtop in the shell; the program goes on.
    Suspend,
    /// Move in a list or a text.
    Move(Motion),
    /// Move some rows, as the wheel of a mouse does.
    Wheel(Step),
    /// Select a row or a frame; one that is selected already is taken.
    Pick(Key),
    /// Take what is selected.
    Choose,
    /// Give an answer to the dialog that asks.
    Answer(Answer),
    /// Start typing a filter.
    EditFilter,
    /// A character of the line being typed.
    Insert(char),
    /// Take back a character of the line being typed.
    Erase,
    /// Sum by something else.
    Regroup,
    /// Tell growth by site or by size.
    RegroupGrowth,
    /// Sort sites by a figure; by the same once more turns the order round.
    SortSites(SortKey),
    /// Sort sites by the column before or after.
    SortColumn(Step),
    /// Turn the order of rows round.
    ReverseOrder,
    /// Sort the diff by a figure; by the same once more turns the order round.
    SortDiff(DiffSort),
    /// Let a function count what it called as its own, or not.
    WithCallees(bool),
    /// Show the frames of allocators, libraries and the runtime as well, or fold them.
    AllFrames,
    /// Show another stack of what was opened.
    Stack(Step),
    /// Let the widths of the flame mean something else.
    NextMeasure,
    /// Turn the flame over: callers of callees, or callees of callers.
    Invert,
    /// Zoom out by a frame.
    ZoomOutFrame,
    /// To a node that the search found.
    Match(Step),
    /// Show the growth between the chosen moments as a flame.
    FlameOfGrowth,
    /// Compare with another moment.
    PairFrom(Step),
    /// Look at another moment.
    PairTo(Step),
    /// Give a mark a name.
    NameMark,
    /// Write a snapshot to a file.
    SaveSnapshot,
    /// Read a snapshot from a file.
    LoadSnapshot,
    /// Let time go on by itself, or stop it.
    Play,
    /// Slower or faster.
    Speed(Step),
    /// To another moment.
    Seek(Seek),
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

/// To a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// One reading back or on.
    Tick(Step),
    /// A column of the picture back or on.
    Column(Step),
    /// To the stop before or after.
    Stop(Step),
    /// To the highest live bytes.
    Peak,
    /// To the next sudden growth.
    Growth,
    /// To where tracing began.
    Start,
    /// To the present, or the end.
    End,
}

/// A movement in a list, a text or a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One to the left, in a picture.
    Left,
    /// One to the right, in a picture.
    Right,
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
