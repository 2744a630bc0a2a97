//! The embedded entry: an allocator that a Rust program sets as its own.
//!
//! ```
//! use memtop_probe::TracingAllocator;
//!
//! #[global_allocator]
//! static ALLOCATOR: TracingAllocator = TracingAllocator::system();
//!
//! memtop_probe::start();
//! let table = vec![0u64; 1000];
//! let memory = memtop_probe::traced_memory().expect("the allocator is installed");
//! assert_eq!(memory.current, 8000);
//! drop(table);
//! # let memory = memtop_probe::traced_memory().unwrap();
//! # assert_eq!((memory.current, memory.peak), (0, 8000));
//! ```
//!
//! **What it promises.** Every call goes to the inner allocator with the layout it came with,
//! and what that returns is passed on: no header, no other size, alignment or zeroing. Around
//! it nothing allocates, locks or panics. The *usable* bytes of a block are those of its
//! layout, since Rust tells them at every release; so requested and usable bytes are the same
//! here, and bytes freed of untracked blocks are exact.
//!
//! **What it costs.** A few nanoseconds an operation; while paused, less. The first allocation
//! of the program makes the session memory: a sparse `memfd` of which only touched pages take
//! memory (see [`tracer_memory`]). Its descriptor stays open, close on
//! exec, so that `memtop` can find it; a program that closes it loses only that.
//!
//! **What makes it step aside.** A preloaded probe in the same process, since nothing may
//! count twice; or a system that gives no session memory, which one line on stderr tells. It
//! then passes calls through, and the functions that report say `None`.
//!
//! **Where it belongs.** In a program, or a library that stays loaded. A library that sets it
//! and is then unloaded would leave its clean-up for ending threads behind, pointing nowhere.
//!
//! Start, stop and clear concern the program and its forked children together: they share the
//! control words. Each process has figures of its own.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::naked_asm,
    sync::atomic::{
        AtomicU32,
        Ordering::{AcqRel, Relaxed},
    },
};
use std::alloc::System;

use crate::{
    hook::{self, Allocation, Taken},
    process::Origin,
    stack::Caller,
};

mod figures;
mod measure;
mod origin;
mod snapshot;

pub use figures::{
    TracedMemory, UntrackedFrees, clear, is_tracing, reset_peak, start, statistics, stop,
    traced_memory, tracer_memory, untracked_frees,
};
pub use measure::{Measured, measure, measure_process};
pub use snapshot::{Frame, Site, Snapshot, Usage, snapshot};

/// Set once the hooks are not to be called; below it stands how many measurements run.
const ASIDE: u32 = 1 << 31;

/// Zero on the usual path. The one question that an operation asks beside those of the hook.
static SPECIAL: AtomicU32 = AtomicU32::new(0);

/// Counts what passes through it to the allocator `A`. See the [module](self).
///
/// One is enough for a program, as its `#[global_allocator]`. Several share one session.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingAllocator<A = System> {
    inner: A,
    from_start: bool,
    without_stacks: bool,
}

impl TracingAllocator<System> {
    /// Over the system's allocator, paused until [`start`].
    pub const fn system() -> Self {
        TracingAllocator::new(System)
    }
}

impl<A> TracingAllocator<A> {
    /// Over another allocator, paused until [`start`].
    ///
    /// A block is told from others by its address: an allocator that returns addresses which
    /// are not multiples of eight has those blocks counted as
    /// [`unattributed`](crate::session::reader::SessionReading::unattributed).
    pub const fn new(inner: A) -> Self {
        TracingAllocator { inner, from_start: false, without_stacks: false }
    }

    /// Traces from the program's very first allocation.
    ///
    /// ```
    /// use memtop_probe::TracingAllocator;
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: TracingAllocator = TracingAllocator::system().from_start();
    ///
    /// assert!(memtop_probe::is_tracing());
    /// ```
    pub const fn from_start(mut self) -> Self {
        self.from_start = true;
        self
    }

    /// Counts how much and in what sizes, but not where from: a fraction of the cost. What
    /// speaks of sites is then empty.
    ///
    /// ```
    /// use memtop_probe::TracingAllocator;
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: TracingAllocator = TracingAllocator::system().without_stacks();
    ///
    /// memtop_probe::start();
    /// let block = vec![0u8; 3000];
    /// assert!(memtop_probe::traced_memory().is_some_and(|memory| memory.current >= 3000));
    /// assert!(memtop_probe::snapshot().is_none());
    /// drop(block);
    /// ```
    pub const fn without_stacks(mut self) -> Self {
        self.without_stacks = true;
        self
    }

    #[inline(always)]
    fn origin(&self) -> &'static Origin {
        match (self.from_start, self.without_stacks) {
            (false, false) => &origin::PAUSED,
            (false, true) => &origin::PAUSED_WITHOUT_STACKS,
            (true, false) => &origin::TRACED,
            (true, true) => &origin::TRACED_WITHOUT_STACKS,
        }
    }
}

// SAFETY: every call goes to the inner allocator unchanged, and its answer is passed on; what
// is done besides neither unwinds nor touches the block.
unsafe impl<A: GlobalAlloc> GlobalAlloc for TracingAllocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout, as it came.
        let block = unsafe { self.inner.alloc(layout) };
        record(self.origin(), block, layout.size());
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout, as it came.
        let block = unsafe { self.inner.alloc_zeroed(layout) };
        record(self.origin(), block, layout.size());
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if SPECIAL.load(Relaxed) == 0 || measure::noted_release(layout.size()) {
            hook::released(self.origin(), block.addr(), layout.size() as u64);
        }
        // SAFETY: the caller's block and layout, as they came.
        unsafe { self.inner.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let aside = SPECIAL.load(Relaxed) & ASIDE != 0;
        let old = (!aside).then(|| hook::take(block.addr(), layout.size() as u64));
        // SAFETY: the caller's arguments, as they came.
        let new = unsafe { self.inner.realloc(block, layout, size) };
        match old {
            Some(old) if new.is_null() => hook::put_back(old),
            // SAFETY: only reads registers, and hands on what it is given.
            Some(old) => unsafe { moved_here(self.origin(), &old, new.addr(), size) },
            None => {}
        }
        if SPECIAL.load(Relaxed) != 0 && !new.is_null() {
            measure::note_move(layout.size(), size);
        }
        new
    }
}

#[inline(always)]
fn record(origin: &'static Origin, block: *mut u8, size: usize) {
    if !block.is_null() && (SPECIAL.load(Relaxed) == 0 || measure::noted_allocation(size)) {
        // SAFETY: only reads registers, and hands on what it is given.
        unsafe { allocated_here(origin, block.addr(), size) };
    }
}

/// Hands a new block to the hook, with the registers of here: the innermost frames of a stack
/// are then those of the allocator, and the caller's stand behind them.
#[unsafe(naked)]
unsafe extern "C" fn allocated_here(origin: &'static Origin, address: usize, size: usize) {
    naked_asm!("mov rcx, rsp", "mov r8, rbp", "jmp {}", sym allocated_by)
}

extern "C" fn allocated_by(
    origin: &'static Origin,
    address: usize,
    size: usize,
    sp: usize,
    bp: usize,
) {
    let size = size as u64;
    hook::allocated(origin, Allocation { address, size, usable: size }, Caller { sp, bp });
}

#[unsafe(naked)]
unsafe extern "C" fn moved_here(origin: &'static Origin, old: &Taken, address: usize, size: usize) {
    naked_asm!("mov r8, rsp", "mov r9, rbp", "jmp {}", sym moved_by)
}

extern "C" fn moved_by(
    origin: &'static Origin,
    old: &Taken,
    address: usize,
    size: usize,
    sp: usize,
    bp: usize,
) {
    let size = size as u64;
    hook::moved(origin, *old, Allocation { address, size, usable: size }, Caller { sp, bp });
}

/// From now on, in this process and its children, calls only pass through.
fn step_aside() {
    SPECIAL.fetch_or(ASIDE, AcqRel);
}

fn is_aside() -> bool {
    SPECIAL.load(Relaxed) & ASIDE != 0
}
