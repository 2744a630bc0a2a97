//! Wishes about the moment that is looked at.

use super::{Effect, tell};
use crate::action::{Seek, Step};
use crate::data::{Data, Notice, Stop, StopKind, Time, TimeSource};
use crate::state::State;

/// Speeds the keys go through.
const SPEEDS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0];
/// Steps that cross the whole picture.
const COLUMNS: f64 = 100.0;

/// Lets time go on by itself, or stops it. From the end it goes on from the beginning.
pub(super) fn play(state: &mut State, data: &Data) -> Effect {
    if let Some(why) = nothing(&data.time) {
        return tell(state, Notice::info(why));
    }
    state.playback.playing = !state.playback.playing;
    if state.playback.playing && state.playback.at_s.is_none_or(|at| at >= data.time.last_s) {
        return to(state, data, data.time.first_s);
    }
    Effect::Redraw
}

/// Lets the played moment go on by `elapsed_s` seconds of the person's time. To be called while
/// [`Playback::playing`](crate::choice::Playback::playing).
pub fn advance(state: &mut State, elapsed_s: f64, data: &Data) -> Effect {
    match state.playback.at_s {
        Some(at) if state.playback.playing => {
            to(state, data, at + elapsed_s * state.playback.speed)
        }
        _ => Effect::None,
    }
}

pub(super) fn speed(state: &mut State, step: Step) -> Effect {
    let speed = state.playback.speed;
    let next = match step {
        Step::Next => SPEEDS.into_iter().find(|other| *other > speed),
        Step::Previous => SPEEDS.into_iter().rev().find(|other| *other < speed),
    };
    state.playback.speed = next.unwrap_or(speed);
    Effect::Redraw
}

pub(super) fn seek(state: &mut State, seek: Seek, data: &Data) -> Effect {
    let time = &data.time;
    if let Some(why) = nothing(time) {
        return tell(state, Notice::info(why));
    }
    state.playback.playing = false;
    let at = state.playback.at_s.unwrap_or(time.last_s);
    let target = match seek {
        Seek::Tick(Step::Previous) => time.before_s,
        Seek::Tick(Step::Next) => time.after_s,
        Seek::Column(step) => Some(at + signed(step) * (time.last_s - time.first_s) / COLUMNS),
        Seek::Stop(step) => stop(time, at, step, |_| true),
        Seek::Growth => stop(time, at, Step::Next, |stop| matches!(stop.what, StopKind::Growth(_))),
        Seek::Peak => {
            let peak = time.stops.iter().find(|stop| stop.what == StopKind::Peak);
            peak.map(|stop| stop.t_s)
        }
        Seek::Start => time.stops.first().map(|stop| stop.t_s).or(Some(time.first_s)),
        Seek::End => Some(f64::INFINITY),
    };
    match target {
        Some(target) => to(state, data, target),
        None => tell(state, Notice::info(missing(seek))),
    }
}

/// Why there is no time to move in.
fn nothing(time: &Time) -> Option<&'static str> {
    (time.source == TimeSource::Nothing).then_some("no past is kept of this session")
}

fn missing(seek: Seek) -> &'static str {
    match seek {
        Seek::Growth => "no sudden growth after this moment",
        Seek::Peak => "nothing was live yet",
        Seek::Stop(Step::Previous) => "nothing to stop at before this moment",
        Seek::Stop(Step::Next) => "nothing to stop at after this moment",
        _ => "there is no other moment",
    }
}

fn signed(step: Step) -> f64 {
    if step == Step::Next { 1.0 } else { -1.0 }
}

fn stop(time: &Time, at: f64, step: Step, wanted: impl Fn(&Stop) -> bool) -> Option<f64> {
    let mut stops = time.stops.iter().filter(|stop| wanted(stop)).map(|stop| stop.t_s);
    match step {
        Step::Next => stops.find(|t| *t > at),
        Step::Previous => stops.rfind(|t| *t < at),
    }
}

/// Shows the present again, or the end.
pub(super) fn to_present(state: &mut State) -> Effect {
    (state.playback.at_s, state.playback.playing) = (None, false);
    Effect::Seek(None)
}

/// At the end of the time that is kept, there is the present: playing ends.
fn to(state: &mut State, data: &Data, target: f64) -> Effect {
    let at_end = target >= data.time.last_s;
    state.playback.at_s = (!at_end).then(|| target.max(data.time.first_s));
    state.playback.playing &= !at_end;
    Effect::Seek(state.playback.at_s)
}
