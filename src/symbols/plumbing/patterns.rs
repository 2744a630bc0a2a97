//! Patterns with stars, and many of them at once.

use std::collections::HashMap;

use super::Kind;

/// Patterns in their order, and which of them a text that begins with a certain byte can match:
/// most names are like none of them, and are looked at for every location.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    all: Vec<(Pattern, Option<Kind>)>,
    /// Positions of those that begin with a byte, and of those that begin with a star.
    by_byte: HashMap<u8, Vec<usize>>,
    by_star: Vec<usize>,
}

impl Patterns {
    pub(super) fn add(&mut self, pattern: Pattern, kind: Option<Kind>) {
        let at = self.all.len();
        match pattern.first_byte() {
            None => {
                self.by_star.push(at);
                self.by_byte.values_mut().for_each(|positions| positions.push(at));
            }
            Some(byte) => {
                let positions = self.by_byte.entry(byte);
                positions.or_insert_with(|| self.by_star.clone()).push(at);
            }
        }
        self.all.push((pattern, kind));
    }

    pub(super) fn first_match(&self, text: &str) -> Option<Option<Kind>> {
        let known = text.bytes().next().and_then(|byte| self.by_byte.get(&byte));
        let mut can = known.unwrap_or(&self.by_star).iter().map(|at| &self.all[*at]);
        can.find(|(pattern, _)| pattern.matches(text)).map(|(_, kind)| *kind)
    }
}

/// A pattern, cut at its stars: at least a beginning and an end.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        Self { pieces: pattern.split('*').map(str::to_owned).collect() }
    }

    /// What a text must begin with to match.
    fn first_byte(&self) -> Option<u8> {
        self.pieces.first().and_then(|piece| piece.bytes().next())
    }

    fn matches(&self, name: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| only == name);
        };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
        for piece in middle {
            match find(rest, piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

/// Where a piece of a pattern is in a text. Names are short: to prepare a search for several bytes
/// takes longer than this one.
fn find(text: &str, piece: &str) -> Option<usize> {
    let Some(first) = piece.bytes().next() else { return Some(0) };
    let mut begins = memchr::memchr_iter(first, text.as_bytes());
    begins.find(|at| text.as_bytes()[*at..].starts_with(piece.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, matches) in [
            ("std::*", "std::vector<int>::push_back", true),
            ("std::*", "my_std::vector", false),
            ("<* as alloc::*", "<str as alloc::borrow::ToOwned>::to_owned", true),
            ("x*y*z", "xyz", true),
            ("x*y*z", "xzy", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), matches, "{pattern} {name}");
        }
    }
}
