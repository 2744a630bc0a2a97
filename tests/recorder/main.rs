//! A recording in the making, and what it shows of any moment afterwards.

#[path = "../sample/random.rs"]
mod random;
#[path = "../sample/mod.rs"]
mod sample;

mod ages;
mod bursts;
#[path = "../fuzz/exercise/recording.rs"]
mod exercise;
mod fork;
mod golden;
mod history;
mod malice;
mod size;
mod tail;

use std::{collections::BTreeMap, time::Duration};

use history::*;
use memtop::{
    model::*,
    recording::{
        Cursor, File, Look, Mark, Recorder, Recording, SiteStep, SiteWalk, When, read_tree,
    },
};

#[test]
fn a_replay_shows_at_every_tick_what_the_tick_showed() {
    let (bytes, history) = record(three_programs(), 900);
    let file = File::new(bytes).expect("a recording");
    assert!(!file.is_cut());
    assert_eq!(file.images().len(), 3);
    assert_eq!(file.exit(), Some(Exit::Code(3)));
    let mut forward: Vec<_> = (0..3).map(Cursor::new).collect();
    for (now, images) in &history {
        for (image, seen) in images {
            let cursor = &mut forward[*image];
            cursor.seek(&file, file.images()[*image].own_time(*now)).expect("memory");
            assert_shows(cursor, &file, seen);
        }
    }
    // And so does one that jumps.
    for (now, images) in history.iter().rev().step_by(37) {
        for (image, seen) in images {
            assert_shows(&cursor_at(&file, *image, *now), &file, seen);
            let cursor = &mut forward[*image];
            cursor.seek(&file, file.images()[*image].own_time(*now)).expect("memory");
            assert_shows(cursor, &file, seen);
        }
    }
}

#[test]
fn sites_are_right_to_the_second() {
    let (bytes, history) = record(three_programs(), 900);
    let file = File::new(bytes).expect("a recording");
    let mut told = Sites::default();
    let mut playing = Cursor::new(0);
    for (number, (now, images)) in history.iter().enumerate() {
        let seen = &images[&0].sites;
        playing.seek(&file, *now).expect("memory");
        told.apply(playing.take_update());
        assert_eq!(&told, playing.sites(), "at {now:?}");
        if number % 29 == 0 {
            assert_eq!(&told, cursor_at(&file, 0, *now).sites(), "at {now:?}");
        }
        assert!(seen.stacks.starts_with(&told.stacks));
        let recent: Vec<_> = history.range(now.saturating_sub(TICK * 11)..=*now).collect();
        for (stack, figures) in told.figures.iter().enumerate() {
            let same = |images: &BTreeMap<usize, Seen>| {
                images[&0].sites.figures.get(stack).unwrap_or(&SiteFigures::default()) == figures
            };
            assert!(recent.iter().any(|(_, images)| same(images)), "stack {stack} at {now:?}");
        }
    }
    assert_eq!(told, history.last_key_value().expect("ticks").1[&0].sites);
}

#[test]
fn a_walk_through_sites_sums_what_a_cursor_shows() {
    let (bytes, _) = record(three_programs(), 900);
    let file = File::new(bytes).expect("a recording");
    for image in 0..3 {
        let belongs = |stack: StackId| !stack.0.is_multiple_of(3);
        let (mut walk, mut told) = (SiteWalk::new(image), Vec::new());
        let through = walk.step(
            &file,
            Duration::MAX,
            belongs,
            || true,
            |step| match step {
                SiteStep::Held(at, bytes) => told.push((at, bytes)),
                SiteStep::Void => told.clear(),
            },
        );
        assert!(through.expect("memory"));
        told.extend(walk.last());
        assert!(told.len() >= if image == 0 { 80 } else { 1 }, "{}", told.len());
        for (at, bytes) in told {
            let cursor = cursor_at(&file, image, file.images()[image].identity.started + at);
            let figures = cursor.sites().figures.iter().enumerate();
            let own = figures.filter(|(stack, _)| belongs(StackId(*stack as u32)));
            let held = own.fold(0, |sum: u64, (_, one)| sum.wrapping_add(one.current_bytes));
            assert_eq!(bytes, held, "image {image} at {at:?}");
        }
    }
}

/// Whoever compares with a later moment is told its stacks, whatever moment is shown meanwhile.
#[test]
fn stacks_of_a_later_moment_can_be_told_ahead() {
    let (bytes, history) = record(three_programs(), 900);
    let file = File::new(bytes).expect("a recording");
    let ahead = cursor_at(&file, 0, Duration::from_secs(20));
    let stacks = ahead.sites().stacks.len();
    let (mut cursor, mut told) = (Cursor::new(0), Sites::default());
    let moments = history.keys().copied().filter(|now| now.as_millis() % 3 == 0);
    for now in moments.clone().chain(moments.rev()) {
        cursor.seek(&file, now).expect("memory");
        told.apply(cursor.take_update_with(Some(&ahead)));
        let known = cursor.sites();
        assert_eq!(told.stacks.len(), stacks.max(known.stacks.len()), "at {now:?}");
        assert!(told.stacks.starts_with(&known.stacks) || known.stacks.starts_with(&told.stacks));
        let (same, later) = told.figures.split_at(known.figures.len());
        assert_eq!(same, known.figures, "at {now:?}");
        assert!(later.iter().all(|figures| *figures == SiteFigures::default()), "at {now:?}");
    }
}

fn whole(bytes: &[u8]) -> (Recording, Recording) {
    let file = File::new(bytes.to_vec()).expect("a recording");
    (file.recording_at(When::End).expect("memory"), read_tree(bytes).expect("a recording"))
}

#[test]
fn the_end_is_the_same_by_index_and_from_one_end_to_the_other() {
    let (bytes, history) = record(three_programs(), 700);
    let (by_index, in_order) = whole(&bytes);
    assert!(!in_order.cut);
    assert_eq!(by_index.tree, in_order.tree);
    let points: Vec<_> = history.values().map(|images| images[&0].point).collect();
    assert_eq!(in_order.tree.processes[0].timeline, points);
    let last = &history.last_key_value().expect("ticks").1[&0];
    assert_eq!(in_order.tree.processes[0].sites, last.sites);
    assert_eq!(in_order.tree.processes[0].totals, last.state.totals);
}

#[test]
fn a_recording_cut_anywhere_shows_what_was_written_before() {
    let (bytes, history) = record(three_programs(), 160);
    let step = if std::env::var_os("MEMTOP_LONG").is_some() { 1 } else { 131 };
    for length in (12..bytes.len() - 17).step_by(step) {
        let file = File::new(bytes[..length].to_vec()).expect("a recording");
        assert!(file.is_cut(), "cut at {length}");
        let in_order = read_tree(&bytes[..length]).expect("a recording");
        assert_eq!(in_order.good_bytes, file.good_bytes(), "cut at {length}");
        assert_eq!(file.images().len(), in_order.tree.processes.len());
        let by_index = file.recording_at(When::End).expect("memory");
        for (one, other) in by_index.tree.processes.iter().zip(&in_order.tree.processes) {
            assert_eq!(one.timeline, other.timeline, "cut at {length}");
            assert_eq!(one, other, "cut at {length}");
        }
        if let Some(last) = in_order.tree.processes.first().and_then(|one| one.timeline.last()) {
            let seen = &history[&last.at][&0];
            assert_eq!(in_order.tree.processes[0].totals, seen.state.totals);
        }
    }
}

#[test]
fn what_was_recorded_opens_before_it_is_complete() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, None);
    for tick in 1..=900 {
        let now = TICK * tick;
        recorder.tick(now, vec![program.look(0, now)]).expect("memory");
        if tick % 50 == 0 {
            let file = File::new(recorder.get_mut().clone()).expect("a recording");
            let missing = now - file.end();
            assert!(missing <= Duration::from_millis(600), "{missing:?} missing at {now:?}");
        }
    }
}

/// Ticks wait for company when a mark is written, which then stands before them.
#[test]
fn the_ticks_before_a_mark_are_shown_as_they_were() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, None);
    let mut seen = Vec::new();
    for tick in 1..=30 {
        let look = program.look(0, TICK * tick);
        seen.push((TICK * tick, look.state.clone()));
        recorder.tick(TICK * tick, vec![look]).expect("memory");
        let mark = Mark { at: TICK * tick, number: tick, label: String::new() };
        recorder.mark(Some(0), &mark).expect("memory");
    }
    let file = File::new(recorder.finish(None).expect("memory")).expect("a recording");
    for (now, state) in seen {
        assert_eq!(cursor_at(&file, 0, now).state(&file), Some(state), "at {now:?}");
    }
}

#[test]
fn names_and_marks_are_found_again() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, Some(30));
    let mut names = Names::default();
    for tick in 1..=31 {
        recorder.tick(TICK * tick, vec![program.look(0, TICK * tick)]).expect("memory");
        let name = format!("function {tick}").as_str().into();
        names.insert(LocationId(tick / 4), vec![Function { name, file: None, line: Some(tick) }]);
        if tick == 20 {
            recorder.names(0, &names).expect("memory");
            let mark = Mark { at: TICK * tick, number: 1, label: "before".to_owned() };
            recorder.mark(Some(0), &mark).expect("memory");
        }
    }
    let first = names.get(LocationId(2)).map(<[_]>::to_vec);
    names.insert(LocationId(2), vec![Function::default()]);
    // The program has ended by now; what a location is called was looked up late, and once.
    recorder.names(0, &names).expect("memory");
    let file = File::new(recorder.finish(None).expect("memory")).expect("a recording");
    assert_eq!(file.marks().len(), 1);
    assert_eq!(file.marks()[0].1.label, "before");
    let mut cursor = Cursor::new(0);
    let read = cursor.names(&file).expect("memory").clone();
    assert_eq!(read.get(LocationId(2)).map(<[_]>::to_vec), first);
    assert_eq!(read.get(LocationId(7)), names.get(LocationId(7)));
}

#[test]
fn a_moment_before_the_end_leaves_out_what_came_later() {
    let (bytes, history) = record(three_programs(), 160);
    let file = File::new(bytes).expect("a recording");
    let early = file.recording_at(When::At(Duration::from_secs(2))).expect("memory");
    assert_eq!(early.tree.processes.len(), 1);
    assert_eq!(early.tree.exit, None);
    let points = history.range(..=Duration::from_secs(2)).map(|(_, images)| images[&0].point);
    assert_eq!(early.tree.processes[0].timeline, points.collect::<Vec<_>>());
    let later = file.recording_at(When::At(Duration::from_secs(5))).expect("memory");
    let ends: Vec<_> = later.tree.processes.iter().map(|one| one.identity.ended).collect();
    assert!(ends[0].is_none() && ends[1].is_none() && ends[2].is_some());
}
