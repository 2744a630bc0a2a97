//! What happened to sites while the person held the tables still, to be caught up with later.

use std::collections::HashMap;

use super::{SiteFigures, SitesUpdate, StackId};

/// Updates, taken together. As many changes as there are stacks, at most.
#[derive(Debug, Default)]
pub(super) struct Held {
    update: SitesUpdate,
    changed: HashMap<StackId, SiteFigures>,
}

impl Held {
    /// Takes an update in.
    pub(super) fn add(&mut self, mut update: SitesUpdate) {
        if update.restart {
            *self = Self::default();
        }
        let all = &mut self.update;
        all.restart |= update.restart;
        all.modules.append(&mut update.modules);
        all.locations.append(&mut update.locations);
        all.nodes.append(&mut update.nodes);
        all.stacks.append(&mut update.stacks);
        self.changed.extend(update.changed);
    }

    /// All of it, and nothing is left.
    pub(super) fn take(&mut self) -> SitesUpdate {
        let Self { update, changed } = std::mem::take(self);
        SitesUpdate { changed: changed.into_iter().collect(), ..update }
    }
}
