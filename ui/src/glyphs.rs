//! The shapes screens are drawn with, and how they are brought down to ASCII.
//!
//! Widgets draw with Unicode only. Where a terminal shows nothing but ASCII, the finished frame is
//! translated cell by cell, so no widget has to know.

use ratatui::buffer::{Buffer, Cell};

/// What the terminal's font can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glyphs {
    /// Everything, the timeline in braille dots.
    #[default]
    Braille,
    /// Everything but braille: the timeline is drawn in blocks.
    Blocks,
    /// ASCII alone.
    Ascii,
}

/// One cell's worth of ASCII for every character memtop draws.
const ASCII: &[(&str, char)] = &[
    ("─╌━", '-'),
    ("│┆┤├┃", '|'),
    ("╭╮╰╯┼┬┴", '+'),
    ("░▒", '/'),
    ("▁▔", '.'),
    ("▂▃▄▏▎▍▌▀", ':'),
    ("▅▆▇█▋▊▉", '#'),
    ("▲↑", '^'),
    ("▼↓", 'v'),
    ("▸→›▶", '>'),
    ("◂←‹", '<'),
    ("●", '*'),
    ("○", 'o'),
    ("■", '#'),
    ("✖×", 'x'),
    ("–−—", '-'),
    ("±≈~", '~'),
    ("≥", '>'),
    ("≤", '<'),
    ("·", '|'),
    ("…", '~'),
    ("“”", '"'),
    ("’‘", '\''),
    ("Δ", 'd'),
    ("µ", 'u'),
];

/// What takes two cells, where one beside it is blank.
const PAIRS: &[(&str, [char; 2])] = &[("±", ['+', '-']), ("≥", ['>', '=']), ("≤", ['<', '='])];

/// Translates every cell to ASCII.
pub fn to_ascii(buffer: &mut Buffer) {
    let width = usize::from(buffer.area.width).max(1);
    buffer.content.chunks_mut(width).for_each(spread_pairs);
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let ascii = cell.symbol().chars().next().map_or(' ', ascii);
        cell.set_char(ascii);
    }
}

/// Puts the second half of a pair into the blank cell behind it, or else the first half into the
/// one before it.
fn spread_pairs(row: &mut [Cell]) {
    for at in 0..row.len() {
        let Some((_, [first, second])) = PAIRS.iter().find(|(from, _)| row[at].symbol() == *from)
        else {
            continue;
        };
        let is_blank = |at: usize| row.get(at).is_some_and(|cell| cell.symbol() == " ");
        let start = match at.checked_sub(1) {
            _ if is_blank(at + 1) => at,
            Some(before) if is_blank(before) => before,
            _ => continue,
        };
        row[start].set_char(*first);
        row[start + 1].set_char(*second);
    }
}

fn ascii(c: char) -> char {
    if let '\u{2800}'..='\u{28ff}' = c {
        return match (c as u32 & 0xff).count_ones() {
            0 => ' ',
            1..=2 => '.',
            3..=5 => ':',
            _ => '#',
        };
    }
    ASCII.iter().find(|(from, _)| from.contains(c)).map_or('?', |(_, to)| *to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_translated_twice() {
        let all: Vec<char> = ASCII.iter().flat_map(|(from, _)| from.chars()).collect();
        for (i, c) in all.iter().enumerate() {
            assert!(!all[..i].contains(c), "{c}");
        }
    }

    #[test]
    fn bounds_keep_their_meaning() {
        for (text, expected) in [
            ("peak ± 4 KiB", "peak +-4 KiB"),
            ("19 ±3 ns", "19+-3 ns"),
            ("  ≥12 B ≤ 5", " >=12 B <=5"),
            ("±4", "~4"),
            ("x≥4", "x>4"),
        ] {
            let mut buffer = Buffer::with_lines([text]);
            to_ascii(&mut buffer);
            let shown: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
            assert_eq!(shown, expected);
        }
        // What stands at the end of a row is none of the next row's business.
        let mut buffer = Buffer::with_lines(["x±", " y"]);
        to_ascii(&mut buffer);
        assert_eq!(buffer, Buffer::with_lines(["x~", " y"]));
    }

    #[test]
    fn braille_becomes_as_dense_as_it_was() {
        assert_eq!("⠀⡀⣀⣿".chars().map(ascii).collect::<String>(), " ..#");
        assert_eq!(ascii('日'), '?');
    }
}
