//! How the group of a stack, or of a function, is found: by its label, where the filter lets it pass.

use super::{
    super::{
        Frame, LocationId, Place, Scope, SiteFigures, StackId, frame::Words, pattern::Matched,
    },
    Group, GroupId, Grouping, Groups,
    locations::UNNAMED,
};

impl Groups {
    /// Tries a filter that looks at every frame on the calls that are new, each once.
    pub(super) fn match_calls(&mut self, scope: Scope<'_>) {
        if !self.filter.all_frames || self.filter.is_empty() {
            return;
        }
        let new = scope.sites.nodes.get(self.matched.len()..).unwrap_or_default();
        for node in new {
            let caller = node.parent.and_then(|caller| self.matched.get(caller.0 as usize));
            let caller = caller.copied().unwrap_or_default();
            self.locations.look_at(scope, node.location, &self.filter);
            let here = self.locations.matched(node.location);
            self.matched.push(here.or(caller));
        }
    }

    /// The group of a stack that is new; `None` if the filter leaves it out.
    pub(super) fn find(&mut self, scope: Scope<'_>, stack: StackId) -> Option<GroupId> {
        if !self.filter.chosen.passes(stack) {
            return None;
        }
        let site = scope.sites.frames(stack).find_map(|location| {
            self.locations.look_at(scope, location, &self.filter);
            self.locations.first(location)
        });
        let (place, group, matched) = match site {
            Some(place) => (Some(place), None, self.locations.matched(place.location)),
            None => self.without_own_code(scope, stack),
        };
        let matched = if self.filter.all_frames { self.matched_by(scope, stack) } else { matched };
        if !self.filter.passes(matched) {
            return None;
        }
        if self.by == Grouping::Stack {
            return Some(self.add(place));
        }
        group.or_else(|| {
            self.name(scope, place?.location);
            self.locations.group_of(place?)
        })
    }

    /// What the filter matches in any frame of a stack.
    fn matched_by(&self, scope: Scope<'_>, stack: StackId) -> Matched {
        let node = scope.sites.stacks.get(stack.0 as usize).and_then(|stack| stack.node);
        let matched = node.and_then(|node| self.matched.get(node.0 as usize));
        matched.copied().unwrap_or_default()
    }

    /// A stack that is plumbing through and through is shown at its innermost frame.
    fn without_own_code(
        &mut self,
        scope: Scope<'_>,
        stack: StackId,
    ) -> (Option<Place>, Option<GroupId>, Matched) {
        let place = scope.site(stack);
        let matched = place.map(|place| self.filter.matched_place(scope, place));
        let matched = matched.unwrap_or_else(|| self.filter.matched(&Words::default()));
        let label = place.map(|place| self.by.label_of(scope, place)).unwrap_or_default();
        let group = self.named(label, place);
        (place, group, matched)
    }

    /// The group that a label names; none where each stack is its own.
    fn named(&mut self, label: Frame, place: Option<Place>) -> Option<GroupId> {
        if self.by == Grouping::Stack {
            return None;
        }
        if let Some(group) = self.by_label.get(&label) {
            return Some(*group);
        }
        let group = self.add(place);
        self.by_label.insert(label, group);
        Some(group)
    }

    fn add(&mut self, place: Option<Place>) -> GroupId {
        self.groups.push(Group { place, first: None, stacks: 0 });
        self.own.push(SiteFigures::default());
        if self.by.has_callees() {
            self.with_callees.push(0);
        }
        GroupId(self.groups.len() as u32 - 1)
    }

    /// Sees to it that the functions of a location have groups.
    pub(super) fn name(&mut self, scope: Scope<'_>, location: LocationId) {
        if self.locations.is_named(location) {
            return;
        }
        let mut locations = std::mem::take(&mut self.locations);
        locations.look_at(scope, location, &self.filter);
        locations.name(location, |place| {
            self.named(self.by.label_of(scope, place), Some(place)).unwrap_or(UNNAMED)
        });
        self.locations = locations;
    }
}
