//! Frames as a person sees them, from fixed data, at the sizes that matter.

#[path = "../examples/sample/mod.rs"]
mod sample;

use insta::assert_snapshot;
use memtop_ui::data::{Data, Interval, Output};
use memtop_ui::state::{Dialog, Mode, Prompt, Purpose, Question};
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::widget::timeline::{self, plot_area};
use memtop_ui::{Screen, State, Theme, capacity, draw, pane_size};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

fn theme(depth: ColorDepth, glyphs: Glyphs) -> Theme {
    Theme::new(Palette::Dark, depth, glyphs)
}

fn frame(data: &mut Data, state: &mut State, theme: &Theme) -> Buffer {
    let room = capacity(data, state);
    data.sizes.rows.truncate(room.sizes);
    data.growth.rows.truncate(room.growth);
    state.observe_scale(data);
    let (cols, rows) = state.size;
    let mut terminal = Terminal::new(TestBackend::new(cols, rows)).unwrap();
    terminal.draw(|frame| draw(frame, data, state, theme)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(width);
    let row =
        |cells: &[ratatui::buffer::Cell]| cells.iter().map(|c| c.symbol()).collect::<String>();
    rows.map(|cells| row(cells).trim_end().to_owned() + "\n").collect()
}

/// The frame of `data` on `screen` with everything as it usually is.
fn plain(mut data: Data, screen: Screen, size: (u16, u16)) -> String {
    let mut state = State::new(screen, size);
    text(&frame(&mut data, &mut state, &theme(ColorDepth::True, Glyphs::Braille)))
}

fn in_mode(mut data: Data, screen: Screen, mode: Mode, size: (u16, u16)) -> String {
    let mut state = State { mode, ..State::new(screen, size) };
    text(&frame(&mut data, &mut state, &theme(ColorDepth::True, Glyphs::Braille)))
}

#[test]
fn overview_at_every_size() {
    for (cols, rows) in [(40, 10), (80, 24), (120, 40), (200, 50)] {
        let frame = plain(sample::session(), Screen::Overview, (cols, rows));
        assert_snapshot!(format!("overview_{cols}x{rows}"), frame);
    }
}

#[test]
fn overview_in_blocks_and_in_ascii() {
    for (name, glyphs) in [("blocks", Glyphs::Blocks), ("ascii", Glyphs::Ascii)] {
        let mut state = State::new(Screen::Overview, (80, 24));
        let theme = theme(ColorDepth::None, glyphs);
        let buffer = frame(&mut sample::session(), &mut state, &theme);
        assert_snapshot!(format!("overview_{name}"), text(&buffer));
        if glyphs == Glyphs::Ascii {
            assert!(text(&buffer).is_ascii());
        }
    }
}

#[test]
fn overview_empty_paused_ended_killed() {
    for (name, data) in [
        ("empty", sample::empty()),
        ("paused", sample::paused()),
        ("ended", sample::ended()),
        ("killed", sample::killed()),
        ("nothing_known", Data::default()),
    ] {
        assert_snapshot!(format!("overview_{name}"), plain(data, Screen::Overview, (80, 24)));
    }
}

#[test]
fn overview_after_a_pause_zoomed_and_frozen() {
    let mut data = sample::session();
    data.header.tracing.was_paused = true;
    data.header.process.count = 3;
    data.timeline.intervals =
        vec![Interval { from_s: 41.3, to_s: Some(100.0) }, Interval { from_s: 150.0, to_s: None }];
    let mut state = State::new(Screen::Overview, (120, 40));
    state.zoom_s = Some(120.0);
    state.frozen = true;
    let buffer = frame(&mut data, &mut state, &theme(ColorDepth::True, Glyphs::Braille));
    assert_snapshot!(text(&buffer));
}

#[test]
fn events() {
    assert_snapshot!("events_80x24", plain(sample::session(), Screen::Events, (80, 24)));
    assert_snapshot!("events_120x40", plain(sample::session(), Screen::Events, (120, 40)));
    assert_snapshot!("events_empty", plain(sample::paused(), Screen::Events, (80, 24)));
    let prompt = Prompt {
        purpose: Purpose::FilterEvents,
        text: ">q".into(),
        error: Some("“>q”: a size reads like >1K".into()),
        is_old: false,
    };
    let frame = in_mode(sample::session(), Screen::Events, Mode::Prompt(prompt), (80, 24));
    assert_snapshot!("events_filter_error", frame);
}

#[test]
fn output() {
    let (cols, rows) = pane_size(80, 24);
    let mut parser = sample::screen(cols, rows);
    parser.screen_mut().set_scrollback(5);
    let mut data = sample::session();
    data.output = Output::Terminal(parser.screen());
    assert_snapshot!("output_scrolled", plain(data, Screen::Output, (80, 24)));
    parser.screen_mut().set_scrollback(0);
    let mut data = sample::session();
    data.output = Output::Terminal(parser.screen());
    assert_snapshot!("output_typing", in_mode(data, Screen::Output, Mode::Typing, (80, 24)));
    assert_snapshot!("output_elsewhere", plain(sample::session(), Screen::Output, (80, 24)));
}

#[test]
fn help() {
    for (cols, rows) in [(80, 24), (120, 60)] {
        let frame = in_mode(sample::session(), Screen::Overview, Mode::Help, (cols, rows));
        assert_snapshot!(format!("help_{cols}x{rows}"), frame);
    }
}

#[test]
fn dialogs() {
    for (name, question) in [("quit", Question::Quit), ("clear", Question::Clear)] {
        let asking = Mode::Asking(Dialog { question, selected: 0 });
        let frame = in_mode(sample::session(), Screen::Overview, asking, (80, 24));
        assert_snapshot!(format!("dialog_{name}"), frame);
    }
}

#[test]
fn chooser() {
    assert_snapshot!("chooser_80x24", plain(sample::session(), Screen::Chooser, (80, 24)));
    assert_snapshot!("chooser_empty", plain(Data::default(), Screen::Chooser, (80, 24)));
}

#[test]
fn too_small_says_what_is_needed() {
    let frame = plain(sample::session(), Screen::Overview, (30, 8));
    assert_eq!(frame.lines().next(), Some("memtop needs 40×10, this is"));
    for cols in 1..45 {
        for rows in 1..14 {
            for screen in [Screen::Overview, Screen::Events, Screen::Output, Screen::Chooser] {
                plain(sample::session(), screen, (cols, rows));
            }
        }
    }
}

/// Every cell's style, run by run: colours are part of what a person sees.
#[test]
fn styles_of_the_overview() {
    for (name, palette, depth) in [
        ("dark_256", Palette::Dark, ColorDepth::Ansi256),
        ("light_true", Palette::Light, ColorDepth::True),
        ("no_color", Palette::Dark, ColorDepth::None),
    ] {
        let mut state = State::new(Screen::Overview, (60, 20));
        let theme = Theme::new(palette, depth, Glyphs::Braille);
        let buffer = frame(&mut sample::session(), &mut state, &theme);
        assert_snapshot!(format!("styles_{name}"), styles(&buffer));
    }
}

fn styles(buffer: &Buffer) -> String {
    let mut out = String::new();
    for (y, cells) in buffer.content.chunks(usize::from(buffer.area.width)).enumerate() {
        for run in cells.chunk_by(|a, b| (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)) {
            let text: String = run.iter().map(|cell| cell.symbol()).collect();
            if !text.trim().is_empty() {
                let cell = &run[0];
                let style = format!("{:?} on {:?} {:?}", cell.fg, cell.bg, cell.modifier);
                out.push_str(&format!("{y:2} {:<40} {style}\n", text.trim()));
            }
        }
    }
    out
}

#[test]
fn the_start_line_is_in_the_column_that_holds_the_start() {
    for (cols, rows) in [(40, 10), (80, 24), (120, 40), (200, 50)] {
        for start in [0.0, 3.7, 41.3, 120.0, 191.9] {
            let mut data = sample::session();
            data.timeline.intervals = vec![Interval { from_s: start, to_s: None }];
            let frame = plain(data, Screen::Overview, (cols, rows));
            let data = sample::session();
            let lines: Vec<Vec<char>> = frame.lines().map(|l| l.chars().collect()).collect();
            let top = lines.iter().position(|l| l.first() == Some(&'╭')).unwrap() as u16;
            let foot = lines.iter().position(|l| l.first() == Some(&'╰')).unwrap() as u16;
            let area = Rect::new(0, top, cols, foot - top + 1);
            let view = timeline::View {
                timeline: &data.timeline,
                extent: Default::default(),
                zoom_s: None,
                untracked_label: "",
                present: "now",
                words: None,
            };
            let axis = view.axis(area);
            let plot = plot_area(area);
            let column = (0..axis.columns())
                .find(|c| axis.range(*c).0 <= start && start < axis.range(*c).1)
                .unwrap();
            let x = usize::from(plot.x) + column;
            let marked =
                (plot.top()..plot.bottom()).all(|y| "┆▲".contains(lines[usize::from(y)][x]));
            assert!(marked, "{start} at {cols}x{rows}:\n{frame}");
        }
    }
}
