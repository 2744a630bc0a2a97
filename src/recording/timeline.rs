//! Timeline frames: one column of differences for each figure.

use std::time::Duration;

use super::{
    MAX_FRAME_POINTS,
    column::{Column, bit, put_bits, put_column},
    value::nanos,
    wire::{Fields, Malformed},
};
use crate::model::Point;

/// Appends the columns of `points`.
pub(super) fn put_points(points: &[Point], out: &mut Vec<u8>) {
    let known = points.iter().filter_map(|point| point.rss_bytes);
    put_column(2, points.iter().map(|point| nanos(point.at)), out);
    put_column(3, points.iter().map(|point| point.current_bytes), out);
    put_column(4, points.iter().map(|point| point.max_bytes), out);
    put_bits(5, points.iter().map(|point| point.rss_bytes.is_some()), out);
    put_column(6, known, out);
    let untracked = points.iter().map(|point| point.untracked_freed_bytes);
    put_column(7, untracked, out);
}

#[derive(Default)]
struct Columns<'a> {
    at: Column<'a>,
    current: Column<'a>,
    max: Column<'a>,
    rss_known: &'a [u8],
    rss: Column<'a>,
    untracked: Column<'a>,
}

impl<'a> Columns<'a> {
    fn find(payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut columns = Self::default();
        for field in Fields(payload) {
            let (tag, value) = field?;
            match tag {
                2 => columns.at = Column::new(value),
                3 => columns.current = Column::new(value),
                4 => columns.max = Column::new(value),
                5 => columns.rss_known = value,
                6 => columns.rss = Column::new(value),
                7 => columns.untracked = Column::new(value),
                _ => {}
            }
        }
        Ok(columns)
    }

    fn point(&mut self, index: usize) -> Result<Point, Malformed> {
        let known = bit(self.rss_known, index);
        Ok(Point {
            at: Duration::from_nanos(self.at.next()?),
            current_bytes: self.current.next()?,
            max_bytes: self.max.next()?,
            rss_bytes: known.then(|| self.rss.next()).transpose()?,
            untracked_freed_bytes: self.untracked.next()?,
        })
    }
}

/// The samples of a timeline frame.
pub(super) fn read_points(payload: &[u8]) -> Result<Vec<Point>, Malformed> {
    let mut columns = Columns::find(payload)?;
    let mut points = Vec::new();
    while !columns.at.is_done() {
        if points.len() == MAX_FRAME_POINTS {
            return Err(Malformed);
        }
        points.push(columns.point(points.len())?);
    }
    Ok(points)
}
