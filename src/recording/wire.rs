//! Integers and fields as they stand in the file. Reading never trusts a length.

/// A value that is too short, too long or out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Appends a varint.
#[inline]
pub(super) fn put_uint(value: u64, out: &mut Vec<u8>) {
    match value < 1 << 28 {
        true => put_short_uint(value as u32, out),
        false => put_long_uint(value, out),
    }
}

/// Up to four groups of 7 bits at once: how many there are is seldom foreseen by a processor.
#[inline]
fn put_short_uint(value: u32, out: &mut Vec<u8>) {
    let groups = (value & 0x7f)
        | (value & 0x7f << 7) << 1
        | (value & 0x7f << 14) << 2
        | (value & 0x7f << 21) << 3;
    let more = (value | 1).ilog2() / 7;
    let marks = 0x80_80_80 & ((1 << (8 * more)) - 1);
    out.extend_from_slice(&(groups | marks).to_le_bytes());
    out.truncate(out.len() - 3 + more as usize);
}

#[cold]
fn put_long_uint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a varint off the front.
pub(super) fn take_uint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(Malformed);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// Small magnitudes of either sign become small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends one field.
pub(super) fn put_field(tag: u64, value: &[u8], out: &mut Vec<u8>) {
    put_uint(tag, out);
    put_uint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// The fields of a record, until they end or stop making sense.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = take_field(&mut self.0);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn take_field<'a>(bytes: &mut &'a [u8]) -> Result<(u64, &'a [u8]), Malformed> {
    let tag = take_uint(bytes)?;
    let length = usize::try_from(take_uint(bytes)?).map_err(|_| Malformed)?;
    let (value, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
    *bytes = rest;
    Ok((tag, value))
}

/// The last uint under `tag`, if there is one.
pub(super) fn find_uint(payload: &[u8], tag: u64) -> Result<Option<u64>, Malformed> {
    let mut found = None;
    for field in Fields(payload) {
        let (this, mut value) = field?;
        if this == tag {
            found = Some(take_uint(&mut value)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_format() {
        let mut out = Vec::new();
        put_uint(300, &mut out);
        assert_eq!(out, [0xac, 0x02]);
    }

    #[test]
    fn a_varint_beyond_64_bits_is_malformed() {
        let eleven = [0x80; 11];
        assert_eq!(take_uint(&mut &eleven[..]), Err(Malformed));
        let mut too_big = [0xff; 10];
        too_big[9] = 0x02;
        assert_eq!(take_uint(&mut &too_big[..]), Err(Malformed));
        assert_eq!(take_uint(&mut &[0x80][..]), Err(Malformed));
    }

    #[test]
    fn a_field_longer_than_its_record_ends_the_record() {
        let fields: Vec<_> = Fields(&[1, 1, 5, 2, 9, 0]).collect();
        assert_eq!(fields, [Ok((1, &[5][..])), Err(Malformed)]);
    }

    proptest! {
        #[test]
        fn numbers_round_trip(value: u64, signed: i64) {
            let mut out = Vec::new();
            put_uint(value, &mut out);
            let mut rest = &out[..];
            prop_assert_eq!(take_uint(&mut rest), Ok(value));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(unzigzag(zigzag(signed)), signed);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = Fields(&bytes).count();
            let _ = find_uint(&bytes, 1);
        }
    }
}
