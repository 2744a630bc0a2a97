//! Frames as a person sees them, from fixed data, at the sizes that matter.

mod drawing;

use drawing::{frame, frame_of, on_code, plain, sample, text, theme};
use insta::assert_snapshot;
use memtop_ui::choice::Playback;
use memtop_ui::data::{
    Baseline, Crumb, Data, DiffTotals, Grouping, Interval, Key, Listing, Measure, Origin, Output,
    RunState, Sort, SortKey, Source, When,
};
use memtop_ui::filter::CodeFilter;
use memtop_ui::state::{Bars, Dialog, Mode, Prompt, Purpose, Question};
use memtop_ui::theme::{ColorDepth, Glyphs};
use memtop_ui::{Screen, State, pane_size};

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
fn sizes_and_processes_at_every_size() {
    for (cols, rows) in [(40, 10), (80, 24), (120, 40), (200, 50)] {
        for (name, screen) in [("sizes", Screen::Sizes), ("processes", Screen::Processes)] {
            let frame = plain(sample::session(), screen, (cols, rows));
            assert_snapshot!(format!("{name}_{cols}x{rows}"), frame);
        }
    }
    for (name, screen) in [("sizes", Screen::Sizes), ("processes", Screen::Processes)] {
        assert_snapshot!(format!("{name}_empty"), plain(sample::empty(), screen, (80, 24)));
    }
}

#[test]
fn what_has_ended_is_not_said_to_hold_anything_together() {
    for (running, words) in [(1, "1 runs · 4 ended"), (3, "3 run · 4 ended")] {
        let mut data = sample::session();
        data.processes.sums.running = running;
        assert!(plain(data, Screen::Processes, (120, 40)).contains(words));
    }
    for size in [(80, 24), (120, 40)] {
        let mut data = sample::session();
        (data.processes.sums.running, data.processes.sums.live) = (0, 0);
        let frame = plain(data, Screen::Processes, size);
        assert!(frame.contains("4 ended") && !frame.contains("0 B live"), "{frame}");
    }
}

#[test]
fn why_a_process_is_not_traced_is_said_below_the_tree() {
    let mut data = sample::session();
    data.processes.rows.selected = 4;
    let frame = plain(data, Screen::Processes, (80, 24));
    assert!(frame.contains("4301 is not traced: gained privileges"), "{frame}");
}

#[test]
fn sums_that_lack_somebody_are_bounds_and_say_who_is_missing() {
    let with = |live_is_least, size| {
        let mut data = sample::session();
        data.processes.sums.unseen = 700;
        data.processes.sums.live_is_least = live_is_least;
        plain(data, Screen::Processes, size)
    };
    let frame = with(false, (120, 40));
    assert!(frame.contains("49.4 MiB live, ≥530,115 allocs"), "{frame}");
    assert!(frame.contains("700 images ended before this viewer came"), "{frame}");
    let frame = with(true, (120, 40));
    assert!(frame.contains("together ≥49.4 MiB live, ≥530,115"), "{frame}");
    assert!(with(true, (80, 24)).contains("700 images ended before"));
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
fn nothing_is_waited_for_where_something_is_live() {
    let mut data = sample::empty();
    let waits = |data| plain(data, Screen::Overview, (80, 24)).contains("waiting for the program");
    assert!(waits(sample::empty()));
    data.header.live = Some(1);
    assert!(!waits(data));
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

/// As [`sample::session`], where the person cleared at 1:20.
fn cleared() -> Data<'static> {
    let mut data = sample::session();
    data.header.tracing.cleared_s = Some(80.0);
    data.timeline.cleared_s = Some(80.0);
    data.growth.since = Baseline::Start;
    data
}

#[test]
fn a_clear_is_marked_and_what_was_traced_before_it_is_not_shaded() {
    let frame = plain(cleared(), Screen::Overview, (120, 40));
    assert!(frame.contains(" started 0:41") && frame.contains("cleared 1:20"), "{frame}");
    let shaded = |frame: &str| frame.matches('░').count();
    let before = plain(sample::session(), Screen::Overview, (120, 40));
    assert_eq!(shaded(&frame), shaded(&before));
    assert_snapshot!("overview_cleared", frame);
}

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 50)];

#[test]
fn code_screens_at_every_size() {
    for (name, screen) in [
        ("sites", Screen::Sites),
        ("site", Screen::Site),
        ("flame", Screen::Flame),
        ("snapshots", Screen::Snapshots),
    ] {
        for size @ (cols, rows) in SIZES {
            let frame = frame_of(sample::session(), &mut on_code(screen, size));
            assert_snapshot!(format!("{name}_{cols}x{rows}"), frame);
        }
    }
}

#[test]
fn code_screens_in_ascii() {
    for (name, screen) in [
        ("sites", Screen::Sites),
        ("site", Screen::Site),
        ("flame", Screen::Flame),
        ("snapshots", Screen::Snapshots),
        ("time", Screen::Time),
    ] {
        let theme = theme(ColorDepth::None, Glyphs::Ascii);
        let mut state = on_code(screen, (80, 24));
        let buffer = frame(&mut sample::session(), &mut state, &theme);
        let ascii = text(&buffer);
        let whole = frame_of(sample::session(), &mut on_code(screen, (80, 24)));
        let unknown = |text: &str| text.matches('?').count();
        assert!(ascii.is_ascii(), "{name}:\n{ascii}");
        assert_eq!(unknown(&ascii), unknown(&whole), "{name}:\n{ascii}");
        assert_snapshot!(format!("{name}_ascii"), text(&buffer));
    }
}

#[test]
fn code_screens_empty() {
    for (name, data) in [
        ("waiting", sample::empty()),
        ("paused", sample::paused()),
        ("without_stacks", sample::without_stacks()),
    ] {
        let screens = [Screen::Sites, Screen::Site, Screen::Flame, Screen::Snapshots];
        let frames = screens.map(|screen| {
            let mut state = on_code(screen, (80, 10));
            let theme = theme(ColorDepth::True, Glyphs::Braille);
            let mut data =
                Data { sites: data.sites.clone(), header: data.header.clone(), ..Data::default() };
            text(&frame(&mut data, &mut state, &theme))
        });
        assert_snapshot!(format!("code_{name}"), frames.join("\n"));
    }
}

#[test]
fn sites_narrowed_sorted_and_by_function() {
    let mut state = on_code(Screen::Sites, (120, 12));
    state.code.grouping = Grouping::Function;
    state.code.filter_text = "fn:dict -main".to_owned();
    state.code.filter = CodeFilter::parse(&state.code.filter_text).unwrap();
    state.sites.sort = Sort { by: SortKey::WithCallees, descending: false };
    state.frozen = true;
    let mut data = sample::session();
    data.sites.lower_bound = true;
    data.sites.unattributed_bytes = 4096;
    data.sites.rows.selected = 2;
    data.sites.rows.matching = 15;
    assert_snapshot!(frame_of(data, &mut state));
}

#[test]
fn a_site_with_a_cut_stack_and_no_source() {
    let mut data = sample::session();
    let site = data.site.as_mut().unwrap();
    site.stack.cut = true;
    site.stack.entries.truncate(4);
    site.source = Source::Unreadable {
        file: "/home/me/redis/src/dict.c".to_owned(),
        why: "No such file: the program was built elsewhere.".to_owned(),
    };
    (site.sizes, site.threads, site.lifetimes) = (Vec::new(), None, Vec::new());
    site.history.clear();
    let mut state = on_code(Screen::Site, (100, 24));
    state.site.entry = Some(2);
    state.site.all_frames = true;
    assert_snapshot!(frame_of(data, &mut state));
}

#[test]
fn flame_of_growth_zoomed_searched_and_inverted() {
    let mut data = sample::session();
    data.flame = sample::code::flame(true);
    data.flame.zoom = vec![Crumb { key: Key(1001), name: "main".to_owned() }];
    data.flame.nodes[3].matched = true;
    data.flame.matching = Some(13 << 20);
    data.flame.matches = 1;
    let mut state = on_code(Screen::Flame, (100, 16));
    state.flame.measure = Measure::Delta;
    state.flame.inverted = true;
    state.flame.selected = Some(data.flame.nodes[5].key);
    state.flame.top = 2;
    assert_snapshot!(frame_of(data, &mut state));
}

#[test]
fn diffs_that_cannot_be_made_or_show_nothing() {
    let mut data = sample::session();
    data.snapshots.diff.problem = Some("Mark 1 is of another process.".to_owned());
    assert_snapshot!("diff_problem", frame_of(data, &mut on_code(Screen::Snapshots, (80, 14))));
    let mut data = sample::session();
    data.snapshots.diff.rows = Listing::default();
    data.snapshots.diff.totals = DiffTotals { groups: [0, 0, 0, 0, 12], ..Default::default() };
    assert_snapshot!("diff_nothing", frame_of(data, &mut on_code(Screen::Snapshots, (80, 14))));
}

#[test]
fn growth_by_site() {
    for size @ (cols, rows) in [(60, 20), (80, 24), (120, 40), (200, 50)] {
        let data = Data { growth: sample::code::growth(), ..sample::session() };
        let frame = frame_of(data, &mut State::new(Screen::Overview, size));
        assert_snapshot!(format!("growth_by_site_{cols}x{rows}"), frame);
    }
}

#[test]
fn the_histogram_has_bars_wherever_it_is_shown() {
    for (cols, bars) in (80..=200).flat_map(|cols| [(cols, Bars::Bytes), (cols, Bars::Blocks)]) {
        let data = Data { growth: sample::code::growth(), ..sample::session() };
        let mut state = State { bars, ..State::new(Screen::Overview, (cols, 24)) };
        let frame = frame_of(data, &mut state);
        let longest = frame.lines().map(|row| row.matches('█').count()).max().unwrap();
        assert!(longest >= 7, "{cols} {bars:?}:\n{frame}");
    }
}

#[test]
fn events_say_who_at_80_columns_and_how_long_within_a_tick() {
    let frame = plain(sample::session(), Screen::Events, (80, 24));
    assert!(frame.contains(" tid ") && frame.contains(" redis-server "), "{frame}");
    let mut data = sample::session();
    data.events.rows.iter_mut().for_each(|event| event.age_s = Some(0.0));
    let frame = plain(data, Screen::Events, (80, 24));
    assert!(frame.contains("<100 ms") && !frame.contains(" 0 ns"), "{frame}");
}

#[test]
fn the_whole_of_help_is_seen_at_once_where_there_is_room() {
    let frame = in_mode(sample::session(), Screen::Overview, Mode::Help, (200, 50));
    for heading in ["Look around", "See what changed", "Move in lists and texts"] {
        assert!(frame.contains(heading), "{frame}");
    }
    assert!(!frame.contains("more below"), "{frame}");
    assert_snapshot!("help_200x50", frame);
}

#[test]
fn time_at_every_size_and_without_a_past() {
    for size @ (cols, rows) in SIZES {
        let mut state = State::new(Screen::Time, size);
        state.playback = Playback { at_s: Some(104.2), playing: true, speed: 2.0 };
        let frame = frame_of(sample::session(), &mut state);
        assert_snapshot!(format!("time_{cols}x{rows}"), frame);
    }
    assert_snapshot!("time_nothing", plain(sample::empty(), Screen::Time, (80, 10)));
}

#[test]
fn the_time_behind_the_moment_is_drawn_as_it_was_traced() {
    let mut data = sample::session();
    // What the other screens show, of a moment before the start.
    (data.time.at_s, data.timeline.intervals) = (30.0, Vec::new());
    let mut state = State::new(Screen::Time, (120, 40));
    state.playback.at_s = Some(30.0);
    let frame = frame_of(data, &mut state);
    assert!(frame.contains('┆'), "the start is drawn: {frame}");
}

#[test]
fn prompts() {
    for (name, purpose) in [
        ("code", Purpose::FilterCode),
        ("name", Purpose::NameMark(2)),
        ("save", Purpose::Save(When::Now)),
        ("load", Purpose::Load),
    ] {
        let prompt = Prompt { purpose, text: "abc".to_owned(), error: None, is_old: true };
        let screen = in_mode(sample::session(), Screen::Sites, Mode::Prompt(prompt), (80, 24));
        assert_snapshot!(format!("prompt_{name}"), screen.lines().last().unwrap());
    }
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
    let mut data = sample::session();
    data.header.stopped = true;
    data.output = Output::Terminal(parser.screen());
    assert_snapshot!("output_stopped", plain(data, Screen::Output, (80, 24)));
    let mut data = sample::ended();
    data.output = Output::Terminal(parser.screen());
    let ended = in_mode(data, Screen::Output, Mode::Typing, (80, 24));
    assert!(ended.contains("no key is read") && !ended.contains("keys go to"), "{ended}");
    let data = Data { output: Output::NotRecorded, ..sample::session() };
    assert!(plain(data, Screen::Output, (80, 24)).contains("Recordings hold no output"));
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
    for (name, question) in [
        ("quit", Question::Quit),
        ("left_behind", Question::LeftBehind),
        ("clear", Question::Clear),
    ] {
        let asking = Mode::Asking(Dialog { question, selected: 0 });
        let mut data = sample::session();
        data.header.left_behind = 2;
        let frame = in_mode(data, Screen::Overview, asking, (80, 24));
        assert_snapshot!(format!("dialog_{name}"), frame);
    }
}

#[test]
fn a_program_that_ends_while_it_is_asked_about_is_not_said_to_run() {
    let asking = Mode::Asking(Dialog { question: Question::Quit, selected: 0 });
    let mut data = sample::session();
    data.header.still_runs = false;
    data.header.state = RunState::Ended { code: Some(0) };
    let frame = in_mode(data, Screen::Overview, asking, (80, 24));
    assert!(frame.contains("has ended.") && !frame.contains("still runs"), "{frame}");
    assert!(frame.contains("d  leave") && !frame.contains("goes on"), "{frame}");
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
    for cols in (1..48).step_by(5) {
        for rows in 1..14 {
            let others = memtop_ui::state::SCREENS.iter().map(|(_, screen, _)| *screen);
            for screen in others.chain([Screen::Site, Screen::Chooser]) {
                plain(sample::session(), screen, (cols, rows));
            }
        }
    }
}

#[test]
fn the_history_of_a_site_is_drawn_as_far_as_it_was_read() {
    for (cols, rows) in [(80, 24), (200, 50)] {
        let mut data = sample::session();
        data.header.origin = Origin::Replay;
        let site = data.site.as_mut().unwrap();
        site.history.retain(|moment| moment.t_s <= 120.0);
        site.history_to_s = Some(120.0);
        let frame = frame_of(data, &mut on_code(Screen::Site, (cols, rows)));
        assert_snapshot!(format!("site_half_read_{cols}x{rows}"), frame);
    }
    let mut data = sample::session();
    let site = data.site.as_mut().unwrap();
    (site.history, site.history_to_s) = (Vec::new(), Some(0.0));
    let frame = frame_of(data, &mut on_code(Screen::Site, (200, 50)));
    assert!(frame.contains("read to 0:00") && frame.contains(" reading "), "{frame}");
}
