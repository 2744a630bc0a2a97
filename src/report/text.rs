//! The report for people: how much, since when, in what sizes, by whom, how exact.

use std::time::Duration;

use super::{
    Choice, Look, Report, figures,
    json::{Exit, Interval, Process, Window},
    paint::{Page, Role, date, printable},
    tables,
};
use memtop_ui::format::counted;

use crate::model::{self, window::moment};

/// The text of `report`; `choice` is what it was made with.
pub fn render(report: &Report<'_>, choice: &Choice, look: Look) -> String {
    let mut page = Page::new(look);
    headline(&mut page, report, choice);
    figures::totals(&mut page, report, choice);
    tables::breakdown(&mut page, report, choice);
    if let Some(exactness) = &report.sections.exactness {
        let last_s = report.sections.timeline.last().map(|point| point.t_s);
        figures::exactness(&mut page, exactness, &report.recording.files_missing, last_s);
    }
    if report.processes.len() > 1 {
        tables::processes(&mut page, report);
    }
    tables::untraced(&mut page, report);
    page.finish()
}

/// The words of a command, on one line.
pub(super) fn command_line(words: &[String]) -> String {
    match words {
        [] => "(command unknown)".to_owned(),
        words => printable(&model::command_line(words.iter().map(String::as_str))),
    }
}

fn headline(page: &mut Page, report: &Report<'_>, choice: &Choice) {
    let target = &report.sections.target;
    let process = report.chosen.and_then(|chosen| report.processes.get(chosen));
    let program = page.paint(Role::Title, &command_line(&target.command));
    let who = match target.pid {
        Some(pid) => format!("pid {pid}"),
        None => format!("sum of {}", counted(report.processes.len() as u64, "process image")),
    };
    let ending = ending(target.exit, process, choice.at_s);
    page.line(&format!("{program} · {who} · {ending}"));
    let launched = date(report.recording.launched_at_s as u64);
    let since = process.map(|process| {
        let ended = process.ended_s.is_some();
        format!("{} · ", traced(&report.sections.window, ended))
    });
    let line = format!("{}launched {launched}", since.unwrap_or_default());
    page.painted(Role::Muted, &line);
    notes(page, report, choice);
    if let Some(sentence) = report.sections.sentence.as_ref().filter(|_| !choice.at_peak) {
        page.line("");
        page.line(sentence);
    }
}

fn notes(page: &mut Page, report: &Report<'_>, choice: &Choice) {
    if !report.recording.complete {
        let note = "This recording was cut: it is damaged, still being written, or its writer \
                    was killed.\nWhat stands before the cut is shown; what came later is missing.";
        note.lines().for_each(|line| page.painted(Role::Warning, line));
    }
    match (choice.at_s, report.recording.ended_before_s) {
        (Some(at), Some(end)) => page.line(&format!(
            "Everything as it was at the end, at {}: {} is later.",
            after(end),
            after(at)
        )),
        (Some(at), None) => page.line(&format!("Everything as it was at {}.", after(at))),
        (None, _) => {}
    }
    if choice.at_peak {
        page.line("What was live, in sizes and sites too, as it was at the byte peak.");
        page.line("What was allocated and freed, the net and the threads as at the end.");
    }
}

/// `exit 0 after 3:12`.
fn ending(exit: Option<Exit>, process: Option<&Process<'_>>, at_s: Option<f64>) -> String {
    let how = match exit {
        Some(exit) => exit_words(exit),
        None if process.is_some_and(|process| process.ended_s.is_some()) => "ended".to_owned(),
        None if at_s.is_some() => return "still running then".to_owned(),
        None => return "end not recorded".to_owned(),
    };
    let lived = process.and_then(|process| Some(process.ended_s? - process.started_s));
    match lived {
        Some(seconds) => format!("{how} after {}", after(seconds)),
        None => how,
    }
}

pub(super) fn after(seconds: f64) -> String {
    moment(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// `exit 0`, `killed by signal 9 (KILL: out of memory?)`.
pub(super) fn exit_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(9) => "killed by signal 9 (KILL: out of memory?)".to_owned(),
        Exit::Signal(signal) => format!("killed by {}", signal_words(signal)),
    }
}

/// `signal 11 (SEGV)`.
pub(super) fn signal_words(signal: i32) -> String {
    let name = match signal {
        1 => " (HUP)",
        2 => " (INT)",
        3 => " (QUIT)",
        6 => " (ABRT)",
        7 => " (BUS)",
        9 => " (KILL)",
        11 => " (SEGV)",
        13 => " (PIPE)",
        15 => " (TERM)",
        _ => "",
    };
    format!("signal {signal}{name}")
}

/// `tracing since 0:41`, `traced 0:41–2:00, cleared at 1:20: figures count from then on`.
fn traced(window: &Window, ended: bool) -> String {
    let cleared = window.cleared_after_s.map(after);
    let cleared = cleared.map(|at| format!(", cleared at {at}: figures count from then on"));
    stretches(window, ended) + &cleared.unwrap_or_default()
}

fn stretches(window: &Window, ended: bool) -> String {
    match window.intervals.as_slice() {
        [] => "never traced".to_owned(),
        [only] if only.to_s.is_none() && ended => format!("traced since {}", after(only.from_s)),
        [only] if only.to_s.is_none() => format!("tracing since {}", after(only.from_s)),
        intervals => {
            let intervals: Vec<String> = intervals.iter().map(interval).collect();
            format!("traced {}", intervals.join(", "))
        }
    }
}

fn interval(interval: &Interval) -> String {
    let to = interval.to_s.map_or_else(|| "end".to_owned(), after);
    format!("{}–{to}", after(interval.from_s))
}
