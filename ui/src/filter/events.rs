//! The filter of the events screen.
//!
//! `>1K`, `<=64`, `=32` compare the size; `alloc`, `free`, `realloc` choose the kind; `untracked`
//! keeps frees of blocks never seen allocated; a bare number is a thread id, any other word a part
//! of the thread's name, as is `thread:` with a part of it.

use super::pattern::Pattern;
use super::{Comparison, Term, comparison, terms};
use crate::data::{Event, EventKind};

/// A parsed filter; the default lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term<Test>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Size(Comparison, u64),
    Kind(EventKind),
    Untracked,
    Tid(u32),
    Thread(Pattern),
}

const WORDS: [(&str, Test); 4] = [
    ("alloc", Test::Kind(EventKind::Alloc)),
    ("free", Test::Kind(EventKind::Free)),
    ("realloc", Test::Kind(EventKind::Realloc)),
    ("untracked", Test::Untracked),
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
        Ok(Self { terms: terms(text, test)? })
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether `event` passes.
    pub fn matches(&self, event: &Event) -> bool {
        self.terms.iter().all(|term| term.test.holds(event) != term.negated)
    }
}

impl Test {
    fn holds(&self, event: &Event) -> bool {
        match self {
            Self::Size(comparison, size) => comparison.holds(event.size, *size),
            Self::Kind(kind) => event.kind == *kind,
            Self::Untracked => event.untracked,
            Self::Tid(tid) => event.tid == *tid,
            Self::Thread(part) => event.thread.as_ref().is_some_and(|name| part.matches(name)),
        }
    }
}

fn test(word: &str) -> Result<Test, String> {
    let bare = word.strip_prefix("size").filter(|rest| rest.starts_with(['<', '=', '>']));
    if let Some(compared) = comparison(bare.unwrap_or(word), word) {
        return compared.map(|(comparison, size)| Test::Size(comparison, size));
    }
    if let Some((_, test)) = WORDS.into_iter().find(|(name, _)| *name == word) {
        return Ok(test);
    }
    Ok(match word.strip_prefix("thread:") {
        Some(name) => Test::Thread(Pattern::new(name)),
        None => word.parse().map_or_else(|_| Test::Thread(Pattern::new(word)), Test::Tid),
    })
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
        assert!(passes("-alloc thread:worker size=32") && !passes("-worker"));
    }

    #[test]
    fn a_bad_size_is_named() {
        for text in [">", ">x", "<1Q", "=-3", ">nan", "=1é"] {
            let error = Filter::parse(text).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
