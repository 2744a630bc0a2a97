//! Whether the events of a recording add up to its figures.
//!
//! Figures are taken while the program runs on, and events know no more than their tick. So at
//! each tick the counters lie between the sum of the events of all ticks before it and the sum
//! that includes those of the tick itself; where nothing happened in it, all three are equal.

use std::{collections::BTreeMap, time::Duration};

use super::{
    EventRecord, ReadError,
    cursor::Cursor,
    events::Kind,
    file::{Bytes, File},
};
use crate::model::ProcessState;

/// Counters that events add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Blocks allocated.
    pub allocations: u64,
    /// Their requested bytes.
    pub allocated_bytes: u64,
    /// Traced blocks freed.
    pub frees: u64,
    /// Their requested bytes.
    pub freed_bytes: u64,
    /// Reallocs.
    pub reallocations: u64,
    /// Frees of blocks that were not seen allocated.
    pub untracked_frees: u64,
    /// Their usable bytes.
    pub untracked_bytes: u64,
}

impl Sums {
    /// What the figures of a process say.
    pub fn of(state: &ProcessState) -> Self {
        Self {
            allocations: state.totals.allocations,
            allocated_bytes: state.totals.allocated_bytes,
            frees: state.totals.frees,
            freed_bytes: state.totals.freed_bytes,
            reallocations: state.totals.reallocations,
            untracked_frees: state.untracked.frees,
            untracked_bytes: state.untracked.freed_bytes,
        }
    }

    /// Adds an event.
    pub fn add(&mut self, event: &EventRecord) {
        let (count, bytes) = match event.kind {
            Kind::Allocate | Kind::Reallocate => (&mut self.allocations, &mut self.allocated_bytes),
            Kind::Free => (&mut self.frees, &mut self.freed_bytes),
            Kind::FreeUntracked => (&mut self.untracked_frees, &mut self.untracked_bytes),
        };
        *count += 1;
        *bytes = bytes.wrapping_add(event.size);
        self.reallocations += u64::from(event.kind == Kind::Reallocate);
    }

    /// Whether each counter is at most that of `other`.
    pub fn is_within(self, other: Self) -> bool {
        self.with(other, u64::min) == self
    }

    fn with(self, other: Self, each: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            allocations: each(self.allocations, other.allocations),
            allocated_bytes: each(self.allocated_bytes, other.allocated_bytes),
            frees: each(self.frees, other.frees),
            freed_bytes: each(self.freed_bytes, other.freed_bytes),
            reallocations: each(self.reallocations, other.reallocations),
            untracked_frees: each(self.untracked_frees, other.untracked_frees),
            untracked_bytes: each(self.untracked_bytes, other.untracked_bytes),
        }
    }
}

/// A tick of an image, as its figures and as its events tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Since the image's session began.
    pub at: Duration,
    /// All events of earlier ticks.
    pub before: Sums,
    /// What was counted.
    pub figures: Sums,
    /// All events of this tick and earlier ones.
    pub after: Sums,
}

impl Checkpoint {
    /// Whether figures and events agree.
    pub fn holds(&self) -> bool {
        self.before.is_within(self.figures) && self.figures.is_within(self.after)
    }
}

/// Shows `with` every tick of an image. Only where all its events were recorded, from its start
/// on and without a clear, must they hold.
///
/// # Errors
/// When the system refuses to read.
pub fn each_checkpoint<B: Bytes>(
    file: &File<B>,
    image: usize,
    mut with: impl FnMut(&Checkpoint),
) -> Result<(), ReadError> {
    let ticks = sums_by_tick(file, image)?;
    let mut times = Vec::new();
    file.each_point(image, Duration::MAX, &mut |point| times.push(point.at))?;
    let mut ticks = ticks.into_iter().peekable();
    let (mut before, mut now) = (Sums::default(), Sums::default());
    let mut cursor = Cursor::new(image);
    for at in times {
        before = before.with(std::mem::take(&mut now), u64::wrapping_add);
        while let Some((began, sums)) = ticks.next_if(|(began, _)| *began <= at) {
            let place = if began < at { &mut before } else { &mut now };
            *place = place.with(sums, u64::wrapping_add);
        }
        cursor.seek(file, at)?;
        if let Some(state) = cursor.state(file) {
            let after = before.with(now, u64::wrapping_add);
            with(&Checkpoint { at, before, figures: Sums::of(&state), after });
        }
    }
    Ok(())
}

fn sums_by_tick<B: Bytes>(
    file: &File<B>,
    image: usize,
) -> Result<BTreeMap<Duration, Sums>, ReadError> {
    let mut ticks: BTreeMap<Duration, Sums> = BTreeMap::new();
    file.each_events(image, (Duration::ZERO, Duration::MAX), &mut |events| {
        for (event, began) in events.timed() {
            ticks.entry(Duration::from_nanos(began.unwrap_or(0))).or_default().add(event);
        }
    })?;
    Ok(ticks)
}
