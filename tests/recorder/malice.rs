//! Files that were made to do harm.

use std::{fs, path::Path, time::Duration};

use memtop::{
    model::*,
    recording::{Bytes, File, Look, Recorder, When, read_tree},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    exercise::{exercise, reseal},
    history::*,
    random::random,
    sample::any,
    whole,
};

/// Kind of the frames that hold events.
const EVENTS: u8 = 21;

/// A frame's bytes with a right CRC.
fn sealed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    for part in [&length[..], &[kind], payload] {
        crc.update(part);
    }
    [&length[..], &[kind], &crc.finalize().to_le_bytes(), payload].concat()
}

/// Kinds and payloads of a whole recording's frames.
fn frames_of(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut rest = &bytes[12..];
    while let Some((header, behind)) = rest.split_at_checked(9) {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some((payload, behind)) = behind.split_at_checked(length) else {
            break;
        };
        frames.push((header[4], payload.to_vec()));
        rest = behind;
    }
    frames
}

/// What a fuzzer would do with its corpus: bytes of it changed, cut and doubled, with checksums put
/// right half of the time. For a moment, or longer with `MEMTOP_LONG`; `tests/fuzz` has the fuzzer.
#[test]
fn the_corpus_may_be_damaged_in_any_way() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/recording");
    let corpus: Vec<_> =
        fs::read_dir(folder).unwrap().map(|one| fs::read(one.unwrap().path()).unwrap()).collect();
    assert!(corpus.len() > 1);
    let mut random = random();
    for _ in 0..if std::env::var_os("MEMTOP_LONG").is_some() { 200_000 } else { 60 } {
        let mut bytes = corpus[random(corpus.len())].clone();
        for _ in 0..1 + random(8) {
            let at = random(bytes.len());
            match random(6) {
                0 => bytes.truncate(at.max(1)),
                1 => {
                    let piece = bytes[at..(at + random(64)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)],
                _ => bytes[at] ^= 1 << random(8),
            }
        }
        exercise(&bytes);
        exercise(&reseal(&bytes));
    }
}

/// Damage that a CRC does not tell: what is inside frames is anything, and frames are left out,
/// doubled and moved. For a second, or for an hour with `MEMTOP_LONG=3600`.
#[test]
fn malice_is_survived() {
    let (bytes, _) = record(three_programs(), 120);
    let mut frames = frames_of(&bytes);
    let events = frames_of(&crate::golden::every_kind());
    frames.extend(events.into_iter().filter(|(kind, _)| *kind == EVENTS).take(9));
    let seconds = std::env::var("MEMTOP_LONG").ok();
    let seconds = seconds.map_or(1, |text| text.parse().unwrap_or(60_u64).max(60));
    let until = std::time::Instant::now() + Duration::from_secs(seconds);
    let mut random = random();
    let mut rounds = 0;
    while std::time::Instant::now() < until {
        let mut damaged = frames.clone();
        for _ in 0..1 + random(6) {
            let at = random(damaged.len());
            let payload = &mut damaged[at].1;
            match random(8) {
                0 => drop(damaged.remove(at)),
                1 => damaged.insert(random(frames.len()), frames[random(frames.len())].clone()),
                2 => payload.truncate(random(payload.len() + 1)),
                3 => damaged[at].0 = random(28) as u8,
                4 if !payload.is_empty() => {
                    let place = random(payload.len());
                    payload.splice(place..place, [0xff; 9]);
                }
                _ if !payload.is_empty() => {
                    let place = random(payload.len());
                    payload[place] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
                }
                _ => {}
            }
        }
        let mut file = bytes[..12].to_vec();
        let mut end = 12;
        for (kind, payload) in &damaged {
            end = file.len() as u64;
            file.extend(sealed(*kind, payload));
        }
        file.extend(end.to_le_bytes());
        file.extend_from_slice(&memtop::recording::MAGIC);
        exercise(&file);
        rounds += 1;
    }
    println!("{rounds} damaged recordings");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_figures_follow_one_another_is_shown_again(
        states in vec((any::processes(), 1_u64..3_000_000_000), 1..20),
    ) {
        let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
        let (mut now, mut seen) = (Duration::ZERO, Vec::new());
        for (state, after) in states {
            now += Duration::from_nanos(after);
            let identity = Identity { pid: 7, ..Identity::default() };
            let bare = ProcessState {
                identity,
                sites: Sites::default(),
                names: Names::default(),
                timeline: Vec::new(),
                ..state
            };
            let point = state.timeline.first().copied().unwrap_or_default();
            let point = Point { at: now, ..point };
            let sites = state.sites.to_update();
            let look = Look { image: 5, state: bare.clone(), point, sites, past: Vec::new() };
            recorder.tick(now, vec![look]).expect("memory");
            seen.push(Seen { state: bare, point, sites: state.sites });
        }
        let bytes = recorder.finish(None).expect("memory");
        let file = File::new(bytes.clone()).expect("a recording");
        for one in &seen {
            assert_shows(&cursor_at(&file, 0, one.point.at), &file, one);
        }
        let last = seen.last().expect("one at least");
        let (by_index, in_order) = whole(&bytes);
        prop_assert_eq!(&in_order.tree.processes[0].sites, &last.sites);
        prop_assert_eq!(by_index.tree, in_order.tree);
    }

    #[test]
    fn damage_is_survived(at in 12_usize..6000, bit in 0_u32..8, length in 0_usize..200) {
        let (mut bytes, _) = record(three_programs(), 90);
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        let end = bytes.len() - length;
        bytes.truncate(end);
        if let Ok(file) = File::new(bytes.clone()) {
            for image in 0..file.images().len() {
                for second in [0, 1, 4, 60] {
                    let _ = cursor_at(&file, image, Duration::from_secs(second));
                }
            }
            let _ = file.recording_at(When::End);
        }
        let _ = read_tree(&bytes[..]);
    }
}

/// Bytes of which there are more each time that somebody asks how many.
struct Growing(Vec<u8>, std::cell::Cell<usize>);

impl Bytes for Growing {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
        self.0[..self.1.get()].to_vec().read_at(offset, into)
    }

    fn length(&self) -> std::io::Result<u64> {
        let length = self.1.get();
        self.1.set((length + 1000).min(self.0.len()));
        Ok(length as u64)
    }
}

#[test]
fn a_recording_that_grows_as_fast_as_it_is_read_is_opened_as_it_was() {
    let mut recorder = Recorder::new(Vec::new(), &[], Duration::ZERO).expect("memory");
    let mut program = Program::new(0, Duration::ZERO, None);
    for tick in 1..=200 {
        recorder.tick(TICK * tick, vec![program.look(0, TICK * tick)]).expect("memory");
    }
    let whole = recorder.finish(None).expect("memory");
    let half = whole.len() / 2;
    let file = File::new(Growing(whole, std::cell::Cell::new(half))).expect("a recording");
    assert!(file.is_cut() && file.good_bytes() <= half as u64, "{} of {half}", file.good_bytes());
}
