//! The filter of the events screen: a few words, all of which must hold.
//!
//! `>1K`, `<=64`, `=32` compare the size; `alloc`, `free`, `realloc` choose the kind; `untracked`
//! keeps frees of blocks never seen allocated; a bare number is a thread id, any other word a part
//! of the thread's name.

use crate::data::{Event, EventKind};

/// A parsed filter; the default lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Size(Comparison, u64),
    Kind(EventKind),
    Untracked,
    Tid(u32),
    Thread(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

/// Longest spelling first, so that `>=` is not read as `>`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

const WORDS: [(&str, Term); 4] = [
    ("alloc", Term::Kind(EventKind::Alloc)),
    ("free", Term::Kind(EventKind::Free)),
    ("realloc", Term::Kind(EventKind::Realloc)),
    ("untracked", Term::Untracked),
];

impl Filter {
    /// Reads a filter as typed.
    ///
    /// ```
    /// use memtop_ui::{data::Event, filter::Filter};
    /// let filter = Filter::parse(">1K worker")?;
    /// let event = Event { size: 4096, thread: Some("worker-3".into()), ..Event::default() };
    /// assert!(filter.matches(&event));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// A sentence that names the word which is no filter.
    pub fn parse(text: &str) -> Result<Self, String> {
        let terms = text.split_whitespace().map(term).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether `event` passes.
    pub fn matches(&self, event: &Event) -> bool {
        self.terms.iter().all(|term| term.matches(event))
    }
}

impl Term {
    fn matches(&self, event: &Event) -> bool {
        match self {
            Self::Size(comparison, size) => comparison.holds(event.size, *size),
            Self::Kind(kind) => event.kind == *kind,
            Self::Untracked => event.untracked,
            Self::Tid(tid) => event.tid == *tid,
            Self::Thread(part) => {
                event.thread.as_ref().is_some_and(|name| name.to_lowercase().contains(part))
            }
        }
    }
}

impl Comparison {
    fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }
}

fn term(word: &str) -> Result<Term, String> {
    for (sign, comparison) in COMPARISONS {
        if let Some(rest) = word.strip_prefix(sign) {
            let size = size(rest).ok_or_else(|| format!("“{word}”: a size reads like {sign}1K"))?;
            return Ok(Term::Size(comparison, size));
        }
    }
    if let Some((_, term)) = WORDS.into_iter().find(|(name, _)| *name == word) {
        return Ok(term);
    }
    Ok(word.parse().map_or_else(|_| Term::Thread(word.to_lowercase()), Term::Tid))
}

/// `64`, `1K`, `1.5MiB`: bytes, in powers of 1024 whatever the spelling.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return None,
    };
    let number: f64 = digits.parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
    Some((number * (1u64 << shift) as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(size: u64, kind: EventKind) -> Event {
        Event { size, kind, tid: 4242, thread: Some("io-Worker".into()), ..Event::default() }
    }

    #[test]
    fn sizes_compare_as_written() {
        let cases = [
            (">1K", 1024, false),
            (">1K", 1025, true),
            (">=1KiB", 1024, true),
            ("<64", 63, true),
            ("<64", 64, false),
            ("<=64B", 64, true),
            ("=32", 32, true),
            ("=1.5m", 3 << 19, true),
        ];
        for (text, size, passes) in cases {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.matches(&event(size, EventKind::Alloc)), passes, "{text} {size}");
        }
    }

    #[test]
    fn words_and_threads_combine() {
        let passes = |text: &str| Filter::parse(text).unwrap().matches(&event(32, EventKind::Free));
        assert!(passes(""));
        assert!(passes("free worker =32"));
        assert!(passes("4242"));
        assert!(!passes("4243"));
        assert!(!passes("alloc"));
        assert!(!passes("untracked"));
        assert!(!passes("free main"));
    }

    #[test]
    fn a_bad_size_is_named() {
        for text in [">", ">x", "<1Q", "=-3", ">nan", "=1é"] {
            let error = Filter::parse(text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
