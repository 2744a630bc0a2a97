//! The honesty bar: whose memory this is, since when it is traced, and how exact it all is.

use memtop_ui::data::{Exactness, Header, Peak, ProcessChoice, RunState, Tracing};

use super::Session;
use crate::model::{Exit, Model, ProcessState, command_line};

pub(super) fn header(model: &Model, session: &Session) -> Header {
    let reading = &model.reading;
    let shown = reading.images.get(reading.shown);
    let command = shown.map(|image| &image.command).filter(|command| !command.is_empty());
    let run_state = run_state(model);
    let state = model.state();
    let traced = state.filter(|state| !state.is_untraced());
    let rates = model.rates.per_second().filter(|_| run_state.is_alive() && traced.is_some());
    Header {
        title: title(command.unwrap_or(&session.command)),
        pid: shown.map(|image| image.pid),
        state: run_state,
        still_runs: reading.connected && reading.exit.is_none(),
        stopped: reading.connected && reading.stopped,
        left_behind: if reading.connected { reading.left_behind } else { 0 },
        origin: session.origin,
        uptime_s: state.map(|_| reading.now_s),
        tracing: tracing(model),
        live: traced.map(|state| state.totals.current_bytes),
        live_per_s: rates.map(|rates| rates.live_bytes),
        peak: state.and_then(peak),
        rss: reading.timeline.iter().rev().find_map(|point| point.rss_bytes),
        untracked_freed: traced.map(|state| state.untracked.freed_bytes),
        net: traced.filter(|state| state.knows_net()).map(|state| state.untracked.net_bytes),
        allocs_per_s: rates.map(|rates| rates.allocations),
        frees_per_s: rates.map(|rates| rates.frees),
        overhead_ns: state.and_then(|state| state.exactness.ns_per_event),
        overhead_error_ns: state.and_then(|state| state.exactness.ns_per_event_error),
        exactness: state.map(exactness).unwrap_or_default(),
        recording: None,
        process: ProcessChoice { shown: reading.shown, count: reading.images.len().max(1) },
        read_only: session.read_only,
    }
}

/// The command on one line.
pub fn title(command: &[Vec<u8>]) -> String {
    let words: Vec<_> = command.iter().map(|word| String::from_utf8_lossy(word)).collect();
    command_line(words.iter().map(AsRef::as_ref))
}

/// Whether what is shown can still allocate, so that it has rates.
pub(super) fn is_alive(model: &Model) -> bool {
    run_state(model).is_alive()
}

fn run_state(model: &Model) -> RunState {
    let own = model.state().and_then(|state| state.identity.ended.map(|_| state.identity.exit));
    match own.unwrap_or(model.reading.exit) {
        None if model.reading.goes_on_untraced => RunState::Untraced,
        Some(Exit::Code(code)) => RunState::Ended { code: Some(code) },
        Some(Exit::Signal(signal)) => killed(signal),
        None if own.is_some() || model.reading.given_back => RunState::Ended { code: None },
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
    let window = model.state().map(|state| state.window.clone()).unwrap_or_default();
    Tracing {
        since_s: window.intervals.first().map(|first| first.from.as_secs_f64()),
        on: model.reading.tracing,
        was_paused: window.counted().len() > 1,
        cleared_s: window.cleared.map(|at| at.as_secs_f64()),
    }
}

pub(super) fn peak(state: &ProcessState) -> Option<Peak> {
    let t_s = state.totals.peak_at.map(|at| at.as_secs_f64());
    state.has_peak().then_some(Peak { bytes: state.totals.peak_bytes, t_s })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interval, Reading, Totals, Window};
    use std::time::Duration;

    #[test]
    fn what_was_never_traced_is_unknown() {
        let mut model = Model::default();
        for now_s in [1.0, 2.0] {
            let state = Some(ProcessState::default());
            model.observe(Reading { now_s, state, connected: true, ..Reading::default() });
        }
        let header = header(&model, &Session::default());
        assert_eq!((header.live, header.live_per_s, header.net), (None, None, None));
        assert_eq!((header.allocs_per_s, header.untracked_freed), (None, None));
        assert!(header.state.is_alive());
    }

    #[test]
    fn one_of_which_nothing_is_left_has_ended_and_does_not_start() {
        let mut model = Model::default();
        let state_of = |model: &mut Model, given_back| {
            model.observe(Reading { given_back, connected: true, ..Reading::default() });
            header(model, &Session::default()).state
        };
        assert_eq!(state_of(&mut model, false), RunState::Starting);
        assert_eq!(state_of(&mut model, true), RunState::Ended { code: None });
    }

    #[test]
    fn a_clear_is_no_fall_of_memory() {
        let process = |current_bytes, allocations, cleared: Option<u64>| ProcessState {
            window: Window {
                intervals: vec![Interval { from: Duration::ZERO, to: None }],
                cleared: cleared.map(Duration::from_secs),
            },
            totals: Totals { current_bytes, allocations, ..Totals::default() },
            ..ProcessState::default()
        };
        let mut model = Model::default();
        let mut rate_after = |now_s, state| {
            let connected = true;
            let state = Some(state);
            model.observe(Reading { now_s, state, connected, ..Reading::default() });
            header(&model, &Session::default()).live_per_s
        };
        rate_after(9.0, process(4 << 20, 1000, None));
        assert_eq!(rate_after(9.5, process(4 << 20, 1000, None)), Some(0.0));
        // Seen before the figures start over, and after.
        assert_eq!(rate_after(10.0, process(4 << 20, 1000, Some(10))), None);
        assert_eq!(rate_after(10.5, process(1 << 10, 3, Some(10))), None);
        assert_eq!(rate_after(11.0, process(2 << 10, 6, Some(10))), Some(2048.0));
    }
}
