//! Session memory belongs to the program as much as to its reader: whatever is written there,
//! the reader ends, does not panic, and takes no more than there can be. `tests/fuzz` has the
//! fuzzer.

#[path = "../../tests/fuzz/exercise/session.rs"]
mod exercise;
mod support;

use std::{mem::offset_of, slice};

use exercise::{SIZE, Scribble, Scribbled, filled, scribbles};
use memtop_probe::session::{
    layout::{CELL_TABLE, PIECES, REGION, SLOTS, Session as Layout, Slot, TABLE},
    stacks::{CHUNKS, StackTable},
};
use proptest::prelude::*;
use support::{Session, output, program};

/// Memory as a program with children, stacks and events has left it.
fn honest() -> Vec<u64> {
    let session = Session::with_feed();
    output(session.command(program("fork_tree")).arg("many"));
    let header = session.reader().header();
    let regions = header.next_region.load(std::sync::atomic::Ordering::Relaxed);
    let used = (PIECES + u64::from(regions) * REGION) as usize;
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

/// A thousand threads whose tables all lead to one page of counters, for sixteen million stacks.
fn labyrinth(words: &[u64]) -> Vec<Scribble> {
    let word = |offset: u64| offset as usize / 8;
    let session = words[word(TABLE)];
    let field = |offset: usize| session + offset as u64;
    let slot = words[word(field(offset_of!(Layout, slots)))];
    let stacks = words[word(field(offset_of!(Layout, stack_table)))];
    let (table, leaf) = (SIZE - 8192, SIZE - 4096);
    let ids = word(field(offset_of!(Layout, first_id)));
    let used = word(field(offset_of!(Layout, slots_used)));
    let mut scribbles = vec![
        (ids, words[ids] & u64::from(u32::MAX) | (u64::from(u32::MAX) << 32)),
        (used, words[used] & !u64::from(u32::MAX) | SLOTS as u64),
    ];
    let slots = field(offset_of!(Layout, slots));
    scribbles.extend((0..SLOTS as u64).map(|at| (word(slots + 8 * at), slot)));
    let chunks = stacks + offset_of!(StackTable, stack_chunks) as u64;
    scribbles.extend((0..CHUNKS as u64).map(|at| (word(chunks + 8 * at), PIECES)));
    let cells = slot + offset_of!(Slot, cells) as u64;
    for at in 0..CELL_TABLE as u64 {
        scribbles.push((word(cells + 8 * at), table - slot));
        scribbles.push((word(table + 8 * at), leaf - slot));
    }
    scribbles
}

#[test]
fn a_labyrinth_has_an_end() {
    let words = honest();
    Scribbled::new(&words, labyrinth(&words)).look();
}
