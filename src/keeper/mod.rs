//! The process that holds a traced program.
//!
//! `memtop record` is that process itself; `memtop run` starts one apart, so that viewers can
//! come, go and crash while the program runs on.
//!
//! ```text
//!              ┌ preflight ─ launch ─ preload_file        before the start
//!  record ─────┤
//!              ├ watch ── clock, processes, history       while it runs
//!  server ─────┼ recording ── output, way, queue, events where that was asked for
//!    │         └ terminal, scrollback                     run only
//!    └ rendezvous, protocol ─── client                    the viewer's half
//! ```

pub mod client;
pub mod clock;
pub mod embedded;
mod environment;
pub mod events;
pub mod history;
pub mod launch;
mod namer;
pub mod output;
pub mod preflight;
pub mod preload_file;
pub mod processes;
pub mod protocol;
mod queue;
pub mod record;
pub mod recording;
pub mod rendezvous;
mod returning;
pub(crate) mod scrollback;
pub mod server;
mod terminal;
pub mod watch;
mod way;

pub use clock::Start;
pub use launch::{LACKS_PAIRS, LaunchError, Options};

/// The preload library that this memtop carries.
pub(crate) fn image() -> Option<preload_file::Image<'static>> {
    let (bytes, hash) = (memtop_probe::image::BYTES, memtop_probe::image::HASH);
    Some(preload_file::Image { bytes, hash })
}
