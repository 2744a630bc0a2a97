//! A recording in the making, and what it shows of any moment afterwards.

mod sample;

use std::{collections::BTreeMap, time::Duration};

use memtop::{
    model::*,
    recording::{Cursor, File, Look, Mark, Recorder, Recording, When, read_tree},
};
use proptest::{collection::vec, prelude::*};
use sample::any;

const TICK: Duration = Duration::from_millis(100);

/// What a tick showed, to compare a replay with.
#[derive(Debug, Clone, Default)]
struct Seen {
    state: ProcessState,
    point: Point,
    sites: Sites,
}

/// A program whose figures change by rules of their own, a little or a lot.
#[derive(Debug)]
struct Program {
    number: u64,
    started: Duration,
    ends_after: Option<u32>,
    sites: Sites,
    seed: u64,
    ticks: u32,
    stacks_at_most: usize,
}

impl Program {
    fn new(number: u64, started: Duration, ends_after: Option<u32>) -> Self {
        Self {
            number,
            started,
            ends_after,
            sites: Sites::default(),
            seed: number * 77 + 1,
            ticks: 0,
            stacks_at_most: 40,
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 33) % below
    }

    fn update(&mut self) -> SitesUpdate {
        let mut update = SitesUpdate { restart: self.ticks == 0, ..SitesUpdate::default() };
        if self.ticks == 0 {
            update.modules.push(Module { path: b"/bin/x".to_vec(), build_id: vec![7] });
        }
        let known = self.sites.stacks.len();
        let new = (self.random(4) as usize * 3).min(self.stacks_at_most.saturating_sub(known));
        for offset in 0..new {
            let at = (self.sites.locations.len() + offset) as u32;
            update
                .locations
                .push(Location { module: Some(ModuleId(0)), address: 64 * u64::from(at) });
            let parent = at.checked_sub(1).map(NodeId);
            update.nodes.push(Node { parent, location: LocationId(at) });
            update.stacks.push(Stack { node: Some(NodeId(at)), cut: at.is_multiple_of(5) });
        }
        let count = known + new;
        for _ in 0..self.random(1 + count as u64 / 2) {
            let stack = self.random(count as u64) as usize;
            let former = self.sites.figures.get(stack).copied().unwrap_or_default();
            let bytes = self.random(5000);
            update.changed.push((
                StackId(stack as u32),
                SiteFigures {
                    current_bytes: former.current_bytes / 2 + bytes,
                    allocated_bytes: former.allocated_bytes + bytes,
                    allocations: former.allocations + 3,
                    ..former
                },
            ));
        }
        update
    }

    fn classes(&mut self) -> Vec<SizeClass> {
        let count = 3 + u64::from(self.ticks / 7).min(5);
        (0..count)
            .map(|class| SizeClass {
                min: 1 << class,
                max: (2 << class) - 1,
                current_blocks: self.random(100),
                current_bytes: self.random(100_000),
                allocations: u64::from(self.ticks) * class,
                allocated_bytes: u64::from(self.ticks) * 50,
            })
            .collect()
    }

    fn look(&mut self, image: usize, now: Duration) -> Look {
        let sites = self.update();
        self.sites.apply(sites.clone());
        let at = now - self.started;
        let ended = self.ends_after == Some(self.ticks);
        let threads = (0..1 + self.random(4)).map(|tid| ThreadState {
            tid: tid as u32,
            name: (tid % 2 == 0).then(|| format!("worker {tid}")),
            current_bytes: -5,
            allocations: u64::from(self.ticks),
            allocated_bytes: 9,
        });
        let threads = threads.collect();
        let size_classes = self.classes();
        let state = ProcessState {
            identity: Identity {
                pid: 100 + self.number as u32,
                started: self.started,
                ended: ended.then_some(now),
                exit: ended.then_some(Exit::Code(self.number as i32)),
                ..Identity::default()
            },
            window: Window {
                intervals: (0..=u64::from(self.ticks / 20))
                    .map(|n| Interval { from: TICK * 20 * n as u32, to: None })
                    .collect(),
            },
            totals: Totals {
                current_bytes: self.random(1 << 40),
                peak_at: (self.ticks > 3).then_some(at),
                allocations: u64::from(self.ticks) * 10,
                ..Totals::default()
            },
            size_classes_at_peak: size_classes.iter().skip(1).copied().collect(),
            size_classes,
            threads,
            ..ProcessState::default()
        };
        let rss_bytes = (!self.ticks.is_multiple_of(3)).then_some(self.seed >> 20);
        let point = Point { at, max_bytes: self.random(1 << 40), rss_bytes, ..Point::default() };
        self.ticks += 1;
        Look { image, state, point, sites, past: Vec::new() }
    }
}

/// What each tick of a history showed: by time since the launch, by image.
type History = BTreeMap<Duration, BTreeMap<usize, Seen>>;

fn record(mut programs: Vec<Program>, ticks: u32) -> (Vec<u8>, History) {
    let mut recorder =
        Recorder::new(Vec::new(), &[b"prog".to_vec()], Duration::from_secs(9)).expect("memory");
    let mut history = History::new();
    for tick in 1..=ticks {
        let now = TICK * tick + Duration::from_nanos(u64::from(tick) * 1_234_567);
        let mut looks = Vec::new();
        for (image, program) in programs.iter_mut().enumerate() {
            let over = program.ends_after.is_some_and(|end| program.ticks > end);
            if now < program.started || over {
                continue;
            }
            let look = program.look(image, now);
            let seen =
                Seen { state: look.state.clone(), point: look.point, sites: program.sites.clone() };
            history.entry(now).or_default().insert(image, seen);
            looks.push(look);
        }
        recorder.tick(now, looks).expect("memory");
    }
    let bytes = recorder.finish(Some(Exit::Code(3))).expect("memory");
    (bytes, history)
}

fn three_programs() -> Vec<Program> {
    vec![
        Program::new(0, Duration::ZERO, None),
        Program::new(1, Duration::from_secs(3), Some(60)),
        Program::new(2, Duration::from_millis(3050), Some(0)),
    ]
}

fn cursor_at(file: &File<Vec<u8>>, image: usize, now: Duration) -> Cursor {
    let mut cursor = Cursor::new(image);
    let own = file.images()[image].own_time(now);
    cursor.seek(file, own).expect("memory");
    cursor
}

/// Sites are written once a second, so only figures of the last second may differ.
fn assert_shows(cursor: &Cursor, file: &File<Vec<u8>>, seen: &Seen) {
    assert_eq!(cursor.state(file).as_ref(), Some(&seen.state), "at {:?}", cursor.at());
    assert_eq!(cursor.recent().last(), Some(&seen.point));
}

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_figures_follow_one_another_is_shown_again(
        states in vec((any::processes(), 1_u64..3_000_000_000), 1..20),
    ) {
        let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
        let (mut now, mut seen) = (Duration::ZERO, Vec::new());
        for (state, after) in states {
            now += Duration::from_nanos(after);
            let identity = Identity { pid: 7, ..Identity::default() };
            let bare = ProcessState {
                identity,
                sites: Sites::default(),
                names: Names::default(),
                timeline: Vec::new(),
                ..state
            };
            let point = state.timeline.first().copied().unwrap_or_default();
            let point = Point { at: now, ..point };
            let sites = state.sites.to_update();
            let look = Look { image: 5, state: bare.clone(), point, sites, past: Vec::new() };
            recorder.tick(now, vec![look]).expect("memory");
            seen.push(Seen { state: bare, point, sites: state.sites });
        }
        let bytes = recorder.finish(None).expect("memory");
        let file = File::new(bytes.clone()).expect("a recording");
        for one in &seen {
            assert_shows(&cursor_at(&file, 0, one.point.at), &file, one);
        }
        let last = seen.last().expect("one at least");
        let (by_index, in_order) = whole(&bytes);
        prop_assert_eq!(&in_order.tree.processes[0].sites, &last.sites);
        prop_assert_eq!(by_index.tree, in_order.tree);
    }

    #[test]
    fn damage_is_survived(at in 12_usize..6000, bit in 0_u32..8, length in 0_usize..200) {
        let (mut bytes, _) = record(three_programs(), 90);
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        let end = bytes.len() - length;
        bytes.truncate(end);
        if let Ok(file) = File::new(bytes.clone()) {
            for image in 0..file.images().len() {
                for second in [0, 1, 4, 60] {
                    let _ = cursor_at(&file, image, Duration::from_secs(second));
                }
            }
            let _ = file.recording_at(When::End);
        }
        let _ = read_tree(&bytes[..]);
    }
}

/// A frame's bytes with a right CRC.
fn sealed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    for part in [&length[..], &[kind], payload] {
        crc.update(part);
    }
    [&length[..], &[kind], &crc.finalize().to_le_bytes(), payload].concat()
}

/// Kinds and payloads of a whole recording's frames.
fn frames_of(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut rest = &bytes[12..];
    while let Some((header, behind)) = rest.split_at_checked(9) {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some((payload, behind)) = behind.split_at_checked(length) else {
            break;
        };
        frames.push((header[4], payload.to_vec()));
        rest = behind;
    }
    frames
}

/// Damage that a CRC does not tell: what is inside frames is anything, and frames are left out,
/// doubled and moved. For a second, or for an hour with `MEMTOP_LONG=3600`.
#[test]
fn malice_is_survived() {
    let (bytes, _) = record(three_programs(), 120);
    let frames = frames_of(&bytes);
    let seconds = std::env::var("MEMTOP_LONG").ok();
    let seconds = seconds.map_or(1, |text| text.parse().unwrap_or(60_u64).max(60));
    let until = std::time::Instant::now() + Duration::from_secs(seconds);
    let mut seed = 88_172_645_463_325_252_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below.max(1) as u64) as usize
    };
    let mut rounds = 0;
    while std::time::Instant::now() < until {
        let mut damaged = frames.clone();
        for _ in 0..1 + random(6) {
            let at = random(damaged.len());
            let payload = &mut damaged[at].1;
            match random(8) {
                0 => drop(damaged.remove(at)),
                1 => damaged.insert(random(frames.len()), frames[random(frames.len())].clone()),
                2 => payload.truncate(random(payload.len() + 1)),
                3 => damaged[at].0 = random(28) as u8,
                4 if !payload.is_empty() => {
                    let place = random(payload.len());
                    payload.splice(place..place, [0xff; 9]);
                }
                _ if !payload.is_empty() => {
                    let place = random(payload.len());
                    payload[place] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
                }
                _ => {}
            }
        }
        let mut file = bytes[..12].to_vec();
        let mut end = 12;
        for (kind, payload) in &damaged {
            end = file.len() as u64;
            file.extend(sealed(*kind, payload));
        }
        file.extend(end.to_le_bytes());
        file.extend_from_slice(&memtop::recording::MAGIC);
        let _ = read_tree(&file[..]);
        if let Ok(file) = File::new(file) {
            for image in 0..file.images().len().min(5) {
                for second in [0, 3, 7, 1 << 40] {
                    let mut cursor = cursor_at(&file, image, Duration::from_secs(second));
                    let _ = (cursor.take_update(), cursor.names(&file).is_ok());
                    let _ = file.neighbours(image, Duration::from_secs(second));
                }
            }
            let _ = file.recording_at(When::End);
        }
        rounds += 1;
    }
    println!("{rounds} damaged recordings");
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
