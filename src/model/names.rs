//! What the code at a location is called.
//!
//! One location can stand for several functions: where the compiler inlined calls, the
//! innermost comes first. A location that was looked up has at least one function; where no
//! name was to be found, [`Function::name`] is empty and the caller shows module + offset.

use std::sync::{Arc, OnceLock};

use super::sites::{LocationId, ModuleId, Sites};

/// A function at a location, and the line of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Function {
    /// Name, demangled; empty when it is not known.
    pub name: Arc<str>,
    /// Source file, as the compiler noted it.
    pub file: Option<Arc<str>>,
    /// Line of the call, from one.
    pub line: Option<u32>,
}

impl Function {
    /// Whether its name is known.
    pub fn has_name(&self) -> bool {
        !self.name.is_empty()
    }
}

/// Functions by location.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    by_location: Vec<Option<Arc<[Function]>>>,
    of_modules: OfModules,
}

/// By module, whether any of its functions has a name: found out when somebody asks. It follows from
/// the names, and so says nothing of whether two of them are alike.
#[derive(Debug, Clone, Default)]
struct OfModules(OnceLock<Box<[bool]>>);

impl PartialEq for OfModules {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for OfModules {}

impl Names {
    /// The functions at a location, innermost first; `None` until they are looked up.
    pub fn get(&self, location: LocationId) -> Option<&[Function]> {
        self.by_location.get(location.0 as usize)?.as_deref()
    }

    /// Notes what a location is called. Nothing is not a name: an empty list is one function
    /// without one.
    pub fn insert(&mut self, location: LocationId, functions: Vec<Function>) {
        let at = location.0 as usize;
        if at >= self.by_location.len() {
            self.by_location.resize(at + 1, None);
        }
        let functions = if functions.is_empty() { vec![Function::default()] } else { functions };
        if functions.iter().any(Function::has_name) {
            self.of_modules = OfModules::default();
        }
        self.by_location[at] = Some(functions.into());
    }

    /// Whether the name of any function of a module is known.
    pub fn know_module(&self, sites: &Sites, module: ModuleId) -> bool {
        let known = self.of_modules.0.get_or_init(|| self.known_modules(sites));
        known.get(module.0 as usize).copied().unwrap_or(false)
    }

    fn known_modules(&self, sites: &Sites) -> Box<[bool]> {
        let mut known = vec![false; sites.modules.len()];
        for (location, functions) in self.iter() {
            let module = sites.locations.get(location.0 as usize).and_then(|one| one.module);
            if let Some(known) = module.and_then(|module| known.get_mut(module.0 as usize)) {
                *known |= functions.iter().any(Function::has_name);
            }
        }
        known.into()
    }

    /// Locations with names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (LocationId, &[Function])> {
        let known = self.by_location.iter().enumerate();
        known.filter_map(|(at, names)| Some((LocationId(at as u32), names.as_deref()?)))
    }
}
