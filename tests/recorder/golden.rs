//! A recording with frames of every kind, kept as it was first written: it stays readable for
//! ever.

use std::{fmt::Write, fs, path::Path, time::Duration};

use memtop::{
    model::*,
    recording::{
        self, EventRecord, Events, File, Gap, Kind, Mark, Recorder, When, Window, Writer,
        each_in_order,
    },
};

use crate::history::*;

/// What two threads did in tick `tick`, some of it foreseen by the format and some not.
fn events(tid: u32, tick: u64) -> Events {
    let mut events = Vec::new();
    let mut live: Vec<EventRecord> = Vec::new();
    let mut seed = u64::from(tid) + tick;
    for number in 0..150 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let random = seed >> 33;
        let stack = (random % 5) as u32;
        let size = if random.is_multiple_of(40) { 3 << 20 } else { 16 + random % 200 };
        let address = (u64::from(tid) << 32) | (number * 48);
        let new = EventRecord { address, size, tick, stack, ..EventRecord::default() };
        match random % 7 {
            0..3 if !live.is_empty() => {
                let old = live.remove(random as usize % live.len());
                events.push(EventRecord { kind: Kind::Free, tick, birth: old.tick, ..old });
                continue;
            }
            3 => events.push(EventRecord { kind: Kind::FreeUntracked, stack: 0, ..new }),
            4 => events.push(EventRecord { kind: Kind::Reallocate, ..new }),
            _ => events.push(new),
        }
        if events.last().is_some_and(|last| !last.kind.is_free()) {
            live.push(new);
        }
    }
    Events { tid, events, began: vec![tick * 100_000_000], ..Events::default() }
}

/// As if it was written by a keeper.
pub fn every_kind() -> Vec<u8> {
    let command = [b"server".to_vec(), b"--port".to_vec(), b"1".to_vec()];
    let mut recorder =
        Recorder::new(Vec::new(), &command, Duration::from_secs(1_700_000_000)).unwrap();
    let mut programs = [Program::new(1, TICK, None), Program::new(2, TICK * 3, Some(15))];
    for tick in 1..=75_u32 {
        let now = TICK * tick;
        let live = programs.iter_mut().enumerate().filter(|(_, one)| {
            now >= one.started && one.ends_after.is_none_or(|last| one.ticks <= last)
        });
        let looks = live.map(|(image, one)| one.look(image, now)).collect();
        recorder.tick(now, looks).unwrap();
        match tick {
            20 => {
                let mut names = Names::default();
                let function = Function {
                    name: "parse".into(),
                    file: Some("src/parse.c".into()),
                    line: Some(12),
                };
                names.insert(LocationId(0), vec![function]);
                recorder.names(0, &names).unwrap();
            }
            30 => {
                let label = "before the load".to_owned();
                recorder.mark(Some(0), &Mark { at: TICK * 29, number: 1, label }).unwrap();
            }
            40..=42 => {
                for tid in [7, 8] {
                    let events = events(tid, u64::from(tick));
                    assert!(recorder.events(0, &events.encode()).unwrap());
                }
            }
            70 => {
                let gap = Gap { from: TICK * 61, to: TICK * 64, reason: Gap::SLOW };
                recorder.gap(&gap).unwrap();
            }
            _ => {}
        }
    }
    recorder.finish(Some(Exit::Signal(15))).unwrap()
}

/// Everything it says, as text.
fn told(path: &Path) -> String {
    let mut text = Vec::new();
    recording::dump_file(path, &mut text).unwrap();
    let mut text = String::from_utf8(text).unwrap();
    let file = File::open(path).unwrap();
    each_in_order(&file, 0, |one| {
        let EventRecord { kind, address, size, tick, birth, stack } = one.event;
        let (tid, at) = (one.tid, one.at);
        let _ = writeln!(
            text,
            "{at:?} tid={tid} tick={tick} {kind:?} {address:#x} size={size} stack={stack} birth={birth}"
        );
        Ok(())
    })
    .unwrap();
    for second in [0, 2, 5, 8] {
        let at = file.recording_at(When::At(Duration::from_secs(second))).unwrap();
        let totals = at.tree.processes.iter().map(|process| process.totals.current_bytes);
        let _ = writeln!(text, "at {second}s: {:?}", totals.collect::<Vec<_>>());
    }
    text
}

/// Events of two threads, which drew stamps by turns.
fn stamped() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &[], Duration::ZERO).unwrap();
    let image = writer.process(&Identity::default()).unwrap();
    for (tid, stamps) in [(7, [0, 3, 4]), (8, [1, 2, 5])] {
        let events = events(tid, 1);
        let count = events.events.len() as u64 / 3;
        let windows = stamps.map(|after| (Window { after, before: after + 2 }, count)).to_vec();
        let events = Events { windows, ..events };
        writer.events(image, &events.encode()).unwrap();
    }
    writer.end().unwrap()
}

/// `MEMTOP_BLESS_GOLDEN=second` writes that file anew; a released one never changes.
#[test]
fn the_first_segments_stay_readable() {
    let file = golden("second", every_kind);
    assert!(!file.is_cut() && file.has_events(0) && !file.has_events(1));
    assert_eq!((file.marks().len(), file.gaps().len()), (1, 1));
}

#[test]
fn events_with_stamps_stay_readable() {
    assert!(golden("third", stamped).has_events(0));
}

/// The file of a name, which says what it said when it was made.
fn golden(name: &str, make: impl Fn() -> Vec<u8>) -> File {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let path = tests.join(format!("golden/{name}.memtop"));
    let text = path.with_extension("txt");
    if std::env::var("MEMTOP_BLESS_GOLDEN").is_ok_and(|blessed| blessed == name) {
        fs::write(&path, make()).unwrap();
        fs::write(&text, told(&path)).unwrap();
        fs::copy(&path, tests.join("fuzz/corpus/recording").join(name)).unwrap();
    }
    assert_eq!(told(&path), fs::read_to_string(&text).unwrap());
    File::open(&path).unwrap()
}

/// The writer may change, and what it writes then is still read as it was meant.
#[test]
fn what_is_written_now_says_the_same() {
    let path = std::env::temp_dir().join(format!("memtop-golden-{}", std::process::id()));
    fs::write(&path, every_kind()).unwrap();
    let file = File::open(&path).unwrap();
    let mut events = Vec::new();
    each_in_order(&file, 0, |one| {
        events.push(*one);
        Ok(())
    })
    .unwrap();
    let _ = fs::remove_file(&path);
    for tid in [7, 8] {
        let written = (40..=42).flat_map(|tick| self::events(tid, tick).events);
        let read = events.iter().filter(|one| one.tid == tid).map(|one| one.event);
        assert!(written.eq(read));
    }
}
