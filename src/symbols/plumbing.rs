//! Which functions are plumbing: the allocator, its wrappers, and the libraries that allocate
//! only because somebody called them.
//!
//! Every stack ends in an allocator, and most pass through a container of some library first;
//! a list of sites that names those names nothing. The table of them is data,
//! `assets/plumbing.txt`, and a user's file of the same form is added to it.

mod patterns;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{LazyLock, OnceLock},
};

use crate::model::{
    self, Function,
    frame::{base, is_library},
};

pub use crate::model::Kind;
use patterns::{Pattern, Patterns};

const TABLE: &str = include_str!("../../assets/plumbing.txt");

/// Before a pattern that is one of source files.
const FILE: &str = "file:";
/// Before a pattern that is one of programs and libraries, by their names without folders.
const MODULE: &str = "module:";

/// Set once, from the command line.
static WITH_FILE: OnceLock<Plumbing> = OnceLock::new();

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlumbingError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line means nothing.
    #[error("{}, line {line}: '{text}' is no heading; there are [allocator], [internal] and [library]", path.display())]
    Heading {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What stands there.
        text: String,
    },
}

/// The tables, ready to be asked.
#[derive(Debug, Clone)]
pub struct Plumbing {
    /// Later ones win.
    tables: Vec<Table>,
}

/// What one table says; of its patterns the first that matches counts. `None` is code that
/// somebody wrote.
#[derive(Debug, Clone, Default)]
struct Table {
    exact: HashMap<String, Option<Kind>>,
    /// Those with a `*`.
    patterns: Patterns,
    /// Those of source files.
    files: Patterns,
    /// Those of programs and libraries.
    modules: Patterns,
}

impl Default for Plumbing {
    fn default() -> Self {
        Self::built_in().clone()
    }
}

impl Plumbing {
    /// The built-in table alone.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Plumbing> = LazyLock::new(|| {
            let table = Table::read(TABLE, Path::new("plumbing.txt"));
            debug_assert!(table.is_ok(), "the table in assets is well formed");
            Plumbing { tables: table.into_iter().collect() }
        });
        &BUILT_IN
    }

    /// What tells plumbing in this run of memtop: the built-in table, and the file that was added
    /// to it.
    pub fn in_use() -> &'static Self {
        WITH_FILE.get().unwrap_or_else(|| Self::built_in())
    }

    /// Lets a user's file be in use from now on; to be called before anything is looked at.
    ///
    /// # Errors
    /// As [`with_file`](Self::with_file).
    pub fn add_file(path: &Path) -> Result<(), PlumbingError> {
        let _ = WITH_FILE.set(Self::with_file(path)?);
        Ok(())
    }

    /// The built-in table and a user's file, which wins where they differ.
    ///
    /// # Errors
    /// When the file cannot be read, or has a heading that is not known.
    pub fn with_file(path: &Path) -> Result<Self, PlumbingError> {
        let unreadable = |source| PlumbingError::Unreadable { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let mut plumbing = Self::default();
        plumbing.tables.push(Table::read(&text, path)?);
        Ok(plumbing)
    }

    /// What kind of plumbing a function is; `None` for code that somebody wrote for this
    /// program, and for code of which nothing is known.
    pub fn kind(&self, function: &Function, module: Option<&[u8]>) -> Option<Kind> {
        self.told(function, module).flatten()
    }

    /// What the tables say; the outer `None` when they say nothing.
    fn told(&self, function: &Function, module: Option<&[u8]>) -> Option<Option<Kind>> {
        self.tables.iter().rev().find_map(|table| table.kind(function, module))
    }

    /// Whether a function is plumbing of any kind.
    pub fn is_plumbing(&self, function: &Function) -> bool {
        self.kind(function, None).is_some()
    }

    /// Position of the frame that a person would call the site, of `frames` innermost first:
    /// the first one that is not plumbing, else the first library function, else the first that
    /// is internal to a library, else the innermost. `None` only without frames.
    pub fn site_of<'a>(&self, frames: impl IntoIterator<Item = &'a Function>) -> Option<usize> {
        let mut best: Option<(Option<Kind>, usize)> = None;
        for (at, frame) in frames.into_iter().enumerate() {
            let kind = self.kind(frame, None);
            if best.is_none_or(|(so_far, _)| kind < so_far) {
                best = Some((kind, at));
            }
            if kind.is_none() {
                break;
            }
        }
        best.map(|(_, at)| at)
    }
}

impl model::Plumbing for Plumbing {
    fn kind(&self, function: &Function, module: Option<&[u8]>) -> Option<Kind> {
        self.kind(function, module)
    }

    fn kind_of_nameless(&self, module: &[u8]) -> Option<Kind> {
        let is_library = str::from_utf8(module).is_ok_and(is_library);
        let told = self.told(&Function::default(), Some(module));
        told.unwrap_or_else(|| is_library.then_some(Kind::Internal))
    }
}

impl Table {
    fn read(text: &str, path: &Path) -> Result<Self, PlumbingError> {
        let (mut table, mut kind) = (Self::default(), Kind::Allocator);
        for (number, line) in text.lines().enumerate() {
            match line.trim() {
                "[allocator]" => kind = Kind::Allocator,
                "[internal]" => kind = Kind::Internal,
                "[library]" => kind = Kind::Library,
                line if line.starts_with('[') => {
                    let (path, text) = (path.to_owned(), line.to_owned());
                    return Err(PlumbingError::Heading { path, line: number + 1, text });
                }
                line if line.is_empty() || line.starts_with('#') => {}
                line => match line.strip_prefix('!') {
                    Some(pattern) => table.add(pattern.trim(), None),
                    None => table.add(line, Some(kind)),
                },
            }
        }
        Ok(table)
    }

    fn add(&mut self, pattern: &str, kind: Option<Kind>) {
        let rest = |of: &str| Some(Pattern::new(pattern.strip_prefix(of)?.trim_start()));
        if let Some(file) = rest(FILE) {
            self.files.add(file, kind);
        } else if let Some(module) = rest(MODULE) {
            self.modules.add(module, kind);
        } else if pattern.contains('*') {
            self.patterns.add(Pattern::new(pattern), kind);
        } else {
            self.exact.insert(pattern.to_owned(), kind);
        }
    }

    /// What the table says about a function; the outer `None` when it says nothing.
    fn kind(&self, function: &Function, module: Option<&[u8]>) -> Option<Option<Kind>> {
        let exact = self.exact.get(&*function.name).copied();
        let by_name = || self.patterns.first_match(&function.name);
        let by_file = || self.files.first_match(function.file.as_deref()?);
        // Whoever called a library called something that has a name.
        let least = if function.name.is_empty() { Kind::Internal } else { Kind::Library };
        let by_module = || {
            let module = str::from_utf8(module?).ok()?;
            let kind = self.modules.first_match(base(module))?;
            Some(kind.map(|kind| kind.max(least)))
        };
        exact.or_else(by_name).or_else(by_file).or_else(by_module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Plumbing, PlumbingError> {
        let mut plumbing = Plumbing::default();
        plumbing.tables.push(Table::read(text, Path::new("mine.txt"))?);
        Ok(plumbing)
    }

    fn function(name: &str, file: &str) -> Function {
        let file = (!file.is_empty()).then(|| file.into());
        Function { name: name.into(), file, line: None }
    }

    fn kind(plumbing: &Plumbing, name: &str) -> Option<Kind> {
        plumbing.kind(&function(name, ""), None)
    }

    fn site(names: &[&str]) -> Option<usize> {
        let frames: Vec<Function> = names.iter().map(|name| function(name, "")).collect();
        Plumbing::default().site_of(&frames)
    }

    #[test]
    fn kinds_are_those_of_the_table() {
        let plumbing = Plumbing::default();
        for (name, expected) in [
            ("malloc", Some(Kind::Allocator)),
            ("operator new", Some(Kind::Allocator)),
            ("alloc::raw_vec::RawVec<T,A>::grow_one", Some(Kind::Allocator)),
            ("<alloc::alloc::Global>::alloc_impl_runtime", Some(Kind::Allocator)),
            ("alloc::vec::Vec<T,A>::push", Some(Kind::Library)),
            ("std::vector<int>::_M_realloc_insert<int const&>", Some(Kind::Library)),
            ("<alloc::vec::Vec<T> as core::clone::Clone>::clone", Some(Kind::Library)),
            ("<app::Thing as core::clone::Clone>::clone", None),
            ("main", None),
            ("allocate_things", None),
            ("", None),
        ] {
            assert_eq!(kind(&plumbing, name), expected, "{name}");
        }
    }

    #[test]
    fn files_tell_what_names_do_not() {
        let plumbing = read("!file: /home/*\n[library]\nfile: */vendor/*\n").expect("fine");
        for (file, expected) in [
            ("/usr/include/c++/12/bits/stl_pair.h", Some(Kind::Library)),
            ("/rustc/0123/library/core/src/iter/mod.rs", Some(Kind::Library)),
            ("/src/app/vendor/json.c", Some(Kind::Library)),
            ("/home/me/vendor/mine.c", None),
            ("/src/app/main.c", None),
        ] {
            assert_eq!(plumbing.kind(&function("pair", file), None), expected, "{file}");
        }
    }

    #[test]
    fn libraries_of_the_system_are_told_by_their_files() {
        let plumbing = read("!module: libmine.so*\n[library]\nmodule: libmi*.so*\n").expect("fine");
        for (module, expected) in [
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", Some(Kind::Library)),
            ("/usr/lib/libstdc++.so.6.0.30", Some(Kind::Library)),
            ("/opt/libmi2.so", Some(Kind::Library)),
            ("/opt/libmine.so", None),
            ("/usr/bin/libc", None),
        ] {
            let kind = plumbing.kind(&function("f", ""), Some(module.as_bytes()));
            assert_eq!(kind, expected, "{module}");
        }
    }

    #[test]
    fn nameless_functions_are_internal_to_libraries_unless_a_table_says_otherwise() {
        use model::Plumbing as _;
        let plumbing = read("!module: libmine.so*\n").expect("fine");
        for (module, expected) in [
            ("/usr/lib/libsqlite3.so.0", Some(Kind::Internal)),
            ("/usr/lib/libc.so.6", Some(Kind::Internal)),
            ("/opt/libmine.so.2", None),
            ("/usr/bin/perl", None),
        ] {
            assert_eq!(plumbing.kind_of_nameless(module.as_bytes()), expected, "{module}");
        }
    }

    #[test]
    fn the_site_is_the_code_somebody_wrote() {
        assert_eq!(site(&["malloc", "xmalloc", "parse", "main"]), Some(2));
        assert_eq!(site(&["operator new", "std::string::_M_create", "main"]), Some(2));
        assert_eq!(site(&["malloc", "std::thread::spawn", "start_thread"]), Some(1));
        let buffer = ["malloc", "_IO_file_doallocate", "_IO_doallocbuf", "_IO_new_file_overflow"];
        assert_eq!(site(&[&buffer[..], &["puts", "start_thread"]].concat()), Some(4));
        assert_eq!(site(&[&buffer[..], &["start_thread", "clone3"]].concat()), Some(1));
        assert_eq!(site(&["malloc", "calloc"]), Some(0));
        assert_eq!(site(&[""]), Some(0));
        assert_eq!(site(&[]), None);
    }

    #[test]
    fn a_users_table_wins() {
        let plumbing = read("[library]\napp::pool::*\n! std::thread::*\n!zmalloc\n").expect("fine");
        assert_eq!(kind(&plumbing, "app::pool::take"), Some(Kind::Library));
        assert_eq!(kind(&plumbing, "std::thread::spawn"), None);
        assert_eq!(kind(&plumbing, "zmalloc"), None);
        assert_eq!(kind(&plumbing, "zmalloc_usable"), Some(Kind::Allocator));
        let wrong = read("# mine\n[alocator]\nx").expect_err("a wrong heading").to_string();
        assert!(wrong.starts_with("mine.txt, line 2: '[alocator]'"), "{wrong}");
    }
}
