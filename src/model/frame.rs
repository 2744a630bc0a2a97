//! What a place in code is called, with what is known of it: the words of every table.
//!
//! A location may stand for several [`Frame`]s, where the compiler inlined calls. Which of a
//! stack's frames is *the site* is decided here as well: the innermost one that is not
//! plumbing, that is, code that allocates only on behalf of its caller.

use std::{borrow::Cow, fmt, sync::Arc};

use super::{Function, Kinds, LocationId, Names, Sites, StackId};

/// What kind of plumbing a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A function of a library, which allocates because it was called.
    Library,
    /// What libraries do for functions of theirs, and what starts programs and threads.
    Internal,
    /// The allocator itself, or a wrapper of it.
    Allocator,
}

impl Kind {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Library | Self::Internal => "library",
            Self::Allocator => "allocator",
        }
    }
}

/// Decides which functions are plumbing.
pub trait Plumbing: fmt::Debug + Sync {
    /// What kind of plumbing a function is, in the program or library of this path: memory it
    /// asks for is better shown at its caller. `None` for code that somebody wrote for this
    /// program.
    fn kind(&self, function: &Function, module: Option<&[u8]>) -> Option<Kind>;

    /// The same of a function whose name is not known, in a program or library in which names of
    /// others are.
    fn kind_of_nameless(&self, module: &[u8]) -> Option<Kind> {
        self.kind(&Function::default(), Some(module))
    }
}

/// Without a table every function stands for itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPlumbing;

impl Plumbing for NoPlumbing {
    fn kind(&self, _: &Function, _: Option<&[u8]>) -> Option<Kind> {
        None
    }
}

/// A frame, or the part of one that a group has in common. What is not known, or differs
/// within the group, is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Frame {
    /// Function, demangled.
    pub function: Option<Arc<str>>,
    /// Source file.
    pub file: Option<Arc<str>>,
    /// Line of the call.
    pub line: Option<u32>,
    /// Path of the program or library.
    pub module: Option<Arc<str>>,
    /// Address in the module's file, or in memory without a module.
    pub address: Option<u64>,
}

/// One line of text, the same for the same code in another run: the key of a group.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        match (self.function.as_deref(), place.as_deref()) {
            (Some(function), Some(place)) => write!(f, "{function} {place}"),
            (one, other) => f.write_str(one.or(other).unwrap_or(UNKNOWN)),
        }
    }
}

/// What stands for code of which nothing is known.
const UNKNOWN: &str = "(unknown)";

impl Frame {
    /// Some parts of it.
    #[must_use]
    pub fn only(&self, parts: Parts) -> Self {
        let text = |wanted: bool, text: &Option<Arc<str>>| text.clone().filter(|_| wanted);
        Self {
            function: text(parts.function, &self.function),
            file: text(parts.file, &self.file),
            line: self.line.filter(|_| parts.line),
            module: text(parts.module, &self.module),
            address: self.address.filter(|_| parts.address),
        }
    }

    /// Its texts.
    pub fn words(&self) -> Words<'_> {
        Words {
            function: self.function.as_deref(),
            file: self.file.as_deref(),
            line: self.line,
            module: self.module.as_deref().map(Cow::from),
        }
    }

    /// Where it is, as exactly as is known: `dict.c:312`, `dict.c`, `libfoo.so+0x1139`,
    /// `libfoo.so`, `0x7f0000001139`.
    pub fn place(&self) -> Option<String> {
        if let Some(file) = &self.file {
            return Some(match self.line {
                Some(line) => format!("{file}:{line}"),
                None => file.to_string(),
            });
        }
        match (self.module.as_deref(), self.address) {
            (Some(module), Some(address)) => Some(format!("{}+{address:#x}", base(module))),
            (Some(module), None) => Some(module.to_owned()),
            (None, address) => address.map(|address| format!("{address:#x}")),
        }
    }
}

/// Some parts of a frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    /// The function.
    pub function: bool,
    /// The source file.
    pub file: bool,
    /// The line in it.
    pub line: bool,
    /// The program or library.
    pub module: bool,
    /// The address.
    pub address: bool,
}

impl Parts {
    const ALL: Self = Self { function: true, file: true, line: true, module: true, address: true };
}

/// The texts of a frame, for a look at them: nothing is counted or copied.
#[derive(Debug, Clone, Default)]
pub struct Words<'a> {
    /// Function, demangled.
    pub function: Option<&'a str>,
    /// Source file.
    pub file: Option<&'a str>,
    /// Line of the call.
    pub line: Option<u32>,
    /// Path of the program or library.
    pub module: Option<Cow<'a, str>>,
}

/// A path without its folders.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path is one of a shared library.
pub fn is_library(path: &str) -> bool {
    base(path).contains(".so")
}

/// The functions at a location that was not looked up, or has no name.
static NAMELESS: std::sync::LazyLock<[Function; 1]> = std::sync::LazyLock::new(Default::default);

/// One of the functions at a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The location.
    pub location: LocationId,
    /// Index among its functions, innermost first.
    pub inlined: usize,
}

/// Stacks, their names, and what is plumbing among them.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The stacks.
    pub sites: &'a Sites,
    /// What their locations are called.
    pub names: &'a Names,
    /// What is plumbing.
    pub plumbing: &'a dyn Plumbing,
    /// What `plumbing` told of these names already.
    pub kinds: Option<&'a Kinds>,
}

impl<'a> Scope<'a> {
    /// The functions at a location, innermost first; at least one, without a name if need be.
    pub fn functions(&self, location: LocationId) -> &'a [Function] {
        self.names.get(location).unwrap_or(&*NAMELESS)
    }

    /// Every function of a stack, innermost first.
    pub fn places(&self, stack: StackId) -> impl Iterator<Item = Place> + use<'a> {
        let scope = *self;
        self.sites.frames(stack).flat_map(move |location| scope.places_at(location))
    }

    /// The functions at one location, innermost first.
    pub fn places_at(&self, location: LocationId) -> impl Iterator<Item = Place> + use<> {
        (0..self.functions(location).len()).map(move |inlined| Place { location, inlined })
    }

    /// The site: the innermost function that is not plumbing, else the innermost one of a
    /// library that is not internal to it, else the innermost one that is no allocator, else the
    /// innermost; `None` for a stack without frames.
    pub fn site(&self, stack: StackId) -> Option<Place> {
        let mut best: Option<(Option<Kind>, Place)> = None;
        for place in self.places(stack) {
            let kind = self.kind(place);
            if best.is_none_or(|(least, _)| kind < least) {
                best = Some((kind, place));
            }
            if kind.is_none() {
                break;
            }
        }
        best.map(|(_, place)| place)
    }

    /// What kind of plumbing a place is.
    pub fn kind(&self, place: Place) -> Option<Kind> {
        let kind = match self.kinds.and_then(|kinds| kinds.get(place.location)) {
            Some(told) => *told.get(place.inlined)?,
            None => {
                let module = self.sites.module_of(place.location);
                self.plumbing.kind(self.function(place)?, module.map(|module| &module.path[..]))
            }
        };
        kind.or_else(|| self.kind_of_nameless(place))
    }

    /// What kind of plumbing a place is, because others of its library have names and it has none:
    /// a library names what it is called by, and often nothing else.
    fn kind_of_nameless(&self, place: Place) -> Option<Kind> {
        // One that was not looked up may have a name yet.
        let function = self.names.get(place.location)?.get(place.inlined)?;
        if function.has_name() || function.file.is_some() {
            return None;
        }
        let module = self.sites.locations.get(place.location.0 as usize)?.module?;
        let path = &self.sites.modules.get(module.0 as usize)?.path;
        self.names.know_module(self.sites, module).then(|| self.plumbing.kind_of_nameless(path))?
    }

    /// Whether a place is plumbing.
    pub fn is_plumbing(&self, place: Place) -> bool {
        self.kind(place).is_some()
    }

    /// All that is known of a place.
    pub fn frame(&self, place: Place) -> Frame {
        self.frame_of(place, Parts::ALL)
    }

    /// Some of what is known of a place.
    pub fn frame_of(&self, place: Place, parts: Parts) -> Frame {
        let function = self.function(place);
        let location = self.sites.locations.get(place.location.0 as usize);
        let text = |wanted: bool, text: Option<&Arc<str>>| text.filter(|_| wanted).cloned();
        let name = function.map(|function| &function.name).filter(|name| !name.is_empty());
        Frame {
            function: text(parts.function, name),
            file: text(parts.file, function.and_then(|function| function.file.as_ref())),
            line: function.and_then(|function| function.line).filter(|_| parts.line),
            module: parts.module.then(|| self.module(place)).flatten().map(Arc::from),
            address: location.map(|location| location.address).filter(|_| parts.address),
        }
    }

    /// The texts about a place, where they stand.
    pub fn words(&self, place: Place) -> Words<'a> {
        let function = self.function(place);
        Words {
            function: function.map(|function| &*function.name).filter(|name| !name.is_empty()),
            file: function.and_then(|function| function.file.as_deref()),
            line: function.and_then(|function| function.line),
            module: self.module(place),
        }
    }

    /// The function at a place.
    pub(super) fn function(&self, place: Place) -> Option<&'a Function> {
        self.functions(place.location).get(place.inlined)
    }

    fn module(&self, place: Place) -> Option<Cow<'a, str>> {
        let module = self.sites.module_of(place.location)?;
        Some(String::from_utf8_lossy(&module.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Grouping, Location, Module, ModuleId, Node, NodeId, SitesUpdate, Stack};

    fn frame(function: &str, file: &str, line: u32) -> Frame {
        let known = |text: &str| (!text.is_empty()).then(|| Arc::from(text));
        Frame {
            function: known(function),
            file: known(file),
            line: (line != 0).then_some(line),
            module: Some("/usr/lib/libfoo.so".into()),
            address: Some(0x1139),
        }
    }

    /// main ◀─ work ◀─ two calls ◀─ malloc, of which those two are without a name in `library`, and
    /// so is `main`, in a program without any.
    fn nameless_in(library: &str, work: &str, looked_up: bool) -> (Sites, Names) {
        let location = |module, address| Location { module: Some(ModuleId(module)), address };
        let module = |path: &str| Module { path: path.into(), build_id: vec![] };
        let node =
            |at: u32| Node { parent: at.checked_sub(1).map(NodeId), location: LocationId(at) };
        let mut sites = Sites::default();
        sites.apply(SitesUpdate {
            modules: vec![module("/bin/prog"), module(library), module("/lib/libc.so.6")],
            locations: [(0, 1), (1, 2), (1, 3), (1, 4), (2, 5)].map(|(m, a)| location(m, a)).into(),
            nodes: (0..5).map(node).collect(),
            stacks: vec![Stack { node: Some(NodeId(4)), cut: false }],
            ..SitesUpdate::default()
        });
        let mut names = Names::default();
        for (at, name) in ["", work, "", "", "malloc"].into_iter().enumerate() {
            if looked_up || !name.is_empty() {
                let function = Function { name: name.into(), ..Function::default() };
                names.insert(LocationId(at as u32), vec![function]);
            }
        }
        (sites, names)
    }

    #[test]
    fn what_a_library_does_not_name_is_shown_at_what_it_does() {
        let site = |library, work, looked_up| {
            let (sites, names) = nameless_in(library, work, looked_up);
            let plumbing = crate::symbols::Plumbing::built_in();
            let scope = Scope { sites: &sites, names: &names, plumbing, kinds: None };
            let frame = scope.site(StackId(0)).map(|place| scope.frame(place));
            let label = |frame: Frame| Grouping::Site.label(&frame).to_string();
            frame.map(label).unwrap_or_default()
        };
        assert_eq!(site("/lib/libwork.so.1", "work", true), "work /lib/libwork.so.1");
        // No names at all: where it is, is all that is known.
        assert_eq!(site("/lib/libwork.so.1", "", true), "libwork.so.1+0x4");
        // A program's own code is not there for others to call.
        assert_eq!(site("/opt/worker", "work", true), "worker+0x4");
        assert_eq!(site("/lib/libwork.so.1", "work", false), "libwork.so.1+0x4");
    }

    #[test]
    fn a_frame_is_written_as_exactly_as_it_is_known() {
        assert_eq!(frame("dictAdd", "dict.c", 312).to_string(), "dictAdd dict.c:312");
        assert_eq!(frame("dictAdd", "dict.c", 0).to_string(), "dictAdd dict.c");
        assert_eq!(frame("", "", 0).to_string(), "libfoo.so+0x1139");
        let jitted = Frame { module: None, ..frame("", "", 0) };
        assert_eq!(jitted.to_string(), "0x1139");
        assert_eq!(Frame::default().to_string(), "(unknown)");
    }
}
