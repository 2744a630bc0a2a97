//! The sums over the slots of a session: from counters to a [`SessionReading`].
//!
//! Frees are summed over all slots before allocations, so that no free is seen without its
//! allocation and live figures never go below zero. What is freed in between is missing, and live
//! figures are too high by that: by much where the reader had to wait for its processor just there.
//! So all is summed anew when anything was freed meanwhile; after some tries, the sums count during
//! which least was.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
    fence,
};
use std::vec::Vec;

use super::{ClassReading, Reader, SessionReading, ThreadReading, calm::calmest, command};
use crate::{
    at_peak, peak,
    session::{
        layout::{Session, Slot, flag},
        size_class,
    },
};

/// One sum a size class.
struct Classes([ClassReading; size_class::COUNT]);

impl Default for Classes {
    fn default() -> Self {
        Classes([ClassReading::default(); size_class::COUNT])
    }
}

/// The sums over all slots of a session.
#[derive(Default)]
pub(super) struct Sums {
    classes: Classes,
    usable: [u64; 2],
    reallocations: u64,
    temporary: u64,
    untracked: [u64; 2],
    /// Blocks, requested and usable bytes.
    unattributed: [u64; 3],
    inherited: [u64; 2],
    lost: u64,
    dropped: u64,
    peak: Option<(i64, i64, u64)>,
    most_blocks: i64,
    /// No thread has done anything since the last clear.
    cleared: bool,
    /// Something was counted in the shared slot.
    shares_slot: bool,
    threads: Vec<ThreadReading>,
    ended: ThreadReading,
    cost: super::cost::CostSums,
}

impl Sums {
    pub(super) fn over(reader: &Reader, session: &'static Session) -> Sums {
        let counters = || reader.slots(session).flat_map(|slot| &slot.classes);
        let frees = || {
            fence(Acquire);
            counters().map(|class| class.frees.load(Relaxed)).fold(0, u64::wrapping_add)
        };
        calmest(frees, || Sums::summed(reader, session))
    }

    fn summed(reader: &Reader, session: &'static Session) -> Sums {
        let mut sums = Sums::default();
        let clears = reader.clears();
        sums.shares_slot = reader.slots(session).next().is_some_and(is_used);
        sums.cleared = session.id_base.load(Acquire) >> 32 != clears >> 16;
        // Only slots that have seen the last clear hold figures of this window.
        let fresh = |slot: &&Slot| slot.pulse.load(Relaxed) & flag::CLEARS == clears;
        for slot in reader.slots(session).filter(fresh) {
            sums.add_frees(slot, clears != 0);
        }
        let peak = session.live.mark();
        for slot in reader.slots(session).filter(fresh) {
            sums.add_allocations(slot, clears != 0);
            sums.add_at_peak(slot, clears != 0, peak);
            sums.add_peak(slot);
            sums.add_thread(slot, clears != 0);
        }
        for slot in reader.slots(session) {
            sums.add_lifetime(slot);
        }
        sums
    }

    fn add_frees(&mut self, slot: &Slot, cleared: bool) {
        let base = |value: u64| if cleared { value } else { 0 };
        let of = &slot.cleared;
        add(
            &mut self.untracked[0],
            since(&slot.untracked_frees, base(of.untracked_frees.load(Relaxed))),
        );
        add(
            &mut self.untracked[1],
            since(&slot.untracked_bytes, base(of.untracked_bytes.load(Relaxed))),
        );
        add(&mut self.usable[1], since(&slot.usable_freed, base(of.usable_freed.load(Relaxed))));
        add(&mut self.temporary, since(&slot.temporary, base(of.temporary.load(Relaxed))));
        add(
            &mut self.reallocations,
            since(&slot.reallocations, base(of.reallocations.load(Relaxed))),
        );
        for (class, sum) in self.classes.0.iter_mut().enumerate() {
            let of = &slot.cleared_classes[class];
            add(&mut sum.frees, since(&slot.classes[class].frees, base(of.frees.load(Relaxed))));
            add(
                &mut sum.freed_bytes,
                since(&slot.classes[class].freed_bytes, base(of.freed_bytes.load(Relaxed))),
            );
        }
        fence(Acquire);
    }

    fn add_allocations(&mut self, slot: &Slot, cleared: bool) {
        let base = |value: u64| if cleared { value } else { 0 };
        let of = &slot.unattributed;
        for (sum, (now, before)) in self
            .unattributed
            .iter_mut()
            .zip([&of.blocks, &of.bytes, &of.usable].into_iter().zip(&of.cleared))
        {
            add(sum, since(now, base(before.load(Relaxed))));
        }
        let before = base(slot.cleared.usable_allocated.load(Relaxed));
        add(&mut self.usable[0], since(&slot.usable_allocated, before));
        for (class, sum) in self.classes.0.iter_mut().enumerate() {
            let of = &slot.cleared_classes[class];
            let cell = &slot.classes[class];
            add(&mut sum.allocations, since(&cell.allocations, base(of.allocations.load(Relaxed))));
            add(
                &mut sum.allocated_bytes,
                since(&cell.allocated_bytes, base(of.allocated_bytes.load(Relaxed))),
            );
        }
    }

    fn add_at_peak(&mut self, slot: &Slot, cleared: bool, peak: (u64, bool)) {
        for (class, sum) in self.classes.0.iter_mut().enumerate() {
            let (mut blocks, mut bytes) = at_peak::of(&slot.classes[class], peak);
            if cleared {
                let of = &slot.cleared_classes[class];
                blocks =
                    blocks.wrapping_sub(net(of.allocations.load(Relaxed), of.frees.load(Relaxed)));
                bytes = bytes.wrapping_sub(net(
                    of.allocated_bytes.load(Relaxed),
                    of.freed_bytes.load(Relaxed),
                ));
            }
            sum.peak_blocks = sum.peak_blocks.wrapping_add(blocks);
            sum.peak_bytes = sum.peak_bytes.wrapping_add(bytes);
        }
    }

    fn add_peak(&mut self, slot: &Slot) {
        let peak = slot.peak_bytes.load(Relaxed);
        if self.peak.is_none_or(|(bytes, ..)| peak > bytes) {
            let blocks = slot.peak_blocks.load(Relaxed);
            self.peak = Some((peak, blocks, slot.peak_tick.load(Relaxed)));
        }
        if slot.alone.load(Relaxed) != 0 {
            let blocks = slot.flushed_blocks.load(Relaxed);
            let most = blocks.saturating_add(slot.high_blocks.load(Relaxed));
            self.most_blocks = self.most_blocks.max(most);
        }
    }

    fn add_thread(&mut self, slot: &Slot, cleared: bool) {
        // What the owner did not do itself in this window: former owners', or of before a clear.
        let base = base_of(slot, cleared);
        let mut all = ThreadReading { tid: slot.owner.load(Relaxed), ..Default::default() };
        for cell in &slot.classes {
            let freed = cell.freed_bytes.load(Relaxed);
            let allocated = cell.allocated_bytes.load(Relaxed);
            add(&mut all.allocations, cell.allocations.load(Relaxed));
            add(&mut all.allocated_bytes, allocated);
            all.current_bytes = all.current_bytes.wrapping_add(net(allocated, freed));
        }
        let before_clear = if cleared { cleared_sums(slot) } else { ThreadReading::default() };
        if all.tid == 0 {
            return add_thread_figures(&mut self.ended, &difference(&all, &before_clear));
        }
        add_thread_figures(&mut self.ended, &difference(&base, &before_clear));
        self.threads.push(difference(&all, &base));
    }

    fn add_lifetime(&mut self, slot: &Slot) {
        add(&mut self.inherited[0], slot.inherited_frees.load(Relaxed));
        add(&mut self.inherited[1], slot.inherited_freed.load(Relaxed));
        add(&mut self.lost, slot.lost_records.load(Relaxed));
        add(&mut self.dropped, slot.ring.dropped.load(Relaxed));
        self.cost.add(slot);
    }

    pub(super) fn into_reading(
        mut self,
        session: &Session,
        stacks_cut: Option<u64>,
    ) -> SessionReading {
        if self.ended.allocations != 0 || self.ended.current_bytes != 0 {
            self.threads.push(self.ended);
        }
        let live: u64 =
            self.classes.0.iter().map(ClassReading::live_bytes).fold(0, u64::wrapping_add);
        let blocks: u64 =
            self.classes.0.iter().map(ClassReading::live_blocks).fold(0, u64::wrapping_add);
        let (peak, peak_blocks, peak_tick) = self.highest(session, live, blocks);
        SessionReading {
            entry: session.entry.load(Relaxed),
            pid: session.pid.load(Relaxed),
            parent: session.parent.load(Relaxed),
            started_ns: session.started_ns.load(Relaxed),
            command: command(session),
            classes: self.classes.0,
            peak_bytes: peak,
            peak_blocks,
            peak_tick,
            peak_error_bytes: peak_error(session, peak, self.shares_slot),
            max_blocks: self.most_blocks(session).max(blocks),
            usable_allocated: self.usable[0],
            usable_freed: self.usable[1],
            reallocations: self.reallocations,
            temporary: self.temporary,
            untracked_frees: self.untracked[0],
            untracked_bytes: self.untracked[1],
            inherited_blocks: session.inherited_blocks.load(Relaxed),
            inherited_bytes: session.inherited_bytes.load(Relaxed),
            inherited_frees: self.inherited[0],
            inherited_freed: self.inherited[1],
            lost_records: self.lost,
            unattributed: self.unattributed[0],
            unattributed_bytes: self.unattributed[1],
            unattributed_usable: self.unattributed[2],
            dropped_events: self.dropped,
            cost: self.cost.reading(session),
            stacks_cut,
            tracer_bytes: session
                .shared_bytes
                .load(Relaxed)
                .saturating_add(session.private_bytes.load(Relaxed)),
            threads: self.threads,
        }
    }

    fn most_blocks(&self, session: &Session) -> u64 {
        if self.cleared {
            return 0;
        }
        session.max_blocks.load(Relaxed).max(self.most_blocks).max(0) as u64
    }

    /// The byte peak: what flushes saw, what a lone thread saw since, or what is live now.
    fn highest(&self, session: &Session, live: u64, blocks: u64) -> (u64, u64, u64) {
        if self.cleared {
            return (live, blocks, 0);
        }
        let flushed = (
            session.peak_bytes.load(Relaxed),
            session.peak_blocks.load(Relaxed),
            session.peak_tick.load(Relaxed),
        );
        let seen = self.peak.filter(|peak| peak.0 > flushed.0).unwrap_or(flushed);
        let (bytes, at, tick) = (seen.0.max(0) as u64, seen.1.max(0) as u64, seen.2);
        if live > bytes { (live, blocks, tick) } else { (bytes, at, tick) }
    }
}

/// What a slot's counters stood at when its owner's part of the window began.
fn base_of(slot: &Slot, cleared: bool) -> ThreadReading {
    let of = &slot.former;
    let former = ThreadReading {
        tid: 0,
        current_bytes: net(of.allocated_bytes.load(Relaxed), of.freed_bytes.load(Relaxed)),
        allocations: of.allocations.load(Relaxed),
        allocated_bytes: of.allocated_bytes.load(Relaxed),
    };
    let before = cleared_sums(slot);
    // Whichever came later: the clear, or the owner. Allocations only rise.
    if cleared && before.allocations >= former.allocations { before } else { former }
}

/// Whether former owners of a slot have counted in it in this window, beside the one it has.
pub(super) fn has_former(slot: &Slot, cleared: bool) -> bool {
    let (base, mut before) = (base_of(slot, cleared), ThreadReading::default());
    if cleared {
        before = cleared_sums(slot);
    }
    slot.owner.load(Relaxed) != 0
        && (base.allocations, base.current_bytes) != (before.allocations, before.current_bytes)
}

fn cleared_sums(slot: &Slot) -> ThreadReading {
    let mut sums = ThreadReading::default();
    for cell in &slot.cleared_classes {
        let allocated = cell.allocated_bytes.load(Relaxed);
        add(&mut sums.allocations, cell.allocations.load(Relaxed));
        add(&mut sums.allocated_bytes, allocated);
        let change = net(allocated, cell.freed_bytes.load(Relaxed));
        sums.current_bytes = sums.current_bytes.wrapping_add(change);
    }
    sums
}

/// `of` without `base`, for the thread of `of`.
fn difference(of: &ThreadReading, base: &ThreadReading) -> ThreadReading {
    ThreadReading {
        tid: of.tid,
        current_bytes: of.current_bytes.wrapping_sub(base.current_bytes),
        allocations: of.allocations.wrapping_sub(base.allocations),
        allocated_bytes: of.allocated_bytes.wrapping_sub(base.allocated_bytes),
    }
}

fn add_thread_figures(to: &mut ThreadReading, from: &ThreadReading) {
    to.current_bytes = to.current_bytes.wrapping_add(from.current_bytes);
    to.allocations = to.allocations.wrapping_add(from.allocations);
    to.allocated_bytes = to.allocated_bytes.wrapping_add(from.allocated_bytes);
}

/// Sums of hostile figures may wrap; they must not panic.
fn add(sum: &mut u64, value: u64) {
    *sum = sum.wrapping_add(value);
}

fn since(counter: &AtomicU64, base: u64) -> u64 {
    counter.load(Relaxed).wrapping_sub(base)
}

fn net(plus: u64, minus: u64) -> i64 {
    plus.wrapping_sub(minus) as i64
}

fn is_used(slot: &Slot) -> bool {
    slot.classes.iter().any(|cell| cell.allocations.load(Relaxed) | cell.frees.load(Relaxed) != 0)
}

/// ± threads × flush threshold; nothing while there has been but one thread. Operations in the
/// shared slot, a signal handler's inside a hook, are as those of one thread more.
fn peak_error(session: &Session, peak: u64, shares_slot: bool) -> u64 {
    match u64::from(session.max_threads.load(Relaxed)) + u64::from(shares_slot) {
        0 | 1 => 0,
        threads => threads.saturating_mul(peak::flush_threshold(peak as i64, threads) as u64),
    }
}
