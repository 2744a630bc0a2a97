//! Recordings that begin with what another one holds.

use std::{collections::BTreeMap, fs, io::Write, path::PathBuf};

use memtop::recording::{Bounded, Saved};

use super::*;

/// The programs' looks of a tick, which go into the history as well.
fn looks(programs: &mut [Program], now: Duration, history: &mut History) -> Vec<Look> {
    let mut looks = Vec::new();
    for (image, program) in programs.iter_mut().enumerate() {
        let over = program.ends_after.is_some_and(|end| program.ticks > end);
        if now < program.started || over {
            continue;
        }
        let look = program.look(image, now);
        let (state, point) = (look.state.clone(), look.point);
        let seen = Seen { state, point, sites: program.sites.clone() };
        history.entry(now).or_default().insert(image, seen);
        looks.push(look);
    }
    looks
}

fn assert_shows_all(bytes: Vec<u8>, history: &History) {
    let in_order = read_tree(&bytes[..]).expect("a recording");
    let file = File::new(bytes).expect("a recording");
    assert!(!file.is_cut() && !in_order.cut);
    assert_eq!(file.recording_at(When::End).expect("memory").tree, in_order.tree);
    let images: std::collections::BTreeSet<_> = history.values().flat_map(BTreeMap::keys).collect();
    assert_eq!(file.images().len(), images.len());
    for image in images {
        let (mut cursor, mut points) = (Cursor::new(*image), Vec::new());
        for (now, images) in history {
            let Some(seen) = images.get(image) else { continue };
            cursor.seek(&file, file.images()[*image].own_time(*now)).expect("memory");
            assert_shows(&cursor, &file, seen);
            points.push(seen.point);
        }
        assert_eq!(in_order.tree.processes[*image].timeline, points);
        assert_eq!(Some(cursor.sites()), last(history, *image).map(|seen| &seen.sites));
    }
}

fn last(history: &History, image: usize) -> Option<&Seen> {
    history.values().rev().find_map(|images| images.get(&image))
}

/// Wherever it is forked, and however often, both show every tick as it was.
#[test]
fn a_fork_has_all_that_was_and_all_that_comes() {
    for forks in [&[1][..], &[29, 30], &[45, 45, 300], &[599, 650]] {
        let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
        let (mut programs, mut history) = (three_programs(), History::new());
        let mut forked: Vec<Recorder<Vec<u8>>> = Vec::new();
        for tick in 1..=700 {
            let now = TICK * tick;
            let looks = looks(&mut programs, now, &mut history);
            for one in forked.iter_mut().chain([&mut recorder]) {
                one.tick(now, looks.clone()).expect("memory");
            }
            for _ in forks.iter().filter(|fork| **fork == tick) {
                let fork = recorder.fork(|out| Ok(out.clone())).expect("memory");
                forked.push(fork);
            }
        }
        for one in forked.into_iter().chain([recorder]) {
            assert_shows_all(one.finish(Some(Exit::Code(3))).expect("memory"), &history);
        }
    }
}

#[test]
fn a_fork_that_cannot_begin_leaves_the_other_as_it_was() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let (mut programs, mut history) = (three_programs(), History::new());
    for tick in 1..=90 {
        let now = TICK * tick;
        recorder.tick(now, looks(&mut programs, now, &mut history)).expect("memory");
        if tick == 41 {
            let refused = |_: &mut _| Err::<Vec<u8>, _>(std::io::ErrorKind::StorageFull.into());
            assert!(recorder.fork(refused).is_err());
        }
    }
    assert_shows_all(recorder.finish(None).expect("memory"), &history);
}

/// A past that has met its size, and a file that begins with it and keeps to another.
struct Kept {
    history: History,
    file: PathBuf,
    saved: Saved,
    most: u64,
}

fn kept(name: &str, most: u64) -> Kept {
    const PAST_BYTES: u64 = 1 << 20;
    let file = std::env::temp_dir().join(format!("memtop-fork-{}-{name}", std::process::id()));
    let memory = memtop::sys::file::in_memory(memtop::recording::PAST).expect("memory");
    let (past, _) = Bounded::in_memory(memory, PAST_BYTES);
    let mut past = Recorder::new(past, &[], Duration::ZERO).expect("memory");
    past.keep_to(PAST_BYTES);
    let (mut programs, mut history) = (vec![Program::new(0, Duration::ZERO, None)], History::new());
    programs[0].stacks_at_most = 0;
    let mut forked = None;
    for tick in 1..=9_000 {
        let now = TICK * tick;
        let looks = looks(&mut programs, now, &mut history);
        let own = forked.as_mut().map(|(one, _): &mut (Recorder<Bounded>, _)| one);
        own.into_iter().for_each(|one| one.tick(now, looks.clone()).expect("room"));
        past.tick(now, looks).expect("memory");
        if tick % 1500 == 0 {
            let mark = Mark { at: now, number: tick / 1500, label: String::new() };
            past.mark(Some(0), &mark).expect("memory");
        }
        if tick == 6_000 {
            let out = fs::File::create(&file).expect("a temporary file");
            let (mut new, saved) = Bounded::new(out, &file, most);
            saved.await_beginning();
            let begin = |kept: &mut Bounded| new.begin_with(kept.hold()?).map(|()| new);
            let mut fork = past.fork(begin).expect("room");
            assert!(saved.has_begun());
            fork.keep_to(most);
            forked = Some((fork, saved));
        }
    }
    let (fork, saved) = forked.expect("a fork");
    fork.finish(None).expect("room").flush().expect("room");
    Kept { history, file, saved, most }
}

impl Kept {
    /// Everything of the timeline, every tick behind what is missing, and the marks until then.
    fn assert_is_right(&self) {
        let file = File::open(&self.file).expect("a recording");
        let length = fs::metadata(&self.file).expect("a file").len();
        assert!(length <= self.most.saturating_add(self.most / 8), "{length} bytes");
        assert!(!file.is_cut());
        assert_eq!(file.marks().len(), 4, "those that were set before it began");
        let gap = file.gaps().first().expect("something is missing");
        assert_eq!((file.gaps().len(), Some(gap.to)), (1, self.saved.until()));
        let mut points = 0;
        file.each_point(0, Duration::MAX, &mut |_| points += 1).expect("points");
        assert_eq!(points, self.history.len());
        let mut cursor = Cursor::new(0);
        for (now, images) in self.history.range(gap.to + TICK..) {
            cursor.seek(&file, *now).expect("a moment");
            let shown = cursor.state(&file).map(|state| state.totals.peak_at);
            assert_eq!(shown, Some(images[&0].state.totals.peak_at), "at {now:?}, {gap:?}");
        }
        cursor.seek(&file, TICK).expect("a moment");
        assert!(cursor.state(&file).is_some(), "the beginning stays");
        fs::remove_file(&self.file).expect("a file");
    }
}

#[test]
fn a_thinned_past_begins_a_file_that_says_what_is_missing() {
    let kept = kept("unbounded", u64::MAX);
    assert!(!kept.saved.has_thinned(), "the past was, and not the file");
    kept.assert_is_right();
}

#[test]
fn a_file_that_begins_with_more_than_it_may_take_is_thinned() {
    let kept = kept("bounded", 600_000);
    assert!(kept.saved.has_thinned());
    kept.assert_is_right();
}
