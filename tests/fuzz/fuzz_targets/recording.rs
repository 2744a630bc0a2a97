//! Any bytes read as a recording: never a crash, never unbounded memory.
#![no_main]

#[path = "../exercise/recording.rs"]
mod exercise;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    exercise::exercise(bytes);
    // Few mutations get past a checksum; most of what there is to break lies behind it.
    exercise::exercise(&exercise::reseal(bytes));
});
