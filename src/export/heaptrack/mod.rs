//! heaptrack's text format, version 3, for `heaptrack_print` and heaptrack's window.
//!
//! That format is a list of events. Where they were recorded, from the start and to the last,
//! and the end is asked for, it is those (`told.rs`); else a history is made up that comes to the same figures (`story.rs`).
//!
//! ```text
//!  v VERSION FORMAT   X command   I page size, pages   s length text
//!  i address module [function file line]…   t address, parent trace   a size, trace
//!  + allocation   - allocation   c milliseconds   R resident pages
//! ```
//! All numbers are hexadecimal; they count from 1, those of `a` from 0. What is resident follows a
//! time: it is the most since the time before, without the tracer's own. Pages that processes
//! share do not add up, so that several as one have none.

mod story;
mod told;

use std::{
    collections::HashMap,
    io::{self, Write},
    time::Duration,
};

use super::Process;
use crate::{
    model::{Location, LocationId, Place, Point, StackId},
    recording::File,
};

/// heaptrack 1.4.0, whose format this is.
const HEAPTRACK: u32 = 0x1_0400;
const FORMAT: u32 = 3;
const PAGE: u64 = 4096;

/// Writes the events of one process, or of several as one.
pub(super) fn write(file: &File, of: &[Process<'_>], out: &mut impl Write) -> io::Result<()> {
    let command: Vec<String> = of.iter().map(Process::command).collect();
    writeln!(out, "v {HEAPTRACK:x} {FORMAT:x}")?;
    writeln!(out, "X {}", command.join("; ").replace(['\n', '\r'], " "))?;
    writeln!(out, "I {PAGE:x} {:x}", memory_pages())?;
    // heaptrack takes number 0 for no allocation at all.
    writeln!(out, "a 0 0")?;
    let samples = match of {
        [process] => &process.state.timeline[..],
        _ => &[],
    };
    let writer = Writer::new(out, samples);
    match of {
        [process] if told::is_whole(file, process)? => told::write(file, process, writer),
        _ => story::write(of, writer),
    }
}

/// Of the machine; only shown.
fn memory_pages() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024 / PAGE
}

/// Numbers of what was written so far.
struct Writer<'a, W> {
    out: &'a mut W,
    strings: HashMap<String, u64>,
    /// By process and location.
    addresses: HashMap<(usize, LocationId), u64>,
    /// By address and parent.
    traces: HashMap<(u64, u64), u64>,
    /// By size and trace; twins differ in their number alone.
    kinds: HashMap<(u64, u64, Twin), u64>,
    /// A kind of which a block is to be freed after the next allocation.
    held: Option<u64>,
    /// Samples of resident memory that are not written yet, oldest first.
    samples: &'a [Point],
}

/// A block counts as temporary when the kind allocated last is freed; so blocks that are not
/// take turns between two kinds that differ in nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Twin {
    First,
    Second,
}

impl<'a, W: Write> Writer<'a, W> {
    fn new(out: &'a mut W, samples: &'a [Point]) -> Self {
        Self {
            out,
            strings: HashMap::new(),
            addresses: HashMap::new(),
            traces: HashMap::new(),
            kinds: HashMap::new(),
            held: None,
            samples,
        }
    }

    /// What follows is of this time; what was resident until then is told with it.
    fn time(&mut self, at: Duration) -> io::Result<()> {
        writeln!(self.out, "c {:x}", at.as_millis())?;
        let (past, rest) = self.samples.split_at(self.samples.partition_point(|one| one.at <= at));
        self.samples = rest;
        match past.iter().filter_map(|sample| sample.rss_bytes).max() {
            Some(bytes) => writeln!(self.out, "R {:x}", bytes.div_ceil(PAGE)),
            None => Ok(()),
        }
    }

    /// The number of a text; 0 is none.
    fn string(&mut self, text: &str) -> io::Result<u64> {
        if text.is_empty() {
            return Ok(0);
        }
        if let Some(number) = self.strings.get(text) {
            return Ok(*number);
        }
        let number = self.strings.len() as u64 + 1;
        let plain = text.replace(['\n', '\r'], " ");
        writeln!(self.out, "s {:x} {plain}", plain.len())?;
        self.strings.insert(text.to_owned(), number);
        Ok(number)
    }

    /// The number of a stack; 0 is none.
    fn trace(&mut self, at: usize, process: &Process<'_>, stack: StackId) -> io::Result<u64> {
        let mut locations: Vec<LocationId> = process.locations(stack).collect();
        locations.reverse();
        let mut trace = 0;
        for location in locations {
            let address = self.address(at, process, location)?;
            trace = match self.traces.get(&(address, trace)) {
                Some(known) => *known,
                None => {
                    let number = self.traces.len() as u64 + 1;
                    writeln!(self.out, "t {address:x} {trace:x}")?;
                    self.traces.insert((address, trace), number);
                    number
                }
            };
        }
        Ok(trace)
    }

    fn address(&mut self, at: usize, process: &Process<'_>, id: LocationId) -> io::Result<u64> {
        if let Some(number) = self.addresses.get(&(at, id)) {
            return Ok(*number);
        }
        let scope = process.scope();
        let known = scope.sites.locations.get(id.0 as usize).copied();
        let Location { module, address } = known.unwrap_or(Location { module: None, address: 0 });
        let path = scope.sites.module_of(id).map(|module| String::from_utf8_lossy(&module.path));
        let path = self.string(&path.unwrap_or_default())?;
        let mut frames = String::new();
        for inlined in 0..scope.functions(id).len() {
            let frame = scope.frame(Place { location: id, inlined });
            let Some(function) = frame.function.as_deref() else { continue };
            let function = self.string(function)?;
            let file = self.string(frame.file.as_deref().unwrap_or_default())?;
            frames.push_str(&format!(" {function:x} {file:x} {:x}", frame.line.unwrap_or(0)));
        }
        // Modules share one address space there.
        let base = module.map_or(0, |module| (u64::from(module.0) + 1) << 40);
        writeln!(self.out, "i {:x} {path:x}{frames}", base.wrapping_add(address))?;
        let number = self.addresses.len() as u64 + 1;
        self.addresses.insert((at, id), number);
        Ok(number)
    }

    fn kind(&mut self, size: u64, trace: u64, twin: Twin) -> io::Result<u64> {
        if let Some(number) = self.kinds.get(&(size, trace, twin)) {
            return Ok(*number);
        }
        let number = self.kinds.len() as u64 + 1;
        writeln!(self.out, "a {size:x} {trace:x}")?;
        self.kinds.insert((size, trace, twin), number);
        Ok(number)
    }
}
