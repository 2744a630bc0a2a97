//! Taking many counters at a moment in which little happens.

/// Most tries while a program frees all the time.
const TRIES: u32 = 4;

/// Of some takes, one during which nothing was freed, or as little as can be had.
pub(super) fn calmest<T>(frees: impl Fn() -> u64, mut take: impl FnMut() -> T) -> T {
    let mut take = || {
        let before = frees();
        let taken = take();
        (frees().wrapping_sub(before), taken)
    };
    let mut best = take();
    for _ in 1..TRIES {
        if best.0 == 0 {
            break;
        }
        let next = take();
        if next.0 < best.0 {
            best = next;
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// What is taken when so much is freed during each take, and how many takes that needs.
    fn taken(freed: &[u64]) -> (usize, usize) {
        let (frees, takes) = (Cell::new(u64::MAX - 1), Cell::new(0));
        let take = || {
            let take = takes.replace(takes.get() + 1);
            frees.set(frees.get().wrapping_add(freed[take]));
            take
        };
        let taken = calmest(|| frees.get(), take);
        (taken, takes.get())
    }

    #[test]
    fn figures_are_of_a_moment_in_which_little_was_freed() {
        assert_eq!(taken(&[0]), (0, 1));
        // The reader had to wait.
        assert_eq!(taken(&[70_000, 0]), (1, 2));
        assert_eq!(taken(&[3, 9000, 2, 5]), (2, 4));
    }
}
