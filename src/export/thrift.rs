//! Thrift's compact protocol, as far as writing a Parquet file's headers takes.

/// A struct in the making; fields come in rising order.
#[derive(Debug, Default)]
pub(super) struct Struct {
    bytes: Vec<u8>,
    last: u8,
}

const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

impl Struct {
    pub(super) fn i32(self, field: u8, value: i32) -> Self {
        self.with(field, I32, |bytes| zigzag(bytes, value.into()))
    }

    pub(super) fn i64(self, field: u8, value: i64) -> Self {
        self.with(field, I64, |bytes| zigzag(bytes, value))
    }

    pub(super) fn text(self, field: u8, value: &str) -> Self {
        self.with(field, BINARY, |bytes| text(bytes, value))
    }

    pub(super) fn message(self, field: u8, value: Self) -> Self {
        self.with(field, STRUCT, |bytes| bytes.extend(value.finish()))
    }

    pub(super) fn numbers(self, field: u8, values: &[i32]) -> Self {
        self.list(field, I32, values, |bytes, value| zigzag(bytes, (*value).into()))
    }

    pub(super) fn texts(self, field: u8, values: &[&str]) -> Self {
        self.list(field, BINARY, values, |bytes, value| text(bytes, value))
    }

    pub(super) fn messages(self, field: u8, values: Vec<Self>) -> Self {
        let finished: Vec<Vec<u8>> = values.into_iter().map(Self::finish).collect();
        self.list(field, STRUCT, &finished, |bytes, value| bytes.extend(value))
    }

    /// The bytes, with the mark of the end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    fn with(mut self, field: u8, kind: u8, value: impl FnOnce(&mut Vec<u8>)) -> Self {
        debug_assert!(field > self.last && field - self.last < 16, "fields rise");
        self.bytes.push((field - self.last) << 4 | kind);
        self.last = field;
        value(&mut self.bytes);
        self
    }

    fn list<T>(self, field: u8, kind: u8, of: &[T], each: impl Fn(&mut Vec<u8>, &T)) -> Self {
        self.with(field, LIST, |bytes| {
            match of.len() {
                few @ 0..15 => bytes.push((few as u8) << 4 | kind),
                many => {
                    bytes.push(0xf0 | kind);
                    varint(bytes, many as u64);
                }
            }
            of.iter().for_each(|one| each(bytes, one));
        })
    }
}

fn text(bytes: &mut Vec<u8>, value: &str) {
    varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value.as_bytes());
}

fn zigzag(bytes: &mut Vec<u8>, value: i64) {
    varint(bytes, (value << 1 ^ value >> 63) as u64);
}

/// An unsigned number, seven bits a byte, the least significant first.
pub(super) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
