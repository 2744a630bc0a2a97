//! Walking a stack, frame by frame, until it ends or joins the one that was walked before.
//!
//! Two stacks of a thread that follow each other mostly share their outer frames. The frames
//! of the last walk are kept, outermost first, and the next walk ends at the first of them
//! that stands where it stood, was called from where it was called, and above which no word
//! has changed that its own walk read.
//!
//! `rbp` counts only where it matters: in code without frame pointers it holds whatever the
//! program keeps there, and comparing that would find differences that are none. A frame
//! *uses* the `rbp` it is entered with if its own rule is based on it, or if it leaves it
//! alone and its caller uses it.

use core::ptr::with_exposed_provenance;

use super::{
    Caller,
    bounds::Bounds,
    intern::{self, NodeRef},
    rules::{self, Kind, Rule},
    tables::REALIGNED,
};
use crate::session::layout::MAX_FRAMES;

/// Farthest that a frame reaches.
const FARTHEST: usize = 8 << 20;

/// The `rbp` that the frame is entered with decides where outer frames are.
const USES_BASE: u32 = 1;
/// The frame's own rule is based on it.
const BASED: u32 = 2;
/// The frame was interrupted, not left by a call: its address is one more than where it stands.
const INTERRUPTED: u32 = 4;

/// A frame and the words by which it was found.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The stack pointer once what it called has returned.
    sp: usize,
    /// Where the address stands at which it goes on.
    pc_at: usize,
    /// That address, with its module.
    pub place: u64,
    /// `rbp` as the frame has it.
    bp: usize,
    /// Where it saved the `rbp` of its caller; 0 = nowhere.
    bp_at: usize,
    /// A word that says where the caller's frame is; 0 = none was needed.
    extra_at: usize,
    /// Its node in the tree of calls, once it has one.
    pub node: NodeRef,
    flags: u32,
}

/// The frames of a thread's last walk.
pub struct Frames {
    count: usize,
    kept: [Frame; MAX_FRAMES as usize],
    fresh: [Frame; MAX_FRAMES as usize],
}

/// What a walk came to: `fresh` frames, then those kept below `joined`.
pub struct Walked {
    pub fresh: usize,
    pub joined: usize,
    /// The limit was met.
    pub cut: bool,
    /// It left one stack for another: nothing of it is to be remembered.
    pub crossed: bool,
}

/// A word that a walk read, and what it held.
pub struct Word {
    pub address: usize,
    pub value: u64,
}

fn read(address: usize) -> usize {
    // SAFETY: the callers have found the word readable. It may be any word of the thread's own
    // stack, which no other thread writes meanwhile in a way that matters: a changed word makes
    // another stack, not a wrong one.
    unsafe { with_exposed_provenance::<usize>(address).read_volatile() }
}

fn rule_for(address: usize) -> Rule {
    rules::known(address).unwrap_or_else(|| intern::find_rule(address))
}

impl Frame {
    fn first(caller: Caller) -> Frame {
        let (sp, bp) = (caller.sp + 8, caller.bp);
        let place = read(caller.sp) as u64;
        Frame { sp, pc_at: caller.sp, place, bp, bp_at: 0, extra_at: 0, node: 0, flags: 0 }
    }

    fn uses_base(&self) -> bool {
        self.flags & USES_BASE != 0
    }

    /// The address as it stands in memory.
    fn raw_address(&self) -> u64 {
        let address = self.place << 16 >> 16;
        address - u64::from(self.flags & INTERRUPTED != 0)
    }

    /// Whether this is a frame of the program, and not the zero that ends some stacks.
    pub fn is_call(&self) -> bool {
        self.place != 0
    }

    /// Completes the frame by its rule and finds its caller.
    fn leave(&mut self, rule: Rule, bounds: &mut Bounds) -> Option<Frame> {
        match rule.kind() {
            Kind::End => None,
            Kind::Signal => self.leave_handler(bounds),
            Kind::StackPointer => {
                self.leave_to(self.sp.wrapping_add_signed(rule.offset()), rule, bounds)
            }
            Kind::BasePointer => {
                self.flags |= BASED;
                self.leave_to(self.bp.wrapping_add_signed(rule.offset()), rule, bounds)
            }
            Kind::Indirect => {
                self.flags |= BASED;
                let at = self.bp.wrapping_add_signed(rule.offset());
                if !bounds.allow(at) {
                    return None;
                }
                self.extra_at = at;
                self.leave_to(read(at), rule, bounds)
            }
        }
    }

    /// The caller, whose frame begins at `begin`.
    fn leave_to(&mut self, begin: usize, rule: Rule, bounds: &mut Bounds) -> Option<Frame> {
        let forward = begin > self.sp && begin - self.sp <= FARTHEST;
        let pc_at = begin.wrapping_sub(8);
        if !forward || !bounds.allow(pc_at) {
            return None;
        }
        let mut bp = self.bp;
        if let Some(distance) = rule.saved() {
            let at = match distance as i64 {
                REALIGNED => self.bp,
                _ => begin.wrapping_add_signed(distance),
            };
            if !bounds.allow(at) {
                return None;
            }
            (self.bp_at, bp) = (at, read(at));
        }
        let place = read(pc_at) as u64;
        Some(Frame { sp: begin, pc_at, place, bp, bp_at: 0, extra_at: 0, node: 0, flags: 0 })
    }

    /// What the kernel interrupted: it has saved all registers in a `ucontext`.
    fn leave_handler(&mut self, bounds: &mut Bounds) -> Option<Frame> {
        const RBP: usize = 120;
        const RSP: usize = 160;
        const RIP: usize = 168;
        let [bp_at, sp_at, pc_at] = [RBP, RSP, RIP].map(|at| self.sp.wrapping_add(at));
        if ![bp_at, sp_at, pc_at].into_iter().all(|at| bounds.allow(at)) {
            return None;
        }
        (self.bp_at, self.extra_at) = (bp_at, sp_at);
        let (sp, bp, place) = (read(sp_at), read(bp_at), read(pc_at) as u64 + 1);
        bounds.enter(sp);
        let flags = INTERRUPTED;
        bounds.allow(sp & !7).then_some(Frame {
            sp,
            pc_at,
            place,
            bp,
            bp_at: 0,
            extra_at: 0,
            node: 0,
            flags,
        })
    }

    /// Whether the words still hold by which `outer` was found as this frame's caller.
    fn leads_to(&self, outer: &Frame, bounds: &mut Bounds) -> bool {
        let mut holds =
            |address: usize, value: u64| bounds.allow(address) && read(address) as u64 == value;
        holds(outer.pc_at, outer.raw_address())
            && (self.extra_at == 0 || holds(self.extra_at, outer.sp as u64))
            && (self.bp_at == 0 || !outer.uses_base() || holds(self.bp_at, outer.bp as u64))
    }

    fn is_where(&self, other: &Frame) -> bool {
        self.sp == other.sp
            && self.place == other.place
            && self.pc_at == other.pc_at
            && (!self.uses_base() || self.bp == other.bp)
    }
}

impl Frames {
    /// Walks from `caller` outwards, at most `limit` frames. Nothing is joined when `alone`.
    pub fn walk(
        &mut self,
        caller: Caller,
        bounds: &mut Bounds,
        limit: usize,
        alone: bool,
    ) -> Walked {
        let mut walked = Walked { fresh: 0, joined: 0, cut: false, crossed: false };
        let mut candidates = if alone { 0 } else { self.count };
        let mut frame = Frame::first(caller);
        loop {
            let rule = rule_for((frame.place << 16 >> 16) as usize);
            frame.place = if frame.place == 0 {
                0
            } else {
                intern::place_of(rule.module(), frame.place as usize)
            };
            if self.joins(&frame, &mut candidates, bounds) {
                walked.joined = candidates;
                break;
            }
            let next = frame.leave(rule, bounds).filter(|_| frame.is_call());
            walked.crossed |= rule.kind() == Kind::Signal;
            self.fresh[walked.fresh] = frame;
            walked.fresh += 1;
            match next {
                Some(_) if walked.fresh == limit => walked.cut = true,
                Some(next) => {
                    frame = next;
                    continue;
                }
                None => {}
            }
            break;
        }
        walked.cut |= walked.fresh + walked.joined > limit;
        self.mark_uses(&walked);
        walked
    }

    /// Whether the kept frame that stands where `frame` does, and all beyond it, are unchanged.
    /// Afterwards `candidates` are those that may still be, the innermost last.
    fn joins(&self, frame: &Frame, candidates: &mut usize, bounds: &mut Bounds) -> bool {
        while *candidates > 0 && self.kept[*candidates - 1].sp < frame.sp {
            *candidates -= 1;
        }
        let Some(at) = candidates.checked_sub(1) else { return false };
        if !self.kept[at].is_where(frame) {
            return false;
        }
        let changed = (0..at).rev().find(|&outer| {
            let [outer, inner] = [outer, outer + 1].map(|at| &self.kept[at]);
            !inner.leads_to(outer, bounds)
        });
        match changed {
            // Nothing from there inwards can be joined.
            Some(outer) => *candidates = outer + 1,
            None => return true,
        }
        false
    }

    fn mark_uses(&mut self, walked: &Walked) {
        let mut outer = walked.joined.checked_sub(1).is_some_and(|at| self.kept[at].uses_base());
        for frame in self.fresh[..walked.fresh].iter_mut().rev() {
            outer = frame.flags & BASED != 0 || (frame.bp_at == 0 && outer);
            frame.flags |= u32::from(outer) * USES_BASE;
        }
    }

    /// Whether the walk depends on the `rbp` of the caller.
    pub fn uses_base(&self, walked: &Walked) -> bool {
        self.chain(walked).next().is_some_and(|frame| frame.uses_base())
    }

    /// The frames of a walk, innermost first.
    pub fn chain<'a>(&'a self, walked: &Walked) -> impl Iterator<Item = &'a Frame> + use<'a> {
        self.fresh[..walked.fresh].iter().chain(self.kept[..walked.joined].iter().rev())
    }

    /// The place of the frame with so many frames inside it.
    fn place(&self, walked: &Walked, at: usize) -> u64 {
        match at.checked_sub(walked.fresh) {
            None => self.fresh[at].place,
            Some(kept) => self.kept[walked.joined - 1 - kept].place,
        }
    }

    /// The words that the walk depends on, beside the registers and the word at the stack
    /// pointer, from the inside out.
    pub fn words(&self, walked: &Walked, mut each: impl FnMut(Word)) {
        let mut inner: Option<&Frame> = None;
        for outer in self.chain(walked) {
            let Some(inner) = inner.replace(outer) else { continue };
            if inner.bp_at != 0 && outer.uses_base() {
                each(Word { address: inner.bp_at, value: outer.bp as u64 });
            }
            if inner.extra_at != 0 {
                each(Word { address: inner.extra_at, value: outer.sp as u64 });
            }
            each(Word { address: outer.pc_at, value: outer.raw_address() });
        }
    }

    /// Gives each frame its node, from the outermost in: `child` finds them. The last is the
    /// stack's.
    pub fn name(
        &mut self,
        walked: &Walked,
        limit: usize,
        mut child: impl FnMut(NodeRef, u64) -> Option<NodeRef>,
    ) -> Option<NodeRef> {
        if walked.cut {
            let from_outermost = (0..limit).rev().map(|at| intern::in_file(self.place(walked, at)));
            return from_outermost.into_iter().try_fold(0, &mut child);
        }
        let mut node = walked.joined.checked_sub(1).map_or(0, |at| self.kept[at].node);
        for frame in self.fresh[..walked.fresh].iter_mut().rev() {
            if frame.is_call() {
                node = child(node, intern::in_file(frame.place))?;
            }
            frame.node = node;
        }
        Some(node)
    }

    /// Keeps the walk for the next one to join.
    fn keep(&mut self, walked: &Walked) {
        if walked.cut || walked.crossed {
            return self.forget();
        }
        let fresh = self.fresh[..walked.fresh].iter().rev();
        for (to, from) in self.kept[walked.joined..].iter_mut().zip(fresh) {
            *to = *from;
        }
        self.count = walked.joined + walked.fresh;
    }

    /// Keeps the walk if its frames have nodes.
    pub fn keep_or_forget(&mut self, walked: &Walked, named: bool) {
        if named { self.keep(walked) } else { self.forget() }
    }

    /// The kept walk, as one that joined with its innermost frame.
    pub fn whole(&self) -> Walked {
        Walked { fresh: 0, joined: self.count, cut: false, crossed: false }
    }

    /// Keeps nothing.
    pub fn forget(&mut self) {
        self.count = 0;
    }
}
