//! What is known about a site beside its stack: history, sizes, threads, lifetimes.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::Line;

use crate::data::{Lifetime, Point, Site, SizeShare, ThreadShare, Timeline};
use crate::format::{self, BYTES_WIDTH, COUNT_WIDTH, SIGNED_BYTES_WIDTH};
use crate::screen::{Cx, present, tendency};
use crate::theme::Role;
use crate::widget::bar::bar;
use crate::widget::table::{Column, Table, Width};
use crate::widget::{airy, panel, timeline};

/// Draws what is known, the history in what room the rest leaves.
pub(super) fn draw(frame: &mut Frame, area: Rect, cx: Cx, site: &Site) {
    let lists = [site.sizes.len(), site.threads.as_ref().map_or(0, Vec::len), site.lifetimes.len()];
    let heights = heights(lists, area.height.saturating_sub(HISTORY));
    let [sizes, threads, lifetimes] = heights.map(Constraint::Length);
    let rows = Layout::vertical([Constraint::Fill(1), sizes, threads, lifetimes]);
    let [history, sizes, threads, lifetimes] = rows.areas(area);
    draw_history(frame, history, cx, site);
    let (most, right) = of_those_seen(&site.sizes, |row| row.allocations);
    list(frame, sizes, cx, (" Sizes ", &right), (SIZES, &most, &site.sizes));
    if let Some(rows) = &site.threads {
        list(frame, threads, cx, (" Threads ", ""), (THREADS, &(), rows));
    }
    let (most, right) = of_those_seen(&site.lifetimes, |row| row.blocks);
    list(frame, lifetimes, cx, (" Lived ", &right), (LIFETIMES, &most, &site.lifetimes));
}

/// The highest count of a list, and words for what they are all a sample of.
fn of_those_seen<R>(rows: &[R], count: fn(&R) -> u64) -> (u64, String) {
    let most = rows.iter().map(count).max().unwrap_or(0);
    (most, format!("of {} seen", format::count(rows.iter().map(count).sum())))
}

/// Rows the history keeps where it can.
const HISTORY: u16 = 8;
/// Frame and heading of a list.
const AROUND: u16 = 3;

/// Heights of the lists with their frames: as many rows as they have while there is room, the
/// longest gives way first. What would show no row is left out.
fn heights(rows: [usize; 3], room: u16) -> [u16; 3] {
    let mut heights = rows.map(|rows| if rows == 0 { 0 } else { rows.min(99) as u16 + AROUND });
    while heights.iter().sum::<u16>() > room {
        let longest = heights.iter_mut().max_by_key(|height| **height);
        let Some(longest) = longest.filter(|height| **height > 0) else { break };
        *longest = if *longest <= AROUND + 1 { 0 } else { *longest - 1 };
    }
    heights
}

fn draw_history(frame: &mut Frame, area: Rect, cx: Cx, site: &Site) {
    if area.height < 5 {
        return;
    }
    let point = |moment: &crate::data::Moment| Point {
        t_s: moment.t_s,
        live: moment.live_bytes,
        max: moment.max_bytes,
        ..Point::default()
    };
    let whole = &cx.data.timeline;
    let words = match (site.history_to_s, site.history.is_empty()) {
        (None, true) => Some("no history yet"),
        (Some(_), true) => Some("reading"),
        (_, false) => None,
    };
    let timeline = Timeline {
        points: site.history.iter().map(point).collect(),
        intervals: whole.intervals.clone(),
        cleared_s: whole.cleared_s,
        now_s: whole.now_s,
        read_to_s: site.history_to_s,
        marks: whole.marks.clone(),
        peak: None,
    };
    let view = timeline::View {
        title: "History",
        timeline: &timeline,
        extent: timeline::Extent::default(),
        zoom_s: None,
        untracked_label: "",
        present: present(cx),
        words,
        playhead_s: None,
    };
    view.draw(frame, area, cx.theme);
}

fn list<R, C>(
    frame: &mut Frame,
    area: Rect,
    cx: Cx,
    (title, right): (&str, &str),
    (columns, context, rows): (&[Column<R, C>], &C, &[R]),
) {
    if area.height <= AROUND {
        return;
    }
    let title = Line::styled(title.to_owned(), cx.theme.style(Role::Title));
    let right = match right.trim() {
        "" => Line::default(),
        words => Line::styled(format!(" {words} "), cx.theme.style(Role::Label)),
    };
    let inner = panel(frame, area, cx.theme, (title, right));
    Table { columns, context, selected: None }.draw(frame, airy(inner), cx.theme, rows);
}

const SIZES: &[Column<SizeShare, u64>] = &[
    Column {
        title: "size",
        width: Width::Fixed(11),
        align: Alignment::Right,
        rank: 0,
        cell: |row, _, _| (format::size_class(row.min, row.max), Some(Role::Label)),
    },
    Column {
        title: "allocs",
        width: Width::Fixed(COUNT_WIDTH),
        align: Alignment::Right,
        rank: 0,
        cell: |row, _, _| (format::count(row.allocations), Some(Role::Figure)),
    },
    Column {
        title: "bytes",
        width: Width::Fixed(BYTES_WIDTH),
        align: Alignment::Right,
        rank: 2,
        cell: |row, _, _| (format::bytes(row.bytes), None),
    },
    Column {
        title: "",
        width: Width::Fill(3),
        align: Alignment::Left,
        rank: 3,
        cell: |row, most, width| (bar(row.allocations, *most, width), Some(Role::Bar)),
    },
];

const THREADS: &[Column<ThreadShare, ()>] = &[
    Column {
        title: "thread",
        width: Width::Fill(8),
        align: Alignment::Left,
        rank: 0,
        cell: |row, (), width| (thread(row, width), None),
    },
    Column {
        title: "alloc−freed",
        width: Width::Fixed(SIGNED_BYTES_WIDTH + 1),
        align: Alignment::Right,
        rank: 0,
        cell: |row, (), _| (format::signed_bytes(row.net_bytes), Some(tendency(row.net_bytes))),
    },
    Column {
        title: "allocs",
        width: Width::Fixed(COUNT_WIDTH),
        align: Alignment::Right,
        rank: 1,
        cell: |row, (), _| (format::count(row.allocations), Some(Role::Label)),
    },
];

const LIFETIMES: &[Column<Lifetime, u64>] = &[
    Column {
        title: "at most",
        width: Width::Fixed(8),
        align: Alignment::Right,
        rank: 0,
        cell: |row, _, _| (up_to(row.up_to_s), Some(Role::Label)),
    },
    Column {
        title: "freed",
        width: Width::Fixed(COUNT_WIDTH),
        align: Alignment::Right,
        rank: 0,
        cell: |row, _, _| (format::count(row.blocks), Some(Role::Figure)),
    },
    Column {
        title: "",
        width: Width::Fill(3),
        align: Alignment::Left,
        rank: 1,
        cell: |row, most, width| (bar(row.blocks, *most, width), Some(Role::Bar)),
    },
];

/// Who asked. What is not of one thread is never cut to what could be the name of one.
fn thread(row: &ThreadShare, width: usize) -> String {
    let together = ["(ended and later threads)", "(ended, later)", "ended, later"];
    let fits = |words: &&str| words.len() <= width;
    let words = || together.into_iter().find(fits).unwrap_or("(ended)").to_owned();
    row.name.clone().unwrap_or_else(words)
}

fn up_to(seconds: f64) -> String {
    if seconds.is_finite() { format::span(seconds) } else { "longer".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{ThreadShare, heights, thread};

    #[test]
    fn ended_and_later_threads_are_named_in_any_width() {
        let row = ThreadShare { name: None, net_bytes: 0, allocations: 1 };
        for (width, name) in [
            (25, "(ended and later threads)"),
            (24, "(ended, later)"),
            (14, "(ended, later)"),
            (13, "ended, later"),
            (11, "(ended)"),
            (8, "(ended)"),
        ] {
            assert_eq!(thread(&row, width), name);
        }
        let row = ThreadShare { name: Some("io 7".to_owned()), ..row };
        assert_eq!(thread(&row, 25), "io 7");
    }

    #[test]
    fn lists_share_the_room_and_what_has_no_row_goes() {
        assert_eq!(heights([2, 2, 0], 20), [5, 5, 0]);
        assert_eq!(heights([9, 2, 2], 16), [6, 5, 5]);
        assert_eq!(heights([2, 2, 2], 8), [4, 4, 0]);
        assert_eq!(heights([2, 2, 2], 0), [0, 0, 0]);
        for room in 0..40 {
            assert!(heights([30, 5, 8], room).iter().sum::<u16>() <= room);
        }
    }
}
