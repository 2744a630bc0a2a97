//! A made-up session: a server that is traced from 0:41 on, grows, and frees older memory.

#![allow(dead_code, reason = "each program that includes this shows a part of it")]

pub mod code;

use std::num::NonZero;

use memtop_ui::data::*;

/// The overview in full swing.
pub fn session() -> Data<'static> {
    let now_s = 192.0;
    let timeline = timeline(now_s);
    let last = timeline.points.last().copied().unwrap_or_default();
    let time = code::time(&timeline.points);
    Data {
        header: Header { live: Some(last.live), rss: last.rss, ..header(now_s) },
        timeline,
        sizes: sizes(),
        growth: growth(),
        totals: totals(),
        sentence: Some(
            "Traced +48.6 MiB, but 12.4 MiB from before the start were freed: \
             the program holds +36.2 MiB more than at 0:41."
                .to_owned(),
        ),
        events: events(),
        output: Output::Elsewhere,
        chooser: chooser(),
        sites: code::sites(),
        site: Some(Box::new(code::site())),
        flame: code::flame(false),
        snapshots: code::snapshots(),
        time,
        classes: classes(),
        processes: processes(),
        ..Data::default()
    }
}

/// Launched, nothing traced yet.
pub fn empty() -> Data<'static> {
    let header = Header {
        title: "/usr/bin/redis-server *:6379".to_owned(),
        pid: Some(4242),
        state: RunState::Running,
        still_runs: false,
        uptime_s: Some(2.0),
        tracing: Tracing { since_s: Some(0.0), on: true, ..Tracing::default() },
        ..Header::default()
    };
    let intervals = vec![Interval { from_s: 0.0, to_s: None }];
    Data {
        header,
        timeline: Timeline { intervals, now_s: 2.0, ..Timeline::default() },
        ..Data::default()
    }
}

/// Launched without stacks.
pub fn without_stacks() -> Data<'static> {
    let mut data = empty();
    data.sites.known = SitesKnown::WithoutStacks;
    data
}

/// Started paused: nothing traced, tracing off.
pub fn paused() -> Data<'static> {
    let mut data = empty();
    data.header.tracing = Tracing::default();
    data.timeline.intervals.clear();
    data.timeline.now_s = 20.0;
    data
}

/// As [`session`], after the program exited.
pub fn ended() -> Data<'static> {
    let mut data = session();
    data.header.state = RunState::Ended { code: Some(0) };
    data
}

/// As [`session`], after a kill, with losses.
pub fn killed() -> Data<'static> {
    let mut data = session();
    data.header.state = RunState::Killed {
        signal: 9,
        name: "SIGKILL".to_owned(),
        hint: Some("out of memory?".to_owned()),
    };
    data.header.exactness = Exactness {
        lower_bound: true,
        peak_error_bytes: 16 << 10,
        dropped_events: 1200,
        lost_records: 3,
        tracer_bytes: Some(7 << 20),
    };
    data
}

fn header(now_s: f64) -> Header {
    Header {
        title: "/usr/bin/redis-server *:6379".to_owned(),
        pid: Some(4242),
        state: RunState::Running,
        still_runs: false,
        stopped: false,
        left_behind: 0,
        origin: Origin::Launched,
        uptime_s: Some(now_s),
        tracing: Tracing { since_s: Some(41.3), on: true, ..Tracing::default() },
        live: Some(50_541_363),
        live_per_s: Some(1.2e6),
        peak: Some(Peak { bytes: 54_421_094, t_s: Some(130.2) }),
        rss: Some(66_060_288),
        untracked_freed: Some(13_002_342),
        net: Some(37_958_451),
        allocs_per_s: Some(1_020_000.0),
        frees_per_s: Some(987_000.0),
        overhead_ns: Some(19.0),
        overhead_error_ns: Some(2.0),
        exactness: Exactness { tracer_bytes: Some(6_500_000), ..Exactness::default() },
        recording: Some(2_202_009),
        process: ProcessChoice::default(),
        read_only: false,
    }
}

fn timeline(now_s: f64) -> Timeline {
    let start = 41.3;
    let points = (0..(now_s * 10.0) as u32).map(|i| point(f64::from(i) / 10.0, start)).collect();
    Timeline {
        points,
        intervals: vec![Interval { from_s: start, to_s: None }],
        now_s,
        marks: [(1, 96.0), (2, 140.0)]
            .map(|(number, t_s)| Mark { number, t_s, ..Mark::default() })
            .to_vec(),
        peak: Some(Peak { bytes: 54_421_094, t_s: Some(130.2) }),
        cleared_s: None,
        read_to_s: None,
    }
}

/// A rise, a hill with a spike at 2:10, and a plateau.
fn point(t_s: f64, start: f64) -> Point {
    const MIB: f64 = 1_048_576.0;
    let since = t_s - start;
    if since < 0.0 {
        return Point {
            t_s,
            rss: Some((14.0 * MIB + t_s * 0.02 * MIB) as u64),
            ..Point::default()
        };
    }
    let rise = 44.0 * (1.0 - (-since / 40.0).exp());
    let wave = 2.0 * (since / 7.0).sin() + 0.6 * (since / 1.3).sin() + since * 0.03;
    let live = (rise + wave).max(0.2) * MIB;
    let spike = if (130.0..130.4).contains(&t_s) { 54_421_094.0 } else { live };
    let untracked = 12.4 * (since / 60.0).min(1.0).powf(0.8) * MIB;
    Point {
        t_s,
        live: live as u64,
        max: spike.max(live) as u64,
        rss: Some((live + 15.0 * MIB) as u64),
        untracked_freed: untracked as u64,
    }
}

fn sizes() -> Sizes {
    let row =
        |min, max, blocks, bytes| SizeRow { min, max, blocks, bytes, allocations: blocks * 3 };
    let rows = vec![
        row(1, 16, 12_345, 196_710),
        row(17, 32, 999_743, 31_981_568),
        row(33, 64, 41_002, 2_306_867),
        row(65, 128, 3_120, 312_000),
        row(257, 320, 9_741, 3_019_710),
        row(1025, 1280, 77, 94_710),
        row(16_385, 20_480, 41, 811_008),
        row((4 << 20) + 1, 8 << 20, 1, 7_969_177),
    ];
    Sizes { rows, more: 4 }
}

fn growth() -> Growth {
    let row = |min, max, delta_bytes, delta_blocks, live_bytes| GrowthRow {
        what: Grown::Class { min, max },
        delta_bytes,
        delta_blocks,
        live_bytes,
    };
    let rows = vec![
        row(17, 32, 12_477_030, 31_022, 31_981_568),
        row(257, 320, 1_048_576, 4_001, 3_019_710),
        row(33, 64, 98_304, 1_530, 2_306_867),
        row(65, 128, 14_336, 112, 312_012),
        row(1, 16, 4_096, 257, 196_710),
    ];
    let (since, age_s) = (Baseline::Mark(1), Some(52.0));
    Growth { since, age_s, by: GrowthBy::Size, rows, ..Growth::default() }
}

fn totals() -> Totals {
    Totals {
        allocations: 151_234_567,
        frees: 150_168_497,
        reallocations: 1_204_003,
        temporary: 60_493_826,
        allocated_bytes: 6_871_947_673,
        live_blocks: 1_066_070,
        peak_blocks: Some(1_130_412),
    }
}

fn events() -> Events {
    let kinds = [EventKind::Alloc, EventKind::Free, EventKind::Alloc, EventKind::Realloc];
    let threads = ["redis-server", "bio_lazy_free", "io_thd_1"];
    let row = |i: u32| {
        let kind = kinds[(i as usize * 7 / 3) % 4];
        Event {
            t_s: Some(191.9996 - f64::from(i) * 0.0031),
            kind,
            size: [24, 32, 304, 4096, 65_536, 17][i as usize % 6],
            tid: 4242 + i % 3,
            thread: Some(threads[i as usize % 3].to_owned()),
            address: 0x7f3a_1c00_0000 + u64::from(i) * 0x530,
            age_s: Some(0.1 * f64::from((1u32 << (i % 13)) / 2)),
            age_is_least: false,
            tick_s: 0.1,
            untracked: kind == EventKind::Free && i.is_multiple_of(5),
        }
    };
    let rows = (0..60).map(row).collect();
    Events { rows, matching: 65_536, kept: 65_536, dropped: 0, per_s: Some(2_007_000.0) }
}

fn chooser() -> Chooser {
    let row = |pid, command: &str, kind, age, live, viewers| ChooserRow {
        pid: Some(pid),
        command: command.to_owned(),
        kind,
        age_s: Some(age),
        live,
        viewers: Some(viewers),
    };
    Chooser {
        rows: vec![
            row(4242, "/usr/bin/redis-server *:6379", JoinKind::Kept, 192.0, Some(50_541_363), 1),
            row(
                977,
                "target/release/indexer --all",
                JoinKind::Embedded,
                86_460.0,
                Some(3 << 30),
                0,
            ),
            row(31_337, "python3 train.py", JoinKind::Ended, 8.0, None, 0),
            ChooserRow {
                command: "nightly.memtop  2.1 MiB".to_owned(),
                kind: JoinKind::Recording,
                age_s: Some(40_000.0),
                ..ChooserRow::default()
            },
        ],
    }
}

/// A program's terminal with something on it.
pub fn screen(cols: u16, rows: u16) -> vt100::Parser {
    let mut parser = vt100::Parser::new(at_least_one(rows), at_least_one(cols), 1000);
    for i in 0..40 {
        let line = format!("4242:M 22 Nov 2026 10:12:{i:02}.120 * DB saved on disk, {i} keys\r\n");
        parser.process(line.as_bytes());
    }
    parser.process(
        b"4242:M \x1b[1;31mWARNING\x1b[0m overcommit_memory is set to \x1b[4m0\x1b[0m\r\n",
    );
    parser.process("\x1b[32m✓\x1b[0m ready: \x1b[7m 日本語 \x1b[0m 127.0.0.1:6379> ".as_bytes());
    parser
}

fn at_least_one(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap_or(NonZero::<u16>::MIN)
}

/// Size classes as the histogram has them, and resident memory beside them.
pub fn classes() -> Classes {
    let row = |row: &SizeRow| ClassRow {
        min: row.min,
        max: row.max,
        blocks: row.blocks,
        bytes: row.bytes,
        allocations: row.allocations,
        allocated_bytes: row.bytes * 3,
        at_peak_bytes: (row.min > 32).then_some(row.bytes + row.bytes / 8),
    };
    let rows: Vec<ClassRow> = sizes().rows.iter().map(row).collect();
    let sums = rows.iter().fold(ClassRow::default(), |sum, row| ClassRow {
        blocks: sum.blocks + row.blocks,
        bytes: sum.bytes + row.bytes,
        ..sum
    });
    let most = rows.iter().fold(ClassRow::default(), |most, row| ClassRow {
        blocks: most.blocks.max(row.blocks),
        bytes: most.bytes.max(row.bytes),
        ..most
    });
    let matching = rows.len();
    Classes {
        rows: Listing { rows, first: 0, selected: 0, matching },
        sums,
        most,
        slack_bytes: Some(2_202_009),
        gap: Some(gap()),
    }
}

fn gap() -> Gap {
    const MIB: u64 = 1 << 20;
    let part = |name, bytes, help| GapPart { name, bytes, help };
    let parts = vec![
        part("live", 48 * MIB, "traced blocks, as the allocator gave them"),
        part("free heap", 9 * MIB, "in the heap and not live: free, kept by the allocator"),
        part("mapped", 31 * MIB, "anonymous, outside the heap: other allocators, runtimes"),
        part("stacks", 300 << 10, "of all threads"),
        part("files", 5 * MIB, "the program, its libraries, mapped files"),
        part("shared", 0, "with other processes"),
        part("tracer", 3 * MIB, "memtop's own; not counted in rss above"),
    ];
    Gap {
        resident: parts.iter().map(|part| part.bytes).sum(),
        parts,
        age_s: None,
        sentence: Some(
            "31.0 MiB is resident outside the heap: this is V8's own heap, which malloc never sees."
                .to_owned(),
        ),
        limit: Some(Limit { bytes: 512 * MIB, headroom: 120 * MIB }),
    }
}

/// A server with a worker, a helper that was exec'd, and one that cannot be traced.
pub fn processes() -> Processes {
    let row = |pid: u32, depth, command: &str, fate, live: u64| ProcessRow {
        key: Key(u64::from(pid) << 32 | live & 1),
        position: Some(pid as usize % 7),
        shown: pid == 4242,
        depth,
        pid,
        command: command.to_owned(),
        fate,
        age_s: 192.0 - depth as f64 * 11.0,
        rss: matches!(fate, ProcessFate::Running).then_some(live + (12 << 20)),
        figures: Some(ProcessFigures {
            live,
            peak: live + live / 7,
            allocations: live / 100,
            allocated_bytes: live * 3,
            inherited: if depth == 1 { 40_960 } else { 0 },
            threads: 3 - depth.min(2),
        }),
    };
    let untraced = ProcessRow {
        position: None,
        figures: None,
        rss: Some(1_300_000),
        ..row(4301, 2, "/usr/lib/ping -c 1 host", ProcessFate::Untraced("gained privileges"), 0)
    };
    let rows = vec![
        row(4242, 0, "/usr/bin/redis-server *:6379", ProcessFate::Running, 50_541_363),
        row(4250, 1, "/usr/bin/redis-server *:6379", ProcessFate::Running, 1_204_224),
        row(4251, 1, "/usr/bin/redis-server *:6379", ProcessFate::Execed, 81_920),
        row(4251, 1, "sh -c ping -c 1 host", ProcessFate::Running, 81_921),
        untraced,
        row(4302, 2, "gzip dump.rdb", ProcessFate::Exited(0), 0),
        row(4303, 2, "false", ProcessFate::Exited(1), 512),
        row(4304, 1, "/usr/bin/redis-server *:6379", ProcessFate::Killed(9), 1_204_224),
    ];
    let matching = rows.len();
    let thread = |tid, name: Option<&str>, current_bytes, allocations| ThreadRow {
        tid,
        name: name.map(str::to_owned),
        current_bytes,
        allocations,
        allocated_bytes: allocations * 48,
    };
    Processes {
        rows: Listing { rows, first: 0, selected: 0, matching },
        sums: ProcessSums {
            running: 3,
            ended: 4,
            untraced: 1,
            live: 51_827_508,
            allocations: 530_115,
            ..ProcessSums::default()
        },
        threads: vec![
            thread(4242, Some("redis-server"), 50_000_000, 500_000),
            thread(4243, Some("bio_close_file"), -14_336, 20_000),
            thread(4244, None, 400, 115),
            thread(0, None, 0, 10_000),
        ],
    }
}
