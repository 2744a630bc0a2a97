//! What the code at a location is called.
//!
//! One location can stand for several functions: where the compiler inlined calls, the
//! innermost comes first. A location that was looked up has at least one function; where no
//! name was to be found, [`Function::name`] is empty and the caller shows module + offset.

use std::sync::Arc;

use super::sites::LocationId;

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

/// Functions by location.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    by_location: Vec<Option<Arc<[Function]>>>,
}

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
        self.by_location[at] = Some(functions.into());
    }

    /// Locations with names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (LocationId, &[Function])> {
        let known = self.by_location.iter().enumerate();
        known.filter_map(|(at, names)| Some((LocationId(at as u32), names.as_deref()?)))
    }
}
