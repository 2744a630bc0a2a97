//! Sessions written by hand, as the probe would, for processes that are real.

use std::{
    fs,
    process::{Child, Command},
    sync::atomic::{
        AtomicBool,
        Ordering::{Relaxed, Release},
    },
    time::Duration,
};

use memtop_probe::session::{
    control,
    layout::{Session, Slot, entry},
    memory::{LEAST_SIZE, Memory, Settings},
};

use super::*;
use crate::{
    keeper::returning::Ended,
    model::Traced,
    source::surroundings::Surroundings,
    sys::{clock, descriptor},
};

struct Launch {
    memory: Memory,
    reader: Reader,
    processes: Processes,
}

impl Launch {
    fn new() -> Self {
        let settings = Settings {
            size: LEAST_SIZE,
            nonce: 1,
            now_ns: clock::monotonic_ns(),
            tick_ns: 1000,
            limit: LEAST_SIZE,
            frames: 0,
        };
        let (memory, fd) = Memory::create(&settings).unwrap();
        drop(descriptor::adopt(fd));
        let presence = Presence(|_| Some(true));
        let processes = Processes { presence, ..Processes::default() };
        Self { memory, reader: Reader::over(memory), processes }
    }

    /// What the probe does when it starts in a process: claims a session, and a slot.
    fn claim(&self, pid: u32, parent: u32) -> &'static Slot {
        let (offset, session) = self.memory.take_first_piece(size_of::<Session>() as u64).unwrap();
        let place = self.memory.take_piece(session, size_of::<Slot>() as u64).unwrap();
        let slot = self.memory.slot(place).unwrap();
        session.pid.store(pid, Relaxed);
        session.parent.store(parent, Relaxed);
        session.started_ns.store(clock::monotonic_ns(), Relaxed);
        session.slots[0].store(place, Release);
        session.slots_used.store(1, Release);
        session.entry.store(entry::PRELOAD, Release);
        self.memory.enter(session, offset).unwrap();
        slot
    }

    fn observe(&mut self) -> Changes {
        let header = self.reader.header();
        control::advance_to(header, control::current_tick(header) + 1);
        self.processes.observe(&self.reader, clock::monotonic_ns())
    }
}

fn sleeper() -> Child {
    Command::new("/bin/sleep").arg("60").spawn().unwrap()
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn images_are_found_sampled_and_seen_to_end() {
    let mut launch = Launch::new();
    let (parent, child) = (sleeper(), sleeper());
    let (parent_pid, child_pid) = (parent.id(), child.id());
    let slot = launch.claim(parent_pid, 1);
    slot.classes[3].allocations.store(2, Relaxed);
    slot.classes[3].allocated_bytes.store(100, Relaxed);
    launch.claim(child_pid, parent_pid);
    let changes = launch.observe();
    let samples: Vec<_> = changes.samples.iter().map(|(index, _)| *index).collect();
    assert_eq!((samples, changes.ended), (vec![0, 1], vec![]));
    assert_eq!(changes.samples[0].1.current_bytes, 100);
    assert!(changes.samples[0].1.rss_bytes.is_some());
    end(child);
    assert_eq!(launch.observe().ended, [1]);
    assert!(launch.observe().ended.is_empty());
    assert!(launch.processes.any_alive());

    launch.processes.root_started(parent_pid);
    let exit = Exit::Signal(libc::SIGKILL);
    let ended_ns = clock::monotonic_ns();
    end(parent);
    assert!(launch.observe().ended.is_empty());
    launch.processes.root_ended(exit, ended_ns);
    assert_eq!(launch.observe().ended, [0]);
    assert!(!launch.processes.any_alive());
    let states = launch.processes.states(&launch.reader);
    assert_eq!(states[0].identity.exit, Some(exit));
    assert_eq!(states[0].identity.parent, None);
    assert_eq!(states[1].identity.parent, Some(parent_pid));
    assert_eq!(states[1].identity.exit, None);
    assert!(states.iter().all(|state| state.identity.ended.is_some()));
}

#[test]
fn exec_ends_the_former_image_and_its_figures_stay() {
    let mut launch = Launch::new();
    let child = sleeper();
    let slot = launch.claim(child.id(), 1);
    slot.classes[1].allocated_bytes.store(7, Relaxed);
    launch.observe();
    launch.claim(child.id(), 1);
    assert_eq!(launch.observe().ended, [0]);
    let second = launch.processes.image(1).unwrap();
    assert_eq!((second.generation, second.end().is_none()), (1, true));
    // What is written into a session after its end is not believed.
    slot.classes[1].allocated_bytes.store(9999, Relaxed);
    let states = launch.processes.states(&launch.reader);
    assert_eq!(states[0].totals.allocated_bytes, 7);
    assert_eq!(states[0].identity.ended, Some(states[1].identity.started));
    end(child);
    assert_eq!(launch.observe().ended, [1]);
}

#[test]
fn an_exec_without_a_session_ends_the_image_too() {
    let mut launch = Launch::new();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read word; exec sleep 60"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    launch.claim(child.id(), 1).owner.store(child.id(), Relaxed);
    assert!(launch.observe().ended.is_empty());
    drop(child.stdin.take());
    let became = |pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "sleep\n";
    let deadline = clock::monotonic_ns() + 20_000_000_000;
    while !became(child.id()) {
        assert!(clock::monotonic_ns() < deadline);
        std::thread::yield_now();
    }
    let before_ns = clock::monotonic_ns();
    while launch.observe().ended.is_empty() {
        assert!(clock::monotonic_ns() < deadline);
        launch.processes.name_threads(&launch.reader);
        std::thread::sleep(Duration::from_millis(20));
    }
    // It is dated by the first look that saw it, and its threads are not called as the new ones.
    let image = launch.processes.image(0).unwrap();
    let (ended_ns, now_ns) = (image.end().unwrap().at_ns, clock::monotonic_ns());
    assert!(ended_ns > before_ns && now_ns - ended_ns >= 90_000_000, "{ended_ns} {now_ns}");
    assert!(image.names.values().all(|name| name != "sleep"), "{:?}", image.names);
    end(child);
}

#[test]
fn a_process_that_was_too_short_to_be_met_is_recorded_all_the_same() {
    let mut launch = Launch::new();
    let child = sleeper();
    let slot = launch.claim(child.id(), 1);
    slot.classes[2].allocations.store(3, Relaxed);
    end(child);
    assert_eq!(launch.observe().ended, [0]);
    let states = launch.processes.states(&launch.reader);
    assert_eq!(states[0].totals.allocations, 3);
    assert_eq!(states[0].timeline.len(), 1);
}

#[test]
fn a_scribbled_session_count_does_no_harm() {
    let mut launch = Launch::new();
    launch.memory.header().sessions.store(u32::MAX, Relaxed);
    assert_eq!(launch.observe(), Changes::default());
}

#[test]
fn an_end_that_somebody_else_saw_is_believed_before_and_after() {
    let mut launch = Launch::new();
    let (first, second) = (sleeper(), sleeper());
    let (first_pid, second_pid) = (first.id(), second.id());
    launch.claim(first_pid, 1);
    launch.claim(second_pid, 1);
    end(first);
    end(second);
    let early = clock::monotonic_ns();
    // Told before it was met here, and after its end was noticed here, too late.
    launch.processes.ended_elsewhere(0, Some(Exit::Code(4)), early);
    launch.observe();
    let end_of = |launch: &Launch, index| {
        let end = launch.processes.image(index).unwrap().end().unwrap();
        (end.exit, end.at_ns)
    };
    assert_eq!(end_of(&launch, 0), (Some(Exit::Code(4)), early));
    assert!(end_of(&launch, 1).1 > early);
    launch.processes.ended_elsewhere(1, None, early);
    assert_eq!(end_of(&launch, 1), (None, early));
}

#[test]
fn who_exec_d_before_it_was_met_is_not_the_one_of_the_session() {
    let mut launch = Launch::new();
    launch.processes.presence = Presence(|_| Some(false));
    let child = sleeper();
    launch.claim(child.id(), 1);
    assert_eq!(launch.observe().ended, [0]);
    end(child);
}

#[test]
fn what_an_ended_image_held_outlives_its_memory() {
    let mut launch = Launch::new();
    let (lives, ends) = (sleeper(), sleeper());
    let slot = launch.claim(ends.id(), 1);
    slot.classes[2].allocations.store(3, Relaxed);
    launch.claim(lives.id(), 1);
    let (ended_pid, before) = (ends.id(), launch.reader.shared_bytes());
    end(ends);
    assert_eq!(launch.observe().ended, [0]);
    launch.reader.give_back(&[0]);
    assert_eq!(launch.reader.shared_bytes(), before / 2);
    assert!(launch.reader.is_gone(0) && launch.reader.read(0).is_none());
    assert_eq!(slot.classes[2].allocations.load(Relaxed), 0, "it is empty for the next one");
    assert_eq!(launch.observe().samples.len(), 1);
    assert_eq!(launch.processes.states(&launch.reader)[0].totals.allocations, 3);

    // Whoever looks for the first time knows that there was one.
    let mut late = Processes { presence: Presence(|_| Some(true)), ..Processes::default() };
    late.observe(&launch.reader, clock::monotonic_ns());
    let images: Vec<_> = late.images().iter().map(|one| (one.pid, one.end().is_some())).collect();
    assert_eq!(images, [(ended_pid, true), (lives.id(), false)]);
    assert_eq!(late.states(&launch.reader).len(), 1);
    // It is in the tree, and so in the counts; its end is corrected once the keeper says.
    late.ended_elsewhere(0, Some(Exit::Code(4)), launch.reader.clock().created_ns + 5);
    let tree = Surroundings::default().tree(&late, &launch.reader);
    let ended = Duration::from_nanos(5);
    assert_eq!((tree[0].pid, tree[0].ended), (ended_pid, Some(ended)));
    assert_eq!(tree[0].traced, Traced::Unseen(0));
    assert_eq!(tree[1].pid, lives.id());
    end(lives);
}

#[test]
fn what_is_given_back_while_it_is_read_is_read_whole_or_not_at_all() {
    let launch = Launch::new();
    let child = sleeper();
    let reader = &launch.reader;
    for image in 0..100 {
        let slot = launch.claim(child.id(), 1);
        slot.classes.iter().for_each(|class| class.allocations.store(3, Relaxed));
        let is_read = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while let Some(reading) = reader.read(image) {
                    assert!(reading.classes.iter().all(|class| class.allocations == 3));
                    is_read.store(true, Relaxed);
                }
            });
            while !is_read.load(Relaxed) {
                std::hint::spin_loop();
            }
            reader.give_back(&[image]);
        });
    }
    end(child);
}

#[test]
fn memory_that_was_given_back_goes_to_others() {
    let mut launch = Launch::new();
    let (mut ended, now) = (Ended::default(), clock::monotonic_ns());
    let child = sleeper();
    for image in 0..200 {
        launch.claim(child.id(), 1);
        let changes = launch.observe();
        ended.note(&launch.reader, &changes.ended, now + image, |_| false);
        // Long after the last one ended, and only the last one lives.
        ended.give_back(&launch.reader, now + 10_000_000_000 * (image + 1), |_| false);
    }
    assert_eq!(launch.reader.session_count(), 200);
    assert!(launch.reader.read(199).is_some() && launch.reader.is_gone(0));
    let region = launch.memory.session(launch.memory.table_entry(199).unwrap().load(Relaxed));
    assert!(region.is_some(), "it has its place in four megabytes");
    end(child);
}
