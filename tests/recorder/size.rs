//! What a recording takes, and how soon it opens.

use std::{os::fd::AsRawFd, time::Duration};

use memtop::{
    model::*,
    recording::{Bounded, Cursor, File, PAST, Recorder},
    source::{past::Source, replay::Replay},
};

use crate::history::*;

/// Bytes a second of a program whose thousand sites all change each second.
#[test]
fn a_busy_program_is_recorded_within_the_budget() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut sites = Sites::default();
    let mut seed = 1_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let count = 1000_u32;
    let mut update = SitesUpdate {
        locations: (0..count).map(|at| Location { module: None, address: at.into() }).collect(),
        nodes: (0..count).map(|at| Node { parent: None, location: LocationId(at) }).collect(),
        stacks: (0..count).map(|at| Stack { node: Some(NodeId(at)), cut: false }).collect(),
        ..SitesUpdate::default()
    };
    let mut program = Program::new(0, Duration::ZERO, None);
    program.stacks_at_most = 0;
    let seconds = 120;
    for tick in 1..=seconds * 10 {
        let mut changed = Vec::new();
        for stack in 0..count {
            let former = sites.figures.get(stack as usize).copied().unwrap_or_default();
            let (allocations, size) = (50 + random(100), 16 + random(400));
            changed.push((
                StackId(stack),
                SiteFigures {
                    current_bytes: random(1 << 20),
                    current_blocks: random(1 << 12),
                    allocations: former.allocations + allocations,
                    allocated_bytes: former.allocated_bytes + allocations * size,
                    temporary: former.temporary + random(allocations),
                    ..former
                },
            ));
        }
        update.changed = changed;
        sites.apply(update.clone());
        let mut look = program.look(0, TICK * tick);
        look.sites = std::mem::take(&mut update);
        recorder.tick(TICK * tick, vec![look]).expect("memory");
    }
    let bytes = recorder.finish(None).expect("memory").len() as u64;
    let per_second = bytes / u64::from(seconds);
    println!("{per_second} bytes a second");
    assert!(per_second <= 50_000, "{per_second} bytes a second");
}

/// However long it goes on, the past that is kept in memory takes no more than it may, is found
/// under the same descriptor, and holds the beginning and the last minute.
#[test]
fn a_recording_in_memory_keeps_to_its_size() {
    let most = 1 << 20;
    let memory = memtop::sys::file::in_memory(PAST).expect("memory");
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    let (bounded, saved) = Bounded::in_memory(memory, most);
    let mut recorder = Recorder::new(bounded, &[], Duration::ZERO).expect("memory");
    recorder.keep_to(most);
    let mut program = Program::new(0, Duration::ZERO, None);
    program.stacks_at_most = 100;
    let ticks = 12_000;
    for tick in 1..=ticks {
        recorder.tick(TICK * tick, vec![program.look(0, TICK * tick)]).expect("memory");
        let length = std::fs::metadata(&path).expect("a file").len();
        assert!(length <= most + most / 8, "{length} bytes after {tick} ticks");
    }
    assert!(saved.bytes() > 0, "it was thinned");
    let file = File::open(path.as_ref()).expect("a recording");
    assert!(file.end() + Duration::from_secs(1) > TICK * ticks && !file.gaps().is_empty());
    let mut cursor = Cursor::new(0);
    for tick in [1, ticks - 20, ticks - 300] {
        cursor.seek(&file, TICK * tick).expect("a moment");
        assert!(cursor.state(&file).is_some(), "tick {tick}");
    }
    // Ticks of the last minute, of which no timeline frame tells yet, can be stepped through.
    let mut replay = Replay::of(file, path.as_ref()).expect("a process");
    let at = TICK * (ticks - 20);
    replay.show_moment(0, at);
    replay.read(Some(0));
    assert_eq!((replay.past().before, replay.past().after), (Some(at - TICK), Some(at + TICK)));
}

/// A day of a busy program: how long it takes to open, to jump, and how much memory.
#[test]
fn a_long_recording_opens_at_once_at_any_moment() {
    let hours = if std::env::var_os("MEMTOP_LONG").is_some() { 24 } else { 1 };
    let path = std::env::temp_dir().join(format!("memtop-long-{}.memtop", std::process::id()));
    let out = std::io::BufWriter::new(std::fs::File::create(&path).expect("a temporary file"));
    let mut recorder = Recorder::new(out, &[], Duration::ZERO).expect("a recording");
    let mut program = Program::new(0, Duration::ZERO, None);
    program.stacks_at_most = 100;
    for tick in 1..=hours * 36_000 {
        recorder.tick(TICK * tick, vec![program.look(0, TICK * tick)]).expect("room");
    }
    recorder.finish(None).expect("room");
    let began = std::time::Instant::now();
    let file = File::open(&path).expect("a recording");
    let mut points = 0;
    file.each_point(0, Duration::MAX, &mut |_| points += 1).expect("points");
    let mut cursor = Cursor::new(0);
    cursor.seek(&file, Duration::MAX).expect("the end");
    let first = began.elapsed();
    let mut slowest = Duration::ZERO;
    for part in [3, 90, 17, 55, 54, 99, 1] {
        let began = std::time::Instant::now();
        cursor.seek(&file, TICK * (hours * 360 * part)).expect("a moment");
        assert!(cursor.state(&file).is_some());
        slowest = slowest.max(began.elapsed());
    }
    let bytes = std::fs::metadata(&path).expect("a file").len();
    std::fs::remove_file(&path).expect("a file");
    println!("{hours} h, {bytes} bytes: open {first:?}, jump {slowest:?}, {points} points");
    // Ten times what is promised of an optimised build with the machine to itself.
    assert!(first < Duration::from_secs(5) && slowest < Duration::from_secs(1));
}
