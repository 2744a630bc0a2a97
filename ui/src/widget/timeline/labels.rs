//! Everything written beside and upon the curve: bytes, moments, words.

use ratatui::buffer::Buffer;

use super::{AXIS, Canvas, GUTTER};
use crate::format;
use crate::theme::Role;

impl Canvas<'_> {
    pub(super) fn byte_labels(&self, buffer: &mut Buffer) {
        let x = self.plot.x - AXIS;
        let axis = self.plot.x - 1;
        for y in self.plot.y..self.plot.bottom() {
            self.put(buffer, axis, y, '│', Role::Border);
        }
        self.label(buffer, x, self.zero(), "0", '┼');
        if self.scale.nothing {
            return;
        }
        let labels = |rows: u16, step: u64| {
            let gap = self.scale.gap;
            (1..=rows / gap).map(move |n| (n * gap, step.saturating_mul(u64::from(n)), step))
        };
        for (row, bytes, step) in labels(self.scale.up, self.scale.step) {
            self.label(buffer, x, self.zero() - row, &format::multiple(bytes, step), '┤');
        }
        for (row, bytes, step) in labels(self.scale.down, self.scale.step_below) {
            let text = format!("−{}", format::multiple(bytes, step));
            self.label(buffer, x, self.zero() + row, &text, '┤');
        }
    }

    fn label(&self, buffer: &mut Buffer, x: u16, y: u16, text: &str, tick: char) {
        let text = format::right(text, usize::from(AXIS) - 2);
        self.text(buffer, x, y, &text, Role::Label);
        self.put(buffer, x + AXIS - 1, y, tick, Role::Border);
    }

    pub(super) fn words(&self, buffer: &mut Buffer) {
        let middle = self.zero() - 1 - self.scale.up / 2;
        if let Some(words) = self.view.words {
            let words = format!(" {} ", format::shorten(words, usize::from(self.plot.width) - 2));
            let x = self.plot.x + (self.plot.width - words.chars().count() as u16) / 2;
            return self.text(buffer, x, middle, &words, Role::Figure);
        }
        for (from, to) in self.shaded_runs() {
            self.name_shade(buffer, middle, from, to);
        }
        self.name_untracked(buffer);
    }

    /// Stretches of columns that were not traced, ends exclusive.
    fn shaded_runs(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for column in (0..=self.present()).filter(|c| !self.traced(*c)) {
            match runs.last_mut() {
                Some((_, end)) if *end == column => *end += 1,
                _ => runs.push((column, column + 1)),
            }
        }
        runs
    }

    fn name_shade(&self, buffer: &mut Buffer, y: u16, from: usize, to: usize) {
        let room = to - from;
        let lines: &[&str] = match room {
            12.. => &[" not traced "],
            8.. => &["  not   ", " traced "],
            _ => return,
        };
        let x = self.plot.x + (from + (room - lines[0].len()) / 2) as u16;
        for (line, y) in lines.iter().zip(y..) {
            self.text(buffer, x, y, line, Role::Label);
        }
    }

    /// Names the hanging curve in the empty room under its beginning, or else upon it.
    fn name_untracked(&self, buffer: &mut Buffer) {
        let text = format!(" {} ", self.view.untracked_label);
        let width = text.chars().count();
        let last = self.present();
        if self.scale.down == 0 || width > last {
            return;
        }
        let first = (0..=last).find(|c| self.pair(*c)[1].untracked > 0).unwrap_or(0);
        let free = |row: u16| {
            (first + 1..(first + 2 + width).min(self.axis.columns()))
                .all(|c| self.lower(c, row).1 != Role::Untracked && !self.starts_in(c))
        };
        let row = (0..self.scale.down).rev().find(|row| free(*row));
        let x = match row {
            Some(_) => (first + 1).min(self.axis.columns() - width),
            None => (last + 1).saturating_sub(width + 2),
        };
        if (x..x + width).any(|column| self.starts_in(column)) {
            return;
        }
        let y = self.zero() + 1 + row.unwrap_or(self.scale.down - 1);
        self.text(buffer, self.plot.x + x as u16, y, &text, Role::Untracked);
    }

    /// The figures right of the plot, each beside its line, none upon another.
    pub(super) fn figures(&self, buffer: &mut Buffer, end: u16) {
        if end - self.plot.right() < GUTTER {
            return;
        }
        let last = self.view.timeline.points.last();
        let peak = self.peak_shows().map(|bytes| ("peak", bytes, Role::Peak));
        let traced = !self.view.timeline.intervals.is_empty();
        let whole = self.view.timeline.read_to_s.is_none();
        let live = last.filter(|_| traced && whole).map(|p| ("live", p.live, Role::Live));
        let rss = last.and_then(|p| p.rss).map(|bytes| ("rss", bytes, Role::Rss));
        let mut taken = vec![false; usize::from(self.scale.up)];
        for (name, bytes, role) in [peak, live, rss].into_iter().flatten() {
            let wanted = self.row_of(bytes);
            let Some(row) = free_row(&taken, usize::from(wanted)) else {
                continue;
            };
            taken[row] = true;
            let off = self.scale.parts_up(bytes, 4) > 4 * u64::from(self.scale.up);
            let sign = if off { '↑' } else { ' ' };
            let text = format!("{sign}{name:<4} {:>9}", format::bytes(bytes));
            self.text(buffer, self.plot.right(), self.zero() - 1 - row as u16, &text, role);
        }
        if let Some(bytes) = last.map(|p| p.untracked_freed).filter(|bytes| *bytes > 0) {
            let text = format!(" {:>14}", format!("−{}", format::bytes(bytes)));
            self.text(buffer, self.plot.right(), self.zero() + 1, &text, Role::Untracked);
        }
    }

    pub(super) fn time_labels(&self, buffer: &mut Buffer, y: u16) {
        let mut taken: Vec<(u16, u16)> = Vec::new();
        let mut place = |buffer: &mut Buffer, x: u16, text: &str, role| {
            let width = text.chars().count() as u16;
            let x = x.min((self.plot.right() + 1).saturating_sub(width)).max(self.plot.x - 1);
            let free = taken.iter().all(|(from, to)| x + width <= *from || x >= *to);
            if free {
                taken.push((x, x + width));
                self.text(buffer, x, y, text, role);
            }
            free
        };
        let at = |column: usize| self.plot.x + column as u16;
        if let Some((text, column)) = self.playhead_label() {
            let half = text.len() as u16 / 2;
            place(buffer, at(column).saturating_sub(half), &text, Role::Key);
        }
        for (verb, t_s) in self.starts() {
            let Some(column) = self.axis.column(t_s) else {
                continue;
            };
            let clock = format::clock(t_s);
            let short = verb.rsplit(' ').next().unwrap_or(verb);
            let texts =
                [format!(" {verb} {clock} "), format!(" {short} {clock} "), format!(" {clock} ")];
            let mut fitting =
                texts.iter().filter(|text| text.len() <= usize::from(self.plot.width));
            fitting.any(|text| place(buffer, at(column) - 1, text, Role::StartMark));
        }
        let now = format!(" {} ", format::clock(self.view.timeline.now_s));
        let end = (at(self.present()) + 2).saturating_sub(now.len() as u16);
        place(buffer, end, &now, Role::Label);
        let from = format!(" {} ", format::clock(self.axis.from_s()));
        place(buffer, self.plot.x - 1, &from, Role::Label);
    }
}

impl Canvas<'_> {
    /// What begins when; a clear, which is the beginning of all figures, comes first.
    fn starts(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let timeline = &self.view.timeline;
        let verbs = ["tracing started"].into_iter().chain(std::iter::repeat("resumed"));
        let starts = verbs.zip(timeline.intervals.iter().map(|interval| interval.from_s));
        timeline.cleared_s.map(|t_s| ("cleared", t_s)).into_iter().chain(starts)
    }

    /// The moment that is looked at: a line of full height.
    pub(super) fn playhead(&self, buffer: &mut Buffer) {
        if let Some((_, column)) = self.playhead_label() {
            for y in self.plot.top()..self.plot.bottom() {
                self.put(buffer, self.plot.x + column as u16, y, '┃', Role::Key);
            }
        }
    }

    fn playhead_label(&self) -> Option<(String, usize)> {
        let t_s = self.view.playhead_s?;
        Some((format!(" {} ", format::clock(t_s)), self.axis.column(t_s)?))
    }
}

/// The row nearest to the wanted one that is free, preferring the one below.
fn free_row(taken: &[bool], wanted: usize) -> Option<usize> {
    (0..taken.len()).find_map(|distance| {
        let rows = [wanted.checked_sub(distance), Some(wanted + distance)];
        rows.into_iter().flatten().find(|row| taken.get(*row) == Some(&false))
    })
}
