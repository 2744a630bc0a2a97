//! From the model and the person's wishes to what a screen shows: pure, and the only place
//! where rows are sorted and cut.

mod classes;
mod events;
mod header;
mod overview;
mod processes;

pub use events::events_of;
pub use header::{signal_name, title};

use memtop_ui::{
    Screen, State, capacity,
    data::{Data, Origin, Output},
};

use crate::model::{Model, window_sentence};

/// What of a session does not change from tick to tick.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The command as it was typed.
    pub command: Vec<Vec<u8>>,
    /// How memtop came to the program.
    pub origin: Origin,
    /// Another viewer holds the keyboard.
    pub read_only: bool,
    /// What a hook call costs, where it was measured, nanoseconds.
    pub overhead_ns: Option<f64>,
}

/// Everything a frame needs.
pub fn data<'a>(model: &Model, state: &State, session: &Session, output: Output<'a>) -> Data<'a> {
    let mut data = Data {
        header: header::header(model, session),
        timeline: overview::timeline(model, state),
        totals: model.state().map(overview::totals).unwrap_or_default(),
        sentence: model.state().map(window_sentence),
        output,
        ..Data::default()
    };
    let room = capacity(&data, state);
    data.sizes = overview::sizes(model, room);
    data.growth = overview::growth(model, state, room);
    data.events = events::events(model, state, room);
    match state.screen {
        Screen::Sizes => data.classes = classes::classes(model, state, room),
        Screen::Processes => data.processes = processes::processes(model, state, room),
        _ => {}
    }
    data
}
