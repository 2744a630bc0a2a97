//! The program's terminal in the output pane, at whatever size the pane has.
//!
//! A screen that is made smaller forgets what does not fit. So what the program wrote is kept, as
//! much of it as the keeper keeps, and read anew when a frame is to be drawn at another size: lines
//! break where they now have to, and nothing is gone when there is room again. However many sizes
//! a terminal goes through between two frames, only the last one is read for.

use std::num::NonZero;

use vt100::{Parser, Screen};

use crate::keeper::scrollback::Scrollback;

/// Lines the pane can be scrolled back.
const LINES: usize = 5000;

/// Rows and columns.
pub(super) type Size = (NonZero<u16>, NonZero<u16>);

/// The terminal, and what was written to it.
pub(super) struct Pane {
    parser: Parser,
    written: Scrollback,
    size: Size,
}

impl Pane {
    pub(super) fn new(size: Size) -> Self {
        Self { parser: parser(size), written: Scrollback::default(), size }
    }

    /// What it shows.
    pub(super) fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// The program wrote this.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.written.extend(bytes);
        self.parser.process(bytes);
    }

    /// From the next frame on it has this size.
    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
    }

    /// Before a frame: takes the size that is due, and is scrolled back that many lines.
    pub(super) fn prepare(&mut self, scrollback: usize) {
        if self.size != self.screen().size() {
            self.take_size();
        }
        self.parser.screen_mut().set_scrollback(scrollback);
    }

    fn take_size(&mut self) {
        // A program that fills the screen draws it anew by itself, and where it began to do so is
        // forgotten: its pictures would be read as lines.
        if self.screen().alternate_screen() && !self.written.is_whole() {
            return self.parser.screen_mut().set_size(self.size.0, self.size.1);
        }
        let mut parser = parser(self.size);
        if !self.written.is_whole() {
            parser.process(&modes(self.screen()));
        }
        parser.process(&self.written.bytes());
        self.parser = parser;
    }
}

fn parser((rows, columns): Size) -> Parser {
    Parser::new(rows, columns, LINES)
}

/// What was asked of the terminal, perhaps in a part that is forgotten.
fn modes(screen: &Screen) -> Vec<u8> {
    let cursor: &[u8] = if screen.hide_cursor() { b"\x1b[?25l" } else { b"" };
    [screen.input_mode_formatted().as_bytes(), cursor].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(rows: u16, columns: u16) -> Size {
        (NonZero::new(rows).unwrap(), NonZero::new(columns).unwrap())
    }

    /// Every line that can be seen by scrolling.
    fn all(pane: &mut Pane) -> String {
        let mut lines = Vec::new();
        pane.prepare(usize::MAX);
        let (rows, columns) = pane.screen().size();
        for back in (0..=pane.screen().scrollback_len()).rev() {
            pane.prepare(back);
            lines.push(pane.screen().rows(0, columns.get()).next().unwrap());
        }
        lines.extend(pane.screen().rows(0, columns.get()).skip(1).take(usize::from(rows.get())));
        lines.join("\n").trim_end().to_owned()
    }

    fn written(lines: u32) -> String {
        let line = |number| format!("{number:04}: {} the end\r\n", "x".repeat(50));
        (0..lines).map(line).collect()
    }

    #[test]
    fn nothing_is_lost_by_making_it_smaller() {
        let mut pane = Pane::new(size(20, 78));
        pane.write(written(60).as_bytes());
        let before = all(&mut pane);
        assert!(before.starts_with("0000: x") && before.ends_with("the end"), "{before}");
        for narrow in [size(5, 30), size(1, 1), size(10, 58), size(2, 200)] {
            pane.resize(narrow);
            pane.prepare(0);
            pane.write(b"");
        }
        pane.resize(size(10, 40));
        let narrow = all(&mut pane);
        assert!(narrow.starts_with("0000: x"), "{narrow}");
        assert_eq!(narrow.matches("the end").count(), 60, "{narrow}");
        pane.resize(size(20, 78));
        assert_eq!(all(&mut pane), before);
    }

    #[test]
    fn what_is_amid_a_sequence_goes_on_at_the_new_size() {
        let mut pane = Pane::new(size(20, 78));
        pane.write(b"plain \x1b[3");
        pane.resize(size(10, 40));
        pane.prepare(0);
        pane.write(b"1mred");
        assert_eq!(pane.screen().cell(0, 6).unwrap().fgcolor(), vt100::Color::Idx(1));
    }

    #[test]
    fn what_is_forgotten_still_holds() {
        let begin = b"\x1b[?2004h\x1b[?25l\x1b[?1h";
        let mut pane = Pane::new(size(20, 78));
        pane.write(begin);
        (0..20).for_each(|_| pane.write(written(1000).as_bytes()));
        pane.resize(size(10, 40));
        pane.prepare(0);
        let screen = pane.screen();
        assert!(screen.bracketed_paste() && screen.hide_cursor() && screen.application_cursor());
        assert_eq!(screen.size(), size(10, 40));

        let mut full = Pane::new(size(20, 78));
        full.write(b"\x1b[?1049h");
        (0..20).for_each(|_| full.write(written(1000).as_bytes()));
        full.resize(size(10, 40));
        full.prepare(0);
        assert!(full.screen().alternate_screen());
        assert_eq!(full.screen().size(), size(10, 40));
    }
}
