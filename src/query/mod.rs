//! From the model and the person's wishes to what a screen shows: pure, and the only place
//! where rows are sorted and cut.

mod callers;
mod classes;
mod code;
mod events;
mod flame;
mod header;
mod listing;
mod moments;
mod overview;
mod processes;
mod remembered;
mod site;
mod sites;
mod snapshots;
mod time;

pub use events::events_of;
pub use header::{signal_name, title};
pub use remembered::Memory;
pub use site::opened;
pub use time::time;

use memtop_ui::{
    Screen, State, capacity,
    data::{Baseline, Data, Grown, Origin, Output},
};

use crate::model::{LocationId, Model, window_sentence};

/// What of a session does not change from tick to tick.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The command as it was typed.
    pub command: Vec<Vec<u8>>,
    /// How memtop came to the program.
    pub origin: Origin,
    /// Another viewer holds the keyboard.
    pub read_only: bool,
}

/// Lets the model keep what the screen shown looks at.
pub fn prepare(model: &mut Model, state: &State) {
    let views = match state.screen {
        Screen::Overview => vec![code::growth()],
        Screen::Sites | Screen::Site | Screen::Snapshots => {
            vec![code::chosen(model, state), code::unfiltered(state)]
        }
        _ => Vec::new(),
    };
    let baseline = match state.baseline {
        Baseline::Start => None,
        // A mark of another process is none of this one's.
        Baseline::Mark(number) => model.marks.get(number).map(|_| number),
    };
    model.want(&views, baseline);
}

/// Everything a frame needs; [`prepare`] comes before.
pub fn data<'a>(
    model: &Model,
    state: &State,
    session: &Session,
    memory: &Memory,
    output: Output<'a>,
) -> Data<'a> {
    let mut data = Data {
        header: header::header(model, session),
        timeline: overview::timeline(model, state),
        totals: model.state().map(overview::totals).unwrap_or_default(),
        sentence: model.state().map(window_sentence),
        output,
        ..Data::default()
    };
    data.sites_as_of_s = model.sites.as_of.map(|at| at.as_secs_f64());
    data.growth.by = overview::growth_by(model, state);
    data.filter_problem = code::asks_in_vain(model, state, session.origin);
    let room = capacity(&data, state);
    data.sizes = overview::sizes(model, room);
    data.growth = overview::growth(model, state, room);
    data.events = events::events(model, state, room);
    // Why there is nothing to show is told by all screens about code.
    data.sites = sites::whether_any(model, session);
    match state.screen {
        Screen::Overview => data.classes.gap = model.reading.gap.as_ref().map(classes::gap),
        Screen::Sizes => data.classes = classes::classes(model, state, room),
        Screen::Processes => data.processes = processes::processes(model, state, room),
        Screen::Sites => data.sites = sites::sites(model, state, session, room.sites),
        Screen::Site => data.site = site::site(model, state, session),
        Screen::Flame => {
            let calls = &mut memory.calls.borrow_mut();
            data.flame = flame::flame(model, state, room.flame.0, calls);
        }
        Screen::Snapshots => {
            let problem = data.filter_problem;
            data.snapshots = snapshots::snapshots(model, state, room.diff, memory, problem);
        }
        _ => {}
    }
    data
}

/// The places in code that a frame shows, the most wanted first: their names are looked up
/// before others.
pub fn visible(model: &Model, data: &Data<'_>) -> Vec<LocationId> {
    let site = data.site.iter().map(|site| site.key);
    let rows = data.sites.rows.rows.iter().map(|row| row.key);
    let diff = data.snapshots.diff.rows.rows.iter().map(|row| row.key);
    let grown = data.growth.rows.iter().filter_map(|row| match &row.what {
        Grown::Site { key, .. } => Some(*key),
        Grown::Class { .. } => None,
    });
    let keys = site.chain(rows).chain(diff).chain(grown);
    keys.flat_map(|key| code::locations(model, key)).collect()
}

#[cfg(test)]
mod tests;
