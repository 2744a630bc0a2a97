//! Arithmetic of figures. What comes from shared memory or a file may be anything, so sums
//! wrap instead of failing: taking out what was put in always leads back.

use super::SiteFigures;

impl SiteFigures {
    /// Adds the figures of another site.
    pub fn add(&mut self, other: &Self) {
        self.replace(&Self::default(), other);
    }

    /// Puts `new` in the place of `old`, which is part of this sum.
    pub fn replace(&mut self, old: &Self, new: &Self) {
        let pairs = self.each_mut().into_iter().zip(old.each().into_iter().zip(new.each()));
        for (sum, (old, new)) in pairs {
            *sum = sum.wrapping_sub(old).wrapping_add(new);
        }
    }

    fn each(&self) -> [u64; 7] {
        [
            self.current_bytes,
            self.current_blocks,
            self.at_peak_bytes,
            self.at_peak_blocks,
            self.allocated_bytes,
            self.allocations,
            self.temporary,
        ]
    }

    fn each_mut(&mut self) -> [&mut u64; 7] {
        [
            &mut self.current_bytes,
            &mut self.current_blocks,
            &mut self.at_peak_bytes,
            &mut self.at_peak_blocks,
            &mut self.allocated_bytes,
            &mut self.allocations,
            &mut self.temporary,
        ]
    }
}
