//! What was found out about locations: which of their functions are code that somebody wrote, the
//! groups of those, and what the filter matches.
//!
//! A grouping looks here for each call of each stack, so this is kept flat and small.

use std::ops::Range;

use super::GroupId;
use crate::model::{Filter, LocationId, Place, Scope, pattern::Matched};

/// The group of a place that no stack needs so far: with a filter most are of that kind, and
/// names are what takes time. Where each stack is a group it stays like that.
pub(super) const UNNAMED: GroupId = GroupId(u32::MAX);

/// Locations that were looked at.
#[derive(Debug, Default)]
pub(super) struct Locations {
    here: Vec<Here>,
    own: Vec<Own>,
    /// Empty without a filter.
    matched: Vec<Matched>,
}

/// Where the functions of a location that are no plumbing stand among all of them.
#[derive(Debug, Clone, Copy, Default)]
struct Here {
    begin: u32,
    end: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unknown,
    Known,
    /// Its functions have their groups.
    Named,
}

/// A function that is no plumbing.
#[derive(Debug, Clone, Copy)]
struct Own {
    inlined: u32,
    group: GroupId,
}

impl Locations {
    /// Finds out about a location, unless that is done.
    pub(super) fn look_at(&mut self, scope: Scope<'_>, location: LocationId, filter: &Filter) {
        let at = location.0 as usize;
        if self.state(location) != State::Unknown {
            return;
        }
        if at >= self.here.len() {
            self.here.resize(at + 1, Here::default());
        }
        let begin = self.own.len();
        let own = scope.places_at(location).filter(|place| !scope.is_plumbing(*place));
        self.own.extend(own.map(|place| Own { inlined: place.inlined as u32, group: UNNAMED }));
        let [begin, end] = [begin, self.own.len()].map(|at| at as u32);
        self.here[at] = Here { begin, end, state: State::Known };
        if !filter.is_empty() {
            self.matched.resize(self.here.len(), Matched::default());
            self.matched[at] = match filter.all_frames {
                true => filter.matched_at(scope, location),
                false => self
                    .first(location)
                    .map(|at| filter.matched_place(scope, at))
                    .unwrap_or_default(),
            };
        }
    }

    fn state(&self, location: LocationId) -> State {
        self.here.get(location.0 as usize).map_or(State::Unknown, |here| here.state)
    }

    /// Where its own functions are; they are asked for one by one.
    pub(super) fn range(&self, location: LocationId) -> Range<usize> {
        let here = self.here.get(location.0 as usize).copied().unwrap_or_default();
        here.begin as usize..here.end as usize
    }

    /// The place of an own function of a location, as `range` has it.
    pub(super) fn place(&self, location: LocationId, at: usize) -> Place {
        Place { location, inlined: self.own[at].inlined as usize }
    }

    /// The innermost of its functions that is no plumbing.
    pub(super) fn first(&self, location: LocationId) -> Option<Place> {
        self.range(location).next().map(|at| self.place(location, at))
    }

    /// The group of a place, or else of the innermost one beside it; `None` without one.
    pub(super) fn group_of(&self, place: Place) -> Option<GroupId> {
        if !self.is_named(place.location) {
            return None;
        }
        let here = &self.own[self.range(place.location)];
        let found = here.iter().find(|own| own.inlined as usize == place.inlined);
        found.or(here.first()).map(|own| own.group)
    }

    /// The groups of a location's functions, innermost first.
    pub(super) fn groups(&self, location: LocationId) -> impl Iterator<Item = GroupId> + '_ {
        self.own[self.range(location)].iter().map(|own| own.group)
    }

    /// Whether its functions have their groups.
    pub(super) fn is_named(&self, location: LocationId) -> bool {
        self.state(location) == State::Named
    }

    /// Gives a location's functions their groups, innermost first.
    pub(super) fn name(&mut self, location: LocationId, mut group: impl FnMut(Place) -> GroupId) {
        for at in self.range(location) {
            self.own[at].group = group(self.place(location, at));
        }
        if let Some(here) = self.here.get_mut(location.0 as usize) {
            here.state = State::Named;
        }
    }

    /// What the filter matches here: in the innermost own function, or in any at all if it looks
    /// at all frames.
    pub(super) fn matched(&self, location: LocationId) -> Matched {
        self.matched.get(location.0 as usize).copied().unwrap_or_default()
    }
}
