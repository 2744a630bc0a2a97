//! What nobody of ours would write into a session's memory, or say on a socket. `tests/fuzz`
//! has the fuzzer for the same.

#[path = "sample/random.rs"]
mod random;
#[path = "fuzz/exercise/session.rs"]
mod session;
#[path = "fuzz/exercise/viewer.rs"]
mod viewer;

use std::{fs, path::Path, sync::Arc};

use random::random;
use session::{Scribbled, filled, scribbles};
use viewer::{converse, honest, record, watch};

fn rounds(usual: usize) -> usize {
    if std::env::var_os("MEMTOP_LONG").is_some() { usual * 100 } else { usual }
}

#[test]
fn whatever_a_program_writes_into_its_session_viewer_and_recording_go_on() {
    let words = honest("ls / | sort >/dev/null; (:); exec cat /dev/null");
    let (filled, mut random) = (filled(&words), random());
    for round in 0..rounds(30) {
        let bytes: Vec<u8> = (0..9 * (1 + random(200))).map(|_| random(256) as u8).collect();
        let scribbled = Scribbled::new(&words, scribbles(&bytes, &words, &filled));
        let reader = Arc::new(scribbled.look());
        watch(&reader, &[], round);
        record(&reader);
    }
}

#[test]
fn what_is_understood_of_damaged_words_is_understood_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/messages");
    let said: Vec<Vec<u8>> =
        fs::read_dir(folder).unwrap().map(|one| fs::read(one.unwrap().path()).unwrap()).collect();
    assert!(said.iter().any(|words| converse(words).len() > 5));
    let mut random = random();
    for _ in 0..rounds(1000) {
        let mut words = said[random(said.len())].clone();
        for _ in 0..1 + random(6) {
            let at = random(words.len());
            words[at] ^= 1 << random(8);
        }
        converse(&words);
    }
}
