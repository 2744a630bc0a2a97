//! Sites summed up by what they have in common, kept current at the cost of what changed.
//!
//! [`Groups`] knows the group of each stack, so a changed figure moves one sum of its own and
//! the sums of its callers. Names come later than stacks, and a stack moves to another group
//! when they do; then the groups are built anew beside the old ones, some thousand stacks at
//! a time ([`super::tables`]), because finding the group of a stack is the expensive part.
//! How a stack's callers are found and counted once is told in `callers`.
//!
//! Always holds, for the stacks taken in so far:
//!
//! - each belongs to one group, or the filter leaves it out;
//! - Σ own figures of the groups = Σ figures of the stacks that pass;
//! - a group counts a stack once in `with_callees`, however often it recurs in it.

mod callers;
mod finding;
mod locations;

use std::collections::HashMap;

use super::{
    Filter, Frame, LocationId, NodeId, Place, Scope, SiteFigures, StackId, diff::Tally,
    frame::Parts, pattern::Matched,
};
use callers::Callers;
use locations::Locations;

/// By what sites are summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Grouping {
    /// Each stack by itself.
    Stack,
    /// By the line of code, and its function, that asked.
    #[default]
    Site,
    /// By its function.
    Function,
    /// By its source file.
    File,
    /// By its program or library.
    Module,
}

impl Grouping {
    /// What of a frame a group has in common; what names it.
    pub fn label(self, frame: &Frame) -> Frame {
        let parts = self.parts(frame.function.is_some(), frame.file.is_some());
        frame.only(parts)
    }

    /// The label of a place, without a look at what it leaves out.
    pub fn label_of(self, scope: Scope<'_>, place: Place) -> Frame {
        let function = scope.function(place);
        let named = function.is_some_and(|function| !function.name.is_empty());
        let has_file = function.is_some_and(|function| function.file.is_some());
        scope.frame_of(place, self.parts(named, has_file))
    }

    /// The parts of a frame that name a group, of those that are known.
    fn parts(self, function: bool, file: bool) -> Parts {
        let nothing = Parts::default();
        match self {
            Self::Stack | Self::Site if !function && !file => {
                Parts { module: true, address: true, ..nothing }
            }
            Self::Stack | Self::Site if !file => Parts { function, module: true, ..nothing },
            Self::Stack | Self::Site => Parts { function, file, line: true, ..nothing },
            Self::Function if function => Parts { function, ..nothing },
            Self::File if file => Parts { file, ..nothing },
            Self::Function | Self::File | Self::Module => Parts { module: true, ..nothing },
        }
    }

    /// Whether a group can call another, so that figures with callees differ from its own.
    pub fn has_callees(self) -> bool {
        self != Self::Stack
    }
}

/// Position of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u32);

/// A group without its figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// A place that belongs to it; `None` for stacks without frames.
    pub place: Option<Place>,
    /// The first of its own stacks; `None` while it is only a caller.
    pub first: Option<StackId>,
    /// How many stacks are its own.
    pub stacks: u32,
}

/// Groups of stacks and their sums.
#[derive(Debug)]
pub struct Groups {
    by: Grouping,
    filter: Filter,
    weight: fn(&SiteFigures) -> u64,
    groups: Vec<Group>,
    own: Vec<SiteFigures>,
    with_callees: Vec<u64>,
    by_label: HashMap<Frame, GroupId>,
    locations: Locations,
    of_stack: Vec<Option<GroupId>>,
    callers: Callers,
    /// Room for the calls of a stack.
    calls: Vec<(NodeId, LocationId)>,
    /// What the filter matches in each call and its callers, where it looks at every frame.
    matched: Vec<Matched>,
}

/// So many new stacks are counted one by one; more of them in one pass over all callers.
const FEW: usize = 1024;

impl Groups {
    /// No groups yet. Figures with callees will be of live bytes.
    pub fn new(by: Grouping, filter: Filter) -> Self {
        Self {
            by,
            filter,
            weight: |figures| figures.current_bytes,
            groups: Vec::new(),
            own: Vec::new(),
            with_callees: Vec::new(),
            by_label: HashMap::new(),
            locations: Locations::default(),
            of_stack: Vec::new(),
            callers: Callers::default(),
            calls: Vec::new(),
            matched: Vec::new(),
        }
    }

    /// Lets figures with callees be of something else. To be chosen before stacks come.
    pub fn weighing(self, weight: fn(&SiteFigures) -> u64) -> Self {
        Self { weight, ..self }
    }

    /// All stacks at once.
    pub fn of(scope: Scope<'_>, by: Grouping, filter: Filter) -> Self {
        let mut groups = Self::new(by, filter);
        groups.extend(scope, usize::MAX);
        groups
    }

    /// By what it groups.
    pub fn by(&self) -> Grouping {
        self.by
    }

    /// What it leaves out.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How many stacks it has taken in.
    pub fn covered(&self) -> usize {
        self.of_stack.len()
    }

    /// Takes in at most `most` further stacks; whether any are left.
    pub fn extend(&mut self, scope: Scope<'_>, most: usize) -> bool {
        let all = scope.sites.stacks.len();
        let from = self.covered();
        let until = from.saturating_add(most).min(all);
        let new = || (from..until).map(|stack| StackId(stack as u32));
        if until - from > FEW && self.filter.is_empty() && self.by != Grouping::Stack {
            // Growing later means to hash all labels once more, and to copy the rest.
            self.by_label.reserve(scope.sites.locations.len().saturating_sub(self.by_label.len()));
            self.callers.reserve(scope.sites.nodes.len());
        }
        self.match_calls(scope);
        new().for_each(|stack| self.take_in(scope, stack));
        if self.by.has_callees() {
            self.count_new(scope, new());
        }
        until < all
    }

    /// The figures of a stack change from `old` to `new`.
    pub fn change(
        &mut self,
        scope: Scope<'_>,
        stack: StackId,
        old: &SiteFigures,
        new: &SiteFigures,
    ) {
        let Some(Some(group)) = self.of_stack.get(stack.0 as usize).copied() else {
            return;
        };
        self.own[group.0 as usize].replace(old, new);
        let delta = (self.weight)(new).wrapping_sub((self.weight)(old));
        if delta != 0 && self.by.has_callees() {
            self.count_callers(scope, stack, group, delta);
        }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// All groups.
    pub fn ids(&self) -> impl Iterator<Item = GroupId> + use<> {
        (0..self.groups.len() as u32).map(GroupId)
    }

    /// A group of this one.
    pub fn get(&self, group: GroupId) -> Group {
        self.groups[group.0 as usize]
    }

    /// What its own stacks come to.
    pub fn own(&self, group: GroupId) -> &SiteFigures {
        &self.own[group.0 as usize]
    }

    /// Live bytes, or what was chosen to be weighed, that it or anything it called asked for.
    pub fn with_callees(&self, group: GroupId) -> u64 {
        match self.by.has_callees() {
            true => self.with_callees[group.0 as usize],
            false => (self.weight)(self.own(group)),
        }
    }

    /// The group of a stack; `None` for one that is left out or not known.
    pub fn of_stack(&self, stack: StackId) -> Option<GroupId> {
        *self.of_stack.get(stack.0 as usize)?
    }

    /// The group of a place, if it is not plumbing.
    pub fn of_place(&self, place: Place) -> Option<GroupId> {
        if self.by == Grouping::Stack {
            return None;
        }
        self.locations.group_of(place)
    }

    /// Its own stacks.
    pub fn stacks_of(&self, group: GroupId) -> impl Iterator<Item = StackId> {
        let stacks = self.of_stack.iter().enumerate();
        stacks.filter(move |(_, of)| **of == Some(group)).map(|(at, _)| StackId(at as u32))
    }

    /// What it is called.
    pub fn label(&self, scope: Scope<'_>, group: GroupId) -> Frame {
        let place = self.get(group).place;
        place.map(|place| self.by.label_of(scope, place)).unwrap_or_default()
    }

    /// Live figures of the groups at another moment, by group, of which `tally` tells those of
    /// each stack.
    pub fn at(&self, tally: impl Fn(StackId) -> Tally) -> Vec<Tally> {
        let mut sums = vec![Tally::default(); self.groups.len()];
        for (at, group) in self.of_stack.iter().enumerate() {
            if let Some(group) = group {
                sums[group.0 as usize].add(tally(StackId(at as u32)));
            }
        }
        sums
    }

    /// The same, what a group called counted as its own.
    pub fn at_with_callees(
        &self,
        scope: Scope<'_>,
        tally: impl Fn(StackId) -> Tally,
    ) -> Vec<Tally> {
        if !self.by.has_callees() {
            return self.at(tally);
        }
        let mut sums = vec![Tally::default(); self.groups.len()];
        let stacks = self.of_stack.iter().enumerate().filter_map(|(at, own)| {
            let stack = StackId(at as u32);
            Some((self.callers.of(scope.sites, stack), (*own)?, tally(stack)))
        });
        self.callers.spread(stacks, &mut sums, Tally::add);
        sums
    }

    fn take_in(&mut self, scope: Scope<'_>, stack: StackId) {
        let group = self.find(scope, stack);
        self.of_stack.push(group);
        let Some(group) = group else {
            return;
        };
        let entry = &mut self.groups[group.0 as usize];
        entry.first.get_or_insert(stack);
        entry.stacks += 1;
        if let Some(figures) = scope.sites.figures.get(stack.0 as usize) {
            self.own[group.0 as usize].add(figures);
        }
        if self.by.has_callees() {
            self.find_callers(scope, stack);
        }
    }

    /// Learns the groups of a stack's callers, as far as they are not known.
    fn find_callers(&mut self, scope: Scope<'_>, stack: StackId) {
        let mut calls = std::mem::take(&mut self.calls);
        let outer = self.callers.unknown(scope.sites, stack, &mut calls);
        for (_, location) in &calls {
            self.name(scope, *location);
        }
        let Self { callers, locations, .. } = self;
        callers.learn(outer, &calls, |location| locations.groups(location));
        self.calls = calls;
    }

    /// Counts stacks that were taken in just now.
    fn count_new(&mut self, scope: Scope<'_>, new: impl ExactSizeIterator<Item = StackId>) {
        let few = new.len() <= FEW;
        let weight = self.weight;
        let weighed = |stack: StackId| scope.sites.figures.get(stack.0 as usize).map(weight);
        if few {
            for stack in new {
                if let (Some(group), Some(weight)) = (self.of_stack(stack), weighed(stack)) {
                    self.count_callers(scope, stack, group, weight);
                }
            }
            return;
        }
        let mut sums = std::mem::take(&mut self.with_callees);
        let stacks = new.filter_map(|stack| {
            Some((self.callers.of(scope.sites, stack), self.of_stack(stack)?, weighed(stack)?))
        });
        self.callers.spread(stacks, &mut sums, |sum, weight| *sum = sum.wrapping_add(weight));
        self.with_callees = sums;
    }

    /// Adds `delta` live bytes of a stack of `own` to every group in its chain of callers.
    fn count_callers(&mut self, scope: Scope<'_>, stack: StackId, own: GroupId, delta: u64) {
        let mut add = |group: GroupId| {
            let sum = &mut self.with_callees[group.0 as usize];
            *sum = sum.wrapping_add(delta);
        };
        match self.callers.of(scope.sites, stack) {
            None => add(own),
            innermost => self.callers.outwards(innermost).for_each(add),
        }
    }
}

#[cfg(test)]
mod tests;
