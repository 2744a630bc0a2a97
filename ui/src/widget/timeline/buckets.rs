//! Readings gathered into columns.

use super::axis::TimeAxis;
use crate::data::Timeline;

/// What one column knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Live bytes at the column's end.
    pub live: u64,
    /// Highest live bytes within the column.
    pub max: u64,
    /// Highest resident set size within the column.
    pub rss: Option<u64>,
    /// Untracked freed bytes at the column's end.
    pub untracked: u64,
}

/// One bucket a column; `None` where there is no reading yet.
///
/// A column without a reading of its own holds what the one before ended with.
pub(super) fn buckets(timeline: &Timeline, axis: &TimeAxis) -> Vec<Option<Bucket>> {
    let mut columns = vec![None; axis.columns()];
    let first = timeline.points.partition_point(|point| point.t_s < axis.from_s());
    for point in &timeline.points[first..] {
        let Some(column) = axis.column(point.t_s) else {
            continue;
        };
        let bucket = columns[column].get_or_insert_with(Bucket::default);
        bucket.live = point.live;
        bucket.max = bucket.max.max(point.max).max(point.live);
        bucket.rss = bucket.rss.max(point.rss);
        bucket.untracked = point.untracked_freed;
    }
    let before = first.checked_sub(1).map(|i| &timeline.points[i]);
    let before = before.map(|point| Bucket {
        live: point.live,
        max: point.live,
        rss: point.rss,
        untracked: point.untracked_freed,
    });
    let known_to = timeline.read_to_s.unwrap_or(timeline.now_s);
    let present = axis.column(known_to).map_or(0, |column| column + 1);
    hold(&mut columns[..present], before);
    columns
}

fn hold(columns: &mut [Option<Bucket>], mut last: Option<Bucket>) {
    for column in columns {
        if column.is_none() {
            *column = last.map(|bucket| Bucket { max: bucket.live, ..bucket });
        }
        last = *column;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Point;

    fn point(t_s: f64, live: u64, max: u64) -> Point {
        Point { t_s, live, max, ..Point::default() }
    }

    #[test]
    fn a_column_keeps_the_spike_and_the_last_value() {
        let points = vec![point(0.1, 5, 5), point(0.2, 6, 90), point(0.9, 7, 7), point(3.5, 1, 1)];
        let timeline = Timeline { points, now_s: 4.0, ..Timeline::default() };
        let axis = TimeAxis::new(4.0, Some(5.0), 5);
        let columns = buckets(&timeline, &axis);
        let live: Vec<_> = columns.iter().map(|b| b.map(|b| b.live)).collect();
        assert_eq!(live, [Some(7), Some(7), Some(7), Some(1), Some(1)]);
        assert_eq!(columns[0].unwrap().max, 90);
        assert_eq!(columns[1].unwrap().max, 7, "a held value has no spike");
    }

    #[test]
    fn what_is_not_read_yet_has_no_value() {
        let points = vec![point(0.5, 42, 42), point(1.5, 43, 43)];
        let timeline = Timeline { points, now_s: 4.0, read_to_s: Some(1.5), ..Timeline::default() };
        let columns = buckets(&timeline, &TimeAxis::new(4.0, Some(5.0), 5));
        let live: Vec<_> = columns.iter().map(|b| b.map(|b| b.live)).collect();
        assert_eq!(live, [Some(42), Some(43), None, None, None]);
    }

    #[test]
    fn zoomed_in_the_value_from_before_the_window_is_held() {
        let timeline =
            Timeline { points: vec![point(1.0, 42, 42)], now_s: 100.0, ..Timeline::default() };
        let axis = TimeAxis::new(100.0, Some(10.0), 10);
        assert!(buckets(&timeline, &axis).iter().all(|b| b.is_some_and(|b| b.live == 42)));
    }
}
