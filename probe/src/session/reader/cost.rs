//! What a hook call takes: the mean of the timed calls of all slots, and how sure that is.
//!
//! Calls of one series are timed one behind the other and are alike, so the error comes from how
//! series differ, and never from how calls do. Of series with n calls that took c cycles, and the
//! mean m = Σc / Σn, the squared standard error of m is Σ(c − m n)² / (Σn)² × k / (k − 1) for k
//! series: that of a ratio of two sums.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::CostReading;
use crate::session::layout::{Session, Slot};

/// Fewer series than that say little of how series differ.
const LEAST_SERIES: u64 = 10;

/// Timed calls of all slots.
#[derive(Default)]
pub(super) struct CostSums {
    samples: u64,
    cycles: u64,
    long: u64,
    long_cycles: u64,
    /// The latest pair of counter and nanoseconds that a thread noted.
    clock: (u64, u64),
    spread: SpreadSums,
}

/// Sums over the series of all slots.
#[derive(Default)]
struct SpreadSums {
    /// Calls and cycles of series that are not over.
    open: [u64; 2],
    series: u64,
    samples_squared: u64,
    products: u64,
    cycles_squared: u64,
}

impl CostSums {
    pub(super) fn add(&mut self, slot: &Slot) {
        let cost = &slot.cost;
        add(&mut self.samples, &cost.samples);
        add(&mut self.cycles, &cost.cycles);
        self.long = self.long.wrapping_add(cost.long.load(Relaxed).into());
        add(&mut self.long_cycles, &cost.long_cycles);
        let clock = (cost.counter.load(Relaxed), cost.counter_ns.load(Relaxed));
        self.clock = self.clock.max(clock);
        let (sums, spread) = (&mut self.spread, &slot.spread);
        add(&mut sums.open[0], &spread.samples);
        add(&mut sums.open[1], &spread.cycles);
        add(&mut sums.series, &spread.series);
        add(&mut sums.samples_squared, &spread.samples_squared);
        add(&mut sums.products, &spread.products);
        add(&mut sums.cycles_squared, &spread.cycles_squared);
    }

    /// The counter's rate follows from how far it came since the session began.
    pub(super) fn reading(&self, session: &Session) -> Option<CostReading> {
        let cycles = self.clock.0.checked_sub(session.started_counter.load(Relaxed))?;
        let ns = self.clock.1.checked_sub(session.started_ns.load(Relaxed))?;
        // One in five that took long are no interruptions any more.
        let long_count = self.long > self.samples / 4;
        let (samples, sum) = match long_count {
            true => (
                self.samples.saturating_add(self.long),
                self.cycles.saturating_add(self.long_cycles),
            ),
            false => (self.samples, self.cycles),
        };
        if cycles == 0 || samples == 0 {
            return None;
        }
        let rate = ns as f64 / cycles as f64;
        let error = (!long_count).then(|| self.standard_error()).flatten();
        Some(CostReading {
            ns: sum as f64 / samples as f64 * rate,
            error_ns: error.map(|cycles| 2.0 * cycles * rate),
            samples,
        })
    }

    /// Of the mean over the series that are over, cycles.
    fn standard_error(&self) -> Option<f64> {
        let spread = &self.spread;
        let samples = self.samples.checked_sub(spread.open[0]).filter(|count| *count > 0)? as f64;
        let cycles = self.cycles.checked_sub(spread.open[1])? as f64;
        if spread.series < LEAST_SERIES {
            return None;
        }
        let (mean, series) = (cycles / samples, spread.series as f64);
        let [squares, products, counts] =
            [spread.cycles_squared, spread.products, spread.samples_squared].map(|sum| sum as f64);
        let differences = (squares - 2.0 * mean * products + mean * mean * counts).max(0.0);
        let error = (differences * series / (series - 1.0)).sqrt() / samples;
        error.is_finite().then_some(error)
    }
}

/// Sums of hostile figures may wrap; they must not panic.
fn add(sum: &mut u64, value: &AtomicU64) {
    *sum = sum.wrapping_add(value.load(Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Of series of (calls, cycles).
    fn sums(series: &[(u64, u64)]) -> CostSums {
        let sum = |of: fn(&(u64, u64)) -> u64| series.iter().map(of).sum::<u64>();
        CostSums {
            samples: sum(|one| one.0) + 3,
            cycles: sum(|one| one.1) + 900,
            spread: SpreadSums {
                open: [3, 900],
                series: series.len() as u64,
                samples_squared: sum(|one| one.0 * one.0),
                products: sum(|one| one.0 * one.1),
                cycles_squared: sum(|one| one.1 * one.1),
            },
            ..CostSums::default()
        }
    }

    #[test]
    fn the_error_is_that_of_the_mean_over_series() {
        let error = |series: &[(u64, u64)]| sums(series).standard_error();
        // Of series with as many calls each, that of the mean of their means: 20 and 40.
        let halves: Vec<_> = [(32, 640), (32, 1280)].repeat(8);
        let expected = 10.0 * (16.0_f64 / 15.0).sqrt() / 4.0;
        assert!(error(&halves).is_some_and(|error| (error - expected).abs() < 1e-9));
        // Series that differ in length alone say the same.
        let even: Vec<_> = (1..=20).map(|calls| (calls, calls * 30)).collect();
        assert!(error(&even).is_some_and(|error| error < 1e-6));
        assert_eq!(error(&halves[..9]), None);
        assert_eq!(sums(&[(0, 0); 12]).standard_error(), None);
    }
}
