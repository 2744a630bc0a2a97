//! Who called, where two rows would otherwise be called the same.

use std::collections::HashMap;

use memtop_ui::data::{Key, Name, SiteRow};

use super::code;
use crate::model::{Grouping, Place, Scope, StackId};

/// Names a caller in each of `rows`, which are stacks, that shares its name with another: the
/// innermost caller that they do not have in common.
pub(super) fn tell_apart(scope: Scope<'_>, rows: &mut [SiteRow]) {
    let mut alike: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        let called = (row.name.text.clone(), format!("{:?}", row.name.place));
        alike.entry(called).or_default().push(at);
    }
    for rows_alike in alike.into_values().filter(|rows| rows.len() > 1) {
        let chains: Vec<Vec<Place>> =
            rows_alike.iter().map(|at| callers(scope, rows[*at].key)).collect();
        for (this, at) in rows_alike.iter().enumerate() {
            rows[*at].name.via = via(scope, &chains, this);
        }
    }
}

/// Callers of the site, innermost first.
fn callers(scope: Scope<'_>, key: Key) -> Vec<Place> {
    let own = scope.places(StackId(key.0 as u32)).filter(|place| !scope.is_plumbing(*place));
    own.skip(1).collect()
}

/// The innermost caller in the chain `this` that no other chain has in its position.
fn via(scope: Scope<'_>, chains: &[Vec<Place>], this: usize) -> Option<String> {
    let mine = &chains[this];
    let differs = |at: usize| {
        let others = chains.iter().enumerate().filter(|(other, _)| *other != this);
        others.into_iter().all(|(_, chain)| chain.get(at) != mine.get(at))
    };
    let any = |at: usize| chains.iter().any(|chain| chain.get(at) != mine.get(at));
    let at =
        (0..mine.len()).find(|at| differs(*at)).or_else(|| (0..mine.len()).find(|at| any(*at)))?;
    let name: Name = code::name_of(&scope.frame(mine[at]), Grouping::Site);
    let place = || scope.frame(mine[at]).place();
    if name.text.is_empty() { place() } else { Some(name.text) }
}
