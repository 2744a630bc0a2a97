//! The scalars of a tick: which figure has which bit in a patch. The order of [`each`] is the
//! format: a figure, once released, keeps its place for ever, and new ones come last.

use std::time::Duration;

use super::value::nanos;
use crate::model::{Census, Point, ProcessState};

/// Most scalars there can be: a mask has 64 bits.
pub(super) const SCALARS: usize = 64;

/// Everything a tick says about a process image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// Its figures; identity, window, sites, names and timeline are empty.
    pub state: ProcessState,
    /// Its sample of the timeline.
    pub point: Point,
}

/// A figure that stands as 64 bits.
trait Figure: Copy + Default {
    fn bits(self) -> u64;
    fn of_bits(bits: u64) -> Self;
}

impl Figure for u64 {
    fn bits(self) -> u64 {
        self
    }

    fn of_bits(bits: u64) -> Self {
        bits
    }
}

impl Figure for i64 {
    fn bits(self) -> u64 {
        self as u64
    }

    fn of_bits(bits: u64) -> Self {
        bits as i64
    }
}

impl Figure for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }

    fn of_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
}

impl Figure for Duration {
    fn bits(self) -> u64 {
        nanos(self)
    }

    fn of_bits(bits: u64) -> Self {
        Self::from_nanos(bits)
    }
}

/// Shows a figure to `with`, and takes over what it makes of it.
fn one<T: Figure>(figure: &mut T, with: &mut impl FnMut(&mut u64)) {
    let mut bits = figure.bits();
    with(&mut bits);
    *figure = T::of_bits(bits);
}

/// One that may be unknown takes two places: whether it is known, and what it is.
fn optional<T: Figure>(figure: &mut Option<T>, with: &mut impl FnMut(&mut u64)) {
    let mut known = u64::from(figure.is_some());
    let mut value = figure.unwrap_or_default();
    with(&mut known);
    one(&mut value, with);
    *figure = (known != 0).then_some(value);
}

/// Shows every scalar to `with`, in order.
fn each(snapshot: &mut Snapshot, with: &mut impl FnMut(&mut u64)) {
    let Snapshot { state, point } = snapshot;
    let totals = &mut state.totals;
    one(&mut totals.current_bytes, with);
    one(&mut totals.current_blocks, with);
    one(&mut totals.peak_bytes, with);
    one(&mut totals.peak_blocks, with);
    optional(&mut totals.peak_at, with);
    one(&mut totals.max_blocks, with);
    one(&mut totals.allocated_bytes, with);
    one(&mut totals.allocations, with);
    one(&mut totals.freed_bytes, with);
    one(&mut totals.frees, with);
    one(&mut totals.reallocations, with);
    one(&mut totals.temporary, with);
    one(&mut totals.usable_current_bytes, with);
    one(&mut totals.usable_allocated_bytes, with);
    one(&mut totals.usable_freed_bytes, with);
    one(&mut point.current_bytes, with);
    one(&mut point.max_bytes, with);
    optional(&mut point.rss_bytes, with);
    one(&mut point.untracked_freed_bytes, with);
    rest(state, with);
}

/// Those that change seldom.
fn rest(state: &mut ProcessState, with: &mut impl FnMut(&mut u64)) {
    one(&mut state.untracked.frees, with);
    one(&mut state.untracked.freed_bytes, with);
    one(&mut state.untracked.net_bytes, with);
    census(&mut state.untracked.census, with);
    one(&mut state.inherited.blocks, with);
    one(&mut state.inherited.bytes, with);
    one(&mut state.inherited.frees, with);
    one(&mut state.inherited.freed_bytes, with);
    let exactness = &mut state.exactness;
    one(&mut exactness.peak_error_bytes, with);
    one(&mut exactness.dropped_events, with);
    one(&mut exactness.lost_records, with);
    one(&mut exactness.unattributed_blocks, with);
    optional(&mut exactness.frames_unresolved, with);
    optional(&mut exactness.stacks_cut, with);
    one(&mut exactness.tracer_bytes, with);
    optional(&mut exactness.ns_per_event, with);
    optional(&mut exactness.ns_per_event_error, with);
}

fn census(census: &mut Option<Census>, with: &mut impl FnMut(&mut u64)) {
    let mut known = u64::from(census.is_some());
    let mut value = census.unwrap_or_default();
    with(&mut known);
    one(&mut value.blocks, with);
    one(&mut value.bytes, with);
    one(&mut value.still_live_blocks, with);
    one(&mut value.still_live_bytes, with);
    *census = (known != 0).then_some(value);
}

/// The scalars in order.
pub(super) fn scalars(snapshot: &mut Snapshot) -> [u64; SCALARS] {
    let mut values = [0; SCALARS];
    let mut places = values.iter_mut();
    each(snapshot, &mut |figure| {
        if let Some(place) = places.next() {
            *place = *figure;
        }
    });
    values
}

/// Sets the scalars; those that this memtop does not know are left out.
pub(super) fn set_scalars(snapshot: &mut Snapshot, values: &[u64; SCALARS]) {
    let mut values = values.iter();
    each(snapshot, &mut |figure| {
        if let Some(value) = values.next() {
            *figure = *value;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scalar_has_a_place_of_its_own() {
        let mut count = 0;
        each(&mut Snapshot::default(), &mut |_| count += 1);
        assert_eq!(count, 46);
    }

    #[test]
    fn scalars_are_set_as_they_were_read() {
        let mut values = [0; SCALARS];
        for (index, value) in values.iter_mut().enumerate().take(46) {
            // The places of "is it known" hold 1.
            *value =
                if [4, 18, 24, 37, 39, 42, 44].contains(&index) { 1 } else { index as u64 + 1 };
        }
        let mut snapshot = Snapshot::default();
        set_scalars(&mut snapshot, &values);
        assert_eq!(snapshot.state.exactness.ns_per_event.map(f64::to_bits), Some(44));
        assert_eq!(scalars(&mut snapshot), values);
    }
}
