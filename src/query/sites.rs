//! The table of sites, or of what they are summed by.

use memtop_ui::{
    State,
    data::{Baseline, Figures, Grouping, Key, Name, Origin, SiteRow, Sites, SitesKnown, SortKey},
    filter::code::Field,
};

use super::{
    Session,
    code::{self, Numbers},
    header,
    listing::listing,
};
use crate::model::{GroupId, Model, Table, Tally, ThreadState};

/// The rows that show in `room` rows.
pub(super) fn sites(model: &Model, state: &State, session: &Session, room: usize) -> Sites {
    let rows = match state.code.grouping {
        Grouping::Thread => threads(model, state, room),
        _ => groups(model, state, room),
    };
    let sums = sums(model, state);
    let live = model.state().map_or(0, |state| state.totals.current_bytes);
    let exactness = model.state().map(|state| &state.exactness);
    Sites {
        known: known(model, session),
        rows,
        since: super::overview::baseline(model, state).0,
        total: total(model, state),
        lower_bound: exactness.is_some_and(|exactness| exactness.unattributed_blocks != 0),
        unattributed_bytes: live.saturating_sub(sums.live_bytes),
        sums,
        names_pending: model.names_pending,
    }
}

/// Whether there are sites, without any of them.
pub(super) fn whether_any(model: &Model, session: &Session) -> Sites {
    // Stacks may be known of a program that is not traced yet.
    let asked = model.site_sums().allocations > 0;
    let total = if asked { model.sites.stacks.len() } else { 0 };
    Sites { known: known(model, session), total, ..Sites::default() }
}

/// Whether there are sites to tell of.
pub(super) fn known(model: &Model, session: &Session) -> SitesKnown {
    let captured = |model: &Model| model.state()?.exactness.stacks_cut;
    match session.origin {
        _ if !model.sites.stacks.is_empty() || captured(model).is_some() => SitesKnown::Yes,
        _ if model.state().is_none() => SitesKnown::Yes,
        Origin::Replay => SitesKnown::NotRecorded,
        _ => SitesKnown::WithoutStacks,
    }
}

fn total(model: &Model, state: &State) -> usize {
    match state.code.grouping {
        Grouping::Thread => model.state().map_or(0, |state| state.threads.len()),
        _ => model.tables.get(&code::unfiltered(state)).map_or(0, |table| {
            table.groups().ids().filter(|group| is_listed(table, *group, state)).count()
        }),
    }
}

/// Whether a group is a row: it asked for memory, or called what did. A filter chooses among
/// those that asked, and a line that only called is no site, unless callees are looked at.
fn is_listed(table: &Table, group: GroupId, state: &State) -> bool {
    let groups = table.groups();
    let own = groups.own(group);
    let asked = own.allocations > 0 || own.current_blocks > 0;
    let by_total = state.sites.sort.by == SortKey::WithCallees;
    let callers = state.code.grouping != Grouping::Site || by_total;
    asked || (callers && groups.filter().is_empty() && groups.with_callees(group) > 0)
}

fn groups(model: &Model, state: &State, room: usize) -> memtop_ui::data::Listing<SiteRow> {
    let Some(table) = model.tables.get(&code::chosen(model, state)) else {
        return Default::default();
    };
    let (groups, sort) = (table.groups(), state.sites.sort);
    let filter = Some(&state.code.filter).filter(|filter| filter.asks_for_numbers());
    // What a row is sorted by is all that is kept of those that do not show.
    let item = |group| {
        let figures = of_group(model, table, group);
        let passes = filter.is_none_or(|filter| filter.numbers_match(&Numbers::from(&figures)));
        passes.then(|| (code::key(groups, group), sort.by.value(&figures), group))
    };
    let listed = groups.ids().filter(|group| is_listed(table, *group, state));
    let scope = table.view().scope(model.scope());
    let mut rows = listing(
        listed.filter_map(item).collect(),
        &state.sites.cursor,
        room,
        |item| item.0,
        |left, right| sort.order(left.1, right.1).then(left.0.cmp(&right.0)),
        |(key, _, group)| SiteRow {
            key: *key,
            name: code::name(model, scope, groups, *group),
            figures: of_group(model, table, *group),
        },
    );
    if state.code.grouping == Grouping::Stack {
        super::callers::tell_apart(scope, &mut rows.rows);
    }
    rows
}

/// The figures of a group.
pub(super) fn of_group(model: &Model, table: &Table, group: GroupId) -> Figures {
    let groups = table.groups();
    let figures = code::figures(groups.own(group), groups.with_callees(group), table.then(group));
    let per_s = table.per_s(group, model.reading.now_s);
    Figures { per_s: per_s.filter(|_| header::is_alive(model)), ..figures }
}

/// Sums over all stacks.
fn sums(model: &Model, state: &State) -> Figures {
    let own = model.site_sums();
    let then = match super::overview::baseline(model, state) {
        (Baseline::Start, _) => Some(Tally::default()),
        (_, marked) => marked.and_then(|mark| {
            let then = mark.figures.as_ref()?.sums();
            Some(Tally::new(then.current_bytes, then.current_blocks))
        }),
    };
    let rates = model.rates.per_second().filter(|_| header::is_alive(model));
    let figures = code::figures(own, own.current_bytes, then);
    Figures { per_s: rates.map(|rates| rates.allocations), ..figures }
}

fn threads(model: &Model, state: &State, room: usize) -> memtop_ui::data::Listing<SiteRow> {
    let threads = model.state().map(|state| &state.threads[..]).unwrap_or_default();
    let (since, marked) = super::overview::baseline(model, state);
    let then = |thread: &ThreadState| match (since, marked) {
        (Baseline::Start, _) => Some(0),
        (_, marked) => {
            let before =
                marked?.state.as_ref()?.threads.iter().find(|before| before.tid == thread.tid);
            Some(before.map_or(0, |before| before.current_bytes))
        }
    };
    let row = |thread: &ThreadState| SiteRow {
        key: Key(thread.tid.into()),
        name: thread_name(thread),
        figures: of_thread(thread, then(thread)),
    };
    let passes = |row: &SiteRow| {
        let named = state.code.filter.texts();
        let names_match =
            |(negated, field, pattern): (bool, _, &memtop_ui::filter::pattern::Pattern)| {
                let applies = matches!(field, None | Some(Field::Thread));
                (applies && pattern.matches(&row.name.text)) != negated
            };
        named.into_iter().all(names_match)
            && state.code.filter.numbers_match(&numbers_of_thread(&row.figures))
    };
    listing(
        threads.iter().map(row).filter(passes).collect(),
        &state.sites.cursor,
        room,
        |row| row.key,
        |left, right| {
            state.sites.sort.compare((left.key, &left.figures), (right.key, &right.figures))
        },
        SiteRow::clone,
    )
}

pub(super) fn thread_name(thread: &ThreadState) -> Name {
    Name::plain(match (thread.tid, &thread.name) {
        (0, _) => "(ended threads)".to_owned(),
        (tid, Some(name)) => format!("{name} {tid}"),
        (tid, None) => tid.to_string(),
    })
}

/// How many blocks of a thread are live is not known, which is not none.
fn numbers_of_thread(figures: &Figures) -> Numbers {
    Numbers { blocks: None, ..Numbers::from(figures) }
}

/// Threads know less: what they hold is allocated − freed by themselves, and may be less than
/// nothing.
fn of_thread(thread: &ThreadState, then: Option<i64>) -> Figures {
    Figures {
        live_bytes: thread.current_bytes.max(0) as u64,
        delta_bytes: then.map(|then| thread.current_bytes.saturating_sub(then)),
        allocated_bytes: thread.allocated_bytes,
        allocations: thread.allocations,
        ..Figures::default()
    }
}
