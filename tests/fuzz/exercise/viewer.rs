// What a viewer and a recording keeper make of session memory that nobody vouches for: readings,
// figures, frames on the screen, and a file.

use std::{sync::Arc, time::Duration};

use memtop::{
    keeper::{
        Options,
        launch::prepare,
        processes::Processes,
        protocol::{Frames, FromKeeper, FromViewer},
        watch::Watch,
    },
    model::Model,
    query::{self, Memory, Session},
    recording::{File, Recorder, When},
    source::{live::Live, past::Source, sites::Follower},
    sys::spawn::Place,
};
use memtop_probe::session::{
    control,
    layout::{PIECES, REGION},
    reader::Reader,
};
use memtop_ui::{
    State, Theme,
    data::Output,
    draw,
    state::SCREENS,
    theme::{ColorDepth, Glyphs, Palette},
};
use ratatui::{Terminal, backend::TestBackend};

/// The memory that a small tree of programs has left behind, word for word.
pub fn honest(script: &str) -> Vec<u64> {
    let options = Options::new(["/bin/sh", "-c", script].map(Into::into).to_vec());
    let mut watch = Watch::new(prepare(&options).expect("it can be traced"), &options);
    control::set_feed(watch.reader().header(), true);
    let pid = watch.prepared().start([None; 3], Place::Here).expect("it starts");
    watch.started(pid);
    while !watch.reap() {
        std::thread::sleep(Duration::from_millis(5));
        watch.advance();
    }
    let header = watch.reader().header();
    let regions = header.next_region.load(std::sync::atomic::Ordering::Relaxed);
    let used = (PIECES + u64::from(regions) * REGION) as usize;
    // SAFETY: the header begins the mapping, which is longer than what is used of it, and nobody
    // writes any more.
    unsafe { std::slice::from_raw_parts(core::ptr::from_ref(header).cast::<u64>(), used / 8) }
        .to_vec()
}

/// Watches the memory as the dashboard does, alone or joined to a keeper that says all this, and
/// looks at one of the screens.
pub fn watch(reader: &Arc<Reader>, messages: &[FromKeeper], screen: usize) {
    let root = reader.identity(0).map_or(1, |(pid, _)| pid);
    let mut live = match messages {
        [] => Live::embedded(Arc::clone(reader), root),
        _ => Live::kept(Arc::clone(reader), root, true),
    };
    messages.iter().for_each(|message| live.hear(message));
    let mut model = Model::default();
    for (number, wanted) in [None, Some(screen), None].into_iter().enumerate() {
        model.observe(live.read(wanted));
        model.mark(number as u32);
    }
    show(&mut model, screen);
}

/// A screen as it would be drawn.
fn show(model: &mut Model, screen: usize) {
    let theme = Theme::new(Palette::Dark, ColorDepth::True, Glyphs::Braille);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("it draws nowhere");
    let state = State::new(SCREENS[screen % SCREENS.len()].1, (80, 24));
    query::prepare(model, &state);
    let (session, memory) = (Session::default(), Memory::default());
    let data = query::data(model, &state, &session, &memory, Output::Elsewhere);
    query::visible(model, &data);
    terminal.draw(|frame| draw(frame, &data, &state, &theme)).expect("it draws nowhere");
}

/// Records the memory as a keeper does, and reads what was recorded.
pub fn record(reader: &Reader) {
    let mut processes = Processes::default();
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut now = 1;
    for _ in 0..2 {
        now += 1_000_000_000;
        let changes = processes.observe(reader, now);
        let mut looks = processes.looks(reader, &changes);
        looks.iter_mut().for_each(|look| look.sites = Follower::whole(reader, look.image));
        recorder.tick(Duration::from_nanos(now), looks).expect("memory");
    }
    processes.states(reader);
    let bytes = recorder.finish(None).expect("memory");
    File::new(bytes).expect("a recording").recording_at(When::End).expect("it reads");
}

/// What the other side of a keeper's socket may say, in pieces of any length: no more is kept
/// than was said, and what is understood is understood again.
pub fn converse(bytes: &[u8]) -> Vec<FromKeeper> {
    let mut frames = Frames::default();
    let mut heard = Vec::new();
    for piece in bytes.chunks(1 + bytes.len() % 61) {
        frames.extend(piece);
        while let Ok(Some((kind, payload))) = frames.take() {
            if let Ok(Some(message)) = FromViewer::decode(kind, payload) {
                assert_eq!(again(&message.encode(), FromViewer::decode), message);
            }
            if let Ok(Some(message)) = FromKeeper::decode(kind, payload) {
                assert_eq!(again(&message.encode(), FromKeeper::decode), message);
                heard.push(message);
            }
        }
    }
    heard
}

fn again<M, E: std::fmt::Debug>(
    frame: &[u8],
    decode: impl Fn(u8, &[u8]) -> Result<Option<M>, E>,
) -> M {
    let mut frames = Frames::default();
    frames.extend(frame);
    let (kind, payload) = frames.take().expect("a frame").expect("all of it");
    decode(kind, payload).expect("well-formed").expect("known")
}
