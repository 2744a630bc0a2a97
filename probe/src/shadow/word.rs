//! What the word of a block says, and in which bits.

/// Version of the word's layout.
pub const VERSION: u32 = 1;
/// Highest id a word can hold.
pub const MAX_ID: u32 = (1 << 24) - 1;

const SIZE_BITS: u32 = 20;
const TICK_BITS: u32 = 20;
/// In place of the size where that has no room.
pub(super) const WIDE: u64 = (1 << SIZE_BITS) - 1;
const TICKS: u64 = (1 << TICK_BITS) - 1;

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

/// What the word of a block says, of one with a size that [has no room](is_wide) as well.
#[inline(always)]
pub fn word_of(id: u32, birth_tick: u32, size: u64) -> u64 {
    pack(id, birth_tick, size.min(WIDE))
}

/// Whether the size stands elsewhere, because the word has no room for it.
#[inline(always)]
pub const fn is_wide(word: u64) -> bool {
    size_in(word) == WIDE
}

/// A word.
#[inline(always)]
pub(super) fn pack(id: u32, birth_tick: u32, size: u64) -> u64 {
    stamp(id, birth_tick) | size
}
