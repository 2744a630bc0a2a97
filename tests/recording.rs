//! The recording format: it holds what it is given, and survives what files go through.

mod support;

use std::{path::Path, time::Duration};

use memtop::{
    model::*,
    recording::{self, MAGIC, ReadError, Recording, read_tree},
};
use proptest::{collection::vec, option, prelude::*};
use support::{launch, recording};

fn read(bytes: &[u8]) -> Recording {
    read_tree(bytes).expect("a recording")
}

fn dump(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    recording::dump(bytes, &mut text).expect("a dump");
    String::from_utf8(text).expect("a dump is text")
}

#[test]
fn a_launch_is_read_as_it_was_written() {
    let tree = launch();
    let bytes = recording(&tree);
    let read = read(&bytes);
    assert_eq!(read.tree, tree);
    assert!(!read.cut);
    assert_eq!(read.good_bytes, bytes.len() as u64);
}

/// `MEMTOP_BLESS=1` writes the files anew; a released one never changes.
#[test]
fn the_first_format_stays_readable() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (file, text) = (folder.join("first.memtop"), folder.join("first.txt"));
    if std::env::var_os("MEMTOP_BLESS").is_some() {
        let bytes = recording(&launch());
        std::fs::write(&file, &bytes).expect("golden file");
        std::fs::write(&text, dump(&bytes)).expect("golden dump");
    }
    let golden = recording::open(&file).expect("golden file");
    assert_eq!(golden.tree, launch());
    assert!(!golden.cut);
    let bytes = std::fs::read(&file).expect("golden file");
    assert_eq!(
        dump(&bytes),
        std::fs::read_to_string(&text).expect("golden dump")
    );
}

#[test]
fn a_file_cut_at_any_byte_opens_up_to_the_cut() {
    let bytes = recording(&launch());
    assert!(matches!(read_tree(&b""[..]), Err(ReadError::Empty)));
    for length in 1..bytes.len() {
        match read_tree(&bytes[..length]) {
            Err(error) => assert!(length < 12 && matches!(error, ReadError::TooShort)),
            Ok(cut) => {
                assert!(cut.cut, "cut at {length}");
                assert!(cut.good_bytes <= length as u64);
                assert!(cut.tree.processes.len() <= 3);
            }
        }
    }
}

#[test]
fn what_stands_before_the_cut_is_kept() {
    let tree = launch();
    let bytes = recording(&tree);
    let cut = read(&bytes[..bytes.len() - 1]);
    assert!(cut.cut);
    assert_eq!(cut.tree, tree);
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let bytes = recording(&launch());
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << bit;
            let read = read_tree(&damaged[..]);
            assert!(
                read.is_ok_and(|read| read.cut) || index < 12,
                "byte {index}, bit {bit}"
            );
        }
    }
}

/// A frame with a right CRC, whatever it holds.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    for part in [&length[..], &[kind], payload] {
        crc.update(part);
    }
    [&length[..], &[kind], &crc.finalize().to_le_bytes(), payload].concat()
}

fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    [&MAGIC[..], &1_u32.to_le_bytes(), &frames.concat()].concat()
}

#[test]
fn hostile_lengths_are_cuts() {
    let overlong = [0xff; 10];
    for length in [u32::MAX, (4 << 20) + 1, 4 << 20, 1] {
        let bytes = [&file(&[])[..], &length.to_le_bytes(), &[4, 0, 0, 0, 0]].concat();
        assert!(read(&bytes).cut, "length {length}");
    }
    for payload in [
        &overlong[..],
        &[1],
        &[1, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[4, 3, 1, 9],
    ] {
        for kind in 1..=7 {
            assert!(
                read(&file(&[frame(kind, payload)])).cut,
                "{kind}: {payload:x?}"
            );
        }
    }
}

#[test]
fn a_recording_that_would_fill_the_memory_is_refused() {
    // One byte a sample in the file, more than fifty in memory.
    let samples = [&[1, 1, 0, 2, 0x80, 0x80, 0x04][..], &[0; 1 << 16]].concat();
    let mut frames = vec![frame(2, &[1, 1, 0])];
    frames.resize(200, frame(5, &samples));
    assert!(matches!(
        read_tree(&file(&frames)[..]),
        Err(ReadError::TooLarge)
    ));
}

#[test]
fn what_a_newer_memtop_adds_is_skipped() {
    let bytes = file(&[
        frame(200, b"anything"),
        frame(2, &[1, 1, 7, 2, 1, 42, 99, 3, 1, 2, 3]),
        frame(4, &[1, 1, 7, 2, 1, 5, 4, 2, 0xff, 0xff]),
        frame(7, &[1, 1, 3]),
    ]);
    let newer = read(&bytes);
    assert!(!newer.cut, "{}", dump(&bytes));
    assert_eq!(newer.tree.processes.len(), 1);
    assert_eq!(newer.tree.processes[0].identity.pid, 42);
    assert!(dump(&bytes).contains("skipped kind=200 length=8"));
}

#[test]
fn a_missing_frame_is_noticed_at_the_end() {
    assert!(read(&file(&[frame(7, &[1, 1, 3])])).cut);
}

#[test]
fn frames_of_a_stranger_are_skipped() {
    let window = frame(3, &[1, 1, 9]);
    let read = read(&file(&[window, frame(7, &[1, 1, 1])]));
    assert!(!read.cut);
    assert!(read.tree.processes.is_empty());
}

#[test]
fn other_files_and_versions_are_refused_in_words() {
    let message = |bytes: &[u8]| read_tree(bytes).expect_err("no recording").to_string();
    assert!(message(b"\x7fELF\x02\x01\x01\0\0\0\0\0").contains("not a memtop recording"));
    assert!(message(&MAGIC[..5]).contains("cut"));
    let newer = [&MAGIC[..], &2_u32.to_le_bytes()].concat();
    assert!(message(&newer).contains("format 2"));
    let zero = [&MAGIC[..], &0_u32.to_le_bytes()].concat();
    assert!(matches!(read_tree(&zero[..]), Err(ReadError::Version(0))));
}

fn times() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_nanos)
}

fn exits() -> impl Strategy<Value = Option<Exit>> {
    option::of(prop_oneof![
        any::<i32>().prop_map(Exit::Code),
        any::<i32>().prop_map(Exit::Signal)
    ])
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
    fn totals()(n in any::<[u64; 14]>(), peak_at in option::of(times())) -> Totals {
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
        n in any::<[u64; 5]>(),
        (frames_unresolved, stacks_cut) in any::<(Option<u64>, Option<u64>)>(),
        ns_per_event in option::of(0.0..1e6),
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
        }
    }
}

fn size_classes() -> impl Strategy<Value = Vec<SizeClass>> {
    let class = any::<[u64; 6]>().prop_map(|n| SizeClass {
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

prop_compose! {
    fn processes()(
        identity in identities(),
        intervals in vec((times(), option::of(times())), 0..3),
        totals in totals(),
        untracked in untracked(),
        n in any::<[u64; 4]>(),
        exactness in exactness(),
        (size_classes, size_classes_at_peak) in (size_classes(), size_classes()),
        threads in threads(),
        timeline in points(),
    ) -> ProcessState {
        let intervals = intervals.into_iter().map(|(from, to)| Interval { from, to });
        ProcessState {
            identity,
            window: Window { intervals: intervals.collect() },
            totals,
            untracked,
            inherited: Inherited { blocks: n[0], bytes: n[1], frees: n[2], freed_bytes: n[3] },
            exactness,
            size_classes,
            size_classes_at_peak,
            threads,
            timeline,
        }
    }
}

prop_compose! {
    fn trees()(
        command in commands(),
        launched_at in times(),
        exit in exits(),
        processes in vec(processes(), 0..4),
    ) -> TreeState {
        TreeState { command, launched_at, exit, processes }
    }
}

proptest! {
    #[test]
    fn any_tree_is_read_as_it_was_written(tree in trees()) {
        let bytes = recording(&tree);
        let read = read(&bytes);
        prop_assert_eq!(read.tree, tree);
        prop_assert!(!read.cut);
        prop_assert!(!dump(&bytes).is_empty());
    }

    #[test]
    fn any_payload_is_read_without_panic(frames in vec((0_u8..10, vec(any::<u8>(), 0..40)), 0..6)) {
        let frames: Vec<_> = frames.iter().map(|(kind, payload)| frame(*kind, payload)).collect();
        let bytes = file(&frames);
        let _ = read_tree(&bytes[..]);
        prop_assert!(dump(&bytes).starts_with("memtop recording"));
    }
}
