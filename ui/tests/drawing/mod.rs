//! Frames of fixed data, as text.

#![allow(dead_code)]

#[path = "../../examples/sample/mod.rs"]
pub mod sample;

use memtop_ui::data::{Baseline, Data, Pair, When};
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::{Screen, State, Theme, capacity, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// The dark theme.
pub fn theme(depth: ColorDepth, glyphs: Glyphs) -> Theme {
    Theme::new(Palette::Dark, depth, glyphs)
}

/// What is drawn.
pub fn frame(data: &mut Data, state: &mut State, theme: &Theme) -> Buffer {
    let room = capacity(data, state);
    data.sizes.rows.truncate(room.sizes);
    data.growth.rows.truncate(room.growth);
    data.sites.rows.rows.truncate(room.sites);
    data.snapshots.diff.rows.rows.truncate(room.diff);
    state.observe_scale(data);
    let (cols, rows) = state.size;
    let mut terminal = Terminal::new(TestBackend::new(cols, rows)).unwrap();
    terminal.draw(|frame| draw(frame, data, state, theme)).unwrap();
    terminal.backend().buffer().clone()
}

/// Its rows, without what is blank at their ends.
pub fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(width);
    let row =
        |cells: &[ratatui::buffer::Cell]| cells.iter().map(|c| c.symbol()).collect::<String>();
    rows.map(|cells| row(cells).trim_end().to_owned() + "\n").collect()
}

/// The frame of `data` on `screen` with everything as it usually is.
pub fn plain(mut data: Data, screen: Screen, size: (u16, u16)) -> String {
    let mut state = State::new(screen, size);
    text(&frame(&mut data, &mut state, &theme(ColorDepth::True, Glyphs::Braille)))
}

/// The state a person is in on the screens about code: compared with the first mark.
pub fn on_code(screen: Screen, size: (u16, u16)) -> State {
    let mut state = State::new(screen, size);
    state.baseline = Baseline::Mark(1);
    state.diff.pair = Pair { from: When::Mark(1), to: When::Now };
    state
}

/// The frame as text, with the usual theme.
pub fn frame_of(mut data: Data, state: &mut State) -> String {
    text(&frame(&mut data, state, &theme(ColorDepth::True, Glyphs::Braille)))
}
