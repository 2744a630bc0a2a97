//! One group of sites in full.

use std::cmp::Reverse;

use memtop_probe::session::size_class;
use memtop_ui::{
    Screen, State,
    data::{
        self, Figures, Lifetime, Moment, Origin, Site, SizeShare, Stack, StackEntry, ThreadShare,
    },
    format,
};

use super::{Session, code, overview, sites};
use crate::{
    model::{
        GroupId, Model, Place, Point, Scope, StackId, Table, ThreadState,
        frame::base,
        seen::{LIVED_UP_TO_S, Seen},
    },
    source::site_history::OpenedSite,
};

/// What was opened; `None` when it is not there.
pub(super) fn site(model: &Model, state: &State, session: &Session) -> Option<Box<Site>> {
    let table = model.tables.get(&code::unfiltered(state))?;
    let groups = table.groups();
    let group = code::group(groups, state.site.key)?;
    let scope = table.view().scope(model.scope());
    let stacks = heaviest_first(model, table, group);
    let index = state.site.stack.min(stacks.len().saturating_sub(1));
    let figures = sites::of_group(model, table, group);
    let is_past = session.origin == Origin::Replay || state.playback.at_s.is_some();
    let (history, history_to_s) = match is_past {
        true => past_history(model, state, figures.live_bytes),
        false => (history(model, table, group), None),
    };
    // Shares are of what was live when the sites were looked at.
    let live = match (model.sites.as_of, model.state()) {
        (None, Some(state)) => state.totals.current_bytes,
        _ => model.site_sums().current_bytes,
    };
    let seen = model.seen.of(&stacks);
    Some(Box::new(Site {
        key: state.site.key,
        name: code::name(model, scope, groups, group),
        // What is half read shows no tendency.
        sentence: sentence(&figures, if history_to_s.is_none() { &history } else { &[] }, live),
        figures,
        since: overview::baseline(model, state).0,
        process_live_bytes: live,
        stack: stacks.get(index).map(|at| stack(model, *at, state)).unwrap_or_default(),
        stack_index: index,
        stacks: stacks.len(),
        history,
        history_to_s,
        threads: threads(model, state),
        sizes: sizes(&seen),
        lifetimes: lifetimes(&seen),
        ..Site::default()
    }))
}

/// The site that is open, and all its stacks; `None` on other screens.
pub fn opened(model: &Model, state: &State) -> Option<OpenedSite> {
    if state.screen != Screen::Site {
        return None;
    }
    let table = model.tables.get(&code::unfiltered(state))?;
    let group = code::group(table.groups(), state.site.key)?;
    let stacks = heaviest_first(model, table, group);
    Some(OpenedSite { of: state.site.key.0, stacks, known: model.sites.stacks.len() })
}

/// Sizes of the allocations that were seen, the classes without any left out.
fn sizes(seen: &Seen) -> Vec<SizeShare> {
    let share = |class: usize| {
        let (min, max) = size_class::bounds(class);
        SizeShare { min, max, allocations: seen.allocations[class], bytes: seen.bytes[class] }
    };
    (0..size_class::COUNT).map(share).filter(|share| share.allocations > 0).collect()
}

/// How long the blocks lived whose frees were seen, up to the longest.
fn lifetimes(seen: &Seen) -> Vec<Lifetime> {
    let rows = seen.lived.iter().rposition(|blocks| *blocks > 0).map_or(0, |last| last + 1);
    let row = |(&up_to_s, &blocks)| Lifetime { up_to_s, blocks };
    LIVED_UP_TO_S.iter().zip(&seen.lived).take(rows).map(row).collect()
}

/// Who asked, the thread that asked for most first.
fn threads(model: &Model, state: &State) -> Option<Vec<ThreadShare>> {
    let known = model.site_threads.as_ref().filter(|known| known.of == state.site.key.0)?;
    let all = model.state().map(|state| &state.threads[..]).unwrap_or_default();
    let mut threads: Vec<&ThreadState> = known.threads.iter().collect();
    threads.sort_by_key(|thread| (Reverse(thread.allocated_bytes), thread.tid));
    let share = |thread: &ThreadState| {
        let named = all.iter().find(|other| other.tid == thread.tid).unwrap_or(thread);
        // Who took over from an ended thread cannot be told from it.
        let name = (named.tid != 0).then(|| sites::thread_name(named).text);
        ThreadShare { name, net_bytes: thread.current_bytes, allocations: thread.allocations }
    };
    Some(threads.into_iter().map(share).collect())
}

fn heaviest_first(model: &Model, table: &Table, group: GroupId) -> Vec<StackId> {
    let mut stacks: Vec<StackId> = table.groups().stacks_of(group).collect();
    let weight = |stack: &StackId| {
        let figures = model.sites.figures.get(stack.0 as usize).copied().unwrap_or_default();
        Reverse((figures.current_bytes, figures.allocated_bytes))
    };
    stacks.sort_by_key(weight);
    stacks
}

fn history(model: &Model, table: &Table, group: GroupId) -> Vec<Moment> {
    let groups = table.groups();
    let bytes = |stack: StackId| {
        model.sites.figures.get(stack.0 as usize).map_or(0, |figures| figures.current_bytes)
    };
    let now = (model.reading.now_s, groups.own(group).current_bytes);
    let curve = model.history.curve(now, bytes, |stack| groups.of_stack(stack) == Some(group));
    let moment = |at: crate::model::history::Moment| Moment {
        t_s: at.t_s,
        live_bytes: at.bytes,
        max_bytes: at.bytes,
    };
    curve.into_iter().map(moment).collect()
}

/// What was read of a recording, and up to when; with what is shown at its end once that is all.
fn past_history(model: &Model, state: &State, live_bytes: u64) -> (Vec<Moment>, Option<f64>) {
    let known = model.site_history.as_ref().filter(|known| known.of == state.site.key.0);
    let Some(known) = known else { return (Vec::new(), Some(0.0)) };
    let moment = |point: &Point| Moment {
        t_s: point.at.as_secs_f64(),
        live_bytes: point.current_bytes,
        max_bytes: point.max_bytes,
    };
    let mut history: Vec<Moment> = known.points.iter().map(moment).collect();
    if known.read_to.is_none() {
        let t_s = model.sites.as_of.map_or(model.reading.now_s, |at| at.as_secs_f64());
        history.push(Moment { t_s, live_bytes, max_bytes: live_bytes });
    }
    (history, known.read_to.map(|to| to.as_secs_f64()))
}

/// The frames of a stack; without `all_frames` calls that are plumbing are folded.
fn stack(model: &Model, stack: StackId, state: &State) -> Stack {
    // What is plumbing is told in either case; whether it is folded, is another matter.
    let scope = model.scope();
    let mut entries = Vec::new();
    for place in scope.places(stack) {
        match scope.kind(place) {
            Some(kind) if !state.site.all_frames => fold(&mut entries, kind.words()),
            kind => entries.push(StackEntry::Frame(frame(model, scope, place, kind.is_some()))),
        }
    }
    let cut = model.sites.stacks.get(stack.0 as usize).is_some_and(|stack| stack.cut);
    Stack { entries, cut }
}

fn fold(entries: &mut Vec<StackEntry>, what: &'static str) {
    match entries.last_mut() {
        Some(StackEntry::Folded { frames, what: last }) if *last == what => *frames += 1,
        _ => entries.push(StackEntry::Folded { frames: 1, what }),
    }
}

fn frame(model: &Model, scope: Scope<'_>, place: Place, plumbing: bool) -> data::Frame {
    let frame = scope.frame(place);
    let pending = model.names_pending > 0 && scope.names.get(place.location).is_none();
    let functions = scope.functions(place.location).len();
    let name = code::name_of(&frame, crate::model::Grouping::Site);
    data::Frame {
        name: data::Name { pending, ..name },
        module: frame.module.as_deref().map(|module| base(module).to_owned()),
        inlined: place.inlined + 1 < functions,
        plumbing,
    }
}

/// Seconds of the past that growth is told of.
const RECENT_S: f64 = 10.0;

/// `30.1 MiB in 97,412 blocks of 324 B on average, 62 % of what is live, growing 230 KiB/s.`
fn sentence(figures: &Figures, history: &[Moment], live: u64) -> Option<String> {
    if figures.allocations == 0 {
        return None;
    }
    let mut parts = vec![held(figures)];
    if figures.live_bytes > 0 && live > 0 {
        let share = figures.live_bytes as f64 / live as f64 * 100.0;
        parts.push(format!("{} of what is live", format::percent(share)));
    }
    parts.extend(tendency(history));
    let temporary = figures.temporary as f64 / figures.allocations as f64 * 100.0;
    if temporary >= 10.0 {
        parts.push(format!("{} of its blocks were temporary", format::percent(temporary)));
    }
    Some(format!("{}.", parts.join(", ")))
}

fn held(figures: &Figures) -> String {
    let blocks = figures.live_blocks;
    match figures.live_bytes.checked_div(blocks) {
        Some(_) if blocks == 1 => format!("{} in 1 block", format::bytes(figures.live_bytes)),
        None => format!("Nothing of {} is left", format::bytes(figures.allocated_bytes)),
        Some(mean) => format!(
            "{} in {} of {} on average",
            format::bytes(figures.live_bytes),
            format::exactly(blocks, "block"),
            format::bytes(mean),
        ),
    }
}

/// How it changed lately; `None` before there is a past to compare with.
fn tendency(history: &[Moment]) -> Option<String> {
    let now = history.last()?;
    let then = history.iter().rev().find(|at| now.t_s - at.t_s >= RECENT_S).or(history.first())?;
    let span = now.t_s - then.t_s;
    let delta = now.live_bytes as f64 - then.live_bytes as f64;
    let rate = format::byte_rate((delta / span).abs()).trim_start_matches('+').to_owned();
    match delta {
        _ if span < 1.0 => None,
        0.0 => Some(format!("unchanged for {}", format::span(span))),
        grown if grown > 0.0 => Some(format!("growing {rate}")),
        _ => Some(format!("shrinking {rate}")),
    }
}
