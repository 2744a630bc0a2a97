//! Session memory scribbled over by the program that shares it: no reader, viewer or recording
//! keeper crashes, hangs, or takes more memory than there can be figures.
#![no_main]

#[path = "../exercise/session.rs"]
mod session;
#[path = "../exercise/viewer.rs"]
mod viewer;

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use session::{Scribbled, filled, scribbles};

struct Honest {
    words: Vec<u64>,
    filled: Vec<usize>,
}

static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let words = viewer::honest("ls / | sort >/dev/null; (:); exec cat /dev/null");
    Honest { filled: filled(&words), words }
});

fuzz_target!(|bytes: &[u8]| {
    let honest = &*HONEST;
    let scribbled = Scribbled::new(&honest.words, scribbles(bytes, &honest.words, &honest.filled));
    let reader = Arc::new(scribbled.look());
    viewer::watch(&reader, &[], bytes.len());
    viewer::record(&reader);
});
