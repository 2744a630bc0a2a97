//! Draws a screen with sample data until a key is pressed:
//! `cargo run -p memtop-ui --example gallery -- overview [light] [ascii|blocks] [none|16|256]`.

mod sample;

use crossterm::event::{self, Event};
use memtop_ui::choice::Playback;
use memtop_ui::data::{Data, Measure, Output, Pair, When};
use memtop_ui::state::{Dialog, Mode, Prompt, Purpose, Question};
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::{Screen, State, Theme, draw, pane_size, terminal};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|w| w == word);
    let size = crossterm::terminal::size()?;
    let (cols, rows) = pane_size(size.0, size.1);
    let parser = sample::screen(cols, rows);
    let (mut data, mut state) = scene(words.first().map_or("overview", String::as_str), size);
    if state.screen == Screen::Output && !has("elsewhere") {
        data.output = Output::Terminal(parser.screen());
    }
    cut(&mut data, &state);
    state.observe_scale(&data);

    terminal::restore_on_panic(|| Ok(std::io::stdout()));
    let _guard = terminal::Guard::enter(std::io::stdout(), false)?;
    let mut screen = Terminal::new(CrosstermBackend::new(std::io::stdout()))?;
    screen.draw(|frame| draw(frame, &data, &state, &theme(&has)))?;
    while !matches!(event::read()?, Event::Key(_)) {}
    Ok(())
}

/// Data and state of a named scene.
fn scene(name: &str, size: (u16, u16)) -> (Data<'static>, State) {
    let state = |screen| State::new(screen, size);
    let with = |screen, mode| State { mode, ..state(screen) };
    let asking = |question| Mode::Asking(Dialog { question, selected: 0 });
    match name {
        "events" => (sample::session(), state(Screen::Events)),
        "filter" => {
            let purpose = Purpose::FilterEvents;
            let prompt =
                Prompt { purpose, text: ">1K free".to_owned(), error: None, is_old: false };
            (sample::session(), with(Screen::Events, Mode::Prompt(prompt)))
        }
        "sites" => (sample::session(), state(Screen::Sites)),
        "site" => (sample::session(), state(Screen::Site)),
        "flame" => (sample::session(), state(Screen::Flame)),
        "growth" => {
            let mut state = state(Screen::Flame);
            state.flame.measure = Measure::Delta;
            (Data { flame: sample::code::flame(true), ..sample::session() }, state)
        }
        "snapshots" => {
            let mut state = state(Screen::Snapshots);
            state.diff.pair = Pair { from: When::Mark(1), to: When::Now };
            (sample::session(), state)
        }
        "bysite" => {
            let growth = sample::code::growth();
            (Data { growth, ..sample::session() }, state(Screen::Overview))
        }
        "time" => {
            let mut state = state(Screen::Time);
            state.playback = Playback { at_s: Some(104.2), playing: true, speed: 2.0 };
            (sample::session(), state)
        }
        "output" => (sample::session(), state(Screen::Output)),
        "typing" => (sample::session(), with(Screen::Output, Mode::Typing)),
        "help" => (sample::session(), with(Screen::Overview, Mode::Help)),
        "chooser" => (sample::session(), state(Screen::Chooser)),
        "quit" => (sample::session(), with(Screen::Overview, asking(Question::Quit))),
        "clear" => (sample::session(), with(Screen::Overview, asking(Question::Clear))),
        "empty" => (sample::empty(), state(Screen::Overview)),
        "paused" => (sample::paused(), state(Screen::Overview)),
        "ended" => (sample::ended(), state(Screen::Overview)),
        "killed" => (sample::killed(), state(Screen::Overview)),
        _ => (sample::session(), state(Screen::Overview)),
    }
}

/// Cuts the lists to what fits, as memtop does.
fn cut(data: &mut Data, state: &State) {
    let room = memtop_ui::capacity(data, state);
    data.sizes.rows.truncate(room.sizes);
    data.growth.rows.truncate(room.growth);
    data.sites.rows.rows.truncate(room.sites);
    data.snapshots.diff.rows.rows.truncate(room.diff);
}

fn theme(has: &impl Fn(&str) -> bool) -> Theme {
    let palette = if has("light") { Palette::Light } else { Palette::Dark };
    let depths =
        [("none", ColorDepth::None), ("16", ColorDepth::Ansi16), ("256", ColorDepth::Ansi256)];
    let depth = depths.into_iter().find(|(word, _)| has(word)).map_or(ColorDepth::True, |(_, d)| d);
    let glyphs = match (has("ascii"), has("blocks")) {
        (true, _) => Glyphs::Ascii,
        (_, true) => Glyphs::Blocks,
        _ => Glyphs::Braille,
    };
    Theme::new(palette, depth, glyphs)
}
