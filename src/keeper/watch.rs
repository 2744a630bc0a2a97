//! One launched program under watch: what `record` and the keeper of `run` have in common.

use std::{sync::Arc, time::Duration};

use super::{
    clock::{Schedule, Ticker},
    events::{Collector, TickTimes},
    launch::{LaunchError, Options, Prepared},
    processes::{Changes, Processes},
    returning::Ended,
};
use crate::{
    model::{Exit, TreeState, UntracedProcess},
    procfs::{children::Children, holders},
    recording::Look,
    sys::{
        clock,
        process::{self, Change},
    },
};
use memtop_probe::session::{control, reader::Reader};

/// Events that are ready are not kept waiting for a long tick.
const EVENTS_EVERY: Duration = Duration::from_millis(100);

/// The program, its session memory, and what was seen of both.
#[derive(Debug)]
pub struct Watch {
    prepared: Prepared,
    schedule: Schedule,
    ticker: Ticker,
    processes: Processes,
    children: Children,
    ended: Ended,
    command: Vec<Vec<u8>>,
    launched_at: Duration,
    root: u32,
    is_stopped: bool,
    exit: Option<Exit>,
    ticks: Arc<TickTimes>,
    /// Every event is to be recorded.
    events: bool,
    most_bytes: Option<u64>,
}

impl Watch {
    /// Starts watching; the program is started next, so that tracing is on before it runs.
    pub fn new(prepared: Prepared, options: &Options) -> Self {
        let launched_ns = prepared.reader.clock().created_ns;
        let mut schedule = Schedule::new(options.start, options.stop_after, launched_ns);
        schedule.apply(prepared.reader.header(), launched_ns);
        Self {
            schedule,
            ticker: Ticker::new(options.tick, clock::monotonic_ns()),
            processes: Processes::default(),
            children: Children::default(),
            ended: Ended::default(),
            command: options.command_bytes(),
            launched_at: clock::wall(),
            root: 0,
            is_stopped: false,
            exit: None,
            ticks: Arc::new(TickTimes::new(launched_ns)),
            events: options.events,
            most_bytes: options.max_size,
            prepared,
        }
    }

    /// What was prepared for the launch.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// Most bytes that a recording is to take.
    pub fn most_bytes(&self) -> Option<u64> {
        self.most_bytes
    }

    /// Begins to collect every event, where that was asked for.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn collect(&self) -> Result<Option<Collector>, LaunchError> {
        let remedy = "leave --events out, or raise the limits of memory and processes";
        let failed = |error| LaunchError::prepare("collect events", error, remedy);
        let start = || Collector::start(&self.prepared, &self.ticks).map_err(failed);
        self.events.then(start).transpose()
    }

    /// The program was started with this process id.
    pub fn started(&mut self, pid: u32) {
        self.root = pid;
        self.processes.root_started(pid);
    }

    /// Process id of the program.
    pub fn root(&self) -> u32 {
        self.root
    }

    /// The session memory.
    pub fn reader(&self) -> &Reader {
        &self.prepared.reader
    }

    /// The process images seen so far.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// The command as it was typed.
    pub fn command(&self) -> &[Vec<u8>] {
        &self.command
    }

    /// Wall-clock time of the launch, since the Unix epoch.
    pub fn launched_at(&self) -> Duration {
        self.launched_at
    }

    /// How the program ended, once it has.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Whether a signal has stopped the program.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// How long there is nothing to do.
    pub fn idle_time(&self) -> Duration {
        let now = clock::monotonic_ns();
        let tick = self.ticker.remaining(now);
        let tick = if self.events { tick.min(EVENTS_EVERY) } else { tick };
        self.schedule.remaining(now).map_or(tick, |due| due.min(tick))
    }

    /// Does what is due by now: scheduled starts and stops, and at a tick a look at the
    /// processes.
    pub fn advance(&mut self) -> Option<Changes> {
        let now = clock::monotonic_ns();
        self.schedule.apply(self.prepared.reader.header(), now);
        self.ticker.is_due(now).then(|| {
            let header = self.prepared.reader.header();
            // A new one at each look, since what a look finds is what happened up to its tick;
            // where that runs ahead of the time it is by one at most.
            let tick = control::tick_at(header, now).max(control::current_tick(header) + 1);
            self.ticks.begin(tick, now);
            control::advance_to(header, tick);
            let changes = self.observe(now);
            if let Some(first) = self.processes.image(0) {
                self.schedule.began(first.started_ns());
            }
            changes
        })
    }

    /// Asks what became of the program, after a `SIGCHLD`; true when it has just ended.
    pub fn reap(&mut self) -> bool {
        while self.exit.is_none() {
            match process::reap(self.root) {
                Ok(None) => return false,
                Ok(Some(Change::Stopped)) => self.is_stopped = true,
                Ok(Some(Change::Continued)) => self.is_stopped = false,
                Ok(Some(Change::Ended(exit))) => return self.ended(exit),
                // Somebody else reaped it: it has ended, and nobody will ever know how.
                Err(_) => return self.ended(Exit::Code(0)),
            }
        }
        false
    }

    fn ended(&mut self, exit: Exit) -> bool {
        (self.exit, self.is_stopped) = (Some(exit), false);
        self.processes.root_ended(exit, clock::monotonic_ns());
        true
    }

    /// A look between two ticks, as at the end.
    pub fn look(&mut self) -> Changes {
        self.observe(clock::monotonic_ns())
    }

    fn observe(&mut self, now_ns: u64) -> Changes {
        let reader = &self.prepared.reader;
        // Those that ended before: of the others this look tells.
        if !self.events {
            self.ended.give_back(reader, now_ns, |until_ns| {
                let Some(inode) = self.prepared.memory_inode() else { return true };
                let began = reader.clock().created_ns..until_ns;
                let is_known = |pid| self.processes.is_accounted_for(pid);
                holders::may_be_held(inode, began, is_known)
            });
        }
        let changes = self.processes.observe(reader, now_ns);
        // What the program itself held is wanted as long as anyone looks.
        let is_root =
            |index| self.processes.image(index).is_some_and(|image| image.pid == self.root);
        self.ended.note(reader, &changes.ended, now_ns, is_root);
        changes
    }

    /// Reads the names of threads.
    pub fn name_threads(&mut self) {
        self.processes.name_threads(&self.prepared.reader);
    }

    /// Looks for processes of the tree that are not traced; short ones pass unseen.
    pub fn look_for_untraced(&mut self, now_ns: u64) {
        let images = self.processes.images().iter();
        let alive = images.filter(|image| image.end().is_none()).map(|image| image.pid).collect();
        let gone_untraced = self.processes.gone_untraced(&self.prepared.reader);
        self.children.hear(&self.prepared.reader, now_ns);
        self.children.observe(&alive, &gone_untraced, now_ns);
    }

    /// Each process of the tree that was seen not to be traced, in order of their start.
    pub fn untraced(&self) -> Vec<UntracedProcess> {
        let launched_ns = self.prepared.reader.clock().created_ns;
        let certain = self.children.all().filter(|child| child.is_certain());
        let mut all: Vec<_> = certain.map(|child| child.recorded(launched_ns)).collect();
        all.sort_by_key(|one| (one.started, one.pid));
        all
    }

    /// Time since the launch.
    pub fn now(&self) -> Duration {
        let launched_ns = self.prepared.reader.clock().created_ns;
        Duration::from_nanos(clock::monotonic_ns().saturating_sub(launched_ns))
    }

    /// What a tick showed of each image, for a recording.
    pub fn looks(&mut self, changes: &Changes) -> Vec<Look> {
        self.processes.looks(&self.prepared.reader, changes)
    }

    /// What there was to be seen so far of each image, for a recording that begins now.
    pub fn looks_at_all(&self) -> Vec<Look> {
        self.processes.looks_at_all(&self.prepared.reader)
    }

    /// Everything known now.
    pub fn tree(&self) -> TreeState {
        TreeState {
            command: self.command.clone(),
            launched_at: self.launched_at,
            exit: self.exit,
            processes: self.processes.states(&self.prepared.reader),
            untraced: self.untraced(),
        }
    }
}
