//! Wishes about marks, and what growth is measured from.

use super::{Effect, tell};
use crate::data::{Baseline, Data, Mark, Notice, Pair, When};
use crate::format::clock;
use crate::screen::baseline as words;
use crate::state::{Screen, State};

pub(super) fn mark(state: &mut State, data: &Data) -> Effect {
    if state.screen == Screen::Chooser {
        return Effect::None;
    }
    let t_s = data.timeline.now_s;
    // Of recorded marks, only what was before counts as the one before.
    let last = state.marks.iter().rev().find(|mark| !mark.recorded || mark.t_s <= t_s);
    let last = last.map(|mark| (mark.number, mark.t_s));
    let number = state.next_mark(data.time.last_mark);
    state.marks.push(Mark { number, t_s, ..Mark::default() });
    measure_from(state, Baseline::Mark(number));
    if let Some((other, other_s)) = last {
        // Whoever marks twice wants to know what happened in between. In a replay, the second may
        // be the earlier one.
        let (from, to) = if other_s > t_s { (number, other) } else { (other, number) };
        state.diff.pair = Pair { from: When::Mark(from), to: When::Mark(to) };
    }
    // Not every screen shows marks.
    let said = format!("mark {number} at {}: growth is measured from here, d compares", clock(t_s));
    state.notice = Some(Notice::info(said));
    Effect::Marked(number)
}

pub(super) fn next_baseline(state: &mut State, data: &Data) -> Effect {
    if state.marks.is_empty() {
        return tell(state, Notice::info("no marks yet: press s to mark a moment"));
    }
    let after = |n: u32| state.marks.iter().find(|mark| mark.number > n);
    let next = match state.baseline {
        Baseline::Start => after(0),
        Baseline::Mark(number) => after(number),
    };
    let next = next.map_or(Baseline::Start, |mark| Baseline::Mark(mark.number));
    measure_from(state, next);
    tell(state, Notice::info(format!("growth is measured from {}", words(data, next))))
}

/// Growth and the diff begin at the same moment, until the diff is told otherwise.
fn measure_from(state: &mut State, baseline: Baseline) {
    state.baseline = baseline;
    state.diff.pair = Pair { from: baseline.into(), to: When::Now };
}
