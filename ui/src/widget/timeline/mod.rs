//! The heart: live memory over time, and when it was looked at.
//!
//! Above zero the live curve, filled, with the spikes between two readings as loose dots on top,
//! the peak as a dashed line and the resident set as a thin one. Time that was not traced is shaded
//! and says so; a line of full height shows where tracing began. Below zero hangs what was freed
//! without having been seen allocated.

mod axis;
mod buckets;
mod scale;
pub mod zoom;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::data::Timeline;
use crate::format;
use crate::theme::{Glyphs, Role, Theme};
use crate::widget::panel;
pub use axis::TimeAxis;
use buckets::{Bucket, buckets};
pub use scale::Extent;
use scale::Scale;

/// Columns of the labels left of the plot, the axis included.
const AXIS: u16 = 10;
/// Columns of the figures right of it.
const GUTTER: u16 = 16;

/// What to draw.
#[derive(Debug)]
pub struct View<'a> {
    /// The readings.
    pub timeline: &'a Timeline,
    /// How far the scale reaches.
    pub extent: Extent,
    /// Seconds shown; `None` for all.
    pub zoom_s: Option<f64>,
    /// What the hanging curve is made of.
    pub untracked_label: &'a str,
    /// What the right end is: `now`, or `end`.
    pub present: &'a str,
    /// Words in the middle of the plot when there is no curve yet.
    pub words: Option<&'a str>,
}

/// The area of the plot itself within the panel's `area`: no labels, no frame.
pub fn plot_area(area: Rect) -> Rect {
    let gutter = if area.width >= 62 { GUTTER } else { 1 };
    Rect {
        x: area.x + 1 + AXIS,
        y: area.y + 1,
        width: area.width.saturating_sub(2 + AXIS + gutter),
        height: area.height.saturating_sub(2),
    }
}

impl View<'_> {
    /// The time axis as it is drawn in `area`.
    pub fn axis(&self, area: Rect) -> TimeAxis {
        let columns = usize::from(plot_area(area).width);
        TimeAxis::new(self.timeline.now_s, self.zoom_s, columns)
    }

    /// Draws the panel.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme) {
        let axis = self.axis(area);
        let title = Line::styled(" Memory ", theme.style(Role::Title));
        panel(frame, area, theme, (title, self.subtitle(&axis, theme)));
        let plot = plot_area(area);
        if plot.is_empty() || plot.height < 3 {
            return;
        }
        let scale = Scale::new(
            self.extent.following(self.timeline, self.zoom_s),
            plot.height,
        );
        let buckets = buckets(self.timeline, &axis.doubled());
        let canvas = Canvas {
            view: self,
            theme,
            axis,
            scale,
            plot,
            buckets,
        };
        let buffer = frame.buffer_mut();
        canvas.curve(buffer);
        canvas.zero_line(buffer);
        canvas.byte_labels(buffer);
        canvas.words(buffer);
        canvas.figures(buffer, area.right() - 1);
        canvas.time_labels(buffer, area.bottom() - 1);
    }

    fn subtitle(&self, axis: &TimeAxis, theme: &Theme) -> Line<'static> {
        let span = format::clock(self.zoom_s.unwrap_or(self.timeline.now_s));
        let shown = if self.zoom_s.is_some() { "last " } else { "" };
        let column = format::span(axis.column_s());
        Line::styled(
            format!(" {shown}{span} shown · {column} a column "),
            theme.style(Role::Label),
        )
    }
}

/// One frame's drawing: everything that was worked out, and where it goes.
struct Canvas<'a> {
    view: &'a View<'a>,
    theme: &'a Theme,
    axis: TimeAxis,
    scale: Scale,
    plot: Rect,
    /// Two a column.
    buckets: Vec<Option<Bucket>>,
}

impl Canvas<'_> {
    /// The row of the zero line.
    fn zero(&self) -> u16 {
        self.plot.y + self.scale.up
    }

    fn put(&self, buffer: &mut Buffer, x: u16, y: u16, c: char, role: Role) {
        if let Some(cell) = buffer.cell_mut((x, y)) {
            cell.set_char(c).set_style(self.theme.style(role));
        }
    }

    fn text(&self, buffer: &mut Buffer, x: u16, y: u16, text: &str, role: Role) {
        buffer.set_string(x, y, text, Style::reset().patch(self.theme.style(role)));
    }

    /// The last column that has happened.
    fn present(&self) -> usize {
        self.axis
            .column(self.view.timeline.now_s)
            .unwrap_or(self.axis.columns() - 1)
    }

    /// Whether tracing was on at any time of this column.
    fn traced(&self, column: usize) -> bool {
        let (from, to) = self.axis.range(column);
        let overlaps =
            |i: &crate::data::Interval| i.from_s < to && i.to_s.is_none_or(|end| end >= from);
        self.view.timeline.intervals.iter().any(overlaps)
    }

    fn starts_in(&self, column: usize) -> bool {
        let intervals = &self.view.timeline.intervals;
        intervals
            .iter()
            .any(|i| self.axis.column(i.from_s) == Some(column))
    }

    fn curve(&self, buffer: &mut Buffer) {
        let present = self.present();
        let starts: Vec<bool> = (0..self.axis.columns())
            .map(|c| self.starts_in(c))
            .collect();
        for (column, starts) in starts.into_iter().enumerate() {
            let shaded = column <= present && !self.traced(column);
            let x = self.plot.x + column as u16;
            for row in 0..self.scale.up {
                let (c, role) = match starts {
                    true => ('┆', Role::StartMark),
                    false => self.upper(column, row, shaded),
                };
                self.put(buffer, x, self.zero() - 1 - row, c, role);
            }
            for row in 0..self.scale.down {
                let (c, role) = match starts {
                    true => ('┆', Role::StartMark),
                    false => self.lower(column, row),
                };
                self.put(buffer, x, self.zero() + 1 + row, c, role);
            }
        }
    }

    /// The two buckets of a column.
    fn pair(&self, column: usize) -> [Bucket; 2] {
        [2 * column, 2 * column + 1].map(|i| self.buckets[i].unwrap_or_default())
    }

    /// A cell above zero, `row` counted upwards.
    fn upper(&self, column: usize, row: u16, shaded: bool) -> (char, Role) {
        let pair = self.pair(column);
        let cell = match self.theme.glyphs() {
            Glyphs::Blocks => self.upper_block(pair, row, shaded),
            Glyphs::Braille | Glyphs::Ascii => self.upper_braille(pair, row, shaded),
        };
        match cell {
            Some((c, Role::Live)) if shaded => (c, Role::Muted),
            Some(cell) => cell,
            None if self.on_peak_line(column, row) => ('╌', Role::Peak),
            None if shaded => ('░', Role::Muted),
            None => (' ', Role::Label),
        }
    }

    fn upper_braille(&self, pair: [Bucket; 2], row: u16, shaded: bool) -> Option<(char, Role)> {
        let base = u64::from(row) * 4;
        let dots = |value| self.scale.parts_up(value, 4);
        let (mut solid, mut loose, mut thin) = (0, 0, 0);
        for (side, bucket) in pair.iter().enumerate() {
            let (live, max) = (dots(bucket.live), dots(bucket.max));
            let rss = bucket.rss.map(dots);
            for (bit, height) in RISING[side].into_iter().zip(base..) {
                if height < live {
                    solid |= bit;
                } else if height < max && height % 2 == 1 {
                    loose |= bit;
                }
                if rss == Some(height + 1) {
                    thin |= bit;
                }
            }
        }
        if shaded {
            solid &= CHEQUERED;
        }
        let role = match (solid, loose, thin) {
            (0, 0, 0) => return None,
            (0, 0, _) => Role::Rss,
            (0, _, _) => Role::Spike,
            _ => Role::Live,
        };
        Some((braille(solid | loose | thin), role))
    }

    fn upper_block(&self, pair: [Bucket; 2], row: u16, shaded: bool) -> Option<(char, Role)> {
        let base = u64::from(row) * 8;
        let eighths = |value| self.scale.parts_up(value, 8);
        let live = eighths(pair[0].live.max(pair[1].live)).saturating_sub(base);
        if live > 0 {
            let c = if shaded {
                '▒'
            } else {
                BLOCKS[live.min(8) as usize]
            };
            return Some((c, Role::Live));
        }
        if eighths(pair[0].max.max(pair[1].max)) > base {
            return Some(('│', Role::Spike));
        }
        let rss = pair[0].rss.max(pair[1].rss).map_or(0, eighths);
        (rss > base && rss <= base + 8).then_some(('─', Role::Rss))
    }

    /// A cell below zero, `row` counted downwards.
    fn lower(&self, column: usize, row: u16) -> (char, Role) {
        let base = u64::from(row) * 4;
        let depth = |b: Bucket| {
            self.scale
                .parts_down(b.untracked, 4)
                .saturating_sub(base)
                .min(4)
        };
        let depths = self.pair(column).map(depth);
        if depths == [0, 0] {
            return (' ', Role::Label);
        }
        let c = match self.theme.glyphs() {
            Glyphs::Blocks => [' ', '▔', '▀', '▀', '█'][depths[0].max(depths[1]) as usize],
            Glyphs::Braille | Glyphs::Ascii => braille(hanging(depths)),
        };
        (c, Role::Untracked)
    }

    /// The row of a value above zero, counted upwards.
    fn row_of(&self, value: u64) -> u16 {
        let row = self.scale.parts_up(value, 4).saturating_sub(1) / 4;
        row.min(u64::from(self.scale.up - 1)) as u16
    }

    fn peak_shows(&self) -> Option<u64> {
        let peak = self.view.timeline.peak.filter(|peak| peak.bytes > 0)?;
        let limit = 4 * u64::from(self.scale.up);
        (self.scale.parts_up(peak.bytes, 4) <= limit).then_some(peak.bytes)
    }

    fn on_peak_line(&self, column: usize, row: u16) -> bool {
        let begun = self.view.timeline.intervals.first().map(|i| i.from_s);
        let after_start = begun.is_some_and(|from| self.axis.range(column).1 > from);
        after_start
            && self
                .peak_shows()
                .is_some_and(|bytes| self.row_of(bytes) == row)
    }

    fn zero_line(&self, buffer: &mut Buffer) {
        let y = self.zero();
        for column in 0..self.axis.columns() {
            let (c, role) = match self.starts_in(column) {
                true => ('▲', Role::StartMark),
                false => ('─', Role::Border),
            };
            self.put(buffer, self.plot.x + column as u16, y, c, role);
        }
        let present = self.plot.x + self.present() as u16;
        let text = format!(" {} ", self.view.present);
        let last = self.present();
        let covered = last.saturating_sub(text.len())..=last;
        if last > text.len() && !covered.into_iter().any(|column| self.starts_in(column)) {
            self.text(
                buffer,
                present + 1 - text.len() as u16,
                y,
                &text,
                Role::Label,
            );
        }
        for mark in &self.view.timeline.marks {
            if let Some(column) = self.axis.column(mark.t_s) {
                let number = mark.number.to_string();
                let x = (self.plot.x + column as u16).min(self.plot.right() - number.len() as u16);
                self.text(buffer, x, y, &number, Role::Mark);
            }
        }
    }

    fn byte_labels(&self, buffer: &mut Buffer) {
        let x = self.plot.x - AXIS;
        let axis = self.plot.x - 1;
        for y in self.plot.y..self.plot.bottom() {
            self.put(buffer, axis, y, '│', Role::Border);
        }
        self.label(buffer, x, self.zero(), "0", '┼');
        if self.scale.nothing {
            return;
        }
        for row in (2..=self.scale.up).step_by(2) {
            let bytes = self.scale.step.saturating_mul(u64::from(row / 2));
            self.label(buffer, x, self.zero() - row, &round_bytes(bytes), '┤');
        }
        for row in (2..=self.scale.down).step_by(2) {
            let bytes = self.scale.step_below.saturating_mul(u64::from(row / 2));
            self.label(
                buffer,
                x,
                self.zero() + row,
                &format!("−{}", round_bytes(bytes)),
                '┤',
            );
        }
    }

    fn label(&self, buffer: &mut Buffer, x: u16, y: u16, text: &str, tick: char) {
        let text = format::right(text, usize::from(AXIS) - 2);
        self.text(buffer, x, y, &text, Role::Label);
        self.put(buffer, x + AXIS - 1, y, tick, Role::Border);
    }

    fn words(&self, buffer: &mut Buffer) {
        let middle = self.zero() - 1 - self.scale.up / 2;
        if let Some(words) = self.view.words {
            let words = format!(
                " {} ",
                format::shorten(words, usize::from(self.plot.width) - 2)
            );
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
        let first = (0..=last)
            .find(|c| self.pair(*c)[1].untracked > 0)
            .unwrap_or(0);
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
    fn figures(&self, buffer: &mut Buffer, end: u16) {
        if end - self.plot.right() < GUTTER {
            return;
        }
        let last = self.view.timeline.points.last();
        let peak = self.peak_shows().map(|bytes| ("peak", bytes, Role::Peak));
        let live = last.map(|p| ("live", p.live, Role::Live));
        let rss = last
            .and_then(|p| p.rss)
            .map(|bytes| ("rss", bytes, Role::Rss));
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
            self.text(
                buffer,
                self.plot.right(),
                self.zero() - 1 - row as u16,
                &text,
                role,
            );
        }
        if let Some(bytes) = last.map(|p| p.untracked_freed).filter(|bytes| *bytes > 0) {
            let text = format!(" {:>14}", format!("−{}", format::bytes(bytes)));
            self.text(
                buffer,
                self.plot.right(),
                self.zero() + 1,
                &text,
                Role::Untracked,
            );
        }
    }

    fn time_labels(&self, buffer: &mut Buffer, y: u16) {
        let mut taken: Vec<(u16, u16)> = Vec::new();
        let mut place = |buffer: &mut Buffer, x: u16, text: &str, role| {
            let width = text.chars().count() as u16;
            let x = x
                .min((self.plot.right() + 1).saturating_sub(width))
                .max(self.plot.x - 1);
            if taken
                .iter()
                .all(|(from, to)| x + width <= *from || x >= *to)
            {
                taken.push((x, x + width));
                self.text(buffer, x, y, text, role);
            }
        };
        let at = |column: usize| self.plot.x + column as u16;
        let starts = self.view.timeline.intervals.iter();
        for (i, interval) in starts.enumerate() {
            let Some(column) = self.axis.column(interval.from_s) else {
                continue;
            };
            let verb = if i == 0 { "tracing started" } else { "resumed" };
            let text = format!(" {verb} {} ", format::clock(interval.from_s));
            place(buffer, at(column) - 1, &text, Role::StartMark);
        }
        let now = format!(" {} ", format::clock(self.view.timeline.now_s));
        let end = (at(self.present()) + 2).saturating_sub(now.len() as u16);
        place(buffer, end, &now, Role::Label);
        let from = format!(" {} ", format::clock(self.axis.from_s()));
        place(buffer, self.plot.x - 1, &from, Role::Label);
    }
}

/// The row nearest to the wanted one that is free, preferring the one below.
fn free_row(taken: &[bool], wanted: usize) -> Option<usize> {
    (0..taken.len()).find_map(|distance| {
        let rows = [wanted.checked_sub(distance), Some(wanted + distance)];
        rows.into_iter()
            .flatten()
            .find(|row| taken.get(*row) == Some(&false))
    })
}

/// `60 MiB`: a multiple of a round step, without decimals unless they are needed.
fn round_bytes(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (0..UNITS.len())
        .rev()
        .find(|u| bytes >> (10 * u) > 0)
        .unwrap_or(0);
    let value = bytes as f64 / 1024f64.powi(unit as i32);
    let digits = usize::from(value.fract() > 0.005);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Dots of a braille cell from below, left and right.
const RISING: [[u8; 4]; 2] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];
/// Every other dot: memory known of while nothing new is traced.
const CHEQUERED: u8 = 0x40 | 0x02 | 0x20 | 0x08;
/// Blocks from below.
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

fn braille(bits: u8) -> char {
    char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
}

/// Dots from above, left and right.
fn hanging(depths: [u64; 2]) -> u8 {
    let mut bits = 0;
    for (side, depth) in depths.into_iter().enumerate() {
        for dot in 0..depth as usize {
            bits |= RISING[side][3 - dot];
        }
    }
    bits
}
