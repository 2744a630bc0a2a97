//! Launches with anything in every field.

use std::time::Duration;

use memtop::model::*;
use proptest::{
    array::{uniform5, uniform6, uniform14},
    collection::vec,
    option,
    prelude::*,
};

/// Any number, the ends of the range more often.
fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(0), Just(1), Just(u64::MAX)]
}

fn times() -> impl Strategy<Value = Duration> {
    numbers().prop_map(Duration::from_nanos)
}

fn exits() -> impl Strategy<Value = Option<Exit>> {
    option::of(prop_oneof![any::<i32>().prop_map(Exit::Code), any::<i32>().prop_map(Exit::Signal)])
}

fn commands() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..6), 0..4)
}

prop_compose! {
    fn identities()(
        (pid, generation, parent) in any::<(u32, u32, Option<u32>)>(),
        command in commands(),
        entry in prop_oneof![Just(Entry::Preload), Just(Entry::Embedded), Just(Entry::Fork)],
        started in times(),
        ended in option::of(times()),
        exit in exits(),
    ) -> Identity {
        Identity { pid, generation, parent, command, entry, started, ended, exit }
    }
}

prop_compose! {
    fn totals()(n in uniform14(numbers()), peak_at in option::of(times())) -> Totals {
        Totals {
            current_bytes: n[0],
            current_blocks: n[1],
            peak_bytes: n[2],
            peak_blocks: n[3],
            peak_at,
            max_blocks: n[4],
            allocated_bytes: n[5],
            allocations: n[6],
            freed_bytes: n[7],
            frees: n[8],
            reallocations: n[9],
            temporary: n[10],
            usable_current_bytes: n[11],
            usable_allocated_bytes: n[12],
            usable_freed_bytes: n[13],
        }
    }
}

prop_compose! {
    fn untracked()(
        (frees, freed_bytes, net_bytes) in any::<(u64, u64, i64)>(),
        census in option::of(any::<[u64; 4]>()),
    ) -> Untracked {
        let census = census.map(|n| Census {
            blocks: n[0],
            bytes: n[1],
            still_live_blocks: n[2],
            still_live_bytes: n[3],
        });
        Untracked { frees, freed_bytes, net_bytes, census }
    }
}

prop_compose! {
    fn exactness()(
        n in uniform5(numbers()),
        (frames_unresolved, stacks_cut) in any::<(Option<u64>, Option<u64>)>(),
        ns_per_event in option::of(0.0..1e6),
        ns_per_event_error in option::of(0.0..1e6),
    ) -> Exactness {
        Exactness {
            peak_error_bytes: n[0],
            dropped_events: n[1],
            lost_records: n[2],
            unattributed_blocks: n[3],
            frames_unresolved,
            stacks_cut,
            tracer_bytes: n[4],
            ns_per_event,
            ns_per_event_error,
        }
    }
}

fn size_classes() -> impl Strategy<Value = Vec<SizeClass>> {
    let class = uniform6(numbers()).prop_map(|n| SizeClass {
        min: n[0],
        max: n[1],
        current_blocks: n[2],
        current_bytes: n[3],
        allocations: n[4],
        allocated_bytes: n[5],
    });
    vec(class, 0..5)
}

fn threads() -> impl Strategy<Value = Vec<ThreadState>> {
    let thread = any::<(u32, Option<String>, i64, u64, u64)>().prop_map(
        |(tid, name, current_bytes, allocations, allocated_bytes)| ThreadState {
            tid,
            name,
            current_bytes,
            allocations,
            allocated_bytes,
        },
    );
    vec(thread, 0..4)
}

fn points() -> impl Strategy<Value = Vec<Point>> {
    let point =
        (times(), any::<[u64; 3]>(), any::<Option<u64>>()).prop_map(|(at, n, rss_bytes)| Point {
            at,
            current_bytes: n[0],
            max_bytes: n[1],
            rss_bytes,
            untracked_freed_bytes: n[2],
        });
    vec(point, 0..20)
}

fn figures() -> impl Strategy<Value = SiteFigures> {
    proptest::array::uniform7(numbers()).prop_map(|n| SiteFigures {
        current_bytes: n[0],
        current_blocks: n[1],
        at_peak_bytes: n[2],
        at_peak_blocks: n[3],
        allocated_bytes: n[4],
        allocations: n[5],
        temporary: n[6],
    })
}

/// Ids that may lead anywhere, as they may in a file; but figures of every stack.
pub fn sites() -> impl Strategy<Value = Sites> {
    let bytes = || vec(any::<u8>(), 0..5);
    let module = (bytes(), bytes()).prop_map(|(path, build_id)| Module { path, build_id });
    let ids = || option::of(0..u32::MAX);
    let location = (ids(), numbers())
        .prop_map(|(module, address)| Location { module: module.map(ModuleId), address });
    let node = (ids(), any::<u32>()).prop_map(|(parent, location)| Node {
        parent: parent.map(NodeId),
        location: LocationId(location),
    });
    let stack =
        (ids(), any::<bool>()).prop_map(|(node, cut)| Stack { node: node.map(NodeId), cut });
    let stacks = vec((stack, figures()), 0..6);
    (vec(module, 0..3), vec(location, 0..6), vec(node, 0..6), stacks).prop_map(
        |(modules, locations, nodes, stacks)| {
            let (stacks, figures) = stacks.into_iter().unzip();
            Sites { modules, locations, nodes, stacks, figures, as_of: None }
        },
    )
}

/// Names for some of so many locations.
pub fn names(locations: usize) -> impl Strategy<Value = Names> {
    let text = || "[a-z\u{e9}]{0,4}".prop_map(|text| text.into());
    let function = (text(), option::of(text()), any::<Option<u32>>())
        .prop_map(|(name, file, line)| Function { name, file, line });
    let functions = option::of(vec(function, 0..3));
    vec(functions, locations).prop_map(|all| {
        let mut names = Names::default();
        for (at, functions) in all.into_iter().enumerate() {
            if let Some(functions) = functions {
                names.insert(LocationId(at as u32), functions);
            }
        }
        names
    })
}

fn sites_and_names() -> impl Strategy<Value = (Sites, Names)> {
    sites().prop_flat_map(|sites| {
        let count = sites.locations.len();
        (Just(sites), names(count))
    })
}

prop_compose! {
    /// Any process image.
    pub fn processes()(
        identity in identities(),
        intervals in vec((times(), option::of(times())), 0..3),
        cleared in option::of(times()),
        totals in totals(),
        untracked in untracked(),
        n in any::<[u64; 4]>(),
        exactness in exactness(),
        (size_classes, size_classes_at_peak) in (size_classes(), size_classes()),
        threads in threads(),
        (sites, names) in sites_and_names(),
        timeline in points(),
    ) -> ProcessState {
        let intervals = intervals.into_iter().map(|(from, to)| Interval { from, to });
        ProcessState {
            identity,
            window: Window { intervals: intervals.collect(), cleared },
            totals,
            untracked,
            inherited: Inherited { blocks: n[0], bytes: n[1], frees: n[2], freed_bytes: n[3] },
            exactness,
            size_classes,
            size_classes_at_peak,
            threads,
            sites,
            names,
            timeline,
        }
    }
}

prop_compose! {
    fn untraced()(
        parent in option::of(any::<u32>()),
        command in commands(),
        started in times(),
        ended in option::of(times()),
        why in option::of(".{0,12}"),
    ) -> UntracedProcess {
        UntracedProcess { pid: 0, parent, command, started, ended, why }
    }
}

prop_compose! {
    /// Any launch, likely or not.
    pub fn trees()(
        command in commands(),
        launched_at in times(),
        exit in exits(),
        processes in vec(processes(), 0..4),
        untraced in vec(untraced(), 0..3),
    ) -> TreeState {
        // One is told from another by its pid and start.
        let numbered = (1..).zip(untraced);
        let untraced = numbered.map(|(pid, one)| UntracedProcess { pid, ..one }).collect();
        TreeState { command, launched_at, exit, processes, untraced }
    }
}
