//! The byte axis: how far it reaches, and how many bytes a row is worth.

use crate::data::Timeline;
use crate::format;

/// How far the curve reaches up and down. Remembered between frames, so that the scale stays.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Extent {
    top: u64,
    below: u64,
    zoom_s: Option<f64>,
    small_since_s: Option<f64>,
}

/// With resident memory so many times as high, live memory still has a fourth of the rows.
const BESIDE: u64 = 4;
/// How long a curve must stay in the lower half before the scale shrinks.
const PATIENCE_S: f64 = 10.0;

impl Extent {
    /// The extent after one more reading: it grows at once and shrinks late.
    #[must_use]
    pub fn following(self, timeline: &Timeline, zoom_s: Option<f64>) -> Self {
        let needed = Self::needed(timeline, zoom_s);
        if needed.top >= self.top || zoom_s != self.zoom_s {
            return needed;
        }
        let below = self.below.max(needed.below);
        if needed.top > self.top / 2 {
            return Self { below, small_since_s: None, ..self };
        }
        let since = self.small_since_s.unwrap_or(timeline.now_s);
        if timeline.now_s - since >= PATIENCE_S {
            return needed;
        }
        Self { below, small_since_s: Some(since), ..self }
    }

    /// The extent to draw with: itself, unless it was never observed or for another zoom.
    pub(super) fn to_draw(self, timeline: &Timeline, zoom_s: Option<f64>) -> Self {
        if self.top > 0 && self.zoom_s == zoom_s { self } else { self.following(timeline, zoom_s) }
    }

    /// What the shown time needs. The kernel's view belongs to it, but may not push the heap's
    /// curve to the floor: it counts as long as it is no more than [`BESIDE`] times as high.
    fn needed(timeline: &Timeline, zoom_s: Option<f64>) -> Self {
        let from = zoom_s.map_or(f64::MIN, |span| timeline.now_s - span);
        let first = timeline.points.partition_point(|point| point.t_s < from);
        let shown = &timeline.points[first.min(timeline.points.len())..];
        let highest = shown.iter().map(|p| p.max.max(p.live)).max().unwrap_or(0);
        let peak =
            timeline.peak.filter(|p| p.t_s.is_some_and(|at| at >= from)).map_or(0, |p| p.bytes);
        let heap = highest.max(peak);
        let rss = shown.iter().filter_map(|p| p.rss).max().unwrap_or(0);
        let top = if rss / BESIDE <= heap { heap.max(rss) } else { heap };
        let below = shown.last().map_or(0, |p| p.untracked_freed);
        Self { top, below, zoom_s, small_since_s: None }
    }
}

/// Rows above and below zero, and what one of them is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Rows above the zero line.
    pub up: u16,
    /// Rows below it.
    pub down: u16,
    /// Rows between two labels.
    pub gap: u16,
    /// Bytes between two labels.
    pub step: u64,
    /// The same below zero; larger only where one scale for both would hide the curve.
    pub step_below: u64,
    /// There is nothing to measure yet.
    pub nothing: bool,
}

impl Scale {
    /// The scale with which `extent` fits in `rows` rows, one of which is the zero line.
    pub fn new(extent: Extent, rows: u16) -> Self {
        let nothing = extent.top == 0 && extent.below == 0;
        let rows = rows.saturating_sub(1).max(1);
        let gap = gap(rows);
        let most = if extent.below > 0 { (rows / 3).max(1).min(rows - 1) } else { 0 };
        for down in u16::from(most > 0)..=most {
            let step = step(extent.top, rows - down, gap);
            if rows_of(extent.below, step, gap) <= f64::from(down) + 0.5 {
                return Self { up: rows - down, down, gap, step, step_below: step, nothing };
            }
        }
        let up = rows - most;
        Self {
            up,
            down: most,
            gap,
            step: step(extent.top, up, gap),
            step_below: step(extent.below, most, gap),
            nothing,
        }
    }

    /// `value` in `parts`ths of a row, from the bottom of the first row above zero. Whatever is not
    /// zero is seen.
    pub fn parts_up(&self, value: u64, parts: u64) -> u64 {
        parts_of(rows_of(value, self.step, self.gap), parts)
    }

    /// `value` in `parts`ths of a row, from the top of the first row below zero.
    pub fn parts_down(&self, value: u64, parts: u64) -> u64 {
        parts_of(rows_of(value, self.step_below, self.gap), parts)
    }
}

fn parts_of(rows: f64, parts: u64) -> u64 {
    if rows == 0.0 {
        return 0;
    }
    let exact = (rows - 0.5) * parts as f64;
    (exact.round() as u64).max(1)
}

/// How many rows `value` is away from the zero line: from the middle of a row to the middle of
/// another, where labels and lines stand.
fn rows_of(value: u64, step: u64, gap: u16) -> f64 {
    value as f64 * f64::from(gap) / step as f64
}

/// Rows between two labels: on a high axis they stand further apart.
fn gap(rows: u16) -> u16 {
    match rows {
        0..16 => 2,
        16..30 => 3,
        _ => 5,
    }
}

/// Round tenths of the unit in which the top is read, so that all labels have that unit and at
/// most one decimal.
const ROUND: [u64; 32] = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400,
    500, 600, 800, 1000, 1500, 2000, 3000, 5000,
];

/// The smallest round number of bytes between two labels, so that `top` fits in `rows`.
fn step(top: u64, rows: u16, gap: u16) -> u64 {
    let unit = 1u64 << (10 * format::unit_of(top));
    let tenths = |tenths: u64| (unit as f64 * tenths as f64 / 10.0).round() as u64;
    let whole = |step: &u64| unit > 1 || step.is_multiple_of(2);
    ROUND
        .into_iter()
        .map(tenths)
        .filter(|step| *step > 0)
        .filter(whole)
        .find(|step| rows_of(top, *step, gap) <= f64::from(rows) + 0.5)
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Point;

    fn reading(t_s: f64, live: u64) -> Timeline {
        let points = vec![Point { t_s, live, max: live, ..Point::default() }];
        Timeline { points, now_s: t_s, ..Timeline::default() }
    }

    #[test]
    fn the_scale_grows_at_once_and_shrinks_late() {
        let extent = Extent::default().following(&reading(0.0, 100), None);
        let extent = extent.following(&reading(1.0, 1000), None);
        assert_eq!(extent.top, 1000);
        let low = extent.following(&reading(2.0, 10), None);
        assert_eq!(low.top, 1000, "one low reading changes nothing");
        let low = low.following(&reading(11.9, 10), None);
        assert_eq!(low.top, 1000);
        let low = low.following(&reading(12.0, 10), None);
        assert_eq!(low.top, 10, "ten seconds of low readings do");
        let again = extent.following(&reading(2.0, 10), None).following(&reading(3.0, 900), None);
        assert_eq!(again.small_since_s, None, "a high reading starts the patience over");
    }

    #[test]
    fn zooming_rescales_at_once() {
        let extent = Extent::default().following(&reading(0.0, 1000), None);
        assert_eq!(extent.following(&reading(1.0, 10), Some(10.0)).top, 10);
    }

    #[test]
    fn resident_memory_does_not_flatten_the_curve() {
        let mut timeline = reading(0.0, 100);
        timeline.points[0].rss = Some(150);
        assert_eq!(Extent::needed(&timeline, None).top, 150);
        timeline.points[0].rss = Some(400);
        assert_eq!(Extent::needed(&timeline, None).top, 400);
        timeline.points[0].rss = Some(404);
        assert_eq!(Extent::needed(&timeline, None).top, 100);
    }

    #[test]
    fn everything_fits_and_labels_are_round() {
        for top in [0, 1, 100, 5 << 20, 52 << 20, 3 << 30, u64::MAX / 4] {
            for below in [0, 1, 12 << 20, 1 << 40] {
                let scale = Scale::new(Extent { top, below, ..Extent::default() }, 10);
                assert_eq!(scale.up + scale.down, 9);
                assert!(scale.parts_up(top, 4) <= 4 * u64::from(scale.up), "{top} {scale:?}");
                let deepest = 4 * u64::from(scale.down);
                assert!(scale.parts_down(below, 4) <= deepest, "{below} {scale:?}");
            }
        }
        let extent = Extent { top: 52 << 20, below: 12 << 20, ..Extent::default() };
        let scale = Scale::new(extent, 10);
        assert_eq!((scale.up, scale.down, scale.step), (7, 2, 15 << 20));
    }
}
