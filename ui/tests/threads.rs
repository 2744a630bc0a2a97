//! A filter of threads: whose the figures are, and what is said where it cannot be answered.

#[path = "../examples/sample/mod.rs"]
mod sample;

use memtop_ui::data::Data;
use memtop_ui::filter::CodeFilter;
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::{Screen, State, Theme, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const PROBLEM: &str = "it is not known";

/// A frame of what is left of the sites that certain threads asked at.
fn shown(screen: Screen, is_known: bool) -> String {
    let mut data: Data = sample::session();
    if !is_known {
        data.filter_problem = Some(PROBLEM);
        data.sites.rows.rows.clear();
        data.flame.nodes.clear();
        data.flame.whole = 0;
        data.flame.shrunk_bytes = 0;
        data.snapshots.diff.problem = Some(PROBLEM.to_owned());
    }
    let mut state = State::new(screen, (160, 24));
    state.code.filter_text = "thread:io".to_owned();
    state.code.filter = CodeFilter::parse("thread:io").unwrap();
    let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
    let mut terminal = Terminal::new(TestBackend::new(160, 24)).unwrap();
    terminal.draw(|frame| draw(frame, &data, &state, &theme)).unwrap();
    let cells = &terminal.backend().buffer().content;
    let row =
        |cells: &[ratatui::buffer::Cell]| cells.iter().map(|c| c.symbol()).collect::<String>();
    cells.chunks(160).map(|cells| row(cells) + "\n").collect()
}

#[test]
fn figures_are_said_to_be_of_all_threads() {
    for screen in [Screen::Sites, Screen::Flame, Screen::Snapshots] {
        let frame = shown(screen, true);
        assert!(frame.contains("figures of all threads"), "{frame}");
    }
}

#[test]
fn what_is_not_known_is_not_nothing() {
    for screen in [Screen::Sites, Screen::Flame, Screen::Snapshots] {
        let frame = shown(screen, false);
        assert!(frame.contains(PROBLEM), "{frame}");
        assert!(!frame.contains("0 match") && !frame.contains(" 0 B ·"), "{frame}");
    }
    let flame = shown(Screen::Flame, false);
    assert!(flame.contains("– · figures of all threads"), "{flame}");
}
