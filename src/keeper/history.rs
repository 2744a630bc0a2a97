//! A timeline of bounded size: when it is full, pairs of points become one, so that a
//! program may run for months and its whole life stays on the chart.

use crate::model::Point;

/// Most points kept for a process image.
pub const CAPACITY: usize = 2048;

/// Samples of one process image.
#[derive(Debug, Clone, Default)]
pub struct History {
    points: Vec<Point>,
    /// A point of the present resolution stands for this many samples; 0 reads as 1.
    stride: u64,
    /// Samples merged into the last point so far.
    merged: u64,
}

impl History {
    /// Adds a sample, later than those before.
    pub fn push(&mut self, sample: Point) {
        let stride = self.stride.max(1);
        match self.points.last_mut() {
            Some(last) if self.merged < stride => {
                *last = last.merged_with(&sample);
                self.merged += 1;
            }
            _ => self.begin(sample),
        }
    }

    fn begin(&mut self, sample: Point) {
        if self.points.len() == CAPACITY {
            self.halve();
        }
        self.points.push(sample);
        self.merged = 1;
    }

    /// In place: what it takes neither grows nor shrinks from then on.
    fn halve(&mut self) {
        let half = self.points.len().div_ceil(2);
        for at in 0..half {
            let first = self.points[2 * at];
            let second = self.points.get(2 * at + 1);
            self.points[at] = second.map_or(first, |second| first.merged_with(second));
        }
        self.points.truncate(half);
        self.stride = self.stride.max(1) * 2;
    }

    /// All points, oldest first. The last one may still take samples up.
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sample(number: u64, max: u64) -> Point {
        Point {
            at: Duration::from_millis(number * 100),
            current_bytes: number,
            max_bytes: max,
            rss_bytes: None,
            untracked_freed_bytes: 0,
        }
    }

    #[test]
    fn a_short_history_is_kept_as_it_is() {
        let mut history = History::default();
        (0..CAPACITY as u64).for_each(|n| history.push(sample(n, n)));
        assert_eq!(history.points().len(), CAPACITY);
        assert_eq!(history.points()[17], sample(17, 17));
    }

    #[test]
    fn a_long_one_is_bounded_and_keeps_its_spikes_and_its_end() {
        let mut history = History::default();
        let count = 100_000;
        for n in 0..count {
            history.push(sample(n, if n == 777 { 1_000_000 } else { n }));
        }
        let points = history.points();
        assert!(points.len() <= CAPACITY && points.len() > CAPACITY / 3);
        assert_eq!(points.last().map(|p| p.current_bytes), Some(count - 1));
        assert!(points.is_sorted_by_key(|p| p.at));
        let spike = points.iter().find(|p| p.max_bytes == 1_000_000).unwrap();
        assert!(spike.at >= Duration::from_millis(77_700));
        let distances = points.windows(2).map(|two| two[1].at - two[0].at);
        let widest = distances.max().unwrap();
        assert!(widest <= Duration::from_millis(100 * 128));
    }
}
