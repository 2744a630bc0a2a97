//! What keeper and viewers say to each other.
//!
//! ```text
//!  frame   ┌ length u32 ┬ kind u8 ┬ payload … ┐     little-endian; length counts kind and payload
//!
//!  viewer             keeper
//!    │── Open ──────────▶│      or Start, to the keeper that the viewer has just made
//!    │◀── Hello + memfd ─│      or Failed
//!    │◀── Scrollback ────│      what the terminal showed so far
//!    │◀── History … ─────│      one for each process image
//!    │◀── Output, History, ProcessEnded, Stopped, Exit, Feed, Recording … until one leaves
//!    │── Input, Resize, Tracing, Clear, Continue, EndProgram, Record, EndRecording ──▶
//! ```
//!
//! Both sides treat the other's bytes as hostile: lengths are bounded before anything is
//! allocated, and a frame that does not parse ends the connection and nothing else. Kinds
//! that are unknown are skipped, so that a newer side may say more; what changes the meaning
//! of an old kind is a new [`VERSION`].

mod message;
mod wire;

pub use message::{FromKeeper, FromViewer, Hello, Purpose};
pub use wire::{Frames, Malformed};

/// Version of this protocol.
pub const VERSION: u32 = 5;
/// Longest frame: a command line and an environment of the kernel's greatest size fit.
pub const LONGEST: usize = 4 << 20;
