//! Bytes as a canonical Huffman code: for columns in which nothing repeats, but some bytes come
//! more often than others.
//!
//! ```text
//!  count varint   256 code lengths, 4 bits each, low half first: 0 = does not occur
//!  bits           least significant first; of codes of one length the lower byte has the lower
//! ```

use super::wire::{Malformed, put_uint, take_uint};

/// Longest code.
const LONGEST: usize = 15;
/// Most bytes that a column unpacks to.
const MAX_BYTES: u64 = 1 << 20;

/// The code of `bytes`; `None` for too few, or too many, to be worth it.
pub(super) fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < 256 || bytes.len() as u64 > MAX_BYTES {
        return None;
    }
    let lengths = lengths(bytes);
    let codes = codes(&lengths);
    let mut out = Vec::with_capacity(bytes.len() / 2 + 160);
    put_uint(bytes.len() as u64, &mut out);
    out.extend(lengths.chunks(2).map(|two| two[0] | two[1] << 4));
    let (mut held, mut count) = (0_u64, 0);
    for byte in bytes {
        held |= u64::from(codes[usize::from(*byte)]) << count;
        count += u32::from(lengths[usize::from(*byte)]);
        while count >= 8 {
            out.push(held as u8);
            held >>= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push(held as u8);
    }
    Some(out)
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

/// Code lengths by byte, none above [`LONGEST`].
fn lengths(bytes: &[u8]) -> [u8; 256] {
    let mut counts = [0_u64; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    loop {
        let lengths = tree_depths(&counts);
        if lengths.iter().all(|length| usize::from(*length) <= LONGEST) {
            return lengths;
        }
        // Flatter counts make a flatter tree.
        counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = *count / 2 + 1);
    }
}

/// How deep each byte is in the tree that joins the two rarest again and again.
fn tree_depths(counts: &[u64; 256]) -> [u8; 256] {
    let mut nodes: Vec<(u64, Vec<u8>)> = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(byte, count)| (*count, vec![byte as u8]))
        .collect();
    let mut depths = [0; 256];
    if let [(_, only)] = &nodes[..] {
        depths[usize::from(only[0])] = 1;
    }
    while nodes.len() > 1 {
        nodes.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let (Some(one), Some(mut other)) = (nodes.pop(), nodes.pop()) else {
            break;
        };
        other.0 += one.0;
        other.1.extend(one.1);
        other.1.iter().for_each(|byte| depths[usize::from(*byte)] += 1);
        nodes.push(other);
    }
    depths
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
