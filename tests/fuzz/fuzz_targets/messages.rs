//! Any bytes on a keeper's socket, in both directions, and what the program writes on its
//! terminal: neither side crashes, hangs, or keeps more than was said.
#![no_main]

#[path = "../exercise/viewer.rs"]
mod viewer;

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use memtop_probe::session::{
    memory::{Memory, Settings},
    reader::Reader,
};

static READER: LazyLock<Arc<Reader>> = LazyLock::new(|| {
    let settings =
        Settings { size: 4 << 20, nonce: 1, now_ns: 1, tick_ns: 1, limit: 4 << 20, frames: 0 };
    Arc::new(Reader::over(Memory::create(&settings).expect("session memory").0))
});

fuzz_target!(|bytes: &[u8]| {
    let heard = viewer::converse(bytes);
    if !heard.is_empty() {
        viewer::watch(&READER, &heard, bytes.len());
    }
});
