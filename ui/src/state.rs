//! What the person chose: screen, selection, zoom, filter, and what is on top of it all.
//!
//! Choices that exclude one another are one enum: the keyboard belongs to exactly one [`Mode`].
//! The state changes only through [`update`](crate::update::update) and the few `observe` calls
//! below, never in the view.

use crate::action::Answer;
use crate::data::{Baseline, Data, Mark, Notice};
use crate::filter::Filter;
use crate::theme::Palette;
use crate::widget::timeline::Extent;

/// A whole screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Programs that can be joined.
    Chooser,
    /// Timeline, sizes, growth.
    Overview,
    /// The program's terminal.
    Output,
    /// The live tail of allocations and frees.
    Events,
}

/// Screens in the order of their digits, as Tab visits them.
pub const SCREENS: [(char, Screen, &str); 3] = [
    ('1', Screen::Overview, "overview"),
    ('7', Screen::Output, "output"),
    ('9', Screen::Events, "events"),
];

/// To whom the keyboard belongs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// To the screen.
    #[default]
    Browse,
    /// To the help page.
    Help,
    /// To the filter being typed.
    Filter(FilterInput),
    /// To the program.
    Typing,
    /// To a question.
    Asking(Dialog),
}

/// A filter while it is typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilterInput {
    /// What was typed so far.
    pub text: String,
    /// Why it cannot be used, once Enter found out.
    pub error: Option<String>,
    /// The text is the filter in use: what is typed first takes its place.
    pub is_old: bool,
}

/// A question and the answer under the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialog {
    /// What is asked.
    pub question: Question,
    /// Index into [`Question::answers`].
    pub selected: usize,
}

/// What a dialog asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What becomes of the program that still runs.
    Quit,
    /// Whether to forget what was traced.
    Clear,
}

/// An answer, its key as written, and its words.
pub type Choice = (Answer, &'static str, &'static str);

impl Question {
    /// The answers on offer, the safe one first.
    pub fn answers(self) -> &'static [Choice] {
        match self {
            Self::Quit => &[
                (Answer::Detach, "d", "detach: the program goes on"),
                (Answer::EndProgram, "e", "end the program"),
                (Answer::Stay, "s", "stay here"),
            ],
            Self::Clear => &[
                (Answer::Stay, "s", "keep everything"),
                (Answer::Clear, "c", "clear: blocks so far become untracked"),
            ],
        }
    }
}

/// By what the bars of the size histogram are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bars {
    /// By live bytes.
    #[default]
    Bytes,
    /// By live blocks.
    Blocks,
}

/// What the person chose.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The screen shown.
    pub screen: Screen,
    /// To whom the keyboard belongs.
    pub mode: Mode,
    /// Tables hold still; header and timeline go on.
    pub frozen: bool,
    /// Seconds the timeline shows; `None` for all.
    pub zoom_s: Option<f64>,
    /// Marked moments.
    pub marks: Vec<Mark>,
    /// Where growth is measured from.
    pub baseline: Baseline,
    /// By what the size bars are drawn.
    pub bars: Bars,
    /// The filter of the events screen, as typed.
    pub filter_text: String,
    /// The same, parsed.
    pub filter: Filter,
    /// Index of the process shown.
    pub process: usize,
    /// The palette in use.
    pub palette: Palette,
    /// Selected row of the chooser.
    pub selected: usize,
    /// First visible row of the events.
    pub events_scroll: usize,
    /// First visible line of the help page.
    pub help_scroll: usize,
    /// Lines the output pane is scrolled back.
    pub scrollback: usize,
    /// The stable vertical scale of the timeline.
    pub extent: Extent,
    /// What the last key came to, when that needs words.
    pub notice: Option<Notice>,
    /// Terminal size, columns and rows.
    pub size: (u16, u16),
}

impl State {
    /// The state a session begins with, on `screen`, in a terminal of `size` columns and rows.
    pub fn new(screen: Screen, size: (u16, u16)) -> Self {
        Self {
            screen,
            mode: Mode::Browse,
            frozen: false,
            zoom_s: None,
            marks: Vec::new(),
            baseline: Baseline::Start,
            bars: Bars::default(),
            filter_text: String::new(),
            filter: Filter::default(),
            process: 0,
            palette: Palette::Dark,
            selected: 0,
            events_scroll: 0,
            help_scroll: 0,
            scrollback: 0,
            extent: Extent::default(),
            notice: None,
            size,
        }
    }

    /// Takes note of a new terminal size.
    pub fn observe_size(&mut self, cols: u16, rows: u16) {
        self.size = (cols, rows);
    }

    /// Lets the timeline's scale follow `data`: it grows at once and shrinks late.
    ///
    /// To be called once for every new reading, before the frame.
    pub fn observe_scale(&mut self, data: &Data) {
        self.extent = self.extent.following(&data.timeline, self.zoom_s);
    }

    /// Brings selections back into lists that became shorter.
    pub fn observe_lengths(&mut self, data: &Data) {
        let last = |len: usize| len.saturating_sub(1);
        self.selected = self.selected.min(last(data.chooser.rows.len()));
        self.process = self.process.min(last(data.header.process.count));
    }

    /// Rows a page motion moves.
    pub(crate) fn page(&self) -> usize {
        usize::from(self.size.1.saturating_sub(6)).max(1)
    }
}
