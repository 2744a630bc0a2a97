//! One word for each live block, found by the block's address.
//!
//! ```text
//!  word   ┌ id: 24 ┬ birth tick: 20 ┬ size: 20 ┐     0 = no block
//!  path   granule = address / 16, or / 32
//!         root[granule >> 25] ─▶ middle[(granule >> 9) & 0xFFFF] ─▶ leaf[granule & 0x1FF]
//! ```
//!
//! A granule has at most one block that begins in it. For glibc, whose blocks begin at least
//! 32 bytes apart, it is 32 bytes; for other allocators 16. A leaf of 512 words comes to be
//! with the first block in it: a page, so that what is charged for it is what it takes, also where
//! blocks are large and few. The levels above are sparse mappings. A size that does not fit
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

mod word;

pub use word::{
    MAX_ID, VERSION, birth_tick_in, id_in, is_usual, is_wide, size_in, stamp, with_id, word_of,
};

use self::word::{WIDE, pack};
use crate::sys;

/// Bits of an address.
const ADDRESS_BITS: u32 = 47;
const LEAF_BITS: u32 = 9;
const MIDDLE_BITS: u32 = 16;
const MIDDLE_ENTRIES: usize = 1 << MIDDLE_BITS;
const LEAF_WORDS: usize = 1 << LEAF_BITS;
const LEAF_BYTES: usize = LEAF_WORDS * 8;
const ARENA_BYTES: usize = 16 << 20;

type Leaf = [AtomicU64; LEAF_WORDS];
type Middle = [AtomicPtr<Leaf>; MIDDLE_ENTRIES];
/// The first entry of a root.
type Root = AtomicPtr<Middle>;

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
            || sys::map_private(self.root_bytes()).is_some_and(|root| {
                self.roots[0].store(root.cast(), Release);
                true
            })
    }

    /// No more than the granules ask for: a program may have little room for data
    /// (`RLIMIT_DATA`), of which a mapping takes its part whether it is touched or not.
    fn root_bytes(&self) -> usize {
        size_of::<Root>() << (ADDRESS_BITS - self.granule_bits() - MIDDLE_BITS - LEAF_BITS)
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
        if rotated >> (ADDRESS_BITS - FINE) != 0 {
            return None;
        }
        let granule = (rotated >> (BITS - FINE)) as usize;
        // SAFETY: the root is there, the tables are never unmapped, and the indices are within
        // them.
        unsafe {
            let root = self.roots[0].load(Acquire);
            let middle = (*root.add(in_root(granule))).load(Acquire);
            if middle.is_null() {
                return None;
            }
            let leaf = (&(*middle))[in_middle(granule)].load(Acquire);
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
        let size = size_in(packed);
        if is_wide(packed) {
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
        word.store(word_of(block.id, block.birth_tick, block.size), Relaxed);
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
        if root.is_null() || address >> ADDRESS_BITS != 0 || address & 7 != 0 {
            return null_mut();
        }
        // SAFETY: the tables are never unmapped, and the indices are within them.
        unsafe {
            let middle = (*root.add(in_root(self.granule(address)))).load(Acquire);
            if middle.is_null() {
                return null_mut();
            }
            (*middle)[in_middle(self.granule(address))].load(Acquire)
        }
    }

    #[cold]
    #[inline(never)]
    fn make_leaf(&self, address: usize, account: &impl Account) -> *const Leaf {
        if address >> ADDRESS_BITS != 0 || address & 7 != 0 {
            return null_mut();
        }
        let _errno = sys::KeepErrno::new();
        let made = || {
            let root = &self.roots[usize::from(address & 8 != 0)];
            let root = table(root, self.root_bytes(), account)?;
            // SAFETY: tables are never unmapped, and the indices are within them.
            let middle = unsafe { &*root.add(in_root(self.granule(address))) };
            let middle = table(middle, size_of::<Middle>(), account)?;
            // SAFETY: as above.
            self.leaf_in(unsafe { &(*middle)[in_middle(self.granule(address))] }, account)
        };
        made().unwrap_or(null_mut())
    }

    fn leaf_in(&self, entry: &AtomicPtr<Leaf>, account: &impl Account) -> Option<*mut Leaf> {
        if !account.charge(LEAF_BYTES as u64) {
            return None;
        }
        let fresh = self.take_from_arena()?.cast::<Leaf>();
        // A thread that lost this race leaves a page unused; that is all.
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

/// Where in the root to look for a granule.
#[inline(always)]
const fn in_root(granule: usize) -> usize {
    granule >> (MIDDLE_BITS + LEAF_BITS)
}

/// Where in the table that stands there.
#[inline(always)]
const fn in_middle(granule: usize) -> usize {
    (granule >> LEAF_BITS) % MIDDLE_ENTRIES
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

/// The table of so many bytes that an entry leads to, made if there is none.
fn table<T>(entry: &AtomicPtr<T>, bytes: usize, account: &impl Account) -> Option<*mut T> {
    let there = entry.load(Acquire);
    if !there.is_null() {
        return Some(there);
    }
    // A sparse table: a page or two of it are ever touched.
    if !account.charge(2 * 4096) {
        return None;
    }
    let fresh = sys::map_private(bytes)?.cast::<T>();
    match entry.compare_exchange(null_mut(), fresh, AcqRel, Acquire) {
        Ok(_) => Some(fresh),
        Err(other) => {
            // SAFETY: just mapped, and nobody knows of it.
            unsafe { sys::unmap(fresh.cast(), bytes) };
            Some(other)
        }
    }
}

#[cfg(test)]
mod tests;
