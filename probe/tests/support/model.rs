//! The naive model of one process: a map from slots to blocks.
//!
//! It holds the counting rules in their plainest form. A realloc of a traced block is one
//! free, one allocation and one reallocation; the peak never holds both sides of it. After a
//! stop the blocks that are traced stay so; a clear makes all of them untracked.

use std::collections::HashMap;

use memtop_probe::session::{reader::SessionReading, size_class};

use super::{Totals, at_peak};

/// A live block.
#[derive(Debug, Clone, Copy)]
struct Block {
    size: u64,
    usable: u64,
    /// Window in which it was recorded; `None` for one that was not.
    window: Option<u32>,
    /// Thread that allocated it, and the number of that allocation among the thread's.
    birth: (u32, u64),
}

/// What all figures should be.
#[derive(Debug, Default)]
pub struct Model {
    blocks: HashMap<u64, Block>,
    pub tracing: bool,
    window: u32,
    classes: HashMap<usize, Totals>,
    live: (u64, u64),
    peak: (u64, u64),
    /// Live blocks of 0 bytes, now and at the peak.
    empty: (u64, u64),
    max_blocks: u64,
    usable: (u64, u64),
    reallocations: u64,
    temporary: u64,
    untracked: (u64, u64),
    /// Allocations recorded of each thread.
    counts: HashMap<u32, u64>,
    clears: u32,
}

impl Model {
    pub fn allocate(&mut self, thread: u32, at: u64, size: u64, usable: u64) {
        self.put(thread, at, size, usable, self.tracing);
    }

    fn put(&mut self, thread: u32, at: u64, size: u64, usable: u64, recorded: bool) {
        let mut block = Block { size, usable, window: None, birth: (thread, 0) };
        if recorded {
            let count = self.counts.entry(thread).or_default();
            *count += 1;
            block.birth.1 = *count;
            block.window = Some(self.window);
            let totals = &mut self.classes.entry(size_class::of(size)).or_default();
            totals.allocations += 1;
            totals.allocated_bytes += size;
            self.usable.0 += usable;
            self.live = (self.live.0 + 1, self.live.1 + size);
            self.empty.0 += u64::from(size == 0);
            self.max_blocks = self.max_blocks.max(self.live.0);
            if self.live.1 > self.peak.1 {
                self.peak = self.live;
                self.empty.1 = self.empty.0;
            }
        }
        assert!(self.blocks.insert(at, block).is_none(), "the model's slot is empty");
    }

    /// True when the block was traced.
    pub fn release(&mut self, thread: u32, at: u64) -> bool {
        let Some(block) = self.blocks.remove(&at) else { return false };
        if block.window != Some(self.window) {
            if self.tracing {
                self.untracked = (self.untracked.0 + 1, self.untracked.1 + block.usable);
            }
            return false;
        }
        let totals = &mut self.classes.entry(size_class::of(block.size)).or_default();
        totals.frees += 1;
        totals.freed_bytes += block.size;
        self.usable.1 += block.usable;
        self.live = (self.live.0 - 1, self.live.1 - block.size);
        self.empty.0 -= u64::from(block.size == 0);
        let last = (thread, self.counts.get(&thread).copied().unwrap_or(0));
        self.temporary += u64::from(block.birth == last);
        true
    }

    /// A realloc of a block that succeeded.
    pub fn resize(&mut self, thread: u32, at: u64, size: u64, usable: u64) {
        let traced = self.release(thread, at);
        self.reallocations += u64::from(traced || self.tracing);
        self.put(thread, at, size, usable, traced || self.tracing);
    }

    pub fn clear(&mut self) {
        *self = Model {
            blocks: std::mem::take(&mut self.blocks),
            counts: std::mem::take(&mut self.counts),
            tracing: self.tracing,
            window: self.window + 1,
            clears: self.clears + 1,
            ..Model::default()
        };
    }

    pub fn reset_peak(&mut self) {
        self.peak = self.live;
        self.empty.1 = self.empty.0;
        self.max_blocks = self.live.0;
    }

    pub fn slots(&self) -> Vec<u64> {
        self.blocks.keys().copied().collect()
    }

    pub fn holds(&self, at: u64) -> bool {
        self.blocks.contains_key(&at)
    }

    pub fn size(&self, at: u64) -> Option<u64> {
        self.blocks.get(&at).map(|block| block.size)
    }

    /// A block of 0 bytes does not make a new peak, so those that come while live is at its
    /// highest may or may not belong to it.
    fn check_classes_at_peak(&self, seen: &SessionReading) {
        let (blocks, bytes) = at_peak(seen);
        let blocks = blocks - seen.classes[0].peak_blocks;
        let expected = ((self.peak.0 - self.empty.1) as i64, self.peak.1 as i64);
        assert_eq!((blocks, bytes), expected, "classes at peak");
    }

    /// Compares every figure. `alone`: the process has had but one thread, and the peak is
    /// exact; else it is right to the bound that the reading tells.
    pub fn check(&self, seen: &SessionReading, alone: bool) {
        for (class, reading) in seen.classes.iter().enumerate() {
            let expected = self.classes.get(&class).copied().unwrap_or_default();
            let counted = Totals {
                allocations: reading.allocations,
                frees: reading.frees,
                allocated_bytes: reading.allocated_bytes,
                freed_bytes: reading.freed_bytes,
            };
            assert_eq!(counted, expected, "size class {class}");
        }
        assert_eq!((seen.usable_allocated, seen.usable_freed), self.usable, "usable bytes");
        assert_eq!(seen.reallocations, self.reallocations, "reallocations");
        assert_eq!(seen.temporary, self.temporary, "temporary blocks");
        assert_eq!((seen.untracked_frees, seen.untracked_bytes), self.untracked, "untracked");
        assert_eq!((seen.lost_records, seen.unattributed), (0, 0), "losses");
        if alone {
            assert_eq!((seen.peak_blocks, seen.peak_bytes), self.peak, "peak");
            self.check_classes_at_peak(seen);
            assert_eq!(seen.max_blocks, self.max_blocks, "most blocks");
            assert_eq!(seen.peak_error_bytes, 0);
        } else {
            let off = seen.peak_bytes.abs_diff(self.peak.1);
            assert!(
                off <= seen.peak_error_bytes,
                "peak {} ± {} instead of {}",
                seen.peak_bytes,
                seen.peak_error_bytes,
                self.peak.1
            );
        }
    }
}
