//! Of which moment the sites are: they are kept about once a second, and so may be older than
//! the totals beside them. A budget must not be decided over them without a word of that.

use std::time::Duration;

use serde_json::Value;

use super::{Expression, code, text::after};
use crate::{cli::GroupBy, commands, model::ProcessState};

/// When the oldest of several processes' sites were looked at, on the clock of the process that
/// began at `origin` of the launch; `None` where all are of the moment itself.
pub(crate) fn oldest<'a>(
    processes: impl IntoIterator<Item = &'a ProcessState>,
    origin: Duration,
) -> Option<Duration> {
    let since = |one: &ProcessState| Some(one.identity.started.saturating_add(one.sites.as_of?));
    let oldest = processes.into_iter().filter_map(since).min()?;
    Some(oldest.saturating_sub(origin))
}

/// Says of when sites are that are not of the moment itself; `whose` may be empty.
pub(crate) fn complain(whose: &str, at_s: f64) {
    let at = after(at_s);
    commands::complain(format_args!("the sites{whose} are those of {at}, the last that were kept"));
}

/// Says of when the sites are that `condition` is decided over. `facts` is what it is decided
/// over; with the name of each side and how messages call it.
pub(super) fn complain_of_decision(
    condition: &Expression,
    facts: &Value,
    by: Option<GroupBy>,
    sides: &[(&str, &str)],
) {
    let groups_are_sites = by.is_some_and(|by| code::grouping(by).is_some());
    let mut said = Vec::new();
    for field in condition.fields() {
        let Some(above) = above_sites(field, groups_are_sites) else { continue };
        for (side, whose) in sides {
            let at = format!("/{side}{above}exactness/sites_at_s");
            let at = facts.pointer(&at).and_then(Value::as_f64);
            if let Some(at) = at.filter(|at| !said.contains(&(*side, *at))) {
                complain(whose, at);
                said.push((*side, at));
            }
        }
    }
}

/// The path of what holds the sites that a field is of, with a slash behind each part; `None`
/// where it is of no site.
fn above_sites(field: &str, groups_are_sites: bool) -> Option<String> {
    let parts: Vec<&str> = field.split('.').collect();
    let is_site = |part: &&str| match *part {
        "sites" => true,
        "groups" | "states" => groups_are_sites,
        _ => false,
    };
    let at = parts.iter().position(is_site)?;
    Some(parts[..at].iter().map(|part| format!("{part}/")).collect())
}
