//! The free blocks of one size, newest first.

/// So many are remembered.
const FREED: usize = 16;

/// A ring, so that a new one moves none of the others.
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

    /// Another, which is the newest; the oldest is forgotten.
    #[inline(always)]
    pub(super) fn push(&mut self, address: u64) {
        self.newest = self.at(FREED - 1);
        self.addresses[self.newest] = address;
    }

    /// Takes the newest with an address out, and says its rank.
    #[inline(always)]
    pub(super) fn take(&mut self, address: u64) -> Option<usize> {
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
