//! What stood at the last clear, from which a window counts.

use core::sync::atomic::AtomicU64;

/// Counters of a slot at the last clear, field for field those of [`Slot`](super::Slot).
#[repr(C, align(64))]
pub struct Cleared {
    /// Usable bytes allocated.
    pub usable_allocated: AtomicU64,
    /// Usable bytes of traced blocks freed.
    pub usable_freed: AtomicU64,
    /// Reallocs.
    pub reallocations: AtomicU64,
    /// Temporary blocks.
    pub temporary: AtomicU64,
    /// Untracked frees.
    pub untracked_frees: AtomicU64,
    /// Their usable bytes.
    pub untracked_bytes: AtomicU64,
    _spare: [u64; 2],
}

/// What was allocated and could not be noted, so that its free looks untracked: it is counted
/// here, and in nothing that is live.
#[repr(C, align(64))]
pub struct Unattributed {
    /// Blocks.
    pub blocks: AtomicU64,
    /// Their requested bytes.
    pub bytes: AtomicU64,
    /// Their usable bytes.
    pub usable: AtomicU64,
    /// What the three stood at when the current window began.
    pub cleared: [AtomicU64; 3],
}

/// A cell at the last clear.
#[repr(C)]
pub struct ClearedCell {
    /// Blocks allocated.
    pub allocations: AtomicU64,
    /// Their bytes.
    pub allocated_bytes: AtomicU64,
    /// Blocks freed.
    pub frees: AtomicU64,
    /// Their bytes.
    pub freed_bytes: AtomicU64,
}
