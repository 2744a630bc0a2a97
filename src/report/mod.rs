//! `memtop report`: what a recording says, for people or as JSON, and whether it keeps a
//! budget.
//!
//! Both forms are made from one [`Report`], so the text never says anything else than the
//! JSON does.

pub(crate) mod ages;
mod code;
mod convert;
pub mod diff;
mod expression;
mod figures;
mod filter;
pub mod json;
mod origins;
mod paint;
mod sites;
mod sum;
mod tables;
mod text;

use std::path::Path;

pub use expression::{Expression, Verdict};
pub use json::Report;
pub use paint::Look;
pub use text::render as text;

use memtop_ui::format::agree;

use crate::{
    Error,
    cli::{GroupBy, Moment, ProcessChoice, ReportOptions},
    commands,
    model::{Filter, ProcessState, TreeState},
    recording::{self, Recording},
    symbols::Resolver,
};
use code::CodeGroup;
use filter::filter;
use json::{FileMissing, Group, Process, Sections, SizeClass, Source, Thread};

/// What of a recording to show.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// At the byte peak of each process, instead of its end.
    pub at_peak: bool,
    /// At so many seconds since the session of the launched program began.
    pub at_s: Option<f64>,
    /// Group by this.
    pub by: Option<GroupBy>,
    /// Sites to look at.
    pub filter: Filter,
    /// Only the largest rows.
    pub top: Option<usize>,
    /// Which process; the launched program if not said.
    pub process: Option<ProcessChoice>,
}

/// What a recording lacks for a choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No process at all.
    #[error(
        "it holds no process at that moment; was the program's start traced, and the recording completed?"
    )]
    EveryProcess,
    /// Not this one.
    #[error("--process {pid}: there is no such process at that moment; there {}", list(.known))]
    Process {
        /// Asked for.
        pid: u32,
        /// What there is.
        known: Vec<u32>,
    },
}

fn list(pids: &[u32]) -> String {
    let are = agree(pids.len() as u64, "is", "are");
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    format!("{are} {}", pids.join(", "))
}

/// The command: reads, prints, and checks `--fail-if`.
///
/// # Errors
/// When options ask for what cannot be had, the file cannot be read, or the condition is met.
pub fn run(options: &ReportOptions) -> Result<(), Error> {
    let at = options.at.known_in(&options.file)?;
    let options = &ReportOptions { at, ..options.clone() };
    let choice = choice(options)?;
    let condition = options.fail_if.as_deref().map(parse_condition).transpose()?;
    let recording = open(&options.file, options.at)?;
    let mut report = build(&recording, &choice).map_err(|missing| error(missing, &options.file))?;
    let missing = Resolver::default().without_files(&recording.tree);
    report.recording.files_missing = missing.into_iter().map(FileMissing::from).collect();
    check_stacks(&report, options.by)?;
    let expression = options.fail_if.as_deref().unwrap_or_default();
    let check = |condition| check(&condition, (expression, options.by), &report);
    let decided = condition.map_or(Ok(()), check);
    if let Err(Error::Usage(_)) = decided {
        return decided;
    }
    match options.json {
        true => commands::print_json(&report)?,
        false => commands::print(text(&report, &choice, Look::of_stdout()).as_bytes())?,
    }
    if options.json && recording.cut {
        let file = options.file.display();
        commands::complain(format_args!("{file} was cut; showing what stands before"));
    }
    decided
}

/// Refuses to group by code where no stacks were captured, or none are known of the moment.
fn check_stacks(report: &Report<'_>, by: Option<GroupBy>) -> Result<(), Error> {
    let sections = &report.sections;
    let Some(by) = by.filter(|by| code::grouping(*by).is_some() && !sections.knows_sites()) else {
        return Ok(());
    };
    let by = by.word();
    if report.is_before_tracing() {
        let message = format!("--by {by} needs stacks, and tracing had not started then");
        return Err(Error::Usage(message));
    }
    let why = match sections.captures_stacks() {
        true => "the sites of that moment are unknown",
        false => "this recording has none",
    };
    Err(Error::Usage(format!("--by {by} needs stacks, and {why}; use --by size or --by thread")))
}

/// What the options choose, if it can be had.
fn choice(options: &ReportOptions) -> Result<Choice, Error> {
    let filter = filter(&options.filter, options.by)?;
    let (by, top, process) = (options.by, options.top, options.process);
    let choice = Choice { by, filter, top, process, ..Choice::default() };
    at(options.at, choice)
}

/// The same choice, at a moment.
fn at(moment: Moment, choice: Choice) -> Result<Choice, Error> {
    match moment {
        Moment::At(at) => Ok(Choice { at_s: Some(at.as_secs_f64()), ..choice }),
        Moment::Peak if choice.process == Some(ProcessChoice::Sum) => {
            let message = "the peak and --process sum do not go together: processes peak at \
                           different moments; choose one process, or the end";
            Err(Error::Usage(message.to_owned()))
        }
        moment => Ok(Choice { at_peak: moment == Moment::Peak, ..choice }),
    }
}

/// Reads what a recording knows of a moment. Places in code that it has no names for are looked
/// up here, where the files are.
fn open(file: &Path, moment: Moment) -> Result<Recording, Error> {
    let mut recording = match moment {
        Moment::At(at) => recording::open_at(file, recording::When::At(at))?,
        _ => recording::open(file)?,
    };
    Resolver::default().resolve_tree(&mut recording.tree);
    Ok(recording)
}

fn error(missing: Missing, path: &Path) -> Error {
    match missing {
        Missing::Process { .. } => Error::Usage(missing.to_string()),
        Missing::EveryProcess => {
            Error::NothingToShow { path: path.to_owned(), why: missing.to_string() }
        }
    }
}

fn parse_condition(text: &str) -> Result<Expression, Error> {
    Expression::parse(text).map_err(|why| wrong_condition(text, &why))
}

fn wrong_condition(text: &str, why: &str) -> Error {
    Error::Usage(format!("--fail-if '{text}': {why}"))
}

fn check(
    condition: &Expression,
    (text, by): (&str, Option<GroupBy>),
    report: &Report<'_>,
) -> Result<(), Error> {
    let facts = facts(condition, report);
    let decided = condition.evaluate(&facts, &serde_json::Value::Null, |_| None);
    if decided.is_ok() {
        ages::complain_of_decision(condition, &facts, by, &[("", "")]);
    }
    verdict(decided, text)?;
    // Lower bounds that stay below a limit prove nothing.
    let exactness = report.sections.exactness.unwrap_or_default();
    match exactness.unattributed_blocks {
        0 => Ok(()),
        blocks => Err(Error::LowerBounds { expression: text.to_owned(), blocks }),
    }
}

/// What a condition, written as `text`, comes to.
fn verdict(verdict: Result<Verdict, String>, text: &str) -> Result<(), Error> {
    let expression = text.to_owned();
    match verdict.map_err(|why| wrong_condition(text, &why))? {
        Verdict::NotMet => Ok(()),
        Verdict::Met(found) => Err(Error::ConditionMet { expression, found }),
        Verdict::Unknown(field) => Err(Error::Undecided { expression, field }),
    }
}

/// What a condition is decided over. Sites can be very many, and hardly ever matter.
fn facts(condition: &Expression, report: &Report<'_>) -> serde_json::Value {
    let mut report = report.clone();
    if !condition.asks_for("sites") {
        let all = report.processes.iter_mut().map(|process| &mut process.sections);
        for sections in all.chain([&mut report.sections]) {
            sections.sites = sections.sites.emptied();
        }
    }
    facts_of(&report)
}

fn facts_of(printed: &impl serde::Serialize) -> serde_json::Value {
    // Every key is a string and every number finite or null: this cannot fail.
    serde_json::to_value(printed).unwrap_or_default()
}

/// Makes the report of `recording`.
///
/// # Errors
/// When the recording does not hold what is chosen.
pub fn build<'a>(recording: &'a Recording, choice: &Choice) -> Result<Report<'a>, Missing> {
    let tree = &recording.tree;
    let parts = all_sections(recording, choice);
    let chosen = choose(tree, choice.process)?;
    let sections = match chosen.and_then(|chosen| parts.get(chosen)) {
        Some(sections) => sections.clone(),
        None => sum::sum(tree, &parts),
    };
    let processes = tree.processes.iter().zip(parts);
    Ok(Report {
        schema: json::SCHEMA,
        recording: Source {
            format: recording.version,
            complete: !recording.cut,
            launched_at_s: tree.launched_at.as_secs_f64(),
            ended_before_s: recording.ended_before.map(|end| end.as_secs_f64()),
            files_missing: Vec::new(),
        },
        groups: choice.by.and_then(|by| groups(&sections, by, choice)),
        sections,
        processes: processes.map(|(process, part)| Process::new(process, part)).collect(),
        untraced: tree.untraced.iter().map(json::UntracedProcess::from).collect(),
        chosen,
    })
}

/// As one JSON object and a line feed.
pub fn json(report: &Report<'_>) -> String {
    // Every key is a string and every number finite or null: this cannot fail.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

fn all_sections<'a>(recording: &'a Recording, choice: &Choice) -> Vec<Sections<'a>> {
    let tree = &recording.tree;
    let root = root(tree);
    let sections = |(index, process): (usize, &'a ProcessState)| {
        let mut sections = match choice.at_peak {
            _ if recording.without_state.contains(&index) => Sections::unknown(process),
            true => Sections::at_peak(process, &choice.filter),
            false => Sections::at_end(process, &choice.filter),
        };
        if root == Some(index) {
            let exit = tree.exit.map(json::Exit::from);
            sections.target.exit = sections.target.exit.or(exit);
        }
        sections
    };
    tree.processes.iter().enumerate().map(sections).collect()
}

/// Index of the process that is chosen in the recording at `path`; `None` for the sum.
pub(crate) fn choose_process(
    tree: &TreeState,
    choice: Option<ProcessChoice>,
    path: &Path,
) -> Result<Option<usize>, Error> {
    choose(tree, choice).map_err(|missing| error(missing, path))
}

/// Index of the chosen process; `None` for the sum.
fn choose(tree: &TreeState, choice: Option<ProcessChoice>) -> Result<Option<usize>, Missing> {
    let root = root(tree).ok_or(Missing::EveryProcess)?;
    match choice {
        None => Ok(Some(root)),
        Some(ProcessChoice::Sum) => Ok(None),
        Some(ProcessChoice::Pid(pid)) => last_image(tree, pid).map(Some),
    }
}

/// The last image of the first process. Its pid may be in use again later: generations
/// that start over belong to another process.
pub(crate) fn root(tree: &TreeState) -> Option<usize> {
    let pid = tree.processes.first()?.identity.pid;
    let mut last = 0;
    for (index, process) in tree.processes.iter().enumerate().skip(1) {
        let identity = &process.identity;
        if identity.pid != pid {
            continue;
        }
        if identity.generation <= tree.processes[last].identity.generation {
            break;
        }
        last = index;
    }
    Some(last)
}

fn last_image(tree: &TreeState, pid: u32) -> Result<usize, Missing> {
    let found = tree.processes.iter().rposition(|process| process.identity.pid == pid);
    found.ok_or_else(|| {
        let mut known: Vec<u32> = tree.processes.iter().map(|p| p.identity.pid).collect();
        known.dedup();
        Missing::Process { pid, known }
    })
}

/// The groups of `--by`, most live bytes first.
fn groups(sections: &Sections<'_>, by: GroupBy, choice: &Choice) -> Option<Vec<Group>> {
    let mut groups = match code::grouping(by) {
        Some(by) => {
            code::groups(&sections.sites, by, &choice.filter).iter().map(code_group).collect()
        }
        None => other_groups(sections, by, &choice.filter)?,
    };
    groups.truncate(choice.top.unwrap_or(usize::MAX));
    Some(groups)
}

fn other_groups(sections: &Sections<'_>, by: GroupBy, filter: &Filter) -> Option<Vec<Group>> {
    let mut groups: Vec<Group> = match by {
        GroupBy::Thread => {
            let threads = sections.threads.as_ref()?.iter().map(thread_group);
            threads.filter(|group| filter.passes(filter.matched_thread(&group.key))).collect()
        }
        _ => sections.size_classes.as_ref()?.iter().map(size_group).collect(),
    };
    groups.sort_by(|a, b| {
        (b.current_bytes, b.allocated_bytes).cmp(&(a.current_bytes, a.allocated_bytes))
    });
    Some(groups)
}

fn code_group(group: &CodeGroup<'_>) -> Group {
    Group {
        key: group.key.clone(),
        current_bytes: i64::try_from(group.figures.current_bytes).ok(),
        current_blocks: Some(group.figures.current_blocks),
        with_callees_bytes: Some(group.with_callees),
        allocations: group.figures.allocations,
        allocated_bytes: group.figures.allocated_bytes,
    }
}

fn size_group(class: &SizeClass) -> Group {
    Group {
        key: format!("{}-{}", class.min, class.max),
        current_bytes: i64::try_from(class.current_bytes).ok(),
        current_blocks: Some(class.current_blocks),
        with_callees_bytes: None,
        allocations: class.allocations,
        allocated_bytes: class.allocated_bytes,
    }
}

fn thread_group(thread: &Thread) -> Group {
    Group {
        key: thread.key(),
        current_bytes: thread.current_bytes,
        current_blocks: None,
        with_callees_bytes: None,
        allocations: thread.allocations,
        allocated_bytes: thread.allocated_bytes,
    }
}
