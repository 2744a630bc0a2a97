//! The fixed size classes over requested bytes.
//!
//! Class 0 holds blocks of 0 bytes; class 1 holds 1..=16; each further class doubles: 17..=32,
//! 33..=64, … The bounds never depend on the allocator, so that any two recordings compare.

/// Number of classes: 0, then powers of two from 16 B up to everything a 64-bit address holds.
pub const COUNT: usize = 48;

/// The class of a requested size.
#[inline(always)]
pub const fn of(size: u64) -> usize {
    if size == 0 {
        return 0;
    }
    // 1..=16 → 1, 17..=32 → 2: the bit length of size − 1, with the low four bits folded.
    let bits = 64 - ((size - 1) | 15).leading_zeros() as usize;
    let class = bits - 3;
    if class < COUNT { class } else { COUNT - 1 }
}

/// The class of a size that is neither 0 nor above 2^48, without asking.
#[inline(always)]
pub const fn of_usual(size: u64) -> usize {
    61 - (size.wrapping_sub(1) | 15).leading_zeros() as usize
}

/// Smallest and largest requested size of a class, both inclusive.
pub const fn bounds(class: usize) -> (u64, u64) {
    match class {
        0 => (0, 0),
        1 => (1, 16),
        last if last >= COUNT - 1 => ((1 << (COUNT + 1)) + 1, u64::MAX),
        other => ((1 << (other + 2)) + 1, 1 << (other + 3)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_is_in_its_own_class_and_its_neighbour_in_the_next() {
        for class in 0..COUNT {
            let (min, max) = bounds(class);
            assert_eq!(of(min), class);
            assert_eq!(of(max), class);
            if class != 0 && max < 1 << 48 {
                assert_eq!((of_usual(min), of_usual(max)), (class, class));
            }
            if class + 1 < COUNT {
                assert_eq!(bounds(class + 1).0, max + 1);
            }
        }
    }
}
