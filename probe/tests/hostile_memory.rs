//! Session memory belongs to the program as much as to its reader: whatever is written there,
//! the reader ends, does not panic, and takes no more than there can be.

mod support;

use std::{ops::Range, slice};

use memtop_probe::session::{
    layout::{JOURNAL, PIECES, RING, SLOTS},
    memory::{Memory, Settings},
    reader::Reader,
    stacks::MODULES,
};
use proptest::prelude::*;
use support::{Session, output, program};

/// Large enough for what the program uses, and small enough to be copied for every case.
const SIZE: u64 = 64 << 20;

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

/// A piece of memory in the making.
struct Copy {
    memory: Memory,
    descriptor: i32,
}

impl Copy {
    fn of(words: &[u64]) -> Copy {
        let settings =
            Settings { size: SIZE, nonce: 1, now_ns: 1, tick_ns: 1, limit: SIZE, frames: 128 };
        let (memory, descriptor) = Memory::create(&settings).expect("session memory");
        let copy = Copy { memory, descriptor };
        for (at, word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
            copy.write(at, *word);
        }
        copy
    }

    fn write(&self, at: usize, word: u64) {
        assert!((at as u64) < SIZE / 8);
        let base = core::ptr::from_ref(self.memory.header()).cast::<u64>().cast_mut();
        // SAFETY: within the mapping, as was just seen; words of shared memory may be anything.
        unsafe { base.add(at).write_volatile(word) };
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this copy's own.
        unsafe { libc::close(self.descriptor) };
    }
}

/// A value that a scribbler would like to see there.
fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX >> 1), Just(1 << 63)],
        // What is taken for an offset: aligned or not, within or just outside.
        0..SIZE,
        (0..SIZE / 64).prop_map(|at| at * 64),
        SIZE - 64..SIZE + 64,
        any::<u32>().prop_map(u64::from),
        any::<u32>().prop_map(|high| u64::from(high) << 32),
    ]
}

/// Where it is written: among the words that hold something, in the header, or anywhere.
fn place() -> impl Strategy<Value = (u8, u32)> {
    (0u8..4, any::<u32>())
}

fn look_at_everything(reader: &Reader) {
    let (mut events, mut sites) = (Vec::new(), Vec::new());
    reader.clock();
    let sessions = reader.session_count().min(200);
    for index in 0..sessions {
        let _ = (reader.identity(index), reader.command(index), reader.capture(index));
        if let Some(reading) = reader.read(index) {
            assert!(reading.threads.len() <= SLOTS + 1);
        }
        reader.highest_since(index, 3);
        events.clear();
        reader.drain_events(index, &mut events);
        assert!(events.len() <= SLOTS * RING);
        for number in 0..reader.journal_count(index).min(8) {
            events.clear();
            reader.drain_journal((index, number), true, &mut events);
            assert!(events.len() <= JOURNAL);
        }
        assert!(reader.modules(index, 0).len() <= MODULES);
        // No more records than there are words.
        let room = SIZE as usize / 8;
        assert!(reader.nodes(index, 0).len() <= room && reader.stacks(index, 0).len() <= room);
        reader.read_sites(index, &mut sites);
        assert!(sites.len() <= room, "{} sites", sites.len());
        let Range { start, end } = reader.stacks_of_window(index);
        for stack in [start, end.saturating_sub(1)] {
            assert!(reader.site_threads(index, stack).len() <= SLOTS + 1);
        }
    }
}

#[test]
fn whatever_is_written_there_a_reader_ends() {
    let words = honest();
    let filled: Vec<usize> = (0..words.len()).filter(|at| words[*at] != 0).collect();
    let cases = if std::env::var_os("MEMTOP_LONG").is_some() { 20_000 } else { 60 };
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let scribbles = prop::collection::vec((place(), value()), 1..400);
    proptest!(config, |(scribbles in scribbles)| {
        let copy = Copy::of(&words);
        for ((kind, at), value) in scribbles {
            let at = at as usize;
            let place = match kind {
                0 | 1 => filled[at % filled.len()],
                2 => at % (PIECES as usize / 8),
                _ => at % words.len(),
            };
            copy.write(place, value);
        }
        // A reader that opens checks the first words; one that has it open already does not.
        let _ = Reader::open(copy.descriptor).map(|reader| look_at_everything(&reader));
        look_at_everything(&Reader::over(copy.memory));
    });
}
