//! Packed values: bytes that are compressed where that makes them shorter.

use super::{
    MAX_FRAME_BYTES,
    wire::{Malformed, put_uint, take_uint},
};

/// Below this there is nothing to win.
const WORTH_PACKING: usize = 64;
/// From here on what is between packed parts does not matter.
const WORTH_PACKING_AGAIN: usize = 1 << 14;

/// The packed form of `bytes`.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() >= WORTH_PACKING && bytes.len() as u64 <= u64::from(MAX_FRAME_BYTES) {
        let packed = lz4_flex::block::compress(bytes);
        if packed.len() < bytes.len() {
            let mut out = Vec::with_capacity(packed.len() + 4);
            put_uint(bytes.len() as u64, &mut out);
            out.extend_from_slice(&packed);
            return out;
        }
    }
    [&[0], bytes].concat()
}

/// The packed form of bytes that hold little but what is packed already.
pub(super) fn pack_again(bytes: &[u8]) -> Vec<u8> {
    match bytes.len() < WORTH_PACKING_AGAIN {
        true => pack(bytes),
        false => [&[0], bytes].concat(),
    }
}

/// The bytes of a packed value.
pub(super) fn unpack(mut packed: &[u8]) -> Result<Vec<u8>, Malformed> {
    match take_uint(&mut packed)? {
        0 => Ok(packed.to_vec()),
        length if length > u64::from(MAX_FRAME_BYTES) => Err(Malformed),
        length => {
            let bytes = lz4_flex::block::decompress(packed, length as usize);
            bytes.ok().filter(|bytes| bytes.len() as u64 == length).ok_or(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_repeats_becomes_shorter() {
        let bytes = b"ping".repeat(1000);
        assert!(pack(&bytes).len() < 100);
        assert_eq!(unpack(&pack(&bytes)), Ok(bytes));
    }

    #[test]
    fn a_length_that_lies_is_malformed() {
        let mut packed = pack(&[7; 1000]);
        assert_eq!(packed[..2], [0xe8, 0x07]);
        packed[0] = 0xe9;
        assert_eq!(unpack(&packed), Err(Malformed));
        packed[0] = 0xe7;
        assert_eq!(unpack(&packed), Err(Malformed));
        assert_eq!(unpack(&[0xff, 0xff, 0xff, 0x7f, 0]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn anything_is_unpacked_as_it_was(bytes: Vec<u8>, times in 1_usize..40) {
            let bytes = bytes.repeat(times);
            prop_assert_eq!(unpack(&pack(&bytes)), Ok(bytes));
        }

        #[test]
        fn any_bytes_are_unpacked_without_panic(bytes: Vec<u8>) {
            let _ = unpack(&bytes);
        }
    }
}
