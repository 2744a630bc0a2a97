//! From an event of the rings to one that can be shown: when it was, and how old the block.
//!
//! The program stamps what it does with the number of a tick. Where nobody kept the time, as
//! before the first look at a program that embeds the allocator, the number says only that it
//! was in that stretch; then the moment is unknown, and of an age the least is known.

use memtop_probe::session::{
    layout::kind,
    reader::{ClockReading, EventReading},
};

use crate::model::{Event, EventKind, StackId};

/// Ticks of a birth in a shadow word are kept modulo this.
const BIRTH_TICKS: u64 = 1 << 20;

/// The event as it is shown of a session that began at `started_ns`, `CLOCK_MONOTONIC`.
pub fn event(reading: &EventReading, clock: &ClockReading, started_ns: u64) -> Event {
    let tick_s = clock.tick_ns as f64 / 1e9;
    let before_s = started_ns.saturating_sub(clock.created_ns) as f64 / 1e9;
    let tick = u64::from(reading.tick);
    let released = reading.kind == kind::RELEASE;
    let untracked = reading.kind == kind::RELEASE_UNTRACKED;
    let (age, age_is_least) = age(tick, reading.birth_tick.into(), clock);
    Event {
        t_s: is_known(tick, clock).then(|| (tick as f64 * tick_s - before_s).max(0.0)),
        kind: match reading.kind {
            kind::ALLOCATE => EventKind::Allocate,
            kind::REALLOCATE => EventKind::Reallocate,
            _ => EventKind::Release,
        },
        size: reading.size,
        tid: reading.tid,
        address: reading.address,
        age_s: released.then_some(age as f64 * tick_s),
        age_is_least: released && age_is_least,
        tick_s,
        untracked,
        stack: (!untracked).then_some(StackId(reading.stack)),
    }
}

fn is_known(tick: u64, clock: &ClockReading) -> bool {
    clock.unwatched_until(tick).is_none()
}

/// Ticks from a block's birth to its free at `tick`, and whether that is the least there may
/// have been.
fn age(tick: u64, birth: u64, clock: &ClockReading) -> (u64, bool) {
    let age = tick.wrapping_sub(birth) % BIRTH_TICKS;
    let born = tick.saturating_sub(age);
    if let Some(watched_from) = clock.unwatched_until(born) {
        return (tick.saturating_sub(watched_from), true);
    }
    // What was born while nobody kept the time looks the same once the numbers come again.
    let is_old = |(from, _): &(u64, u64)| born > *from && (born - from).is_multiple_of(BIRTH_TICKS);
    (age, clock.unwatched.iter().any(is_old) || !is_known(tick, clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(unwatched: &[(u64, u64)]) -> ClockReading {
        ClockReading {
            created_ns: 1_000_000_000,
            tick: 100,
            tick_ns: 100_000_000,
            tracing: true,
            cleared_ns: None,
            intervals: Vec::new(),
            unwatched: unwatched.to_vec(),
        }
    }

    fn free(tick: u32, birth_tick: u32) -> EventReading {
        let kind = kind::RELEASE;
        EventReading { kind, size: 8, address: 16, stack: 1, tick, birth_tick, tid: 7 }
    }

    #[test]
    fn ages_reach_into_what_nobody_saw_as_a_least_one() {
        let clock = clock(&[(0, 30), (50, 80)]);
        // Between the stretches, and after them.
        assert_eq!(age(40, 31, &clock), (9, false));
        assert_eq!(age(90, 80, &clock), (10, false));
        assert_eq!(age(90, 49, &clock), (41, false));
        // Born before the first look, and in the pause.
        assert_eq!(age(40, 0, &clock), (10, true));
        assert_eq!(age(90, 50, &clock), (10, true));
        // Freed in the pause: some time after its birth.
        assert_eq!(age(50, 45, &clock), (5, true));
        assert_eq!(age(50, 50, &clock), (0, true));
    }

    #[test]
    fn numbers_of_ticks_that_come_again_are_no_young_births() {
        let days = 3 * BIRTH_TICKS;
        let clock = clock(&[(7, days)]);
        let stamp = |tick: u64| tick % BIRTH_TICKS;
        assert_eq!(age(days + 5, stamp(7), &clock), (5, true));
        assert_eq!(age(days + 9, stamp(days + 7), &clock), (2, true));
        assert_eq!(age(days + 9, stamp(days + 6), &clock), (3, false));
    }

    #[test]
    fn moments_of_unwatched_ticks_are_unknown() {
        let clock = clock(&[(0, 30)]);
        let started_ns = 2_000_000_000;
        let known = event(&free(35, 32), &clock, started_ns);
        assert_eq!((known.t_s, known.age_is_least), (Some(2.5), false));
        assert!(known.age_s.is_some_and(|age| (age - 0.3).abs() < 1e-9));
        let old = event(&free(30, 0), &clock, started_ns);
        assert_eq!((old.t_s, old.age_s, old.age_is_least), (Some(2.0), Some(0.0), true));
        assert_eq!(event(&free(0, 0), &clock, started_ns).t_s, None);
    }
}
