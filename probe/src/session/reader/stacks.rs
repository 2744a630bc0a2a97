//! Reading stacks: what is new of the tree of calls, and what was allocated under each stack.
//!
//! All of it may be hostile: chunks, parents and module numbers are checked by who uses them,
//! and every loop here ends.

use core::sync::atomic::{
    AtomicU8, AtomicU64,
    Ordering::{Acquire, Relaxed},
};
use std::{ops::Range, vec::Vec};

use super::{Reader, sums::has_former};
use crate::{
    at_peak,
    session::{
        layout::{CELL_TABLE, CELLS, Cell, Session, Slot, flag},
        stacks::{
            ADDRESS_BITS, BUILD_ID, CUT, FIRST_NODES, FIRST_STACKS, MODULE_PATH, MODULES,
            ModuleRecord, Node, StackTable, WRITTEN, chunk_length, chunk_of,
        },
    },
    shadow::MAX_ID,
};

type Table = [AtomicU64; CELL_TABLE];
/// Cells that one table leads to.
const TABLE_CELLS: u32 = (CELL_TABLE * CELLS) as u32;
/// Words of a leaf.
const LEAF_WORDS: u64 = (CELLS * size_of::<Cell>() / 8) as u64;

/// The program or a library, as a process had it loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModuleReading {
    /// Its path.
    pub path: Vec<u8>,
    /// Its build id; empty when it has none.
    pub build_id: Vec<u8>,
    /// What was first added to the file's addresses.
    pub bias: u64,
}

/// A call, reached by one chain of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeReading {
    /// Position of the module, if the code belongs to one.
    pub module: Option<u32>,
    /// The address behind the call: a virtual address of the module's file, or, without a
    /// module, the address itself.
    pub address: u64,
    /// Position of the caller's node; always lower than the own one.
    pub parent: Option<u32>,
}

/// A stack that asked for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackReading {
    /// Position of its innermost frame's node; `None` for blocks without a known stack.
    pub node: Option<u32>,
    /// Frames are missing at the outer end.
    pub cut: bool,
}

/// What was allocated under one stack, all threads together. Requested bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SiteReading {
    /// Blocks allocated.
    pub allocations: u64,
    /// Their bytes.
    pub allocated_bytes: u64,
    /// Blocks freed.
    pub frees: u64,
    /// Their bytes.
    pub freed_bytes: u64,
    /// Live blocks at the byte peak.
    pub peak_blocks: i64,
    /// Live bytes then.
    pub peak_bytes: i64,
    /// Temporary blocks.
    pub temporary: u64,
}

impl SiteReading {
    /// Whether nothing was ever counted.
    pub fn is_empty(&self) -> bool {
        *self == SiteReading::default()
    }
}

/// How stack capture fares in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaptureReading {
    /// Captures that could not be kept, for want of memory or of ids.
    pub unkept: u64,
    /// Stacks that were cut at the limit.
    pub cut: u64,
    /// Captures that were compared with a full walk.
    pub checked: u64,
    /// Those that differed.
    pub differing: u64,
}

/// What one thread did under a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteThreadReading {
    /// Kernel thread id; 0 for ended threads, and those that share their cells with them.
    pub tid: u32,
    /// What it did.
    pub figures: SiteReading,
}

impl Reader {
    /// Whether session `index` captures stacks.
    pub fn has_stacks(&self, index: usize) -> bool {
        self.stack_table(index).is_some()
    }

    /// Modules of session `index` from position `from` on.
    pub fn modules(&self, index: usize, from: usize) -> Vec<ModuleReading> {
        let Some((_, table)) = self.stack_table(index) else { return Vec::new() };
        let count = (table.modules.load(Acquire) as usize).min(MODULES);
        let read = |at: usize| self.module(table, at).unwrap_or_default();
        (from..count).map(read).collect()
    }

    /// Nodes of session `index` from position `from` on.
    pub fn nodes(&self, index: usize, from: u32) -> Vec<NodeReading> {
        let Some((_, table)) = self.stack_table(index) else { return Vec::new() };
        // Pairs with the Release of the count: what lies below it is written.
        let count = table.nodes.load(Acquire).min(MAX_ID);
        (from..count).map_while(|at| self.node(table, at)).collect()
    }

    /// Stacks of session `index` from position `from` on. A session's figures by stack stand at
    /// the same positions.
    pub fn stacks(&self, index: usize, from: u32) -> Vec<StackReading> {
        let Some((session, table)) = self.stack_table(index) else { return Vec::new() };
        let count = self.stack_count(session, table);
        (from..count).map_while(|at| self.stack(table, at)).collect()
    }

    /// Positions of the stacks of the present window.
    pub fn stacks_of_window(&self, index: usize) -> Range<u32> {
        let Some((session, table)) = self.stack_table(index) else { return 0..0 };
        let base = session.id_base.load(Acquire) as u32;
        let count = self.stack_count(session, table);
        base.saturating_sub(session.first_id.load(Relaxed)).min(count)..count
    }

    /// How stack capture fares in session `index`; `None` without it.
    pub fn capture(&self, index: usize) -> Option<CaptureReading> {
        let (_, table) = self.stack_table(index)?;
        Some(CaptureReading {
            unkept: table.unkept.load(Relaxed),
            cut: table.cut.load(Relaxed),
            checked: table.checked.load(Relaxed),
            differing: table.differing.load(Relaxed),
        })
    }

    /// The figures of all stacks of session `index`, by position, into `sites`: one pass over
    /// the cells of all slots for frees and one for allocations, in that order, so that no free
    /// is seen without its allocation. Costs what the session has, not what has changed.
    pub fn read_sites(&self, index: usize, sites: &mut Vec<SiteReading>) {
        sites.clear();
        let Some((session, table)) = self.stack_table(index) else { return };
        sites.resize(self.stack_count(session, table) as usize, SiteReading::default());
        let clears = self.clears();
        let fresh = |slot: &&Slot| slot.pulse.load(Relaxed) & flag::CLEARS == clears;
        let slots: Vec<&Slot> = self.slots(session).filter(fresh).collect();
        let window = self.stacks_of_window(index);
        let peak = session.live.mark();
        let mut left = self.words();
        for slot in &slots {
            self.each_cell(slot, window.clone(), &mut left, |at, cell| {
                if let Some(site) = sites.get_mut(at) {
                    add_frees(site, cell);
                }
            });
        }
        core::sync::atomic::fence(Acquire);
        let mut left = self.words();
        for slot in &slots {
            self.each_cell(slot, window.clone(), &mut left, |at, cell| {
                if let Some(site) = sites.get_mut(at) {
                    add_allocations(site, cell, peak);
                }
            });
        }
    }

    /// What each thread did under the stack at position `stack` of session `index`.
    pub fn site_threads(&self, index: usize, stack: u32) -> Vec<SiteThreadReading> {
        let Some((session, _)) = self.stack_table(index) else { return Vec::new() };
        let (mut threads, mut left) = (Vec::new(), self.words());
        for slot in self.slots(session) {
            let mut figures = SiteReading::default();
            self.each_cell(slot, stack..stack.saturating_add(1), &mut left, |_, cell| {
                add_frees(&mut figures, cell);
                add_allocations(&mut figures, cell, (0, true));
            });
            if !figures.is_empty() {
                // Who took over from an ended thread counts on in its cells.
                let is_mixed = has_former(slot, self.clears() != 0);
                let tid = if is_mixed { 0 } else { slot.owner.load(Relaxed) };
                threads.push(SiteThreadReading { tid, figures });
            }
        }
        threads
    }

    /// Positions of the stacks under which each thread of session `index` allocated, with its id:
    /// 0 for ended threads. Who took over from one shares its cells: these stand under both.
    /// Costs what the session has.
    pub fn stacks_by_thread(&self, index: usize) -> Vec<(u32, Vec<u32>)> {
        let Some((session, table)) = self.stack_table(index) else { return Vec::new() };
        let all = 0..self.stack_count(session, table);
        let (mut threads, mut left) = (Vec::new(), self.words());
        for slot in self.slots(session) {
            let mut stacks = Vec::new();
            self.each_cell(slot, all.clone(), &mut left, |at, cell| {
                if cell.allocations.load(Relaxed) != 0 {
                    stacks.push(at as u32);
                }
            });
            if has_former(slot, self.clears() != 0) {
                threads.push((0, stacks.clone()));
            }
            threads.push((slot.owner.load(Relaxed), stacks));
        }
        threads.retain(|(_, stacks)| !stacks.is_empty());
        threads
    }

    fn stack_table(&self, index: usize) -> Option<(&'static Session, &'static StackTable)> {
        let session = self.session(index)?;
        let offset = session.stack_table.load(Acquire);
        // SAFETY: a stack table is made of atomics alone.
        (offset != 0).then(|| unsafe { self.memory.get(offset) })?.map(|table| (session, table))
    }

    fn module(&self, table: &StackTable, at: usize) -> Option<ModuleReading> {
        let offset = table.module_records.get(at)?.load(Acquire);
        // SAFETY: a record is made of atomics alone.
        let record =
            (offset != 0).then(|| unsafe { self.memory.get::<ModuleRecord>(offset) })??;
        let length = (record.path_length.load(Relaxed) as usize).min(MODULE_PATH);
        let text = offset + size_of::<ModuleRecord>() as u64;
        let byte = |at: usize| {
            // SAFETY: a byte has no invalid values.
            unsafe { self.memory.get::<AtomicU8>(text + at as u64) }.map(|byte| byte.load(Relaxed))
        };
        let id_length = (record.build_id_length.load(Relaxed) as usize).min(BUILD_ID);
        Some(ModuleReading {
            path: (0..length).map_while(byte).collect(),
            build_id: record.build_id[..id_length].iter().map(|byte| byte.load(Relaxed)).collect(),
            bias: record.bias.load(Relaxed),
        })
    }

    fn node(&self, table: &StackTable, at: u32) -> Option<NodeReading> {
        let (chunk, within) = chunk_of(at, FIRST_NODES);
        let offset = table.node_chunks.get(chunk)?.load(Acquire);
        let place = offset.checked_add(u64::from(within) * size_of::<Node>() as u64)?;
        // SAFETY: a node is made of atomics alone.
        let node = (offset != 0).then(|| unsafe { self.memory.get::<Node>(place) })??;
        let place = node.place.load(Relaxed);
        let module = (place >> ADDRESS_BITS) as u32;
        Some(NodeReading {
            module: module.checked_sub(1),
            address: place & ((1 << ADDRESS_BITS) - 1),
            parent: node.parent.load(Relaxed).checked_sub(1).filter(|parent| *parent < at),
        })
    }

    fn stack(&self, table: &StackTable, at: u32) -> Option<StackReading> {
        let (chunk, within) = chunk_of(at, FIRST_STACKS);
        let offset = table.stack_chunks.get(chunk)?.load(Acquire);
        let place = offset.checked_add(u64::from(within) * 8)?;
        // SAFETY: an atomic has no invalid values.
        let record = (offset != 0).then(|| unsafe { self.memory.get::<AtomicU64>(place) })??;
        let record = record.load(Acquire);
        (record & WRITTEN != 0).then_some(StackReading {
            node: (record as u32).checked_sub(1),
            cut: record & CUT != 0,
        })
    }

    /// No more than there is room for records: a number alone, which may be anything, must not make
    /// a reader take memory for so many.
    fn stack_count(&self, session: &Session, table: &StackTable) -> u32 {
        let (next, first) = (session.next_id.load(Acquire), session.first_id.load(Relaxed));
        let fits = |(number, chunk): &(usize, &AtomicU64)| {
            let bytes = u64::from(chunk_length(*number, FIRST_STACKS)) * 8;
            let offset = chunk.load(Acquire);
            offset != 0 && offset.checked_add(bytes).is_some_and(|end| end <= self.memory.length())
        };
        let chunks = table.stack_chunks.iter().enumerate().take_while(fits).count();
        let room = FIRST_STACKS * ((1 << chunks) - 1);
        next.min(MAX_ID).saturating_sub(first).min(room)
    }

    fn words(&self) -> u64 {
        self.memory.length() / 8
    }

    /// Calls `each` with the position and the cell of every stack in `range` that `slot` has
    /// counted for. All slots together look at no more words than are `left`: there are no more,
    /// but in tables that lead to the same leaves a thousand times.
    fn each_cell(
        &self,
        slot: &Slot,
        range: Range<u32>,
        left: &mut u64,
        mut each: impl FnMut(usize, &Cell),
    ) {
        let range = range.start..range.end.min(MAX_ID);
        if range.is_empty() {
            return;
        }
        if let Some(loose) = self.loose_position(slot, &range) {
            each(loose, &slot.loose);
        }
        let leaf = CELLS as u32;
        let mut first = range.start / leaf * leaf;
        while first < range.end && *left > 0 {
            *left -= 1;
            let Some(table) = self.table(slot, first) else {
                first = (first / TABLE_CELLS + 1) * TABLE_CELLS;
                continue;
            };
            if let Some(cells) = self.leaf(slot, table, first) {
                *left = left.saturating_sub(LEAF_WORDS);
                let positions = first.max(range.start)..(first + leaf).min(range.end);
                for at in positions {
                    each(at as usize, &cells[(at - first) as usize]);
                }
            }
            first += leaf;
        }
    }

    /// The loose cell stands for the first position of the window.
    fn loose_position(&self, slot: &Slot, range: &Range<u32>) -> Option<usize> {
        let floor = crate::shadow::id_in(slot.floor.load(Relaxed));
        let at = floor.checked_sub(slot.first_id.load(Relaxed))?;
        range.contains(&at).then_some(at as usize)
    }

    fn table(&self, slot: &Slot, first: u32) -> Option<&'static Table> {
        let entry = slot.cells.get((first / TABLE_CELLS) as usize)?.load(Acquire);
        // SAFETY: a table is made of atomics alone.
        unsafe { self.beside(slot, entry) }
    }

    fn leaf(&self, slot: &Slot, table: &Table, first: u32) -> Option<&'static [Cell; CELLS]> {
        let entry = table[first as usize / CELLS % CELL_TABLE].load(Acquire);
        // SAFETY: cells are made of atomics alone.
        unsafe { self.beside(slot, entry) }
    }

    /// # Safety
    /// `T` is made of atomics alone.
    unsafe fn beside<T>(&self, slot: &Slot, distance: u64) -> Option<&'static T> {
        let base = core::ptr::from_ref(self.header()).addr();
        let offset = (core::ptr::from_ref(slot).addr() - base) as u64;
        // SAFETY: upheld by the caller.
        (distance != 0).then(|| unsafe { self.memory.get(offset.wrapping_add(distance)) })?
    }
}

fn add(sum: &mut u64, counter: &AtomicU64) {
    *sum = sum.wrapping_add(counter.load(Relaxed));
}

fn add_frees(site: &mut SiteReading, cell: &Cell) {
    add(&mut site.temporary, &cell.temporary);
    add(&mut site.frees, &cell.frees);
    add(&mut site.freed_bytes, &cell.freed_bytes);
}

fn add_allocations(site: &mut SiteReading, cell: &Cell, peak: (u64, bool)) {
    add(&mut site.allocations, &cell.allocations);
    add(&mut site.allocated_bytes, &cell.allocated_bytes);
    let (blocks, bytes) = at_peak::of(cell, peak);
    site.peak_blocks = site.peak_blocks.wrapping_add(blocks);
    site.peak_bytes = site.peak_bytes.wrapping_add(bytes);
}
