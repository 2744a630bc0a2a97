//! One word for each live block, found by the block's address.
//!
//! ```text
//!  word   ┌ id: 24 ┬ birth tick: 20 ┬ size: 20 ┐     0 = no block
//!  path   granule = address / 16, or / 32
//!         root[granule >> 27] ─▶ middle[(granule >> 11) & 0xFFFF] ─▶ leaf[granule & 0x7FF]
//! ```
//!
//! A granule has at most one block that begins in it. For glibc, whose blocks begin at least
//! 32 bytes apart, it is 32 bytes; for other allocators 16. A leaf of 2048 words comes to be
//! with the first block in it; the levels above are sparse mappings. A size that does not fit
//! stands in the word of the next granule, which belongs to the same block: its id is 0, so it
//! is never taken for a block of its own. Addresses that are 8 but not 16 aligned have a
//! second root.
//!
//! The memory is private: a forked child sees its parent's words, copied on write. A word
//! belongs to the thread that owns the block, so plain loads and stores suffice: the allocator
//! has ordered the owners of an address already.

use core::{
    ptr::null_mut,
    sync::atomic::{
        AtomicPtr, AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
    },
};

use crate::sys;

/// Version of the word's layout.
pub const VERSION: u32 = 1;
/// Highest id a word can hold.
pub const MAX_ID: u32 = (1 << 24) - 1;

const SIZE_BITS: u32 = 20;
const TICK_BITS: u32 = 20;
const WIDE: u64 = (1 << SIZE_BITS) - 1;
const TICKS: u64 = (1 << TICK_BITS) - 1;

const TABLE_ENTRIES: usize = 1 << 16;
const LEAF_WORDS: usize = 1 << 11;
const LEAF_BYTES: usize = LEAF_WORDS * 8;
const ARENA_BYTES: usize = 16 << 20;

type Leaf = [AtomicU64; LEAF_WORDS];
type Middle = [AtomicPtr<Leaf>; TABLE_ENTRIES];
type Root = [AtomicPtr<Middle>; TABLE_ENTRIES];

/// What is known of a live block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Id under which it was allocated; never 0.
    pub id: u32,
    /// Tick of its birth, modulo 2^20.
    pub birth_tick: u32,
    /// Requested bytes.
    pub size: u64,
}

/// What noting a block found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// Nothing was noted there.
    Fresh,
    /// A block was noted there whose free was never seen.
    Replaced(Block),
    /// There is no memory for the word, or no word for such an address.
    Refused,
}

/// Bits of an address within a granule of 16 bytes: any allocator.
pub const FINE: u32 = 4;
/// Bits of an address within a granule of 32 bytes: blocks that begin at least so far apart.
pub const COARSE: u32 = 5;

/// The words of a process.
pub struct Shadow {
    /// [`FINE`] or [`COARSE`]; set before the first block is noted.
    granule_bits: AtomicU32,
    roots: [AtomicPtr<Root>; 2],
    /// Next free leaf; a multiple of [`ARENA_BYTES`] means there is none.
    arena: AtomicU64,
}

/// Bytes that a new leaf or table took, told to the caller's accounting.
pub trait Account {
    /// False when that much more would be over the limit.
    fn charge(&self, bytes: u64) -> bool;
}

impl Default for Shadow {
    fn default() -> Self {
        Shadow::new()
    }
}

impl Shadow {
    /// Without any memory yet.
    pub const fn new() -> Shadow {
        Shadow {
            granule_bits: AtomicU32::new(FINE),
            roots: [const { AtomicPtr::new(null_mut()) }; 2],
            arena: AtomicU64::new(0),
        }
    }

    /// Makes the granules coarse. Only before the first block is noted.
    pub fn make_coarse(&self) {
        self.granule_bits.store(COARSE, Relaxed);
    }

    /// Makes the first root, which [`word`](Shadow::word) then needs not ask for.
    pub fn prepare(&self) -> bool {
        !self.roots[0].load(Acquire).is_null()
            || sys::map_private(size_of::<Root>()).is_some_and(|root| {
                self.roots[0].store(root.cast(), Release);
                true
            })
    }

    /// Bits of an address within a granule.
    #[inline(always)]
    pub fn granule_bits(&self) -> u32 {
        self.granule_bits.load(Relaxed)
    }

    /// The word of a 16-aligned address, if there is one already. `BITS` are
    /// [`granule_bits`](Shadow::granule_bits).
    ///
    /// # Safety
    /// [`prepare`](Shadow::prepare) has succeeded.
    #[inline(always)]
    pub unsafe fn word<const BITS: u32>(&self, address: usize) -> Option<&'static AtomicU64> {
        // Misaligned bits end up at the top, where one comparison finds them together with
        // addresses that no process has.
        let rotated = (address as u64).rotate_right(FINE);
        if rotated >> 43 != 0 {
            return None;
        }
        let granule = (rotated >> (BITS - FINE)) as usize;
        // SAFETY: the root is there, the tables are never unmapped, and the indices are within
        // them.
        unsafe {
            let root = self.roots[0].load(Acquire);
            let middle = (*root).get_unchecked(granule >> 27).load(Acquire);
            if middle.is_null() {
                return None;
            }
            let leaf = (&(*middle))[(granule >> 11) % TABLE_ENTRIES].load(Acquire);
            (!leaf.is_null()).then(|| &(&(*leaf))[granule % LEAF_WORDS])
        }
    }

    /// Whether there is a word for an address, made if need be.
    #[inline]
    pub fn has_word(&self, address: usize, account: &impl Account) -> bool {
        !self.leaf(address).is_null() || !self.make_leaf(address, account).is_null()
    }

    /// Notes a block.
    #[inline]
    pub fn note(&self, address: usize, block: Block, account: &impl Account) -> Noted {
        let mut leaf = self.leaf(address);
        if leaf.is_null() {
            leaf = self.make_leaf(address, account);
            if leaf.is_null() {
                return Noted::Refused;
            }
        }
        // SAFETY: leaves are never unmapped.
        let word = unsafe { &(*leaf)[self.granule(address) % LEAF_WORDS] };
        let old = word.load(Relaxed);
        if block.size >= WIDE || old != 0 {
            return self.note_rare(address, word, block, account);
        }
        word.store(pack(block.id, block.birth_tick, block.size), Relaxed);
        Noted::Fresh
    }

    /// Takes a block out; `None` when none is noted there.
    #[inline]
    pub fn take(&self, address: usize) -> Option<Block> {
        let leaf = self.leaf(address);
        if leaf.is_null() {
            return None;
        }
        // SAFETY: leaves are never unmapped.
        let word = unsafe { &(*leaf)[self.granule(address) % LEAF_WORDS] };
        let packed = word.load(Relaxed);
        if packed == 0 {
            return None;
        }
        word.store(0, Relaxed);
        self.unpack(address, packed)
    }

    /// Whether a block is noted at an address.
    #[inline]
    pub fn holds(&self, address: usize) -> bool {
        let leaf = self.leaf(address);
        // SAFETY: leaves are never unmapped.
        !leaf.is_null() && unsafe { (*leaf)[self.granule(address) % LEAF_WORDS].load(Relaxed) } != 0
    }

    #[inline]
    fn unpack(&self, address: usize, packed: u64) -> Option<Block> {
        let (id, birth_tick) = (id_in(packed), birth_tick_in(packed));
        let size = packed & WIDE;
        if size == WIDE {
            return self.take_wide(address, id, birth_tick);
        }
        (id != 0).then_some(Block { id, birth_tick, size })
    }

    #[cold]
    #[inline(never)]
    fn take_wide(&self, address: usize, id: u32, birth_tick: u32) -> Option<Block> {
        let next = self.next_granule(address);
        let leaf = self.leaf(next);
        if leaf.is_null() || id == 0 {
            return None;
        }
        // SAFETY: leaves are never unmapped.
        let size = unsafe { (*leaf)[self.granule(next) % LEAF_WORDS].swap(0, Relaxed) };
        Some(Block { id, birth_tick, size })
    }

    #[cold]
    #[inline(never)]
    fn note_rare(
        &self,
        address: usize,
        word: &AtomicU64,
        block: Block,
        account: &impl Account,
    ) -> Noted {
        let old = word.load(Relaxed);
        let replaced = if old == 0 { None } else { self.unpack(address, old) };
        if block.size >= WIDE && !self.note_size(self.next_granule(address), block.size, account) {
            word.store(0, Relaxed);
            return Noted::Refused;
        }
        word.store(pack(block.id, block.birth_tick, block.size.min(WIDE)), Relaxed);
        replaced.map_or(Noted::Fresh, Noted::Replaced)
    }

    fn note_size(&self, address: usize, size: u64, account: &impl Account) -> bool {
        let mut leaf = self.leaf(address);
        if leaf.is_null() {
            leaf = self.make_leaf(address, account);
        }
        if leaf.is_null() {
            return false;
        }
        // SAFETY: leaves are never unmapped.
        unsafe { (*leaf)[self.granule(address) % LEAF_WORDS].store(size, Relaxed) };
        true
    }

    #[inline]
    fn granule(&self, address: usize) -> usize {
        address >> self.granule_bits()
    }

    fn next_granule(&self, address: usize) -> usize {
        address + (1 << self.granule_bits())
    }

    #[inline]
    fn leaf(&self, address: usize) -> *const Leaf {
        let root = self.roots[usize::from(address & 8 != 0)].load(Acquire);
        if root.is_null() || address >> 47 != 0 || address & 7 != 0 {
            return null_mut();
        }
        // SAFETY: the tables are never unmapped, and the indices are within them.
        unsafe {
            let middle = (*root)[self.granule(address) >> 27].load(Acquire);
            if middle.is_null() {
                return null_mut();
            }
            (*middle)[(self.granule(address) >> 11) % TABLE_ENTRIES].load(Acquire)
        }
    }

    #[cold]
    #[inline(never)]
    fn make_leaf(&self, address: usize, account: &impl Account) -> *const Leaf {
        if address >> 47 != 0 || address & 7 != 0 {
            return null_mut();
        }
        let _errno = sys::KeepErrno::new();
        let made = || {
            let root = table(&self.roots[usize::from(address & 8 != 0)], account)?;
            // SAFETY: tables are never unmapped, and the indices are within them.
            let middle = table(unsafe { &(*root)[self.granule(address) >> 27] }, account)?;
            // SAFETY: as above.
            self.leaf_in(
                unsafe { &(*middle)[(self.granule(address) >> 11) % TABLE_ENTRIES] },
                account,
            )
        };
        made().unwrap_or(null_mut())
    }

    fn leaf_in(&self, entry: &AtomicPtr<Leaf>, account: &impl Account) -> Option<*mut Leaf> {
        if !account.charge(LEAF_BYTES as u64) {
            return None;
        }
        let fresh = self.take_from_arena()?.cast::<Leaf>();
        // A thread that lost this race leaves 16 KiB unused; that is all.
        match entry.compare_exchange(null_mut(), fresh, AcqRel, Acquire) {
            Ok(_) => Some(fresh),
            Err(other) => Some(other),
        }
    }

    fn take_from_arena(&self) -> Option<*mut u8> {
        loop {
            let next = self.arena.load(Acquire);
            if !next.is_multiple_of(ARENA_BYTES as u64) {
                let after = next + LEAF_BYTES as u64;
                if self.arena.compare_exchange(next, after, AcqRel, Relaxed).is_ok() {
                    return Some(next as *mut u8);
                }
                continue;
            }
            let arena = map_arena()?;
            let after = arena as u64 + LEAF_BYTES as u64;
            if self.arena.compare_exchange(next, after, AcqRel, Relaxed).is_ok() {
                return Some(arena);
            }
            // SAFETY: just mapped, and nobody knows of it.
            unsafe { sys::unmap(arena, ARENA_BYTES) };
        }
    }
}

/// A mapping of [`ARENA_BYTES`], aligned to its size.
fn map_arena() -> Option<*mut u8> {
    let wide = sys::map_private(2 * ARENA_BYTES)?;
    let before = wide.align_offset(ARENA_BYTES);
    // SAFETY: both rests lie within the mapping, outside the part that is kept.
    unsafe {
        if before != 0 {
            sys::unmap(wide, before);
        }
        sys::unmap(wide.add(before + ARENA_BYTES), ARENA_BYTES - before);
        Some(wide.add(before))
    }
}

/// The table an entry leads to, made if there is none.
fn table<T>(entry: &AtomicPtr<T>, account: &impl Account) -> Option<*mut T> {
    let there = entry.load(Acquire);
    if !there.is_null() {
        return Some(there);
    }
    // A sparse table: a page or two of it are ever touched.
    if !account.charge(2 * 4096) {
        return None;
    }
    let fresh = sys::map_private(size_of::<T>())?.cast::<T>();
    match entry.compare_exchange(null_mut(), fresh, AcqRel, Acquire) {
        Ok(_) => Some(fresh),
        Err(other) => {
            // SAFETY: just mapped, and nobody knows of it.
            unsafe { sys::unmap(fresh.cast(), size_of::<T>()) };
            Some(other)
        }
    }
}

/// Whether a size is one of the usual: it stands in the word itself and has a
/// [`size_class::of_usual`](crate::session::size_class::of_usual).
#[inline(always)]
pub const fn is_usual(size: u64) -> bool {
    size.wrapping_sub(1) < WIDE - 1
}

/// The size in a word.
#[inline(always)]
pub const fn size_in(word: u64) -> u64 {
    word & WIDE
}

/// The part of a word that does not depend on the size.
pub const fn stamp(id: u32, birth_tick: u32) -> u64 {
    (id as u64) << (SIZE_BITS + TICK_BITS) | (birth_tick as u64 & TICKS) << SIZE_BITS
}

/// A stamp with another id.
#[inline(always)]
pub const fn with_id(stamp: u64, id: u32) -> u64 {
    stamp & ((1 << (SIZE_BITS + TICK_BITS)) - 1) | (id as u64) << (SIZE_BITS + TICK_BITS)
}

/// The id in a word or in a stamp.
pub const fn id_in(word: u64) -> u32 {
    (word >> (SIZE_BITS + TICK_BITS)) as u32
}

/// The birth tick in a word, modulo 2^20.
pub const fn birth_tick_in(word: u64) -> u32 {
    (word >> SIZE_BITS & TICKS) as u32
}

#[inline(always)]
fn pack(id: u32, birth_tick: u32, size: u64) -> u64 {
    stamp(id, birth_tick) | size
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Free;
    impl Account for Free {
        fn charge(&self, _: u64) -> bool {
            true
        }
    }

    fn block(size: u64) -> Block {
        Block { id: 7, birth_tick: 3, size }
    }

    #[test]
    fn what_is_noted_comes_back_once() {
        let shadow = Shadow::new();
        for (address, size) in [(0x7f00_0000_0010, 24), (0x5500_0000_7ff0, 5 << 30), (0x1238, 8)] {
            assert_eq!(shadow.note(address, block(size), &Free), Noted::Fresh);
            assert_eq!(shadow.take(address), Some(block(size)));
            assert_eq!(shadow.take(address), None);
            assert_eq!(shadow.take(address + 16), None);
        }
    }

    #[test]
    fn a_block_whose_free_was_missed_is_replaced() {
        let shadow = Shadow::new();
        shadow.note(0x1000, block(1 << 20), &Free);
        assert_eq!(shadow.note(0x1010, block(5), &Free), Noted::Fresh);
        shadow.take(0x1010);
        shadow.note(0x2000, block(1 << 21), &Free);
        assert_eq!(shadow.note(0x2000, block(9), &Free), Noted::Replaced(block(1 << 21)));
        assert_eq!(shadow.take(0x2000), Some(block(9)));
    }

    #[test]
    fn an_address_without_a_word_is_refused() {
        let shadow = Shadow::new();
        assert_eq!(shadow.note(0x1001, block(1), &Free), Noted::Refused);
        assert_eq!(shadow.note(1 << 50, block(1), &Free), Noted::Refused);
        assert_eq!(shadow.take(0x1001), None);
    }
}
