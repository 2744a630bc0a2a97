//! The keeper with real programs: what they see, what passes through, who may die.
//!
//! Everything goes through the `memtop` binary, so that signals, descriptors and mappings are
//! those of a real start.

#[path = "../launcher/mod.rs"]
mod launcher;
#[path = "../sample/random.rs"]
mod random;

mod bursts;
mod embedded;
mod events;
mod hostile;
mod jobs;
mod past;
mod record;
mod slow_disk;
mod viewers;

use memtop::sys::pty::Pty;

/// What is in a terminal now, in as many reads as it takes.
fn drained(terminal: &mut Pty) -> String {
    let mut all = Vec::new();
    // It ends with "would block", after what was read.
    let _ = std::io::Read::read_to_end(&mut terminal.master, &mut all);
    String::from_utf8_lossy(&all).into_owned()
}
