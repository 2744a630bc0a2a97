//! Parts of names: substrings, or patterns with `*` and `?`.

/// What a text is compared with, the case of ASCII letters aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Somewhere in the text.
    Part(String),
    /// The whole text, where `*` stands for anything and `?` for any character.
    Whole(String),
}

impl Pattern {
    /// Reads a pattern as typed.
    ///
    /// ```
    /// use memtop_ui::filter::pattern::Pattern;
    /// assert!(Pattern::new("dict").matches("src/Dict.c:312"));
    /// assert!(Pattern::new("*.c:3??").matches("src/dict.c:312"));
    /// assert!(!Pattern::new("dict*").matches("src/dict.c:312"));
    /// ```
    pub fn new(text: &str) -> Self {
        match text.contains(['*', '?']) {
            true => Self::Whole(text.to_owned()),
            false => Self::Part(text.to_owned()),
        }
    }

    /// Whether `text` is like that.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Part(part) => contains(text, part),
            Self::Whole(pattern) => is_like(text, pattern),
        }
    }
}

/// Nothing is allocated here: a filter looks at the names of a hundred thousand stacks.
fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Walks both at once; on a mismatch the last `*` takes one character more.
fn is_like(text: &str, pattern: &str) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    let mut last_star = None;
    loop {
        match (text.clone().next(), pattern.next()) {
            (_, Some('*')) => last_star = Some((text.clone(), pattern.clone())),
            (None, None) => return true,
            (Some(c), Some(p)) if p == '?' || p.eq_ignore_ascii_case(&c) => _ = text.next(),
            _ => {
                let Some((mut from, behind)) = last_star.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                (text, pattern) = (from.clone(), behind.clone());
                last_star = Some((from, behind));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, like) in [
            ("*", "", true),
            ("a*", "", false),
            ("?", "é", true),
            ("??", "é", false),
            ("*b*d", "abcbcd", true),
            ("*b*d", "abcbce", false),
            ("*.C", "a.c", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), like, "{pattern} {text}");
        }
    }
}
