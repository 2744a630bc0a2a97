//! What is said once: modules, stacks and names.

use std::{fmt::Write, sync::Arc};

use super::{
    column::{Column, bit, put_bits, put_column},
    schema::{Record, record},
    value::{Field, Value},
    wire::{Fields, Malformed},
};
use crate::model::{
    Function, Location, LocationId, Module, ModuleId, Node, NodeId, SitesUpdate, Stack,
};

/// Most locations, nodes, stacks or names of one frame; a hostile one says so much and no more.
pub(super) const MAX_ROWS: usize = 1 << 16;

/// The inside of a modules frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Modules {
    pub(super) modules: Vec<Module>,
    pub(super) restart: u64,
}

/// The inside of a symbols frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Symbols {
    pub(super) named: Vec<Named>,
}

/// A location and what it is called.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Named {
    pub(super) location: u32,
    pub(super) functions: Vec<Function>,
}

record!(Module { 1 path, 2 build_id });
record!(Modules { 1 modules, 2 restart });
record!(Function { 1 name, 2 file, 3 line });
record!(Named { 1 location, 2 functions });
record!(Symbols { 1 named });

/// Fields of a stacks frame, of what is in `update`.
pub(super) fn put_stacks(update: &SitesUpdate, out: &mut Vec<u8>) {
    let raised = |id: Option<u32>| id.map_or(0, |id| u64::from(id) + 1);
    let SitesUpdate { locations, nodes, stacks, .. } = update;
    let modules = locations.iter().map(|one| raised(one.module.map(|id| id.0)));
    put_column(1, modules, out);
    put_column(2, locations.iter().map(|one| one.address), out);
    put_column(3, nodes.iter().map(|one| raised(one.parent.map(|id| id.0))), out);
    put_column(4, nodes.iter().map(|one| u64::from(one.location.0)), out);
    put_column(5, stacks.iter().map(|one| raised(one.node.map(|id| id.0))), out);
    put_bits(6, stacks.iter().map(|one| one.cut), out);
}

/// What a stacks frame adds.
pub(super) fn read_stacks(fields: &[u8]) -> Result<SitesUpdate, Malformed> {
    let mut columns = [Column::default(); 5];
    let mut cut: &[u8] = &[];
    for field in Fields(fields) {
        match field? {
            (tag @ 1..=5, value) => columns[tag as usize - 1] = Column::new(value),
            (6, value) => cut = value,
            _ => {}
        }
    }
    let [mut module, mut address, mut parent, mut location, mut node] = columns;
    let mut update = SitesUpdate::default();
    while !address.is_done() {
        let module = module.next_id()?.map(ModuleId);
        push(&mut update.locations, Location { module, address: address.next()? })?;
    }
    while !location.is_done() {
        let at = u32::try_from(location.next()?).map_err(|_| Malformed)?;
        let parent = parent.next_id()?.map(NodeId);
        push(&mut update.nodes, Node { parent, location: LocationId(at) })?;
    }
    while !node.is_done() {
        let cut = bit(cut, update.stacks.len());
        push(&mut update.stacks, Stack { node: node.next_id()?.map(NodeId), cut })?;
    }
    Ok(update)
}

fn push<T>(list: &mut Vec<T>, one: T) -> Result<(), Malformed> {
    if list.len() == MAX_ROWS {
        return Err(Malformed);
    }
    list.push(one);
    Ok(())
}

/// Splits the dictionary part of `update` into pieces that fit a frame each.
pub(super) fn pieces(update: &SitesUpdate) -> Vec<SitesUpdate> {
    let pieces = |length: usize| length.div_ceil(MAX_ROWS);
    let SitesUpdate { locations, nodes, stacks, .. } = update;
    let count = [locations.len(), nodes.len(), stacks.len()].map(pieces).into_iter().max();
    let piece = |number: usize| SitesUpdate {
        locations: nth(locations, number),
        nodes: nth(nodes, number),
        stacks: nth(stacks, number),
        ..SitesUpdate::default()
    };
    (0..count.unwrap_or(0)).map(piece).collect()
}

fn nth<T: Clone>(list: &[T], number: usize) -> Vec<T> {
    list.chunks(MAX_ROWS).nth(number).map(<[T]>::to_vec).unwrap_or_default()
}

impl Value for Arc<str> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(String::from_utf8_lossy(bytes).into())
    }

    fn show(&self, name: &str, out: &mut String) {
        Value::show(&self.to_string(), name, out);
    }
}
