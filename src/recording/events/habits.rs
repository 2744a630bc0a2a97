//! What writer and reader of an events frame foresee alike.

use super::{EventRecord, Kind};

/// Blocks that are remembered by address; a power of two.
const SLOTS: usize = 1 << 15;
/// Free blocks that are remembered of each size.
const FREED: usize = 16;
/// Sizes, in steps of 16 bytes, that are told apart.
const BINS: usize = 128;
/// Stacks that are told apart; a power of two.
const STACKS: usize = 1 << 10;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Block {
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) birth: u64,
    pub(super) stack: u32,
    /// Number of its allocation in this frame.
    pub(super) number: u32,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Custom {
    pub(super) stack: u32,
    pub(super) size: u64,
    pub(super) next: u32,
}

/// What both sides know of the events so far.
pub(super) struct Habits {
    blocks: Vec<Block>,
    /// Addresses by number of their allocation.
    numbers: Vec<u64>,
    pub(super) freed: Vec<[u64; FREED]>,
    customs: Vec<Custom>,
    last: EventRecord,
    pub(super) last_freed: u32,
    pub(super) last_spelled: u64,
}

/// Where a block is, as the frame says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Likeliest,
    Rank(u64),
    Following,
    Spelled,
}

impl Place {
    pub(super) fn bits(self) -> u8 {
        match self {
            Self::Likeliest => 0,
            Self::Rank(_) => 1,
            Self::Following => 2,
            Self::Spelled => 3,
        }
    }
}

fn slot_of(address: u64) -> usize {
    ((address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize & (SLOTS - 1)
}

/// What the usual allocators give a block of this size.
fn rounded(size: u64) -> u64 {
    (size.saturating_add(8 + 15) & !15).max(32)
}

pub(super) fn bin_of(size: u64) -> usize {
    ((rounded(size) >> 4) as usize).min(BINS - 1)
}

impl Habits {
    pub(super) fn new() -> Self {
        Self {
            blocks: vec![Block::default(); SLOTS],
            numbers: Vec::new(),
            freed: vec![[0; FREED]; BINS],
            customs: vec![Custom::default(); STACKS],
            last: EventRecord::default(),
            last_freed: 0,
            last_spelled: 0,
        }
    }

    pub(super) fn custom(&self, stack: u32) -> Custom {
        let custom = self.customs[stack as usize & (STACKS - 1)];
        if custom.stack == stack { custom } else { Custom { stack, ..Custom::default() } }
    }

    pub(super) fn next_stack(&self) -> u32 {
        self.custom(self.last.stack).next
    }

    pub(super) fn following(&self) -> u64 {
        self.last.address.wrapping_add(rounded(self.last.size))
    }

    /// The block that the allocation with a number made, if it lives and nothing took its slot.
    pub(super) fn block(&self, number: u64) -> Option<&Block> {
        let address = *self.numbers.get(usize::try_from(number).ok()?)?;
        let block = &self.blocks[slot_of(address)];
        (u64::from(block.number) == number && block.address == address).then_some(block)
    }

    pub(super) fn newest(&self) -> u64 {
        (self.numbers.len() as u64).wrapping_sub(1)
    }

    pub(super) fn place_of_new(&self, event: &EventRecord) -> Place {
        let freed = &self.freed[bin_of(event.size)];
        match freed.iter().position(|address| *address == event.address) {
            Some(0) => Place::Likeliest,
            Some(rank) => Place::Rank(rank as u64),
            None if event.address == self.following() => Place::Following,
            None => Place::Spelled,
        }
    }

    pub(super) fn place_of_freed(&self, event: &EventRecord) -> Place {
        let block = &self.blocks[slot_of(event.address)];
        let number = u64::from(block.number);
        let known = event.kind == Kind::Free
            && self.block(number).is_some_and(|block| {
                (block.address, block.size) == (event.address, event.size)
                    && (block.stack, block.birth) == (event.stack, event.birth)
            });
        match known {
            false => Place::Spelled,
            true if number == self.newest() => Place::Likeliest,
            true if number == u64::from(self.last_freed) + 1 => Place::Following,
            true => Place::Rank(self.newest() - number),
        }
    }

    pub(super) fn note(&mut self, event: &EventRecord) {
        let bin = bin_of(event.size);
        if event.kind.is_free() {
            let block = &mut self.blocks[slot_of(event.address)];
            if block.address == event.address {
                self.last_freed = block.number;
                *block = Block::default();
            }
            let freed = &mut self.freed[bin];
            freed.copy_within(..FREED - 1, 1);
            freed[0] = event.address;
            return;
        }
        let freed = &mut self.freed[bin];
        if let Some(rank) = freed.iter().position(|address| *address == event.address) {
            freed.copy_within(rank + 1.., rank);
            freed[FREED - 1] = 0;
        }
        let number = self.numbers.len() as u32;
        self.numbers.push(event.address);
        let (address, size, stack) = (event.address, event.size, event.stack);
        self.blocks[slot_of(address)] = Block { address, size, birth: event.tick, stack, number };
        let mut before = self.custom(self.last.stack);
        before.next = stack;
        self.customs[self.last.stack as usize & (STACKS - 1)] = before;
        let mut custom = self.custom(stack);
        custom.size = size;
        self.customs[stack as usize & (STACKS - 1)] = custom;
        self.last = *event;
    }
}
