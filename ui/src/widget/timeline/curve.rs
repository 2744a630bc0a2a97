//! The curve itself, cell by cell.

use ratatui::buffer::Buffer;

use super::Canvas;
use super::buckets::Bucket;
use crate::theme::{Glyphs, Role};

impl Canvas<'_> {
    pub(super) fn curve(&self, buffer: &mut Buffer) {
        let present = self.present();
        let starts: Vec<bool> = (0..self.axis.columns()).map(|c| self.starts_in(c)).collect();
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
            None => match self.peak_line(column, row) {
                Some(c) => (c, Role::Peak),
                None if shaded => ('░', Role::Muted),
                None => (' ', Role::Label),
            },
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
            let c = if shaded { '▒' } else { BLOCKS[live.min(8) as usize] };
            return Some((c, Role::Live));
        }
        if eighths(pair[0].max.max(pair[1].max)) > base {
            return Some(('│', Role::Spike));
        }
        let rss = pair[0].rss.max(pair[1].rss).map_or(0, eighths);
        (rss > base && rss <= base + 8).then_some(('─', Role::Rss))
    }

    /// A cell below zero, `row` counted downwards.
    pub(super) fn lower(&self, column: usize, row: u16) -> (char, Role) {
        let base = u64::from(row) * 4;
        let depth = |b: Bucket| self.scale.parts_down(b.untracked, 4).saturating_sub(base).min(4);
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

    /// The peak where nothing else is: dashes, as high within the row as a curve of dots would be.
    fn peak_line(&self, column: usize, row: u16) -> Option<char> {
        let timeline = &self.view.timeline;
        let begun = timeline.cleared_s.or(timeline.intervals.first().map(|i| i.from_s))?;
        let bytes = self.peak_shows().filter(|_| self.axis.range(column).1 > begun)?;
        if self.row_of(bytes) != row {
            return None;
        }
        let dots = self.scale.parts_up(bytes, 4).saturating_sub(1);
        match self.theme.glyphs() {
            Glyphs::Braille if column.is_multiple_of(2) => Some(DASHES[(dots % 4) as usize]),
            Glyphs::Braille => Some(' '),
            Glyphs::Blocks | Glyphs::Ascii => Some('╌'),
        }
    }

    pub(super) fn zero_line(&self, buffer: &mut Buffer) {
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
        // Those of later than what is drawn are not on it.
        let timeline = self.view.timeline;
        let marks = || timeline.marks.iter().filter(|mark| mark.t_s <= timeline.now_s);
        let marked = |column| marks().any(|mark| self.axis.column(mark.t_s) == Some(column));
        let taken = |column: usize| self.starts_in(column) || (column < last && marked(column));
        if last > text.len() && !covered.into_iter().any(taken) {
            self.text(buffer, present + 1 - text.len() as u16, y, &text, Role::Label);
        }
        for mark in marks() {
            if let Some(column) = self.axis.column(mark.t_s) {
                let number = mark.number.to_string();
                let x = (self.plot.x + column as u16).min(self.plot.right() - number.len() as u16);
                self.text(buffer, x, y, &number, Role::Mark);
            }
        }
    }
}

/// Dots of a braille cell from below, left and right.
const RISING: [[u8; 4]; 2] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];
/// A dash from below.
const DASHES: [char; 4] = ['⣀', '⠤', '⠒', '⠉'];
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
