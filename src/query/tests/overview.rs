//! The chart, and what is resident.

use super::*;

#[test]
fn the_chart_ends_with_what_the_header_shows() {
    let mut model = Model::default();
    let at = std::time::Duration::from_secs;
    let point = crate::model::Point { at: at(1), current_bytes: 7, ..Default::default() };
    let totals = crate::model::Totals { current_bytes: 9, ..Default::default() };
    model.observe(Reading {
        now_s: 1.1,
        state: Some(ProcessState { totals, ..Default::default() }),
        timeline: vec![point],
        ..Reading::default()
    });
    let data = shown(&mut model, &State::new(Screen::Overview, (80, 24)));
    let last = data.timeline.points.last().map(|point| (point.t_s, point.live));
    assert_eq!((last, data.header.live), (Some((1.1, 9)), Some(9)));
}

#[test]
fn the_overview_knows_what_is_resident() {
    let gap = crate::model::Gap { live: 5 << 20, files: 3 << 20, ..Default::default() };
    let mut model = model(&[]);
    model.observe(Reading { gap: Some(gap), ..Reading::default() });
    let (session, memory) = (Session::default(), Memory::default());
    let state = State::new(Screen::Overview, (120, 40));
    let shown = data(&model, &state, &session, &memory, Output::default()).classes.gap;
    assert_eq!(shown.map(|gap| gap.resident), Some(8 << 20));
}
