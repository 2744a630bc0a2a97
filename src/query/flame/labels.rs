//! What calls are merged by: the function, as far as it is known.

use std::collections::HashMap;

use memtop_ui::data::CodeOrigin;

use crate::model::{Filter, Frame, Grouping, Kind, LocationId, Place, Scope, frame::is_library};

/// Position of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LabelId(pub u32);

/// A function of the picture.
#[derive(Debug)]
pub(super) struct Label {
    /// One of its places.
    pub place: Place,
    /// Whose code it is.
    pub origin: CodeOrigin,
    /// The search found it.
    pub matched: bool,
}

/// What was found out about labels so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    labels: Vec<Label>,
    by_name: HashMap<Frame, LabelId>,
    by_location: Vec<Option<Box<[LabelId]>>>,
}

/// The labels of all locations, found as they are needed.
pub(super) struct Labels<'a> {
    scope: Scope<'a>,
    /// Plumbing has no label: its calls are left out.
    folded: bool,
    search: Filter,
    known: &'a mut Known,
}

impl<'a> Labels<'a> {
    pub(super) fn new(
        scope: Scope<'a>,
        folded: bool,
        search: Filter,
        known: &'a mut Known,
    ) -> Self {
        known.by_location.resize(scope.sites.locations.len(), None);
        Self { scope, folded, search, known }
    }

    /// Labels of the functions at a location, innermost first.
    pub(super) fn at(&mut self, location: LocationId) -> &[LabelId] {
        let at = location.0 as usize;
        if at >= self.known.by_location.len() {
            return &[];
        }
        if self.known.by_location[at].is_none() {
            let places = self.scope.places_at(location);
            let labels = places.filter_map(|place| self.find(place)).collect();
            self.known.by_location[at] = Some(labels);
        }
        self.known.by_location[at].as_deref().unwrap_or_default()
    }

    pub(super) fn get(&self, label: LabelId) -> &Label {
        &self.known.labels[label.0 as usize]
    }

    /// How many there are so far.
    pub(super) fn len(&self) -> usize {
        self.known.labels.len()
    }

    fn find(&mut self, place: Place) -> Option<LabelId> {
        let kind = self.scope.kind(place);
        if self.folded && kind.is_some() {
            return None;
        }
        let name = Grouping::Function.label_of(self.scope, place);
        if let Some(label) = self.known.by_name.get(&name) {
            return Some(*label);
        }
        let frame = self.scope.frame(place);
        let label = LabelId(self.known.labels.len() as u32);
        let matched =
            !self.search.is_empty() && self.search.passes(self.search.matched(&frame.words()));
        self.known.labels.push(Label { place, origin: origin(&frame, kind), matched });
        self.known.by_name.insert(name, label);
        Some(label)
    }
}

fn origin(frame: &Frame, kind: Option<Kind>) -> CodeOrigin {
    match kind {
        _ if frame.function.is_none() => CodeOrigin::Unknown,
        Some(_) => CodeOrigin::Plumbing,
        None if frame.module.as_deref().is_some_and(is_library) => CodeOrigin::Library,
        None => CodeOrigin::Program,
    }
}
