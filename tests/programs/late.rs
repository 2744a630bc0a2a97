//! The same as late.c, in Rust: blocks are built, then each is replaced by one of the same size.
//!
//!     late GATE SAID COUNT SIZE STATUS

use std::{env, fs, hint::black_box, io::Read, io::Write, process};

struct Steps {
    gate: fs::File,
    said: fs::File,
}

impl Steps {
    fn say(&mut self, word: &str) {
        // Times are of no interest here; the word alone must be followed by a number.
        self.said.write_all([word.as_bytes(), b" 0.\n"].concat().as_slice()).unwrap();
    }

    fn wait(&mut self) {
        self.gate.read_exact(&mut [0]).unwrap();
    }
}

fn block(size: usize) -> Box<[u8]> {
    let mut block = Vec::with_capacity(size);
    block.resize(size, 1);
    black_box(block.into_boxed_slice())
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, gate, said, count, size, status] = &arguments[..] else { process::exit(97) };
    let said = fs::OpenOptions::new().create(true).append(true).open(said).unwrap();
    let mut steps = Steps { gate: fs::File::open(gate).unwrap(), said };
    steps.say("begun");
    let (count, size): (usize, usize) = (count.parse().unwrap(), size.parse().unwrap());
    steps.wait();
    let mut blocks: Vec<Box<[u8]>> = (0..count).map(|_| block(size)).collect();
    steps.say("built");
    steps.wait();
    for place in &mut blocks {
        *place = block(size);
    }
    steps.say("replaced");
    steps.wait();
    black_box(blocks);
    process::exit(status.parse().unwrap());
}
