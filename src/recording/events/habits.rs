//! What writer and reader of an events frame foresee alike.

use super::{EventRecord, Kind, MAX_EVENTS, freed::Freed};

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
    /// Number of its allocation; below those of the frame, none is there.
    number: u32,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Custom {
    pub(super) stack: u32,
    pub(super) size: u64,
    pub(super) next: u32,
}

/// What both sides know of the events so far.
pub(super) struct Habits {
    blocks: Box<[Block; SLOTS]>,
    freed: Box<[Freed; BINS]>,
    customs: Box<[Custom; STACKS]>,
    /// Number of the frame's first allocation: those of the frames before are lower.
    first: u32,
    /// Allocations of the frame.
    count: u32,
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
            blocks: boxed(),
            freed: boxed(),
            customs: boxed(),
            first: 1,
            count: 0,
            last_stack: 0,
            following: rounded(0),
            last_freed: 0,
            last_spelled: 0,
        }
    }

    /// Forgets everything, for the next frame.
    pub(super) fn forget(&mut self) {
        // Blocks of an earlier frame are known by their numbers, while there are higher ones.
        self.first += self.count;
        if self.first > u32::MAX - MAX_EVENTS as u32 {
            self.blocks.fill(Block::default());
            self.first = 1;
        }
        self.count = 0;
        self.freed.fill(Freed::default());
        self.customs.fill(Custom::default());
        (self.last_stack, self.following) = (0, rounded(0));
        (self.last_freed, self.last_spelled) = (0, 0);
    }

    #[inline(always)]
    pub(super) fn custom(&self, stack: u32) -> Custom {
        let custom = self.customs[stack as usize & (STACKS - 1)];
        if custom.stack == stack { custom } else { Custom { stack, ..Custom::default() } }
    }

    #[inline(always)]
    fn custom_mut(&mut self, stack: u32) -> &mut Custom {
        let custom = &mut self.customs[stack as usize & (STACKS - 1)];
        if custom.stack != stack {
            *custom = Custom { stack, ..Custom::default() };
        }
        custom
    }

    #[inline(always)]
    pub(super) fn next_stack(&self) -> u32 {
        self.custom(self.last_stack).next
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
        let block = &self.blocks[slot_of(address)];
        let number = block.number.wrapping_sub(self.first);
        (number < self.count && block.address == address).then_some((block, number))
    }

    /// Number of the newest allocation in the frame.
    pub(super) fn newest(&self) -> u32 {
        self.count.wrapping_sub(1)
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
        let place = self.place_of_freed(event);
        if let Some((_, number)) = self.block_at(event.address) {
            self.last_freed = number;
            self.blocks[slot_of(event.address)].number = 0;
        }
        self.freed[bin_of(event.size)].push(event.address);
        place
    }

    #[inline(always)]
    fn place_of_freed(&self, event: &EventRecord) -> (Place, u64) {
        let Some((block, number)) = self.block_at(event.address) else {
            return (Place::Spelled, 0);
        };
        let known = event.kind == Kind::Free
            && (block.size, block.stack, block.birth) == (event.size, event.stack, event.birth);
        let place = match known {
            false => Place::Spelled,
            true if number == self.newest() => Place::Likeliest,
            true if number == self.last_freed.wrapping_add(1) => Place::Following,
            true => Place::Ranked,
        };
        (place, self.newest().wrapping_sub(number).into())
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
        let number = self.first + self.count;
        self.count += 1;
        self.blocks[slot_of(address)] = Block { address, size, birth: event.tick, stack, number };
        self.custom_mut(self.last_stack).next = stack;
        self.custom_mut(stack).size = size;
        self.last_stack = stack;
        self.following = address.wrapping_add(rounded(size));
        (place, rank.unwrap_or(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_anew_before_they_run_out() {
        let mut habits = Habits::new();
        habits.first = u32::MAX - MAX_EVENTS as u32;
        let event = EventRecord { address: 64, size: 8, ..EventRecord::default() };
        habits.note(&event);
        assert_eq!(habits.block_at(64).map(|(_, number)| number), Some(0));
        habits.forget();
        assert_eq!((habits.first, habits.count), (1, 0));
        habits.note(&EventRecord { address: 128, ..event });
        assert!(habits.block_at(64).is_none() && habits.block_at(128).is_some());
    }
}
