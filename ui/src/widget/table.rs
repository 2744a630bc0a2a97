//! A table whose columns are data: title, width, alignment, importance and cell in one entry.

use std::cmp::Reverse;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::format::{left, right, shorten};
use crate::theme::{Role, Theme};

/// A column of rows `R`; `C` is what all cells may look at.
#[derive(Debug)]
pub struct Column<R, C> {
    /// Its heading.
    pub title: &'static str,
    /// How wide it is.
    pub width: Width,
    /// Where its text stands.
    pub align: Alignment,
    /// Columns of a higher rank are left out first where room is short; 0 always stays.
    pub rank: u8,
    /// What it shows of a row, given the room it has.
    pub cell: CellOf<R, C>,
}

/// What a cell shows of a row, with what all cells may look at and the width there is.
pub type CellOf<R, C> = fn(&R, &C, usize) -> (String, Option<Role>);

impl<R, C> Column<R, C> {
    /// One of figures: of a fixed width, so that nothing jumps, and to the right.
    pub const fn figure(title: &'static str, width: usize, rank: u8, cell: CellOf<R, C>) -> Self {
        Self { title, width: Width::Fixed(width), align: Alignment::Right, rank, cell }
    }
}

/// How wide a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Always that many.
    Fixed(usize),
    /// At least that many, and what is left over.
    Fill(usize),
}

impl Width {
    fn least(self) -> usize {
        match self {
            Self::Fixed(width) | Self::Fill(width) => width,
        }
    }
}

/// Columns between two columns.
pub(super) const GAP: usize = 1;

/// What is needed beside the rows.
#[derive(Debug)]
pub struct Table<'a, R, C> {
    /// The columns from left to right.
    pub columns: &'a [Column<R, C>],
    /// What all cells may look at.
    pub context: &'a C,
    /// The selected row, if rows can be selected.
    pub selected: Option<usize>,
}

impl<R, C> Table<'_, R, C> {
    /// Draws as many `rows` as fit, without a heading.
    pub fn draw_rows(&self, frame: &mut Frame, area: Rect, theme: &Theme, rows: &[R]) {
        let columns = layout(ranked(self.columns), usize::from(area.width));
        for (row, y) in rows.iter().zip(area.top()..area.bottom()) {
            let cells =
                line(theme, &columns, |column, width| (column.cell)(row, self.context, width));
            frame.render_widget(cells, Rect { y, height: 1, ..area });
        }
    }

    /// Draws a heading and as many `rows` as fit.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme, rows: &[R]) {
        let columns = layout(ranked(self.columns), usize::from(area.width));
        let heading = line(theme, &columns, |column, _| (column.title.to_owned(), None));
        let heading = heading.patch_style(theme.style(Role::Label));
        frame.render_widget(heading, Rect { height: area.height.min(1), ..area });
        for (i, row) in rows.iter().enumerate().take(usize::from(area.height).saturating_sub(1)) {
            let mut cells =
                line(theme, &columns, |column, width| (column.cell)(row, self.context, width));
            if self.selected == Some(i) {
                cells = highlight(cells, theme, usize::from(area.width));
            }
            frame.render_widget(cells, Rect { y: area.y + 1 + i as u16, height: 1, ..area });
        }
    }
}

/// The selected row says so in shape and in colour.
pub(super) fn highlight(line: Line<'_>, theme: &Theme, width: usize) -> Line<'static> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let text = format!("▸{}", text.strip_prefix(' ').unwrap_or(&text));
    Line::styled(left(&shorten(&text, width), width), theme.style(Role::Selected))
}

/// Columns, each with its own rank.
fn ranked<R, C>(columns: &[Column<R, C>]) -> impl Iterator<Item = (&Column<R, C>, u8)> {
    columns.iter().map(|column| (column, column.rank))
}

/// The columns that fit in `room`, given with their ranks, with their widths. What has to stay
/// and does not fit has less than it needs where it can be cut.
pub(crate) fn layout<'c, R, C>(
    columns: impl Iterator<Item = (&'c Column<R, C>, u8)>,
    room: usize,
) -> Vec<(&'c Column<R, C>, usize)> {
    layout_by_need(columns, room, |_| usize::MAX)
}

/// The same, where columns that can be of any width have no more than `wanted` while others want
/// more.
pub(crate) fn layout_by_need<'c, R, C>(
    columns: impl Iterator<Item = (&'c Column<R, C>, u8)>,
    room: usize,
    wanted: impl Fn(&Column<R, C>) -> usize,
) -> Vec<(&'c Column<R, C>, usize)> {
    let mut columns: Vec<(&Column<R, C>, u8)> = columns.collect();
    let need = |columns: &[(&Column<R, C>, u8)]| {
        columns.iter().map(|(c, _)| c.width.least() + GAP).sum::<usize>().saturating_sub(GAP)
    };
    while need(&columns) > room {
        let Some(rank) = columns.iter().map(|(_, rank)| *rank).max().filter(|rank| *rank > 0)
        else {
            break;
        };
        columns.retain(|(_, other)| *other < rank);
    }
    let needed = need(&columns);
    let mut fills: Vec<Filling> = columns
        .iter()
        .enumerate()
        .filter(|(_, (column, _))| matches!(column.width, Width::Fill(_)))
        .map(|(at, (column, _))| Filling::new(at, column.width.least(), wanted(column)))
        .collect();
    let freed: usize = fills.iter().map(|fill| fill.freed).sum();
    let (mut short, many) = (needed.saturating_sub(room + freed), fills.len());
    share_out(&mut fills, (room + freed).saturating_sub(needed));
    let mut widths: Vec<usize> = columns.iter().map(|(column, _)| column.width.least()).collect();
    for (passed, fill) in fills.iter().enumerate() {
        let less = short.div_ceil(many - passed).min(fill.width);
        short -= less;
        widths[fill.at] = fill.width - less;
    }
    columns.into_iter().map(|(column, _)| column).zip(widths).collect()
}

/// A column that can be of any width.
struct Filling {
    /// Which of all columns it is.
    at: usize,
    width: usize,
    /// How much wider it wants to be.
    more: usize,
    /// What it does not need of the least that it could have.
    freed: usize,
}

impl Filling {
    fn new(at: usize, least: usize, wanted: usize) -> Self {
        let width = least.min(wanted);
        Self { at, width, more: wanted - width, freed: least - width }
    }
}

/// Gives each what it wants, as far as there is room, and no more than others while those want more.
/// What nobody wants is the first one's.
fn share_out(fills: &mut [Filling], mut spare: usize) {
    let mut modest: Vec<usize> = (0..fills.len()).collect();
    let even = spare.div_ceil(fills.len().max(1));
    // Among those that want more than there is, the odd column is the first one's.
    modest.sort_by_key(|at| (fills[*at].more.min(even), Reverse(*at)));
    for (passed, at) in modest.into_iter().enumerate() {
        let share = (spare / (fills.len() - passed)).min(fills[at].more);
        fills[at].width += share;
        spare -= share;
    }
    if let Some(first) = fills.first_mut() {
        first.width += spare;
    }
}

/// One line of cells, each in the width of its column.
pub(super) fn line<R, C>(
    theme: &Theme,
    columns: &[(&Column<R, C>, usize)],
    cell: impl Fn(&Column<R, C>, usize) -> (String, Option<Role>),
) -> Line<'static> {
    let mut spans = Vec::with_capacity(columns.len() * 2);
    for (i, (column, width)) in columns.iter().enumerate() {
        if i > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        let (text, role) = cell(column, *width);
        let text = shorten(&text, *width);
        let text = match column.align {
            Alignment::Right => right(&text, *width),
            _ => left(&text, *width),
        };
        spans.push(Span::styled(text, role.map_or_else(Style::new, |r| theme.style(r))));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn filling(least: usize) -> Column<(), ()> {
        let (title, cell) = ("", (|(), (), _| (String::new(), None)) as CellOf<(), ()>);
        Column { title, width: Width::Fill(least), align: Alignment::Left, rank: 0, cell }
    }

    #[test]
    fn room_is_shared_by_need() {
        let columns = [filling(28), filling(14)];
        let widths = |room, wanted: [usize; 2]| {
            let which = |column: &Column<(), ()>| match column.width.least() {
                28 => wanted[0],
                _ => wanted[1],
            };
            let laid_out = layout_by_need(ranked(&columns), room, which);
            laid_out.into_iter().map(|(_, width)| width).collect::<Vec<_>>()
        };
        let room = 28 + GAP + 14;
        assert_eq!(widths(room + 10, [usize::MAX; 2]), [33, 19]);
        // One that says all it has to say leaves the rest to the other.
        assert_eq!(widths(room + 10, [12, 60]), [12, 40]);
        assert_eq!(widths(room + 10, [60, 15]), [37, 15]);
        assert_eq!(widths(room, [12, 20]), [22, 20]);
        assert_eq!(widths(room, [28, 20]), [28, 14]);
        assert_eq!(widths(room - 4, [60, 60]), [26, 12]);
        assert_eq!(widths(room - 4, [26, 60]), [25, 13]);
    }
}
