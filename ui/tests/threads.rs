//! A filter of threads: whose the figures are, and what is said where it cannot be answered.

#[path = "../examples/sample/mod.rs"]
mod sample;

use memtop_ui::data::{Data, Grouping};
use memtop_ui::filter::CodeFilter;
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::{Screen, State, Theme, capacity, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const PROBLEM: &str = "it is not known";

/// A frame of what is left of the sites that certain threads asked at.
fn shown(screen: Screen, size: (u16, u16), is_known: bool) -> String {
    let mut data: Data = sample::session();
    if !is_known {
        data.filter_problem = Some(PROBLEM);
        data.sites.rows.rows.clear();
        data.flame.nodes.clear();
        data.flame.whole = 0;
        data.flame.shrunk_bytes = 0;
        data.snapshots.diff.problem = Some(PROBLEM.to_owned());
    }
    let mut state = State::new(screen, size);
    state.code.filter_text = "thread:io".to_owned();
    state.code.filter = CodeFilter::parse("thread:io").unwrap();
    let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame, &data, &state, &theme)).unwrap();
    let cells = &terminal.backend().buffer().content;
    let row =
        |cells: &[ratatui::buffer::Cell]| cells.iter().map(|c| c.symbol()).collect::<String>();
    cells.chunks(usize::from(size.0)).map(|cells| row(cells) + "\n").collect()
}

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 50)];

#[test]
fn figures_are_said_to_be_of_all_threads_wherever_they_show() {
    for (screen, size) in [Screen::Sites, Screen::Flame, Screen::Snapshots]
        .into_iter()
        .flat_map(|screen| SIZES.map(|size| (screen, size)))
    {
        let frame = shown(screen, size, true);
        assert!(frame.contains("of all threads. "), "{size:?}:\n{frame}");
    }
}

#[test]
fn figures_by_thread_are_not_said_to_be_of_all() {
    let mut state = State::new(Screen::Sites, (80, 24));
    state.code.filter = CodeFilter::parse("thread:io").unwrap();
    assert!(state.chooses_by_thread());
    let rows = capacity(&sample::session(), &state).sites;
    state.code.grouping = Grouping::Thread;
    assert!(!state.chooses_by_thread());
    assert_eq!(capacity(&sample::session(), &state).sites, rows + 1, "words take a row");
    state.screen = Screen::Flame;
    assert!(state.chooses_by_thread(), "a flame is of code, whatever sites are summed by");
}

#[test]
fn what_is_not_known_is_not_nothing() {
    for screen in [Screen::Sites, Screen::Flame, Screen::Snapshots] {
        let frame = shown(screen, (160, 24), false);
        assert!(frame.contains(PROBLEM), "{frame}");
        assert!(!frame.contains("0 match") && !frame.contains(" 0 B ·"), "{frame}");
        assert!(!frame.contains("of all threads"), "there are no figures: {frame}");
    }
    let flame = shown(Screen::Flame, (160, 24), false);
    assert!(flame.contains(" – ╮"), "{flame}");
    let sites = shown(Screen::Sites, (160, 24), false);
    assert!(sites.contains(" – of 214 sites ╮"), "{sites}");
}
