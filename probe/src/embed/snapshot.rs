//! Where the program's own memory comes from, at a moment: what `tracemalloc` calls a snapshot.
//!
//! Names are not here. A frame is a place in a module's file, as `memtop` writes it, and the
//! address in this process, for whatever looks names up: [`Snapshot::by`] sums by any key that
//! can be made of frames. To look names up in here would need a parser of debug information
//! inside every program that embeds the allocator; `memtop` does it outside.

use core::mem::ManuallyDrop;
use std::{collections::BTreeMap, string::String, sync::Arc, vec::Vec};

use super::figures::Books;
use crate::session::reader::{ModuleReading, Reader, SiteReading};

/// A call: where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// Path of the program or library; `None` for code of no file.
    pub module: Option<Arc<str>>,
    /// The address behind the call in the module's file; without a module, in memory.
    pub offset: u64,
    /// The same in this process. The call itself ends one byte before.
    pub address: u64,
}

impl core::fmt::Display for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.module {
            Some(module) => {
                let name = module.rsplit('/').next().unwrap_or(module);
                write!(f, "{name}+{:#x}", self.offset)
            }
            None => write!(f, "{:#x}", self.offset),
        }
    }
}

/// What was allocated under one stack, or how that changed. Requested bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Live bytes; in a difference, how they changed.
    pub bytes: i64,
    /// Live blocks.
    pub blocks: i64,
    /// Bytes of all allocations.
    pub allocated_bytes: u64,
    /// Allocations.
    pub allocations: u64,
}

impl Usage {
    fn of(site: &SiteReading) -> Self {
        Self {
            bytes: site.allocated_bytes.wrapping_sub(site.freed_bytes) as i64,
            blocks: site.allocations.wrapping_sub(site.frees) as i64,
            allocated_bytes: site.allocated_bytes,
            allocations: site.allocations,
        }
    }

    fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.blocks = self.blocks.wrapping_add(other.blocks);
        self.allocated_bytes = self.allocated_bytes.wrapping_add(other.allocated_bytes);
        self.allocations = self.allocations.wrapping_add(other.allocations);
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            bytes: self.bytes.wrapping_sub(earlier.bytes),
            blocks: self.blocks.wrapping_sub(earlier.blocks),
            allocated_bytes: self.allocated_bytes.wrapping_sub(earlier.allocated_bytes),
            allocations: self.allocations.wrapping_sub(earlier.allocations),
        }
    }
}

/// A stack and what was allocated under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its calls, innermost first; none where no stack was captured.
    pub frames: Arc<[Frame]>,
    /// Its figures.
    pub usage: Usage,
}

/// Every stack that asked for memory, at a moment, or between two moments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// By the order in which they were first seen.
    pub sites: Vec<Site>,
}

/// The stacks of now and their figures; `None` as for [`traced_memory`](super::traced_memory),
/// and where stacks are not captured.
///
/// What is returned is allocated, and so traced, like everything else: the figures are those
/// before.
///
/// ```
/// # #[global_allocator]
/// # static ALLOCATOR: memtop_probe::TracingAllocator = memtop_probe::TracingAllocator::system();
/// memtop_probe::start();
/// let before = memtop_probe::snapshot().expect("the allocator is installed");
/// let kept: Vec<_> = (0..10).map(|_| Box::new([0u8; 3000])).collect();
/// let after = memtop_probe::snapshot().expect("the allocator is installed");
/// let grown = after.since(&before);
/// let most = grown.sites.iter().max_by_key(|site| site.usage.bytes).expect("something grew");
/// assert!(most.usage.bytes >= 30_000, "{} at {}", most.usage.bytes, most.frames[0]);
/// # drop(kept);
/// ```
pub fn snapshot() -> Option<Snapshot> {
    let books = Books::open()?;
    // Dropping a reader unmaps; this mapping is the tracer's own.
    let reader = ManuallyDrop::new(Reader::over(books.memory()));
    let own = books.identity();
    let index = (0..reader.session_count()).find(|&index| reader.identity(index) == Some(own))?;
    if !reader.has_stacks(index) {
        return None;
    }
    let mut figures = Vec::new();
    reader.read_sites(index, &mut figures);
    Some(read(&reader, index, &figures))
}

fn read(reader: &Reader, index: usize, figures: &[SiteReading]) -> Snapshot {
    let stacks = reader.stacks(index, 0);
    // A node is there before its stack is, and a module before its nodes.
    let nodes = reader.nodes(index, 0);
    let modules = reader.modules(index, 0);
    let names: Vec<Arc<str>> =
        modules.iter().map(|module| String::from_utf8_lossy(&module.path).into()).collect();
    let frame = |at: u32| {
        let node = nodes.get(at as usize)?;
        let module = node.module.map(|module| module as usize);
        let bias =
            module.and_then(|at| modules.get(at)).map_or(0, |module: &ModuleReading| module.bias);
        let frame = Frame {
            module: module.and_then(|at| names.get(at)).cloned(),
            offset: node.address,
            address: node.address.wrapping_add(bias),
        };
        Some((frame, node.parent))
    };
    let site = |(stack, figures): (&crate::session::reader::StackReading, &SiteReading)| {
        let mut frames = Vec::new();
        let mut next = stack.node;
        while let Some((one, parent)) = next.and_then(frame) {
            frames.push(one);
            next = parent;
        }
        Site { frames: frames.into(), usage: Usage::of(figures) }
    };
    Snapshot { sites: stacks.iter().zip(figures).map(site).collect() }
}

impl Snapshot {
    /// Sums by whatever key can be made of a stack, its innermost call first.
    ///
    /// ```
    /// # let snapshot = memtop_probe::Snapshot::default();
    /// let by_module = snapshot.by(|frames| frames.first().and_then(|frame| frame.module.clone()));
    /// let by_line = snapshot.by(|frames| frames.first().map(ToString::to_string));
    /// # assert!(by_module.is_empty() && by_line.is_empty());
    /// ```
    pub fn by<K: Ord>(&self, key: impl Fn(&[Frame]) -> K) -> BTreeMap<K, Usage> {
        let mut sums = BTreeMap::<K, Usage>::new();
        for site in &self.sites {
            sums.entry(key(&site.frames)).or_default().add(&site.usage);
        }
        sums
    }

    /// How much more there is than in an `earlier` snapshot of this process; below zero where
    /// there is less. Stacks that did not change are left out.
    pub fn since(&self, earlier: &Self) -> Self {
        let before: BTreeMap<&[Frame], Usage> = earlier.by_frames();
        let now = self.by_frames();
        let gone = before.iter().filter(|(frames, _)| !now.contains_key(*frames));
        let gone = gone.map(|(frames, usage)| (*frames, Usage::default().since(usage)));
        let changed = now.iter().map(|(frames, usage)| {
            (*frames, usage.since(&before.get(frames).copied().unwrap_or_default()))
        });
        let sites = changed.chain(gone).filter(|(_, usage)| *usage != Usage::default());
        let site = |(frames, usage): (&[Frame], Usage)| Site { frames: frames.into(), usage };
        Self { sites: sites.map(site).collect() }
    }

    fn by_frames(&self) -> BTreeMap<&[Frame], Usage> {
        let mut sums = BTreeMap::<&[Frame], Usage>::new();
        for site in &self.sites {
            sums.entry(&*site.frames).or_default().add(&site.usage);
        }
        sums
    }

    /// All of it together.
    pub fn total(&self) -> Usage {
        let mut total = Usage::default();
        self.sites.iter().for_each(|site| total.add(&site.usage));
        total
    }
}
