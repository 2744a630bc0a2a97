//! What writer and reader of an events frame foresee alike.

use std::hint::black_box;

use super::{EventRecord, Kind, freed::Freed};

/// Blocks that are remembered by address; a power of two.
const SLOTS: usize = 1 << 15;
/// Sizes, in steps of 16 bytes, that are told apart.
const BINS: usize = 128;
/// Stacks that are told apart; a power of two.
const STACKS: usize = 1 << 10;

/// Aligned, that none is in two lines of the cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(32))]
pub(super) struct Block {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) birth: u64,
    pub(super) stack: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Custom {
    stack: u32,
    size: u64,
    next: u32,
}

/// What both sides know of the events so far.
pub(super) struct Habits {
    /// One more than the number of the allocation whose block is there, 0 = none. Small, and apart
    /// from the blocks, because it is met in no order: what lives is mostly young, and the blocks
    /// of young numbers are near each other.
    numbers: Box<[u16; SLOTS]>,
    /// Those of the frame, by number.
    blocks: Vec<Block>,
    freed: Box<[Freed; BINS]>,
    customs: Box<[Custom; STACKS]>,
    /// Stack of the last allocation.
    last_stack: u32,
    /// Where the block behind that of the last allocation would be.
    following: u64,
    /// Of the block that was freed last.
    last_freed: u32,
    pub(super) last_spelled: u64,
}

/// Where a block is, as the frame says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Likeliest = 0,
    Ranked = 1,
    Following = 2,
    Spelled = 3,
}

fn slot_of(address: u64) -> usize {
    ((address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize & (SLOTS - 1)
}

fn custom_of(stack: u32) -> usize {
    stack as usize & (STACKS - 1)
}

/// What the usual allocators give a block of this size.
fn rounded(size: u64) -> u64 {
    (size.saturating_add(8 + 15) & !15).max(32)
}

fn bin_of(size: u64) -> usize {
    ((rounded(size) >> 4) as usize).min(BINS - 1)
}

/// A megabyte of it never stands on the stack.
fn boxed<T: Default + Copy + std::fmt::Debug, const N: usize>() -> Box<[T; N]> {
    let made = vec![T::default(); N].into_boxed_slice();
    made.try_into().expect("as many as asked for")
}

impl Habits {
    pub(super) fn new() -> Self {
        Self {
            numbers: boxed(),
            blocks: Vec::new(),
            freed: boxed(),
            customs: boxed(),
            last_stack: 0,
            following: rounded(0),
            last_freed: 0,
            last_spelled: 0,
        }
    }

    /// Forgets everything, for the next frame.
    pub(super) fn forget(&mut self) {
        self.numbers.fill(0);
        self.blocks.clear();
        self.freed.fill(Freed::default());
        self.customs.fill(Custom::default());
        (self.last_stack, self.following) = (0, rounded(0));
        (self.last_freed, self.last_spelled) = (0, 0);
    }

    /// The stack that asked next, the last time after this one.
    #[inline(always)]
    pub(super) fn next_stack(&self) -> u32 {
        // Nothing took the place of the last one: it was put there last.
        self.customs[custom_of(self.last_stack)].next
    }

    /// What the stack asked for the last time.
    #[inline(always)]
    pub(super) fn usual_size(&self, stack: u32) -> u64 {
        let custom = self.customs[custom_of(stack)];
        if custom.stack == stack { custom.size } else { 0 }
    }

    /// Takes in that a stack asks for so much.
    #[inline(always)]
    fn note_asked(&mut self, stack: u32, size: u64) {
        self.customs[custom_of(self.last_stack)].next = stack;
        self.last_stack = stack;
        let custom = &mut self.customs[custom_of(stack)];
        if custom.stack != stack {
            *custom = Custom { stack, ..Custom::default() };
        }
        custom.size = size;
    }

    pub(super) fn following(&self) -> u64 {
        self.following
    }

    pub(super) fn last_freed(&self) -> u32 {
        self.last_freed
    }

    /// Free blocks that a block of this size may take the place of.
    pub(super) fn freed(&self, size: u64) -> &Freed {
        &self.freed[bin_of(size)]
    }

    /// The block at an address, if it lives and nothing took its slot, and the number of its
    /// allocation in the frame.
    #[inline(always)]
    pub(super) fn block_at(&self, address: u64) -> Option<(&Block, u32)> {
        let number = u32::from(self.numbers[slot_of(address)]).wrapping_sub(1);
        let block = self.blocks.get(number as usize)?;
        (block.address == address).then_some((block, number))
    }

    /// Touches what [`block_at`](Self::block_at) will.
    #[inline(always)]
    pub(super) fn expect(&self, address: u64) {
        let number = usize::from(self.numbers[slot_of(address)]);
        black_box(self.blocks.get(number.saturating_sub(1)).map_or(0, |block| block.address));
    }

    /// Number of the newest allocation in the frame.
    pub(super) fn newest(&self) -> u32 {
        (self.blocks.len() as u32).wrapping_sub(1)
    }

    /// Takes in what happened.
    pub(super) fn note(&mut self, event: &EventRecord) {
        match event.kind.is_free() {
            true => self.note_free(event),
            false => self.note_new(event),
        };
    }

    /// Takes in that a block is freed, and says where it was, and of what rank.
    #[inline(always)]
    pub(super) fn note_free(&mut self, event: &EventRecord) -> (Place, u64) {
        let place = match self.block_at(event.address) {
            None => (Place::Spelled, 0),
            Some((block, number)) => {
                let place = self.place_of(block, number, event);
                self.last_freed = number;
                self.numbers[slot_of(event.address)] = 0;
                place
            }
        };
        self.freed[bin_of(event.size)].push(event.address);
        place
    }

    #[inline(always)]
    fn place_of(&self, block: &Block, number: u32, event: &EventRecord) -> (Place, u64) {
        let known = event.kind == Kind::Free
            && (block.size, block.stack, block.birth) == (event.size, event.stack, event.birth);
        let rank = self.newest().wrapping_sub(number);
        let place = match known {
            false => Place::Spelled,
            true if rank == 0 => Place::Likeliest,
            true if number == self.last_freed.wrapping_add(1) => Place::Following,
            true => Place::Ranked,
        };
        (place, rank.into())
    }

    /// Takes in that a block is new, and says where it is, and of what rank.
    #[inline(always)]
    pub(super) fn note_new(&mut self, event: &EventRecord) -> (Place, u64) {
        let (address, size, stack) = (event.address, event.size, event.stack);
        let rank = self.freed[bin_of(size)].take(address);
        let place = match rank {
            Some(0) => Place::Likeliest,
            Some(_) => Place::Ranked,
            None if address == self.following => Place::Following,
            None => Place::Spelled,
        };
        self.blocks.push(Block { address, size, birth: event.tick, stack });
        // Only the last event that a frame may have has no number here: nothing asks for it.
        self.numbers[slot_of(address)] = self.blocks.len() as u16;
        self.note_asked(stack, size);
        self.following = address.wrapping_add(rounded(size));
        (place, rank.unwrap_or(0) as u64)
    }
}
