use proptest::prelude::*;

use super::{
    super::{Frames, LONGEST},
    *,
};

fn size_of(columns: u16, rows: u16) -> Size {
    Size { columns, rows }
}

fn from_viewers() -> Vec<FromViewer> {
    let mut options = Options::new(vec!["prog".into(), "a b".into(), "".into()]);
    options.start = Start::After(Duration::from_millis(5));
    options.stop_after = Some(Duration::from_secs(9));
    options.tracer_limit = Some(7);
    options.frames = 40;
    options.events = true;
    options.max_size = Some(1 << 33);
    options.library = Some("/tmp/lib.so".into());
    vec![
        FromViewer::Open { version: 3, purpose: Purpose::Ask },
        FromViewer::Start { options, size: size_of(100, 30) },
        FromViewer::Input(b"hello".to_vec()),
        FromViewer::Resize(size_of(1, 2)),
        FromViewer::Tracing(true),
        FromViewer::Clear,
        FromViewer::EndProgram,
        FromViewer::Continue,
        FromViewer::Mark {
            index: 3,
            mark: Mark {
                at: Duration::from_millis(1500),
                number: 2,
                label: "before the load".to_owned(),
            },
        },
    ]
}

fn from_keepers() -> Vec<FromKeeper> {
    let point = Point {
        at: Duration::from_secs(1),
        current_bytes: 2,
        max_bytes: 3,
        rss_bytes: Some(4),
        untracked_freed_bytes: 5,
    };
    vec![
        FromKeeper::Hello(Hello {
            version: VERSION,
            keeper: 5,
            root: 6,
            launched_at: Duration::from_secs(77),
            has_pty: true,
            holds_feed: false,
            size: size_of(80, 24),
            command: vec![b"prog".to_vec(), b"\xFF".to_vec()],
            warnings: vec!["careful".to_owned()],
            live: Some(1 << 33),
            viewers: 2,
            exit: Some(Exit::Code(3)),
            past: Some(17),
        }),
        FromKeeper::Failed { message: "no".to_owned(), code: 126 },
        FromKeeper::Scrollback(b"old".to_vec()),
        FromKeeper::Output(Vec::new()),
        FromKeeper::Gap(1 << 40),
        FromKeeper::History {
            index: 1,
            pid: 2,
            generation: 3,
            restart: true,
            points: vec![point, Point { rss_bytes: None, ..point }],
        },
        FromKeeper::ProcessEnded { index: 1, pid: 2, generation: 3, exit: None, ended_ns: 9 },
        FromKeeper::Exit(Exit::Code(-1)),
        FromKeeper::Exit(Exit::Signal(11)),
        FromKeeper::Stopped(true),
        FromKeeper::Stopped(false),
        FromKeeper::Feed,
        FromKeeper::Recording { bytes: Some(5), message: String::new() },
        FromKeeper::RecordingBegan {
            path: "/tmp/prog.memtop".into(),
            from: Duration::from_millis(20),
            thinned_until: Duration::from_secs(72),
        },
    ]
}

#[test]
fn every_message_comes_back() {
    let mut frames = Frames::default();
    for message in from_viewers() {
        frames.extend(&message.encode());
        let (kind, payload) = frames.take().unwrap().unwrap();
        assert_eq!(FromViewer::decode(kind, payload), Ok(Some(message)));
    }
    for message in from_keepers() {
        frames.extend(&message.encode());
        let (kind, payload) = frames.take().unwrap().unwrap();
        assert_eq!(FromKeeper::decode(kind, payload), Ok(Some(message)));
    }
    assert_eq!(frames.take(), Ok(None));
}

#[test]
fn frames_arrive_in_any_pieces() {
    let bytes: Vec<u8> = from_keepers().iter().flat_map(FromKeeper::encode).collect();
    let mut frames = Frames::default();
    let mut found = Vec::new();
    for byte in bytes {
        frames.extend(&[byte]);
        while let Some((kind, payload)) = frames.take().unwrap() {
            found.extend(FromKeeper::decode(kind, payload).unwrap());
        }
    }
    assert_eq!(found, from_keepers());
}

#[test]
fn impossible_lengths_end_the_stream() {
    for length in [0, LONGEST as u32 + 1, u32::MAX] {
        let mut frames = Frames::default();
        frames.extend(&length.to_le_bytes());
        assert!(frames.take().is_err());
    }
}

#[test]
fn unknown_kinds_are_skipped_and_cut_payloads_refused() {
    assert_eq!(FromViewer::decode(200, b"x"), Ok(None));
    assert_eq!(FromKeeper::decode(1, b"x"), Ok(None));
    let frame = from_keepers()[5].encode();
    for end in 5..frame.len() {
        assert!(FromKeeper::decode(frame[4], &frame[5..end]).is_err());
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut frames = Frames::default();
        frames.extend(&bytes);
        while let Ok(Some((kind, payload))) = frames.take() {
            let _ = FromViewer::decode(kind, payload);
            let _ = FromKeeper::decode(kind, payload);
        }
        for kind in 0..=255 {
            let _ = FromViewer::decode(kind, &bytes);
            let _ = FromKeeper::decode(kind, &bytes);
        }
    }
}
