//! What the program's terminal showed, as far back as there is room.

use std::collections::VecDeque;

/// Bytes kept.
const CAPACITY: usize = 1 << 20;

/// A bounded ring of bytes.
#[derive(Debug, Default)]
pub(crate) struct Scrollback(VecDeque<u8>);

impl Scrollback {
    /// Adds bytes; the oldest make room.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(CAPACITY)..];
        let excess = (self.0.len() + bytes.len()).saturating_sub(CAPACITY);
        self.0.drain(..excess);
        self.0.extend(bytes);
    }

    /// Whether nothing had to make room yet.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.len() < CAPACITY
    }

    /// All of it. A cut ring starts at a line, not amid an escape sequence.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let line = |&byte: &u8| byte == b'\n';
        let start = match self.is_whole() {
            true => 0,
            false => self.0.iter().position(line).map_or(0, |end| end + 1),
        };
        self.0.range(start..).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go_first() {
        let mut scrollback = Scrollback::default();
        scrollback.extend(b"first\n");
        assert_eq!(scrollback.bytes(), b"first\n");
        for number in 0..200_000 {
            scrollback.extend(format!("{number:09}\n").as_bytes());
        }
        let kept = scrollback.bytes();
        assert!(kept.len() <= CAPACITY && kept.len() > CAPACITY - 20);
        assert_eq!(kept.len() % 10, 0);
        assert!(kept.ends_with(b"000199999\n"));
        scrollback.extend(&vec![b'x'; 3 * CAPACITY]);
        assert_eq!(scrollback.bytes().len(), CAPACITY);
    }
}
