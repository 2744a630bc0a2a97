//! Names, waited for: for reports, recordings and exports.

use std::collections::{BTreeMap, BTreeSet};

use crossbeam_channel::bounded;

use super::{
    Functions, NamesFrom, Search, Trouble,
    debug_info::Question,
    module::{ModuleNames, Modules},
};
use crate::model::{Function, Location, LocationId, Module, ModuleId, Names, Sites, TreeState};

/// Looks names up, and keeps the files open for the next time.
#[derive(Debug, Default)]
pub struct Resolver {
    modules: Modules,
}

impl Resolver {
    /// A resolver that looks for files there.
    pub fn new(search: Search) -> Self {
        Self { modules: Modules::new(search) }
    }

    /// The functions at a return address of a module, innermost first; never none.
    pub fn resolve(&mut self, module: &Module, address: u64) -> Functions {
        let found = self.resolve_many(module, &[address]);
        found.into_iter().next().unwrap_or_else(|| vec![Function::default()])
    }

    /// The functions at each of several return addresses of one module, in order.
    pub fn resolve_many(&mut self, module: &Module, addresses: &[u64]) -> Vec<Functions> {
        let names = self.modules.open(module);
        let calls: Vec<u64> = addresses.iter().map(|address| call_of(*address)).collect();
        let fine = ask(names, &calls);
        let mut fine = fine.into_iter();
        let whole = |address| names.fine(address, fine.next().unwrap_or_default());
        calls.into_iter().map(whole).collect()
    }

    /// Looks up what has no name yet in all processes, where the files they ran are still there.
    pub fn resolve_tree(&mut self, tree: &mut TreeState) {
        for process in &mut tree.processes {
            self.resolve_all(&process.sites, &mut process.names);
        }
    }

    /// The modules of which places have no name because their files cannot be used, and why. A
    /// recording may say of places that no name was found for them: they are not looked up again.
    pub fn without_files(&mut self, tree: &TreeState) -> Vec<Trouble> {
        for process in &tree.processes {
            for id in nameless(&process.sites, &process.names) {
                let module = process.sites.modules.get(id.0 as usize);
                module.into_iter().for_each(|module| _ = self.modules.open(module));
            }
        }
        let mut troubles: Vec<Trouble> = self.troubles().filter(Trouble::is_of_a_file).collect();
        troubles.sort_by(|one, other| one.module.cmp(&other.module));
        troubles
    }

    /// Looks up what has no name yet of all that a process's stacks refer to.
    pub fn resolve_all(&mut self, sites: &Sites, names: &mut Names) {
        for (module, wanted) in without_names(sites, names) {
            let addresses: Vec<u64> = wanted.iter().map(|(_, address)| *address).collect();
            let module = module.and_then(|id| sites.modules.get(id.0 as usize));
            let found = module.map(|module| self.resolve_many(module, &addresses));
            let mut found = found.unwrap_or_default().into_iter();
            for (location, _) in wanted {
                names.insert(location, found.next().unwrap_or_default());
            }
        }
    }

    /// Gives the memory of parsed files back.
    pub fn close(&mut self) {
        self.modules.close();
    }

    /// The path of each module met so far, and where its names come from.
    pub fn names_from(&self) -> impl Iterator<Item = (&[u8], NamesFrom)> {
        self.modules.names_from()
    }

    /// The modules whose files name nothing, and why.
    pub fn troubles(&self) -> impl Iterator<Item = Trouble> + '_ {
        self.modules.troubles()
    }
}

/// An address within the call that returns to `address`.
pub(super) fn call_of(address: u64) -> u64 {
    address.saturating_sub(1)
}

/// Locations by module.
type Wanted = BTreeMap<Option<ModuleId>, Vec<(LocationId, u64)>>;

/// The modules of places without a name.
fn nameless(sites: &Sites, names: &Names) -> BTreeSet<ModuleId> {
    let is_named = |id| {
        let functions = names.get(id).unwrap_or_default();
        functions.iter().any(|function| !function.name.is_empty())
    };
    let numbered = (0..).map(LocationId).zip(&sites.locations);
    numbered.filter(|(id, _)| !is_named(*id)).filter_map(|(_, location)| location.module).collect()
}

fn without_names(sites: &Sites, names: &Names) -> Wanted {
    let mut wanted = Wanted::new();
    for (id, Location { module, address }) in sites.locations.iter().enumerate() {
        let id = LocationId(id as u32);
        if names.get(id).is_none() {
            wanted.entry(*module).or_default().push((id, *address));
        }
    }
    wanted
}

/// What the debug information says, waited for; nothing where there is none.
fn ask(names: &mut ModuleNames, addresses: &[u64]) -> Vec<Functions> {
    let Some(debug_info) = names.debug_info() else { return Vec::new() };
    let (answer, answered) = bounded(1);
    let answer = Box::new(move |functions| _ = answer.send(functions));
    let question = Question { addresses: addresses.to_vec(), answer };
    match debug_info.ask(question).ok().and_then(|()| answered.recv().ok()) {
        Some(functions) => functions,
        None => {
            names.give_up_debug_info();
            Vec::new()
        }
    }
}
