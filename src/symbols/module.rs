//! Everything that can name the code of one module.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use super::{
    Functions, Search,
    debug_info::DebugInfo,
    demangle,
    image::{Image, Unusable},
    table::SymbolTable,
};
use crate::model::{Function, Module};

/// Where the names of a module come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamesFrom {
    /// Debug information in this file: functions, inlined ones too, files and lines.
    DebugInfo(PathBuf),
    /// The symbols of this file: functions only.
    Symbols(PathBuf),
    /// Nowhere: module and offset are all there is.
    Nowhere,
}

/// Why a module's file names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no names for {}: {why}", String::from_utf8_lossy(.module))]
pub struct Trouble {
    /// Path of the module, as the process had it.
    pub module: Vec<u8>,
    /// The reason.
    pub why: String,
}

impl Trouble {
    /// Whether the module was a file, and not code that the kernel or the program made.
    pub fn is_of_a_file(&self) -> bool {
        self.module.starts_with(b"/")
    }
}

/// A module's files, opened.
#[derive(Debug)]
pub(super) struct ModuleNames {
    table: Option<SymbolTable>,
    /// The file with debug information, and the one that it shares parts with.
    debug_file: Option<Arc<Image>>,
    debug_info: Option<DebugInfo>,
    trouble: Option<Unusable>,
    search: Search,
}

impl ModuleNames {
    /// Finds the module's files. What takes long is put off until it is asked for.
    pub(super) fn open(search: &Search, module: &Module) -> Self {
        let (image, trouble) = match search.image(module) {
            Ok(image) => (Some(Arc::new(image)), None),
            Err(why) => (None, Some(why)),
        };
        let debug_file = image.as_ref().and_then(|image| match image.has_debug_info() {
            true => Some(image.clone()),
            false => search.debug_file(image).map(Arc::new),
        });
        // A debug file keeps the symbols that were stripped; the dynamic ones are a poor rest.
        let tables = [debug_file.as_ref(), image.as_ref()];
        let table = tables.into_iter().flatten().find_map(SymbolTable::read);
        let debug_file = debug_file.filter(|_| table.is_none() || !is_c_library(&module.path));
        Self { table, debug_file, debug_info: None, trouble, search: search.clone() }
    }

    /// The name that the symbols give, at once.
    pub(super) fn rough(&self, address: u64) -> Functions {
        let name = self.symbol(address).map(demangle::readable).unwrap_or_default();
        vec![Function { name: name.into(), file: None, line: None }]
    }

    fn symbol(&self, address: u64) -> Option<&str> {
        self.table.as_ref()?.find(address)
    }

    /// What the debug information says, made whole by what the symbols say.
    pub(super) fn fine(&self, address: u64, mut functions: Functions) -> Functions {
        let Some(outermost) = functions.last_mut() else { return self.rough(address) };
        if let Some(symbol) = self.symbol(address) {
            let name = demangle::readable(symbol);
            if outermost.name.is_empty() || is_longer_path(&name, &outermost.name) {
                outermost.name = name.into();
            }
        }
        functions
    }

    /// Whether there is debug information.
    pub(super) fn has_debug_info(&self) -> bool {
        self.debug_file.is_some()
    }

    /// The debug information, which begins to load when it is first asked for.
    pub(super) fn debug_info(&mut self) -> Option<&DebugInfo> {
        let file = self.debug_file.as_ref()?;
        if self.debug_info.is_none() {
            self.debug_info = DebugInfo::open(file.clone(), self.search.supplement(file));
        }
        self.debug_info.as_ref()
    }

    /// Whether its debug information is loaded, or loading.
    pub(super) fn is_open(&self) -> bool {
        self.debug_info.is_some()
    }

    /// Gives the memory of parsed debug information back; it loads anew when it is needed.
    pub(super) fn close(&mut self) {
        self.debug_info = None;
    }

    /// Takes note that its debug information cannot be used.
    pub(super) fn give_up_debug_info(&mut self) {
        (self.debug_file, self.debug_info) = (None, None);
    }

    fn names_from(&self) -> NamesFrom {
        match (&self.debug_file, &self.table) {
            (Some(file), _) => NamesFrom::DebugInfo(file.path().to_owned()),
            (None, Some(table)) => NamesFrom::Symbols(table.path().to_owned()),
            (None, None) => NamesFrom::Nowhere,
        }
    }
}

/// Whether a module is the C library or its loader. They are in every stack, and nobody looks for a
/// leak in their lines: where their debug information is installed it would take some 75 ms of each
/// recording and 30 MB of memory to read, and say `_IO_getdelim` where symbols say `getdelim`.
fn is_c_library(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let begins = [&b"libc.so."[..], b"libc-2.", b"ld-linux-", b"ld-2."];
    begins.into_iter().any(|begin| name.starts_with(begin))
}

/// Whether `long` is `short` with the namespaces before it, which debug information leaves out
/// of what is local to a file.
fn is_longer_path(long: &str, short: &str) -> bool {
    long.strip_suffix(short).is_some_and(|before| before.ends_with("::"))
}

/// What tells modules apart: files with one build id are one, wherever they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    BuildId(Vec<u8>),
    Path(Vec<u8>),
}

impl Key {
    pub(super) fn of(module: &Module) -> Self {
        match module.build_id.is_empty() {
            true => Self::Path(module.path.clone()),
            false => Self::BuildId(module.build_id.clone()),
        }
    }
}

/// The modules seen so far.
#[derive(Debug, Default)]
pub(super) struct Modules {
    search: Search,
    known: HashMap<Key, (Vec<u8>, ModuleNames)>,
}

impl Modules {
    pub(super) fn new(search: Search) -> Self {
        Self { search, known: HashMap::new() }
    }

    /// Looks elsewhere from now on. What was found stays; what was not may be found there.
    pub(super) fn search_in(&mut self, search: Search) {
        self.search = search;
        self.known
            .retain(|key, (_, names)| matches!(key, Key::BuildId(_)) && names.trouble.is_none());
    }

    pub(super) fn open(&mut self, module: &Module) -> &mut ModuleNames {
        let open = || (module.path.clone(), ModuleNames::open(&self.search, module));
        &mut self.known.entry(Key::of(module)).or_insert_with(open).1
    }

    pub(super) fn get(&mut self, key: &Key) -> Option<&mut ModuleNames> {
        self.known.get_mut(key).map(|(_, names)| names)
    }

    /// How many have their debug information open.
    pub(super) fn open_files(&self) -> usize {
        self.known.values().filter(|(_, names)| names.is_open()).count()
    }

    pub(super) fn close(&mut self) {
        self.known.values_mut().for_each(|(_, names)| names.close());
    }

    /// Where the names of each module come from.
    pub(super) fn names_from(&self) -> impl Iterator<Item = (&[u8], NamesFrom)> {
        self.known.values().map(|(path, names)| (path.as_slice(), names.names_from()))
    }

    /// What could not be used, and why.
    pub(super) fn troubles(&self) -> impl Iterator<Item = Trouble> + '_ {
        self.known.values().filter_map(|(path, names)| {
            let why = names.trouble.as_ref()?.to_string();
            Some(Trouble { module: path.clone(), why })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_taken_from_the_symbol() {
        assert!(is_longer_path("app::parse", "parse"));
        assert!(!is_longer_path("app::reparse", "parse"));
        assert!(!is_longer_path("parse", "parse"));
    }

    #[test]
    fn the_c_library_is_known_by_its_file() {
        assert!(is_c_library(b"/usr/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(is_c_library(b"/lib64/ld-linux-x86-64.so.2"));
        assert!(!is_c_library(b"/usr/lib/libcrypto.so.3") && !is_c_library(b"/opt/libc.so.6/app"));
    }

    #[test]
    fn a_module_without_a_file_has_its_reason() {
        let mut modules = Modules::default();
        let module = Module { path: b"/no/such/file".to_vec(), build_id: vec![1] };
        let names = modules.open(&module);
        assert_eq!(names.rough(77), vec![Function::default()]);
        assert!(names.debug_info().is_none());
        let troubles: Vec<String> = modules.troubles().map(|trouble| trouble.to_string()).collect();
        assert_eq!(troubles.len(), 1);
        assert!(troubles[0].starts_with("no names for /no/such/file: it cannot be read"));
    }
}
