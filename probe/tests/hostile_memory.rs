//! Session memory belongs to the program as much as to its reader: whatever is written there,
//! the reader ends, does not panic, and takes no more than there can be. `tests/fuzz` has the
//! fuzzer.

#[path = "../../tests/fuzz/exercise/session.rs"]
mod exercise;
mod support;

use std::slice;

use exercise::{SIZE, Scribbled, filled, scribbles};
use memtop_probe::session::layout::PIECES;
use proptest::prelude::*;
use support::{Session, output, program};

/// Memory as a program with children, stacks and events has left it.
fn honest() -> Vec<u64> {
    let session = Session::with_feed();
    output(session.command(program("fork_tree")).arg("many"));
    let header = session.reader().header();
    let used = header.next_piece.load(std::sync::atomic::Ordering::Relaxed) as usize;
    assert!(used > PIECES as usize && used < SIZE as usize, "{used} bytes are used");
    assert!(session.readings().len() > 40);
    // SAFETY: the header begins the mapping, which is longer than what is used of it, and
    // nobody writes any more.
    unsafe { slice::from_raw_parts(core::ptr::from_ref(header).cast::<u64>(), used / 8) }.to_vec()
}

#[test]
fn whatever_is_written_there_a_reader_ends() {
    let words = honest();
    let filled = filled(&words);
    let cases = if std::env::var_os("MEMTOP_LONG").is_some() { 20_000 } else { 60 };
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(bytes in prop::collection::vec(any::<u8>(), 9..3600))| {
        Scribbled::new(&words, scribbles(&bytes, &words, &filled)).look();
    });
}
