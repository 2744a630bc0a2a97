//! The code of the made-up session: where its memory comes from, and what changed.

use memtop_ui::data::*;

/// Function, caller, file, line, live KiB, live blocks, allocations, Δ KiB.
type Row = (&'static str, &'static str, &'static str, u32, u64, u64, u64, i64);

const ROWS: &[Row] = &[
    ("dictAdd", "", "src/dict.c", 312, 30_822, 97_412, 1_204_112, 12_185),
    ("sdsnewlen", "createStringObject", "src/sds.c", 91, 4_301, 62_012, 9_120_555, 1_024),
    ("aofRewrite", "serverCron", "src/aof.c", 1820, 612, 12, 40, 612),
    ("listCreate", "", "src/adlist.c", 40, 96, 3, 1_022, 96),
    ("clusterSendPing", "clusterCron", "src/cluster.c", 2210, 18, 12, 88_211, -14),
    ("clientTmp", "readQueryFromClient", "src/networking.c", 88, 0, 0, 1_020_000, -40),
    (
        "std::vector<std::pair<int, Entry>>::push_back",
        "Index::insert",
        "src/index.cc",
        77,
        2_911,
        31,
        4_012,
        0,
    ),
    (
        "<alloc::vec::Vec<Frame> as Clone>::clone",
        "",
        "rust/src/frames.rs",
        14,
        1_204,
        880,
        12_044,
        2,
    ),
    ("zslCreateNode", "zslInsert", "src/t_zset.c", 70, 3_310, 44_012, 50_012, 0),
    ("_addReplyToBuffer", "", "src/networking.c", 301, 1_900, 412, 771_204, 31),
    ("lua_newuserdata", "", "", 0, 812, 1_022, 9_001, 0),
    ("", "", "", 0, 402, 71, 90, 0),
    ("raxNewNode", "raxInsert", "src/rax.c", 166, 288, 9_120, 11_044, -2),
    ("createClient", "acceptCommonHandler", "src/networking.c", 122, 204, 50, 70, 12),
    ("moduleLoad", "main", "src/module.c", 9_011, 120, 4, 4, 0),
];

fn place(file: &str, line: u32, i: usize) -> Place {
    match file {
        "" => Place::Module {
            module: "/usr/lib/liblua5.4.so.0".into(),
            offset: 0x1a20 + i as u64 * 64,
        },
        file => Place::Source { file: format!("/home/me/redis/{file}"), line: Some(line) },
    }
}

fn name(row: &Row, i: usize) -> Name {
    Name {
        text: row.0.to_owned(),
        via: Some(row.1.to_owned()).filter(|via| !via.is_empty()),
        place: place(row.2, row.3, i),
        pending: row.0.is_empty(),
    }
}

fn figures(row: &Row) -> Figures {
    let live_bytes = row.4 << 10;
    Figures {
        live_bytes,
        live_blocks: row.5,
        with_callees_bytes: live_bytes + live_bytes / 3,
        delta_bytes: Some(row.7 << 10),
        delta_blocks: Some(row.7 * 3),
        at_peak_bytes: live_bytes + live_bytes / 12,
        allocated_bytes: row.6 * 320,
        allocations: row.6,
        per_s: Some(row.6 as f64 / 150.0),
        temporary: row.6 / 9 * (row.3 as u64 % 9),
    }
}

/// The table of sites, by live bytes.
pub fn sites() -> Sites {
    let mut rows: Vec<SiteRow> = ROWS
        .iter()
        .enumerate()
        .map(|(i, row)| SiteRow { key: Key(i as u64), name: name(row, i), figures: figures(row) })
        .collect();
    let order = Sort::<SortKey>::default();
    rows.sort_by(|a, b| order.compare((a.key, &a.figures), (b.key, &b.figures)));
    let live_bytes = rows.iter().map(|row| row.figures.live_bytes).sum::<u64>() + (2 << 20);
    Sites {
        known: SitesKnown::Yes,
        since: Baseline::Mark(1),
        sums: Figures { live_bytes, with_callees_bytes: live_bytes, ..Figures::default() },
        total: 214,
        rows: Listing { matching: 214, rows, first: 0, selected: 0 },
        lower_bound: false,
        unattributed_bytes: 0,
        names_pending: 12,
    }
}

/// Growth by site.
pub fn growth() -> Growth {
    let row = |(i, row): (usize, &Row)| GrowthRow {
        what: Grown::Site { key: Key(i as u64), name: name(row, i) },
        delta_bytes: row.7 << 10,
        delta_blocks: row.7 * 3,
        live_bytes: row.4 << 10,
    };
    let mut rows: Vec<GrowthRow> = ROWS.iter().enumerate().map(row).collect();
    rows.retain(|row| row.delta_bytes > 0);
    rows.sort_by_key(|row| std::cmp::Reverse(row.delta_bytes));
    Growth {
        since: Baseline::Mark(1),
        age_s: Some(52.0),
        by: GrowthBy::Site,
        rows,
        ..Growth::default()
    }
}

fn frame(text: &str, file: &str, line: u32) -> StackEntry {
    StackEntry::Frame(Frame {
        name: Name { text: text.to_owned(), place: place(file, line, 0), ..Name::default() },
        module: Some("/usr/bin/redis-server".to_owned()),
        inlined: text.starts_with("dictAddRaw"),
        plumbing: false,
    })
}

/// The stack of the first site.
fn stack() -> Stack {
    let entries = vec![
        StackEntry::Folded { frames: 3, what: "allocator" },
        frame("dictAdd", "src/dict.c", 312),
        frame("dictAddRaw", "src/dict.c", 298),
        frame("dbAdd", "src/db.c", 188),
        frame("setGenericCommand", "src/t_string.c", 92),
        frame("setCommand", "src/t_string.c", 140),
        frame("call", "src/server.c", 3320),
        frame("processCommand", "src/server.c", 3921),
        frame("processInputBuffer", "src/networking.c", 2011),
        frame("readQueryFromClient", "src/networking.c", 2190),
        frame("aeProcessEvents", "src/ae.c", 410),
        frame("aeMain", "src/ae.c", 501),
        frame("main", "src/server.c", 7001),
        StackEntry::Folded { frames: 2, what: "runtime" },
    ];
    Stack { entries, cut: false }
}

/// Where it asks.
fn source() -> Source {
    let lines = [
        "    /* Get the index of the new element, or -1 if",
        "     * the element already exists. */",
        "    if ((index = dictKeyIndex(d, key)) == -1)",
        "        return NULL;",
        "",
        "    ht = dictIsRehashing(d) ? &d->ht[1] : &d->ht[0];",
        "    entry = zmalloc(sizeof(*entry));",
        "    entry->next = ht->table[index];",
        "    ht->table[index] = entry;",
        "    ht->used++;",
        "",
        "    /* Set the hash entry fields. */",
        "    dictSetKey(d, entry, key);",
        "    return entry;",
    ];
    Source::Lines {
        file: "/home/me/redis/src/dict.c".to_owned(),
        first: 306,
        lines: lines.map(str::to_owned).to_vec(),
        at: 312,
    }
}

/// The first site, opened.
pub fn site() -> Site {
    let held = |t: i32| (f64::from(t - 41).max(0.0) * 204_800.0) as u64;
    let history =
        (0..192).map(|t| Moment { t_s: f64::from(t), live_bytes: held(t), max_bytes: held(t) });
    let size = |min, max, allocations, bytes| SizeShare { min, max, allocations, bytes };
    let thread = |name: &str, net_bytes, allocations| ThreadShare {
        name: Some(name.to_owned()),
        net_bytes,
        allocations,
    };
    let lived = |up_to_s, blocks| Lifetime { up_to_s, blocks };
    Site {
        key: Key(0),
        name: name(&ROWS[0], 0),
        figures: figures(&ROWS[0]),
        since: Baseline::Mark(1),
        process_live_bytes: 50_541_363,
        stack: stack(),
        stack_index: 0,
        stacks: 3,
        source: source(),
        history: history.collect(),
        history_to_s: None,
        sizes: vec![size(129, 256, 412, 88_004), size(257, 512, 9_012, 2_951_400)],
        threads: Some(vec![
            thread("redis-server", 29 << 20, 1_190_004),
            thread("io_thd_1", 1 << 20, 14_108),
        ]),
        lifetimes: vec![lived(0.1, 6_004), lived(1.0, 812), lived(60.0, 184)],
        sentence: Some(
            "30.1 MiB in 97,412 blocks of 257–384 B, none older than 2:31 ever freed, \
             growing 230 KiB/s."
                .to_owned(),
        ),
    }
}

/// Depth, name, own KiB, Δ KiB, whose code.
type Node = (usize, &'static str, u64, i64, CodeOrigin);

const TREE: &[Node] = {
    use CodeOrigin::{Library, Plumbing, Program, Unknown};
    &[
        (0, "redis-server", 0, 0, Program),
        (1, "main", 120, 0, Program),
        (2, "aeMain", 0, 0, Program),
        (3, "aeProcessEvents", 0, 0, Program),
        (4, "readQueryFromClient", 204, -40, Program),
        (5, "processInputBuffer", 0, 0, Program),
        (6, "processCommand", 0, 0, Program),
        (7, "call", 0, 0, Program),
        (8, "setCommand", 40, 0, Program),
        (9, "setGenericCommand", 0, 0, Program),
        (10, "dbAdd", 100, 0, Program),
        (11, "dictAdd", 30_822, 12_185, Program),
        (9, "createStringObject", 0, 0, Program),
        (10, "sdsnewlen", 4_301, 1_024, Program),
        (8, "zaddCommand", 0, 0, Program),
        (9, "zslInsert", 0, 0, Program),
        (10, "zslCreateNode", 3_310, 0, Program),
        (8, "evalCommand", 0, 0, Program),
        (9, "lua_pcall", 0, 0, Library),
        (10, "lua_newuserdata", 812, 0, Library),
        (10, "0x1a20", 402, 0, Unknown),
        (4, "serverCron", 0, 0, Program),
        (5, "aofRewrite", 612, 612, Program),
        (5, "clusterCron", 0, 0, Program),
        (6, "clusterSendPing", 18, -14, Program),
        (2, "Index::insert", 0, 0, Program),
        (3, "std::vector<std::pair<int, Entry>>::push_back", 2_911, 0, Plumbing),
        (2, "moduleLoad", 120, 0, Program),
        (1, "start_thread", 0, 0, Plumbing),
        (2, "IOThreadMain", 0, 0, Program),
        (3, "_addReplyToBuffer", 1_900, 31, Program),
    ]
};

/// The call tree; with `delta` that of growth.
pub fn flame(delta: bool) -> Flame {
    let mut path: Vec<usize> = Vec::new();
    let mut nodes: Vec<FlameNode> = Vec::new();
    for (i, (depth, text, own, change, origin)) in TREE.iter().enumerate() {
        path.truncate(*depth);
        let own = if delta { (*change).max(0) as u64 } else { *own } << 10;
        nodes.push(FlameNode {
            key: Key(1000 + i as u64),
            parent: path.last().map(|parent| *parent as u32),
            name: Name {
                text: (*text).to_owned(),
                place: place("src/server.c", 100 + i as u32, i),
                ..Name::default()
            },
            own,
            origin: *origin,
            delta_bytes: delta.then_some(0),
            ..FlameNode::default()
        });
        path.push(i);
        for at in &path {
            nodes[*at].value += own;
            nodes[*at].blocks += own / 320;
            nodes[*at].delta_bytes = nodes[*at].delta_bytes.map(|sum| sum + (change << 10));
        }
    }
    let whole = nodes[0].value;
    nodes.retain(|node| node.value > 0 || node.parent.is_none());
    Flame {
        nodes: reindexed(nodes),
        whole,
        shrunk_bytes: if delta { 54 << 10 } else { 0 },
        ..Flame::default()
    }
}

/// Parents by their new places.
fn reindexed(mut nodes: Vec<FlameNode>) -> Vec<FlameNode> {
    let place =
        |key: u64| nodes.iter().position(|node| node.key == Key(1000 + key)).map(|at| at as u32);
    let parents: Vec<_> =
        nodes.iter().map(|node| node.parent.and_then(|parent| place(u64::from(parent)))).collect();
    for (node, parent) in nodes.iter_mut().zip(parents) {
        node.parent = parent;
    }
    nodes
}

/// Five moments, and what differs between the first mark and now.
pub fn snapshots() -> Snapshots {
    let moment = |when, name: Option<&str>, t_s, kib: u64, live_blocks| SnapshotRow {
        when,
        name: name.map(str::to_owned),
        t_s: Some(t_s),
        live_bytes: Some(kib << 10),
        live_blocks: Some(live_blocks),
        ..SnapshotRow::default()
    };
    let mut totals = DiffTotals { groups: [0, 0, 0, 0, 195], ..DiffTotals::default() };
    let row = |(i, row): (usize, &Row)| {
        let (to, delta) = (row.4, row.7);
        let from = to.saturating_add_signed(-delta);
        let blocks = row.5;
        let sides = Sides {
            from_bytes: from << 10,
            from_blocks: if from == 0 {
                0
            } else {
                blocks.saturating_add_signed(-delta * 3).max(1)
            },
            to_bytes: to << 10,
            to_blocks: blocks,
        };
        DiffRow { key: Key(i as u64), name: name(row, i), sides }
    };
    let mut rows: Vec<DiffRow> =
        ROWS.iter().enumerate().filter(|(_, row)| row.7 != 0).map(row).collect();
    rows.iter().for_each(|row| totals.add(&row.sides));
    let order = Sort::<DiffSort>::default();
    rows.sort_by(|a, b| order.compare((a.key, &a.sides), (b.key, &b.sides)));
    let matching = rows.len();
    Snapshots {
        rows: vec![
            SnapshotRow { when: When::Start, t_s: Some(41.3), ..SnapshotRow::default() },
            moment(When::Mark(1), Some("after warm-up"), 140.0, 36_020, 162_012),
            moment(When::Mark(2), None, 170.0, 44_100, 180_455),
            moment(When::Peak, None, 130.2, 53_145, 201_000),
            SnapshotRow {
                file: Some("redis-4100-180s.memtop".to_owned()),
                ..moment(When::File(1), Some("redis-4100-180s.memtop"), 180.0, 31_000, 140_112)
            },
            moment(When::Now, None, 192.0, 49_357, 196_926),
        ],
        diff: Diff {
            problem: None,
            rows: Listing { rows, first: 0, selected: 0, matching },
            totals,
            lower_bound: false,
            as_of_s: [None; 2],
            whole: None,
        },
    }
}

/// The session as something to go through.
pub fn time(points: &[Point]) -> Time {
    let stop = |t_s, what| Stop { t_s, what };
    Time {
        last_mark: 2,
        cleared_s: None,
        source: TimeSource::Recording("redis.memtop".to_owned()),
        first_s: 0.0,
        last_s: 192.0,
        at_s: 104.2,
        before_s: Some(104.1),
        after_s: Some(104.3),
        points: points.to_vec(),
        stops: vec![
            stop(41.3, StopKind::TracingOn),
            stop(52.0, StopKind::Growth(9 << 20)),
            stop(96.0, StopKind::Mark(1)),
            stop(130.2, StopKind::Peak),
            stop(140.0, StopKind::Mark(2)),
            stop(171.0, StopKind::Growth(3 << 20)),
            stop(192.0, StopKind::End),
        ],
        intervals: vec![Interval { from_s: 41.3, to_s: None }],
        peak: Some(Peak { bytes: 54_421_094, t_s: Some(130.2) }),
        sites_from_s: Some(41.3),
        gaps: vec![(20.0, 24.0)],
        seeking: false,
    }
}
