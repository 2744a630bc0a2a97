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
//! | 2 | process | fields | for each process image before any other frame about it; again when more is known of it, and the last one counts |
//! | 3 | window | fields | when tracing starts, stops or begins anew; the last one of an image counts |
//! | 4 | state | fields | at a labelled moment; the last one of each moment counts |
//! | 5 | timeline | fields | batches of samples, in order |
//! | 6 | exit | fields | when an image, or the launched program, ends |
//! | 7 | end | fields | once, last; bytes behind it are not read |
//! | 16 | modules | envelope | when a process has loaded new ones |
//! | 17 | symbols | envelope | names of locations, as they are looked up |
//! | 18 | stacks | envelope | when a process has new ones |
//! | 20 | cells | envelope | figures of sites: all of them, and each second what changed |
//! | 21 | events | envelope | allocations and frees one by one, where that was asked for |
//! | 22 | index | fields | at the end of each segment |
//! | 23 | ticks | envelope | figures of a process, tick by tick, as differences |
//! | 24 | mark | fields | when somebody marks a moment |
//! | 25 | gap | fields | where something is missing, and why |
//! | 26 | untraced | fields | when a process of the tree is met that cannot be traced; again when more is known of it: the last one of a pid and a start counts |
//!
//! Kind 19 is set aside. A reader checks the CRC of a kind it does not know, and skips it;
//! kinds of 16 and above came later than the others, and one that knows only those reads the
//! end of each process and its timeline.
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
//!            3 written at, time       4 cleared time, optional: figures count from then on
//!  state     1 image   2 moment uint: 0 end, 1 along the way; a reader skips moments it does
//!            3 taken at, time                                 not know
//!            4 totals record          5 untracked record      6 inherited record
//!            7 exactness record       8 size class record, list
//!            9 size class at the byte peak, record, list      10 thread record, list
//!  timeline  1 image   2 at column    3 current_bytes column  4 max_bytes column
//!            5 rss known, bits        6 rss_bytes column      7 untracked_freed_bytes column
//!  exit      1 image, optional: absent for the launched program as a whole
//!            2 ended time, optional   3 exit record, optional: 1 code sint | 2 signal sint
//!  end       1 frames uint: how many stand before this one
//!            2 index uint, optional: offset of the last index frame
//!  index     1 previous uint, optional: offset of the index before this one
//!            2 start uint: offset of the segment's first frame
//!            3 from time            4 to time, both since the launch
//!            5 frames packed: 1 offset column  2 kind column  3 image + 1 column  4 at column
//!  mark      1 image, optional      2 at time                3 number uint
//!            4 label text
//!  gap       1 from time            2 to time, both since the launch
//!            3 reason uint: 0 the disk was too slow, 1 detail was thinned to keep to a size
//!  untraced  1 pid uint <= 2^32-1     2 parent uint, optional      3 command bytes, list
//!            4 started time           5 ended time, optional: both since the launch, as seen
//!            6 why text, optional
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
//! # Envelopes
//!
//! Frames of the kinds that hold much have three fields: `1 image`, `2 at` (time, of the first
//! thing inside) and `3 packed`. A **packed** value is a varint and bytes: when the varint is
//! 0, the bytes are fields as they are; else they are one LZ4 block that unpacks to exactly so
//! many bytes of fields, 4 MiB at most. The fields inside:
//!
//! ```text
//!  modules   1 module record, list: 1 path bytes, 2 build_id bytes
//!            2 restart uint: 1 when all that was known of the image's sites is void
//!  symbols   1 named record, list: 1 location uint
//!                                  2 function record, list, innermost first:
//!                                    1 name text   2 file text, optional   3 line uint, optional
//!  stacks    1 module + 1 column    2 address column                           of locations
//!            3 parent + 1 column    4 location column                          of nodes
//!            5 node + 1 column      6 cut, bits                                of stacks
//!  cells     1 reset uint: 1 when all figures start from zero before this frame
//!            2 stack column, rising; then what each figure of these stacks changed by, modulo
//!            2^64, as columns of zigzag forms (no differences of differences):
//!            3 current_bytes  4 current_blocks  5 at_peak_bytes  6 at_peak_blocks
//!            7 allocated_bytes  8 allocations  9 temporary
//!  ticks     1 rows: patches back to back, see below
//!  events    see `events.rs`
//! ```
//!
//! Modules, locations, nodes and stacks are numbered by their position, counted over all
//! frames of an image: a frame adds to those before it. A column of these frames is coded
//! like those of the timeline; 0 in a `+ 1` column is *none*. Line numbers and the like that
//! lead nowhere are left to the reader of figures, which must bear it.
//!
//! A cells frame is of the moment at which sites were looked at. Where it is part of what a
//! segment begins with, that may be before the segment: then it is the last tick at which these
//! figures were right. Sites are looked at once a second, and where no figure changed no frame is
//! written, but an empty one where `totals` moved since the last. So a reader may take figures
//! for those of any later tick up to which `allocations`, `frees` and `current_bytes` of the totals
//! did not change, and of any tick whose totals they come to. At other ticks they are older.
//!
//! # Ticks
//!
//! A **patch** says what changed between two ticks. The first patch behind a state along the
//! way counts from that state, each later one from the one before:
//!
//! ```text
//!  after     varint     nanoseconds since the tick before (since the state, for the first)
//!  mask      varint     which scalars changed: bit n is scalar n of `figures.rs`
//!  scalars   varints    zigzag form of the difference of each, modulo 2^64
//!  tables    three      size classes, size classes at the peak, threads:
//!    length  varint     rows of the table now; new rows start as zeros
//!    rows    varint     how many changed, then for each: varint rows skipped since the last,
//!                       varint mask of its fields, zigzag differences
//!  names     varint     how many threads have another name now, then for each: varint rows
//!                       skipped, varint 0 for none or length + 1 and the bytes
//! ```
//!
//! Fields of a row are in the order of `schema.rs`; a size class at the peak counts its
//! `allocations` and `allocated_bytes` from those of the size class with the same `min`,
//! because the two move together. A patch that does not end in its frame, or leads to more
//! than 65,536 rows, makes the frame malformed.
//!
//! # Segments
//!
//! A recording in the making is a row of segments, each readable without those before it but
//! for the dictionaries (process, modules, stacks, symbols):
//!
//! ```text
//!  | launch | process … | segment                                             | segment … | end | trailer
//!                       / window, state, cells (all of each live image)        \
//!                      / ticks, cells (changed), stacks, symbols, events, marks … \
//!                     / timeline of each image, then the index of this segment      \
//! ```
//!
//! A segment ends after a minute, or after five seconds once what changed takes more room than
//! the state it starts with; so to see a moment, a reader finds the segment, reads the state
//! and the cells that it starts with, and then what changed until that moment. In an index, a
//! kind with its top bit set (128) is such a start: a state along the way, or a cells frame
//! with `reset`. Index frames lead from the last to the first; the last one is found through the
//! end frame, and that through the **trailer**, 16 bytes behind it: its offset, u64, and the
//! magic. Without a trailer the reader walks from frame to frame, believes each index whose
//! CRC is right and that starts where the one before ended, and then checks every frame
//! behind the last of these.
//!
//! # A file that keeps to a size
//!
//! Where a size was asked for, the file is written anew now and then, without its oldest detail,
//! and takes the old one's place when it is whole. Of the oldest segments first the events are
//! left out, then ticks and changed cells (a segment then shows what it begins with, whatever the
//! moment), and last of all a segment becomes part of the one before it. One gap frame says from
//! when to when something was left out. The timeline, the first and the last segment stay.
//!
//! # Limits
//!
//! A file is hostile until read: lengths are checked before use, a frame's buffer grows only
//! with bytes that are really there, and a recording that would take more than
//! [`MAX_HELD_BYTES`] of memory to hold is refused.

mod assembly;
pub mod audit;
mod block;
mod bounded;
mod cells;
mod column;
mod cursor;
mod dictionary;
mod dump;
mod events;
mod figures;
mod file;
mod huffman;
mod index;
mod moment;
mod opening;
mod order;
mod patch;
mod reader;
mod recorder;
mod schema;
mod site_age;
mod site_walk;
mod tail;
mod thin;
mod timeline;
mod tracked;
mod untraced;
mod value;
mod wire;
mod writer;

pub use assembly::{Recording, read_tree};
pub use bounded::{Bounded, Held, PAST, Saved};
pub use cells::Cells;
pub use cursor::Cursor;
pub use dump::dump;
pub use events::{Draft, Encoded, Encoder, EventRecord, Events, Kind, MAX_EVENTS, Window};
pub use figures::Snapshot;
pub use file::{Bytes, File, ImageFacts};
pub use moment::When;
pub use opening::{dump_file, open, open_at, time_before_end, time_of_mark};
pub use order::each_in_order;
pub use patch::Ticks;
pub use reader::{Frame, ReadError, Reader};
pub use recorder::Recorder;
pub use schema::{Gap, Mark};
pub use site_walk::{SiteStep, SiteWalk};
pub use tail::{Moment, Tail};
pub use tracked::Look;
pub use writer::{Image, Writer, write_tree};

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

/// Bytes of the trailer behind the end frame.
const TRAILER_BYTES: usize = 16;

/// The moment of a state frame: the end of the process, or of the recording.
const MOMENT_END: u64 = 0;
/// The moment of a state frame: along the way.
const MOMENT_ALONG: u64 = 1;

/// Kinds of frames.
mod kind {
    pub(super) const LAUNCH: u8 = 1;
    pub(super) const PROCESS: u8 = 2;
    pub(super) const WINDOW: u8 = 3;
    pub(super) const STATE: u8 = 4;
    pub(super) const TIMELINE: u8 = 5;
    pub(super) const EXIT: u8 = 6;
    pub(super) const END: u8 = 7;
    pub(super) const MODULES: u8 = 16;
    pub(super) const SYMBOLS: u8 = 17;
    pub(super) const STACKS: u8 = 18;
    pub(super) const CELLS: u8 = 20;
    pub(super) const EVENTS: u8 = 21;
    pub(super) const INDEX: u8 = 22;
    pub(super) const TICKS: u8 = 23;
    pub(super) const MARK: u8 = 24;
    pub(super) const GAP: u8 = 25;
    pub(super) const UNTRACED: u8 = 26;
}

/// CRC of a frame, from its parts as they stand in the file.
fn frame_crc(length: [u8; 4], kind: u8, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(&[kind]);
    hasher.update(payload);
    hasher.finalize()
}
