//! The shapes screens are drawn with, and how they are brought down to ASCII.
//!
//! Widgets draw with Unicode only. Where a terminal shows nothing but ASCII, the finished frame is
//! translated cell by cell, so no widget has to know.

use ratatui::buffer::Buffer;

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

/// Translates every cell to ASCII.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let ascii = cell.symbol().chars().next().map_or(' ', ascii);
        cell.set_char(ascii);
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
    fn braille_becomes_as_dense_as_it_was() {
        assert_eq!("⠀⡀⣀⣿".chars().map(ascii).collect::<String>(), " ..#");
        assert_eq!(ascii('日'), '?');
    }
}
