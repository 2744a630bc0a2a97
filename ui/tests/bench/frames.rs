//! How long a frame of each screen takes to draw, in a terminal of 200×50:
//!
//!     cargo bench -p memtop-ui --bench frames
//!
//! Rows are cut before they come here, so a screen costs what shows on it; the flame comes
//! pruned to what is a column wide, which this makes as many nodes as there can be. What is
//! measured is a whole frame: the widgets, and the comparison with the frame before.

#[path = "../../examples/sample/mod.rs"]
mod sample;

use std::time::{Duration, Instant};

use memtop_ui::data::{Data, Flame, FlameNode, Key, Name};
use memtop_ui::state::SCREENS;
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::{Screen, State, Theme, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const SIZE: (u16, u16) = (200, 50);
const FRAMES: usize = 200;

fn main() {
    // `cargo test --benches` runs benchmarks too, to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("run by cargo bench");
    }
    let others = SCREENS.iter().map(|(_, screen, name)| (*screen, *name));
    for (screen, name) in others.chain([(Screen::Site, "site")]) {
        report(name, &sample::session(), screen);
    }
    let widest = Data { flame: flame(198, 46), ..sample::session() };
    report("flame, every cell a node", &widest, Screen::Flame);
}

fn report(name: &str, data: &Data, screen: Screen) {
    let mut times = frames(data, screen);
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (median, worst) = (ms(times[times.len() / 2]), ms(times[times.len() - 1]));
    println!("{name:<26} median {median:>6.3} ms   worst {worst:>6.3} ms");
}

fn frames(data: &Data, screen: Screen) -> Vec<Duration> {
    let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("memory suffices");
    let mut state = State::new(screen, SIZE);
    let frame = |i: usize| {
        // Every other frame is another, so that there is something to write.
        state.frozen = i.is_multiple_of(2);
        let begin = Instant::now();
        state.observe_scale(data);
        terminal.draw(|frame| draw(frame, data, &state, &theme)).expect("memory suffices");
        begin.elapsed()
    };
    (0..FRAMES).map(frame).collect()
}

/// A root with a child for every column, each with a chain of calls below it.
fn flame(columns: u64, rows: u64) -> Flame {
    let node = |key, parent, value, text: String| FlameNode {
        key: Key(key),
        parent,
        name: Name::plain(text),
        value,
        ..FlameNode::default()
    };
    let mut nodes = vec![node(0, None, columns, "root".to_owned())];
    for column in 0..columns {
        let mut parent = 0;
        for row in 1..rows {
            let key = nodes.len() as u64;
            nodes.push(node(key, Some(parent), 1, format!("std::f{column}<int, {row}>::call")));
            parent = key as u32;
        }
    }
    Flame { nodes, whole: columns, ..Flame::default() }
}
