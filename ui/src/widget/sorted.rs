//! A table whose columns can be sorted by: the same columns, chosen and marked by the caller.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use super::table::{Column, GAP, layout_by_need, line};
use super::{airy, below_heading};
use crate::action::Action;
use crate::data::Key;
use crate::format::{left, right};
use crate::mouse::Targets;
use crate::theme::{Role, Theme};

/// A column that shows, and whether rows are sorted by it.
#[derive(Debug)]
pub struct Shown<'a, R, C> {
    /// The column.
    pub column: &'a Column<R, C>,
    /// Its heading.
    pub title: &'a str,
    /// Sorted by this one: largest first, or last.
    pub descending: Option<bool>,
    /// What sorts by it.
    pub sort: Option<Action>,
}

impl<'a, R, C> Shown<'a, R, C> {
    /// The column with its rank: the one that rows are sorted by always stays.
    fn ranked(&self) -> (&'a Column<R, C>, u8) {
        (self.column, rank(self.column, self.descending.is_some()))
    }
}

/// How soon a column is left out.
pub(crate) fn rank<R, C>(column: &Column<R, C>, is_sorted_by: bool) -> u8 {
    if is_sorted_by { 0 } else { column.rank }
}

/// Nothing is said in more columns.
const WIDEST: usize = 400;

/// What is needed beside the rows.
#[derive(Debug)]
pub struct SortedTable<'a, R, C> {
    /// The columns from left to right.
    pub columns: &'a [Shown<'a, R, C>],
    /// What all cells may look at.
    pub context: &'a C,
    /// The selected row among those drawn.
    pub selected: Option<usize>,
    /// Where what can be clicked is taken down.
    pub targets: &'a Targets,
    /// What a row is.
    pub key: fn(&R) -> Key,
}

impl<R, C> SortedTable<'_, R, C> {
    /// Draws a heading and as many `rows` as fit, with air on both sides: on the left stands the
    /// sign of the selected row.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme, rows: &[R]) {
        if area.is_empty() {
            return;
        }
        let cells = airy(area);
        let width = usize::from(cells.width);
        let shown = &rows[..rows.len().min(usize::from(area.height))];
        let wanted = |column: &Column<R, C>| self.wanted(column, shown);
        let columns = layout_by_need(self.columns.iter().map(Shown::ranked), width, wanted);
        let heading = line(theme, &columns, |column, width| self.heading(column, width));
        frame.render_widget(heading, Rect { height: 1, ..cells });
        self.take_down(area, &columns, rows);
        for (i, (row, y)) in rows.iter().zip(area.top() + 1..area.bottom()).enumerate() {
            let line =
                line(theme, &columns, |column, width| (column.cell)(row, self.context, width));
            match self.selected == Some(i) {
                true => frame.render_widget(selected(line, theme), Rect { y, height: 1, ..area }),
                false => frame.render_widget(line, Rect { y, height: 1, ..cells }),
            }
        }
    }

    /// The width in which a column says all that it has to say of `rows`.
    fn wanted(&self, column: &Column<R, C>, rows: &[R]) -> usize {
        let cells = rows.iter().map(|row| (column.cell)(row, self.context, WIDEST).0.width());
        cells.chain([self.heading(column, 0).0.width()]).max().unwrap_or(0)
    }

    /// Headings sort, and rows are selected.
    fn take_down(&self, area: Rect, columns: &[(&Column<R, C>, usize)], rows: &[R]) {
        let mut x = airy(area).x;
        for (column, width) in columns {
            let shown = self.columns.iter().find(|shown| std::ptr::eq(shown.column, *column));
            if let Some(sort) = shown.and_then(|shown| shown.sort.clone()) {
                self.targets.add(Rect { x, y: area.y, width: *width as u16, height: 1 }, sort);
            }
            x = x.saturating_add((*width + GAP) as u16);
        }
        self.targets.add_rows(below_heading(area), rows.iter().map(self.key));
    }

    /// The title, with an arrow where rows are sorted by the column.
    fn heading(&self, column: &Column<R, C>, width: usize) -> (String, Option<Role>) {
        let shown = self.columns.iter().find(|shown| std::ptr::eq(shown.column, column));
        let title = shown.map_or(column.title, |shown| shown.title);
        let Some(descending) = shown.and_then(|shown| shown.descending) else {
            return (title.to_owned(), Some(Role::Label));
        };
        let arrow = if descending { '▼' } else { '▲' };
        let title = match column.align {
            Alignment::Right => right(&format!("{arrow}{title}"), width),
            _ => left(&format!("{title}{arrow}"), width),
        };
        (title, Some(Role::Title))
    }
}

/// The selected row says so in shape and in colour.
pub(crate) fn selected(line: Line<'_>, theme: &Theme) -> Line<'static> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    Line::styled(format!("▸{text} "), theme.style(Role::Selected))
}
