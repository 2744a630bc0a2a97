//! Key sequences in, states and effects out: the screens of code, snapshots and time.

#[path = "../examples/sample/mod.rs"]
mod sample;

mod pressing;

use memtop_ui::data::{Crumb, Data, Grouping, GrowthBy, Key, Measure, Sort, SortKey, When};
use memtop_ui::state::{Bars, Mode};
use memtop_ui::theme::{ColorDepth, Glyphs, Palette};
use memtop_ui::update::advance;
use memtop_ui::{Action, Effect, Screen, State, Theme, draw, filter::CodeFilter, keymap, update};
use pressing::{keys, press};
use ratatui::{Terminal, backend::TestBackend};

#[test]
fn the_selection_follows_the_thing_when_the_order_changes() {
    let mut data = sample::session();
    let (mut state, _) = press(Screen::Sites, &data, "j");
    let chosen = data.sites.rows.rows[1].key;
    assert_eq!(state.sites.cursor.key, Some(chosen));
    // What the engine does after another reading:
    data.sites.rows.rows.reverse();
    let rank = |key| data.sites.rows.rows.iter().position(|row| row.key == key);
    let window = state.sites.cursor.window(data.sites.rows.rows.len(), 18, rank);
    assert_eq!(Some(window.selected), rank(chosen));
    data.sites.rows.selected = window.selected;
    state.observe_lengths(&data);
    assert_eq!((state.sites.cursor.key, state.sites.cursor.row), (Some(chosen), 13));
    assert_eq!(press(Screen::Sites, &data, "<Enter>").0.site.key, chosen);
}

#[test]
fn sites_are_sorted_by_keys_and_columns() {
    let data = sample::session();
    let sort = |text| press(Screen::Sites, &data, text).0.sites.sort;
    assert_eq!(sort("D"), Sort::descending(SortKey::DeltaBytes));
    assert_eq!(sort("DD"), Sort { by: SortKey::DeltaBytes, descending: false });
    assert_eq!(sort("DDa"), Sort::descending(SortKey::Allocations));
    assert_eq!(sort("I"), Sort { by: SortKey::Live, descending: false });
    assert_eq!(sort("<Right>"), Sort::descending(SortKey::DeltaBytes), "callees are left out");
    assert_eq!(sort("m<Right>"), Sort::descending(SortKey::WithCallees));
    assert_eq!(sort("<Right><Left>"), Sort::default());
    assert_eq!(sort("t"), Sort::descending(SortKey::WithCallees), "until they are asked for");
    assert_eq!(sort("t<Right>"), Sort::descending(SortKey::DeltaBytes));
    assert_eq!(sort("mtm"), Sort::descending(SortKey::WithCallees));
    assert_eq!(sort("mtmmm"), Sort::default(), "threads have no callees to sort by");
    assert!(press(Screen::Sites, &data, "mmmmmt").0.notice.is_some(), "nor has a stack");
}

#[test]
fn a_site_is_opened_walked_and_left_for_where_it_was_opened() {
    let data = sample::session();
    let (state, _) = press(Screen::Sites, &data, "<Enter>");
    assert_eq!((state.screen, state.site.key), (Screen::Site, data.sites.rows.rows[0].key));
    let on = |text| press(Screen::Site, &data, text).0;
    assert_eq!(on("j").site.entry, Some(2), "the first call is selected at first");
    assert_eq!(on("jk").site.entry, Some(1));
    assert_eq!(on("G").site.entry, Some(13));
    assert_eq!(on("]]").site.stack, 2);
    assert_eq!(on("]]]").site.stack, 0);
    assert_eq!(on("[").site.stack, 2);
    assert_eq!((on("f").site.all_frames, on("jf").site.entry), (true, None));
    assert!(!on("f").code.all_frames, "what was opened is not summed anew");
    assert!(press(Screen::Sites, &data, "f<Enter>").0.site.all_frames, "as on the list");
    let (state, _) = press(Screen::Snapshots, &data, "<Enter>f<Esc>");
    assert_eq!((state.screen, state.code.all_frames), (Screen::Snapshots, false));
    assert_eq!(press(Screen::Sites, &data, "<Enter><Esc>").0.screen, Screen::Sites);
    assert_eq!(press(Screen::Snapshots, &data, "<Enter><Esc>").0.screen, Screen::Snapshots);
    assert!(on("/").notice.is_some(), "there is nothing to narrow");
}

#[test]
fn code_is_filtered_on_all_its_screens_at_once() {
    let data = sample::session();
    let (state, _) = press(Screen::Sites, &data, "/fn:dict -main<Enter>3");
    assert_eq!(state.code.filter_text, "fn:dict -main");
    assert_eq!(press(Screen::Sites, &data, "/x<Enter>3<Esc>").0.code.filter_text, "");
    assert_eq!(press(Screen::Sites, &data, "/x<Enter>3<Esc>").0.screen, Screen::Flame);
    let (state, _) = press(Screen::Sites, &data, "/size><Enter>");
    assert!(matches!(&state.mode, Mode::Prompt(prompt) if prompt.error.is_some()));
    assert!(state.filter.is_empty(), "events have a filter of their own");
}

#[test]
fn the_flame_is_walked_along_the_tree() {
    let data = sample::session();
    let name = |text| {
        let state = press(Screen::Flame, &data, text).0;
        let node = data.flame.nodes.iter().find(|node| Some(node.key) == state.flame.selected);
        node.map_or("", |node| &node.name.text).to_owned()
    };
    assert_eq!(name("j"), "main");
    assert_eq!(name("jj"), "aeMain");
    assert_eq!(name("jjl"), "Index::insert");
    assert_eq!(name("jj<Right><Right>"), "moduleLoad");
    assert_eq!(name("jjlh"), "aeMain");
    assert_eq!(name("jjk"), "main");
    assert_eq!(name("G"), "dictAdd", "down the heaviest path");
    assert_eq!(name("Gg"), "redis-server");
    assert_eq!(press(Screen::Flame, &data, "G").0.flame.top, 0, "twelve rows fit");
}

#[test]
fn the_flame_zooms_in_and_out() {
    let mut data = sample::session();
    let key = |text: &str| {
        data.flame.nodes.iter().find(|node| node.name.text == text).map(|node| node.key)
    };
    let (main, loop_) = (key("main"), key("aeMain"));
    assert_eq!(press(Screen::Flame, &data, "jj<Enter>").0.flame.zoom, loop_);
    assert_eq!(press(Screen::Flame, &data, "jj<Enter><Esc>").0.flame.zoom, None);
    assert_eq!(press(Screen::Flame, &data, "jj<Enter>i").0.flame.zoom, None, "another tree");
    let crumb = |key: Option<Key>| Crumb { key: key.unwrap(), name: String::new() };
    data.flame.zoom = vec![crumb(main), crumb(loop_)];
    assert_eq!(press(Screen::Flame, &data, "<Backspace>").0.flame.zoom, main);
    data.flame.zoom.pop();
    assert_eq!(press(Screen::Flame, &data, "<Backspace>").0.flame.zoom, None);
}

#[test]
fn the_flame_goes_from_match_to_match() {
    let mut data = sample::session();
    assert!(press(Screen::Flame, &data, "n").0.notice.is_some());
    for at in [3, 7] {
        data.flame.nodes[at].matched = true;
    }
    let at = |text| {
        let selected = press(Screen::Flame, &data, text).0.flame.selected;
        data.flame.nodes.iter().position(|node| Some(node.key) == selected)
    };
    assert_eq!((at("n"), at("nn"), at("nnn")), (Some(3), Some(7), Some(3)));
    assert_eq!((at("N"), at("NN")), (Some(7), Some(3)));
}

#[test]
fn measures_follow_the_key_and_growth_has_one_of_its_own() {
    let data = sample::session();
    let measure = |screen, text| press(screen, &data, text).0.flame.measure;
    assert_eq!(measure(Screen::Flame, "v"), Measure::AtPeak);
    assert_eq!(measure(Screen::Flame, "vvvv"), Measure::Live);
    let (state, _) = press(Screen::Snapshots, &data, "v");
    assert_eq!((state.screen, state.flame.measure), (Screen::Flame, Measure::Delta));
}

#[test]
fn the_pair_is_chosen_from_the_moments() {
    let data = sample::session();
    let pair = |text| {
        let pair = press(Screen::Snapshots, &data, text).0.diff.pair;
        (pair.from, pair.to)
    };
    assert_eq!(pair(""), (When::Start, When::Now));
    assert_eq!(pair("["), (When::Mark(1), When::Now));
    assert_eq!(pair("[{"), (When::Start, When::Now));
    assert_eq!(pair("{"), (When::File(1), When::Now), "the other side is left out");
    assert_eq!(pair("}"), (When::Start, When::File(1)));
    assert_eq!(pair("]"), (When::Start, When::Mark(1)));
    assert_eq!(pair("s"), (When::Mark(3), When::Now), "a mark is what is compared with");
    assert_eq!(pair("sb"), (When::Start, When::Now));
}

#[test]
fn marks_are_named_and_moments_saved_and_loaded() {
    let data = sample::session();
    let run = |text| press(Screen::Snapshots, &data, text);
    let (state, effects) = run("snwarm<Enter>");
    assert_eq!(state.marks[0].name.as_deref(), Some("warm"));
    assert_eq!(effects, [Effect::Marked(3), Effect::Named(3)]);
    assert_eq!(run("snwarm<Enter>ncold<Enter>").0.marks[0].name.as_deref(), Some("cold"));
    let (state, _) = run("snwarm<Enter>n<Backspace><Backspace><Backspace><Backspace><Enter>");
    assert_eq!(state.marks[0].name, None);
    assert!(run("n").0.notice.is_some(), "there is no mark");
    let save = |file: &str| Effect::SaveSnapshot(When::Now, file.to_owned());
    assert_eq!(run("w<Enter>").1, [save("redis-server-4242-192s.memtop")]);
    assert_eq!(run("wa b.memtop<Enter>").1, [save("a b.memtop")]);
    assert_eq!(run("L/tmp/a.memtop<Enter>").1, [Effect::LoadSnapshot("/tmp/a.memtop".into())]);
    let (state, effects) = run("L<Enter>");
    assert!(matches!(&state.mode, Mode::Prompt(prompt) if prompt.error.is_some()));
    assert_eq!(effects, []);
}

#[test]
fn growth_is_told_by_site_or_by_size() {
    let data = sample::session();
    let by = |text| press(Screen::Overview, &data, text).0.code.growth;
    assert_eq!((by(""), by("m"), by("mm")), (GrowthBy::Site, GrowthBy::Size, GrowthBy::Site));
}

#[test]
fn time_is_gone_through_by_ticks_columns_stops_and_jumps() {
    let data = sample::session();
    let seek = |at| vec![Effect::Seek(Some(at))];
    let from = |at: f64, text: &str| {
        let mut state = State::new(Screen::Time, (80, 24));
        state.playback.at_s = Some(at);
        let mut last = Vec::new();
        for key in keys(text) {
            let action = keymap::dispatch(&state, key).unwrap();
            last = vec![update(&mut state, action, &data)];
        }
        last
    };
    assert_eq!(from(104.2, "."), seek(104.3));
    assert_eq!(from(104.2, ","), seek(104.1));
    assert_eq!(from(100.0, "<Right>"), seek(101.92));
    assert_eq!(from(104.2, "]"), seek(130.2));
    assert_eq!(from(104.2, "["), seek(96.0));
    assert_eq!(from(104.2, "n"), seek(171.0));
    assert_eq!(from(104.2, "P"), seek(130.2));
    assert_eq!(from(104.2, "g"), seek(41.3));
    assert_eq!(from(104.2, "G"), [Effect::Seek(None)]);
    assert_eq!(from(0.5, "<Left>"), seek(0.0), "not before the beginning");
    assert_eq!(from(191.5, "<Right>"), [Effect::Seek(None)], "the end is the present");
    let (state, effects) = press(Screen::Time, &sample::empty(), "]");
    assert!(state.notice.is_some() && effects.is_empty());
}

#[test]
fn playing_goes_on_at_its_speed_and_ends_at_the_end() {
    let data = sample::session();
    let mut state = press(Screen::Time, &data, "<Space>++").0;
    assert!(state.playback.playing && !state.frozen);
    assert_eq!(state.playback.at_s, Some(0.0), "from the end it begins anew");
    assert_eq!(state.playback.speed, 5.0);
    assert_eq!(advance(&mut state, 2.0, &data), Effect::Seek(Some(10.0)));
    assert_eq!(advance(&mut state, 60.0, &data), Effect::Seek(None));
    assert!(!state.playback.playing);
    assert_eq!(advance(&mut state, 1.0, &data), Effect::None);
    let (state, effects) = press(Screen::Time, &data, "<Space><Esc>");
    assert_eq!((state.playback.at_s, state.screen), (None, Screen::Time), "the present first");
    assert_eq!(effects, [Effect::Seek(Some(0.0)), Effect::Seek(None)]);
    let state = press(Screen::Time, &data, "<Space>]").0;
    assert!(!state.playback.playing, "a jump stops it");
}

#[test]
fn a_process_is_chosen_in_the_tree() {
    let data = sample::session();
    let chosen = |text| press(Screen::Processes, &data, text).0;
    assert_eq!(chosen("<Enter>").process, 0);
    let state = chosen("jjx");
    assert_eq!(state.tree.row, 1, "the list says what is selected, not the keys alone");
    let mut data = sample::session();
    data.processes.rows.selected = 7;
    assert_eq!(press(Screen::Processes, &data, "<Enter>").0.process, 4304 % 7);
    data.processes.rows.selected = 4;
    let (state, _) = press(Screen::Processes, &data, "<Enter>");
    assert!(state.process == 0 && state.notice.is_some(), "it is not traced");
    assert_eq!(press(Screen::Sizes, &data, "v").0.bars, Bars::Blocks);
}

#[test]
fn no_key_does_harm_where_there_is_nothing_to_show() {
    let screens = [
        Screen::Chooser,
        Screen::Overview,
        Screen::Sites,
        Screen::Site,
        Screen::Flame,
        Screen::Snapshots,
        Screen::Sizes,
        Screen::Processes,
        Screen::Output,
        Screen::Time,
        Screen::Events,
    ];
    let (nothing, empty, ended) = (Data::default(), sample::empty(), sample::ended());
    let data = [&nothing, &empty, &ended];
    let bindings = keymap::BINDINGS.iter().map(|binding| &binding.action);
    for action in bindings {
        for (screen, data) in screens.iter().flat_map(|screen| data.map(|data| (*screen, data))) {
            let mut state = State::new(screen, (80, 24));
            state.code.filter = CodeFilter::parse("thread:io main size>1").unwrap();
            // Once more after what it changed, with what it led to drawn.
            for _ in 0..2 {
                let _ = update(&mut state, action.clone(), data);
                let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
                let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
                terminal.draw(|frame| draw(frame, data, &state, &theme)).unwrap();
            }
        }
    }
    // As it was found: a search of nothing.
    let (state, _) = press(Screen::Flame, &nothing, "/main<Enter>nN");
    assert!(state.notice.is_some_and(|notice| notice.text.contains("nothing that shows")));
}

#[test]
fn a_thread_leads_to_where_it_asked() {
    for (tid, word) in [(4242, "thread:4242"), (0, "thread:ended")] {
        let mut data = sample::session();
        data.sites.rows.rows[0].key = Key(tid);
        let mut state = State::new(Screen::Sites, (80, 24));
        state.code.grouping = Grouping::Thread;
        let _ = update(&mut state, Action::Choose, &data);
        assert_eq!((state.screen, state.code.grouping), (Screen::Sites, Grouping::Site));
        assert_eq!((state.code.filter_text.as_str(), state.chooses_by_thread()), (word, true));
    }
}

#[test]
fn what_calls_nothing_is_called_by_its_name() {
    for (grouping, words) in [(Grouping::Stack, "a stack calls"), (Grouping::Thread, "a thread")] {
        for screen in [Screen::Sites, Screen::Snapshots] {
            let mut state = State::new(screen, (80, 24));
            state.code.grouping = grouping;
            for key in keys("t") {
                let action = keymap::dispatch(&state, key).unwrap();
                let _ = update(&mut state, action, &sample::session());
            }
            let said = state.notice.map(|notice| notice.text).unwrap_or_default();
            assert!(said.starts_with(words), "{said}");
        }
    }
}
