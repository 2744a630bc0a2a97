//! The mouse: what a frame has put where, and what a click there asks for.
//!
//! Widgets say while they draw which places can be clicked, so that a click always means what
//! stands under it. Nothing is dragged: with Shift most terminals select text as ever, and
//! whoever wants that without Shift leaves the mouse to the terminal.

use std::cell::RefCell;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::action::{Action, Step};
use crate::data::Key;
use crate::state::{Mode, State};

/// Places of a frame that can be clicked.
///
/// ```
/// use memtop_ui::{Data, Screen, State, Theme, draw_on, mouse::Targets};
/// use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
/// use ratatui::{Terminal, backend::TestBackend};
///
/// let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
/// let (state, targets) = (State::new(Screen::Overview, (80, 24)), Targets::default());
/// let mut terminal = Terminal::new(TestBackend::new(80, 24))?;
/// terminal.draw(|frame| draw_on(frame, &Data::default(), &state, &theme, &targets))?;
/// assert!(targets.at(1, 23).is_some(), "the way to the first screen");
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Debug, Default)]
pub struct Targets(RefCell<Vec<(Rect, Action)>>);

impl Targets {
    /// What is asked for by a click in this cell; what was drawn last lies on top.
    pub fn at(&self, column: u16, row: u16) -> Option<Action> {
        let here = |(area, _): &&(Rect, Action)| area.contains((column, row).into());
        self.0.borrow().iter().rev().find(here).map(|(_, action)| action.clone())
    }

    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    pub(crate) fn add(&self, area: Rect, action: Action) {
        self.0.borrow_mut().push((area, action));
    }

    /// Rows of a list, from the top of `area` down.
    pub(crate) fn add_rows(&self, area: Rect, keys: impl Iterator<Item = Key>) {
        for (key, y) in keys.zip(area.top()..area.bottom()) {
            self.add(Rect { y, height: 1, ..area }, Action::Pick(key));
        }
    }
}

/// What `event` asks for.
pub fn dispatch(state: &State, event: MouseEvent, targets: &Targets) -> Option<Action> {
    let reading = matches!(state.mode, Mode::Browse | Mode::Help);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => targets.at(event.column, event.row),
        MouseEventKind::ScrollUp if reading => Some(Action::Wheel(Step::Previous)),
        MouseEventKind::ScrollDown if reading => Some(Action::Wheel(Step::Next)),
        _ => None,
    }
}
