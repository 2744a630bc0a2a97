//! The diff for people: by how much, in what, and where.

use memtop_ui::format::{
    bytes, exactly, left, or_unknown, percent, right, signed_bytes, signed_count, thousands,
};
use serde_json::{Map, Value};

use super::json::{Diff, Group, Side, at_words, keep_most};
use crate::{
    model::Change,
    report::{
        Look, code,
        figures::off_words,
        paint::{Page, Role, printable},
        text::{after, command_line, exit_words},
    },
};

const BYTES: usize = 11;
const COUNT: usize = 14;
/// Rows without `--top`.
const ROWS: usize = 20;

/// The text of a diff of which `top` rows are to be shown.
pub fn render(diff: &Diff, top: Option<usize>, look: Look) -> String {
    let mut page = Page::new(look);
    let groups_are_sites = code::grouping(diff.grouped_by).is_some();
    side(&mut page, "A", &diff.a, groups_are_sites);
    side(&mut page, "B", &diff.b, groups_are_sites);
    totals(&mut page, &diff.totals);
    let states = diff.states.as_ref().map_or_else(|| "unknown".to_owned(), states);
    page.title("What changed", &format!("by {}: {states}", diff.by));
    match &diff.groups {
        Some(all) => groups(&mut page, (diff.by, all), top.unwrap_or(ROWS)),
        None => unknown(&mut page, diff),
    }
    page.finish()
}

fn side(page: &mut Page, name: &str, side: &Side, groups_are_sites: bool) {
    let at = at_words(&side.at);
    let ended = side.exit.map(|exit| format!(" · {}", exit_words(exit))).unwrap_or_default();
    let file = page.paint(Role::Title, &printable(&side.file));
    let command = command_line(&side.command);
    page.line(&format!("{name}  {file} {at} · {command}{ended}"));
    for note in notes(side, groups_are_sites) {
        page.painted(Role::Warning, &format!("   {note}"));
    }
}

fn notes(side: &Side, groups_are_sites: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !side.complete {
        notes.push("This recording was cut; what stands before the cut is compared.".to_owned());
    }
    let Some(exactness) = side.exactness else {
        return notes;
    };
    if exactness.unattributed_blocks > 0 {
        let blocks = exactly(exactness.unattributed_blocks, "block");
        notes.push(format!("Figures read \"≥\": {blocks} could not be followed."));
    }
    if let Some(at) = exactness.sites_at_s.filter(|_| groups_are_sites) {
        let at = after(at);
        notes.push(format!("Groups as they were at {at}, the last that were kept before this."));
    }
    let off = exactness.sites_off_bytes.filter(|off| *off != 0 && groups_are_sites);
    notes.extend(off.map(|off| format!("Groups {}.", off_words(off))));
    let error = exactness.peak_error_bytes.filter(|error| *error > 0 && side.at == "peak");
    notes.extend(error.map(|error| format!("The peak is right to ± {}.", bytes(error))));
    notes
}

/// Rows of the totals: name and words.
const TOTALS: [(&str, &str); 4] = [
    ("bytes", "live"),
    ("peak_bytes", "peak"),
    ("allocated_bytes", "allocated"),
    ("freed_bytes", "freed"),
];

/// Numbers that go with them.
const COUNTS: [(&str, &str); 4] = [
    ("blocks", "blocks"),
    ("peak_blocks", "blocks at the peak"),
    ("allocations", "allocations"),
    ("frees", "frees"),
];

fn totals(page: &mut Page, totals: &Map<String, Value>) {
    page.title("Totals", "B − A, requested bytes");
    let number = |name: String| totals.get(&name).and_then(Value::as_i64);
    for ((name, words), (count, counted)) in TOTALS.into_iter().zip(COUNTS) {
        let delta = number(format!("{name}_delta"));
        let [a, b] = ["_a", "_b"].map(|side| or_unknown(number(format!("{name}{side}")), signless));
        let change = page.paint(role(delta), &right(&or_unknown(delta, signed_bytes), BYTES));
        let counts = or_unknown(number(format!("{count}_delta")), signed_count);
        page.line(&format!(
            "  {}{change}   {} → {}   {counts} {counted}",
            left(words, 11),
            right(&a, BYTES),
            left(&b, BYTES),
        ));
    }
}

/// Bytes that are hardly ever below zero.
fn signless(value: i64) -> String {
    match u64::try_from(value) {
        Ok(value) => bytes(value),
        Err(_) => signed_bytes(value),
    }
}

fn role(delta: Option<i64>) -> Role {
    match delta {
        Some(1..) => Role::Peak,
        Some(0) | None => Role::Plain,
        Some(_) => Role::Live,
    }
}

/// `3 new, 11 grown, 4 shrunk, 1 gone, 102 the same`.
fn states(states: &Map<String, Value>) -> String {
    let count = |change: Change| {
        let count = states.get(change.word())?.get("groups")?.as_u64()?;
        let word = if change == Change::Same { "the same" } else { change.word() };
        Some(format!("{} {word}", thousands(count)))
    };
    let counts: Vec<String> = Change::ALL.into_iter().filter_map(count).collect();
    counts.join(", ")
}

/// What was not known then cannot have grown since.
fn unknown(page: &mut Page, diff: &Diff) {
    let why = diff.unknown.as_deref().unwrap_or("it is not known");
    let is_known = diff.totals.get("bytes_delta").is_some_and(|delta| !delta.is_null());
    let hint = if is_known { " --by size compares what is known." } else { "" };
    let words = format!("  Not compared: {why}.{hint}");
    page.painted(Role::Warning, &words);
}

fn groups(page: &mut Page, (by, groups): (&str, &[Group]), most: usize) {
    let changed = |group: &&Group| group.change != Change::Same;
    let mut shown: Vec<Group> = groups.iter().filter(changed).cloned().collect();
    let changed = shown.len();
    if changed == 0 {
        return page.line("  Nothing.");
    }
    let names = [left("  state", 9), right("Δ bytes", BYTES), right("Δ blocks", COUNT)].concat();
    let sides = [right("A bytes", BYTES + 1), right("B bytes", BYTES + 1)].concat();
    page.painted(Role::Muted, &format!("{names}{sides}{}   {by}", right("grew", 9)));
    keep_most(&mut shown, most);
    // The largest change stands first. JSON keeps its order: its first group grew most.
    if shown.iter().all(lost) {
        shown.reverse();
    }
    for group in &shown {
        page.line(&row(page, group));
    }
    if changed > most {
        let more = thousands((changed - most) as u64);
        page.painted(Role::Muted, &format!("  … and {more} that changed less"));
    }
}

/// Whether nothing of it grew.
fn lost(group: &Group) -> bool {
    group.bytes_delta <= 0 && group.blocks_delta.is_none_or(|blocks| blocks <= 0)
}

fn row(page: &Page, group: &Group) -> String {
    let there = |bytes: i64, of: Change| match group.change {
        change if change == of => "–".to_owned(),
        _ => signless(bytes),
    };
    let share = match group.bytes_a {
        a if a > 0 && group.bytes_b > 0 && group.bytes_delta != 0 => {
            let share = group.bytes_delta as f64 / a as f64 * 100.0;
            let sign = if share > 0.0 { "+" } else { "−" };
            format!("{sign}{}", percent(share.abs()))
        }
        _ => String::new(),
    };
    let delta = right(&signed_bytes(group.bytes_delta), BYTES);
    format!(
        "  {}{}{}{}{}{}   {}",
        left(group.state, 7),
        page.paint(role(Some(group.bytes_delta)), &delta),
        right(&or_unknown(group.blocks_delta, signed_count), COUNT),
        right(&there(group.bytes_a, Change::New), BYTES + 1),
        right(&there(group.bytes_b, Change::Gone), BYTES + 1),
        right(&share, 9),
        printable(&group.key),
    )
}
