//! Timeline frames: one column of differences for each figure.

use std::time::Duration;

use super::{
    MAX_FRAME_POINTS,
    value::nanos,
    wire::{Fields, Malformed, put_field, put_uint, take_uint, unzigzag, zigzag},
};
use crate::model::Point;

/// Appends the columns of `points`.
pub(super) fn put_points(points: &[Point], out: &mut Vec<u8>) {
    let known = points.iter().filter_map(|point| point.rss_bytes);
    put_column(2, points.iter().map(|point| nanos(point.at)), out);
    put_column(3, points.iter().map(|point| point.current_bytes), out);
    put_column(4, points.iter().map(|point| point.max_bytes), out);
    put_field(5, &known_bits(points), out);
    put_column(6, known, out);
    let untracked = points.iter().map(|point| point.untracked_freed_bytes);
    put_column(7, untracked, out);
}

fn put_column(tag: u64, values: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    let mut column = Vec::new();
    let mut previous = 0_u64;
    for value in values {
        put_uint(zigzag(value.wrapping_sub(previous) as i64), &mut column);
        previous = value;
    }
    put_field(tag, &column, out);
}

fn known_bits(points: &[Point]) -> Vec<u8> {
    let mut bits = vec![0; points.len().div_ceil(8)];
    for (index, point) in points.iter().enumerate() {
        bits[index / 8] |= u8::from(point.rss_bytes.is_some()) << (index % 8);
    }
    bits
}

/// One column, number by number.
#[derive(Clone, Copy, Default)]
struct Column<'a> {
    bytes: Option<&'a [u8]>,
    previous: u64,
}

impl<'a> Column<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Some(bytes), previous: 0 }
    }

    /// The next number; 0 where the column is missing.
    fn next(&mut self) -> Result<u64, Malformed> {
        let Some(bytes) = &mut self.bytes else {
            return Ok(0);
        };
        let delta = unzigzag(take_uint(bytes)?) as u64;
        self.previous = self.previous.wrapping_add(delta);
        Ok(self.previous)
    }

    fn is_done(&self) -> bool {
        self.bytes.is_none_or(<[u8]>::is_empty)
    }
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
        let byte = self.rss_known.get(index / 8).copied().unwrap_or(0);
        let known = byte >> (index % 8) & 1 == 1;
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
