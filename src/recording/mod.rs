//! Recordings: what memtop knew about a launch, in one file.
//!
//! A recording must survive the machine that wrote it: it is only ever appended to, each
//! frame can be checked on its own, and a file that was cut (a crash, a full disk, a copy
//! that stopped) opens up to the cut. It must also survive its own format: a reader skips
//! what it does not know, by length.
//!
//! # The file, format 1
//!
//! ```text
//!  offset 0            8                  12
//!  +-------------------+------------------+---------+---------+----     ----+-----------+
//!  | 89 'memtop' 0A    | version          | launch  | process |     ...     | end       |
//!  | 8 bytes           | u32              | frame   | frame   |             | frame     |
//!  +-------------------+------------------+---------+---------+----     ----+-----------+
//! ```
//!
//! All fixed-width integers are little-endian. The magic starts with a byte that no text
//! holds and ends with a line feed, so that a copy in text mode is noticed. `version` is 1.
//! It is raised only by a change that an older reader would *misread*; whatever it can skip
//! (a new frame kind, a new field) leaves the version alone. A reader refuses versions
//! above its own, and 0.
//!
//! # A frame
//!
//! ```text
//!  +-----------------+--------+-----------------+------------------------+
//!  | length          | kind   | crc             | payload                |
//!  | u32, <= 4 MiB   | u8     | u32             | `length` bytes         |
//!  +-----------------+--------+-----------------+------------------------+
//! ```
//!
//! `crc` is CRC-32 (IEEE) over length, kind and payload as they stand in the file. A frame
//! that is shorter than its length, longer than 4 MiB, or fails its CRC is the *cut*:
//! nothing from there on is believed. A file whose last frame is not `end` counts as cut
//! too, even at a frame's edge: it was still being written, or its writer was killed.
//!
//! | kind | name | payload | written |
//! |---|---|---|---|
//! | 1 | launch | fields | once, first |
//! | 2 | process | fields | once for each process image, before any other frame about it |
//! | 3 | window | fields | when tracing starts or stops; the last one of an image counts |
//! | 4 | state | fields | at a labelled moment; the last one of each moment counts |
//! | 5 | timeline | fields | batches of samples, in order |
//! | 6 | exit | fields | when an image, or the launched program, ends |
//! | 7 | end | fields | once, last; bytes behind it are not read |
//!
//! Kinds 16 to 22 are set aside for what comes next in this same format (16 modules,
//! 17 symbols, 18 stacks, 19 threads, 20 cells, 21 events, 22 index). A reader checks the
//! CRC of a kind it does not know, and skips it.
//!
//! # Fields
//!
//! Every payload, and every value that is a record of its own, is a row of fields:
//!
//! ```text
//!  +---------+----------+------------------+---------+----------+-----
//!  | tag     | length   | value            | tag     | length   | ...
//!  | varint  | varint   | `length` bytes   | varint  | varint   |
//!  +---------+----------+------------------+---------+----------+-----
//! ```
//!
//! A **varint** is unsigned LEB128: seven bits a byte, least significant first, the top bit
//! set on all but the last byte, at most 10 bytes and 64 bits:
//!
//! ```text
//!  300 = 1 0010 1100    ->    1 0101100   0 0000010    ->    AC 02
//!                             |           +- last byte
//!                             +- more to come
//! ```
//!
//! Rules, for reader and writer alike:
//!
//! - An unknown tag is skipped by its length.
//! - A field that is not there is zero, empty or, where the model has an `Option`, unknown.
//!   A known zero of such an optional field *is* written.
//! - A list is the same tag several times, in order. Any other tag twice: the last counts.
//! - Bytes of a value behind what its type needs are ignored.
//! - A value that is too short for its type, or a number that does not fit the model, makes
//!   the frame malformed, and with it the file cut.
//!
//! Value types: **uint** a varint; **sint** a varint of the zigzag form
//! (0, -1, 1, -2 ... as 0, 1, 2, 3 ...); **time** a uint of nanoseconds; **float** IEEE 754
//! double, 8 bytes; **text** UTF-8 (what is not becomes U+FFFD); **bytes** as they are;
//! **record** fields again; **column** varints back to back, to the end of the value.
//!
//! # The frames' fields
//!
//! `image` is a uint that the writer chose in its process frame; frames about an image that
//! was never introduced are skipped. Times of an image are since its session began, except
//! `started` and `ended`, which are since the launch. `*_bytes` are bytes, requested unless
//! the name says otherwise.
//!
//! ```text
//!  launch    1 launched_at time, since the Unix epoch      2 command bytes, list
//!  process   1 image   2 pid uint <= 2^32-1   3 generation uint <= 2^32-1   4 parent uint, optional
//!            5 command bytes, list            6 entry uint: 0 preload, 1 embedded, 2 fork
//!            7 started time
//!  window    1 image   2 interval record, list: 1 from time, 2 to time, optional (absent: open)
//!  state     1 image   2 moment uint: 0 end; a reader skips moments it does not know
//!            3 taken at, time: set aside for states along the way
//!            4 totals record          5 untracked record      6 inherited record
//!            7 exactness record       8 size class record, list
//!            9 size class at the byte peak, record, list      10 thread record, list
//!  timeline  1 image   2 at column    3 current_bytes column  4 max_bytes column
//!            5 rss known, bits        6 rss_bytes column      7 untracked_freed_bytes column
//!  exit      1 image, optional: absent for the launched program as a whole
//!            2 ended time, optional   3 exit record, optional: 1 code sint | 2 signal sint
//!  end       1 frames uint: how many stand before this one
//! ```
//!
//! An `entry` that the reader does not know reads as preload. The fields of the records
//! inside a state are the tables in `schema.rs`, in the words of [`crate::model`].
//!
//! **Timeline columns.** As many samples as `at` has numbers, at most 65,536 a frame. Each
//! number is the zigzag form of the difference to the previous one of its column, modulo
//! 2^64, the first to 0; so each frame stands on its own. A column that is missing is all
//! zeros. `rss known` has one bit a sample, least significant first; only known ones have a
//! number in `rss_bytes`.
//!
//! ```text
//!  at             0.1 s   0.2 s   0.3 s      deltas in ns: +100000000 +100000000 +100000000
//!  current_bytes   1000    1500    1200      deltas:            +1000       +500       -300
//!  rss              4 K       –     8 K      known bits 101,    +4096                 +4096
//! ```
//!
//! # Limits
//!
//! A file is hostile until read: lengths are checked before use, a frame's buffer grows only
//! with bytes that are really there, and a recording that would take more than
//! [`MAX_HELD_BYTES`] of memory to hold is refused.

mod assembly;
mod dump;
mod reader;
mod schema;
mod timeline;
mod value;
mod wire;
mod writer;

use std::{fs::File, io::BufReader, path::Path};

pub use assembly::{Recording, read_tree};
pub use dump::dump;
pub use reader::{Frame, ReadError, Reader};
pub use writer::{Image, Writer, write_tree};

use crate::Error;

/// First bytes of every recording.
pub const MAGIC: [u8; 8] = *b"\x89memtop\n";
/// The format this memtop writes, and the highest it reads.
pub const VERSION: u32 = 1;
/// Longest payload of a frame.
pub const MAX_FRAME_BYTES: u32 = 4 << 20;
/// Most samples of one timeline frame.
pub const MAX_FRAME_POINTS: usize = 1 << 16;
/// Most memory that a recording may take once it is read.
pub const MAX_HELD_BYTES: usize = 512 << 20;

/// Length, kind and CRC in front of a payload.
const FRAME_HEADER_BYTES: usize = 9;

/// The moment of a state frame: the end of the process, or of the recording.
const MOMENT_END: u64 = 0;

/// Kinds of frames.
mod kind {
    pub(super) const LAUNCH: u8 = 1;
    pub(super) const PROCESS: u8 = 2;
    pub(super) const WINDOW: u8 = 3;
    pub(super) const STATE: u8 = 4;
    pub(super) const TIMELINE: u8 = 5;
    pub(super) const EXIT: u8 = 6;
    pub(super) const END: u8 = 7;
}

/// CRC of a frame, from its parts as they stand in the file.
fn frame_crc(length: [u8; 4], kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}

/// Reads the recording in the file at `path`.
///
/// # Errors
/// When the file cannot be read or is not a recording that this memtop understands. A cut
/// file is no error: [`Recording::cut`] tells.
pub fn open(path: &Path) -> Result<Recording, Error> {
    let recording =
        File::open(path).map_err(ReadError::from).and_then(|file| read_tree(BufReader::new(file)));
    recording.map_err(|source| Error::Recording { path: path.to_owned(), source })
}

/// Writes the text form of the recording at `path` to `out`, one line a record.
///
/// # Errors
/// When the file cannot be read, or `out` cannot be written.
pub fn dump_file(path: &Path, out: &mut impl std::io::Write) -> Result<(), Error> {
    let lines =
        File::open(path).map_err(ReadError::from).and_then(|file| dump(BufReader::new(file), out));
    lines.map_err(|source| Error::Recording { path: path.to_owned(), source })
}
