//! Terminals that are smaller than most: what little room there is says something.

#[path = "../examples/sample/mod.rs"]
mod sample;

use memtop_ui::data::{Data, DiffTotals, ProcessChoice};
use memtop_ui::state::{Dialog, Mode, Question};
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::{Screen, State, Theme, capacity, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// The rows of a frame, without what is blank at their ends.
fn rows(mut data: Data, screen: Screen, size: (u16, u16)) -> Vec<String> {
    let mut state = State::new(screen, size);
    let room = capacity(&data, &state);
    data.sites.rows.rows.truncate(room.sites);
    data.snapshots.diff.rows.rows.truncate(room.diff);
    state.observe_scale(&data);
    drawn(&data, &state)
}

fn drawn(data: &Data, state: &State) -> Vec<String> {
    let size = state.size;
    let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame, data, state, &theme)).unwrap();
    let cells = &terminal.backend().buffer().content;
    let row =
        |cells: &[ratatui::buffer::Cell]| cells.iter().map(|c| c.symbol()).collect::<String>();
    cells.chunks(usize::from(size.0)).map(|cells| row(cells).trim_end().to_owned()).collect()
}

fn shows(rows: &[String], words: &str) -> bool {
    rows.iter().any(|row| row.contains(words))
}

#[test]
fn the_overview_leaves_no_row_empty() {
    for height in [10, 12, 15, 16, 17] {
        let rows = rows(sample::session(), Screen::Overview, (60, height));
        assert!(rows.iter().all(|row| !row.is_empty()), "{height}:\n{}", rows.join("\n"));
    }
}

#[test]
fn sites_show_what_changed_before_where_they_are() {
    let wide = rows(sample::session(), Screen::Sites, (80, 15));
    assert!(shows(&wide, "Δ bytes") && shows(&wide, "where"));
    let small = rows(sample::session(), Screen::Sites, (60, 15));
    assert!(shows(&small, "Δ bytes") && shows(&small, "Δ since"), "{}", small.join("\n"));
    // A heading of what is not there would only take the room of how many there are.
    let least = rows(sample::session(), Screen::Sites, (40, 10));
    assert!(!shows(&least, "Δ") && shows(&least, "214 sites ╮"), "{}", least.join("\n"));
}

#[test]
fn a_diff_counts_what_there_is() {
    let data = || {
        let mut data = sample::session();
        let totals = &mut data.snapshots.diff.totals;
        *totals = DiffTotals { groups: [0, 2, 0, 0, 32], delta_blocks: 119, ..*totals };
        data
    };
    let least = rows(data(), Screen::Snapshots, (40, 10));
    assert!(shows(&least, "blocks   grown 2   │"), "{}", least.join("\n"));
    let cut = rows(sample::session(), Screen::Snapshots, (40, 10));
    assert!(shows(&cut, "blocks   new 2  │"), "{}", cut.join("\n"));
    let small = rows(data(), Screen::Snapshots, (60, 15));
    assert!(shows(&small, "Δ blocks"), "{}", small.join("\n"));
    let wide = rows(data(), Screen::Snapshots, (100, 24));
    assert!(shows(&wide, "new 0   grown 2   shrunk 0   gone 0   same 32"), "{}", wide.join("\n"));
}

#[test]
fn a_box_leaves_no_edge_of_what_lies_below() {
    for question in [Question::Quit, Question::LeftBehind, Question::Clear] {
        let mut data = sample::session();
        data.header.left_behind = 2;
        let mut state = State::new(Screen::Overview, (40, 10));
        state.mode = Mode::Asking(Dialog { question, selected: 0 });
        let rows = drawn(&data, &state);
        let corners: String = rows.concat();
        let count = |corner: char| corners.chars().filter(|c: &char| *c == corner).count();
        assert_eq!(['╭', '╮', '╰', '╯'].map(count), [1; 4], "{}", rows.join("\n"));
        for (_, _, words) in question.answers() {
            assert!(shows(&rows, words), "{words}:\n{}", rows.join("\n"));
        }
    }
}

#[test]
fn no_figure_of_the_header_is_cut_in_two() {
    for width in 40..120 {
        let mut data = sample::session();
        data.header.exactness.peak_error_bytes = 12 << 10;
        let rows = rows(data, Screen::Overview, (width, 24));
        let words = &rows[1];
        assert!(words.contains("live 48.6 MiB") || words.contains("live  48.6 MiB"), "{words}");
        assert!(words.contains("±12.0 KiB"), "{width}: {words}");
        assert!(!words.contains(" at ") || words.contains(" at 2:10"), "{width}: {words}");
    }
}

#[test]
fn that_there_are_other_processes_is_said_wherever_80_columns_are() {
    for title in ["sh", "timeout 30 redis-server --port 7792 --save '' --appendonly no"] {
        let mut data = sample::session();
        data.header.title = title.to_owned();
        data.header.process = ProcessChoice { shown: 0, count: 2 };
        let first = &rows(data, Screen::Overview, (80, 24))[0];
        assert!(first.contains(" · process 1 of 2") && first.contains("tracing since"), "{first}");
        assert!(first.contains(title) || first.contains("timeout 30 redis-server"), "{first}");
    }
}

#[test]
fn names_that_are_cut_end_in_a_sign_of_it() {
    let mut data = sample::session();
    data.snapshots.diff.rows.rows[0].name.text = "a_name_that_is_longer_than_its_column".to_owned();
    let least = rows(data, Screen::Snapshots, (40, 10));
    assert!(
        least.iter().any(|row| row.contains("a_name_that_is") && row.contains('…')),
        "{}",
        least.join("\n")
    );
}

#[test]
fn the_window_sentence_is_whole_or_cut_with_a_sign_of_it() {
    let overview = |size| {
        let mut data = sample::ended();
        let words = "Traced +57.5 MiB, but 32.0 MiB from before the start were freed: the program \
                     holds +25.4 MiB more than at 0:03.5.";
        data.sentence = Some(words.into());
        rows(data, Screen::Overview, size)
    };
    for size in [(60, 15), (77, 20), (80, 24)] {
        assert!(shows(&overview(size), "0:03.5."), "{}", overview(size).join("\n"));
    }
    let narrow = overview((42, 14));
    assert!(!shows(&narrow, "0:03.5.") && shows(&narrow, "…"), "{}", narrow.join("\n"));
}

#[test]
fn a_sentence_that_is_cut_says_so() {
    let mut data = sample::session();
    let site = data.site.as_mut().expect("a site");
    site.sentence = Some("one two three four five six ".repeat(12).trim_end().to_owned());
    let cut = rows(data, Screen::Site, (60, 20));
    assert!(cut.iter().any(|row| row.ends_with("…│")), "{}", cut.join("\n"));
    assert!(!rows(sample::session(), Screen::Site, (80, 24)).iter().any(|row| row.ends_with("…│")));
}
