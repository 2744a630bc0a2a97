use super::*;

const SECOND: u64 = 1_000_000_000;

fn reading() -> SessionReading {
    let mut classes = [ClassReading::default(); size_class::COUNT];
    classes[2] = ClassReading {
        allocations: 5,
        allocated_bytes: 130,
        frees: 2,
        freed_bytes: 50,
        peak_blocks: 4,
        peak_bytes: 100,
    };
    classes[3] = ClassReading {
        allocations: 1,
        allocated_bytes: 64,
        frees: 1,
        freed_bytes: 64,
        ..ClassReading::default()
    };
    SessionReading {
        stacks_cut: None,
        cost: None,
        entry: layout::entry::FORK,
        pid: 7,
        parent: 3,
        started_ns: 12 * SECOND,
        command: vec![b"prog".to_vec()],
        classes,
        peak_bytes: 100,
        peak_blocks: 4,
        peak_tick: 45,
        peak_error_bytes: 0,
        max_blocks: 4,
        usable_allocated: 300,
        usable_freed: 100,
        reallocations: 1,
        temporary: 2,
        untracked_frees: 3,
        untracked_bytes: 250,
        inherited_blocks: 9,
        inherited_bytes: 90,
        inherited_frees: 1,
        inherited_freed: 10,
        lost_records: 0,
        unattributed: 0,
        unattributed_bytes: 0,
        unattributed_usable: 0,
        dropped_events: 0,
        tracer_bytes: 4096,
        threads: vec![ThreadReading {
            tid: 8,
            current_bytes: -4,
            allocations: 6,
            allocated_bytes: 194,
        }],
    }
}

fn clock(intervals: &[(u64, Option<u64>)]) -> ClockReading {
    let in_seconds =
        |&(from, to): &(u64, Option<u64>)| (from * SECOND, to.map(|to: u64| to * SECOND));
    ClockReading {
        cleared_ns: None,
        created_ns: 10 * SECOND,
        tick: 100,
        tick_ns: SECOND / 10,
        tracing: true,
        intervals: intervals.iter().map(in_seconds).collect(),
        unwatched: Vec::new(),
    }
}

#[test]
fn a_clear_leaves_the_stretches_that_were_traced() {
    let clock = |cleared: u64| {
        let clock = clock(&[(12, Some(15)), (18, None)]);
        ClockReading { cleared_ns: Some(cleared * SECOND), ..clock }
    };
    let both = [(seconds(1), Some(seconds(4))), (seconds(7), None)]
        .map(|(from, to)| Interval { from, to });
    let found = window(&clock(20), 11 * SECOND, None);
    assert_eq!((&found.intervals[..], found.cleared), (&both[..], Some(seconds(9))));
    assert_eq!(found.counted(), [Interval { from: seconds(9), to: None }]);
    let found = window(&clock(14), 11 * SECOND, None);
    let first = Interval { from: seconds(3), to: Some(seconds(4)) };
    assert_eq!(found.counted(), [first, both[1]]);
    // Nothing was traced yet, or any more.
    assert_eq!(window(&clock(12), 11 * SECOND, None).cleared, None);
    assert_eq!(window(&clock(30), 11 * SECOND, Some(29 * SECOND)).cleared, None);
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn figures_and_times_find_their_places() {
    let facts = Facts {
        generation: 1,
        parent_in_tree: true,
        ended_ns: Some(20 * SECOND),
        exit: Some(Exit::Code(3)),
        thread_names: BTreeMap::from([(8, "worker".to_owned())]),
        timeline: vec![Point::default()],
    };
    let state = process_state(&reading(), &clock(&[(10, None)]), facts);
    assert_eq!(state.identity.parent, Some(3));
    assert_eq!(state.identity.entry, Entry::Fork);
    assert_eq!(state.identity.started, seconds(2));
    assert_eq!(state.identity.ended, Some(seconds(10)));
    assert_eq!(state.identity.exit, Some(Exit::Code(3)));
    assert_eq!(state.totals.current_bytes, 80);
    assert_eq!(state.totals.current_blocks, 3);
    assert_eq!((state.totals.allocations, state.totals.frees), (6, 3));
    assert_eq!(state.totals.usable_current_bytes, 200);
    // Tick 45 is 4.5 s after the launch, and the process started 2 s after it.
    assert_eq!(state.totals.peak_at, Some(Duration::from_millis(2500)));
    assert_eq!(state.untracked.net_bytes, -50);
    assert_eq!(state.inherited.blocks, 9);
    assert_eq!(state.threads[0].name.as_deref(), Some("worker"));
    assert_eq!(state.timeline.len(), 1);
}

#[test]
fn a_peak_of_which_nobody_kept_the_time_has_no_moment() {
    let at = |unwatched: &[(u64, u64)]| {
        let clock = ClockReading { unwatched: unwatched.to_vec(), ..clock(&[(10, None)]) };
        let state = process_state(&reading(), &clock, Facts::default());
        assert!(state.has_peak());
        state.totals.peak_at
    };
    assert_eq!(at(&[(0, 45), (46, 90)]), Some(Duration::from_millis(2500)));
    assert_eq!(at(&[(0, 46)]), None);
    assert_eq!(at(&[(0, 20), (45, 90)]), None);
}

#[test]
fn classes_that_never_held_a_block_are_left_out() {
    let state = process_state(&reading(), &clock(&[]), Facts::default());
    let bounds = |list: &[SizeClass]| list.iter().map(|one| one.min).collect::<Vec<_>>();
    assert_eq!(bounds(&state.size_classes), [17, 33]);
    assert_eq!(bounds(&state.size_classes_at_peak), [17]);
    assert_eq!(state.size_classes_at_peak[0].current_bytes, 100);
    assert_eq!(state.identity.parent, None);
}

#[test]
fn a_process_without_allocations_has_no_peak() {
    let mut reading = reading();
    reading.classes = [ClassReading::default(); size_class::COUNT];
    let state = process_state(&reading, &clock(&[]), Facts::default());
    assert_eq!(state.totals.peak_at, None);
}

#[test]
fn intervals_are_clipped_to_the_life_of_the_process() {
    let of = |intervals: &[(u64, Option<u64>)], ended: Option<u64>| {
        let clipped = window(&clock(intervals), 12 * SECOND, ended.map(|at| at * SECOND));
        let pair = |one: &Interval| (one.from.as_secs(), one.to.map(|to| to.as_secs()));
        clipped.intervals.iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(of(&[(10, Some(11))], None), []);
    assert_eq!(of(&[(10, Some(14)), (15, None)], None), [(0, Some(2)), (3, None)]);
    assert_eq!(of(&[(10, None)], Some(20)), [(0, Some(8))]);
    assert_eq!(of(&[(13, Some(30)), (31, None)], Some(20)), [(1, Some(8))]);
}

#[test]
fn scribbled_figures_do_no_harm() {
    let mut reading = reading();
    reading.classes[5].allocated_bytes = u64::MAX;
    reading.classes[6].allocated_bytes = u64::MAX;
    reading.classes[6].peak_blocks = i64::MIN;
    reading.peak_tick = u64::MAX;
    reading.started_ns = u64::MAX;
    reading.usable_freed = u64::MAX;
    reading.untracked_bytes = u64::MAX;
    let state = process_state(&reading, &clock(&[(1, Some(0))]), Facts::default());
    assert_eq!(state.untracked.net_bytes, i64::MIN);
}

#[test]
fn a_point_is_never_below_its_own_live_bytes() {
    let sample = point(&reading(), 13 * SECOND, 70, Some(10_000));
    assert_eq!(sample.at, seconds(1));
    assert_eq!((sample.current_bytes, sample.max_bytes), (80, 80));
    assert_eq!(sample.rss_bytes, Some(10_000 - 4096));
    assert_eq!(point(&reading(), 0, 90, Some(1)).rss_bytes, Some(0));
}
