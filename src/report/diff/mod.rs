//! `memtop diff`: what differs between two recordings, or two moments of one, and whether
//! that keeps a budget.
//!
//! Ids mean nothing in another run, so the sides are compared by names: a site is the same
//! when its function, file and line are.

pub mod json;
mod text;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

pub use text::render as text;

use super::{
    Choice, Expression, Look, Missing, Report, ages, code, error, facts_of, filter, other_groups,
    parse_condition, verdict,
};
use crate::{
    Error,
    cli::{DiffOptions, GroupBy, Moment, parse_moment},
    commands,
    model::{
        Filter, Tally,
        diff::{self, By, Difference},
    },
    recording,
};
use json::{Diff, Group, Side};
use serde_json::{Map, Value};

/// A recording and a moment of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// The file.
    pub file: PathBuf,
    /// The moment.
    pub at: Moment,
}

impl Moments {
    /// Reads `FILE` or `FILE@WHEN`. A file that is there under the whole name is meant.
    ///
    /// # Errors
    /// When WHEN is no moment.
    pub fn parse(text: &OsStr) -> Result<Self, Error> {
        let whole = Self { file: text.into(), at: Moment::End };
        let bytes = text.as_bytes();
        let at = bytes.iter().rposition(|byte| *byte == b'@').filter(|_| !whole.file.exists());
        let Some(at) = at else {
            return Ok(whole);
        };
        let when = String::from_utf8_lossy(&bytes[at + 1..]);
        let wrong = |why| Error::Usage(format!("{}: {why}", text.to_string_lossy()));
        Ok(Self {
            file: OsStr::from_bytes(&bytes[..at]).into(),
            at: parse_moment(&when).map_err(wrong)?,
        })
    }

    /// The same, a mark or the end looked up.
    fn known(self) -> Result<Self, Error> {
        Ok(Self { at: self.at.known_in(&self.file)?, ..self })
    }

    /// `at its end`.
    fn words(&self) -> String {
        json::at_words(&self.word())
    }

    /// `end`, `peak`.
    fn word(&self) -> String {
        match self.at {
            Moment::End => "end".to_owned(),
            Moment::Peak => "peak".to_owned(),
            Moment::At(at) => at.as_secs_f64().to_string(),
            Moment::BeforeEnd(span) => format!("end-{}", span.as_secs_f64()),
            Moment::Mark(number) => format!("mark:{number}"),
        }
    }
}

/// How to compare.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// By what; by site where stacks were captured, else by size.
    pub by: Option<GroupBy>,
    /// Sites to look at.
    pub filter: Filter,
    /// A group counts what it called as its own.
    pub with_callees: bool,
    /// How groups are sorted.
    pub sort: By,
}

/// The command: reads, compares, prints, and checks `--fail-if`.
///
/// # Errors
/// When options ask for what cannot be had, a file cannot be read, or the condition is met.
pub fn run(options: &DiffOptions) -> Result<(), Error> {
    let condition = options.fail_if.as_deref().map(parse_condition).transpose()?;
    let comparison = Comparison {
        by: options.by,
        filter: filter(&options.filter, options.by)?,
        with_callees: options.with_callees,
        sort: options.sort.into(),
    };
    let parse = |side| Moments::parse(side).and_then(Moments::known);
    let (a, b) = (parse(&options.a)?, parse(&options.b)?);
    let open = |moments: &Moments| super::open(&moments.file, moments.at);
    let (recording_a, recording_b) = (open(&a)?, open(&b)?);
    let choice = |moments: &Moments| choice(moments, options, &comparison);
    let report_a = report(&recording_a, &choice(&a)?, &a.file)?;
    let report_b = report(&recording_b, &choice(&b)?, &b.file)?;
    let mut diff = build((&a, &report_a), (&b, &report_b), &comparison)?;
    let expression = options.fail_if.as_deref().unwrap_or_default();
    let decided = condition.map_or(Ok(()), |condition| check(&condition, expression, &diff));
    if let Err(Error::Usage(_)) = decided {
        return decided;
    }
    if options.json {
        diff.keep_most(options.top.unwrap_or(usize::MAX));
        commands::print_json(&diff)?;
    } else {
        commands::print(text(&diff, options.top, Look::of_stdout()).as_bytes())?;
    }
    decided
}

fn choice(moments: &Moments, options: &DiffOptions, how: &Comparison) -> Result<Choice, Error> {
    let choice = Choice { by: how.by, process: options.process, ..Choice::default() };
    super::at(moments.at, choice)
}

fn report<'a>(
    recording: &'a recording::Recording,
    choice: &Choice,
    file: &Path,
) -> Result<Report<'a>, Error> {
    super::build(recording, choice).map_err(|missing: Missing| error(missing, file))
}

fn check(condition: &Expression, text: &str, diff: &Diff) -> Result<(), Error> {
    let facts = facts_of(diff);
    let decided = condition.evaluate(&facts, &shapes(), |field| percent_of(&facts, field));
    if decided.is_ok() {
        let sides = [("a/", " of A"), ("b/", " of B")];
        ages::complain_of_decision(condition, &facts, Some(diff.grouped_by), &sides);
    }
    verdict(decided, text)
}

/// What an element of each list looks like: a condition may name one that is not there.
fn shapes() -> Value {
    serde_json::json!({ "groups": Group::new(&EXAMPLE, true) })
}

const EXAMPLE: Difference<String> =
    Difference { key: String::new(), a: Tally::ZERO, b: Tally::ZERO };

/// What a percentage of a delta is of: the figure at A.
fn percent_of(facts: &Value, field: &str) -> Option<f64> {
    let pointer = format!("/{}_a", field.strip_suffix("_delta")?.replace('.', "/"));
    facts.pointer(&pointer)?.as_f64()
}

/// Compares two reports.
///
/// # Errors
/// When a side does not hold what they are to be compared by.
pub fn build(
    (at_a, a): (&Moments, &Report<'_>),
    (at_b, b): (&Moments, &Report<'_>),
    how: &Comparison,
) -> Result<Diff, Error> {
    let by = how.by.unwrap_or(match a.sections.sites.is_empty() && b.sections.sites.is_empty() {
        true => GroupBy::Size,
        false => GroupBy::Site,
    });
    let blocks_known = by != GroupBy::Thread && !how.with_callees;
    let rows = match (side((at_a, a), by, how)?, side((at_b, b), by, how)?) {
        (Ok(held_a), Ok(held_b)) => Ok(diff::compare(&held_a, &held_b)),
        (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
    };
    let (states, groups, unknown) = match rows {
        Ok(rows) => {
            let (states, groups) = changes(rows, how.sort, blocks_known);
            (Some(states), Some(groups), None)
        }
        Err(unknown) => (None, None, Some(unknown)),
    };
    Ok(Diff {
        schema: super::json::SCHEMA,
        a: Side::new(at_a, a),
        b: Side::new(at_b, b),
        by: by.word(),
        grouped_by: by,
        totals: json::totals(a.sections.totals.as_ref(), b.sections.totals.as_ref()),
        states,
        groups,
        unknown,
    })
}

/// What became of each key, most growth first.
fn changes(
    mut rows: Vec<Difference<String>>,
    sort: By,
    blocks_known: bool,
) -> (Map<String, Value>, Vec<Group>) {
    diff::sort(&mut rows, sort);
    let groups = rows.iter().map(|row| Group::new(row, blocks_known)).collect();
    (json::states(&rows, blocks_known), groups)
}

/// What a side holds by key, or why that is not known of its moment: what is not known is
/// nothing to compare with.
///
/// # Errors
/// When no moment of its recording holds it.
fn side(
    (at, report): (&Moments, &Report<'_>),
    by: GroupBy,
    how: &Comparison,
) -> Result<Result<BTreeMap<String, Tally>, String>, Error> {
    if let Some(held) = held(report, by, how) {
        return Ok(Ok(held));
    }
    if report.is_before_tracing() {
        let (file, words) = (at.file.display(), at.words());
        return Ok(Err(format!("tracing of {file} had not started {words}")));
    }
    if code::grouping(by).is_some() && report.sections.captures_stacks() {
        return Ok(Err(format!("the sites of {} {} are unknown", at.file.display(), at.words())));
    }
    let why = format!("it cannot be compared by {}: it does not hold that", by.word());
    Err(Error::NothingToShow { path: at.file.clone(), why })
}

/// What a side holds by key; `None` where it is not known.
fn held(report: &Report<'_>, by: GroupBy, how: &Comparison) -> Option<BTreeMap<String, Tally>> {
    let sections = &report.sections;
    let mut held = BTreeMap::<String, Tally>::new();
    match code::grouping(by) {
        Some(by) => {
            sections.knows_sites().then_some(())?;
            for group in code::groups(&sections.sites, by, &how.filter) {
                let figures = &group.figures;
                let tally = match how.with_callees {
                    false => Tally::new(figures.current_bytes, figures.current_blocks),
                    true => Tally::new(group.with_callees, 0),
                };
                held.insert(group.key, tally);
            }
            held.retain(|_, tally| !tally.is_empty());
        }
        None if by == GroupBy::Thread => {
            for thread in sections.threads.as_ref()? {
                let key = super::thread_group(thread).key;
                if how.filter.passes(how.filter.matched_thread(&key)) {
                    let tally = Tally { bytes: thread.current_bytes?, ..Tally::ZERO };
                    // An id means nothing in another run.
                    let named = thread.name.clone().unwrap_or(key);
                    held.entry(named).or_default().add(tally);
                }
            }
        }
        None => {
            for group in other_groups(sections, by, &how.filter)? {
                let blocks = group.current_blocks.unwrap_or(0);
                let tally = Tally { bytes: group.current_bytes?, ..Tally::new(0, blocks) };
                held.entry(group.key).or_default().add(tally);
            }
        }
    }
    Some(held)
}
