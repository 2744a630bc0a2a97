//! Chance that is the same in every run.

/// A generator of numbers below what it is asked for.
pub fn random() -> impl FnMut(usize) -> usize {
    let mut seed = 88_172_645_463_325_252_u64;
    move |below| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    }
}
