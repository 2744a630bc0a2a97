//! Which sites are looked at: the filters of tracemalloc, for stacks.
//!
//! A [`Term`] is a pattern over one part of a frame. A stack passes when any of the terms to
//! include matches it (or there is none), all that are required do, and none of those to
//! exclude does. A term is tried on the site, or on every frame of the stack.

use std::sync::Arc;

use super::{Frame, LocationId, Place, Scope};

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
    pub glob: Glob,
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
        let (part, mut pattern) = prefix.unwrap_or((Part::Any, text));
        let mut line = None;
        if let (Part::File, Some((file, number))) = (part, pattern.rsplit_once(':'))
            && let Ok(number) = number.parse()
        {
            (pattern, line) = (file, Some(number));
        }
        if pattern.is_empty() {
            return Err(format!(
                "'{text}' has no pattern; write fn:parse*, file:*/net/*.c or a word"
            ));
        }
        Ok(Self { part, glob: Glob::new(pattern), line })
    }

    /// Whether it matches a frame.
    pub fn matches(&self, frame: &Frame) -> bool {
        let parts = [
            (Part::Function, &frame.function),
            (Part::File, &frame.file),
            (Part::Module, &frame.module),
        ];
        let chosen = |part| self.part == Part::Any || self.part == part;
        let mut found = parts.iter().filter_map(|(part, text)| Some((*part, text.as_deref()?)));
        let here = self.line.is_none() || self.line == frame.line;
        here && found.any(|(part, text)| chosen(part) && self.glob.matches(text))
    }
}

/// A pattern: with `*`, `?` or `[…]` the whole text must look like it, otherwise it must be
/// part of the text. Upper and lower case are the same in a part of a text, and differ in a
/// pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    pattern: Vec<char>,
    whole: bool,
}

impl Glob {
    /// The pattern as written.
    pub fn new(text: &str) -> Self {
        let whole = text.contains(['*', '?', '[']);
        let pattern = if whole { text.to_owned() } else { text.to_lowercase() };
        Self { pattern: pattern.chars().collect(), whole }
    }

    /// Whether `text` is like it.
    pub fn matches(&self, text: &str) -> bool {
        if self.whole {
            return matches(&self.pattern, &text.chars().collect::<Vec<char>>());
        }
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        self.pattern.is_empty() || text.windows(self.pattern.len()).any(|part| part == self.pattern)
    }
}

/// Matches from the left; where a `*` took too little, it takes one more.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while of < text.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at + 1, of));
            at += 1;
        } else if let Some(length) = one(&pattern[at..], text[of]) {
            at += length;
            of += 1;
        } else if let Some((behind, taken)) = star {
            star = Some((behind, taken + 1));
            (at, of) = (behind, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// How much of the pattern stands for the character `c`; `None` if it does not begin so.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', rest @ ..] => match class(rest) {
            Some((length, class)) => class_holds(class, c).then_some(length),
            None => (c == '[').then_some(1),
        },
        [first, ..] => (*first == c).then_some(1),
        [] => None,
    }
}

/// What stands in brackets, and how long it is with them. A `]` right at the start is itself.
fn class(rest: &[char]) -> Option<(usize, &[char])> {
    let negated = usize::from(rest.first() == Some(&'!'));
    let end = rest.iter().skip(negated + 1).position(|c| *c == ']')? + negated + 1;
    Some((end + 2, &rest[..end]))
}

fn class_holds(class: &[char], c: char) -> bool {
    let (negated, mut class) = match class {
        ['!', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    while let [first, rest @ ..] = class {
        match rest {
            ['-', last, behind @ ..] => {
                found |= (*first..=*last).contains(&c);
                class = behind;
            }
            _ => {
                found |= *first == c;
                class = rest;
            }
        }
    }
    found != negated
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
        Ok(Self { terms, include, require, exclude, all_frames })
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
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

    /// What matches a frame.
    pub fn matched(&self, frame: &Frame) -> Matched {
        let bits = self.terms.iter().enumerate().filter(|(_, term)| term.matches(frame));
        Matched(bits.fold(0, |mask, (bit, _)| mask | 1 << bit))
    }

    /// What matches the name of a thread.
    pub fn matched_thread(&self, name: &str) -> Matched {
        let hits =
            |term: &Term| matches!(term.part, Part::Thread | Part::Any) && term.glob.matches(name);
        let bits = self.terms.iter().enumerate().filter(|(_, term)| hits(term));
        Matched(bits.fold(0, |mask, (bit, _)| mask | 1 << bit))
    }

    /// What matches any of the functions at a location.
    pub fn matched_at(&self, scope: Scope<'_>, location: LocationId) -> Matched {
        let frames = scope.places_at(location).map(|place: Place| scope.frame(place));
        frames.fold(Matched::default(), |sum, frame| sum.or(self.matched(&frame)))
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
    use proptest::prelude::*;

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
        Term::parse(text).expect(text).matches(&frame())
    }

    #[test]
    fn terms() {
        for hit in [
            "dictadd",
            "DICT",
            "fn:dict*",
            "fn:dictAd?",
            "fn:dictAd[a-e]",
            "fn:dictAd[!x]",
            "file:*/redis/*",
            "file:dict.c",
            "file:*dict.c:312",
            "module:*redis*",
            "lib:server",
        ] {
            assert!(hits(hit), "{hit}");
        }
        for miss in ["fn:Dict*", "file:*dict.c:313", "module:libc", "thread:x", "fn:[!d]*"] {
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
            filter.passes(filter.matched(&frame()))
        };
        use Purpose::{Exclude, Include, Require};
        assert!(passes(&[]));
        assert!(passes(&[(Include, "other"), (Include, "dict")]));
        assert!(!passes(&[(Include, "other")]));
        assert!(!passes(&[(Include, "dict"), (Exclude, "file:*redis*")]));
        assert!(passes(&[(Require, "dict"), (Require, "redis")]));
        assert!(!passes(&[(Require, "dict"), (Require, "other")]));
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[a-c*?!\\[\\]-]{0,12}", text in "[a-c\\[\\]]{0,20}") {
            let _ = Glob::new(&pattern).matches(&text);
        }

        #[test]
        fn a_text_is_like_itself_with_stars(text in "[a-c]{0,9}", at in 0_usize..9) {
            let at = at.min(text.len());
            let pattern = format!("{}*{}", &text[..at], &text[at..]);
            prop_assert!(Glob::new(&pattern).matches(&text));
        }
    }
}
