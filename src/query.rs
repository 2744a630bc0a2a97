//! From the model and the person's wishes to what a screen shows: pure, and the only place
//! where rows are sorted and cut.

use memtop_ui::{
    Capacity, State, capacity,
    data::{
        Baseline, Data, Event, EventKind, Events, Exactness, Grown, Growth, GrowthBy, GrowthRow,
        Header, Interval, Origin, Output, Peak, Point, ProcessChoice, RunState, SizeRow, Sizes,
        Timeline, Totals, Tracing,
    },
};

use crate::model::{self, EventLog, Exit, Model, ProcessState, SizeClass, window_sentence};

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
        header: header(model, session),
        timeline: timeline(model, state),
        totals: model.state().map(totals).unwrap_or_default(),
        sentence: model.state().map(window_sentence),
        output,
        ..Data::default()
    };
    let room = capacity(&data, state);
    data.sizes = sizes(model, room);
    data.growth = growth(model, state, room);
    data.events = events(model, state, room);
    data
}

fn header(model: &Model, session: &Session) -> Header {
    let reading = &model.reading;
    let shown = reading.images.get(reading.shown);
    let command = shown.map(|image| &image.command).filter(|command| !command.is_empty());
    let run_state = run_state(model);
    let rates = model.rates.per_second().filter(|_| run_state.is_alive());
    let state = model.state();
    Header {
        title: title(command.unwrap_or(&session.command)),
        pid: shown.map(|image| image.pid),
        state: run_state,
        origin: session.origin,
        uptime_s: state.map(|_| reading.now_s),
        tracing: tracing(model),
        live: state.map(|state| state.totals.current_bytes),
        live_per_s: rates.map(|rates| rates.live_bytes),
        peak: state.and_then(peak),
        rss: reading.timeline.iter().rev().find_map(|point| point.rss_bytes),
        untracked_freed: state.map(|state| state.untracked.freed_bytes),
        net: state.map(|state| state.untracked.net_bytes),
        allocs_per_s: rates.map(|rates| rates.allocations),
        frees_per_s: rates.map(|rates| rates.frees),
        overhead_ns: session.overhead_ns,
        exactness: state.map(exactness).unwrap_or_default(),
        recording: None,
        process: ProcessChoice { shown: reading.shown, count: reading.images.len().max(1) },
        read_only: session.read_only,
    }
}

/// The command on one line.
pub fn title(command: &[Vec<u8>]) -> String {
    let words = command.iter().map(|word| String::from_utf8_lossy(word).into_owned());
    words.collect::<Vec<_>>().join(" ")
}

fn run_state(model: &Model) -> RunState {
    let own = model.state().and_then(|state| state.identity.ended.map(|_| state.identity.exit));
    match own.unwrap_or(model.reading.exit) {
        Some(Exit::Code(code)) => RunState::Ended { code: Some(code) },
        Some(Exit::Signal(signal)) => killed(signal),
        None if own.is_some() => RunState::Ended { code: None },
        None if !model.reading.connected => RunState::Disconnected,
        None if model.state().is_none() => RunState::Starting,
        None => RunState::Running,
    }
}

fn killed(signal: i32) -> RunState {
    let hint = (signal == libc::SIGKILL).then(|| "out of memory?".to_owned());
    RunState::Killed { signal, name: signal_name(signal).to_owned(), hint }
}

/// The usual name of a signal; empty for a number without one.
pub fn signal_name(signal: i32) -> &'static str {
    const NAMES: [(i32, &str); 12] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGTERM, "SIGTERM"),
    ];
    NAMES.iter().find(|(number, _)| *number == signal).map_or("", |(_, name)| name)
}

fn tracing(model: &Model) -> Tracing {
    let intervals = model.state().map(|state| &state.window.intervals[..]).unwrap_or_default();
    Tracing {
        since_s: intervals.first().map(|first| first.from.as_secs_f64()),
        on: model.reading.tracing,
        was_paused: intervals.len() > 1,
    }
}

fn peak(state: &ProcessState) -> Option<Peak> {
    let at = state.totals.peak_at?;
    Some(Peak { bytes: state.totals.peak_bytes, t_s: at.as_secs_f64() })
}

fn exactness(state: &ProcessState) -> Exactness {
    let exactness = &state.exactness;
    Exactness {
        lower_bound: exactness.unattributed_blocks != 0,
        peak_error_bytes: exactness.peak_error_bytes,
        dropped_events: exactness.dropped_events,
        lost_records: exactness.lost_records,
        tracer_bytes: Some(exactness.tracer_bytes),
    }
}

fn timeline(model: &Model, state: &State) -> Timeline {
    let reading = &model.reading;
    let intervals = model.state().map(|state| &state.window.intervals[..]).unwrap_or_default();
    let interval = |one: &model::Interval| Interval {
        from_s: one.from.as_secs_f64(),
        to_s: one.to.map(|to| to.as_secs_f64()),
    };
    Timeline {
        points: reading.timeline.iter().map(point).collect(),
        intervals: intervals.iter().map(interval).collect(),
        now_s: reading.now_s,
        marks: state.marks.clone(),
        peak: model.state().and_then(peak),
    }
}

fn point(point: &model::Point) -> Point {
    Point {
        t_s: point.at.as_secs_f64(),
        live: point.current_bytes,
        max: point.max_bytes,
        rss: point.rss_bytes,
        untracked_freed: point.untracked_freed_bytes,
    }
}

fn totals(state: &ProcessState) -> Totals {
    let totals = &state.totals;
    Totals {
        allocations: totals.allocations,
        frees: totals.frees,
        reallocations: totals.reallocations,
        temporary: totals.temporary,
        allocated_bytes: totals.allocated_bytes,
        live_blocks: totals.current_blocks,
        peak_blocks: totals.peak_at.map(|_| totals.peak_blocks),
    }
}

/// Where not all classes fit, those that hold the most stay, in order of size.
fn sizes(model: &Model, room: Capacity) -> Sizes {
    let mut rows: Vec<SizeRow> = classes(model).iter().map(size_row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.bytes, row.blocks, row.allocations)));
    let more = rows.len().saturating_sub(room.sizes);
    rows.truncate(room.sizes);
    rows.sort_by_key(|row| row.min);
    Sizes { rows, more }
}

fn classes(model: &Model) -> &[SizeClass] {
    model.state().map(|state| &state.size_classes[..]).unwrap_or_default()
}

fn size_row(class: &SizeClass) -> SizeRow {
    SizeRow {
        min: class.min,
        max: class.max,
        blocks: class.current_blocks,
        bytes: class.current_bytes,
        allocations: class.allocations,
    }
}

fn growth(model: &Model, state: &State, room: Capacity) -> Growth {
    let (since, then) = baseline(model, state);
    let mut rows: Vec<GrowthRow> = classes(model)
        .iter()
        .map(|class| growth_row(class, then.map_or(&[], |marked| &marked.classes)))
        .collect();
    rows.retain(|row| row.delta_bytes != 0 || row.delta_blocks != 0);
    rows.sort_by_key(|row| std::cmp::Reverse((row.delta_bytes, row.delta_blocks)));
    let more = rows.len().saturating_sub(room.growth);
    rows.truncate(room.growth);
    let age_s = then.map(|marked| model.reading.now_s - marked.t_s);
    Growth { since, age_s, by: GrowthBy::Size, rows, more }
}

/// What growth is measured from; the start when the mark is not of this process.
fn baseline<'a>(model: &'a Model, state: &State) -> (Baseline, Option<&'a model::Marked>) {
    match state.baseline {
        Baseline::Mark(number) => match model.marks.get(&number) {
            Some(marked) => (state.baseline, Some(marked)),
            None => (Baseline::Start, None),
        },
        Baseline::Start => (Baseline::Start, None),
    }
}

fn growth_row(class: &SizeClass, then: &[SizeClass]) -> GrowthRow {
    let before = then.iter().find(|before| before.min == class.min).copied().unwrap_or_default();
    GrowthRow {
        what: Grown::Class { min: class.min, max: class.max },
        delta_bytes: class.current_bytes.wrapping_sub(before.current_bytes) as i64,
        delta_blocks: class.current_blocks.wrapping_sub(before.current_blocks) as i64,
        live_bytes: class.current_bytes,
    }
}

fn events(model: &Model, state: &State, room: Capacity) -> Events {
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
        per_s: model.rates.per_second().map(|rates| rates.events),
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
        untracked: event.untracked,
    }
}
