//! The screens of memtop: presentation only.
//!
//! This crate knows no engine, no clock, no files and no traced program. Whoever runs memtop
//! gathers what a screen can show into [`Data`], keeps a [`State`], and loops:
//!
//! ```text
//!     key ──▶ keymap::dispatch ──▶ Action ──▶ update ──▶ Effect ──▶ whoever runs memtop
//!                   ▲                            │
//!                   └───────────── State ◀───────┘
//!                                    │
//!          model ──▶ Data ──────▶ draw(frame, data, state, theme)
//! ```
//!
//! A frame is a function of its arguments, so any frame can be rebuilt in a test; the only way the
//! state changes is [`update()`] and the `observe` calls of [`State`].
//!
//! | module | concept |
//! | --- | --- |
//! | [`data`] | what a screen can show |
//! | [`state`], [`choice`], [`cursor`], [`filter`] | what the person chose |
//! | [`action`], [`keymap`], [`mod@update`] | what can be asked for, by which key, with what effect |
//! | [`keys`] | keys as bytes, for the program's own terminal |
//! | [`mouse`] | what a click asks for |
//! | [`screen`] | one file a screen |
//! | [`widget`] | reusable drawing: timeline, table, bar, popup, terminal |
//! | [`theme`], [`glyphs`], [`format`](mod@format) | roles, shapes, numbers and words |
//! | [`terminal`] | taking the terminal over and giving it back |
//!
//! ```
//! use memtop_ui::{Data, Screen, State, Theme, draw};
//! use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
//! use ratatui::{Terminal, backend::TestBackend};
//!
//! let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
//! let state = State::new(Screen::Overview, (80, 24));
//! let mut terminal = Terminal::new(TestBackend::new(80, 24))?;
//! terminal.draw(|frame| draw(frame, &Data::default(), &state, &theme))?;
//! # Ok::<(), std::convert::Infallible>(())
//! ```

#![forbid(unsafe_code)]

pub mod action;
pub mod choice;
pub mod cursor;
pub mod data;
pub mod filter;
pub mod format;
pub mod glyphs;
pub mod keymap;
pub mod keys;
pub mod mouse;
pub mod printable;
pub mod screen;
pub mod state;
pub mod symbol;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod widget;

pub use action::Action;
pub use data::Data;
pub use screen::output::pane_size;
pub use state::{Screen, State};
pub use theme::Theme;
pub use update::{Effect, Leave, advance, update};

use ratatui::Frame;
use ratatui::layout::Rect;

/// Draws one frame.
pub fn draw(frame: &mut Frame, data: &Data, state: &State, theme: &Theme) {
    draw_on(frame, data, state, theme, &mouse::Targets::default());
}

/// Draws one frame, and takes down in `targets` what a click means where.
pub fn draw_on(
    frame: &mut Frame,
    data: &Data,
    state: &State,
    theme: &Theme,
    targets: &mouse::Targets,
) {
    targets.clear();
    screen::draw(frame, screen::Cx { data, state, theme, targets });
    printable::straighten(frame.buffer_mut());
    if theme.glyphs() == theme::Glyphs::Ascii {
        glyphs::to_ascii(frame.buffer_mut());
    }
}

/// How many rows of each list fit on the screen, so that [`Data`] can be cut to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Rows of [`Data::sizes`].
    pub sizes: usize,
    /// Rows of [`Data::growth`].
    pub growth: usize,
    /// Rows of [`Data::events`] from the first visible one on; add [`State::events_scroll`].
    pub events: usize,
    /// Rows of [`Data::sites`].
    pub sites: usize,
    /// Rows of [`Data::classes`].
    pub classes: usize,
    /// Rows of [`Data::processes`], and of its threads.
    pub processes: (usize, usize),
    /// Rows of the diff in [`Data::snapshots`].
    pub diff: usize,
    /// Columns and rows of [`Data::flame`].
    pub flame: (usize, usize),
}

/// How many rows fit in the terminal's present size.
pub fn capacity(data: &Data, state: &State) -> Capacity {
    let (cols, rows) = state.size;
    let [_, body, _] = screen::split(Rect::new(0, 0, cols, rows), Screen::Overview);
    let parts = screen::overview::parts(body, screen::overview::lines(data, body), data.growth.by);
    let rows_in = |area: Rect| usize::from(area.height.saturating_sub(3));
    Capacity {
        sizes: rows_in(parts.sizes),
        growth: rows_in(parts.growth),
        events: screen::events::capacity(rows),
        sites: screen::sites::capacity(state),
        classes: screen::sizes::capacity(body),
        processes: screen::processes::capacity(body),
        diff: screen::snapshots::capacity(body, data, state),
        flame: screen::flame::capacity(body, state),
    }
}
