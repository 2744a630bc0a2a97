//! A command on one line.

/// The words of a command with spaces between them, those in quotes that would not be told apart:
/// `memtop run --save '' -- sh -c 'make all'`.
///
/// The program stands for itself: some write a whole title into the place of its name.
pub fn command_line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_default().to_owned();
    words.fold(program, |line, word| line + " " + &quoted(word))
}

/// An argument as a shell would be told it, in quotes if need be.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !"'\"".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_a_space_would_not_tell_apart_are_quoted() {
        for (words, line) in [
            (&["redis-server", "--save", ""][..], "redis-server --save ''"),
            (&["sh", "-c", "make all", "*.c"], "sh -c 'make all' *.c"),
            (&["echo", "it's", "say \"no\""], r#"echo 'it'\''s' 'say "no"'"#),
            (&["postgres: writer process"], "postgres: writer process"),
            (&[], ""),
        ] {
            assert_eq!(command_line(words.iter().copied()), line);
        }
    }
}
