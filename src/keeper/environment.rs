//! The environment of a traced program.

use std::{
    ffi::{CString, OsStr},
    os::unix::ffi::OsStrExt,
};

/// The environment as it is, with the library first in `LD_PRELOAD` and the session named.
/// Everything else keeps its place and its bytes.
pub(super) fn traced(all: Vec<CString>, library: Option<&OsStr>, session: &str) -> Vec<CString> {
    let mut variables: Vec<CString> = all
        .into_iter()
        .filter(|variable| !variable.to_bytes().starts_with(b"MEMTOP_SESSION="))
        .collect();
    let Some(library) = library else {
        return variables;
    };
    const PRELOAD: &[u8] = b"LD_PRELOAD=";
    let existing = variables.iter().position(|variable| variable.to_bytes().starts_with(PRELOAD));
    let before = existing.map(|index| &variables[index].to_bytes()[PRELOAD.len()..]);
    let rest = before.filter(|list| !list.is_empty());
    let mut value = [PRELOAD, library.as_bytes()].concat();
    if let Some(rest) = rest {
        value.push(b':');
        value.extend(rest);
    }
    let value = CString::new(value).unwrap_or_default();
    match existing {
        Some(index) => variables[index] = value,
        None => variables.push(value),
    }
    variables.extend(CString::new(session));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(variables: &[&str]) -> Vec<CString> {
        variables.iter().map(|one| CString::new(*one).unwrap()).collect()
    }

    #[test]
    fn the_library_comes_first_and_everything_else_stays() {
        let before = ["Z=1", "LD_PRELOAD=/a.so /b.so", "odd", "A=2", "MEMTOP_SESSION=old"];
        let after = traced(list(&before), Some(OsStr::new("/m.so")), "MEMTOP_SESSION=new");
        let expected = ["Z=1", "LD_PRELOAD=/m.so:/a.so /b.so", "odd", "A=2", "MEMTOP_SESSION=new"];
        assert_eq!(after, list(&expected));
        let after = traced(list(&["LD_PRELOAD="]), Some(OsStr::new("/m.so")), "M=1");
        assert_eq!(after, list(&["LD_PRELOAD=/m.so", "M=1"]));
        assert_eq!(traced(list(&["A=1"]), None, "M=1"), list(&["A=1"]));
    }
}
