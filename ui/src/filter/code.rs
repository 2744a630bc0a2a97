//! The filter of sites, stacks and differences.
//!
//! A word is a part of any name; `fn:`, `file:`, `module:` and `thread:` say of which. `size>1M`
//! compares live bytes, `blocks>1000` live blocks, `delta>0` the change, `allocs>1M` allocations.

use super::pattern::Pattern;
use super::{Comparison, Term, comparison, terms};

/// A parsed filter; the default lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeFilter {
    terms: Vec<Term<Test>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    /// One of the texts of a field, or of any.
    Text(Option<Field>, Pattern),
    Number(Number, Comparison, u64),
}

/// What texts there are about a piece of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// Names of functions.
    Function,
    /// Source files, with the line behind a colon where it is known: `src/dict.c:312`.
    File,
    /// Paths of programs and libraries.
    Module,
    /// Names of threads.
    Thread,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Function, Self::File, Self::Module, Self::Thread];
}

/// What can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// Live bytes; in a difference, of the larger side.
    Size,
    /// Live blocks.
    Blocks,
    /// Bytes gained or lost, without the sign.
    Delta,
    /// Allocations.
    Allocations,
}

/// What a filter asks about a row, a stack or a node.
pub trait Facts {
    /// Whether `test` holds for any text of a field: every function of a stack is one.
    fn any(&self, field: Field, test: &mut dyn FnMut(&str) -> bool) -> bool;

    /// A number; `None` where it is not known, which is neither more nor less than anything.
    fn number(&self, number: Number) -> Option<u64>;
}

/// What stands before a word.
const FIELDS: [(&str, Field); 5] = [
    ("fn:", Field::Function),
    ("function:", Field::Function),
    ("file:", Field::File),
    ("module:", Field::Module),
    ("thread:", Field::Thread),
];

/// What stands before a comparison; a comparison alone is one of sizes.
const NUMBERS: [(&str, Number); 5] = [
    ("size", Number::Size),
    ("blocks", Number::Blocks),
    ("delta", Number::Delta),
    ("allocs", Number::Allocations),
    ("", Number::Size),
];

impl CodeFilter {
    /// Reads a filter as typed.
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

    /// Whether what `facts` are about passes.
    pub fn matches(&self, facts: &impl Facts) -> bool {
        self.terms.iter().all(|term| term.test.holds(facts) != term.negated)
    }

    /// What it asks of names: whether they must not be so, which of them, and what they are
    /// like. Stacks are many; who has them looks each name up once.
    pub fn texts(&self) -> impl Iterator<Item = (bool, Option<Field>, &Pattern)> {
        self.terms.iter().filter_map(|term| match &term.test {
            Test::Text(field, pattern) => Some((term.negated, *field, pattern)),
            Test::Number(..) => None,
        })
    }

    /// What it asks of threads: whether they must not have asked, and what they are like.
    pub fn threads(&self) -> impl Iterator<Item = (bool, &Pattern)> {
        let texts = self.texts();
        texts.filter(|text| text.1 == Some(Field::Thread)).map(|(negated, _, like)| (negated, like))
    }

    /// Whether it asks for names of code.
    pub fn asks_for_code(&self) -> bool {
        self.texts().any(|(_, field, _)| field != Some(Field::Thread))
    }

    /// Whether what it asks of numbers holds, names left aside.
    pub fn numbers_match(&self, facts: &impl Facts) -> bool {
        let numbers = self.terms.iter().filter(|term| matches!(term.test, Test::Number(..)));
        numbers.into_iter().all(|term| term.test.holds(facts) != term.negated)
    }

    /// Whether names decide, so that the answer changes as names are found.
    pub fn asks_for_names(&self) -> bool {
        self.terms.iter().any(|term| matches!(term.test, Test::Text(..)))
    }

    /// Whether numbers decide, so that the answer changes as the program runs.
    pub fn asks_for_numbers(&self) -> bool {
        self.terms.iter().any(|term| matches!(term.test, Test::Number(..)))
    }
}

impl Test {
    fn holds(&self, facts: &impl Facts) -> bool {
        match self {
            Self::Text(Some(field), pattern) => {
                facts.any(*field, &mut |text| pattern.matches(text))
            }
            Self::Text(None, pattern) => {
                Field::ALL.iter().any(|field| facts.any(*field, &mut |text| pattern.matches(text)))
            }
            Self::Number(number, comparison, bound) => {
                facts.number(*number).is_some_and(|value| comparison.holds(value, *bound))
            }
        }
    }
}

fn test(word: &str) -> Result<Test, String> {
    for (prefix, field) in FIELDS {
        if let Some(part) = word.strip_prefix(prefix) {
            return match part {
                "" => Err(format!("“{word}”: say which, as in {prefix}parse")),
                part => Ok(Test::Text(Some(field), Pattern::new(part))),
            };
        }
    }
    for (name, number) in NUMBERS {
        let compared = word.strip_prefix(name).and_then(|rest| comparison(rest, word));
        if let Some(compared) = compared {
            let (comparison, bound) = compared?;
            return Ok(Test::Number(number, comparison, bound));
        }
    }
    Ok(Test::Text(None, Pattern::new(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dictAdd ‹ main`, in redis-server.
    struct Row;

    impl Facts for Row {
        fn any(&self, field: Field, test: &mut dyn FnMut(&str) -> bool) -> bool {
            let texts: &[&str] = match field {
                Field::Function => &["dictAdd", "std::vector<int, A>::push_back", "main"],
                Field::File => &["/src/dict.c:312", "/src/server.c:7001"],
                Field::Module => &["/usr/bin/redis-server"],
                Field::Thread => &["io-1"],
            };
            texts.iter().any(|text| test(text))
        }

        fn number(&self, number: Number) -> Option<u64> {
            match number {
                Number::Size => Some(2 << 20),
                Number::Blocks => Some(1000),
                Number::Allocations => Some(5_000_000),
                Number::Delta => None,
            }
        }
    }

    fn passes(text: &str) -> bool {
        CodeFilter::parse(text).unwrap().matches(&Row)
    }

    #[test]
    fn words_are_parts_of_any_name() {
        for text in ["", "dictadd", "redis", "io-", "dict.c:312", "std::vec", r#""int, a""#] {
            assert!(passes(text), "{text}");
        }
        assert!(!passes("dictAdd zmalloc"), "every word must hold");
    }

    #[test]
    fn fields_say_of_which_name() {
        assert!(passes("fn:dictadd file:server.c module:redis thread:io"));
        assert!(!passes("fn:redis") && !passes("file:dictAdd") && !passes("module:io-"));
        assert!(passes("fn:*::push_back") && !passes("fn:push*"));
    }

    #[test]
    fn a_minus_leaves_out() {
        assert!(passes("-zmalloc -fn:free -size>3M"));
        assert!(!passes("-main") && !passes("dictAdd -file:server.c"));
    }

    #[test]
    fn numbers_compare_and_an_unknown_one_does_not() {
        assert!(passes("size>1M size<=2MiB blocks=1000 allocs>=1M >1M"));
        assert!(!passes("size<1M") && !passes("delta>0") && !passes("delta<1"));
        assert!(passes("-delta>0"));
    }

    #[test]
    fn what_is_no_filter_is_named() {
        for text in ["size>", "size>x", ">1Q", "fn:", "a -", "blocks=-3"] {
            let error = CodeFilter::parse(text).unwrap_err();
            assert!(error.contains(text.trim_start_matches("a ")), "{error}");
        }
        assert!(CodeFilter::parse("operator> a<b>").is_ok(), "signs are part of C++ names");
    }

    #[test]
    fn names_and_numbers_can_be_asked_apart() {
        let filter = CodeFilter::parse("-fn:zmalloc redis size>1M -blocks>2000").unwrap();
        let texts: Vec<_> = filter.texts().collect();
        assert_eq!(
            texts,
            [
                (true, Some(Field::Function), &Pattern::new("zmalloc")),
                (false, None, &Pattern::new("redis")),
            ]
        );
        assert!(filter.numbers_match(&Row));
        assert!(!CodeFilter::parse("nothing size>3M").unwrap().numbers_match(&Row));
    }

    #[test]
    fn what_the_answer_depends_on() {
        let filter = |text| CodeFilter::parse(text).unwrap();
        assert!(filter("a").asks_for_names() && !filter("a").asks_for_numbers());
        assert!(!filter("size>1").asks_for_names() && filter("size>1").asks_for_numbers());
    }
}
