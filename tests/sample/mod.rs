//! A launch with something in every field: a shell that forks and execs.

#![allow(dead_code)]

pub mod any;
pub mod code;

use std::time::Duration;

use memtop::model::*;

/// Seconds.
pub fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn arguments(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// The server of the sketches: traced from 0:41 on, with blocks from before freed.
pub fn server() -> ProcessState {
    ProcessState {
        identity: Identity {
            pid: 4242,
            command: arguments("redis-server *:6379"),
            ended: Some(s(192.0)),
            exit: Some(Exit::Code(0)),
            ..Identity::default()
        },
        window: Window { intervals: vec![Interval { from: s(41.0), to: None }], cleared: None },
        totals: totals(),
        untracked: Untracked {
            frees: 4_004,
            freed_bytes: 13_002_342,
            net_bytes: 37_539_021,
            census: Some(Census {
                blocks: 9_000,
                bytes: 20_000_000,
                still_live_blocks: 4_996,
                still_live_bytes: 6_997_658,
            }),
        },
        inherited: Inherited::default(),
        exactness: Exactness {
            peak_error_bytes: 16_384,
            tracer_bytes: 2_202_010,
            ns_per_event: Some(19.25),
            ns_per_event_error: None,
            ..Exactness::default()
        },
        size_classes: classes(),
        size_classes_at_peak: classes_at_peak(),
        threads: vec![
            thread(4242, Some("redis-server"), 60_000_000, 1_500_000),
            thread(4245, Some("bio_lazy_free"), -11_000_000, 12),
            thread(0, None, 0, 499_988),
        ],
        sites: Default::default(),
        names: Default::default(),
        timeline: (410..430).map(point).collect(),
    }
}

fn totals() -> Totals {
    Totals {
        current_bytes: 49_000_000,
        current_blocks: 1_053_091,
        peak_bytes: 54_421_094,
        peak_blocks: 1_100_000,
        peak_at: Some(s(130.25)),
        max_blocks: 1_200_001,
        allocated_bytes: 80_000_000,
        allocations: 2_000_000,
        freed_bytes: 31_000_000,
        frees: 946_909,
        reallocations: 1_234,
        temporary: 20_000,
        usable_current_bytes: 50_541_363,
        usable_allocated_bytes: 90_541_363,
        usable_freed_bytes: 40_000_000,
    }
}

fn classes() -> Vec<SizeClass> {
    vec![
        size_class(1, 16, 12_345, 192_000, 600_000),
        size_class(17, 32, 999_743, 31_981_568, 1_300_000),
        size_class(33, 64, 41_002, 2_300_000, 99_999),
        size_class((4 << 20) + 1, 8 << 20, 1, 7_990_000, 1),
    ]
}

fn classes_at_peak() -> Vec<SizeClass> {
    vec![
        size_class(1, 16, 12_000, 190_000, 500_000),
        size_class(17, 32, 1_088_000, 54_231_094, 1_200_000),
    ]
}

fn size_class(min: u64, max: u64, blocks: u64, bytes: u64, allocations: u64) -> SizeClass {
    SizeClass {
        min,
        max,
        current_blocks: blocks,
        current_bytes: bytes,
        allocations,
        allocated_bytes: allocations * min,
    }
}

fn thread(tid: u32, name: Option<&str>, current_bytes: i64, allocations: u64) -> ThreadState {
    ThreadState {
        tid,
        name: name.map(str::to_owned),
        current_bytes,
        allocations,
        allocated_bytes: allocations * 40,
    }
}

fn point(tenth: u64) -> Point {
    let bytes = (tenth - 400) * 1_000_000 % 17_000_003;
    Point {
        at: Duration::from_millis(tenth * 100),
        current_bytes: bytes,
        max_bytes: bytes + 4_096,
        rss_bytes: (!tenth.is_multiple_of(5)).then_some(63 << 20),
        untracked_freed_bytes: tenth * 1_000,
    }
}

/// A child of it, forked, that then execs `sort`.
pub fn child(generation: u32) -> ProcessState {
    let forked = generation == 0;
    ProcessState {
        identity: Identity {
            pid: 4300,
            generation,
            parent: Some(4242),
            command: match forked {
                true => arguments("redis-server *:6379"),
                false => vec![b"sort".to_vec(), b"\xff\x1b[31mname".to_vec()],
            },
            entry: if forked { Entry::Fork } else { Entry::Preload },
            started: s(if forked { 60.0 } else { 60.5 }),
            ended: Some(s(if forked { 60.5 } else { 61.0 })),
            exit: (!forked).then_some(Exit::Signal(9)),
        },
        window: Window {
            intervals: vec![Interval { from: Duration::ZERO, to: None }],
            cleared: None,
        },
        totals: Totals {
            current_bytes: 1_000,
            current_blocks: 1,
            peak_bytes: 5_000,
            peak_blocks: 5,
            peak_at: Some(s(0.1)),
            max_blocks: 5,
            allocated_bytes: 6_000,
            allocations: 6,
            freed_bytes: 5_000,
            frees: 5,
            usable_current_bytes: 1_008,
            usable_allocated_bytes: 6_100,
            usable_freed_bytes: 5_092,
            ..Totals::default()
        },
        untracked: Untracked { net_bytes: 1_008, ..Untracked::default() },
        inherited: match forked {
            true => Inherited { blocks: 10, bytes: 1_000, frees: 3, freed_bytes: 300 },
            false => Inherited::default(),
        },
        size_classes: vec![size_class(513, 1_024, 1, 1_000, 6)],
        ..ProcessState::default()
    }
}

/// The whole launch.
pub fn launch() -> TreeState {
    TreeState {
        command: arguments("redis-server *:6379"),
        launched_at: Duration::new(1_700_000_000, 5),
        exit: Some(Exit::Code(0)),
        processes: vec![server(), child(0), child(1)],
        untraced: Vec::new(),
    }
}

/// A recording of `tree`.
pub fn recording(tree: &TreeState) -> Vec<u8> {
    memtop::recording::write_tree(Vec::new(), tree).expect("writing to memory")
}
