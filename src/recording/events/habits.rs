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

/// Free blocks of a size, newest first: a ring, so that a new one moves none of the others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Freed {
    addresses: [u64; FREED],
    newest: usize,
}

impl Freed {
    fn at(&self, rank: usize) -> usize {
        (self.newest + rank) % FREED
    }

    /// The one with a rank; 0 where there are not so many.
    pub(super) fn get(&self, rank: usize) -> Option<u64> {
        (rank < FREED).then(|| self.addresses[self.at(rank)])
    }

    fn push(&mut self, address: u64) {
        self.newest = self.at(FREED - 1);
        self.addresses[self.newest] = address;
    }

    /// Takes the newest with an address out, and says its rank.
    fn take(&mut self, address: u64) -> Option<usize> {
        let rank = (0..FREED).find(|rank| self.addresses[self.at(*rank)] == address)?;
        for rank in (0..rank).rev() {
            self.addresses[self.at(rank + 1)] = self.addresses[self.at(rank)];
        }
        // Its place is the last now.
        self.addresses[self.newest] = 0;
        self.newest = self.at(1);
        Some(rank)
    }
}

/// What both sides know of the events so far.
pub(super) struct Habits {
    blocks: Vec<Block>,
    /// Addresses by number of their allocation.
    numbers: Vec<u64>,
    freed: Vec<Freed>,
    customs: Vec<Custom>,
    /// Stack of the last allocation.
    last_stack: u32,
    /// Where the block behind that of the last allocation would be.
    following: u64,
    last_freed: u32,
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

fn bin_of(size: u64) -> usize {
    ((rounded(size) >> 4) as usize).min(BINS - 1)
}

impl Habits {
    pub(super) fn new() -> Self {
        Self {
            blocks: vec![Block::default(); SLOTS],
            numbers: Vec::new(),
            freed: vec![Freed::default(); BINS],
            customs: vec![Custom::default(); STACKS],
            last_stack: 0,
            following: rounded(0),
            last_freed: 0,
            last_spelled: 0,
        }
    }

    /// Forgets everything, for the next frame.
    pub(super) fn forget(&mut self) {
        // Few of the slots were ever used, as a rule: no other needs to be touched.
        for address in self.numbers.drain(..) {
            self.blocks[slot_of(address)] = Block::default();
        }
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

    /// The block that the allocation with a number made, if it lives and nothing took its slot.
    pub(super) fn block(&self, number: u64) -> Option<&Block> {
        let address = *self.numbers.get(usize::try_from(number).ok()?)?;
        let block = &self.blocks[slot_of(address)];
        (u64::from(block.number) == number && block.address == address).then_some(block)
    }

    pub(super) fn newest(&self) -> u64 {
        (self.numbers.len() as u64).wrapping_sub(1)
    }

    /// Takes in what happened.
    pub(super) fn note(&mut self, event: &EventRecord) {
        match event.kind.is_free() {
            true => self.note_free(event),
            false => self.note_new(event),
        };
    }

    /// Takes in that a block is freed, and says where it was.
    #[inline(always)]
    pub(super) fn note_free(&mut self, event: &EventRecord) -> Place {
        let place = self.place_of_freed(event);
        let block = &mut self.blocks[slot_of(event.address)];
        if block.address == event.address {
            self.last_freed = block.number;
            *block = Block::default();
        }
        self.freed[bin_of(event.size)].push(event.address);
        place
    }

    #[inline(always)]
    fn place_of_freed(&self, event: &EventRecord) -> Place {
        let block = &self.blocks[slot_of(event.address)];
        let number = u64::from(block.number);
        // A slot without a block looks as if one were at address 0.
        let known = event.kind == Kind::Free
            && (block.address, block.size) == (event.address, event.size)
            && (block.stack, block.birth) == (event.stack, event.birth)
            && (event.address != 0 || self.block(number).is_some_and(|block| block.address == 0));
        match known {
            false => Place::Spelled,
            true if number == self.newest() => Place::Likeliest,
            true if number == u64::from(self.last_freed) + 1 => Place::Following,
            true => Place::Rank(self.newest() - number),
        }
    }

    /// Takes in that a block is new, and says where it is.
    #[inline(always)]
    pub(super) fn note_new(&mut self, event: &EventRecord) -> Place {
        let (address, size, stack) = (event.address, event.size, event.stack);
        let place = match self.freed[bin_of(size)].take(address) {
            Some(0) => Place::Likeliest,
            Some(rank) => Place::Rank(rank as u64),
            None if address == self.following => Place::Following,
            None => Place::Spelled,
        };
        let number = self.numbers.len() as u32;
        self.numbers.push(address);
        self.blocks[slot_of(address)] = Block { address, size, birth: event.tick, stack, number };
        self.custom_mut(self.last_stack).next = stack;
        self.custom_mut(stack).size = size;
        self.last_stack = stack;
        self.following = address.wrapping_add(rounded(size));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    /// What [`Freed`] is to be: sixteen addresses, newest first.
    struct List(Vec<u64>);

    impl List {
        fn push(&mut self, address: u64) {
            self.0.insert(0, address);
            self.0.truncate(16);
        }

        fn take(&mut self, address: u64) -> Option<usize> {
            let rank = self.0.iter().position(|one| *one == address)?;
            self.0.remove(rank);
            self.0.push(0);
            Some(rank)
        }
    }

    proptest! {
        #[test]
        fn free_blocks_are_in_the_order_of_the_format(steps in vec((any::<bool>(), 0_u64..24), 0..200)) {
            let (mut freed, mut list) = (Freed::default(), List(vec![0; 16]));
            for (is_new, address) in steps {
                match is_new {
                    true => prop_assert_eq!(freed.take(address), list.take(address)),
                    false => (freed.push(address), list.push(address)).0,
                }
                let all: Vec<_> = (0..).map_while(|rank| freed.get(rank)).collect();
                prop_assert_eq!(&all, &list.0);
            }
        }
    }
}
