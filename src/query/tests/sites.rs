//! Sites: order, filters, selection, threads.

use super::*;
use crate::model::Exit;

#[test]
fn sites_are_sorted_and_told_apart() {
    let mut model = small();
    let data = shown(&mut model, &by(Grouping::Stack, Screen::Sites));
    let expected =
        [("parse", 600, 600), ("store", 300, 300), ("parse", 60, 60), ("lookup", 40, 40)];
    assert_eq!(names(&data), named(&expected));
    let via: Vec<_> = data.sites.rows.rows.iter().map(|row| row.name.via.as_deref()).collect();
    assert_eq!(via, [Some("serve"), None, Some("parse"), None]);
    assert_eq!((data.sites.sums.live_bytes, data.sites.total), (1000, 4));
    let mut state = by(Grouping::Function, Screen::Sites);
    state.sites.sort.by = SortKey::WithCallees;
    let data = shown(&mut model, &state);
    let expected = [
        ("main", 0, 1000),
        ("serve", 0, 960),
        ("parse", 660, 660),
        ("store", 300, 300),
        ("cache", 0, 40),
        ("lookup", 40, 40),
    ];
    let mut found = names(&data);
    found[4..].sort();
    assert_eq!(found, named(&expected));
}

#[test]
fn plumbing_stands_for_itself_when_all_frames_show() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    state.code.all_frames = true;
    let data = shown(&mut model, &state);
    assert_eq!(names(&data)[0], ("alloc_vec".to_owned(), 960, 960));
}

#[test]
fn filters_are_words_and_numbers() {
    let mut model = small();
    let mut rows = |grouping, text: &str| {
        let mut state = by(grouping, Screen::Sites);
        state.code.filter = CodeFilter::parse(text).expect("a filter");
        let data = shown(&mut model, &state);
        let rows = names(&data).into_iter().map(|row| row.0).collect::<Vec<_>>();
        (rows.join(" "), data.sites.rows.matching, data.sites.total)
    };
    assert_eq!(rows(Grouping::Stack, "fn:serve"), ("parse store parse".to_owned(), 3, 4));
    assert_eq!(rows(Grouping::Stack, "fn:serve -store"), ("parse parse".to_owned(), 2, 4));
    assert_eq!(rows(Grouping::Function, "fn:parse"), ("parse".to_owned(), 1, 6));
    assert_eq!(rows(Grouping::Function, "size>100 blocks<5"), ("store".to_owned(), 1, 6));
    assert_eq!(rows(Grouping::Site, "server.c:13"), ("store".to_owned(), 1, 3));
    assert_eq!(rows(Grouping::File, ""), ("/src/server.c".to_owned(), 1, 1));
}

#[test]
fn a_selection_follows_the_thing() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    let data = shown(&mut model, &state);
    let lookup = data.sites.rows.rows.iter().find(|row| row.name.text == "lookup").expect("a row");
    state.sites.cursor.key = Some(lookup.key);
    let grown = SitesUpdate { changed: vec![(StackId(3), figures(5000, 5))], ..Default::default() };
    observe(&mut model, grown, 1.0);
    let data = shown(&mut model, &state);
    assert_eq!(data.sites.rows.selected, 0);
    assert_eq!(data.sites.rows.chosen().map(|row| &*row.name.text), Some("lookup"));
    assert_eq!(data.sites.rows.rows[0].figures.live_bytes, 5000);
}

#[test]
fn terms_about_code_match_no_thread() {
    let mut model = small();
    let mut reading = Reading { state: Some(ProcessState::default()), ..Reading::default() };
    let thread =
        crate::model::ThreadState { tid: 7, name: Some("file".into()), ..Default::default() };
    reading.state.as_mut().expect("a state").threads.push(thread);
    model.observe(reading);
    let mut rows = |text: &str| {
        let mut state = by(Grouping::Thread, Screen::Sites);
        state.code.filter = CodeFilter::parse(text).expect("a filter");
        shown(&mut model, &state).sites.rows.rows.len()
    };
    assert_eq!((rows("file"), rows("thread:file")), (1, 1));
    assert_eq!((rows("file:file"), rows("fn:file"), rows("-fn:file")), (0, 0, 1));
    // How many blocks it holds is not known: neither more nor less than anything.
    for unknown in ["blocks>0", "blocks<1", "blocks=0", "blocks>=0"] {
        assert_eq!(rows(unknown), 0, "{unknown}");
    }
    assert_eq!((rows("-blocks=0"), rows("size<1"), rows("allocs=0")), (1, 1, 1));
}

#[test]
fn what_has_ended_has_no_rates() {
    let mut model = small();
    let state = by(Grouping::Site, Screen::Sites);
    let _ = shown(&mut model, &state);
    let later = |model: &mut Model, now_s, exit| {
        let (state, connected) = (Some(ProcessState::default()), true);
        model.observe(Reading { state, connected, now_s, exit, ..Reading::default() });
    };
    later(&mut model, 3.0, None);
    let rates = |data: &Data<'_>| {
        data.sites.rows.rows.iter().map(|row| row.figures.per_s).collect::<Vec<_>>()
    };
    assert_eq!(rates(&shown(&mut model, &state)), [Some(0.0); 3]);
    later(&mut model, 4.0, Some(Exit::Code(0)));
    let data = shown(&mut model, &state);
    assert_eq!((rates(&data), data.sites.sums.per_s), (vec![None; 3], None));
}
