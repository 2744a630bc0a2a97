//! A selection in a list that is sorted anew all the time.
//!
//! The selection follows the thing and not its place. Only where nothing was ever selected, the
//! first row is, whatever stands there.

use crate::action::Motion;
use crate::data::{Key, Listing};

/// What is selected, and which part of the list shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The selected thing; `None` for whatever stands in its row.
    pub key: Option<Key>,
    /// Where it stood; where it is looked for when it is gone.
    pub row: usize,
    /// The first row that showed.
    pub first: usize,
}

/// The part of a list that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Position of the first row that shows.
    pub first: usize,
    /// Position of the selected row.
    pub selected: usize,
}

impl Cursor {
    /// Which part of a list of `len` rows shows where there is room for `room` of them; `rank`
    /// finds the position of a thing in the list. The window moves only as far as it must.
    ///
    /// ```
    /// use memtop_ui::{cursor::{Cursor, Window}, data::Key};
    /// let cursor = Cursor { key: Some(Key(7)), row: 2, first: 0 };
    /// let window = cursor.window(100, 10, |key| (key == Key(7)).then_some(30));
    /// assert_eq!(window, Window { first: 21, selected: 30 });
    /// ```
    pub fn window(&self, len: usize, room: usize, rank: impl Fn(Key) -> Option<usize>) -> Window {
        let selected = self.key.and_then(rank).unwrap_or(self.row).min(len.saturating_sub(1));
        let room = room.max(1);
        let lowest = (selected + 1).saturating_sub(room);
        let first = self.first.clamp(lowest, selected).min(len.saturating_sub(room));
        Window { first, selected }
    }

    /// Moves within `list`, which is what showed.
    pub(crate) fn go<R>(
        &mut self,
        motion: Motion,
        list: &Listing<R>,
        page: usize,
        key: fn(&R) -> Key,
    ) {
        if motion == Motion::Top {
            *self = Self::default();
            return;
        }
        let last = list.matching.saturating_sub(1);
        self.row = moved(list.selected, motion, last, page);
        let there = self.row.checked_sub(list.first).and_then(|at| list.rows.get(at));
        self.key = there.map(key);
    }

    /// Selects a thing that shows; whether it was selected before.
    pub(crate) fn pick<R>(&mut self, key: Key, list: &Listing<R>, of: fn(&R) -> Key) -> bool {
        let Some(at) = list.rows.iter().position(|row| of(row) == key) else { return false };
        let row = list.first + at;
        (self.key, self.row) = (Some(key), row);
        row == list.selected
    }

    /// Takes note of what shows.
    pub(crate) fn observe<R>(&mut self, list: &Listing<R>, key: fn(&R) -> Key) {
        let follows = self.key.is_some() || self.row > 0;
        *self = Self {
            key: list.chosen().map(key).filter(|_| follows),
            row: list.selected,
            first: list.first,
        };
    }
}

/// Where a motion leads from `at` in a list whose last position is `last`.
pub(crate) fn moved(at: usize, motion: Motion, last: usize, page: usize) -> usize {
    match motion {
        Motion::Up | Motion::Left => at.saturating_sub(1),
        Motion::Down | Motion::Right => at + 1,
        Motion::PageUp => at.saturating_sub(page),
        Motion::PageDown => at + page,
        Motion::Top => 0,
        Motion::Bottom => last,
    }
    .min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(first: usize, selected: usize) -> Listing<u64> {
        Listing {
            rows: (10 + first as u64..20 + first as u64).collect(),
            first,
            selected,
            matching: 100,
        }
    }

    #[test]
    fn the_top_row_is_selected_until_somebody_moves() {
        let mut cursor = Cursor::default();
        cursor.observe(&list(0, 0), |row| Key(*row));
        assert_eq!(cursor, Cursor::default());
        cursor.go(Motion::Down, &list(0, 0), 5, |row| Key(*row));
        assert_eq!((cursor.key, cursor.row), (Some(Key(11)), 1));
        cursor.go(Motion::Top, &list(0, 1), 5, |row| Key(*row));
        assert_eq!(cursor.key, None);
    }

    #[test]
    fn beyond_what_shows_the_row_decides_until_it_does() {
        let mut cursor = Cursor::default();
        cursor.go(Motion::Bottom, &list(0, 0), 5, |row| Key(*row));
        assert_eq!((cursor.key, cursor.row), (None, 99));
        let window = cursor.window(100, 10, |_| None);
        assert_eq!(window, Window { first: 90, selected: 99 });
        cursor.observe(&list(window.first, window.selected), |row| Key(*row));
        assert_eq!((cursor.key, cursor.first), (Some(Key(109)), 90));
    }

    #[test]
    fn the_window_moves_as_little_as_it_must() {
        let cursor = Cursor { key: Some(Key(1)), row: 0, first: 20 };
        let at = |rank| cursor.window(100, 10, move |_| Some(rank));
        assert_eq!(at(25), Window { first: 20, selected: 25 });
        assert_eq!(at(3), Window { first: 3, selected: 3 });
        assert_eq!(at(40), Window { first: 31, selected: 40 });
        assert_eq!(cursor.window(5, 10, |_| None), Window { first: 0, selected: 0 });
        assert_eq!(cursor.window(0, 10, |_| None), Window { first: 0, selected: 0 });
    }
}
