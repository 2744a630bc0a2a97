//! The last events before a moment.

use std::collections::BTreeSet;

use memtop::recording::{EventRecord, Events, Moment, Tail};

use super::*;

const THREADS: u32 = 3;
const MOST: usize = 1000;

/// Threads that write several frames a tick, each event of a size of its own.
fn recorded(ticks: u64) -> (File<Vec<u8>>, Vec<Moment>) {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, None);
    let (mut all, mut size, mut random) = (Vec::new(), 0, random::random());
    for tick in 1..=ticks {
        let now = TICK * tick as u32;
        recorder.tick(now, vec![program.look(0, now)]).expect("memory");
        for tid in 0..THREADS {
            for _ in 0..random(4) {
                let mut events = Events {
                    tid,
                    events: Vec::new(),
                    began: vec![now.as_nanos() as u64],
                    ..Events::default()
                };
                for _ in 0..1 + random(700) {
                    size += 1;
                    let event =
                        EventRecord { address: size * 16, size, tick, ..Default::default() };
                    events.events.push(event);
                    all.push(Moment { tid, at: now, event });
                }
                assert!(recorder.events(0, &events.encode()).expect("memory"));
            }
        }
    }
    (File::new(recorder.finish(None).expect("memory")).expect("a recording"), all)
}

#[test]
fn the_last_events_are_those_of_every_thread_in_order() {
    let (file, all) = recorded(60);
    let mut playing = Tail::default();
    for tick in (1..=61).chain([13, 40, 12]) {
        let at = TICK * tick;
        let before: Vec<_> = all.iter().filter(|one| one.at < at).copied().collect();
        let shown = playing.before(&file, 0, at).expect("memory");
        assert_eq!(shown, Tail::default().before(&file, 0, at).expect("memory"), "tick {tick}");
        assert_eq!(shown.len(), before.len().min(MOST), "tick {tick}");
        assert!(shown.is_sorted_by_key(|one| one.at));
        for tid in 0..THREADS {
            let of = |all: &[Moment]| -> Vec<_> {
                all.iter().filter(|one| one.tid == tid).map(|one| one.event.size).collect()
            };
            assert!(of(&before).ends_with(&of(&shown)), "thread {tid}, tick {tick}");
        }
        // What is left out is no newer than what is shown.
        let sizes: BTreeSet<_> = shown.iter().map(|one| one.event.size).collect();
        let is_shown = |one: &&Moment| sizes.contains(&one.event.size);
        let oldest = shown.first().map_or(at, |one| one.at);
        assert!(before.iter().filter(|one| !is_shown(one)).all(|one| one.at <= oldest));
    }
}

/// What is written waits until it is flushed.
#[derive(Default)]
struct Waits {
    waiting: usize,
}

impl std::io::Write for Waits {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.waiting += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.waiting = 0;
        Ok(())
    }
}

#[test]
fn what_is_behind_is_handed_on_while_ticks_are_skipped() {
    let mut recorder = Recorder::new(Waits::default(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, None);
    recorder.tick(TICK, vec![program.look(0, TICK)]).expect("memory");
    let events = Events {
        tid: 1,
        events: vec![EventRecord::default(); 500],
        began: vec![0; 1],
        ..Events::default()
    };
    assert!(recorder.events(0, &events.encode()).expect("memory"));
    assert!(recorder.get_mut().waiting > 0);
    recorder.skip(TICK * 2, vec![program.look(0, TICK * 2)]).expect("memory");
    assert_eq!(recorder.get_mut().waiting, 0);
}
