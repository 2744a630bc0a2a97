//! Giving back what ended processes had of the session memory.
//!
//! A build has thousands of processes and few at once. The keeper, which has read what they held
//! when they ended, gives their memory to those that come.

use std::{collections::HashSet, ops::Range};

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

use super::Reader;
use crate::session::layout::{GONE, PIECES, REGION};

impl Reader {
    /// Bytes of session memory that were handed out and not given back.
    pub fn shared_bytes(&self) -> u64 {
        self.memory.header().shared_bytes.load(Relaxed)
    }

    /// All that counts against the limit: those, and private tracer memory.
    pub fn used_bytes(&self) -> u64 {
        let private = self.memory.header().private_bytes.load(Relaxed);
        self.shared_bytes().saturating_add(private)
    }

    /// What part of the session memory belongs to some session, 0 to 1.
    pub fn filled(&self) -> f64 {
        let all = self.memory.regions();
        let owned = |region: &usize| {
            self.memory.owner(*region).is_some_and(|owner| owner.load(Relaxed) != 0)
        };
        (0..all).filter(owned).count() as f64 / all.max(1) as f64
    }

    /// Takes the private memory of a process that is gone off the account, once.
    pub fn settle_private(&self, index: usize) {
        if let Some(session) = self.session(index) {
            give(&self.memory.header().private_bytes, session.private_bytes.load(Relaxed));
        }
    }

    /// Gives back what sessions have whose processes are gone. They read as if they had never
    /// been, but for their process ids.
    pub fn give_back(&self, gone: &[usize]) {
        let mut bytes = 0_u64;
        for (index, session) in
            gone.iter().filter_map(|index| Some((*index, self.session(*index)?)))
        {
            bytes = bytes.saturating_add(session.shared_bytes.load(Relaxed));
            let pid = u64::from(session.pid.load(Relaxed));
            if let Some(entry) = self.memory.table_entry(index) {
                entry.store(pid << 32 | GONE, Relaxed);
            }
        }
        // Whoever reads what the memory holds from here on finds that it is gone.
        fence(Release);
        let marks: HashSet<u32> = gone.iter().map(|index| *index as u32 + 1).collect();
        self.free(&marks);
        give(&self.memory.header().shared_bytes, bytes);
    }

    /// Whether the session's memory was given back. If not, what was read of it before is true.
    pub fn is_gone(&self, index: usize) -> bool {
        fence(Acquire);
        self.gone_process(index).is_some()
    }

    /// Process id of a session whose memory was given back.
    pub(super) fn gone_process(&self, index: usize) -> Option<u32> {
        let entry = self.memory.table_entry(index)?.load(Relaxed);
        (entry & GONE != 0).then_some((entry >> 32) as u32)
    }

    /// Empties and frees all regions with these marks.
    fn free(&self, marks: &HashSet<u32>) {
        let is_theirs = |region: &usize| {
            let owner = self.memory.owner(*region);
            owner.is_some_and(|owner| marks.contains(&owner.load(Relaxed)))
        };
        let theirs: Vec<usize> = (0..self.memory.regions()).filter(is_theirs).collect();
        for run in theirs.chunk_by(|one, next| one + 1 == *next) {
            let regions = run[0]..run[0] + run.len();
            // What could not be emptied stays theirs.
            if self.empty(&regions) {
                self.memory.set_free(regions);
            }
        }
    }

    /// Takes the pages of regions out of the memory, for all who have it mapped.
    fn empty(&self, regions: &Range<usize>) -> bool {
        let start = self.memory.address_of(PIECES + regions.start as u64 * REGION);
        let length = regions.len() * REGION as usize;
        // SAFETY: whole pages of this shared mapping, which is made of atomics: they read as zero
        // from now on.
        unsafe {
            libc::madvise(core::ptr::with_exposed_provenance_mut(start), length, libc::MADV_REMOVE)
                == 0
        }
    }
}

/// Takes bytes off an account that a program may have written over.
fn give(account: &AtomicU64, bytes: u64) {
    let less = |held: u64| Some(held.saturating_sub(bytes));
    // It always succeeds.
    let _ = account.fetch_update(Relaxed, Relaxed, less);
}
