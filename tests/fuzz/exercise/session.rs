// Session memory as a hostile program may leave it, and everything that a reader does with it;
// shared by the fuzz target and by the tests that stand in for it.

use std::ops::Range;

use memtop_probe::session::{
    layout::{JOURNAL, MAGIC, PIECES, RING, SLOTS, VERSION},
    memory::{Memory, Settings},
    reader::Reader,
    stacks::MODULES,
};

/// Large enough for what a small program uses, and small enough to be made for every case.
pub const SIZE: u64 = 64 << 20;

/// A word, and where it is written: in units of words.
pub type Scribble = (usize, u64);

/// Memory that a program has scribbled over. Its mapping is the reader's that [`look`] gives.
///
/// [`look`]: Scribbled::look
pub struct Scribbled {
    memory: Memory,
    descriptor: i32,
}

impl Scribbled {
    /// Memory with these words, but for what was written over them.
    pub fn new(words: &[u64], scribbles: impl IntoIterator<Item = Scribble>) -> Scribbled {
        let settings =
            Settings { size: SIZE, nonce: 1, now_ns: 1, tick_ns: 1, limit: SIZE, frames: 128 };
        let (memory, descriptor) = Memory::create(&settings).expect("session memory");
        let scribbled = Scribbled { memory, descriptor };
        for (at, word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
            scribbled.write(at, *word);
        }
        scribbles.into_iter().for_each(|(at, word)| scribbled.write(at, word));
        scribbled
    }

    fn write(&self, at: usize, word: u64) {
        assert!((at as u64) < SIZE / 8);
        let base = core::ptr::from_ref(self.memory.header()).cast::<u64>().cast_mut();
        // SAFETY: within the mapping, as was just seen; words of shared memory may be anything.
        unsafe { base.add(at).write_volatile(word) };
    }

    /// Looks at all of it: as somebody who has it open, which the result still has, and as
    /// somebody who opens it now.
    pub fn look(&self) -> Reader {
        let before = Reader::over(self.memory);
        look_at_everything(&before);
        self.pass_off_as_ours();
        look_at_everything(&Reader::open(self.descriptor).expect("it looks like one"));
        before
    }

    /// Puts what a reader checks when it opens a memory back to what it wants to see.
    fn pass_off_as_ours(&self) {
        self.write(0, MAGIC);
        self.write(1, u64::from(VERSION));
        self.write(2, SIZE);
    }
}

impl Drop for Scribbled {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this copy's own.
        unsafe { libc::close(self.descriptor) };
    }
}

/// Places that are worth scribbling at: the words that hold something.
pub fn filled(words: &[u64]) -> Vec<usize> {
    (0..words.len()).filter(|at| words[*at] != 0).collect()
}

/// Bytes as scribbles: nine for each, the first of which says what the others mean.
pub fn scribbles<'a>(
    bytes: &'a [u8],
    words: &'a [u64],
    filled: &'a [usize],
) -> impl Iterator<Item = Scribble> + 'a {
    bytes.chunks_exact(9).map(|chunk| {
        let number = |at: usize| {
            u32::from_le_bytes([chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3]])
        };
        let (what, at, value) = (chunk[0], number(1), number(5));
        let place = place(what, at, words.len(), filled);
        (place, meaning(what >> 2, value, words[place]))
    })
}

/// Among the words that hold something, in the header and table, or anywhere.
fn place(what: u8, at: u32, words: usize, filled: &[usize]) -> usize {
    let at = at as usize;
    match what % 4 {
        0 | 1 => filled[at % filled.len()],
        2 => at % (PIECES as usize / 8),
        _ => at % words,
    }
}

/// What a scribbler would like to see there, offsets above all.
fn meaning(what: u8, value: u32, before: u64) -> u64 {
    let value = u64::from(value);
    match what % 8 {
        0 => value,
        1 => value << 32,
        2 => value.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        3 => value % SIZE / 64 * 64,
        4 => value % SIZE / 4096 * 4096,
        5 => SIZE - 64 + value % 128,
        6 => before ^ 1 << (value % 64),
        _ => [0, 1, u64::MAX, u64::MAX >> 1, 1 << 63][value as usize % 5],
    }
}

/// Looks at everything there is; each list is no longer than there can be.
fn look_at_everything(reader: &Reader) {
    reader.clock();
    let sessions = reader.session_count().min(200);
    for index in 0..sessions {
        look_at_figures(reader, index);
        look_at_events(reader, index);
        look_at_stacks(reader, index);
    }
}

fn look_at_figures(reader: &Reader, index: usize) {
    let _ = (reader.identity(index), reader.command(index), reader.capture(index));
    if let Some(reading) = reader.read(index) {
        assert!(reading.threads.len() <= SLOTS + 1);
    }
    reader.highest_since(index, 3);
}

fn look_at_events(reader: &Reader, index: usize) {
    let mut events = Vec::new();
    reader.drain_events(index, &mut events);
    assert!(events.len() <= SLOTS * RING);
    for number in 0..reader.journal_count(index).min(8) {
        assert!(reader.drain_journal((index, number), true, |_| ()) <= JOURNAL);
    }
}

fn look_at_stacks(reader: &Reader, index: usize) {
    assert!(reader.modules(index, 0).len() <= MODULES);
    // No more records than there are words.
    let room = SIZE as usize / 8;
    assert!(reader.nodes(index, 0).len() <= room && reader.stacks(index, 0).len() <= room);
    let mut sites = Vec::new();
    reader.read_sites(index, &mut sites);
    assert!(sites.len() <= room, "{} sites", sites.len());
    let asked = reader.stacks_by_thread(index);
    let all: usize = asked.iter().map(|(_, stacks)| stacks.len()).sum();
    // What a thread took over from another stands under both.
    assert!(asked.len() <= 2 * (SLOTS + 1) && all <= 2 * (room + SLOTS), "{all} stacks");
    let Range { start, end } = reader.stacks_of_window(index);
    for stack in [start, end.saturating_sub(1)] {
        assert!(reader.site_threads(index, stack).len() <= SLOTS + 1);
    }
}
