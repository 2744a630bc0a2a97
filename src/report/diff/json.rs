//! The diff as data: what `--json` prints, and what the text is made from.
//!
//! Names and meanings are a contract with users' scripts, as those of the report are. Where a
//! figure ends in `_delta`, the same name with `_a` and `_b` says what it is the difference of.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Moments, Report};
use crate::{
    cli::GroupBy,
    model::{
        Change, Tally,
        diff::{self, Difference},
    },
    report::json::{Exactness, Exit, Totals},
};

/// The one object that is printed.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The report's own number.
    pub schema: u32,
    /// Where the comparison starts.
    pub a: Side,
    /// What is compared with it.
    pub b: Side,
    /// What the groups are: `site`, `function`, …
    pub by: &'static str,
    /// The same, for the text.
    #[serde(skip)]
    pub grouped_by: GroupBy,
    /// `bytes_a`, `bytes_b`, `bytes_delta` and so on; null where unknown.
    pub totals: Map<String, Value>,
    /// How many groups are new, grown, shrunk, gone and the same, and by how much; null where
    /// the groups are.
    pub states: Option<Map<String, Value>>,
    /// Most growth first; null where a side does not know what it held by group.
    pub groups: Option<Vec<Group>>,
    /// Why not; null where it is known.
    pub unknown: Option<String>,
}

impl Diff {
    /// Leaves the groups that changed most, up or down, in their order.
    pub(super) fn keep_most(&mut self, most: usize) {
        self.groups.iter_mut().for_each(|groups| keep_most(groups, most));
    }
}

pub(super) fn keep_most(groups: &mut Vec<Group>, most: usize) {
    let mut changes: Vec<u64> =
        groups.iter().map(|group| group.bytes_delta.unsigned_abs()).collect();
    changes.sort_unstable_by(|one, other| other.cmp(one));
    let Some(&bound) = most.checked_sub(1).and_then(|last| changes.get(last)) else {
        groups.truncate(most);
        return;
    };
    let above = changes.iter().filter(|change| **change > bound).count();
    let mut alike = most - above;
    groups.retain(|group| match group.bytes_delta.unsigned_abs() {
        change if change == bound => {
            let kept = alike > 0;
            alike = alike.saturating_sub(1);
            kept
        }
        change => change > bound,
    });
}

/// A recording and a moment of it.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// The file.
    pub file: String,
    /// `end`, `peak`, or seconds.
    pub at: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Null for a sum.
    pub pid: Option<u32>,
    /// Null while it ran, or unknown.
    pub exit: Option<Exit>,
    /// Whether the recording reaches its end.
    pub complete: bool,
    /// How far off its figures may be; null where unknown.
    pub exactness: Option<Exactness>,
}

impl Side {
    pub(super) fn new(moments: &Moments, report: &Report<'_>) -> Self {
        let target = &report.sections.target;
        Self {
            file: lossy(&moments.file),
            at: moments.word(),
            command: target.command.clone(),
            pid: target.pid,
            exit: target.exit,
            complete: report.recording.complete,
            exactness: report.sections.exactness,
        }
    }
}

/// A moment in words, from how it is written: `at its end`.
pub(super) fn at_words(at: &str) -> String {
    match at {
        "end" => "at its end".to_owned(),
        "peak" => "at its peak".to_owned(),
        seconds => match seconds.parse::<f64>() {
            // The moment of a mark is known to the nanosecond.
            Ok(seconds) => format!("at {} s", (seconds * 1e3).round() / 1e3),
            Err(_) => format!("at {seconds} s"),
        },
    }
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A key on both sides.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// `dictAdd dict.c:312` (sites), a name or path, `17-32` (sizes), a thread's name (its id
    /// where it has none); threads of one name are one group.
    pub key: String,
    /// `new`, `grown`, `shrunk`, `gone` or `same`.
    pub state: &'static str,
    /// Live bytes at A.
    pub bytes_a: i64,
    /// Live bytes at B.
    pub bytes_b: i64,
    /// B − A.
    pub bytes_delta: i64,
    /// Live blocks at A; null where unknown.
    pub blocks_a: Option<i64>,
    /// Live blocks at B.
    pub blocks_b: Option<i64>,
    /// B − A.
    pub blocks_delta: Option<i64>,
    /// What the state is, for the text.
    #[serde(skip)]
    pub change: Change,
}

impl Group {
    pub(super) fn new(row: &Difference<String>, blocks_known: bool) -> Self {
        let blocks = |blocks| blocks_known.then_some(blocks);
        Self {
            key: row.key.clone(),
            state: row.change().word(),
            bytes_a: row.a.bytes,
            bytes_b: row.b.bytes,
            bytes_delta: row.delta().bytes,
            blocks_a: blocks(row.a.blocks),
            blocks_b: blocks(row.b.blocks),
            blocks_delta: blocks(row.delta().blocks),
            change: row.change(),
        }
    }
}

/// A figure of the totals and its name.
type Figure = (&'static str, fn(&Totals) -> Option<u64>);

/// Every figure of the totals that has a difference.
const FIGURES: [Figure; 12] = [
    ("bytes", |totals| Some(totals.current_bytes)),
    ("blocks", |totals| Some(totals.current_blocks)),
    ("usable_bytes", |totals| totals.usable_current_bytes),
    ("peak_bytes", |totals| totals.peak_bytes),
    ("peak_blocks", |totals| totals.peak_blocks),
    ("max_blocks", |totals| totals.max_blocks),
    ("allocated_bytes", |totals| Some(totals.allocated_bytes)),
    ("allocations", |totals| Some(totals.allocations)),
    ("freed_bytes", |totals| Some(totals.freed_bytes)),
    ("frees", |totals| Some(totals.frees)),
    ("reallocations", |totals| Some(totals.reallocations)),
    ("temporary", |totals| Some(totals.temporary)),
];

/// The totals of both sides and their differences.
pub(super) fn totals(a: Option<&Totals>, b: Option<&Totals>) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, figure) in FIGURES {
        let signed =
            |totals: Option<&Totals>| Some(i64::try_from(figure(totals?)?).unwrap_or(i64::MAX));
        let (a, b) = (signed(a), signed(b));
        let delta = a.zip(b).map(|(a, b)| b.saturating_sub(a));
        map.insert(format!("{name}_a"), a.into());
        map.insert(format!("{name}_b"), b.into());
        map.insert(format!("{name}_delta"), delta.into());
    }
    map
}

/// How many groups changed in which way, and by how much.
pub(super) fn states(rows: &[Difference<String>], blocks_known: bool) -> Map<String, Value> {
    let state = |(change, sum): (Change, diff::Sum)| {
        let Tally { bytes, blocks } = sum.delta;
        let value = serde_json::json!({
            "groups": sum.keys,
            "bytes_delta": bytes,
            "blocks_delta": blocks_known.then_some(blocks),
        });
        (change.word().to_owned(), value)
    };
    Change::ALL.into_iter().zip(diff::sums(rows)).map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_named_to_the_millisecond() {
        let named = ["end", "peak", "12.5", "7.437956688", "60"].map(at_words);
        assert_eq!(named, ["at its end", "at its peak", "at 12.5 s", "at 7.438 s", "at 60 s"]);
    }
}
