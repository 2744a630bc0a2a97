//! The report's tables: sizes, threads, processes.

use std::collections::{HashMap, HashSet};

use memtop_ui::format::{
    UNKNOWN, bytes, left, or_unknown, right, shorten, signed_bytes, size_class, thousands,
};

use super::{
    Choice, Report,
    json::{Exit, Process, SizeClass, Thread, UntracedProcess},
    origins::origins,
    paint::{Page, Role, bar, printable},
    text::{command_line, signal_words},
};
use crate::cli::GroupBy;

const BYTES: usize = 11;
const COUNT: usize = 14;
const BAR: usize = 20;

/// Sites, sizes and threads, or what `--by` asks for. With `--by` or `--top` the largest come
/// first.
pub(super) fn breakdown(page: &mut Page, report: &Report<'_>, choice: &Choice) {
    if !matches!(choice.by, Some(GroupBy::Size | GroupBy::Thread)) {
        origins(page, report, choice);
    }
    if matches!(choice.by, None | Some(GroupBy::Size)) {
        sizes(page, report.sections.size_classes.as_deref(), choice);
    }
    if matches!(choice.by, None | Some(GroupBy::Thread)) {
        threads(page, report.sections.threads.as_deref(), choice);
    }
}

/// The rows to show, and how many are left out.
fn largest<T: Clone, K: Ord>(
    rows: &[T],
    choice: &Choice,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, usize) {
    let mut rows = rows.to_vec();
    if choice.by.is_some() || choice.top.is_some() {
        rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
    }
    let left_out = rows.len().saturating_sub(choice.top.unwrap_or(usize::MAX));
    rows.truncate(rows.len() - left_out);
    (rows, left_out)
}

fn more(page: &mut Page, left_out: usize) {
    if left_out > 0 {
        page.painted(Role::Muted, &format!("  … and {left_out} more"));
    }
}

fn sizes(page: &mut Page, classes: Option<&[SizeClass]>, choice: &Choice) {
    let Some(classes) = classes else {
        page.title("Sizes", "unknown");
        return;
    };
    if classes.is_empty() {
        return;
    }
    page.title(
        "Sizes",
        match choice.at_peak {
            true => "live at the peak, by requested size; allocations up to the end",
            false => "live blocks by requested size",
        },
    );
    let columns = [right("size", 17), right("live", BYTES), " ".repeat(BAR + 3)].concat();
    let counts = [right("blocks", COUNT), right("allocations", COUNT)].concat();
    page.painted(Role::Muted, &format!("{columns}{counts}"));
    let most = classes.iter().map(|class| class.current_bytes).max().unwrap_or(0);
    let (rows, left_out) = largest(classes, choice, |c| (c.current_bytes, c.allocated_bytes));
    for class in &rows {
        let bar = page.paint(Role::Live, &bar(class.current_bytes, most, BAR));
        page.line(&format!(
            "{}{}   {bar}{}{}",
            right(&size_name(class), 17),
            right(&bytes(class.current_bytes), BYTES),
            right(&thousands(class.current_blocks), COUNT),
            right(&thousands(class.allocations), COUNT),
        ));
    }
    more(page, left_out);
}

fn size_name(class: &SizeClass) -> String {
    match (class.min, class.max) {
        (0, u64::MAX) => "any".to_owned(),
        (min, max) => size_class(min, max),
    }
}

fn threads(page: &mut Page, threads: Option<&[Thread]>, choice: &Choice) {
    let Some(threads) = threads.filter(|threads| !threads.is_empty()) else {
        return;
    };
    page.title(
        "Threads",
        match choice.at_peak {
            true => "up to the end; what each held at the peak is not known",
            false => "live: allocated − freed by the thread itself",
        },
    );
    let columns = [right("tid", 9), "  ".to_owned(), left("name", 17)].concat();
    let figures =
        [right("live", BYTES), right("allocated", BYTES + 1), right("allocations", COUNT)];
    page.painted(Role::Muted, &format!("{columns}{}", figures.concat()));
    let named =
        |thread: &&Thread| choice.filter.passes(choice.filter.matched_thread(&thread.key()));
    let threads: Vec<Thread> = match choice.by {
        Some(GroupBy::Thread) => threads.iter().filter(named).cloned().collect(),
        _ => threads.to_vec(),
    };
    let (rows, left_out) = largest(&threads, choice, |t| (t.current_bytes, t.allocated_bytes));
    for thread in &rows {
        page.line(&thread_row(thread));
    }
    more(page, left_out);
}

fn thread_row(thread: &Thread) -> String {
    let (tid, name) = match (thread.tid, &thread.name) {
        (0, _) => ("ended".to_owned(), "(all together)".to_owned()),
        (tid, name) => (tid.to_string(), name.as_deref().map(printable).unwrap_or_default()),
    };
    format!(
        "{}  {}{}{}{}",
        right(&tid, 9),
        left(&shorten(&name, 16), 17),
        right(&or_unknown(thread.current_bytes, signed_bytes), BYTES),
        right(&bytes(thread.allocated_bytes), BYTES + 1),
        right(&thousands(thread.allocations), COUNT),
    )
}

/// Every process image, children under their parents.
pub(super) fn processes(page: &mut Page, report: &Report<'_>) {
    page.title("Processes", "one row for each image: fork and exec begin a new one");
    let columns = [right("pid", 9), right("gen", 5), right("parent", 9)].concat();
    let figures = [right("peak", BYTES), right("live", BYTES)].concat();
    page.painted(Role::Muted, &format!("{columns}{figures}   {}command", left("ended", 18)));
    let identity = |process: &Process| (process.pid, process.generation);
    let images: HashSet<_> = report.processes.iter().map(identity).collect();
    for (depth, index) in tree_order(&report.processes) {
        let process = &report.processes[index];
        page.line(&process_row(process, &ended(process, &images), depth));
    }
}

/// So many processes that were not traced are named.
const NAMED: usize = 20;

/// `Not traced: busybox (pid 12, static), sudo (pid 14, gained privileges) and 3 more.`
pub(super) fn untraced(page: &mut Page, report: &Report<'_>) {
    let all = &report.untraced;
    if all.is_empty() {
        return;
    }
    let words = |one: &UntracedProcess| {
        let why = one.why.as_ref().map(|why| format!(", {}", printable(why)));
        format!("{} (pid {}{})", printable(&one.name), one.pid, why.unwrap_or_default())
    };
    let named: Vec<String> = all.iter().take(NAMED).map(words).collect();
    let more = match all.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    page.line("");
    page.painted(Role::Warning, &format!("Not traced: {}{more}.", named.join(", ")));
}

fn process_row(process: &Process<'_>, ended: &str, depth: usize) -> String {
    let totals = process.sections.totals.as_ref();
    format!(
        "{}{}{}{}{}   {}{}{}",
        right(&process.pid.to_string(), 9),
        right(&process.generation.to_string(), 5),
        right(&or_unknown(process.parent, |pid| pid.to_string()), 9),
        right(&or_unknown(totals.and_then(|totals| totals.peak_bytes), bytes), BYTES),
        right(&or_unknown(totals, |totals| bytes(totals.current_bytes)), BYTES),
        left(ended, 18),
        "  ".repeat(depth.min(8)),
        command_line(&process.sections.target.command),
    )
}

/// How an image ended; by `exec` if another one of `images` took its place.
fn ended(process: &Process<'_>, images: &HashSet<(u32, u32)>) -> String {
    let next = (process.pid, process.generation.saturating_add(1));
    match (process.sections.target.exit, process.ended_s) {
        (Some(Exit::Code(code)), _) => format!("exit {code}"),
        (Some(Exit::Signal(signal)), _) => signal_words(signal),
        (None, Some(_)) if images.contains(&next) => "exec".to_owned(),
        (None, Some(_)) => "ended".to_owned(),
        (None, None) => UNKNOWN.to_owned(),
    }
}

/// Depth and index of every process image, parents before children. What a hostile file
/// makes a circle of stands at the top.
fn tree_order(processes: &[Process<'_>]) -> Vec<(usize, usize)> {
    let images = grouped(processes.iter().enumerate().map(|(at, process)| (process.pid, at)));
    let parents = processes.iter().rev();
    let children = grouped(parents.filter_map(|child| Some((child.parent?, child.pid))));
    let orphan = |process: &&Process| process.parent.is_none_or(|pid| !images.contains_key(&pid));
    let roots = processes.iter().filter(orphan).chain(processes);
    let mut seen = HashSet::new();
    let mut order = Vec::with_capacity(processes.len());
    for root in roots {
        let mut waiting = vec![(0, root.pid)];
        while let Some((depth, pid)) = waiting.pop() {
            if seen.insert(pid) {
                order.extend(images[&pid].iter().map(|index| (depth, *index)));
                let children = children.get(&pid).into_iter().flatten();
                waiting.extend(children.map(|child| (depth + 1, *child)));
            }
        }
    }
    order
}

fn grouped<T>(pairs: impl Iterator<Item = (u32, T)>) -> HashMap<u32, Vec<T>> {
    let mut groups = HashMap::<u32, Vec<T>>::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    groups
}
