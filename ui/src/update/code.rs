//! Wishes about sites, a site and the diff.

use super::{Effect, show, tell};
use crate::action::{Motion, Step};
use crate::choice::SiteChoice;
use crate::cursor::{Cursor, moved};
use crate::data::{Data, DiffSort, Grouping, Key, Notice, Sort, SortKey, When};
use crate::filter::CodeFilter;
use crate::screen::sites::sort_keys;
use crate::state::{Screen, State};

/// Another grouping shows other things: nothing of the old list is selected in the new one.
pub(super) fn regroup(state: &mut State) -> Effect {
    state.code.grouping = state.code.grouping.next();
    state.sites.cursor = Cursor::default();
    state.diff.cursor = Cursor::default();
    if !state.code.grouping.has_callees() && state.sites.sort.by == SortKey::WithCallees {
        state.sites.sort = Sort::descending(SortKey::Live);
    }
    Effect::Redraw
}

pub(super) fn regroup_growth(state: &mut State) -> Effect {
    state.code.growth = state.code.growth.other();
    Effect::Redraw
}

fn sorted_by<K: PartialEq>(sort: Sort<K>, by: K) -> Sort<K> {
    match sort.by == by {
        true => Sort { by, descending: !sort.descending },
        false => Sort::descending(by),
    }
}

pub(super) fn sort_sites(state: &mut State, by: SortKey) -> Effect {
    if by == SortKey::WithCallees && !state.code.grouping.has_callees() {
        return tell(state, calls_nothing(state.code.grouping));
    }
    state.sites.sort = sorted_by(state.sites.sort, by);
    Effect::Redraw
}

fn calls_nothing(by: Grouping) -> Notice {
    Notice::info(format!("a {} calls nothing: m sums by site, function, file or module", by.word()))
}

pub(super) fn sort_column(state: &mut State, step: Step) -> Effect {
    let keys = sort_keys(state.code.grouping, state.sites.sort.by);
    let at = keys.iter().position(|key| *key == state.sites.sort.by).unwrap_or(0);
    let offset = if step == Step::Next { 1 } else { keys.len() - 1 };
    state.sites.sort = Sort::descending(keys[(at + offset) % keys.len()]);
    Effect::Redraw
}

pub(super) fn sort_diff(state: &mut State, by: DiffSort) -> Effect {
    state.diff.sort = sorted_by(state.diff.sort, by);
    Effect::Redraw
}

pub(super) fn reverse_order(state: &mut State) -> Effect {
    match state.screen {
        Screen::Snapshots => state.diff.sort.descending ^= true,
        _ => state.sites.sort.descending ^= true,
    }
    Effect::Redraw
}

pub(super) fn with_callees(state: &mut State, with: bool) -> Effect {
    if with && !state.code.grouping.has_callees() {
        return tell(state, calls_nothing(state.code.grouping));
    }
    state.diff.with_callees = with;
    Effect::Redraw
}

pub(super) fn all_frames(state: &mut State) -> Effect {
    if state.screen == Screen::Site {
        state.site.all_frames ^= true;
        state.site.entry = None;
    } else {
        state.code.all_frames ^= true;
    }
    Effect::Redraw
}

pub(super) fn open(state: &mut State, key: Option<Key>) -> Effect {
    let Some(key) = key else {
        return Effect::None;
    };
    let (opened_from, all_frames) = (state.screen, state.code.all_frames);
    state.site = SiteChoice { key, opened_from, all_frames, ..SiteChoice::default() };
    show(state, Screen::Site)
}

/// Opens the selected row of the table; a thread has no page, and leads to where it asked.
pub(super) fn open_row(state: &mut State, data: &Data) -> Effect {
    let key = data.sites.rows.chosen().map(|row| row.key);
    match (state.code.grouping, key) {
        (Grouping::Thread, Some(Key(tid))) => sites_of_thread(state, tid),
        _ => open(state, key),
    }
}

fn sites_of_thread(state: &mut State, tid: u64) -> Effect {
    let text = match tid {
        0 => "thread:ended".to_owned(),
        tid => format!("thread:{tid}"),
    };
    state.code.filter = CodeFilter::parse(&text).unwrap_or_default();
    state.code.filter_text = text;
    state.code.grouping = Grouping::Site;
    (state.sites.cursor, state.diff.cursor) = (Cursor::default(), Cursor::default());
    Effect::Redraw
}

pub(super) fn stack(state: &mut State, step: Step, data: &Data) -> Effect {
    let stacks = data.site.as_ref().map_or(0, |site| site.stacks);
    if stacks < 2 {
        return tell(state, Notice::info("there is no other stack"));
    }
    let offset = if step == Step::Next { 1 } else { stacks - 1 };
    state.site.stack = (state.site.stack + offset) % stacks;
    state.site.entry = None;
    Effect::Redraw
}

pub(super) fn go(state: &mut State, motion: Motion, data: &Data, page: usize) {
    match state.screen {
        Screen::Sites => state.sites.cursor.go(motion, &data.sites.rows, page, |row| row.key),
        Screen::Snapshots => {
            let page = crate::screen::snapshots::page(data);
            state.diff.cursor.go(motion, &data.snapshots.diff.rows, page, |row| row.key);
        }
        _ => {
            let Some(stack) = data.site.as_ref().map(|site| &site.stack) else { return };
            let Some(selected) = stack.selected(state.site.entry) else { return };
            state.site.entry = Some(moved(selected, motion, stack.entries.len() - 1, page));
        }
    }
}

/// A side of the pair of moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    From,
    To,
}

/// To the moment before or after, the other side's left out.
pub(super) fn pair(state: &mut State, side: Side, step: Step, data: &Data) -> Effect {
    let pair = &mut state.diff.pair;
    let (mine, other) = match side {
        Side::From => (&mut pair.from, pair.to),
        Side::To => (&mut pair.to, pair.from),
    };
    let rows = data.snapshots.rows.iter().map(|row| row.when);
    let moments: Vec<When> = rows.filter(|when| *when != other).collect();
    if moments.is_empty() {
        return Effect::None;
    }
    let at = moments.iter().position(|when| when == mine).unwrap_or(0);
    let offset = if step == Step::Next { 1 } else { moments.len() - 1 };
    *mine = moments[(at + offset) % moments.len()];
    Effect::Redraw
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Grouping;

    #[test]
    fn regrouping_goes_through_all_and_comes_back() {
        let mut state = State::new(Screen::Sites, (80, 24));
        for expected in Grouping::ALL.into_iter().cycle().skip(1).take(Grouping::ALL.len()) {
            let _ = regroup(&mut state);
            assert_eq!(state.code.grouping, expected);
        }
        assert_eq!(state.code.grouping, Grouping::Site);
    }
}
