//! Which calls asked for a block: the complete stack, at every allocation, for a few
//! nanoseconds.
//!
//! **Memo with verification.** An unwinder is a function of three registers and of the words
//! of the stack that it reads. A stack that was walked once is kept together with those very
//! words (`memo`); the next time the same registers come along, the words are compared, and
//! if all are equal the walk would find the same frames. That is a proof and not a guess, it
//! patches no return address, and its loads do not wait for one another as a walk's do.
//!
//! ```text
//!  caller (sp, bp) ─▶ memo ──hit──▶ id, cell
//!                       │miss
//!                       ▼
//!                     walk ─ rules ─ tables (.eh_frame)     joins the stack before as soon as
//!                       │                                   a frame of it stands unchanged
//!                       ▼
//!                     intern ─▶ nodes in session memory ─▶ id, cell ─▶ memo
//! ```
//!
//! Always holds:
//! - nothing here allocates from the program's allocator, waits for a lock of the loader, or
//!   reads memory that was not found readable (`bounds`);
//! - the one lock guards the rules and the tree of calls; whoever finds it held for too long
//!   goes without a stack, so that a thread that died inside harms nobody;
//! - a stack that is deeper than the limit keeps its innermost frames, is marked as cut and is
//!   never remembered.
//!
//! For another architecture: [`Caller`], the rules in `tables` and the signal frame in
//! `walk`.

mod bounds;
pub mod cells;
mod followers;
mod intern;
mod lock;
mod memo;
mod modules;
mod rows;
mod rules;
mod tables;
mod thread;
mod walk;

use core::sync::atomic::Ordering::Relaxed;

pub use intern::{begin, reserve_window};
pub use memo::{Hit, Known};
pub use modules::{prepare, start_of, unloaded, verify};
pub use thread::{ThreadStacks, attach, refresh};

use crate::{
    session::layout::{Cell, Slot, capture},
    window,
};

/// The registers at the entry of an allocation function: the stack pointer leads to the
/// return address.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// `rsp` at the entry.
    pub sp: usize,
    /// `rbp` at the entry.
    pub bp: usize,
}

/// Where an operation of a thread counts, beside its size class.
#[derive(Clone, Copy)]
pub struct Site {
    /// Id of the stack, for the shadow word.
    pub id: u32,
    /// The cell; `None` while no stacks are captured.
    pub cell: Option<SiteCell>,
}

/// A stack's cell.
#[derive(Clone, Copy)]
pub struct SiteCell {
    /// The counters.
    pub cell: &'static Cell,
    /// Other threads count in it too.
    pub shared: bool,
}

/// The memo's answer for a caller, if it knows the stack. Only for a slot that captures into
/// cells of its own, from inside its thread's hook.
///
/// # Safety
/// `slot` is the calling thread's, with its gate closed, and its `stacks` are not 0; the
/// registers are those of the calling thread.
#[inline(always)]
pub unsafe fn recall(slot: &Slot, caller: Caller) -> Option<Hit> {
    // SAFETY: what a slot's `stacks` lead to is its owner's alone and is never unmapped.
    let stacks = unsafe { &*thread::of(slot) };
    // SAFETY: upheld by the caller.
    unsafe { stacks.recall(caller) }
}

/// The same, if it is the one expected, with what the memo has of it, which holds until the gate is
/// opened.
///
/// # Safety
/// As for [`recall`].
#[inline(always)]
pub unsafe fn recognise(slot: &Slot, caller: Caller) -> Option<&'static Known> {
    // SAFETY: as in `recall`.
    unsafe { (*thread::of(slot)).recognise(caller) }
}

/// The same, if it is known but not the one expected.
///
/// # Safety
/// As for [`recall`].
#[inline(always)]
pub unsafe fn search(slot: &Slot, caller: Caller) -> Option<&'static Known> {
    // SAFETY: as in `recall`.
    unsafe { (*thread::of(slot)).search(caller) }
}

/// The stack of a caller that the memo does not know, and its cell, for a slot as
/// [`recall`] wants it; of a stack that cannot be kept, what goes without.
#[cold]
#[inline(never)]
pub fn walk(slot: &'static Slot, caller: Caller) -> Hit {
    let window_id = window::window_id(slot);
    let site = site_of(slot, Some(caller), window_id);
    Hit { id: site.id, cell: site.cell.map_or(&slot.loose, |site| site.cell) }
}

/// The cell in which the release of a block counts, for a slot as [`recall`] wants it.
#[cold]
#[inline(never)]
pub fn own_cell_of_release(slot: &'static Slot, id: u32) -> &'static Cell {
    let site = cell_of_release(slot, id, window::window_id(slot));
    site.map_or(&slot.loose, |site| site.cell)
}

/// The site of an allocation, in any case there is.
#[inline(never)]
pub fn site_of(slot: &'static Slot, caller: Option<Caller>, window_id: u32) -> Site {
    let kind = capture_of(slot);
    let loose = Site { id: window_id, cell: Some(loose(slot)) };
    match (kind, caller) {
        (capture::OFF, _) => Site { id: window_id, cell: None },
        (_, None) => loose,
        (kind, Some(caller)) => thread::capture(slot, caller, kind).unwrap_or(loose),
    }
}

/// The cell in which the release of a block counts.
#[inline(never)]
pub fn cell_of_release(slot: &'static Slot, id: u32, window_id: u32) -> Option<SiteCell> {
    if capture_of(slot) == capture::OFF {
        return None;
    }
    if id == window_id {
        return Some(loose(slot));
    }
    cells::place(slot, id).or(Some(loose(slot)))
}

/// What a slot does about stacks, from its owner's first call on.
fn capture_of(slot: &'static Slot) -> u32 {
    match slot.capture.load(Relaxed) {
        capture::LATER => {
            thread::begin(slot);
            slot.capture.load(Relaxed)
        }
        kind => kind,
    }
}

fn loose(slot: &'static Slot) -> SiteCell {
    SiteCell { cell: &slot.loose, shared: slot.capture.load(Relaxed) == capture::SHARED }
}
