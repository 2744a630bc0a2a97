//! Columns: numbers of one kind back to back, each as its difference to the one before.

use super::{
    block,
    wire::{Malformed, put_field, put_uint, take_uint, unzigzag, zigzag},
};

/// Appends a field that holds a column.
pub(super) fn put_column(tag: u64, values: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
    let mut column = Vec::new();
    let mut previous = 0_u64;
    for value in values {
        put_uint(zigzag(value.wrapping_sub(previous) as i64), &mut column);
        previous = value;
    }
    put_field(tag, &column, out);
}

/// Appends a field with one bit a value, least significant first.
pub(super) fn put_bits(tag: u64, values: impl ExactSizeIterator<Item = bool>, out: &mut Vec<u8>) {
    let mut bits = vec![0; values.len().div_ceil(8)];
    for (index, value) in values.enumerate() {
        bits[index / 8] |= u8::from(value) << (index % 8);
    }
    put_field(tag, &bits, out);
}

/// Bit `index`; those that are not there are 0.
pub(super) fn bit(bits: &[u8], index: usize) -> bool {
    bits.get(index / 8).copied().unwrap_or(0) >> (index % 8) & 1 == 1
}

/// One column, number by number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Column<'a> {
    bytes: Option<&'a [u8]>,
    previous: u64,
}

impl<'a> Column<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: Some(bytes), previous: 0 }
    }

    /// The next number; 0 where the column is missing.
    pub(super) fn next(&mut self) -> Result<u64, Malformed> {
        let Some(bytes) = &mut self.bytes else {
            return Ok(0);
        };
        let delta = unzigzag(take_uint(bytes)?) as u64;
        self.previous = self.previous.wrapping_add(delta);
        Ok(self.previous)
    }

    /// The next number, in a column of numbers raised by one: 0 is none.
    pub(super) fn next_id(&mut self) -> Result<Option<u32>, Malformed> {
        self.next()?.checked_sub(1).map(u32::try_from).transpose().map_err(|_| Malformed)
    }

    pub(super) fn is_done(&self) -> bool {
        self.bytes.is_none_or(<[u8]>::is_empty)
    }
}

/// Appends the fields that every envelope begins with, and what is in it.
pub(super) fn put_envelope(image: u64, at: u64, fields: &[u8], out: &mut Vec<u8>) {
    put_packed_envelope(image, at, &block::pack(fields), out);
}

/// The same with what is packed already.
pub(super) fn put_packed_envelope(image: u64, at: u64, packed: &[u8], out: &mut Vec<u8>) {
    for (tag, value) in [(1, image), (2, at)] {
        let mut bytes = Vec::new();
        put_uint(value, &mut bytes);
        put_field(tag, &bytes, out);
    }
    put_field(3, packed, out);
}
