//! Bytes as a canonical Huffman code: for columns in which nothing repeats, but some bytes come
//! more often than others.
//!
//! ```text
//!  count varint   256 code lengths, 4 bits each, low half first: 0 = does not occur
//!  bits           least significant first; of codes of one length the lower byte has the lower
//! ```

use super::wire::{Malformed, put_uint, take_uint};

/// Longest code that is read.
const LONGEST: usize = 15;
/// Longest code that is written.
const LONGEST_WRITTEN: usize = 14;
/// So many codes, and the bits of a byte before them, fit 64 bits.
const AT_ONCE: usize = 4;
const _: () = assert!(AT_ONCE * LONGEST_WRITTEN + 7 < 64);
/// Most bytes that a column unpacks to.
const MAX_BYTES: u64 = 1 << 20;

/// How bytes are coded.
pub(super) struct Code {
    lengths: [u8; 256],
    count: usize,
    bits: usize,
}

impl Code {
    /// The code of `bytes`; `None` for too few, or too many, to be worth it.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < 256 || bytes.len() as u64 > MAX_BYTES {
            return None;
        }
        let counts = counts(bytes);
        let lengths = lengths(counts);
        let bits = counts.iter().zip(lengths).map(|(count, length)| count * usize::from(length));
        Some(Self { lengths, count: bytes.len(), bits: bits.sum() })
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        let mut count = Vec::new();
        put_uint(self.count as u64, &mut count);
        count.len() + 128 + self.bits.div_ceil(8)
    }

    /// Appends the code of `bytes`, those that it was made of.
    pub(super) fn put(&self, bytes: &[u8], out: &mut Vec<u8>) {
        put_uint(bytes.len() as u64, out);
        out.extend(self.lengths.chunks(2).map(|two| two[0] | two[1] << 4));
        let (mut at, end) = (out.len(), out.len() + self.bits.div_ceil(8));
        // Eight bytes are written at a time, of which the last are written over by the next.
        out.resize(end + 8, 0);
        let codes = codes(&self.lengths);
        let (mut held, mut count) = (0_u64, 0);
        for some in bytes.chunks(AT_ONCE) {
            for byte in some {
                held |= u64::from(codes[usize::from(*byte)]) << count;
                count += u32::from(self.lengths[usize::from(*byte)]);
            }
            out[at..at + 8].copy_from_slice(&held.to_le_bytes());
            at += (count / 8) as usize;
            held >>= count & !7;
            count &= 7;
        }
        out.truncate(end);
    }
}

/// The bytes of a code.
pub(super) fn decode(mut code: &[u8]) -> Result<Vec<u8>, Malformed> {
    let count = take_uint(&mut code)?;
    let (packed, bits) = code.split_at_checked(128).ok_or(Malformed)?;
    // Each byte takes a bit at least: no more room is asked for than there are bits.
    if count > MAX_BYTES || count > bits.len() as u64 * 8 {
        return Err(Malformed);
    }
    let mut lengths = [0; 256];
    for (two, packed) in lengths.chunks_mut(2).zip(packed) {
        two.copy_from_slice(&[packed & 15, packed >> 4]);
    }
    let table = table(&lengths)?;
    let mut out = Vec::with_capacity(count as usize);
    let (mut held, mut have, mut bits) = (0_u64, 0_u32, bits.iter());
    for _ in 0..count {
        while have < LONGEST as u32 {
            // Zeros behind the end are never part of what was written.
            held |= u64::from(bits.next().copied().unwrap_or(0)) << have;
            have += 8;
        }
        let (byte, length) = table[held as usize & ((1 << LONGEST) - 1)];
        if length == 0 {
            return Err(Malformed);
        }
        held >>= length;
        have -= u32::from(length);
        out.push(byte);
    }
    Ok(out)
}

/// How often each byte comes. Four tables, because a byte often follows its like, and each would
/// wait for the other.
fn counts(bytes: &[u8]) -> [usize; 256] {
    let mut counts = [[0_u32; 256]; 4];
    let (fours, rest) = bytes.as_chunks::<4>();
    for four in fours {
        for (counts, byte) in counts.iter_mut().zip(four) {
            counts[usize::from(*byte)] += 1;
        }
    }
    rest.iter().for_each(|byte| counts[0][usize::from(*byte)] += 1);
    std::array::from_fn(|byte| counts.iter().map(|counts| counts[byte] as usize).sum())
}

/// Code lengths by byte, none above [`LONGEST_WRITTEN`].
fn lengths(mut counts: [usize; 256]) -> [u8; 256] {
    loop {
        let lengths = tree_depths(&counts);
        if lengths.iter().all(|length| usize::from(*length) <= LONGEST_WRITTEN) {
            return lengths;
        }
        // Flatter counts make a flatter tree.
        counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = *count / 2 + 1);
    }
}

/// How deep each byte is in the tree that joins the two rarest again and again.
fn tree_depths(counts: &[usize; 256]) -> [u8; 256] {
    let used = (0_u8..=255).filter(|byte| counts[usize::from(*byte)] > 0);
    let mut bytes: Vec<u8> = used.collect();
    bytes.sort_by_key(|byte| counts[usize::from(*byte)]);
    // The bytes, then what joins two; both rise, so the rarest is the first of either.
    let mut nodes: Vec<usize> = bytes.iter().map(|byte| counts[usize::from(*byte)]).collect();
    let mut parents = vec![0; nodes.len() * 2];
    let (mut leaf, mut joined) = (0, bytes.len());
    for parent in bytes.len()..(bytes.len() * 2).saturating_sub(1) {
        let mut rarest = || {
            let is_leaf =
                leaf < bytes.len() && nodes.get(joined).is_none_or(|one| nodes[leaf] <= *one);
            let next = if is_leaf { &mut leaf } else { &mut joined };
            *next += 1;
            parents[*next - 1] = parent;
            nodes[*next - 1]
        };
        let both = rarest() + rarest();
        nodes.push(both);
    }
    let mut depths = vec![0; nodes.len()];
    for node in (0..nodes.len().saturating_sub(1)).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    let mut by_byte = [0; 256];
    for (byte, depth) in bytes.iter().zip(depths) {
        // What is alone is at the root, and takes a bit nevertheless.
        by_byte[usize::from(*byte)] = depth.max(1);
    }
    by_byte
}

/// Codes by byte, their bits in the order in which they are written.
fn codes(lengths: &[u8; 256]) -> [u16; 256] {
    let mut codes = [0; 256];
    let mut next = 0_u32;
    for length in 1..=LONGEST {
        next <<= 1;
        for byte in (0..256).filter(|byte| usize::from(lengths[*byte]) == length) {
            codes[byte] = (next as u16).reverse_bits() >> (16 - length);
            next += 1;
        }
    }
    codes
}

/// Byte and length by the next bits.
fn table(lengths: &[u8; 256]) -> Result<Vec<(u8, u8)>, Malformed> {
    let room: u64 =
        lengths.iter().filter(|one| **one > 0).map(|one| 1 << (LONGEST - usize::from(*one))).sum();
    if room > 1 << LONGEST {
        return Err(Malformed);
    }
    let codes = codes(lengths);
    let mut table = vec![(0, 0); 1 << LONGEST];
    for (byte, length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
        let step = 1 << length;
        let first = usize::from(codes[byte]);
        table.iter_mut().skip(first).step_by(step).for_each(|one| *one = (byte as u8, *length));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
        let code = Code::of(bytes)?;
        let mut out = Vec::new();
        code.put(bytes, &mut out);
        assert_eq!(out.len(), code.len());
        Some(out)
    }

    #[test]
    fn bytes_that_come_often_take_few_bits() {
        let bytes: Vec<u8> =
            (0..4096).map(|n: u32| if n.is_multiple_of(4) { n as u8 } else { 7 }).collect();
        let code = encode(&bytes).expect("enough bytes");
        assert!(code.len() < 128 + 2 + 1600, "{}", code.len());
        assert_eq!(decode(&code), Ok(bytes));
        let one = vec![9; 1000];
        assert_eq!(decode(&encode(&one).expect("enough bytes")), Ok(one));
    }

    #[test]
    fn no_code_is_too_long() {
        // Each as often as the two before together: the deepest tree that there is.
        let (mut bytes, mut counts) = (Vec::new(), (1, 1));
        for byte in 0..24 {
            bytes.extend(std::iter::repeat_n(byte, counts.0));
            counts = (counts.1, counts.0 + counts.1);
        }
        assert!(tree_depths(&super::counts(&bytes)).contains(&23));
        assert!(
            lengths(super::counts(&bytes)).iter().all(|one| usize::from(*one) <= LONGEST_WRITTEN)
        );
        assert_eq!(decode(&encode(&bytes).expect("enough bytes")), Ok(bytes));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in vec(any::<u8>(), 256..2000), skew in 1_u32..60) {
            let bytes: Vec<u8> = bytes
                .iter()
                .map(|byte| (f64::from(*byte) / 255.0).powi(skew as i32).mul_add(255.0, 0.0) as u8)
                .collect();
            prop_assert_eq!(decode(&encode(&bytes).expect("enough bytes")), Ok(bytes));
        }

        #[test]
        fn any_code_is_read_without_panic(code in vec(any::<u8>(), 0..400)) {
            let _ = decode(&code);
        }
    }
}
