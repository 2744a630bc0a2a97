//! `memtop report`: what a recording says, for people or as JSON, and whether it keeps a
//! budget.
//!
//! Both forms are made from one [`Report`], so the text never says anything else than the
//! JSON does.

mod convert;
mod expression;
mod figures;
pub mod json;
mod paint;
mod sum;
mod tables;
mod text;

use std::path::Path;

pub use expression::{Expression, Verdict};
pub use json::Report;
pub use paint::Look;
pub use text::render as text;

use crate::{
    Error,
    cli::{GroupBy, Moment, ProcessChoice, ReportOptions},
    commands,
    model::{ProcessState, TreeState},
    recording::{self, Recording},
};
use json::{Group, Process, Sections, SizeClass, Source, Thread};

/// What of a recording to show.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    /// At the byte peak of each process, instead of its end.
    pub at_peak: bool,
    /// Group by size or thread.
    pub by: Option<GroupBy>,
    /// Only the largest rows.
    pub top: Option<usize>,
    /// Which process; the launched program if not said.
    pub process: Option<ProcessChoice>,
}

/// What a recording lacks for a choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No process at all.
    #[error("it holds no process; was the program's start traced, and the recording completed?")]
    EveryProcess,
    /// Not this one.
    #[error("--process {pid}: the recording holds no such process; it has {}", list(.known))]
    Process {
        /// Asked for.
        pid: u32,
        /// What there is.
        known: Vec<u32>,
    },
}

fn list(pids: &[u32]) -> String {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    pids.join(", ")
}

/// The command: reads, prints, and checks `--fail-if`.
///
/// # Errors
/// When options ask for what cannot be had, the file cannot be read, or the condition is met.
pub fn run(options: &ReportOptions) -> Result<(), Error> {
    let choice = choice(options)?;
    let condition = options.fail_if.as_deref().map(parse_condition).transpose()?;
    let recording = recording::open(&options.file)?;
    let report = build(&recording, &choice).map_err(|missing| error(missing, &options.file))?;
    let expression = options.fail_if.as_deref().unwrap_or_default();
    let decided = condition.map_or(Ok(()), |condition| check(&condition, expression, &report));
    if let Err(Error::Usage(_)) = decided {
        return decided;
    }
    let printed = match options.json {
        true => json(&report),
        false => text(&report, &choice, Look::of_stdout()),
    };
    commands::print(printed.as_bytes())?;
    if options.json && recording.cut {
        let file = options.file.display();
        eprintln!("memtop: {file} was cut; showing what stands before");
    }
    decided
}

/// What the options choose, if it can be had.
fn choice(options: &ReportOptions) -> Result<Choice, Error> {
    if matches!(options.at, Moment::At(_)) {
        return Err(Error::NotBuilt {
            what: "memtop report --at SECONDS".to_owned(),
            instead: "use --at end or --at peak, or the timeline in --json",
        });
    }
    let at_peak = options.at == Moment::Peak;
    if at_peak && options.process == Some(ProcessChoice::Sum) {
        let message = "--at peak and --process sum do not go together: processes peak at \
                       different moments; choose one process, or --at end";
        return Err(Error::Usage(message.to_owned()));
    }
    if let Some(by) = options.by.filter(|by| !matches!(by, GroupBy::Size | GroupBy::Thread)) {
        let name = format!("{by:?}").to_lowercase();
        return Err(Error::Usage(format!(
            "--by {name} needs stacks, and none are recorded yet; use --by size or --by thread"
        )));
    }
    Ok(Choice { at_peak, by: options.by, top: options.top, process: options.process })
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

fn check(condition: &Expression, text: &str, report: &Report) -> Result<(), Error> {
    let facts = serde_json::to_value(report).unwrap_or_default();
    let verdict = condition.evaluate(&facts, |_| None);
    let expression = text.to_owned();
    match verdict.map_err(|why| wrong_condition(text, &why))? {
        Verdict::NotMet => Ok(()),
        Verdict::Met(found) => Err(Error::ConditionMet { expression, found }),
        Verdict::Unknown(field) => Err(Error::Undecided { expression, field }),
    }
}

/// Makes the report of `recording`.
///
/// # Errors
/// When the recording does not hold what is chosen.
pub fn build(recording: &Recording, choice: &Choice) -> Result<Report, Missing> {
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
        },
        groups: choice.by.and_then(|by| groups(&sections, by, choice.top)),
        sections,
        processes: processes.map(|(process, part)| Process::new(process, part)).collect(),
        chosen,
    })
}

/// As one JSON object and a line feed.
pub fn json(report: &Report) -> String {
    // Every key is a string and every number finite or null: this cannot fail.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

fn all_sections(recording: &Recording, choice: &Choice) -> Vec<Sections> {
    let tree = &recording.tree;
    let root = root(tree);
    let sections = |(index, process): (usize, &ProcessState)| {
        let mut sections = match choice.at_peak {
            _ if recording.without_state.contains(&index) => Sections::unknown(process),
            true => Sections::at_peak(process),
            false => Sections::at_end(process),
        };
        if root == Some(index) {
            let exit = tree.exit.map(json::Exit::from);
            sections.target.exit = sections.target.exit.or(exit);
        }
        sections
    };
    tree.processes.iter().enumerate().map(sections).collect()
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
fn root(tree: &TreeState) -> Option<usize> {
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
fn groups(sections: &Sections, by: GroupBy, top: Option<usize>) -> Option<Vec<Group>> {
    let mut groups: Vec<Group> = match by {
        GroupBy::Thread => sections.threads.as_ref()?.iter().map(thread_group).collect(),
        _ => sections.size_classes.as_ref()?.iter().map(size_group).collect(),
    };
    groups.sort_by(|a, b| {
        (b.current_bytes, b.allocated_bytes).cmp(&(a.current_bytes, a.allocated_bytes))
    });
    groups.truncate(top.unwrap_or(usize::MAX));
    Some(groups)
}

fn size_group(class: &SizeClass) -> Group {
    Group {
        key: format!("{}-{}", class.min, class.max),
        current_bytes: i64::try_from(class.current_bytes).ok(),
        current_blocks: Some(class.current_blocks),
        allocations: class.allocations,
        allocated_bytes: class.allocated_bytes,
    }
}

fn thread_group(thread: &Thread) -> Group {
    let key = match (thread.tid, &thread.name) {
        (0, _) => "ended".to_owned(),
        (tid, Some(name)) => format!("{tid} {name}"),
        (tid, None) => tid.to_string(),
    };
    Group {
        key,
        current_bytes: thread.current_bytes,
        current_blocks: None,
        allocations: thread.allocations,
        allocated_bytes: thread.allocated_bytes,
    }
}
