//! How fast figures change, over the last second or so.

use std::collections::VecDeque;

/// Seconds that a rate looks back.
const SPAN_S: f64 = 1.0;

/// The counters that have a rate, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counters {
    /// Seconds since the session began.
    pub t_s: f64,
    /// Allocations so far.
    pub allocations: u64,
    /// Frees so far, untracked ones included.
    pub frees: u64,
    /// Live bytes.
    pub live_bytes: u64,
}

/// Changes a second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PerSecond {
    /// Allocations.
    pub allocations: f64,
    /// Frees.
    pub frees: f64,
    /// Live bytes; negative when they fall.
    pub live_bytes: f64,
}

/// The last second of [`Counters`].
#[derive(Debug, Default)]
pub struct Rates {
    samples: VecDeque<Counters>,
}

impl Rates {
    /// Takes a sample in.
    pub fn push(&mut self, sample: Counters) {
        self.samples.push_back(sample);
        while self.samples.len() > 2 && self.samples[1].t_s <= sample.t_s - SPAN_S {
            self.samples.pop_front();
        }
    }

    /// Starts over, as when another process is shown.
    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// The rates; `None` until there are two samples a moment apart.
    pub fn per_second(&self) -> Option<PerSecond> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let span = last.t_s - first.t_s;
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / span;
        (span > 0.0).then(|| PerSecond {
            allocations: rate(first.allocations, last.allocations),
            frees: rate(first.frees, last.frees),
            live_bytes: (last.live_bytes as f64 - first.live_bytes as f64) / span,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_looks_back_about_a_second() {
        let mut rates = Rates::default();
        assert_eq!(rates.per_second(), None);
        for tick in 0..40u64 {
            let t_s = tick as f64 / 10.0;
            rates.push(Counters {
                t_s,
                allocations: tick * 5,
                live_bytes: 400 - tick,
                ..Default::default()
            });
        }
        let now = rates.per_second().expect("40 samples");
        assert!((now.allocations - 50.0).abs() < 1e-6);
        assert!((now.live_bytes + 10.0).abs() < 1e-6);
    }
}
