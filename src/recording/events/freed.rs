//! The free blocks of one size, newest first.
//!
//! Most allocators give the newest again. Which of the others is as good as random, and a processor
//! that has to foresee it loses more than the search takes: so the way through it does not depend
//! on where one is found.

/// So many are remembered.
const FREED: usize = 16;
/// A 1 in each byte.
const ONES: u128 = u128::MAX / 255;

/// Blocks stay where they are; what moves is a digit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Freed {
    addresses: [u64; FREED],
    /// Where in `addresses` the one with a rank is: a hexadecimal digit each, the lowest for the
    /// newest.
    places: u64,
    /// A byte of the address of the one with a rank.
    tags: u128,
}

impl Default for Freed {
    fn default() -> Self {
        Self { addresses: [0; FREED], places: 0xfedc_ba98_7654_3210, tags: 0 }
    }
}

fn tag_of(address: u64) -> u8 {
    ((address >> 4) ^ (address >> 12)) as u8
}

impl Freed {
    fn place(&self, rank: usize) -> usize {
        (self.places >> (4 * rank)) as usize % FREED
    }

    /// The one with a rank; 0 where there are not so many.
    pub(super) fn get(&self, rank: usize) -> Option<u64> {
        (rank < FREED).then(|| self.addresses[self.place(rank)])
    }

    /// Another, which is the newest; the oldest is forgotten.
    #[inline(always)]
    pub(super) fn push(&mut self, address: u64) {
        let oldest = self.place(FREED - 1);
        self.addresses[oldest] = address;
        self.places = self.places << 4 | oldest as u64;
        self.tags = self.tags << 8 | u128::from(tag_of(address));
    }

    /// Takes the newest with an address out, and says its rank.
    #[inline(always)]
    pub(super) fn take(&mut self, address: u64) -> Option<usize> {
        let newest = self.place(0);
        if self.addresses[newest] == address {
            self.addresses[newest] = 0;
            self.places = self.places.rotate_right(4);
            self.tags >>= 8;
            return Some(0);
        }
        let different = self.tags ^ (ONES * u128::from(tag_of(address)));
        // The highest bit of bytes that are alike; above the lowest of these, of others as well.
        let mut alike = different.wrapping_sub(ONES) & !different & (ONES << 7);
        while alike != 0 {
            let rank = alike.trailing_zeros() as usize / 8;
            if self.addresses[self.place(rank)] == address {
                self.remove(rank);
                return Some(rank);
            }
            alike &= alike - 1;
        }
        None
    }

    /// Its place is the last now.
    #[inline(always)]
    fn remove(&mut self, rank: usize) {
        let place = self.place(rank);
        self.addresses[place] = 0;
        let newer = (1 << (4 * rank)) - 1;
        self.places = self.places & newer | self.places >> 4 & !newer | (place as u64) << 60;
        let newer = (1 << (8 * rank)) - 1;
        self.tags = self.tags & newer | self.tags >> 8 & !newer;
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
