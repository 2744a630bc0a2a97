//! A table whose columns can be sorted by: the same columns, chosen and marked by the caller.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};

use super::table::{Column, highlight, layout, line};
use crate::format::{left, right};
use crate::theme::{Role, Theme};

/// A column that shows, and whether rows are sorted by it.
#[derive(Debug)]
pub struct Shown<'a, R, C> {
    /// The column.
    pub column: &'a Column<R, C>,
    /// Sorted by this one: largest first, or last.
    pub descending: Option<bool>,
}

/// What is needed beside the rows.
#[derive(Debug)]
pub struct SortedTable<'a, R, C> {
    /// The columns from left to right.
    pub columns: &'a [Shown<'a, R, C>],
    /// What all cells may look at.
    pub context: &'a C,
    /// The selected row among those drawn.
    pub selected: Option<usize>,
}

impl<R, C> SortedTable<'_, R, C> {
    /// Draws a heading and as many `rows` as fit.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme, rows: &[R]) {
        if area.is_empty() {
            return;
        }
        let width = usize::from(area.width);
        let columns = layout(self.columns.iter().map(|shown| shown.column), width);
        let heading = line(theme, &columns, |column, width| self.heading(column, width));
        frame.render_widget(heading, Rect { height: 1, ..area });
        for (i, (row, y)) in rows.iter().zip(area.top() + 1..area.bottom()).enumerate() {
            let mut cells =
                line(theme, &columns, |column, width| (column.cell)(row, self.context, width));
            if self.selected == Some(i) {
                cells = highlight(cells, theme, width);
            }
            frame.render_widget(cells, Rect { y, height: 1, ..area });
        }
    }

    /// The title, with an arrow where rows are sorted by the column.
    fn heading(&self, column: &Column<R, C>, width: usize) -> (String, Option<Role>) {
        let shown = self.columns.iter().find(|shown| std::ptr::eq(shown.column, column));
        let Some(descending) = shown.and_then(|shown| shown.descending) else {
            return (column.title.to_owned(), Some(Role::Label));
        };
        let arrow = if descending { '▼' } else { '▲' };
        let title = match column.align {
            Alignment::Right => right(&format!("{arrow}{}", column.title), width),
            _ => left(&format!("{}{arrow}", column.title), width),
        };
        (title, Some(Role::Title))
    }
}
