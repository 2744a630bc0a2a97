//! Which sites are looked at: the filters of tracemalloc, for stacks.
//!
//! A [`Term`] is a pattern over one part of a frame, as in the filters of the screens. A stack
//! passes when any of the terms to include matches it (or there is none), all that are required
//! do, and none of those to exclude does. A term is tried on the site, or on every frame of the
//! stack.

use std::sync::Arc;

use memtop_ui::filter::pattern::Pattern;

use super::{Chosen, LocationId, Place, Scope, frame::Words};

/// What part of a frame a pattern is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Any of those below.
    Any,
    /// The function.
    Function,
    /// The source file.
    File,
    /// The program or library.
    Module,
    /// The thread that allocated.
    Thread,
}

/// How a part is written before its colon.
const PARTS: [(&str, Part); 6] = [
    ("fn:", Part::Function),
    ("function:", Part::Function),
    ("file:", Part::File),
    ("module:", Part::Module),
    ("lib:", Part::Module),
    ("thread:", Part::Thread),
];

/// A pattern over one part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The part.
    pub part: Part,
    /// What it must look like.
    pub pattern: Pattern,
    /// A line of the file, if that matters.
    pub line: Option<u32>,
}

impl Term {
    /// Reads `fn:PATTERN`, `file:PATTERN[:LINE]`, `module:PATTERN`, `thread:PATTERN` or a bare
    /// pattern for any of them.
    ///
    /// # Errors
    /// With what is missing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let prefix = PARTS.iter().find_map(|(word, part)| Some((*part, text.strip_prefix(word)?)));
        match prefix.unwrap_or((Part::Any, text)) {
            (_, "") => {
                Err(format!("'{text}' has no pattern; write fn:parse*, file:*/net/*.c or a word"))
            }
            (part, pattern) => Ok(Self::new(part, pattern)),
        }
    }

    /// A pattern for a part; what ends in `:312` is of a file, at that line.
    pub fn new(part: Part, text: &str) -> Self {
        if let (Part::File | Part::Any, Some((file, line))) = (part, text.rsplit_once(':'))
            && let Ok(line) = line.parse()
        {
            return Self { part: Part::File, pattern: Pattern::new(file), line: Some(line) };
        }
        Self { part, pattern: Pattern::new(text), line: None }
    }

    /// The same of a pattern that was read before.
    pub fn like(part: Part, pattern: &Pattern) -> Self {
        let (Pattern::Part(text) | Pattern::Whole(text)) = pattern;
        Self::new(part, text)
    }

    /// Whether it matches the words of a frame.
    pub fn matches(&self, words: &Words<'_>) -> bool {
        let parts = [
            (Part::Function, words.function),
            (Part::File, words.file),
            (Part::Module, words.module.as_deref()),
        ];
        let chosen = |part| self.part == Part::Any || self.part == part;
        let mut found = parts.into_iter().filter_map(|(part, text)| Some((part, text?)));
        let here = self.line.is_none() || self.line == words.line;
        here && found.any(|(part, text)| chosen(part) && self.pattern.matches(text))
    }
}

/// Most terms of a filter.
const MOST: usize = 64;

/// Terms together; the default lets every stack pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    terms: Arc<[Term]>,
    include: u64,
    require: u64,
    exclude: u64,
    /// Try the terms on every frame of a stack, and not only on its site.
    pub all_frames: bool,
    /// Only these stacks, of the process whose they are.
    pub chosen: Chosen,
}

/// What a [`Term`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One of those to include must match.
    Include,
    /// All that are required must match.
    Require,
    /// None of those to exclude may match.
    Exclude,
}

impl Filter {
    /// The filter of these terms.
    ///
    /// # Errors
    /// When there are more than 64.
    pub fn new(terms: Vec<(Purpose, Term)>, all_frames: bool) -> Result<Self, String> {
        if terms.len() > MOST {
            return Err(format!("{} filters are more than {MOST}", terms.len()));
        }
        let of = |purpose| {
            let bits = terms.iter().enumerate().filter(|(_, (of, _))| *of == purpose);
            bits.fold(0, |mask, (bit, _)| mask | 1 << bit)
        };
        let (include, require) = (of(Purpose::Include), of(Purpose::Require));
        let exclude = of(Purpose::Exclude);
        let terms = terms.into_iter().map(|(_, term)| term).collect();
        let chosen = Chosen::default();
        Ok(Self { terms, include, require, exclude, all_frames, chosen })
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.chosen.is_all()
    }

    /// Its terms.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether a stack with these matches passes.
    pub fn passes(&self, matched: Matched) -> bool {
        let Matched(matched) = matched;
        (self.include == 0 || matched & self.include != 0)
            && matched & self.require == self.require
            && matched & self.exclude == 0
    }

    /// What matches the words of a frame.
    pub fn matched(&self, words: &Words<'_>) -> Matched {
        let bits = self.terms.iter().enumerate().filter(|(_, term)| term.matches(words));
        Matched(bits.fold(0, |mask, (bit, _)| mask | 1 << bit))
    }

    /// What matches a place.
    pub fn matched_place(&self, scope: Scope<'_>, place: Place) -> Matched {
        self.matched(&scope.words(place))
    }

    /// What matches the name of a thread.
    pub fn matched_thread(&self, name: &str) -> Matched {
        let hits = |term: &Term| {
            matches!(term.part, Part::Thread | Part::Any) && term.pattern.matches(name)
        };
        let bits = self.terms.iter().enumerate().filter(|(_, term)| hits(term));
        Matched(bits.fold(0, |mask, (bit, _)| mask | 1 << bit))
    }

    /// What matches any of the functions at a location.
    pub fn matched_at(&self, scope: Scope<'_>, location: LocationId) -> Matched {
        let matched = scope.places_at(location).map(|place| self.matched_place(scope, place));
        matched.fold(Matched::default(), Matched::or)
    }
}

/// Which terms of a filter matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Matched(u64);

impl Matched {
    /// Those of both.
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Frame;

    fn frame() -> Frame {
        Frame {
            function: Some("dictAdd".into()),
            file: Some("/src/redis/dict.c".into()),
            line: Some(312),
            module: Some("/usr/bin/redis-server".into()),
            address: Some(1),
        }
    }

    fn hits(text: &str) -> bool {
        Term::parse(text).expect(text).matches(&frame().words())
    }

    #[test]
    fn terms() {
        for hit in [
            "dictadd",
            "DICT",
            "fn:dict*",
            "fn:dictAd?",
            "file:*/redis/*",
            "file:dict.c",
            "file:*dict.c:312",
            "module:*redis*",
            "lib:server",
        ] {
            assert!(hits(hit), "{hit}");
        }
        for miss in ["fn:Dict?", "file:*dict.c:313", "module:libc", "thread:x", "fn:*x*"] {
            assert!(!hits(miss), "{miss}");
        }
        assert!(Term::parse("fn:").is_err());
        assert!(Term::parse("").is_err());
    }

    #[test]
    fn include_require_exclude() {
        let passes = |terms: &[(Purpose, &str)]| {
            let terms = terms.iter().map(|(of, text)| (*of, Term::parse(text).expect("a term")));
            let filter = Filter::new(terms.collect(), false).expect("few terms");
            filter.passes(filter.matched(&frame().words()))
        };
        use Purpose::{Exclude, Include, Require};
        assert!(passes(&[]));
        assert!(passes(&[(Include, "other"), (Include, "dict")]));
        assert!(!passes(&[(Include, "other")]));
        assert!(!passes(&[(Include, "dict"), (Exclude, "file:*redis*")]));
        assert!(passes(&[(Require, "dict"), (Require, "redis")]));
        assert!(!passes(&[(Require, "dict"), (Require, "other")]));
    }
}
