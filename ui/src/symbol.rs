//! Names of code in little room.

use unicode_width::UnicodeWidthStr;

use crate::data::{Name, Place};
use crate::format::{UNKNOWN, shorten};

/// A name in `width` columns: `dictAdd`, `zmalloc ‹ listCreate`, or its place when it has none.
pub fn name(name: &Name, width: usize) -> String {
    if name.text.is_empty() {
        return place(&name.place, width);
    }
    let Some(via) = &name.via else {
        let is_path = name.text.starts_with('/');
        return if is_path { path(&name.text, width) } else { function(&name.text, width) };
    };
    let own = function(&name.text, width);
    let room = width.saturating_sub(own.width() + 3);
    match room {
        0..6 => own,
        _ => format!("{own} ‹ {}", function(via, room)),
    }
}

/// A function in `width` columns: what templates are filled with goes first, then the namespaces
/// from the left, then the end.
///
/// ```
/// use memtop_ui::symbol::function;
/// let symbol = "std::vector<std::pair<int, char>>::push_back";
/// assert_eq!(function(symbol, 30), "std::vector<…>::push_back");
/// assert_eq!(function(symbol, 24), "…::vector<…>::push_back");
/// assert_eq!(function(symbol, 12), "…::push_back");
/// ```
///
/// What is inside a function and has no name of its own, as closures and the code of async ones,
/// stays with the name of it.
///
/// ```
/// use memtop_ui::symbol::function;
/// let symbol = "app::parser::descend::{{closure}}::{{closure}}";
/// assert_eq!(function(symbol, 26), "app::parser::descend::{…}");
/// assert_eq!(function(symbol, 24), "…::parser::descend::{…}");
/// assert_eq!(function(symbol, 15), "…::descend::{…}");
/// assert_eq!(function(symbol, 12), "descend::{…}");
/// assert_eq!(function(symbol, 6), "desce…");
/// ```
pub fn function(symbol: &str, width: usize) -> String {
    if symbol.width() <= width {
        return symbol.to_owned();
    }
    let short = without_arguments(symbol);
    let (named, inside) = without_closures(&short);
    // Of so little that it would take half of it, the name has all.
    match width.checked_sub(inside.width()).filter(|room| *room > inside.width()) {
        Some(room) => format!("{}{inside}", in_columns(named.to_owned(), room)),
        None => in_columns(named.to_owned(), width),
    }
}

/// The part of a symbol that has a name, as `run` in `run::{closure#0}::{closure#1}`, and what says
/// that there is more.
fn without_closures(symbol: &str) -> (&str, &'static str) {
    let mut named = symbol;
    while let Some((outside, inside)) = named.rsplit_once("::")
        && inside.starts_with('{')
        && !outside.is_empty()
    {
        named = outside;
    }
    (named, if named.len() < symbol.len() { INSIDE } else { "" })
}

/// What stands for closures.
const INSIDE: &str = "::{…}";

/// A name without arguments in `width` columns.
fn in_columns(mut short: String, width: usize) -> String {
    if short.starts_with('<') && short.width() > width {
        short = without_folders(&short);
    }
    while short.width() > width && !short.starts_with('<') {
        let rest = short.strip_prefix("…::").unwrap_or(&short);
        match rest.find("::") {
            Some(at) if at + 2 < rest.len() => short = format!("…{}", &rest[at..]),
            _ => return shorten(rest, width),
        }
    }
    shorten(&short, width)
}

/// What templates and functions are filled with becomes `…`, or nothing.
///
/// A bracket that opens a name holds the type itself, as in Rust's `<Vec<T> as Drop>::drop`, and
/// stays. `operator<` and the arrow of a return type open and close nothing.
fn without_arguments(symbol: &str) -> String {
    let mut short = String::new();
    let mut open: Vec<bool> = Vec::new();
    for c in symbol.chars() {
        let hidden = open.iter().any(|shown| !shown);
        let is_operator = short.ends_with("operator") || short.ends_with("operator<");
        match c {
            '<' | '(' if !(c == '<' && is_operator) => {
                let is_type = c == '<' && !hidden && !ends_a_name(&short);
                if !hidden {
                    short.push(c);
                }
                if !is_type && !hidden && c == '<' {
                    short.push('…');
                }
                open.push(is_type);
            }
            '>' | ')' if !open.is_empty() && !short.ends_with('-') => {
                open.pop();
                if !open.iter().any(|shown| !shown) {
                    short.push(c);
                }
            }
            c if !hidden => short.push(c),
            _ => {}
        }
    }
    short
}

/// Names within the leading bracket without what they are in: `<Vec<…> as Drop>::drop`.
fn without_folders(symbol: &str) -> String {
    let words = symbol.split_inclusive([' ', '<', '>', '&']);
    words.map(|word| if word.starts_with("::") { word } else { last_part(word) }).collect()
}

/// What is behind the last `::` that something follows.
fn last_part(word: &str) -> &str {
    word.rsplit_once("::").map_or(word, |(_, last)| last)
}

/// Whether a bracket behind this text opens the arguments of what it names.
fn ends_a_name(text: &str) -> bool {
    text.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "_:>~".contains(c))
}

/// From so many columns on, paths are shown from their beginning: in fewer, a column of paths cut
/// here and there would be hard to read.
const WHOLE_PATHS: usize = 36;

/// A place in `width` columns: `dict.c:312`, `libz.so.1+0x1a20`.
///
/// ```
/// use memtop_ui::{data::Place, symbol::place};
/// let at = Place::Source { file: "/home/me/redis/src/dict.c".into(), line: Some(312) };
/// assert_eq!(place(&at, 40), "/home/me/redis/src/dict.c:312");
/// assert_eq!(place(&at, 20), "src/dict.c:312");
/// assert_eq!(place(&at, 12), "dict.c:312");
/// assert_eq!(place(&at, 8), "dic…:312");
/// ```
pub fn place(place: &Place, width: usize) -> String {
    match place {
        Place::Source { file, line } => {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            let whole = format!("{file}{line}");
            if file_name(&whole).width() > width {
                // The line tells more than the end of the name.
                let file = shorten(file_name(file), width.saturating_sub(line.len()));
                return shorten(&format!("{file}{line}"), width);
            }
            if width < WHOLE_PATHS { file_in_folder(&whole, width) } else { path(&whole, width) }
        }
        Place::Module { module, offset } => {
            let offset = format!("+{offset:#x}");
            let module = shorten(file_name(module), width.saturating_sub(offset.len()));
            shorten(&format!("{module}{offset}"), width)
        }
        Place::Nowhere => UNKNOWN.to_owned(),
    }
}

/// The place of a name in `width` columns; nothing where it stands for the name already.
pub fn place_beside(name: &Name, width: usize) -> String {
    match (name.text.is_empty(), &name.place) {
        (true, _) | (_, Place::Nowhere) => String::new(),
        (_, at) => place(at, width),
    }
}

/// A path in `width` columns, without as many folders as must go; the last folder stays as long
/// as it can.
pub fn path(path: &str, width: usize) -> String {
    if path.width() <= width {
        return path.to_owned();
    }
    let folders = path.match_indices('/').map(|(at, _)| at);
    let fitting = folders.filter(|at| *at > 0).find(|at| path[*at..].width() < width);
    match fitting {
        Some(at) if path[at + 1..].contains('/') => format!("…{}", &path[at..]),
        _ => shorten(file_name(path), width),
    }
}

/// The file with its folder, or alone.
fn file_in_folder(path: &str, width: usize) -> String {
    let mut slashes = path.rmatch_indices('/').map(|(at, _)| at);
    let folder = slashes.nth(1).map_or(path, |at| &path[at + 1..]);
    if folder.width() <= width { folder.to_owned() } else { shorten(file_name(path), width) }
}

/// What is behind the last `/`.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_and_types_stay() {
        for (symbol, short) in [
            ("malloc", "malloc"),
            ("ns::f(int, std::vector<int>) const", "ns::f() const"),
            ("std::map<int, std::vector<char>>::operator[](int&&)", "std::map<…>::operator[]()"),
            ("<alloc::vec::Vec<T> as Drop>::drop", "<alloc::vec::Vec<…> as Drop>::drop"),
            ("core::iter::Map<I,F>::fold::<A>", "core::iter::Map<…>::fold::<…>"),
            ("operator<(A<int>, B)", "operator<()"),
            ("operator<<(std::ostream<char>&)", "operator<<()"),
            ("(anonymous namespace)::f", "()::f"),
            ("f<void ()(int)>::g", "f<…>::g"),
            ("unbalanced>>)", "unbalanced>>)"),
            ("unbalanced<<(", "unbalanced<…"),
        ] {
            assert_eq!(without_arguments(symbol), short);
        }
    }

    #[test]
    fn methods_of_traits_keep_type_and_trait() {
        let symbol = "<alloc::vec::Vec<frames::Frame> as core::clone::Clone>::clone";
        assert_eq!(function(symbol, 30), "<Vec<…> as Clone>::clone");
        assert_eq!(function(symbol, 14), "<Vec<…> as Cl…");
    }

    #[test]
    fn names_fit_whatever_the_width() {
        let via = Some("std::thread::spawn".to_owned());
        let text = "<alloc::vec::Vec<日本> as core::ops::Drop>::drop".to_owned();
        let with_via = Name { text, via, ..Name::default() };
        let offset = Place::Module { module: "/usr/lib/libz.so.1".to_owned(), offset: 0x1a20 };
        let nameless = Name { place: offset, ..Name::default() };
        for width in 0..80 {
            for wide in [&with_via, &nameless] {
                assert!(name(wide, width).width() <= width, "{width}: {}", name(wide, width));
            }
        }
        assert_eq!(name(&nameless, 80), "libz.so.1+0x1a20");
        let short = Name { text: "zmalloc".into(), via: Some("listCreate".into()), ..nameless };
        assert_eq!(name(&short, 30), "zmalloc ‹ listCreate");
        assert_eq!(name(&short, 16), "zmalloc ‹ listC…");
        assert_eq!(name(&short, 12), "zmalloc");
    }

    #[test]
    fn what_is_called_by_its_path_keeps_its_end() {
        let file = Name::plain("/usr/src/redis/src/dict.c");
        assert_eq!(name(&file, 40), "/usr/src/redis/src/dict.c");
        assert_eq!(name(&file, 16), "…/src/dict.c");
        assert_eq!(name(&file, 8), "dict.c");
    }

    #[test]
    fn paths_keep_their_end() {
        assert_eq!(path("/a/b/c.rs:1", 20), "/a/b/c.rs:1");
        assert_eq!(path("/long/folder/b/c.rs:1", 12), "…/b/c.rs:1");
        assert_eq!(path("/long/folder/b/c.rs:1", 8), "c.rs:1");
        assert_eq!(path("/long/folder/b/c.rs:1", 4), "c.r…");
    }
}
