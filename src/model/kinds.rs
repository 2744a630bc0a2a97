//! What kind of plumbing the functions of a process are: told once, when they get their names.
//!
//! Patterns are tried on names for it, and every way to sum sites up asks it of every function.

use super::{Function, Kind, LocationId, Plumbing, Sites};

/// Kinds by location. Kept flat and small: they are asked for far more often than told.
#[derive(Debug, Default)]
pub struct Kinds {
    /// Where those of a location begin and end; nothing ends before it begins.
    ranges: Vec<(u32, u32)>,
    kinds: Vec<Option<Kind>>,
}

impl Kinds {
    /// The kinds of the functions at a location, innermost first; `None` until they are told.
    pub fn get(&self, location: LocationId) -> Option<&[Option<Kind>]> {
        let (begin, end) = *self.ranges.get(location.0 as usize)?;
        let kinds = self.kinds.get(begin as usize..end as usize)?;
        (!kinds.is_empty()).then_some(kinds)
    }

    /// Notes what the functions at a location are, where its module is known.
    pub(super) fn tell(
        &mut self,
        plumbing: &dyn Plumbing,
        sites: &Sites,
        location: LocationId,
        functions: &[Function],
    ) {
        let at = location.0 as usize;
        if at >= sites.locations.len() {
            return;
        }
        if at >= self.ranges.len() {
            self.ranges.resize(at + 1, (0, 0));
        }
        let module = sites.module_of(location).map(|module| &module.path[..]);
        let begin = self.kinds.len();
        self.kinds.extend(functions.iter().map(|function| plumbing.kind(function, module)));
        self.ranges[at] = (begin as u32, self.kinds.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Location, Module, ModuleId};

    /// What begins with an `a` is an allocator, and all of a library.
    #[derive(Debug)]
    struct Letters;

    impl Plumbing for Letters {
        fn kind(&self, function: &Function, module: Option<&[u8]>) -> Option<Kind> {
            let allocates = function.name.starts_with('a').then_some(Kind::Allocator);
            allocates.or_else(|| module.map(|_| Kind::Library))
        }
    }

    #[test]
    fn the_latest_names_count_and_unknown_locations_are_left_out() {
        let location = |module| Location { module, address: 0 };
        let sites = Sites {
            modules: vec![Module::default()],
            locations: vec![location(None), location(Some(ModuleId(0)))],
            ..Sites::default()
        };
        let mut kinds = Kinds::default();
        let mut tell = |at, names: &[&str]| {
            let named = |name: &&str| Function { name: (*name).into(), ..Function::default() };
            let functions: Vec<_> = names.iter().map(named).collect();
            kinds.tell(&Letters, &sites, LocationId(at), &functions);
        };
        tell(1, &["alloc", "b"]);
        tell(0, &["b"]);
        tell(0, &["b", "alloc", "c"]);
        tell(2, &["b"]);
        let (library, allocator) = (Some(Kind::Library), Some(Kind::Allocator));
        assert_eq!(kinds.get(LocationId(1)), Some(&[allocator, library][..]));
        assert_eq!(kinds.get(LocationId(0)), Some(&[None, allocator, None][..]));
        assert_eq!(kinds.get(LocationId(2)), None);
    }
}
