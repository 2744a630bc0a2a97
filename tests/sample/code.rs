//! A program whose stacks are known: who called whom, and for how much.

use memtop::model::*;

/// A tree of calls: functions by id, with file and line.
const FUNCTIONS: [(&str, &str, u32); 6] = [
    ("main", "src/server.c", 7001),
    ("aeMain", "src/ae.c", 514),
    ("readQuery", "src/networking.c", 2643),
    ("dictAdd", "src/dict.c", 312),
    ("sdsnewlen", "src/sds.c", 91),
    ("loadConfig", "src/config.c", 88),
];

/// Calls from outermost to innermost, then bytes and blocks of now and of the peak.
type Site = (&'static [usize], (u64, u64), (u64, u64));

/// The process with these sites: by name, `(bytes, blocks)` of now and of the peak.
pub fn with_sites(process: ProcessState, sites: &[Site]) -> ProcessState {
    let mut update = SitesUpdate {
        modules: vec![
            Module { path: b"/usr/bin/redis-server".to_vec(), build_id: vec![7] },
            Module { path: b"/usr/lib/libnameless.so".to_vec(), build_id: vec![] },
        ],
        locations: (0..FUNCTIONS.len() as u64)
            .map(|at| Location { module: Some(ModuleId(0)), address: 0x1000 + at * 0x10 })
            .chain([Location { module: Some(ModuleId(1)), address: 0x9f }])
            .collect(),
        ..SitesUpdate::default()
    };
    for (chain, now, peak) in sites {
        let mut parent = None;
        for location in *chain {
            update.nodes.push(Node { parent, location: LocationId(*location as u32) });
            parent = Some(NodeId(update.nodes.len() as u32 - 1));
        }
        update.changed.push((StackId(update.stacks.len() as u32), figures(*now, *peak)));
        update.stacks.push(Stack { node: parent, cut: chain.len() == 1 });
    }
    let mut names = Names::default();
    for (at, (name, file, line)) in FUNCTIONS.iter().enumerate() {
        let function =
            Function { name: (*name).into(), file: Some((*file).into()), line: Some(*line) };
        names.insert(LocationId(at as u32), vec![function]);
    }
    let mut state = ProcessState { names, ..process };
    state.sites.apply(update);
    state
}

fn figures(
    (bytes, blocks): (u64, u64),
    (at_peak_bytes, at_peak_blocks): (u64, u64),
) -> SiteFigures {
    SiteFigures {
        current_bytes: bytes,
        current_blocks: blocks,
        at_peak_bytes,
        at_peak_blocks,
        allocated_bytes: bytes + at_peak_bytes,
        allocations: blocks + at_peak_blocks,
        temporary: blocks / 10,
    }
}

/// A server that took in a few requests.
pub fn early() -> ProcessState {
    with_sites(
        super::server(),
        &[
            (&[0, 1, 2, 3], (18_000_000, 60_000), (20_000_000, 70_000)),
            (&[0, 1, 2, 4], (3_000_000, 9_000), (3_000_000, 9_000)),
            (&[0, 5, 4], (40_000, 1), (40_000, 1)),
            (&[0, 5], (90_000, 3), (95_000, 3)),
            (&[6], (512, 4), (0, 0)),
        ],
    )
}

/// The same one after many more.
pub fn late() -> ProcessState {
    let mut state = with_sites(
        super::server(),
        &[
            (&[0, 1, 2, 3], (30_000_000, 91_022), (30_000_000, 91_022)),
            (&[0, 1, 2, 4], (3_000_000, 9_000), (3_000_000, 9_000)),
            (&[0, 5], (80_000, 2), (95_000, 3)),
            (&[0, 1], (612_000, 12), (0, 0)),
            (&[6], (512, 4), (0, 0)),
        ],
    );
    state.totals.current_bytes += 12_000_000;
    state.totals.current_blocks += 31_000;
    state
}

/// A launch of one process.
pub fn alone(process: ProcessState) -> TreeState {
    TreeState { processes: vec![process], ..super::launch() }
}
