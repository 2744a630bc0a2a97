//! What the person chose: screen, selection, zoom, filter, and what is on top of it all.
//!
//! Choices that exclude one another are one enum: the keyboard belongs to exactly one [`Mode`].
//! The state changes only through [`update`](crate::update::update) and the few `observe` calls
//! below, never in the view.

use crate::action::Answer;
use crate::choice::{CodeChoice, DiffChoice, FlameChoice, Playback, SiteChoice, SitesChoice};
use crate::cursor::Cursor;
use crate::data::{Baseline, Data, Grouping, Mark, Notice, When};
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
    /// Where memory comes from, as a table.
    Sites,
    /// One row of that table in full.
    Site,
    /// The call tree by weight.
    Flame,
    /// Moments, and what differs between two of them.
    Snapshots,
    /// All size classes, and what else is resident.
    Sizes,
    /// The tree of processes, and threads.
    Processes,
    /// The program's terminal.
    Output,
    /// Moments to look at: scrubbing through a session or a recording.
    Time,
    /// The live tail of allocations and frees.
    Events,
}

/// Screens in the order of their digits, as Tab visits them.
pub const SCREENS: &[(char, Screen, &str)] = &[
    ('1', Screen::Overview, "overview"),
    ('2', Screen::Sites, "sites"),
    ('3', Screen::Flame, "flame"),
    ('4', Screen::Snapshots, "snapshots"),
    ('5', Screen::Sizes, "sizes"),
    ('6', Screen::Processes, "processes"),
    ('7', Screen::Output, "output"),
    ('8', Screen::Time, "time"),
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
    /// To a line being typed.
    Prompt(Prompt),
    /// To the program.
    Typing,
    /// To a question.
    Asking(Dialog),
}

/// A line while it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What it is for.
    pub purpose: Purpose,
    /// What was typed so far.
    pub text: String,
    /// Why it cannot be used, once Enter found out.
    pub error: Option<String>,
    /// The text is the one in use, or a proposal: what is typed first takes its place.
    pub is_old: bool,
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To narrow the events.
    FilterEvents,
    /// To narrow what is shown about code.
    FilterCode,
    /// To call the mark of this number something.
    NameMark(u32),
    /// To write a snapshot of this moment to a file.
    Save(When),
    /// To read a snapshot from a file.
    Load,
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
    /// What becomes of processes that the program left behind when it ended.
    LeftBehind,
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
            Self::LeftBehind => &[
                (Answer::Detach, "d", "detach: they go on"),
                (Answer::EndProgram, "e", "end them"),
                (Answer::Stay, "s", "stay here"),
            ],
            Self::Clear => &[
                (Answer::Stay, "s", "keep everything"),
                (Answer::Clear, "c", "clear: they become untracked"),
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
    /// What is shown about code.
    pub code: CodeChoice,
    /// The table of sites.
    pub sites: SitesChoice,
    /// The site that was opened.
    pub site: SiteChoice,
    /// The flame.
    pub flame: FlameChoice,
    /// The diff.
    pub diff: DiffChoice,
    /// What is selected among the size classes.
    pub classes: Cursor,
    /// What is selected in the tree of processes.
    pub tree: Cursor,
    /// The moment that is looked at, and whether time goes on from there.
    pub playback: Playback,
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
            code: CodeChoice::default(),
            sites: SitesChoice::default(),
            site: SiteChoice::default(),
            flame: FlameChoice::default(),
            diff: DiffChoice::default(),
            classes: Cursor::default(),
            tree: Cursor::default(),
            playback: Playback::default(),
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

    /// Whether the filter chooses code by the threads that asked for it, where threads are not
    /// the rows themselves.
    pub fn chooses_by_thread(&self) -> bool {
        let by_thread = self.code.grouping == Grouping::Thread && self.screen != Screen::Flame;
        !by_thread && self.code.filter.threads().next().is_some()
    }

    /// The number that the next mark has, where `recorded` is the highest of a recorded one.
    pub fn next_mark(&self, recorded: u32) -> u32 {
        self.marks.last().map_or(recorded, |mark| mark.number.max(recorded)) + 1
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

    /// Brings selections back into lists that became shorter, and lets them follow what they
    /// selected.
    ///
    /// To be called before each frame.
    pub fn observe_lengths(&mut self, data: &Data) {
        match self.screen {
            Screen::Sites => self.sites.cursor.observe(&data.sites.rows, |row| row.key),
            Screen::Sizes => self.classes.observe(&data.classes.rows, |row| row.key()),
            Screen::Processes => self.tree.observe(&data.processes.rows, |row| row.key),
            Screen::Snapshots => {
                self.diff.cursor.observe(&data.snapshots.diff.rows, |row| row.key);
            }
            _ => {}
        }
        let last = |len: usize| len.saturating_sub(1);
        self.selected = self.selected.min(last(data.chooser.rows.len()));
        self.process = self.process.min(last(data.header.process.count));
    }

    /// Rows a page motion moves.
    pub(crate) fn page(&self) -> usize {
        usize::from(self.size.1.saturating_sub(6)).max(1)
    }
}
