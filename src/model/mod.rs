//! What memtop knows about a program: plain facts, free of where they came from.
//!
//! A live session, a recording and a test all produce the same [`ProcessState`]; the
//! report, the recording and the screens only ever read it.

pub mod state;
pub mod window;

pub use state::{
    Census, Entry, Exactness, Exit, Identity, Inherited, Interval, Point, ProcessState, SizeClass,
    ThreadState, Totals, TreeState, Untracked, Window,
};
pub use window::window_sentence;
