//! The time axis: which column a moment belongs to.
//!
//! Column borders are multiples of the column's width, so a reading keeps its column while time
//! goes on, and the curve does not shimmer. Showing all time, the width grows in steps and the
//! chart fills from the left; zoomed in, the present stays in the last column.

/// Time cut into columns of equal width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeAxis {
    first: u64,
    column_s: f64,
    columns: usize,
}

/// Widths of a column in seconds, times a power of ten.
const STEPS: [f64; 21] = [
    0.1, 0.11, 0.12, 0.13, 0.14, 0.16, 0.18, 0.2, 0.22, 0.25, 0.28, 0.32, 0.36, 0.4, 0.45, 0.5,
    0.56, 0.63, 0.7, 0.8, 0.9,
];

impl TimeAxis {
    /// An axis of `columns` columns up to `now_s`, over the last `zoom_s` seconds or all time.
    pub fn new(now_s: f64, zoom_s: Option<f64>, columns: usize) -> Self {
        let columns = columns.max(1);
        let now_s = if now_s.is_finite() { now_s.max(0.0) } else { 0.0 };
        let column_s = match zoom_s {
            Some(span) if span.is_finite() && span > 0.0 => span / columns as f64,
            _ => stepped(now_s, columns),
        };
        let last = (now_s / column_s) as u64;
        Self { first: (last + 1).saturating_sub(columns as u64), column_s, columns }
    }

    /// Where the axis begins.
    pub fn from_s(&self) -> f64 {
        self.border(0)
    }

    /// How much time a column shows.
    pub fn column_s(&self) -> f64 {
        self.column_s
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The time a column shows: from the first moment up to, but without, the second.
    pub fn range(&self, column: usize) -> (f64, f64) {
        (self.border(column), self.border(column + 1))
    }

    /// The column whose range holds `t_s`.
    pub fn column(&self, t_s: f64) -> Option<usize> {
        if !(t_s >= self.from_s() && t_s < self.border(self.columns)) {
            return None;
        }
        let guess = ((t_s / self.column_s) as u64).saturating_sub(self.first) as usize;
        // Division and multiplication may round to different sides of a border.
        let near = guess.saturating_sub(1)..=guess + 1;
        near.into_iter().find(|&c| (self.border(c)..self.border(c + 1)).contains(&t_s))
    }

    /// The same time in twice as many columns, for glyphs with two dots side by side.
    pub fn doubled(&self) -> Self {
        Self { first: self.first * 2, column_s: self.column_s / 2.0, columns: self.columns * 2 }
    }

    fn border(&self, column: usize) -> f64 {
        (self.first + column as u64) as f64 * self.column_s
    }
}

/// The smallest step with which `now_s` still falls into the last column.
fn stepped(now_s: f64, columns: usize) -> f64 {
    let mut power = 1.0;
    loop {
        let fits = |step: &&f64| (now_s / (**step * power)) < columns as f64;
        if let Some(step) = STEPS.iter().find(fits) {
            return step * power;
        }
        power *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_of_a_moment_holds_that_moment() {
        for columns in [1, 7, 53, 94, 171] {
            for now in [0.0, 0.05, 3.0, 41.7, 192.0, 3600.5, 1e6] {
                for zoom in [None, Some(10.0), Some(60.0)] {
                    let axis = TimeAxis::new(now, zoom, columns);
                    for part in 0..=40 {
                        let t = now * f64::from(part) / 40.0;
                        let Some(column) = axis.column(t) else {
                            continue;
                        };
                        let (from, to) = axis.range(column);
                        assert!(from <= t && t < to && column < columns, "{t} {axis:?}");
                    }
                    assert!(axis.column(now).is_some(), "the present shows: {now} {axis:?}");
                }
            }
        }
    }

    #[test]
    fn borders_belong_to_the_column_they_open() {
        let axis = TimeAxis::new(9.9, Some(10.0), 100);
        for column in 0..100 {
            assert_eq!(axis.column(axis.range(column).0), Some(column));
        }
    }

    #[test]
    fn all_time_begins_at_zero_and_uses_most_of_the_room() {
        for now in [20.0, 192.0, 5000.0] {
            let axis = TimeAxis::new(now, None, 90);
            assert_eq!(axis.from_s(), 0.0);
            assert!(axis.column(now).unwrap() >= 70, "{axis:?}");
        }
    }

    #[test]
    fn zoomed_in_the_present_is_on_the_right() {
        let axis = TimeAxis::new(192.0, Some(30.0), 60);
        assert_eq!(axis.column(192.0), Some(59));
        assert_eq!(axis.column(100.0), None);
    }
}
