//! The tree of fork and exec with the sums of each, and the threads of the one that is shown.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::Line;

use super::{Cx, tendency};
use crate::data::{Origin, ProcessFate, ProcessFigures, ProcessRow, ThreadRow};
use crate::format::{self, BYTES_WIDTH, COUNT_WIDTH, SIGNED_BYTES_WIDTH};
use crate::theme::Role;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, below_heading, empty_words, panel};

/// From this width on there is room for all sums.
const WIDE: u16 = 100;

const COLUMNS: &[Column<ProcessRow, ()>] = &[
    Column::figure("pid", 8, 0, |row, _, _| (row.pid.to_string(), Some(Role::Label))),
    Column {
        title: "process",
        width: Width::Fill(28),
        align: Alignment::Left,
        rank: 0,
        cell: |row, (), width| {
            let role = if row.shown { Role::Title } else { Role::Figure };
            (name(row, width), Some(role))
        },
    },
    Column {
        title: "state",
        width: Width::Fixed(15),
        align: Alignment::Left,
        rank: 1,
        cell: |row, (), _| state(row.fate),
    },
    Column::figure("live", BYTES_WIDTH, 0, |row, _, _| {
        (of(row, |figures| format::bytes(figures.live)), Some(Role::Live))
    }),
    Column::figure("peak", BYTES_WIDTH, 2, |row, _, _| {
        (of(row, |figures| format::bytes(figures.peak)), Some(Role::Peak))
    }),
    Column::figure("allocs", COUNT_WIDTH, 3, |row, _, _| {
        (of(row, |figures| format::count(figures.allocations)), None)
    }),
    Column::figure("lived", 8, 4, |row, _, _| (format::clock(row.age_s), Some(Role::Label))),
    Column::figure("inherited", BYTES_WIDTH, 5, |row, _, _| {
        (of(row, |figures| unless_none(figures.inherited)), Some(Role::Untracked))
    }),
    Column::figure("rss", BYTES_WIDTH, 6, |row, _, _| {
        (row.rss.map_or_else(String::new, format::bytes), Some(Role::Rss))
    }),
    Column::figure("allocated", BYTES_WIDTH, 7, |row, _, _| {
        (of(row, |figures| format::bytes(figures.allocated_bytes)), Some(Role::Label))
    }),
    Column::figure("threads", 7, 8, |row, _, _| {
        (of(row, |figures| figures.threads.to_string()), Some(Role::Label))
    }),
];

/// A figure of a traced process. One that is not traced has none, which is said once, in its
/// state, and not in every column.
fn of(row: &ProcessRow, words: impl Fn(&ProcessFigures) -> String) -> String {
    row.figures.as_ref().map_or_else(String::new, words)
}

fn unless_none(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { format::bytes(bytes) }
}

/// The command, below its parent; a dot at the one that is shown.
fn name(row: &ProcessRow, width: usize) -> String {
    let dot = if row.shown { "● " } else { "" };
    // A deep tree must not push its names out of sight.
    let depth = row.depth.min(width / 4);
    let branch = match depth {
        0 => String::new(),
        depth => format!("{}└ ", "  ".repeat(depth - 1)),
    };
    let room = width.saturating_sub(branch.chars().count() + dot.chars().count());
    let name = format!("{branch}{dot}{}", format::command(&row.command, room));
    match row.fate {
        ProcessFate::Untraced(reason) if name.chars().count() + reason.len() + 3 <= width => {
            format!("{name} · {reason}")
        }
        _ => name,
    }
}

fn state(fate: ProcessFate) -> (String, Option<Role>) {
    match fate {
        ProcessFate::Running => ("runs".to_owned(), Some(Role::Active)),
        ProcessFate::Execed => ("exec’d".to_owned(), Some(Role::Label)),
        ProcessFate::Exited(0) => ("exit 0".to_owned(), Some(Role::Label)),
        ProcessFate::Exited(code) => (format!("exit {code}"), Some(Role::Warning)),
        ProcessFate::Killed(signal) => (format!("signal {signal}"), Some(Role::Warning)),
        ProcessFate::Ended => ("ended".to_owned(), Some(Role::Label)),
        ProcessFate::Untraced(_) => ("not traced".to_owned(), Some(Role::Untracked)),
        ProcessFate::UntracedEnded(_) => ("untraced, ended".to_owned(), Some(Role::Muted)),
    }
}

const THREADS: &[Column<ThreadRow, ()>] = &[
    Column::figure("tid", 8, 0, |row, _, _| {
        let tid = if row.tid == 0 { String::new() } else { row.tid.to_string() };
        (tid, Some(Role::Label))
    }),
    Column {
        title: "thread",
        width: Width::Fill(15),
        align: Alignment::Left,
        rank: 0,
        cell: |row, (), _| (thread_name(row), Some(Role::Figure)),
    },
    Column::figure("alloc−freed", SIGNED_BYTES_WIDTH + 1, 1, |row, _, _| {
        (format::signed_bytes(row.current_bytes), Some(tendency(row.current_bytes)))
    }),
    Column::figure("allocs", COUNT_WIDTH, 0, |row, _, _| (format::count(row.allocations), None)),
    Column::figure("allocated", BYTES_WIDTH, 2, |row, _, _| {
        (format::bytes(row.allocated_bytes), Some(Role::Label))
    }),
];

fn thread_name(row: &ThreadRow) -> String {
    match &row.name {
        _ if row.tid == 0 => "all that ended".to_owned(),
        Some(name) => name.clone(),
        None => format::UNKNOWN.to_owned(),
    }
}

/// The tree, and the threads below it.
fn parts(area: Rect) -> [Rect; 2] {
    let threads = match area.height {
        0..14 => 0,
        height => (height / 3).min(14),
    };
    Layout::vertical([Constraint::Min(4), Constraint::Length(threads)]).areas(area)
}

/// How many processes and how many threads fit in this body of the screen.
pub(crate) fn capacity(body: Rect) -> (usize, usize) {
    let [tree, threads] = parts(body);
    let rows_in = |area: Rect| usize::from(area.height.saturating_sub(3));
    // The last row of the tree's panel is for why the selected one is not traced.
    (rows_in(tree).saturating_sub(1), rows_in(threads))
}

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame, area: Rect, cx: Cx) {
    let [tree, threads] = parts(area);
    draw_tree(frame, tree, cx);
    if threads.height > 0 {
        draw_threads(frame, threads, cx);
    }
}

fn draw_tree(frame: &mut Frame, area: Rect, cx: Cx) {
    let processes = &cx.data.processes;
    // The tree is looked at, and not kept.
    let is_now = cx.state.playback.at_s.is_some() && cx.data.header.origin != Origin::Replay;
    let title = if is_now { " Processes, as they are now " } else { " Processes " };
    let title = Line::styled(title, cx.theme.style(Role::Title));
    let sums = Line::styled(sums(cx, area.width), cx.theme.style(Role::Label));
    let inner = panel(frame, area, cx.theme, (title, sums));
    if processes.rows.rows.is_empty() {
        let words = match cx.data.header.origin {
            Origin::Replay => "No process had begun by this moment.",
            _ => "Waiting for the program to start.",
        };
        return empty_words(frame, inner, cx.theme, words);
    }
    let selected = processes.rows.selected.checked_sub(processes.rows.first);
    let inner = airy(inner);
    let [table, words] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(inner);
    cx.targets.add_rows(below_heading(table), processes.rows.rows.iter().map(|row| row.key));
    Table { columns: COLUMNS, context: &(), selected }.draw(
        frame,
        table,
        cx.theme,
        &processes.rows.rows,
    );
    if let Some(text) = processes.rows.chosen().and_then(explain).or_else(|| missing(cx)) {
        frame.render_widget(Line::styled(text, cx.theme.style(Role::Label)), words);
    }
}

/// What there is to say about the selected one.
fn explain(row: &ProcessRow) -> Option<String> {
    match row.fate {
        ProcessFate::Untraced(reason) | ProcessFate::UntracedEnded(reason) => {
            Some(format!("{} is not traced: {reason}", row.pid))
        }
        _ if row.shown => None,
        _ => Some(format!("Enter shows {} on all screens", row.pid)),
    }
}

/// Who is missing in the tree and its sums, while there is nothing else to say.
fn missing(cx: Cx) -> Option<String> {
    let sums = &cx.data.processes.sums;
    let why = match cx.data.header.origin {
        Origin::Replay => "further back are not summed up here",
        _ => "ended before this viewer came: their figures were given back",
    };
    (sums.unseen > 0).then(|| format!("{} images {why}", format::count(sums.unseen as u64)))
}

/// ` 3 run · 12 ended · 1 not traced · together 20.1 MiB live, 1,234 allocations `.
fn sums(cx: Cx, width: u16) -> String {
    let sums = &cx.data.processes.sums;
    let counts = [
        (sums.running, format::agree(sums.running as u64, "runs", "run")),
        (sums.ended, "ended"),
        (sums.untraced, "not traced"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(count, word)| format!("{} {word}", format::count(*count as u64))).collect();
    if counts.is_empty() {
        return String::new();
    }
    let counts = counts.join(" · ");
    let least = |is_least: bool| if is_least { "≥" } else { "" };
    let live = format!("{}{}", least(sums.live_is_least), format::bytes(sums.live));
    let allocations = format!("{}{}", least(sums.unseen > 0), format::count(sums.allocations));
    // What has ended holds nothing: 0 B would stand over rows that say what they held then.
    match (width < WIDE, sums.running > 0) {
        (true, true) => format!(" {counts} · {live} live "),
        (true, false) => format!(" {counts} "),
        (false, true) => format!(" {counts} · together {live} live, {allocations} allocs "),
        (false, false) => format!(" {counts} · together {allocations} allocs "),
    }
}

fn draw_threads(frame: &mut Frame, area: Rect, cx: Cx) {
    let threads = &cx.data.processes.threads;
    let of = cx.data.header.pid.map_or_else(String::new, |pid| format!("of {pid} "));
    let title = Line::styled(format!(" Threads {of}"), cx.theme.style(Role::Title));
    let inner = panel(frame, area, cx.theme, (title, Line::default()));
    if threads.is_empty() {
        return empty_words(frame, inner, cx.theme, "No thread has allocated yet.");
    }
    Table { columns: THREADS, context: &(), selected: None }.draw(
        frame,
        airy(inner),
        cx.theme,
        threads,
    );
}
