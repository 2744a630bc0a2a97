//! What a thread knows of stacks, in private memory of its process.

use core::{
    ptr::with_exposed_provenance_mut,
    sync::atomic::Ordering::{Acquire, Relaxed},
};

use super::{
    Caller, Site, SiteCell,
    bounds::Bounds,
    cells, intern,
    memo::{ARENA, Hit, Known, Memo},
    modules,
    walk::{Frames, Walked},
};
use crate::{
    process::{self, Charge},
    session::layout::{MAX_FRAMES, OWN_CELLS, Slot, capture, flag},
    shadow::Account,
    sys, window,
};

/// Callers whose nodes are looked up without the lock.
const CHILDREN: usize = 512;
/// What a thread touches at once, and the step in which more is charged.
const CHARGE: usize = 32 * 1024;

/// A node that was found for its caller and place.
#[derive(Clone, Copy)]
#[repr(C)]
struct Child {
    place: u64,
    parent: u32,
    node: u32,
}

/// All that a thread knows. Zero-filled memory knows nothing.
#[repr(C)]
pub struct ThreadStacks {
    bounds: Bounds,
    generation: u32,
    limit: u32,
    charged: usize,
    memo: Memo,
    children: [Child; CHILDREN],
    frames: Frames,
}

/// What a slot's `stacks` lead to; null = nothing.
#[inline(always)]
pub fn of(slot: &Slot) -> *mut ThreadStacks {
    with_exposed_provenance_mut(slot.stacks.load(Relaxed) as usize)
}

/// Says what a slot that has a new owner does about stacks. `index` is its position among the
/// slots of its process. Many threads, and many processes, never allocate: what they would
/// need `begin` gives them, at their first call.
pub fn attach(slot: &Slot, index: usize) {
    let (Some(memory), session) = (process::memory(), process::session()) else { return };
    if memory.header().frames.load(Relaxed) == 0 || session.stack_table.load(Acquire) == 0 {
        return slot.capture.store(capture::OFF, Relaxed);
    }
    slot.first_id.store(session.first_id.load(Relaxed), Relaxed);
    if index < OWN_CELLS {
        return slot.capture.store(capture::LATER, Relaxed);
    }
    make(slot, ARENA / 8);
    slot.capture.store(capture::SHARED, Relaxed);
}

/// Gives a slot of [`capture::LATER`] what it needs to capture stacks. For the owner, inside
/// its hook.
#[cold]
pub fn begin(slot: &Slot) {
    let _errno = sys::KeepErrno::new();
    make(slot, ARENA);
    let own = slot.stacks.load(Relaxed) != 0;
    slot.capture.store(if own { capture::OWN } else { capture::SHARED }, Relaxed);
}

/// The memory in which a thread knows of stacks, with room for so many words of the memo.
fn make(slot: &Slot, room: usize) {
    let Some(memory) = process::memory() else { return };
    if slot.stacks.load(Relaxed) == 0 && Charge.charge(CHARGE as u64) {
        let made = sys::map_private(size_of::<ThreadStacks>());
        slot.stacks.store(made.map_or(0, |at| at.expose_provenance()) as u64, Relaxed);
    }
    // SAFETY: the slot's memory, which its new owner alone uses; zero bytes are valid.
    if let Some(stacks) = unsafe { of(slot).as_mut() } {
        stacks.limit = memory.header().frames.load(Relaxed).min(MAX_FRAMES);
        stacks.charged = stacks.charged.max(CHARGE);
        // The stack of the owner before is not there any more.
        stacks.bounds = Bounds::default();
        stacks.frames.forget();
        stacks.memo.forget();
        stacks.memo.limit(room);
    }
}

/// Forgets what is no longer true. For the owner, inside its hook; `cleared` after a clear.
pub fn refresh(slot: &Slot, cleared: bool) {
    // SAFETY: as in `attach`.
    let Some(stacks) = (unsafe { of(slot).as_mut() }) else { return };
    let generation = modules::generation();
    if stacks.generation != generation {
        stacks.frames.forget();
    }
    if cleared || stacks.generation != generation {
        stacks.memo.forget();
    }
    stacks.generation = generation;
}

/// The site of an allocation of the calling thread.
pub fn capture(slot: &'static Slot, caller: Caller, kind: u32) -> Option<Site> {
    // SAFETY: as in `attach`.
    let stacks = unsafe { of(slot).as_mut()? };
    let site = |hit: Hit| Site {
        id: hit.id,
        cell: Some(SiteCell { cell: hit.cell, shared: kind == capture::SHARED }),
    };
    // SAFETY: the registers of the calling thread.
    let known = unsafe { stacks.recall(caller) };
    let found = known.or_else(|| stacks.walk(slot, caller));
    if process::pulse() & flag::CHECK != 0 {
        stacks.check(caller, found);
    }
    found.map(site)
}

impl ThreadStacks {
    /// The memo's answer for a caller.
    ///
    /// # Safety
    /// The registers are those of the calling thread.
    #[inline(always)]
    pub unsafe fn recall(&self, caller: Caller) -> Option<Hit> {
        // SAFETY: the current bounds were found readable; the rest is upheld by the caller.
        unsafe { self.memo.find(caller, &self.bounds.current) }.map(Known::hit)
    }

    /// The same, if it is what the memo expects.
    ///
    /// # Safety
    /// As for [`recall`](Self::recall).
    #[inline(always)]
    pub unsafe fn recognise(&self, caller: Caller) -> Option<&Known> {
        // SAFETY: as in `recall`.
        unsafe { self.memo.find_expected(caller, &self.bounds.current) }
    }

    /// The same, if it is not.
    ///
    /// # Safety
    /// As for [`recall`](Self::recall).
    #[inline(always)]
    pub unsafe fn search(&self, caller: Caller) -> Option<&Known> {
        // SAFETY: as in `recall`.
        unsafe { self.memo.search(caller, &self.bounds.current) }
    }

    #[inline(never)]
    fn walk(&mut self, slot: &'static Slot, caller: Caller) -> Option<Hit> {
        let limit = self.limit as usize;
        self.bounds.enter(caller.sp);
        let walked = self.frames.walk(caller, &mut self.bounds, limit, false);
        let children = &mut self.children;
        let node = self.frames.name(&walked, limit, |parent, place| child(children, parent, place));
        self.frames.keep_or_forget(&walked, node.is_some());
        let id = node.and_then(|node| intern::stack_of(node, walked.cut));
        let Some(id) = id else {
            intern::count_unkept();
            return None;
        };
        // Others have begun a window of which this thread has not heard, and the stack has its id
        // from them: the block is of the window before.
        if window::is_of_later(process::session(), slot, id) {
            return None;
        }
        let hit = Hit { id, cell: cells::place(slot, id)?.cell };
        if !walked.cut && !walked.crossed {
            self.remember(caller, hit);
        }
        Some(hit)
    }

    /// Keeps the last walk, which is whole among the kept frames, in the memo.
    fn remember(&mut self, caller: Caller, hit: Hit) {
        let whole = self.frames.whole();
        let uses_base = self.frames.uses_base(&whole);
        let (frames, bounds) = (&self.frames, &self.bounds.current);
        self.memo.keep(caller, bounds, hit, uses_base, |each| frames.words(&whole, each));
        let used = self.memo.used();
        if used > self.charged {
            match Charge.charge(CHARGE as u64) {
                true => self.charged += CHARGE,
                // From here on it makes do with the room it has.
                false => self.memo.stay_within(self.charged),
            }
        }
    }

    /// Compares with a walk that knows nothing of earlier ones.
    #[cold]
    fn check(&mut self, caller: Caller, found: Option<Hit>) {
        let limit = self.limit as usize;
        self.bounds.enter(caller.sp);
        let walked: Walked = self.frames.walk(caller, &mut self.bounds, limit, true);
        let Some(hit) = found else { return };
        let frames = self.frames.chain(&walked).filter(|frame| frame.is_call());
        if let Some(same) =
            intern::is_stack(hit.id, frames.map(|frame| intern::in_file(frame.place)))
        {
            intern::checked(!same);
        }
    }
}

fn child(children: &mut [Child; CHILDREN], parent: u32, place: u64) -> Option<u32> {
    let at = &mut children[intern::hash(parent, place) as usize % CHILDREN];
    if at.node == 0 || at.place != place || at.parent != parent {
        let node = intern::child(parent, place)?;
        *at = Child { place, parent, node };
    }
    Some(at.node)
}
