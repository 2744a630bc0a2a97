//! Names as a person would write them.
//!
//! A symbol is made for linkers: it encodes types, carries hashes and says which piece of a
//! function the compiler split off. What is left here is the path of the function, with the
//! arguments of templates where they tell functions apart, and without parameters: file and
//! line do that better.

use std::borrow::Cow;

use cpp_demangle::{DemangleOptions, Symbol};

/// A longer name loses the arguments of arguments of templates, and then all of them: what
/// remains still says which function it is.
const LONG: usize = 120;

/// A name that is still longer than this is cut.
const LONGEST: usize = 1000;

/// Endings by which compilers mark a piece or a variant of a function. The digits behind
/// them, or the hash, say nothing to a reader.
const PIECES: [&str; 9] = [
    ".cold",
    ".part.",
    ".isra.",
    ".constprop.",
    ".lto_priv.",
    ".llvm.",
    ".clone.",
    ".localalias",
    ".resolver",
];

/// Spellings of the C++ library's that say the same as a shorter one, applied in this order.
const SHORTER: [(&str, &str); 10] = [
    ("[abi:cxx11]", ""),
    ("std::__cxx11::", "std::"),
    ("std::__1::", "std::"),
    ("std::__ndk1::", "std::"),
    ("std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"),
    ("std::basic_string<char, std::char_traits<char>, std::allocator<char>>", "std::string"),
    ("std::basic_string_view<char, std::char_traits<char> >", "std::string_view"),
    ("std::basic_string<char>", "std::string"),
    ("(anonymous namespace)", "{anonymous}"),
    (" >", ">"),
];

/// Template arguments that are there unless somebody chose others, each up to its closing
/// bracket.
const DEFAULT_ARGUMENTS: [&str; 5] = [
    ", std::allocator<",
    ", std::default_delete<",
    ", std::less<",
    ", std::hash<",
    ", std::equal_to<",
];

/// The name of a symbol, or of a function in debug information, for people.
pub fn readable(symbol: &str) -> String {
    let bare = without_version(symbol);
    match rust(bare).or_else(|| cpp(bare)) {
        Some(name) => cut(without_deep_arguments(name)),
        // Debug information has some names of templates as the source writes them.
        None if bare.contains('<') => cut(without_deep_arguments(plain_templates(bare))),
        None => cut(whole_function(bare).to_owned()),
    }
}

/// `memcpy@@GLIBC_2.14` is `memcpy`, and so is `__GI_memcpy`, by which glibc calls its own.
fn without_version(symbol: &str) -> &str {
    let symbol = symbol.strip_prefix("__GI_").filter(|rest| !rest.is_empty()).unwrap_or(symbol);
    match symbol.find('@') {
        Some(at) if at > 0 => &symbol[..at],
        _ => symbol,
    }
}

fn rust(symbol: &str) -> Option<String> {
    let name = rustc_demangle::try_demangle(symbol).ok()?;
    // The alternate form leaves out the hash of the crate.
    Some(whole_function(&format!("{name:#}")).to_owned())
}

fn cpp(symbol: &str) -> Option<String> {
    let symbol = whole_function(symbol);
    if !symbol.starts_with("_Z") && !symbol.starts_with("__Z") {
        return None;
    }
    let options =
        DemangleOptions::new().no_params().no_return_type().hide_expression_literal_types();
    let name = Symbol::new(symbol).ok().and_then(|name| name.demangle_with_options(&options).ok());
    name.map(|name| plain_templates(&name)).or_else(|| plain_path(symbol))
}

/// The namespaces and the name at the beginning of a C++ symbol, for one that has types the
/// demangler does not know; a name stands there behind its length.
fn plain_path(symbol: &str) -> Option<String> {
    let rest = symbol.strip_prefix("_Z")?;
    let rest = rest.strip_prefix('N').unwrap_or(rest).trim_start_matches(['K', 'V', 'r', 'R', 'O']);
    let standard = rest.strip_prefix("St");
    let mut path: Vec<&str> = standard.map(|_| "std").into_iter().collect();
    let mut rest = standard.unwrap_or(rest);
    while let Some((name, behind)) = leading_name(rest) {
        path.push(if name.starts_with("_GLOBAL__N_") { "{anonymous}" } else { name });
        rest = behind;
    }
    (path.len() > usize::from(standard.is_some())).then(|| path.join("::"))
}

fn leading_name(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[digits..].split_at_checked(text[..digits].parse().ok()?)
}

/// The name without the marks of a piece of it.
fn whole_function(name: &str) -> &str {
    let ends = PIECES.iter().filter_map(|piece| name.find(piece));
    match ends.min() {
        Some(end) if end > 0 => &name[..end],
        _ => name,
    }
}

fn plain_templates(name: &str) -> String {
    let mut plain = Cow::Borrowed(name);
    for (long, short) in SHORTER {
        if plain.contains(long) {
            plain = plain.replace(long, short).into();
        }
    }
    let mut plain = plain.into_owned();
    for argument in DEFAULT_ARGUMENTS {
        remove_arguments(&mut plain, argument);
    }
    plain
}

/// Takes every argument out that begins so, together with the brackets it opens.
fn remove_arguments(name: &mut String, beginning: &str) {
    while let Some(from) = name.find(beginning) {
        let inside = from + beginning.len();
        let Some(length) = closing(&name[inside..]) else { return };
        name.replace_range(from..inside + length, "");
    }
}

/// Bytes up to and with the bracket that closes the one open before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' => open += 1,
            // The arrow of a function's type closes nothing.
            b'>' if !text[..at].ends_with('-') => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Leaves arguments out, the deepest first, while the name is long.
fn without_deep_arguments(mut name: String) -> String {
    for depth in (1..=3).rev() {
        if name.len() > LONG {
            name = shallow(&name, depth);
        }
    }
    name
}

/// The name with `…` for what stands more than `depth` brackets deep.
fn shallow(name: &str, depth: usize) -> String {
    let (mut out, mut open) = (String::new(), 0_usize);
    for (at, char) in name.char_indices() {
        let bracket = matches!(char, '<' | '>') && !is_operator(&name[..at]);
        if bracket && char == '>' {
            open = open.saturating_sub(1);
        }
        if open <= depth {
            out.push(char);
        }
        if bracket && char == '<' {
            open += 1;
            if open == depth + 1 {
                out.push('…');
            }
        }
    }
    out
}

/// Whether a bracket behind `before` is part of an operator's or an arrow's name.
fn is_operator(before: &str) -> bool {
    let bare = before.trim_end_matches(['<', '>', '=']);
    before.ends_with(['-', '=']) || (bare.ends_with("operator") && before.len() - bare.len() < 2)
}

fn cut(mut name: String) -> String {
    if name.len() > LONGEST {
        name.truncate(name.floor_char_boundary(LONGEST));
        name.push('…');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symbols as compilers made them, and what they are called here.
    const NAMES: &[(&str, &str)] = &[
        ("main", "main"),
        ("malloc@@GLIBC_2.2.5", "malloc"),
        ("parse_header.part.0", "parse_header"),
        ("parse_header.constprop.0.isra.0", "parse_header"),
        ("parse_header.cold", "parse_header"),
        (".plt", ".plt"),
        (
            "_ZN4core3ops8function6FnOnce9call_once17h0123456789abcdefE",
            "core::ops::function::FnOnce::call_once",
        ),
        (
            "_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$8grow_one17h0123456789abcdefE",
            "alloc::raw_vec::RawVec<T,A>::grow_one",
        ),
        ("_RNvCskwGfYPst2Cb_3foo16example_function", "foo::example_function"),
        ("_Znwm", "operator new"),
        ("_Znam", "operator new[]"),
        (
            "_ZNSt6vectorIiSaIiEE17_M_realloc_insertIJRKiEEEvN9__gnu_cxx17__normal_iteratorIPiS1_EEDpOT_",
            "std::vector<int>::_M_realloc_insert<int const&>",
        ),
        (
            "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE9_M_createERmm",
            "std::string::_M_create",
        ),
        ("_ZN5space3fooEibc", "space::foo"),
        ("_ZN12_GLOBAL__N_14makeEv", "{anonymous}::make"),
        ("pair<std::__cxx11::basic_string<char> const, 0>", "pair<std::string const, 0>"),
        (
            "_ZSt14__relocate_a_1IiiENSt9enable_ifIXsrSt24__is_bitwise_relocatableIT_vE5valueEPS2_E4typeES4_S4_S4_RSaIT0_E",
            "std::__relocate_a_1",
        ),
        ("_ZN3app99", "app"),
        ("_Znot_mangled", "_Znot_mangled"),
        ("", ""),
    ];

    #[test]
    fn names_are_written_for_people() {
        for (symbol, name) in NAMES {
            assert_eq!(readable(symbol), *name, "{symbol}");
        }
    }

    #[test]
    fn long_names_lose_the_arguments_of_arguments() {
        let deep = format!("<a::Handle<{}<u8>>>::insert::<b::Global>", "c::d::".repeat(20));
        assert_eq!(without_deep_arguments(deep), "<a::Handle<…>>::insert::<b::Global>");
        assert_eq!(
            shallow("a<b<c>, d<e<f>>>::operator<< <g<h>>", 1),
            "a<b<…>, d<…>>::operator<< <g<…>>"
        );
        assert_eq!(shallow("a<b() -> c<d>>::operator->", 1), "a<b() -> c<…>>::operator->");
    }

    #[test]
    fn endless_names_are_cut() {
        let name = readable(&"ö".repeat(5000));
        assert!(name.len() <= LONGEST + 3 && name.ends_with('…'));
    }
}
