//! One site in full, and its history.

use super::*;

#[test]
fn a_site_is_told_in_full() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    let data = shown(&mut model, &state);
    state.site.key = data.sites.rows.rows[0].key;
    for second in 1..=12 {
        let bytes = 600 + second * 100;
        let changed = vec![(StackId(0), figures(bytes, 6))];
        observe(&mut model, SitesUpdate { changed, ..Default::default() }, second as f64);
    }
    state.screen = Screen::Site;
    let site = shown(&mut model, &state).site.expect("it is there");
    assert_eq!((&*site.name.text, site.stacks, site.stack_index), ("parse", 2, 0));
    let entries: Vec<String> =
        site.stack.entries.iter().map(|entry| format!("{entry:?}")).collect();
    assert!(entries[0].contains("Folded { frames: 1, what: \"allocator\" }"), "{entries:?}");
    assert!(entries[1].contains("parse") && entries[3].contains("main"), "{entries:?}");
    let curve: Vec<u64> = site.history.iter().map(|moment| moment.live_bytes).collect();
    assert_eq!(&curve[..3], [660, 760, 860]);
    assert_eq!(curve.last(), Some(&1860));
    let sentence = site.sentence.expect("a sentence");
    assert_eq!(
        sentence,
        "1.8 KiB in 7 blocks of 265 B on average, 103 % of what is live, growing 100 B/s."
    );
    state.site.stack = 1;
    let site = shown(&mut model, &state).site.expect("it is there");
    assert_eq!(site.stack.entries.len(), 5);
    state.site.stack = 0;
    state.site.all_frames = true;
    let unfolded = shown(&mut model, &state).site.expect("it is there");
    assert_eq!((unfolded.figures, unfolded.stacks), (site.figures, 2), "it is the same");
    let first = format!("{:?}", unfolded.stack.entries[0]);
    assert!(first.contains("alloc_vec") && first.contains("plumbing: true"), "{first}");
    state.site.key = Key(u64::MAX);
    assert_eq!(shown(&mut model, &state).site, None);
}

#[test]
fn a_history_has_every_second_that_tables_were_held_still() {
    let mut model = small();
    let mut state = by(Grouping::Function, Screen::Sites);
    state.site.key = shown(&mut model, &state).sites.rows.rows[0].key;
    state.screen = Screen::Site;
    for second in 1..=8 {
        if second == 3 {
            model.hold_sites(true);
        }
        let changed = vec![(StackId(0), figures(600 + second * 100, 6))];
        observe(&mut model, SitesUpdate { changed, ..Default::default() }, second as f64);
    }
    let curve = |model: &mut Model| -> Vec<u64> {
        let site = shown(model, &state).site.expect("it is there");
        site.history.iter().map(|moment| moment.live_bytes).collect()
    };
    assert_eq!(curve(&mut model).last(), Some(&860), "held still");
    model.hold_sites(false);
    assert_eq!(curve(&mut model)[..9], [660, 760, 860, 960, 1060, 1160, 1260, 1360, 1460]);
    let changed = vec![(StackId(0), figures(100, 6))];
    observe(&mut model, SitesUpdate { changed, ..Default::default() }, 9.0);
    assert_eq!(curve(&mut model)[7..10], [1360, 1460, 160]);
}
