//! A table whose columns are data: title, width, alignment, importance and cell in one entry.

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
    let (mut spare, mut short) = (room.saturating_sub(needed), needed.saturating_sub(room));
    let mut fills = columns.iter().filter(|(c, _)| matches!(c.width, Width::Fill(_))).count();
    let mut width = |column: &Column<R, C>| match column.width {
        Width::Fixed(width) => width,
        Width::Fill(width) => {
            let (more, less) = (spare.div_ceil(fills), short.div_ceil(fills).min(width));
            (spare, short, fills) = (spare - more, short - less, fills - 1);
            width + more - less
        }
    };
    columns.into_iter().map(|(column, _)| (column, width(column))).collect()
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
