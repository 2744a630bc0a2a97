//! The time screen: what there is to go through, and where jumps lead.

use memtop_ui::data::{Peak, Stop, StopKind, Time, TimeSource};

use super::overview::{self, point};
use crate::source::past::Past;

/// What the time screen shows of a past, and of the marks there are.
pub fn time(past: &Past, marks: &[memtop_ui::data::Mark]) -> Time {
    Time {
        source: match &past.recording {
            Some(name) => TimeSource::Recording(name.clone()),
            None if past.points.is_empty() => TimeSource::Nothing,
            None => TimeSource::Session,
        },
        first_s: past.first.as_secs_f64(),
        last_s: past.last.as_secs_f64(),
        at_s: past.at.as_secs_f64(),
        before_s: past.before.map(|at| at.as_secs_f64()),
        after_s: past.after.map(|at| at.as_secs_f64()),
        points: past.points.iter().map(point).collect(),
        last_mark: past.last_mark,
        stops: stops(past, marks),
        intervals: past.intervals.iter().map(overview::interval).collect(),
        cleared_s: past.cleared.map(|at| at.as_secs_f64()),
        peak: past.peak.map(|(at, bytes)| Peak { bytes, t_s: Some(at.as_secs_f64()) }),
        sites_from_s: past.sites_from.map(|at| at.as_secs_f64()),
        gaps: past.gaps.iter().map(|(from, to)| (from.as_secs_f64(), to.as_secs_f64())).collect(),
        seeking: false,
    }
}

/// In the order of time.
fn stops(past: &Past, marks: &[memtop_ui::data::Mark]) -> Vec<Stop> {
    let stop = |at: std::time::Duration, what| Stop { t_s: at.as_secs_f64(), what };
    let mut stops = Vec::new();
    for interval in &past.intervals {
        stops.push(stop(interval.from, StopKind::TracingOn));
        // The end of the program ends tracing too, and is a stop of its own.
        let paused = interval.to.filter(|to| past.ended.is_none_or(|ended| *to < ended));
        stops.extend(paused.map(|to| stop(to, StopKind::TracingOff)));
    }
    stops.extend(past.peak_tick().map(|at| stop(at, StopKind::Peak)));
    stops
        .extend(marks.iter().map(|mark| Stop { t_s: mark.t_s, what: StopKind::Mark(mark.number) }));
    let growths = past.growths();
    stops.extend(growths.into_iter().map(|(at, by)| stop(at, StopKind::Growth(by))));
    stops.extend(past.ended.map(|at| stop(at, StopKind::End)));
    stops.sort_by(|one, other| one.t_s.total_cmp(&other.t_s));
    stops
}
