//! What the screens about code have in common: which groups they look at, by what key a person
//! selects one, and how it is called.
//!
//! A key is made of a place of the group or, where each stack is a group, of the stack: both
//! only ever appear once, so that the same group has the same key in every frame, and keeps it
//! when its name is found.

use memtop_ui::{
    State,
    data::{Figures, Grouping, Key, Name, Origin, Place},
    filter::{
        code::{Facts, Field, Number},
        pattern::Pattern,
    },
};

use super::sites::thread_name;

use crate::model::{
    self, Asked, Chosen, Filter, Frame, GroupId, Groups, LocationId, Model, Purpose, Scope,
    SiteFigures, StackId, StackSet, Tally, Term, ThreadState, View, frame::base, pattern::Part,
};

/// Set in keys of places.
const OF_PLACE: u64 = 1 << 63;
/// The key of stacks without frames.
const NOWHERE: u64 = 1 << 62;
/// Set in keys of what is only known by its name, in another run.
pub(super) const ELSEWHERE: u64 = OF_PLACE | NOWHERE;

/// How the model calls a grouping; `None` for threads, which are no code.
pub(super) fn grouping(by: Grouping) -> Option<model::Grouping> {
    Some(match by {
        Grouping::Site => model::Grouping::Site,
        Grouping::Function => model::Grouping::Function,
        Grouping::File => model::Grouping::File,
        Grouping::Module => model::Grouping::Module,
        Grouping::Thread => return None,
        Grouping::Stack => model::Grouping::Stack,
    })
}

/// The groups that the person looks at, filtered as typed.
pub(super) fn chosen(model: &Model, state: &State) -> View {
    let by = grouping(state.code.grouping).unwrap_or_default();
    let mut filter = filter(state, by);
    filter.chosen = asked(model, state);
    View { by, filter, unfolded: state.code.all_frames }
}

/// The same groups, whatever the filter.
pub(super) fn unfiltered(state: &State) -> View {
    let by = grouping(state.code.grouping).unwrap_or_default();
    View { by, filter: Filter::default(), unfolded: state.code.all_frames }
}

/// The lines that growth is told by on the overview.
pub(super) fn growth() -> View {
    View { by: model::Grouping::Site, ..View::default() }
}

/// The stacks under which such threads asked as the typed filter wants; none where that is not
/// known ([`asks_in_vain`]).
pub(super) fn asked(model: &Model, state: &State) -> Chosen {
    let all = model.state().map(|state| &state.threads[..]).unwrap_or_default();
    let set = |(negated, pattern): (bool, &Pattern)| match &model.askers {
        Asked::Known(askers) => {
            let is_like = |thread: &ThreadState| pattern.matches(&thread_name(thread).text);
            (!negated, askers.of(all, is_like))
        }
        Asked::NotYet | Asked::Unknown => (true, StackSet::default()),
    };
    Chosen { sets: state.code.filter.threads().map(set).collect() }
}

/// Why the filter cannot be answered, in words: it is about threads, and it is not known which
/// of them asked where.
pub(super) fn asks_in_vain(model: &Model, state: &State, origin: Origin) -> Option<&'static str> {
    let is_in_vain = state.chooses_by_thread() && model.askers == Asked::Unknown;
    is_in_vain.then(|| match origin {
        Origin::Replay => {
            "A recording does not hold which thread asked where, so thread: finds \
                           nothing in it. Esc takes the filter away."
        }
        _ if state.playback.at_s.is_some() => {
            "Which thread asked where is known of now, and not of the past. Esc takes the filter \
             away."
        }
        _ => "Which thread asked where is not known here. Esc takes the filter away.",
    })
}

/// What the typed filter asks of names. A stack is looked at as a whole where it is a row.
pub(super) fn filter(state: &State, by: model::Grouping) -> Filter {
    let term = |(negated, field, pattern): (bool, Option<Field>, &_)| {
        let part = match field {
            None => Part::Any,
            Some(Field::Function) => Part::Function,
            Some(Field::File) => Part::File,
            Some(Field::Module) => Part::Module,
            // No frame has one: `asked` sees to that.
            Some(Field::Thread) => return None,
        };
        let purpose = if negated { Purpose::Exclude } else { Purpose::Require };
        Some((purpose, Term::like(part, pattern)))
    };
    let terms = state.code.filter.texts().filter_map(term).collect();
    Filter::new(terms, by == model::Grouping::Stack).unwrap_or_default()
}

/// The key of a group.
pub(super) fn key(groups: &Groups, group: GroupId) -> Key {
    let about = groups.get(group);
    Key(match (groups.by(), about.place, about.first) {
        (model::Grouping::Stack, _, Some(stack)) => u64::from(stack.0),
        (_, Some(place), _) => {
            OF_PLACE | u64::from(place.location.0) << 16 | (place.inlined as u64).min(0xffff)
        }
        (_, None, _) => NOWHERE,
    })
}

/// The group of a key.
pub(super) fn group(groups: &Groups, key: Key) -> Option<GroupId> {
    let Key(bits) = key;
    if bits & ELSEWHERE == ELSEWHERE {
        return None;
    }
    if bits == NOWHERE {
        return groups.ids().find(|group| groups.get(*group).place.is_none());
    }
    if bits & OF_PLACE == 0 {
        return groups.of_stack(StackId(bits as u32));
    }
    let location = LocationId((bits >> 16) as u32);
    groups.of_place(model::Place { location, inlined: (bits & 0xffff) as usize })
}

/// The places in code that a key is about.
pub(super) fn locations(model: &Model, key: Key) -> Vec<LocationId> {
    let Key(bits) = key;
    match bits & (OF_PLACE | NOWHERE) {
        0 => model.sites.frames(StackId(bits as u32)).collect(),
        OF_PLACE => vec![LocationId((bits >> 16) as u32)],
        _ => Vec::new(),
    }
}

/// How a group is called.
pub(super) fn name(model: &Model, scope: Scope<'_>, groups: &Groups, group: GroupId) -> Name {
    let Some(place) = groups.get(group).place else {
        return Name::plain("(no stack)");
    };
    let frame = scope.frame(place);
    let pending = model.names_pending > 0 && scope.names.get(place.location).is_none();
    Name { pending, ..name_of(&frame, groups.by()) }
}

/// How a frame is called, as far as a group by `by` has it in common.
pub(super) fn name_of(frame: &Frame, by: model::Grouping) -> Name {
    let label = by.label(frame);
    let text = match by {
        model::Grouping::File | model::Grouping::Module => Some(label.to_string()),
        // All nameless functions of a library are one group, of no address in particular.
        model::Grouping::Function if label.function.is_none() => {
            Some(base(&label.to_string()).to_owned())
        }
        _ => label.function.as_deref().map(str::to_owned),
    };
    let place = match by {
        model::Grouping::File | model::Grouping::Module => Place::Nowhere,
        model::Grouping::Function => place(&Frame { line: None, ..frame.clone() }),
        _ => place(frame),
    };
    Name { text: text.unwrap_or_default(), place, ..Name::default() }
}

fn place(frame: &Frame) -> Place {
    match (&frame.file, &frame.module, frame.address) {
        (Some(file), ..) => Place::Source { file: file.to_string(), line: frame.line },
        (None, Some(module), Some(offset)) => Place::Module { module: module.to_string(), offset },
        (None, None, Some(offset)) => Place::Module { module: "(no file)".to_owned(), offset },
        _ => Place::Nowhere,
    }
}

/// The figures of a group. `then` is what it held at the baseline, where that is known.
pub(super) fn figures(own: &SiteFigures, with_callees: u64, then: Option<Tally>) -> Figures {
    let delta = then.map(|then| Tally::new(own.current_bytes, own.current_blocks).since(then));
    Figures {
        live_bytes: own.current_bytes,
        live_blocks: own.current_blocks,
        with_callees_bytes: with_callees,
        delta_bytes: delta.map(|delta| delta.bytes),
        delta_blocks: delta.map(|delta| delta.blocks),
        at_peak_bytes: own.at_peak_bytes,
        allocated_bytes: own.allocated_bytes,
        allocations: own.allocations,
        per_s: None,
        temporary: own.temporary,
    }
}

/// Numbers that a filter may ask for; names were looked at before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    pub size: u64,
    pub blocks: Option<u64>,
    pub delta: Option<u64>,
    pub allocations: Option<u64>,
}

impl From<&Figures> for Numbers {
    fn from(figures: &Figures) -> Self {
        Self {
            size: figures.live_bytes,
            blocks: Some(figures.live_blocks),
            delta: figures.delta_bytes.map(i64::unsigned_abs),
            allocations: Some(figures.allocations),
        }
    }
}

impl Facts for Numbers {
    fn any(&self, _: Field, _: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }

    fn number(&self, number: Number) -> Option<u64> {
        match number {
            Number::Size => Some(self.size),
            Number::Blocks => self.blocks,
            Number::Delta => self.delta,
            Number::Allocations => self.allocations,
        }
    }
}
