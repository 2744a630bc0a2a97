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
        return function(&name.text, width);
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
pub fn function(symbol: &str, width: usize) -> String {
    if symbol.width() <= width {
        return symbol.to_owned();
    }
    let mut short = without_arguments(symbol);
    while short.width() > width {
        let rest = short.strip_prefix("…::").unwrap_or(&short);
        match rest.find("::") {
            Some(at) if at + 2 < rest.len() => short = format!("…{}", &rest[at..]),
            _ => return shorten(rest, width),
        }
    }
    short
}

/// Everything between outermost `<` and `>`, and the parameters, becomes `…`.
fn without_arguments(symbol: &str) -> String {
    let mut short = String::new();
    let mut depth = 0usize;
    let mut before = ' ';
    for c in symbol.chars() {
        match c {
            '<' | '(' => {
                // A leading bracket holds the type itself: `<Vec<T> as Drop>::drop`.
                if depth == 0 && !short.is_empty() {
                    short.push(c);
                    short.push('…');
                }
                depth += 1;
            }
            // The arrow of a return type closes nothing.
            '>' | ')' if before != '-' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && short.ends_with('…') {
                    short.push(c);
                }
            }
            c if depth == 0 || (short_is_type(symbol) && depth == 1) => short.push(c),
            _ => {}
        }
        before = c;
    }
    short.replace("(…)", "()")
}

/// Rust writes methods of traits as `<Type as Trait>::method`.
fn short_is_type(symbol: &str) -> bool {
    symbol.starts_with('<')
}

/// A place in `width` columns: `dict.c:312`, `libz.so.1+0x1a20`.
///
/// ```
/// use memtop_ui::{data::Place, symbol::place};
/// let at = Place::Source { file: "/home/me/redis/src/dict.c".into(), line: Some(312) };
/// assert_eq!(place(&at, 20), "…/src/dict.c:312");
/// assert_eq!(place(&at, 12), "dict.c:312");
/// ```
pub fn place(place: &Place, width: usize) -> String {
    match place {
        Place::Source { file, line } => {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            path(&format!("{file}{line}"), width)
        }
        Place::Module { module, offset } => {
            shorten(&format!("{}+{offset:#x}", file_name(module)), width)
        }
        Place::Nowhere => UNKNOWN.to_owned(),
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

/// What is behind the last `/`.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
