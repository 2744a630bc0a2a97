//! Programs that never were, recorded tick by tick, and what each tick showed.

use std::{collections::BTreeMap, time::Duration};

use memtop::{
    model::*,
    recording::{Cursor, File, Look, Recorder},
};

pub const TICK: Duration = Duration::from_millis(100);

/// What a tick showed, to compare a replay with.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub state: ProcessState,
    pub point: Point,
    pub sites: Sites,
}

/// A program whose figures change by rules of their own, a little or a lot.
#[derive(Debug)]
pub struct Program {
    pub number: u64,
    pub started: Duration,
    pub ends_after: Option<u32>,
    pub sites: Sites,
    pub seed: u64,
    pub ticks: u32,
    pub stacks_at_most: usize,
    /// What a source has not been told, if it looks at sites only now and then.
    pub unseen: Option<SitesUpdate>,
}

impl Program {
    pub fn new(number: u64, started: Duration, ends_after: Option<u32>) -> Self {
        Self {
            number,
            started,
            ends_after,
            sites: Sites::default(),
            seed: number * 77 + 1,
            ticks: 0,
            stacks_at_most: 40,
            unseen: None,
        }
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 33) % below
    }

    pub fn update(&mut self) -> SitesUpdate {
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

    pub fn classes(&mut self) -> Vec<SizeClass> {
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

    pub fn look(&mut self, image: usize, now: Duration) -> Look {
        let sites = self.update();
        self.sites.apply(sites.clone());
        if let Some(unseen) = &mut self.unseen {
            append(unseen, sites.clone());
        }
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
                cleared: None,
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

fn append(unseen: &mut SitesUpdate, mut update: SitesUpdate) {
    unseen.restart |= update.restart;
    unseen.modules.append(&mut update.modules);
    unseen.locations.append(&mut update.locations);
    unseen.nodes.append(&mut update.nodes);
    unseen.stacks.append(&mut update.stacks);
    unseen.changed.append(&mut update.changed);
}

/// What each tick of a history showed: by time since the launch, by image.
pub type History = BTreeMap<Duration, BTreeMap<usize, Seen>>;

pub fn record(mut programs: Vec<Program>, ticks: u32) -> (Vec<u8>, History) {
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

pub fn three_programs() -> Vec<Program> {
    vec![
        Program::new(0, Duration::ZERO, None),
        Program::new(1, Duration::from_secs(3), Some(60)),
        Program::new(2, Duration::from_millis(3050), Some(0)),
    ]
}

pub fn cursor_at(file: &File<Vec<u8>>, image: usize, now: Duration) -> Cursor {
    let mut cursor = Cursor::new(image);
    let own = file.images()[image].own_time(now);
    cursor.seek(file, own).expect("memory");
    cursor
}

/// Sites are written once a second, so only figures of the last second may differ.
pub fn assert_shows(cursor: &Cursor, file: &File<Vec<u8>>, seen: &Seen) {
    assert_eq!(cursor.state(file).as_ref(), Some(&seen.state), "at {:?}", cursor.at());
    assert_eq!(cursor.recent().last(), Some(&seen.point));
}
