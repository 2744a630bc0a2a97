//! Key sequences in, states and effects out.

#[path = "../examples/sample/mod.rs"]
mod sample;

mod pressing;

use memtop_ui::data::{Baseline, Data, Origin, Output, Pair, Peak, RunState, Time, When};
use memtop_ui::format::clock;
use memtop_ui::state::{Bars, Mode, Question, SCREENS};
use memtop_ui::{Action, Effect, Leave, Screen, State, update};
use pressing::{effects, press};

#[test]
fn quitting_asks_once_while_the_program_runs() {
    let data = sample::session();
    let (state, effects_) = press(Screen::Overview, &data, "q");
    assert!(matches!(state.mode, Mode::Asking(_)));
    assert_eq!(effects_, []);
    for (text, how) in [
        ("qd", Leave::Detach),
        ("q<Enter>", Leave::Detach),
        ("<C-c><C-c>", Leave::Detach),
        ("qe", Leave::EndProgram),
        ("q<Down><Enter>", Leave::EndProgram),
    ] {
        assert_eq!(effects(&data, text), [Effect::Quit(how)], "{text}");
    }
    for text in ["qs", "q<Esc>", "qj<Down><Down><Enter>"] {
        let (state, effects) = press(Screen::Overview, &data, text);
        assert_eq!((state.mode, effects), (Mode::Browse, vec![]), "{text}");
    }
}

#[test]
fn quitting_leaves_at_once_when_there_is_nothing_to_decide() {
    assert_eq!(effects(&sample::ended(), "q"), [Effect::Quit(Leave::Leave)]);
    assert_eq!(effects(&sample::killed(), "<C-c>"), [Effect::Quit(Leave::Leave)]);
    let mut joined = sample::session();
    joined.header.origin = Origin::Embedded;
    assert_eq!(effects(&joined, "q"), [Effect::Quit(Leave::Detach)]);
    for origin in [Origin::Launched, Origin::Joined] {
        joined.header.origin = origin;
        joined.header.read_only = true;
        assert_eq!(effects(&joined, "q"), [Effect::Quit(Leave::Detach)], "only looks: {origin:?}");
        joined.header.read_only = false;
        assert_eq!(effects(&joined, "qe"), [Effect::Quit(Leave::EndProgram)], "{origin:?}");
    }
    assert_eq!(press(Screen::Chooser, &joined, "q").1, [Effect::Quit(Leave::Leave)]);
}

#[test]
fn screens_follow_digits_and_tab() {
    let data = sample::session();
    let screen = |text: &str| press(Screen::Overview, &data, text).0.screen;
    assert_eq!(screen("7"), Screen::Output);
    assert_eq!(screen("91"), Screen::Overview);
    assert_eq!(screen("<Tab>"), Screen::Sites);
    assert_eq!(screen(&"<Tab>".repeat(SCREENS.len())), Screen::Overview);
    assert_eq!(screen("<BackTab>"), Screen::Events);
    assert_eq!(screen("9<Esc>"), Screen::Overview);
    assert_eq!(screen("0"), Screen::Overview, "screens that do not exist have no key");
}

#[test]
fn two_marks_of_a_replay_are_compared_in_the_order_of_time() {
    let pair = |first_s: f64, then_s: f64| {
        let mut data = Data { time: Time::default(), ..sample::session() };
        let mut state = State::new(Screen::Overview, (80, 24));
        for moment in [first_s, then_s] {
            data.timeline.now_s = moment;
            let _ = update(&mut state, Action::Mark, &data);
        }
        state.diff.pair
    };
    let (one, two) = (When::Mark(1), When::Mark(2));
    assert_eq!(pair(10.0, 20.0), Pair { from: one, to: two });
    assert_eq!(pair(20.0, 10.0), Pair { from: two, to: one });
}

#[test]
fn marks_are_numbered_and_growth_is_measured_from_the_last() {
    let recorded = sample::session();
    assert_eq!(effects(&recorded, "s"), [Effect::Marked(3)], "two were recorded before");
    let data = Data { time: Time::default(), ..sample::session() };
    let (state, effects) = press(Screen::Overview, &data, "ss");
    assert_eq!(effects, [Effect::Marked(1), Effect::Marked(2)]);
    assert_eq!(state.marks.len(), 2);
    assert_eq!(state.marks[1].t_s, data.timeline.now_s);
    assert_eq!(state.baseline, Baseline::Mark(2));
    let baseline = |text| press(Screen::Overview, &data, text).0.baseline;
    assert_eq!(baseline("ssb"), Baseline::Start);
    assert_eq!(baseline("ssbb"), Baseline::Mark(1));
    assert!(press(Screen::Overview, &data, "b").0.notice.is_some(), "says why nothing happened");
    let said = |text| press(Screen::Flame, &data, text).0.notice.map(|notice| notice.text);
    let at = clock(data.timeline.now_s);
    let mark = format!("mark 2 at {at}: growth is measured from here, d compares");
    assert_eq!(said("ss"), Some(mark), "where marks are not seen");
    assert_eq!(said("ssb").as_deref(), Some("growth is measured from the start"));
    assert_eq!(said("ssbv"), None, "until the next key");
}

#[test]
fn tracing_is_paused_resumed_and_cleared_by_who_may() {
    let mut data = sample::session();
    assert_eq!(effects(&data, "p"), [Effect::StopTracing]);
    assert_eq!(effects(&data, "cc"), [Effect::Clear]);
    assert_eq!(effects(&data, "c<Enter>"), [], "the safe answer comes first");
    data.header.tracing.on = false;
    assert_eq!(effects(&data, "p"), [Effect::StartTracing]);
    data.header.read_only = true;
    let (state, effects_) = press(Screen::Overview, &data, "pc");
    assert_eq!(effects_, []);
    assert!(state.notice.unwrap().text.contains("read-only"));
    data.header.read_only = false;
    data.header.state = RunState::Ended { code: Some(1) };
    assert_eq!(effects(&data, "p"), []);
}

#[test]
fn typing_sends_every_key_but_one() {
    let parser = sample::screen(78, 19);
    let mut data = sample::session();
    data.output = Output::Terminal(parser.screen());
    let (state, effects) = press(Screen::Output, &data, "iq<C-c><Enter><Esc>");
    assert_eq!(state.mode, Mode::Typing);
    let sent: Vec<u8> = effects
        .into_iter()
        .flat_map(|effect| match effect {
            Effect::SendInput(bytes) => bytes,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sent, b"q\x03\r\x1b");
    let (state, effects) = press(Screen::Output, &data, "<Enter><C-]>q");
    assert!(matches!(state.mode, Mode::Asking(_)), "q is ours again");
    assert_eq!(effects, []);
}

#[test]
fn typing_to_a_program_that_is_stopped_continues_it() {
    let parser = sample::screen(78, 19);
    let mut data = sample::session();
    data.output = Output::Terminal(parser.screen());
    data.header.stopped = true;
    let (state, effects) = press(Screen::Output, &data, "i");
    assert_eq!((state.mode, effects), (Mode::Typing, vec![Effect::Continue]));
    data.header.read_only = true;
    let (state, effects) = press(Screen::Output, &data, "i");
    assert_eq!((state.mode, effects), (Mode::Browse, vec![]));
}

#[test]
fn what_an_ended_program_left_behind_is_asked_about() {
    let mut data = sample::ended();
    assert_eq!(press(Screen::Overview, &data, "q").1, [Effect::Quit(Leave::Leave)]);
    data.header.left_behind = 2;
    let (state, effects) = press(Screen::Overview, &data, "q");
    let asked = |mode| matches!(mode, Mode::Asking(one) if one.question == Question::LeftBehind);
    assert!(asked(state.mode) && effects.is_empty());
    let leaves = [("qd", Leave::Detach), ("qe", Leave::EndProgram)];
    for (keys, leave) in leaves {
        assert_eq!(press(Screen::Overview, &data, keys).1, [Effect::Quit(leave)]);
    }
    data.header.read_only = true;
    assert_eq!(press(Screen::Overview, &data, "q").1, [Effect::Quit(Leave::Detach)]);
}

#[test]
fn pasted_text_goes_where_text_is_expected() {
    let parser = sample::screen(78, 19);
    let mut data = sample::session();
    data.output = Output::Terminal(parser.screen());
    let mut state = press(Screen::Output, &data, "i").0;
    let effect = update(&mut state, Action::Paste("ls\n".into()), &data);
    assert_eq!(effect, Effect::SendInput(b"ls\r".to_vec()));
    let mut state = press(Screen::Events, &data, "/").0;
    assert_eq!(update(&mut state, Action::Paste(">1K\n".into()), &data), Effect::Redraw);
    assert!(matches!(&state.mode, Mode::Prompt(input) if input.text == ">1K"));
    let mut state = press(Screen::Overview, &data, "").0;
    assert_eq!(update(&mut state, Action::Paste("q".into()), &data), Effect::None);
}

#[test]
fn typing_needs_a_terminal_and_a_program() {
    let data = sample::session();
    let (state, _) = press(Screen::Output, &data, "i");
    assert_eq!(state.mode, Mode::Browse);
    assert!(state.notice.is_some());
}

#[test]
fn the_output_scrolls_back_as_far_as_there_are_lines() {
    let parser = sample::screen(78, 19);
    let mut data = sample::session();
    data.output = Output::Terminal(parser.screen());
    let back = |text| press(Screen::Output, &data, text).0.scrollback;
    assert_eq!(back("kk<Down>"), 1);
    assert_eq!(back("g"), parser.screen().scrollback_len());
    assert_eq!(back("gG"), 0);
}

#[test]
fn a_filter_is_typed_applied_and_taken_away() {
    let data = sample::session();
    let (state, _) = press(Screen::Events, &data, "/>1Kx<Backspace> free<Enter>");
    assert_eq!((state.mode.clone(), state.filter_text.as_str()), (Mode::Browse, ">1K free"));
    assert!(!state.filter.is_empty());
    let (state, _) = press(Screen::Events, &data, "/>q<Enter>");
    assert!(matches!(&state.mode, Mode::Prompt(input) if input.error.is_some()));
    let (state, _) = press(Screen::Events, &data, "/free<Enter><Esc>");
    assert!(state.filter.is_empty() && state.filter_text.is_empty());
    // An old filter gives way to what is typed, and can be edited all the same.
    let (state, _) = press(Screen::Events, &data, "/free<Enter>/alloc<Enter>");
    assert_eq!(state.filter_text, "alloc");
    let (state, _) = press(Screen::Events, &data, "/free<Enter>/<Backspace>x<Enter>");
    assert_eq!(state.filter_text, "frex");
    let (state, _) = press(Screen::Events, &data, "/free<Enter>/<Enter>");
    assert_eq!(state.filter_text, "free");
    let (state, _) = press(Screen::Events, &data, "/free<Esc>");
    assert!(state.filter.is_empty() && state.mode == Mode::Browse);
}

#[test]
fn scrolling_events_freezes_them_until_space() {
    let data = sample::session();
    let (state, _) = press(Screen::Events, &data, "jj");
    assert!(state.frozen && state.events_scroll == 2);
    let (state, _) = press(Screen::Events, &data, "jj<Space>");
    assert!(!state.frozen && state.events_scroll == 0);
    assert!(press(Screen::Overview, &data, "Z").0.frozen);
}

#[test]
fn zoom_theme_bars_and_processes() {
    let mut data = sample::session();
    let state = press(Screen::Overview, &data, "++vT").0;
    assert_eq!((state.zoom_s, state.bars), (Some(60.0), Bars::Blocks));
    assert_eq!(press(Screen::Overview, &data, "++-").0.zoom_s, Some(120.0));
    assert_eq!(press(Screen::Overview, &data, "++=").0.zoom_s, None);
    assert_eq!(effects(&data, "T<C-l><C-z>"), [Effect::Repaint, Effect::Repaint, Effect::Suspend]);
    assert!(press(Screen::Overview, &data, ">").0.notice.is_some());
    data.header.process.count = 3;
    assert_eq!(press(Screen::Overview, &data, ">>").0.process, 2);
    assert_eq!(press(Screen::Overview, &data, ">>>").0.process, 0);
    assert_eq!(press(Screen::Overview, &data, "<lt>").0.process, 2);
}

#[test]
fn the_chooser_joins_what_is_selected() {
    let data = sample::session();
    assert_eq!(press(Screen::Chooser, &data, "j<Enter>").1, [Effect::Join(1)]);
    assert_eq!(press(Screen::Chooser, &data, "jjjjjk<Enter>").1, [Effect::Join(2)]);
    assert_eq!(press(Screen::Chooser, &Data::default(), "<Enter>").1, []);
    assert_eq!(press(Screen::Chooser, &data, "7sp").1, [], "there is no program to act on yet");
}

#[test]
fn help_opens_scrolls_and_closes() {
    let data = sample::session();
    let (state, _) = press(Screen::Overview, &data, "?jj");
    assert_eq!((state.mode, state.help_scroll), (Mode::Help, 2));
    let (state, effects) = press(Screen::Overview, &data, "?q");
    assert_eq!((state.mode, effects), (Mode::Browse, vec![]));
}

#[test]
fn the_scale_is_remembered_between_frames() {
    let mut data = sample::session();
    let mut state = State::new(Screen::Overview, (80, 24));
    state.observe_scale(&data);
    let before = state.extent;
    data.timeline.peak = Some(Peak { bytes: 1 << 30, t_s: Some(150.0) });
    state.observe_scale(&data);
    assert_ne!(state.extent, before);
}
