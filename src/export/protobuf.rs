//! Protocol buffers, as far as writing them takes: a message is a row of fields, each a tag,
//! a length where it needs one, and a value.

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

/// The wire types used here.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;

impl Message {
    /// A number; zero is what is not there.
    pub(super) fn number(&mut self, field: u64, value: u64) -> &mut Self {
        if value != 0 {
            self.varint(field << 3 | VARINT);
            self.varint(value);
        }
        self
    }

    /// Numbers, packed.
    pub(super) fn numbers(&mut self, field: u64, values: &[u64]) -> &mut Self {
        let mut packed = Self::default();
        values.iter().for_each(|value| packed.varint(*value));
        self.bytes(field, &packed.bytes)
    }

    /// Bytes or text.
    pub(super) fn bytes(&mut self, field: u64, value: &[u8]) -> &mut Self {
        self.varint(field << 3 | LENGTH);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// A message within this one.
    pub(super) fn message(&mut self, field: u64, value: &Self) -> &mut Self {
        self.bytes(field, &value.bytes)
    }

    /// What was written.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let mut inner = Message::default();
        inner.number(1, 150);
        let mut outer = Message::default();
        outer.message(3, &inner).bytes(2, b"testing").numbers(4, &[3, 270, 86942]).number(5, 0);
        let expected = [
            &[0x1a, 3, 0x08, 0x96, 0x01][..],
            b"\x12\x07testing",
            &[0x22, 6, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05],
        ];
        assert_eq!(outer.as_bytes(), expected.concat());
    }
}
