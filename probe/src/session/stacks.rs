//! Where a session keeps its stacks: the tree of calls, the stacks that asked for memory, and
//! the modules whose code they are in.
//!
//! ```text
//!  StackTable ─┬─ node chunks    Node  { place: module 16 | address 48, parent }
//!              ├─ stack chunks   record: written 1 | cut 1 | node 32, at id − first id
//!              └─ modules        ModuleRecord { bias, path, build id }
//! ```
//!
//! Stacks share most of their outer frames, so a frame is kept once for each chain of callers
//! it was seen under: a [`Node`]. All lists only grow. Chunk k of a list holds `first << k`
//! entries, so a small process takes a page a list and 16 offsets reach 16 million entries.
//! A writer publishes an entry by raising the count (`Release`); what lies below a count is
//! never changed.

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// Nodes of the first chunk: one page.
pub const FIRST_NODES: u32 = 256;
/// Stack records of the first chunk: one page.
pub const FIRST_STACKS: u32 = 512;
/// Chunks of a list.
pub const CHUNKS: usize = 16;
/// Modules that can be told apart; code of later ones belongs to none.
pub const MODULES: usize = 896;
/// Longest path of a module that is kept.
pub const MODULE_PATH: usize = 1024;
/// Longest build id that is kept.
pub const BUILD_ID: usize = 32;

/// Bits of a place that hold the address.
pub const ADDRESS_BITS: u32 = 48;

/// A stack record that is complete.
pub const WRITTEN: u64 = 1 << 63;
/// Frames are missing at the outer end of the stack.
pub const CUT: u64 = 1 << 62;

/// Root of all that is known of a session's stacks.
#[repr(C, align(4096))]
pub struct StackTable {
    /// Nodes in use.
    pub nodes: AtomicU32,
    /// Modules in use.
    pub modules: AtomicU32,
    /// Captures that could not be kept, for want of memory or of ids.
    pub unkept: AtomicU64,
    /// Captures that were checked against a full walk; see
    /// [`flag::CHECK`](super::layout::flag::CHECK).
    pub checked: AtomicU64,
    /// Checked captures that differed.
    pub differing: AtomicU64,
    /// Offsets of the node chunks.
    pub node_chunks: [AtomicU64; CHUNKS],
    /// Offsets of the chunks of stack records.
    pub stack_chunks: [AtomicU64; CHUNKS],
    /// Stacks that were cut at the limit.
    pub cut: AtomicU64,
    /// Where the next module record goes: offset of the page's rest, and its end.
    pub module_room: [AtomicU64; 2],
    _spare: [u64; 89],
    /// Offsets of the module records.
    pub module_records: [AtomicU64; MODULES],
}

/// A call, reached by one chain of callers.
#[repr(C)]
pub struct Node {
    /// `(module index + 1) << 48 | address behind the call`, an address of the module's file;
    /// without a module (0) the address itself.
    pub place: AtomicU64,
    /// Position of the caller's node, plus one; 0 = outermost.
    pub parent: AtomicU32,
    /// The stack id under which this node is the innermost frame; 0 = none yet.
    pub stack: AtomicU32,
}

/// The program or a library.
#[repr(C)]
pub struct ModuleRecord {
    /// What the loader added to the file's addresses.
    pub bias: AtomicU64,
    /// Where its mapping begins.
    pub start: AtomicU64,
    /// Where it ends.
    pub end: AtomicU64,
    /// Bytes of `path` in use.
    pub path_length: AtomicU32,
    /// Bytes of `build_id` in use.
    pub build_id_length: AtomicU32,
    /// The build id.
    pub build_id: [AtomicU8; BUILD_ID],
    // The path follows, `path_length` bytes.
}

/// Chunk and position in it of entry `index` of a list whose first chunk holds `first`, a
/// power of two.
#[inline]
pub const fn chunk_of(index: u32, first: u32) -> (usize, u32) {
    let chunk = (index / first + 1).ilog2();
    (chunk as usize, index - first * ((1 << chunk) - 1))
}

/// Entries of a chunk.
pub const fn chunk_length(chunk: usize, first: u32) -> u32 {
    first << chunk
}

const _: () = {
    assert!(size_of::<StackTable>() == 8192);
    assert!(size_of::<Node>() == 16);
    assert!(size_of::<ModuleRecord>() == 64);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_follow_one_another() {
        let mut next = (0, 0);
        for index in 0..FIRST_NODES * 20 {
            assert_eq!(chunk_of(index, FIRST_NODES), next);
            next.1 += 1;
            if next.1 == chunk_length(next.0, FIRST_NODES) {
                next = (next.0 + 1, 0);
            }
        }
    }
}
