//! The gap between what the kernel holds for a program and what is live in its heap.
//!
//! RSS and live bytes are different things, and a person who sees 300 MiB beside 40 MiB wants to
//! know what the rest is. So the resident memory is cut into parts that add up to it:
//!
//! ```text
//!  resident ─┬ live         usable bytes of traced blocks, as far as they can be resident
//!            ├ free         in the heap, and not live: kept by the allocator, or not traced
//!            ├ mapped       anonymous memory elsewhere, and not live: other heaps
//!            ├ stacks, files, shared
//!            └ tracer
//! ```
//!
//! Live blocks are not looked up in the mappings one by one: small ones are taken to be in the
//! heap, large ones (glibc maps them apart) elsewhere, and what does not fit in one place is in
//! the other. The parts are exact as a sum, and each is right as far as that holds.
//!
//! All of it is found from outside. An allocator's own statistics (`mallinfo2`, `mallctl`) would have
//! to be asked for inside the program: it would hold the allocator's locks while free lists are
//! walked, and where a signal handler allocates it could wait for itself.

use std::time::Duration;

use super::{ProcessState, SizeClass};
use crate::procfs::{
    group::GroupLimit,
    mappings::{Mappings, Runtime},
};

/// glibc maps blocks from this size on by themselves, unless it has learnt otherwise.
const MAPPED_FROM: u64 = 128 << 10;
/// Less than this outside the heap needs no explanation.
const WORTH_WORDS: u64 = 16 << 20;

/// Resident bytes by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gap {
    /// Usable bytes of live traced blocks.
    pub live: u64,
    /// Heap that is not live.
    pub free: u64,
    /// Anonymous memory outside the heap that is not live.
    pub mapped: u64,
    /// Stacks.
    pub stacks: u64,
    /// Programs, libraries, other files.
    pub files: u64,
    /// Shared memory.
    pub shared: u64,
    /// The tracer's.
    pub tracer: u64,
    /// Blocks that were allocated while tracing was off may be in the heap as well.
    pub late: bool,
    /// How long ago that was, where much has changed since.
    pub age: Option<Duration>,
    /// Who else manages memory.
    pub runtime: Option<Runtime>,
    /// The limit the program stands under.
    pub group: Option<GroupLimit>,
}

impl Gap {
    /// All parts together.
    pub fn resident(&self) -> u64 {
        let parts = [self.free, self.mapped, self.stacks, self.files, self.shared, self.tracer];
        parts.iter().fold(self.live, |sum, part| sum.saturating_add(*part))
    }
}

/// Cuts the resident memory of a process into parts.
pub fn gap(state: &ProcessState, mappings: &Mappings, group: Option<GroupLimit>) -> Gap {
    let private = state.exactness.tracer_bytes.saturating_sub(mappings.tracer);
    let private = private.min(mappings.mapped);
    let mapped = mappings.mapped - private;
    let (small, large) = live_usable(state);
    let in_heap = small.min(mappings.heap);
    let outside = large.saturating_add(small - in_heap).min(mapped);
    // glibc raises the size from which it maps blocks: then large ones are in the heap too.
    let in_heap = (small + large - outside).min(mappings.heap);
    Gap {
        live: in_heap + outside,
        free: mappings.heap - in_heap,
        mapped: mapped - outside,
        stacks: mappings.stacks,
        files: mappings.files,
        shared: mappings.shared,
        tracer: mappings.tracer + private,
        late: was_off(state),
        age: None,
        runtime: mappings.runtime,
        group,
    }
}

/// Live usable bytes in blocks that share the heap, and in blocks mapped apart.
fn live_usable(state: &ProcessState) -> (u64, u64) {
    let usable = state.totals.usable_current_bytes;
    let requested = |classes: &[&SizeClass]| classes.iter().map(|c| c.current_bytes).sum::<u64>();
    let large: Vec<&SizeClass> =
        state.size_classes.iter().filter(|class| class.min > MAPPED_FROM).collect();
    let large = requested(&large).min(usable);
    (usable - large, large)
}

/// Whether tracing was off at any time since the first moments of the process.
fn was_off(state: &ProcessState) -> bool {
    let [only] = &state.window.intervals[..] else { return true };
    let at_once = only.from.as_millis() < 50;
    let to_the_end = only.to.is_none_or(|to| state.identity.ended.is_some_and(|end| to >= end));
    !(at_once && to_the_end) || state.window.cleared.is_some() || state.inherited.bytes > 0
}

/// The largest part that is not live, in a sentence, where it is worth one.
pub fn gap_sentence(gap: &Gap) -> Option<String> {
    use memtop_ui::format::bytes;
    let notable = |part: u64| part >= WORTH_WORDS && part > gap.resident() / 4;
    if notable(gap.mapped) {
        let whose = match gap.runtime {
            Some(runtime) => {
                format!("this is {}'s own heap, which malloc never sees", name(runtime))
            }
            None => "mapped by the program or an allocator of its own, not by malloc".to_owned(),
        };
        return Some(format!("{} is resident outside the heap: {whose}.", bytes(gap.mapped)));
    }
    if notable(gap.free) {
        let why = match gap.late {
            false => "free, and kept by the allocator",
            true => "free, from before the start of tracing, or from a pause",
        };
        return Some(format!("{} of the heap is not live: {why}.", bytes(gap.free)));
    }
    None
}

/// As it is called.
pub fn name(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Java => "the Java VM",
        Runtime::V8 => "V8",
        Runtime::Go => "Go",
        Runtime::DotNet => ".NET",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interval, Totals, Window};
    use std::time::Duration;

    const MIB: u64 = 1 << 20;

    fn state(small: u64, large: u64) -> ProcessState {
        let class =
            |min, max, current_bytes| SizeClass { min, max, current_bytes, ..SizeClass::default() };
        ProcessState {
            size_classes: vec![class(17, 32, small), class(MIB + 1, 2 * MIB, large)],
            totals: Totals { usable_current_bytes: small + large, ..Totals::default() },
            window: Window {
                intervals: vec![Interval { from: Duration::ZERO, to: None }],
                ..Window::default()
            },
            ..ProcessState::default()
        }
    }

    fn mappings(heap: u64, mapped: u64) -> Mappings {
        Mappings { heap, mapped, files: 5, stacks: 6, shared: 7, ..Mappings::default() }
    }

    #[test]
    fn the_parts_are_the_whole() {
        for (small, large) in [(0, 0), (3, 0), (0, 3), (100, 100), (7, 40), (40, 7)] {
            for (heap, mapped) in [(0, 0), (10, 0), (0, 10), (10, 10), (300, 300)] {
                let found = gap(&state(small, large), &mappings(heap, mapped), None);
                assert_eq!(found.resident(), heap + mapped + 18, "{small} {large} {heap} {mapped}");
                assert_eq!(found.live, (small + large).min(heap + mapped));
            }
        }
    }

    #[test]
    fn the_tracers_share_is_taken_out_of_what_is_mapped() {
        let mut state = state(10, 0);
        state.exactness.tracer_bytes = 30;
        let shared = Mappings { tracer: 12, ..mappings(20, 50) };
        let found = gap(&state, &shared, None);
        assert_eq!((found.tracer, found.mapped, found.free), (30, 32, 10));
    }

    #[test]
    fn what_is_large_gets_words() {
        let words = |small, heap, mapped, runtime| {
            let mappings = Mappings { runtime, ..mappings(heap * MIB, mapped * MIB) };
            gap_sentence(&gap(&state(small * MIB, 0), &mappings, None))
        };
        assert_eq!(words(10, 12, 4, None), None);
        let said = words(10, 12, 200, Some(Runtime::V8)).unwrap();
        assert_eq!(
            said,
            "200.0 MiB is resident outside the heap: this is V8's own heap, which malloc never sees."
        );
        assert!(words(10, 12, 200, None).unwrap().contains("an allocator of its own"));
        assert!(
            words(10, 100, 4, None).unwrap().starts_with("90.0 MiB of the heap is not live: free,")
        );
        let mut late = gap(&state(10 * MIB, 0), &mappings(100 * MIB, 0), None);
        late.late = true;
        assert!(gap_sentence(&late).unwrap().contains("from before the start"));
    }

    #[test]
    fn where_tracing_was_off_what_is_not_live_may_not_be_free() {
        let late = |intervals: &[(u64, Option<u64>)], ended: Option<u64>| {
            let time = Duration::from_millis;
            let interval =
                |&(from, to): &(u64, Option<u64>)| Interval { from: time(from), to: to.map(time) };
            let mut state = state(10, 0);
            state.window.intervals = intervals.iter().map(interval).collect();
            state.identity.ended = ended.map(time);
            gap(&state, &mappings(20, 0), None).late
        };
        assert!(!late(&[(0, None)], None));
        assert!(!late(&[(0, Some(500))], Some(500)), "it has ended with the process");
        assert!(late(&[(0, Some(500))], None), "stopped");
        assert!(late(&[(0, Some(500))], Some(600)), "stopped");
        assert!(late(&[(100, None)], None), "started late");
        assert!(late(&[(0, Some(500)), (700, None)], None), "after a pause");
        assert!(late(&[], None), "not started");
    }
}
