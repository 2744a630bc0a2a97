//! What the screens say, whatever they look like.

mod drawing;

use drawing::{frame_of, on_code, sample};
use memtop_ui::data::{
    Baseline, Data, Diff, Events, Grouping, Header, Measure, Origin, Pair, RunState, SitesKnown,
    SortKey, TimeSource, When,
};
use memtop_ui::filter::CodeFilter;
use memtop_ui::{Screen, State};

#[test]
fn threads_say_what_is_known_of_them_and_what_filters_apply() {
    let shown = |grouping, filter: &str, rows: usize| {
        let mut data = sample::session();
        data.sites.rows.rows.truncate(rows);
        data.sites.total = 1;
        let mut state = on_code(Screen::Sites, (120, 24));
        state.code.grouping = grouping;
        state.code.filter_text = filter.to_owned();
        state.code.filter = CodeFilter::parse(filter).unwrap();
        frame_of(data, &mut state)
    };
    let gone = shown(Grouping::Site, "thread:io", 0);
    assert!(gone.contains("Nothing matches") && gone.contains("thread:ended"), "{gone}");
    assert!(shown(Grouping::Thread, "file:dict.c", 0).contains("do not apply to threads"));
    assert!(shown(Grouping::Thread, "io", 0).contains("Nothing matches"));
    let one = shown(Grouping::Site, "", 1);
    assert!(one.contains("1 site ") && !one.contains("1 sites"), "{one}");
    let blocks = |grouping| {
        let frame = shown(grouping, "", 1);
        let rows: Vec<&str> = frame.lines().collect();
        let heading = rows.iter().position(|row| row.contains(" blocks ")).unwrap();
        let before = rows[heading].rsplit_once(" blocks ").unwrap().0.chars().count();
        rows[heading + 1].chars().nth(before + " blocks".len() - 1)
    };
    assert_eq!(blocks(Grouping::Thread), Some('–'));
    assert_ne!(blocks(Grouping::Site), Some('–'));
}

#[test]
fn a_replay_offers_what_it_can_do() {
    let mut data = sample::session();
    data.header.origin = Origin::Replay;
    let overview = frame_of(data, &mut State::new(Screen::Overview, (200, 24)));
    assert!(!overview.lines().last().unwrap().contains("p pause"), "{overview}");
}

#[test]
fn only_what_lives_has_a_now() {
    let words = |origin, state: RunState, at_s| {
        let mut data = sample::session();
        (data.header.origin, data.header.state) = (origin, state);
        let mut state = on_code(Screen::Snapshots, (80, 24));
        state.playback.at_s = at_s;
        state.diff.pair = Pair { from: When::Mark(1), to: When::Now };
        frame_of(data, &mut state)
    };
    let ended = || RunState::Ended { code: Some(0) };
    for (origin, state, at_s, word) in [
        (Origin::Launched, RunState::Running, None, "now"),
        (Origin::Launched, RunState::Running, Some(99.0), "then"),
        (Origin::Launched, ended(), None, "end"),
        // A recording that was cut ends while its program runs.
        (Origin::Replay, RunState::Running, None, "end"),
        (Origin::Replay, ended(), Some(99.0), "then"),
    ] {
        let frame = words(origin, state.clone(), at_s);
        assert!(frame.contains(&format!("mark 1 → {word} ")), "{frame}");
        let is_row = |row: &str| row.contains(&format!("] to   {word} "));
        assert!(frame.lines().any(is_row), "{frame}");
        let mut data = sample::session();
        (data.header.origin, data.header.state) = (origin, state);
        for screen in [Screen::Overview, Screen::Site] {
            let mut state = on_code(screen, (200, 50));
            state.playback.at_s = at_s;
            let frame =
                frame_of(Data { header: data.header.clone(), ..sample::session() }, &mut state);
            assert!(frame.contains(&format!("─ {word} ")), "{frame}");
        }
    }
}

#[test]
fn stops_have_the_names_of_their_marks_and_the_axis_ends_at_the_moment() {
    let mut data = sample::session();
    data.timeline.marks[0].name = Some("before the import".to_owned());
    let frame = frame_of(data, &mut State::new(Screen::Time, (120, 40)));
    assert!(frame.contains("mark 1 · before the import"), "{frame}");
    let axis = |now_s: f64| {
        let mut data = sample::session();
        data.timeline.now_s = now_s;
        let frame = frame_of(data, &mut State::new(Screen::Overview, (80, 24)));
        frame.lines().find(|row| row.contains("0 ┼")).unwrap().to_owned()
    };
    assert!(axis(192.0).contains("─2─"), "{}", axis(192.0));
    let early = axis(139.0);
    assert!(early.contains("─1─") && !early.contains('2'), "{early}");
}

/// Sites of the past are those of the last look at them.
#[test]
fn screens_say_of_when_their_sites_are() {
    let shown = |screen, size| {
        let mut data = sample::session();
        data.growth = sample::code::growth();
        data.sites_as_of_s = Some(191.44);
        data.sites.unattributed_bytes = 4096;
        data.snapshots.diff.as_of_s = [None, Some(191.44)];
        let mut state = on_code(screen, size);
        state.diff.pair = Pair { from: When::Mark(1), to: When::Now };
        frame_of(data, &mut state)
    };
    for size in [(80, 24), (200, 50)] {
        let wanted = [
            (Screen::Overview, "Grew since mark 1 ", " as of 3:11.4 ╮"),
            (Screen::Sites, " Sites ", " as of 3:11.4 ·"),
            (Screen::Flame, " Flame ", " sites as of 3:11.4 ·"),
            (Screen::Site, "as of 3:11.4   live ", "as of 3:11.4"),
            (Screen::Snapshots, "now as of 3:11.4   +", "now as of 3:11.4"),
        ];
        for (screen, one, other) in wanted {
            let frame = shown(screen, size);
            let said = frame.lines().any(|row| row.contains(one) && row.contains(other));
            assert!(said, "{screen:?} {size:?}\n{frame}");
            // What is live now is not what sites of another moment come to.
            assert!(!frame.contains("in no site"), "{frame}");
        }
    }
    let plain = frame_of(sample::session(), &mut on_code(Screen::Sites, (80, 24)));
    assert!(!plain.contains("as of"), "{plain}");
}

#[test]
fn what_differs_is_said_also_where_it_is_not_known_by_whom() {
    let shown = |change: fn(&mut Diff)| {
        let mut data = sample::session();
        let diff = &mut data.snapshots.diff;
        (diff.as_of_s, diff.whole) = ([None, Some(191.44)], Some((-1_572_864, 49)));
        change(diff);
        frame_of(data, &mut on_code(Screen::Snapshots, (100, 30)))
    };
    let frame = shown(|_| ());
    assert!(frame.contains("−1.5 MiB in +49 blocks   now as of 3:11.4   +"), "{frame}");
    let frame = shown(|diff| (diff.rows, diff.totals) = Default::default());
    assert!(frame.contains("−1.5 MiB in +49 blocks   now as of 3:11.4   0 B in 0"), "{frame}");
    assert!(
        frame.contains("By whom is not known") && !frame.contains("Nothing differs"),
        "{frame}"
    );
}

#[test]
fn a_pair_is_offered_whole_and_wherever_80_columns_are() {
    for cols in 60..200 {
        let frame = frame_of(sample::session(), &mut on_code(Screen::Snapshots, (cols, 24)));
        let footer = frame.lines().last().unwrap();
        assert_eq!(footer.contains("[ from"), footer.contains("] to"), "{footer}");
        assert!(footer.contains("[ from") || cols < 80, "{footer}");
        assert!(footer.ends_with("q quit") || cols < 80, "{footer}");
    }
}

#[test]
fn a_recording_is_offered_wherever_one_can_be_made() {
    let offers = |change: &dyn Fn(&mut Header)| {
        let mut data = sample::session();
        data.header.recording = None;
        change(&mut data.header);
        let frame = frame_of(data, &mut State::new(Screen::Overview, (120, 40)));
        frame.lines().last().is_some_and(|footer| footer.contains(" r record"))
    };
    assert!(offers(&|_| {}));
    assert!(offers(&|header| header.state = RunState::Ended { code: Some(0) }));
    assert!(!offers(&|header| header.state = RunState::Disconnected));
    assert!(!offers(&|header| header.read_only = true));
    for origin in [Origin::Replay, Origin::Embedded] {
        assert!(!offers(&|header| header.origin = origin), "{origin:?}");
    }
}

#[test]
fn what_is_missing_of_a_moment_is_said_whole_at_any_width() {
    for size in [(60, 20), (80, 24), (120, 40)] {
        let mut data = sample::session();
        let name = "the-recording-of-a-server-of-ours.memtop".to_owned();
        (data.time.at_s, data.time.source) = (22.0, TimeSource::Recording(name));
        let mut state = State::new(Screen::Time, size);
        state.playback.at_s = Some(22.0);
        let frame = frame_of(data, &mut state);
        assert!(frame.contains("nothing was kept of this moment"), "{frame}");
    }
}

#[test]
fn what_is_not_kept_of_the_past_says_so() {
    let past = |screen, mut data: Data<'static>| {
        data.events.rows.clear();
        let mut state = State::new(screen, (120, 40));
        state.playback.at_s = Some(60.0);
        frame_of(data, &mut state)
    };
    let frame = past(Screen::Processes, sample::session());
    assert!(frame.contains(" Processes, as they are now "), "{frame}");
    let frame = past(Screen::Events, sample::session());
    assert!(frame.contains("No events are kept of this moment"), "{frame}");
}

#[test]
fn changes_of_sites_are_told_since_what_they_are_measured_from() {
    let mut data = sample::session();
    data.sites.since = Baseline::Start;
    let frame = frame_of(data, &mut on_code(Screen::Sites, (120, 40)));
    assert!(frame.contains(" Δ since the start "), "{frame}");
    for (screen, words) in [
        (Screen::Overview, "since the clear"),
        (Screen::Sites, " Δ since the clear "),
        (Screen::Site, "Δ since the clear"),
    ] {
        let mut data = sample::session();
        data.header.tracing.cleared_s = Some(30.0);
        data.sites.since = Baseline::Start;
        data.growth.since = Baseline::Start;
        data.site.as_mut().unwrap().since = Baseline::Start;
        let frame = frame_of(data, &mut on_code(screen, (120, 40)));
        assert!(frame.contains(words), "{screen:?} {frame}");
    }
}

#[test]
fn how_frozen_tables_go_on_is_said() {
    for screen in [Screen::Overview, Screen::Sites, Screen::Events] {
        let mut state = State { frozen: true, ..State::new(screen, (80, 24)) };
        let frame = frame_of(sample::session(), &mut state);
        assert!(frame.contains("Space go on"), "{frame}");
    }
}

#[test]
fn what_shrank_is_not_said_to_have_grown() {
    let mut data = sample::session();
    data.growth.shrank = true;
    data.growth.rows.iter_mut().for_each(|row| row.delta_bytes *= -1);
    let frame = frame_of(data, &mut State::new(Screen::Overview, (120, 40)));
    assert!(frame.contains(" Shrank since mark 1") && !frame.contains("Grew"), "{frame}");
}

#[test]
fn what_rows_are_sorted_by_shows_at_any_width() {
    for cols in 40..130 {
        let mut state = on_code(Screen::Sites, (cols, 24));
        for by in [SortKey::WithCallees, SortKey::Allocated, SortKey::Temporary, SortKey::AtPeak] {
            state.sites.sort.by = by;
            let frame = frame_of(sample::session(), &mut state);
            assert!(frame.contains('▼'), "{by:?}:\n{frame}");
        }
    }
}

#[test]
fn groups_without_a_place_have_no_column_of_places() {
    for (grouping, has) in
        [(Grouping::Site, true), (Grouping::File, false), (Grouping::Thread, false)]
    {
        let mut state = on_code(Screen::Sites, (120, 24));
        state.code.grouping = grouping;
        assert_eq!(frame_of(sample::session(), &mut state).contains(" where │"), has);
    }
    let mut state = on_code(Screen::Snapshots, (120, 24));
    assert!(frame_of(sample::session(), &mut state).contains(" where │"));
    state.code.grouping = Grouping::Module;
    assert!(!frame_of(sample::session(), &mut state).contains(" where │"));
}

#[test]
fn what_grew_beyond_the_rows_is_counted_in_narrow_terminals() {
    let mut data = sample::session();
    data.growth = sample::code::growth();
    data.growth.more = 20;
    let frame = frame_of(data, &mut State::new(Screen::Overview, (80, 24)));
    assert!(frame.contains(" 20 more ╮"), "{frame}");
}

#[test]
fn a_flame_of_nothing_says_why() {
    let shown = |measure, known, total| {
        let mut data = sample::ended();
        data.flame = Default::default();
        (data.sites.known, data.sites.total) = (known, total);
        let mut state = on_code(Screen::Flame, (120, 24));
        state.flame.measure = measure;
        frame_of(data, &mut state)
    };
    assert!(shown(Measure::Live, SitesKnown::Yes, 7).contains("Nothing is live: v"));
    assert!(shown(Measure::AtPeak, SitesKnown::Yes, 7).contains("Nothing was live at the peak"));
    assert!(shown(Measure::Delta, SitesKnown::Yes, 7).contains("Nothing grew"));
    assert!(shown(Measure::Delta, SitesKnown::Yes, 0).contains("nothing was traced"));
    assert!(shown(Measure::Live, SitesKnown::WithoutStacks, 0).contains("Traced without stacks"));
}

#[test]
fn a_diff_without_stacks_says_so() {
    let mut data = sample::session();
    data.sites.known = SitesKnown::WithoutStacks;
    data.snapshots.diff.problem = Some("it is not known".to_owned());
    let frame = frame_of(data, &mut on_code(Screen::Snapshots, (120, 24)));
    assert!(frame.contains("Traced without stacks") && !frame.contains("not known"), "{frame}");
}

#[test]
fn a_recording_without_events_waits_for_none() {
    let mut data = sample::session();
    (data.header.origin, data.header.state) = (Origin::Replay, RunState::Running);
    data.events = Events::default();
    let frame = frame_of(data, &mut State::new(Screen::Events, (80, 24)));
    assert!(frame.contains("No events are kept of this moment: --events records them."), "{frame}");
}

#[test]
fn what_is_not_kept_of_resident_memory_is_said_of_the_past() {
    let words = |change: &dyn Fn(&mut Data, &mut State)| {
        let (mut data, mut state) = (sample::session(), State::new(Screen::Sizes, (120, 40)));
        data.classes.gap = None;
        change(&mut data, &mut state);
        frame_of(data, &mut state)
    };
    let last = |data: &mut Data| {
        (data.classes, data.header.state) = (sample::classes(), RunState::Ended { code: Some(0) });
    };
    assert!(words(&|data, _| last(data)).contains(" Resident memory, as last seen "));
    assert!(!words(&|data, _| data.classes = sample::classes()).contains("as last seen"));
    let of_the_past = "What was resident is recorded as a whole alone";
    assert!(!words(&|_, _| {}).contains(of_the_past));
    assert!(words(&|_, state| state.playback.at_s = Some(1.0)).contains(of_the_past));
    assert!(words(&|data, _| data.header.origin = Origin::Replay).contains(of_the_past));
}
