//! The live tail of allocations and frees.

use memtop_ui::{
    Capacity, State,
    data::{Event, EventKind, Events},
};

use crate::model::{self, EventLog, Model};

pub(super) fn events(model: &Model, state: &State, room: Capacity) -> Events {
    events_of(&model.events, model, state, room)
}

/// The events of a log, which may be one that was frozen.
pub fn events_of(log: &EventLog, model: &Model, state: &State, room: Capacity) -> Events {
    let names = model.state().map(|state| &state.threads[..]).unwrap_or_default();
    let matching = || log.newest_first().map(|event| event_row(event, names));
    let matching = || matching().filter(|row| state.filter.matches(row));
    Events {
        rows: matching().take(room.events + state.events_scroll).collect(),
        matching: matching().count() as u64,
        kept: log.len() as u64,
        dropped: model.state().map_or(0, |state| state.exactness.dropped_events),
        per_s: model.rates.per_second().map(|rates| rates.allocations + rates.frees),
    }
}

fn event_row(event: &model::Event, threads: &[model::ThreadState]) -> Event {
    let thread = threads.iter().find(|thread| thread.tid == event.tid);
    Event {
        t_s: event.t_s,
        kind: match event.kind {
            model::EventKind::Allocate => EventKind::Alloc,
            model::EventKind::Reallocate => EventKind::Realloc,
            model::EventKind::Release => EventKind::Free,
        },
        size: event.size,
        tid: event.tid,
        thread: thread.and_then(|thread| thread.name.clone()),
        address: event.address,
        age_s: event.age_s,
        age_is_least: event.age_is_least,
        tick_s: event.tick_s,
        untracked: event.untracked,
    }
}
