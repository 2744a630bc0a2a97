//! What a frame is made of: the model, what the person chose, and whatever is held still.

use std::cell::RefCell;

use memtop_ui::{
    State, capacity,
    data::{Data, Growth, Origin, Output, Place, Sizes, StackEntry, Time, Totals},
};

use crate::{
    app::{pane::Pane, source_lines::SourceLines},
    model::{EventLog, Model},
    query::{self, Session},
};

/// The tables as they were when the person froze them. Sites are held still by the model.
#[derive(Clone)]
pub(super) struct Frozen {
    sizes: Sizes,
    growth: Growth,
    totals: Totals,
    /// The filter can still be changed, so what is kept is what it chooses from.
    events: EventLog,
}

/// What a frame is made of.
pub(super) struct Shown {
    pub model: Model,
    /// What goes on now, while the past is shown.
    pub present: Option<Box<Model>>,
    pub state: State,
    pub session: Session,
    pub program: Option<Pane>,
    pub frozen: Option<Frozen>,
    /// Bytes recorded so far.
    pub recording: Option<u64>,
    /// What there is to go through.
    pub time: Time,
    /// Sums that the next frame may need again.
    pub memory: query::Memory,
    /// Source files are read when a frame is to show their lines.
    pub sources: RefCell<SourceLines>,
}

impl Shown {
    /// Holds the tables still from now on, or lets them go on.
    pub(super) fn freeze(&mut self, frozen: bool) {
        self.frozen = frozen.then(|| {
            let data = self.queried(Output::Elsewhere);
            let events = self.model.events.clone();
            Frozen { sizes: data.sizes, growth: data.growth, totals: data.totals, events }
        });
        self.model.hold_sites(frozen);
    }

    fn queried<'a>(&self, output: Output<'a>) -> Data<'a> {
        query::data(&self.model, &self.state, &self.session, &self.memory, output)
    }

    /// What the screen shows.
    pub(super) fn data(&self) -> Data<'_> {
        let output = match &self.program {
            Some(program) => Output::Terminal(program.screen()),
            None if self.session.origin == Origin::Launched => Output::Redirected,
            None if self.session.origin == Origin::Replay => Output::NotRecorded,
            None => Output::Elsewhere,
        };
        let mut data = self.queried(output);
        data.header.recording = self.recording;
        data.time = self.time.clone();
        self.add_source(&mut data);
        if let Some(frozen) = &self.frozen {
            let room = capacity(&data, &self.state);
            data.sizes = frozen.sizes.clone();
            data.growth = frozen.growth.clone();
            data.totals = frozen.totals;
            data.events = query::events_of(&frozen.events, &self.model, &self.state, room);
        }
        data
    }

    /// The source around the selected frame of an opened site.
    fn add_source(&self, data: &mut Data<'_>) {
        let Some(site) = &mut data.site else {
            return;
        };
        let selected = site.stack.selected(self.state.site.entry);
        let entry = selected.and_then(|at| site.stack.entries.get(at));
        let Some(StackEntry::Frame(frame)) = entry else {
            return;
        };
        if let Place::Source { file, line: Some(line) } = &frame.name.place {
            site.source = self.sources.borrow_mut().around(file, *line);
        }
    }
}
