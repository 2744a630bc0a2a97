//! What the tracing window means, in the sentence a colleague would say.

use std::time::Duration;

use memtop_ui::format::{agree, bytes, clock, exactly, signed_bytes};

use super::{Interval, ProcessState};

/// Says what tracing saw come and go, all of it in usable bytes: "Traced +48.2 MiB, but
/// 12.4 MiB from before the start were freed: the program holds +35.8 MiB more than at 0:41."
///
/// Only as long as there was one uninterrupted window do frees of unknown blocks certainly
/// concern the time before the start; otherwise the sentence says "not seen allocated", and
/// claims no more than the traced time. While tracing is paused, blocks that were traced are
/// still seen to be moved, made larger and freed.
pub fn window_sentence(process: &ProcessState) -> String {
    let intervals = process.window.counted();
    if process.exactness.unattributed_blocks > 0 {
        return unfollowed(process);
    }
    let Some(first) = intervals.first() else { return never_started(process) };
    let net = process.untracked.net_bytes;
    let traced = signed_bytes(traced_bytes(process));
    let freed = freed_clause(process);
    match process.stopped() {
        stopped if intervals.len() > 1 => {
            let since = if stopped.is_some() { ", and of what was traced since" } else { "" };
            let net = signed_bytes(net);
            format!("Traced {traced}{freed}: net {net} over the traced time{since}.")
        }
        Some(end) => format!(
            "Blocks traced between {} and {} hold {traced} now{freed}: net {}.",
            moment(first.from),
            moment(end),
            signed_bytes(net)
        ),
        None => format!("Traced {traced}{freed}: {}.", holds(process, first)),
    }
}

/// Frees of blocks that were not followed look like frees from before the start.
fn unfollowed(process: &ProcessState) -> String {
    let net = match process.knows_net() {
        true => format!("the net is {}", signed_bytes(process.untracked.net_bytes)),
        false => "the net is not known".to_owned(),
    };
    let blocks = process.exactness.unattributed_blocks;
    format!(
        "The tracer's memory limit was met: {} {} not followed, so at least {} are live; {net}.",
        exactly(blocks, "block"),
        agree(blocks, "was", "were"),
        bytes(process.totals.usable_current_bytes)
    )
}

fn never_started(process: &ProcessState) -> String {
    match process.identity.ended {
        Some(_) => "Tracing never started: nothing was counted.".to_owned(),
        None => "Tracing has not started: nothing is counted yet.".to_owned(),
    }
}

/// Usable bytes allocated and not freed within the window.
fn traced_bytes(process: &ProcessState) -> i64 {
    let totals = &process.totals;
    difference(totals.usable_allocated_bytes, totals.usable_freed_bytes)
}

fn difference(more: u64, less: u64) -> i64 {
    let difference = i128::from(more) - i128::from(less);
    difference.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

fn freed_clause(process: &ProcessState) -> String {
    let untracked = &process.untracked;
    if untracked.frees == 0 {
        return String::new();
    }
    let origin = match (process.window.counted().len(), process.window.cleared) {
        (1, None) => "from before the start",
        (1, Some(_)) => "from before the clear",
        _ => "not seen allocated",
    };
    format!(", but {} {origin} were freed", bytes(untracked.freed_bytes))
}

/// What the program holds now, compared with the start of an unbroken window.
fn holds(process: &ProcessState, first: &Interval) -> String {
    let net = process.untracked.net_bytes;
    let start = moment(first.from);
    let traced = traced_bytes(process).unsigned_abs();
    let moved = traced.saturating_add(process.untracked.freed_bytes);
    if net == 0 {
        return format!("the program holds as much as at {start}");
    }
    if net.unsigned_abs() <= moved / 1000 {
        return format!("the program holds about as much as at {start} ({})", signed_bytes(net));
    }
    match net {
        1.. => format!("the program holds {} more than at {start}", signed_bytes(net)),
        _ => format!("the program holds {} less than at {start}", bytes(net.unsigned_abs())),
    }
}

/// `0:41`, and below ten seconds, where it matters, `0:02.5`.
pub fn moment(at: Duration) -> String {
    let seconds = at.as_secs_f64();
    let tenths = at.subsec_millis() / 100;
    match at.as_secs() {
        0..10 if tenths > 0 => format!("{}.{tenths}", clock(seconds)),
        _ => clock(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Totals, Untracked, Window};

    const MIB: u64 = 1 << 20;

    fn traced(allocated: u64, untracked: u64, intervals: &[(u64, Option<u64>)]) -> ProcessState {
        let interval = |&(from, to): &(u64, Option<u64>)| Interval {
            from: Duration::from_millis(from),
            to: to.map(Duration::from_millis),
        };
        ProcessState {
            window: Window {
                intervals: intervals.iter().map(interval).collect(),
                ..Window::default()
            },
            totals: Totals {
                usable_allocated_bytes: allocated + MIB,
                usable_freed_bytes: MIB,
                ..Totals::default()
            },
            untracked: Untracked {
                frees: u64::from(untracked > 0),
                freed_bytes: untracked,
                net_bytes: difference(allocated, untracked),
                census: None,
            },
            ..ProcessState::default()
        }
    }

    #[test]
    fn a_late_start() {
        let process = traced(482 * MIB / 10, 124 * MIB / 10, &[(41_000, None)]);
        assert_eq!(
            window_sentence(&process),
            "Traced +48.2 MiB, but 12.4 MiB from before the start were freed: the program \
             holds +35.8 MiB more than at 0:41."
        );
    }

    #[test]
    fn nothing_untracked() {
        assert_eq!(
            window_sentence(&traced(8 * MIB, 0, &[(0, None)])),
            "Traced +8.0 MiB: the program holds +8.0 MiB more than at 0:00."
        );
    }

    #[test]
    fn net_near_zero_and_below() {
        let start = [(2_500, None)];
        assert_eq!(
            window_sentence(&traced(32 * MIB + 8192, 32 * MIB, &start)),
            "Traced +32.0 MiB, but 32.0 MiB from before the start were freed: the program \
             holds about as much as at 0:02.5 (+8.0 KiB)."
        );
        assert!(window_sentence(&traced(MIB, MIB, &start)).contains("as much as at 0:02.5."));
        assert!(
            window_sentence(&traced(MIB, 4 * MIB, &start))
                .ends_with("the program holds 3.0 MiB less than at 0:02.5.")
        );
    }

    #[test]
    fn paused_in_between() {
        let process = traced(8 * MIB, 2 * MIB, &[(0, Some(5_000)), (9_000, None)]);
        assert_eq!(
            window_sentence(&process),
            "Traced +8.0 MiB, but 2.0 MiB not seen allocated were freed: net +6.0 MiB over the \
             traced time."
        );
    }

    #[test]
    fn after_a_clear() {
        let mut process = traced(8 * MIB, 2 * MIB, &[(0, Some(5_000)), (9_000, None)]);
        process.window.cleared = Some(Duration::from_secs(80));
        assert_eq!(
            window_sentence(&process),
            "Traced +8.0 MiB, but 2.0 MiB from before the clear were freed: the program holds \
             +6.0 MiB more than at 1:20."
        );
        process.window.cleared = Some(Duration::from_secs(3));
        assert!(window_sentence(&process).contains("not seen allocated"));
    }

    #[test]
    fn stopped_before_the_end() {
        let mut process = traced(8 * MIB, 0, &[(0, Some(5_000))]);
        let stopped = "Blocks traced between 0:00 and 0:05 hold +8.0 MiB now: net +8.0 MiB.";
        assert_eq!(window_sentence(&process), stopped);
        process.identity.ended = Some(Duration::from_secs(9));
        assert_eq!(window_sentence(&process), stopped);
        process.identity.ended = Some(Duration::from_secs(5));
        assert!(window_sentence(&process).ends_with("more than at 0:00."));
    }

    #[test]
    fn never_started() {
        let mut process = traced(0, 0, &[]);
        assert!(window_sentence(&process).starts_with("Tracing has not started"));
        process.identity.ended = Some(Duration::from_secs(1));
        assert!(window_sentence(&process).starts_with("Tracing never started"));
    }
}
