//! In which colours things are drawn, and where the start of tracing is.

mod drawing;

use drawing::{frame, on_code, plain, sample};
use insta::assert_snapshot;
use memtop_ui::data::{Interval, Key};
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::widget::timeline::{self, plot_area};
use memtop_ui::{Screen, State, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Without colours, boxes are told apart by reversing and the bar between them.
#[test]
fn styles_of_the_flame() {
    for (name, depth) in [("16", ColorDepth::Ansi16), ("no_color", ColorDepth::None)] {
        let mut state = on_code(Screen::Flame, (60, 16));
        state.flame.selected = Some(Key(1004));
        let theme = Theme::new(Palette::Dark, depth, Glyphs::Braille);
        let buffer = frame(&mut sample::session(), &mut state, &theme);
        assert_snapshot!(format!("styles_flame_{name}"), styles(&buffer));
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
                title: "",
                timeline: &data.timeline,
                extent: Default::default(),
                zoom_s: None,
                untracked_label: "",
                present: "now",
                words: None,
                playhead_s: None,
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
