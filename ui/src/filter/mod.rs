//! Filters: a few words, all of which must hold.
//!
//! A word with `-` before it must not hold. `"several words"` in quotes are one. Sizes compare as
//! in `size>1M`; what else there is to ask for depends on what is filtered: [`events::Filter`] for
//! allocations and frees, [`code::CodeFilter`] for sites, stacks and differences.

pub mod code;
pub mod events;
pub mod pattern;

pub use code::CodeFilter;
pub use events::Filter;

/// A word as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    /// It must not hold.
    negated: bool,
    /// The word without the sign and the quotes.
    text: String,
}

/// A word that means something, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term<T> {
    negated: bool,
    test: T,
}

/// Reads every word of `text` with `read`.
fn terms<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<Term<T>>, String> {
    let term = |word: Word| Ok(Term { negated: word.negated, test: read(&word.text)? });
    words(text)?.into_iter().map(term).collect()
}

/// Cuts `text` into words.
fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let signed = rest.strip_prefix('-');
        let (word, after) = word(signed.unwrap_or(rest));
        if word.is_empty() {
            return Err(format!("“{}”: say what, as in -malloc", rest.trim_end()));
        }
        words.push(Word { negated: signed.is_some(), text: word });
        rest = after.trim_start();
    }
    Ok(words)
}

/// The first word of `text`, without its quotes, and what is behind it.
fn word(text: &str) -> (String, &str) {
    let mut quoted = false;
    let ends = |(_, c): &(usize, char)| {
        quoted ^= *c == '"';
        c.is_whitespace() && !quoted
    };
    let end = text.char_indices().find(ends).map_or(text.len(), |(at, _)| at);
    (text[..end].replace('"', ""), &text[end..])
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

impl Comparison {
    fn holds<N: PartialOrd>(self, left: N, right: N) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }
}

/// Reads `>1K` where `word` begins with a comparison; `whole` is what an error names.
fn comparison(word: &str, whole: &str) -> Option<Result<(Comparison, u64), String>> {
    let (sign, comparison) = COMPARISONS.into_iter().find(|(sign, _)| word.starts_with(sign))?;
    let begin = whole.strip_suffix(word).unwrap_or_default();
    let read = size(&word[sign.len()..]).map(|size| (comparison, size));
    Some(read.ok_or_else(|| format!("“{whole}”: a size reads like {begin}{sign}1K")))
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

    #[test]
    fn words_are_cut_at_spaces_outside_of_quotes() {
        let word = |negated, text: &str| Word { negated, text: text.to_owned() };
        assert_eq!(words("  a -b "), Ok(vec![word(false, "a"), word(true, "b")]));
        assert_eq!(words(r#"fn:"operator new" -"a b""#), {
            Ok(vec![word(false, "fn:operator new"), word(true, "a b")])
        });
        assert_eq!(words(r#""never closed"#), Ok(vec![word(false, "never closed")]));
        assert!(words("a - b").unwrap_err().contains("- b"));
    }
}
