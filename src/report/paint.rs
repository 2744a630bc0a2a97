//! Lines of text, coloured where a person looks. Colour never carries meaning alone.

use std::{env, io::IsTerminal};

use memtop_ui::printable;

/// How the text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// For a pipe or a file.
    Plain,
    /// For a terminal.
    Coloured,
}

impl Look {
    /// Coloured on a terminal that can, unless `NO_COLOR` is set.
    pub fn of_stdout() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        match std::io::stdout().is_terminal() && !refused && !dumb {
            true => Self::Coloured,
            false => Self::Plain,
        }
    }
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Plain,
    Title,
    Muted,
    Live,
    Peak,
    Freed,
    Warning,
}

impl Role {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Title => "1",
            Self::Muted => "2",
            Self::Live => "36",
            Self::Peak => "33",
            Self::Freed => "35",
            Self::Warning => "1;31",
        }
    }
}

/// A text in the making.
pub(super) struct Page {
    text: String,
    look: Look,
}

impl Page {
    pub(super) fn new(look: Look) -> Self {
        let text = String::new();
        Self { text, look }
    }

    pub(super) fn paint(&self, role: Role, text: &str) -> String {
        match (self.look, role) {
            (Look::Plain, _) | (_, Role::Plain) => text.to_owned(),
            (Look::Coloured, role) => format!("\x1b[{}m{text}\x1b[0m", role.code()),
        }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    pub(super) fn painted(&mut self, role: Role, text: &str) {
        self.line(&self.paint(role, text));
    }

    /// A blank line, then a title.
    pub(super) fn title(&mut self, title: &str, note: &str) {
        let note = self.paint(Role::Muted, note);
        let title = self.paint(Role::Title, title);
        self.line("");
        self.line(&format!("{title}  {note}"));
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Text from a recording, safe for a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(printable::printable).collect()
}

/// A bar of `part` in `whole`, `width` columns wide.
pub(super) fn bar(part: u64, whole: u64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if part == 0 || whole == 0 {
        return " ".repeat(width);
    }
    let share = part as f64 / whole as f64;
    let eighths = ((share * width as f64 * 8.0).round() as usize).clamp(1, width * 8);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    let used = eighths.div_ceil(8);
    bar + &" ".repeat(width - used)
}

/// `2026-11-22 22:47:10 UTC`, of seconds since the Unix epoch.
pub(super) fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of a day since the epoch, in years that begin in March
/// (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_based = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_based + 2) / 5 + 1;
    let month = if march_based < 10 { march_based + 3 } else { march_based - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_700_000_000), "2023-11-14 22:13:20 UTC");
        date(u64::MAX / 2_000_000_000);
    }

    #[test]
    fn bars_keep_their_width() {
        for part in 0..=100 {
            assert_eq!(bar(part, 100, 7).chars().count(), 7);
        }
        assert_eq!(bar(100, 100, 3), "███");
        assert_eq!(bar(1, 1_000_000, 3), "▏  ");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[31mb\u{9b}c"), "a\u{fffd}[31mb\u{fffd}c");
    }
}
