//! What memtop knows about a program: plain facts, free of where they came from.
//!
//! A live session, a recording and a test all produce the same [`ProcessState`]; the
//! report, the recording and the screens only ever read it. The dashboard keeps a [`Model`],
//! which changes in one way only, [`Model::observe`]. Always holds:
//!
//! - the shown process is one of the images, or there is none yet;
//! - rates, marks, sites and events belong to the shown process; choosing another starts them over;
//! - what a program did is never forgotten when it ends or the connection is lost.

pub mod diff;
pub mod events;
mod figures;
pub mod frame;
pub mod gap;
pub mod grouping;
pub mod names;
pub mod pattern;
pub mod rates;
pub mod sites;
pub mod state;
pub mod tree;
pub mod window;

use std::{collections::BTreeMap, sync::Arc};

pub use diff::{Change, Difference, Tally};
pub use events::{Event, EventKind, EventLog};
pub use frame::{Frame, NoPlumbing, Place, Plumbing, Scope};
pub use gap::{Gap, gap_sentence};
pub use grouping::{Group, GroupId, Grouping, Groups};
pub use names::{Function, Names};
pub use pattern::{Filter, Purpose, Term};
pub use rates::{Counters, PerSecond, Rates};
pub use sites::{
    Location, LocationId, Module, ModuleId, Node, NodeId, SiteFigures, Sites, SitesUpdate, Stack,
    StackId,
};
pub use state::{
    Census, Entry, Exactness, Exit, Identity, Inherited, Interval, Point, ProcessState, SizeClass,
    ThreadState, Totals, TreeState, Untracked, Window,
};
pub use tree::{Sums, Traced, TreeRow};
pub use window::window_sentence;

/// What a source says at a tick.
#[derive(Debug, Default)]
pub struct Reading {
    /// Seconds since the shown process's session began; stands still once it has ended.
    pub now_s: f64,
    /// All process images, in order of their start.
    pub images: Vec<ImageName>,
    /// Position of the shown one in `images`.
    pub shown: usize,
    /// Its figures, without its timeline; `None` while it has no session.
    pub state: Option<ProcessState>,
    /// What is new about its sites; nothing while stacks are not captured.
    pub sites: SitesUpdate,
    /// Its timeline.
    pub timeline: Vec<Point>,
    /// Its events since the last reading, oldest first.
    pub events: Vec<Event>,
    /// What its resident memory consists of, when that was looked at.
    pub gap: Option<Gap>,
    /// All processes in order of their start, then those that are not traced.
    pub tree: Arc<Vec<Arc<TreeRow>>>,
    /// Whether new blocks are recorded now.
    pub tracing: bool,
    /// How the program ended, once it has.
    pub exit: Option<Exit>,
    /// Whether whoever holds the program still answers.
    pub connected: bool,
}

/// A process image in the list to choose from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImageName {
    /// Process id.
    pub pid: u32,
    /// Which image of that pid.
    pub generation: u32,
    /// Arguments; empty until it has said.
    pub command: Vec<Vec<u8>>,
}

/// The size classes at a marked moment.
#[derive(Debug, Clone, Default)]
pub struct Marked {
    /// Seconds since the session began.
    pub t_s: f64,
    /// The classes then.
    pub classes: Vec<SizeClass>,
}

/// Everything the dashboard knows.
#[derive(Debug, Default)]
pub struct Model {
    /// The newest reading, its events taken out.
    pub reading: Reading,
    /// The tail of the events.
    pub events: EventLog,
    /// Where the shown process's memory comes from.
    pub sites: Sites,
    /// What its locations are called, as far as that was looked up.
    pub names: Names,
    /// How fast things change.
    pub rates: Rates,
    /// Size classes at the marks, by number.
    pub marks: BTreeMap<u32, Marked>,
    events_seen: u64,
}

impl Model {
    /// Takes a reading in.
    pub fn observe(&mut self, mut reading: Reading) {
        if self.shows_another(&reading) {
            self.events.clear();
            self.rates.clear();
            self.marks.clear();
            self.sites = Sites::default();
            self.names = Names::default();
            self.events_seen = 0;
        }
        self.sites.apply(std::mem::take(&mut reading.sites));
        self.events_seen += reading.events.len() as u64;
        self.events.extend(reading.events.drain(..));
        if let Some(state) = &reading.state {
            self.rates.push(counters(reading.now_s, state, self.events_seen));
        }
        self.reading = reading;
    }

    fn shows_another(&self, reading: &Reading) -> bool {
        let name =
            |of: &Reading| of.images.get(of.shown).map(|image| (image.pid, image.generation));
        name(&self.reading).is_some() && name(&self.reading) != name(reading)
    }

    /// Remembers the sizes of now under a number.
    pub fn mark(&mut self, number: u32) {
        let classes = self.state().map(|state| state.size_classes.clone()).unwrap_or_default();
        self.marks.insert(number, Marked { t_s: self.reading.now_s, classes });
    }

    /// The figures of the shown process.
    pub fn state(&self) -> Option<&ProcessState> {
        self.reading.state.as_ref()
    }
}

fn counters(t_s: f64, state: &ProcessState, events_seen: u64) -> Counters {
    Counters {
        t_s,
        allocations: state.totals.allocations,
        frees: state.totals.frees + state.untracked.frees,
        live_bytes: state.totals.current_bytes,
        events: events_seen + state.exactness.dropped_events,
    }
}
