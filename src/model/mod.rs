//! What memtop knows about a program: plain facts, free of where they came from.
//!
//! A live session, a recording and a test all produce the same [`ProcessState`]; the
//! report, the recording and the screens only ever read it. The dashboard keeps a [`Model`],
//! which changes in one way only, [`Model::observe`]. Always holds:
//!
//! - the shown process is one of the images, or there is none yet;
//! - rates, marks, sites and events belong to the shown process; choosing another starts them over,
//!   but for its marks, which are there again when it is;
//! - what a program did is never forgotten when it ends or the connection is lost.

pub mod askers;
mod command;
mod dating;
pub mod diff;
pub mod events;
mod figures;
pub mod frame;
pub mod gap;
pub mod grouping;
mod held;
pub mod history;
pub mod kinds;
pub mod loaded;
pub mod names;
pub mod pattern;
pub mod rates;
pub mod reading;
pub mod seen;
pub mod sites;
pub mod snapshots;
pub mod state;
pub mod tables;
pub mod tree;
pub mod window;

use std::{collections::HashMap, sync::Arc};

pub use askers::{Asked, Askers, Chosen, StackSet};
pub use command::command_line;
pub use diff::{Change, Difference, Tally};
pub use events::{Event, EventKind, EventLog};
pub use frame::{Frame, Kind, NoPlumbing, Place, Plumbing, Scope};
pub use gap::{Gap, gap_sentence};
pub use grouping::{Group, GroupId, Grouping, Groups};
pub use history::SiteHistory;
pub use kinds::Kinds;
pub use loaded::Loaded;
pub use names::{Function, Names};
pub use pattern::{Filter, Purpose, Term};
pub use rates::{Counters, PerSecond, Rates};
pub use reading::{ImageName, Reading};
pub use seen::SeenStacks;
pub use sites::{
    Location, LocationId, Module, ModuleId, Node, NodeId, SiteFigures, Sites, SitesUpdate, Stack,
    StackId,
};
pub use snapshots::{Snapshot, Snapshots};
pub use state::{
    Census, Entry, Exactness, Exit, Identity, Inherited, Interval, Point, ProcessState,
    SiteThreads, SizeClass, ThreadState, Totals, TreeState, UntracedProcess, Untracked, Window,
};
pub use tables::{Table, Tables, View};
pub use tree::{Sums, Traced, TreeRow};
pub use window::window_sentence;

/// Everything the dashboard knows.
#[derive(Debug)]
pub struct Model {
    /// The newest reading, its events taken out.
    pub reading: Reading,
    /// The tail of the events.
    pub events: EventLog,
    /// What all events seen tell of each stack.
    pub seen: SeenStacks,
    /// Where the shown process's memory comes from.
    pub sites: Sites,
    /// What its locations are called, as far as that was looked up.
    pub names: Names,
    /// Its sites, summed up as the screens ask for.
    pub tables: Tables,
    /// How its sites changed over time.
    pub history: history::History,
    /// How fast things change.
    pub rates: Rates,
    /// The moments that were marked, by number.
    pub marks: Snapshots,
    /// Marks whose figures are still to be read.
    pub marks_to_come: Vec<u32>,
    /// Snapshots of other runs, or of this one, out of files.
    pub loaded: Vec<Loaded>,
    /// How many locations are still being looked up.
    pub names_pending: u64,
    /// Who asked at the site that is looked at, where that is known.
    pub site_threads: Option<SiteThreads>,
    /// The history of the site that is looked at, at a moment of the past.
    pub site_history: Option<SiteHistory>,
    /// Which thread asked under which stacks, while somebody wants to know.
    pub askers: Asked,
    plumbing: Arc<dyn Plumbing + Send>,
    kinds: Kinds,
    /// What is to be caught up with, while sites are held still.
    held: Option<held::Held>,
    names_found: u64,
    sites_epoch: u64,
    sites_revision: u64,
    /// What all sites come to.
    site_sums: SiteFigures,
}

impl Default for Model {
    fn default() -> Self {
        Self::new(Arc::new(NoPlumbing))
    }
}

impl Model {
    /// Knows nothing yet but what is plumbing.
    pub fn new(plumbing: Arc<dyn Plumbing + Send>) -> Self {
        Self {
            reading: Reading::default(),
            events: EventLog::default(),
            seen: SeenStacks::default(),
            sites: Sites::default(),
            names: Names::default(),
            tables: Tables::default(),
            history: history::History::default(),
            rates: Rates::default(),
            marks: Snapshots::default(),
            marks_to_come: Vec::new(),
            loaded: Vec::new(),
            names_pending: 0,
            site_threads: None,
            askers: Asked::NotYet,
            site_history: None,
            plumbing,
            kinds: Kinds::default(),
            held: None,
            sites_epoch: 1,
            sites_revision: 0,
            site_sums: SiteFigures::default(),
            names_found: 0,
        }
    }

    /// Takes a reading in.
    pub fn observe(&mut self, mut reading: Reading) {
        if self.shows_another(&reading) {
            self.events.clear();
            self.seen.clear();
            self.rates.clear();
            self.forget_sites();
        }
        if let Some(image) = reading.image() {
            self.marks.show(image);
        }
        let sites = std::mem::take(&mut reading.sites);
        self.observe_events(reading.events_anew, std::mem::take(&mut reading.events));
        if let Some(state) = &reading.state {
            if self.starts_over(state) {
                self.rates.clear();
            }
            self.rates.push(counters(reading.now_s, state));
        }
        self.reading = reading;
        self.observe_sites(sites);
    }

    fn observe_events(&mut self, anew: bool, events: Vec<Event>) {
        if anew {
            self.events.clear();
            self.seen.clear();
        }
        self.seen.note(&events);
        self.events.extend(events);
    }

    /// Whether a clear began a new window, whose figures cannot be compared with those before.
    /// Figures may be seen to start over a reading before or after the clear is.
    fn starts_over(&self, state: &ProcessState) -> bool {
        let is_less = |before: &ProcessState| {
            before.window.cleared != state.window.cleared
                || before.totals.allocations > state.totals.allocations
        };
        self.state().is_some_and(is_less)
    }

    fn observe_sites(&mut self, update: SitesUpdate) {
        match &mut self.held {
            Some(held) => held.add(update, self.reading.now_s),
            None => {
                self.apply_sites(update);
                self.sites.as_of = self.reading.sites_as_of;
            }
        }
    }

    /// Sites, their sums and their history stay as they are, or catch up and go on.
    pub fn hold_sites(&mut self, hold: bool) {
        match (hold, self.held.take()) {
            (true, held) => self.held = Some(held.unwrap_or_default()),
            (false, Some(held)) => self.catch_up(held),
            (false, None) => {}
        }
    }

    /// Sites go on from what they are now; their history from what they were when they stopped.
    fn catch_up(&mut self, held: held::Held) {
        let (mut update, steps) = held.take();
        if std::mem::take(&mut update.restart) {
            self.forget_sites();
        }
        let mut known = HashMap::<StackId, u64>::new();
        for step in steps {
            let figures = &self.sites.figures;
            let before =
                |stack: StackId| figures.get(stack.0 as usize).map_or(0, |one| one.current_bytes);
            for (stack, bytes) in step.bytes {
                let old = known.insert(stack, bytes).unwrap_or_else(|| before(stack));
                if old != bytes {
                    self.history.change(stack, old);
                }
            }
            let bytes = |stack| known.get(&stack).copied().unwrap_or_else(|| before(stack));
            self.history.tick(step.t_s, bytes);
        }
        self.apply_changes(update, &known);
    }

    /// Changes when what was known of sites and their names is forgotten.
    pub fn sites_epoch(&self) -> u64 {
        self.sites_epoch
    }

    /// Changes with the figures of any site.
    pub fn sites_revision(&self) -> u64 {
        self.sites_revision
    }

    /// What all sites come to.
    pub fn site_sums(&self) -> &SiteFigures {
        &self.site_sums
    }

    /// How many names were found so far.
    pub fn names_found(&self) -> u64 {
        self.names_found
    }

    fn apply_sites(&mut self, update: SitesUpdate) {
        if update.restart {
            self.forget_sites();
        }
        self.apply_changes(update, &HashMap::new());
    }

    /// Takes changes in; the history knows what it was told of stacks beyond their figures.
    fn apply_changes(&mut self, mut update: SitesUpdate, told: &HashMap<StackId, u64>) {
        let changed = std::mem::take(&mut update.changed);
        self.sites_revision += u64::from(!changed.is_empty());
        self.sites.apply(update);
        for (stack, new) in changed {
            let Some(place) = self.sites.figures.get_mut(stack.0 as usize) else {
                continue;
            };
            let old = std::mem::replace(place, new);
            self.site_sums.replace(&old, &new);
            let before = told.get(&stack).copied().unwrap_or(old.current_bytes);
            if before != new.current_bytes {
                self.history.change(stack, before);
            }
            let Self { sites, names, plumbing, kinds, tables, .. } = self;
            let scope = Scope { sites, names, plumbing: &**plumbing, kinds: Some(kinds) };
            tables.change(scope, stack, &old, &new);
        }
        let Self { sites, names, plumbing, kinds, tables, history, .. } = self;
        let scope = Scope { sites, names, plumbing: &**plumbing, kinds: Some(kinds) };
        tables.tick(scope, self.names_found, self.reading.now_s);
        let bytes = |stack: StackId| sites.figures[stack.0 as usize].current_bytes;
        history.tick(self.reading.now_s, bytes);
    }

    fn forget_sites(&mut self) {
        self.sites = Sites::default();
        self.site_sums = SiteFigures::default();
        self.names = Names::default();
        self.kinds = Kinds::default();
        self.tables.clear();
        self.history.clear();
        self.askers = Asked::NotYet;
        self.held = self.held.take().map(|_| held::Held::default());
        self.sites_epoch += 1;
    }

    /// Whether a reading is of another process image than the one that is shown.
    pub fn shows_another(&self, reading: &Reading) -> bool {
        self.reading.image().is_some() && self.reading.image() != reading.image()
    }

    /// Learns what a location is called.
    pub fn learn(&mut self, location: LocationId, functions: Vec<Function>) {
        self.names.insert(location, functions);
        let functions = self.names.get(location).unwrap_or_default();
        self.kinds.tell(&*self.plumbing, &self.sites, location, functions);
        self.names_found += 1;
    }

    /// Makes sure that there are tables of `views`, and that they know the baseline.
    pub fn want(&mut self, views: &[View], baseline: tables::Baseline) {
        let Self { sites, names, plumbing, kinds, tables, .. } = self;
        let scope = Scope { sites, names, plumbing: &**plumbing, kinds: Some(kinds) };
        for view in views {
            tables.want(view, scope, self.names_found, self.reading.now_s);
        }
        tables.look_back(baseline, &self.marks);
    }

    /// The sites and what they are called.
    pub fn scope(&self) -> Scope<'_> {
        let Self { sites, names, plumbing, kinds, .. } = self;
        Scope { sites, names, plumbing: &**plumbing, kinds: Some(kinds) }
    }

    /// Remembers this moment under a number. Returns the marks that lost their sites, where
    /// there was no room for all.
    pub fn mark(&mut self, number: u32) -> Vec<u32> {
        let state = self.reading.state.clone();
        let sites_as_of = self.sites.as_of;
        let snapshot =
            Snapshot { t_s: self.reading.now_s, state, sites_as_of, ..Snapshot::default() };
        self.marks.insert(number, snapshot, &self.sites.figures)
    }

    /// Whether it is known which stacks hold what.
    pub fn knows_sites(&self) -> bool {
        let nothing = self.state().is_none_or(|state| state.totals.allocations == 0);
        nothing || self.sites.have_figures()
    }

    /// The figures of the shown process.
    pub fn state(&self) -> Option<&ProcessState> {
        self.reading.state.as_ref()
    }
}

fn counters(t_s: f64, state: &ProcessState) -> Counters {
    Counters {
        t_s,
        allocations: state.totals.allocations,
        frees: state.totals.frees + state.untracked.frees,
        live_bytes: state.totals.current_bytes,
    }
}
