//! The recording format: it holds what it is given, and survives what files go through.

mod sample;

use std::path::Path;

use memtop::recording::{self, MAGIC, ReadError, Recording, read_tree};
use proptest::{collection::vec, prelude::*};
use sample::{any::trees, launch, recording};

/// Bytes behind the end frame, which nothing but speed depends on.
const TRAILER: usize = 16;

fn read(bytes: &[u8]) -> Recording {
    read_tree(bytes).expect("a recording")
}

fn dump(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    recording::dump(bytes, &mut text).expect("a dump");
    String::from_utf8(text).expect("a dump is text")
}

#[test]
fn a_launch_is_read_as_it_was_written() {
    let tree = launch();
    let bytes = recording(&tree);
    let read = read(&bytes);
    assert_eq!(read.tree, tree);
    assert!(!read.cut);
    assert_eq!(read.good_bytes, (bytes.len() - TRAILER) as u64);
}

/// `MEMTOP_BLESS=1` writes the files anew; a released one never changes.
#[test]
fn the_first_format_stays_readable() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (file, text) = (folder.join("first.memtop"), folder.join("first.txt"));
    if std::env::var_os("MEMTOP_BLESS").is_some() {
        let bytes = recording(&launch());
        std::fs::write(&file, &bytes).expect("golden file");
        std::fs::write(&text, dump(&bytes)).expect("golden dump");
    }
    let golden = recording::open(&file).expect("golden file");
    assert_eq!(golden.tree, launch());
    assert!(!golden.cut);
    let bytes = std::fs::read(&file).expect("golden file");
    assert_eq!(dump(&bytes), std::fs::read_to_string(&text).expect("golden dump"));
}

#[test]
fn a_file_cut_at_any_byte_opens_up_to_the_cut() {
    let bytes = recording(&launch());
    assert!(matches!(read_tree(&b""[..]), Err(ReadError::Empty)));
    for length in 1..bytes.len() - TRAILER {
        match read_tree(&bytes[..length]) {
            Err(error) => assert!(length < 12 && matches!(error, ReadError::TooShort)),
            Ok(cut) => {
                assert!(cut.cut, "cut at {length}");
                assert!(cut.good_bytes <= length as u64);
                assert!(cut.tree.processes.len() <= 3);
            }
        }
    }
}

#[test]
fn what_stands_before_the_cut_is_kept() {
    let tree = launch();
    let bytes = recording(&tree);
    assert!(!read(&bytes[..bytes.len() - TRAILER]).cut);
    let cut = read(&bytes[..bytes.len() - TRAILER - 1]);
    assert!(cut.cut);
    assert_eq!(cut.tree, tree);
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let bytes = recording(&launch());
    for index in 0..bytes.len() - TRAILER {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << bit;
            let read = read_tree(&damaged[..]);
            assert!(read.is_ok_and(|read| read.cut) || index < 12, "byte {index}, bit {bit}");
        }
    }
}

/// A frame with a right CRC, whatever it holds.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_le_bytes();
    let mut crc = crc32fast::Hasher::new();
    for part in [&length[..], &[kind], payload] {
        crc.update(part);
    }
    [&length[..], &[kind], &crc.finalize().to_le_bytes(), payload].concat()
}

fn file(frames: &[Vec<u8>]) -> Vec<u8> {
    [&MAGIC[..], &1_u32.to_le_bytes(), &frames.concat()].concat()
}

#[test]
fn hostile_lengths_are_cuts() {
    let overlong = [0xff; 10];
    for length in [u32::MAX, (4 << 20) + 1, 4 << 20, 1] {
        let bytes = [&file(&[])[..], &length.to_le_bytes(), &[4, 0, 0, 0, 0]].concat();
        assert!(read(&bytes).cut, "length {length}");
    }
    for payload in [&overlong[..], &[1], &[1, 0xff, 0xff, 0xff, 0xff, 0x0f], &[4, 3, 1, 9]] {
        for kind in 1..=7 {
            assert!(read(&file(&[frame(kind, payload)])).cut, "{kind}: {payload:x?}");
        }
    }
}

#[test]
fn a_recording_that_would_fill_the_memory_is_refused() {
    // One byte a sample in the file, more than fifty in memory.
    let samples = [&[1, 1, 0, 2, 0x80, 0x80, 0x04][..], &[0; 1 << 16]].concat();
    let mut frames = vec![frame(2, &[1, 1, 0])];
    frames.resize(200, frame(5, &samples));
    assert!(matches!(read_tree(&file(&frames)[..]), Err(ReadError::TooLarge)));
}

#[test]
fn what_a_newer_memtop_adds_is_skipped() {
    let bytes = file(&[
        frame(200, b"anything"),
        frame(2, &[1, 1, 7, 2, 1, 42, 99, 3, 1, 2, 3]),
        frame(4, &[1, 1, 7, 2, 1, 5, 4, 2, 0xff, 0xff]),
        frame(7, &[1, 1, 3]),
    ]);
    let newer = read(&bytes);
    assert!(!newer.cut, "{}", dump(&bytes));
    assert_eq!(newer.tree.processes.len(), 1);
    assert_eq!(newer.tree.processes[0].identity.pid, 42);
    assert!(dump(&bytes).contains("skipped kind=200 length=8"));
}

#[test]
fn a_missing_frame_is_noticed_at_the_end() {
    assert!(read(&file(&[frame(7, &[1, 1, 3])])).cut);
}

#[test]
fn frames_of_a_stranger_are_skipped() {
    let window = frame(3, &[1, 1, 9]);
    let read = read(&file(&[window, frame(7, &[1, 1, 1])]));
    assert!(!read.cut);
    assert!(read.tree.processes.is_empty());
}

#[test]
fn other_files_and_versions_are_refused_in_words() {
    let message = |bytes: &[u8]| read_tree(bytes).expect_err("no recording").to_string();
    assert!(message(b"\x7fELF\x02\x01\x01\0\0\0\0\0").contains("not a memtop recording"));
    assert!(message(&MAGIC[..5]).contains("cut"));
    let newer = [&MAGIC[..], &2_u32.to_le_bytes()].concat();
    assert!(message(&newer).contains("format 2"));
    let zero = [&MAGIC[..], &0_u32.to_le_bytes()].concat();
    assert!(matches!(read_tree(&zero[..]), Err(ReadError::Version(0))));
}

proptest! {
    #[test]
    fn any_tree_is_read_as_it_was_written(tree in trees()) {
        let bytes = recording(&tree);
        let read = read(&bytes);
        prop_assert_eq!(read.tree, tree);
        prop_assert!(!read.cut);
        prop_assert!(!dump(&bytes).is_empty());
    }

    #[test]
    fn any_payload_is_read_without_panic(frames in vec((0_u8..26, vec(any::<u8>(), 0..40)), 0..6)) {
        let frames: Vec<_> = frames.iter().map(|(kind, payload)| frame(*kind, payload)).collect();
        let bytes = file(&frames);
        let _ = read_tree(&bytes[..]);
        prop_assert!(dump(&bytes).starts_with("memtop recording"));
    }
}
