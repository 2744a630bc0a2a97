//! The sites of a live session: each look tells what is new since the one before.
//!
//! A look costs what the session has: comparing a hundred
//! thousand cells takes a millisecond, and the program pays nothing for it.

use std::collections::HashMap;

use memtop_probe::session::reader::{NodeReading, Reader, SiteReading};

use crate::model::{
    Location, LocationId, Module, ModuleId, Node, NodeId, SiteFigures, SitesUpdate, Stack, StackId,
};

/// Follows the stacks of one session.
#[derive(Debug, Clone, Default)]
pub struct Follower {
    session: Option<usize>,
    modules: usize,
    locations: HashMap<Location, LocationId>,
    nodes: u32,
    stacks: u32,
    seen: Vec<SiteReading>,
    read: Vec<SiteReading>,
}

impl Follower {
    /// What is new about the sites of session `index`; all of them when the last look was at
    /// another one.
    pub fn look(&mut self, reader: &Reader, index: usize) -> SitesUpdate {
        let restart = self.session != Some(index);
        if restart {
            *self = Self { session: Some(index), ..Self::default() };
        }
        if !reader.has_stacks(index) {
            return SitesUpdate { restart, ..SitesUpdate::default() };
        }
        let changed_at_most = self.read(reader, index);
        let stacks = reader.stacks(index, self.stacks);
        self.stacks += stacks.len() as u32;
        let mut update = SitesUpdate { restart, ..SitesUpdate::default() };
        update.stacks = stacks
            .into_iter()
            .map(|stack| Stack { node: stack.node.map(NodeId), cut: stack.cut })
            .collect();
        // A node is there before its stack is, and a module before its nodes.
        let nodes = reader.nodes(index, self.nodes);
        self.nodes += nodes.len() as u32;
        for module in reader.modules(index, self.modules) {
            self.modules += 1;
            update.modules.push(Module { path: module.path, build_id: module.build_id });
        }
        for node in nodes {
            let location = self.locate(&node, &mut update);
            update.nodes.push(Node { parent: node.parent.map(NodeId), location });
        }
        if reader.is_gone(index) {
            // In the middle of it: what was known stays.
            return SitesUpdate { restart, ..SitesUpdate::default() };
        }
        let known = (self.stacks as usize).min(changed_at_most);
        update.changed = self.changed(known);
        update
    }

    /// Everything about the sites of session `index`, at once.
    pub fn whole(reader: &Reader, index: usize) -> SitesUpdate {
        Self::default().look(reader, index)
    }

    /// The modules and locations that were told of so far.
    pub fn told(&self, reader: &Reader) -> SitesUpdate {
        let mut told = SitesUpdate::default();
        if let Some(index) = self.session {
            let modules = reader.modules(index, 0).into_iter().take(self.modules);
            told.modules
                .extend(modules.map(|one| Module { path: one.path, build_id: one.build_id }));
        }
        let mut numbered: Vec<_> = self.locations.iter().collect();
        numbered.sort_unstable_by_key(|(_, id)| **id);
        told.locations.extend(numbered.into_iter().map(|(location, _)| *location));
        told
    }

    fn read(&mut self, reader: &Reader, index: usize) -> usize {
        reader.read_sites(index, &mut self.read);
        self.seen.resize(self.read.len().max(self.seen.len()), SiteReading::default());
        self.read.len()
    }

    fn locate(&mut self, node: &NodeReading, update: &mut SitesUpdate) -> LocationId {
        let module = node.module.filter(|module| (*module as usize) < self.modules);
        let location = Location { module: module.map(ModuleId), address: node.address };
        let next = LocationId(self.locations.len() as u32);
        *self.locations.entry(location).or_insert_with(|| {
            update.locations.push(location);
            next
        })
    }

    /// The figures among the first `known` that are not what they were.
    fn changed(&mut self, known: usize) -> Vec<(StackId, SiteFigures)> {
        let pairs = self.seen.iter_mut().zip(&self.read).take(known).enumerate();
        pairs
            .filter(|(_, (seen, read))| **seen != **read)
            .map(|(at, (seen, read))| {
                *seen = *read;
                (StackId(at as u32), figures(read))
            })
            .collect()
    }
}

fn figures(reading: &SiteReading) -> SiteFigures {
    SiteFigures {
        current_bytes: reading.allocated_bytes.saturating_sub(reading.freed_bytes),
        current_blocks: reading.allocations.saturating_sub(reading.frees),
        at_peak_bytes: u64::try_from(reading.peak_bytes).unwrap_or(0),
        at_peak_blocks: u64::try_from(reading.peak_blocks).unwrap_or(0),
        allocated_bytes: reading.allocated_bytes,
        allocations: reading.allocations,
        temporary: reading.temporary,
    }
}
