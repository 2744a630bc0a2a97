//! pprof: the profile that Go's tools, Pyroscope, Parca and speedscope read; a gzipped
//! protocol buffer, `profile.proto`. Sample types and their order are those of Go's heap
//! profile.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use flate2::{Compression, write::GzEncoder};

use super::{Process, protobuf::Message};
use crate::model::{Frame, Location, LocationId, Module, ModuleId, Place};

/// Field numbers of the message `Profile`.
mod profile {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const MAPPING: u64 = 3;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const FUNCTION: u64 = 5;
    pub(super) const STRING: u64 = 6;
    pub(super) const TIME_NANOS: u64 = 9;
    pub(super) const DURATION_NANOS: u64 = 10;
    pub(super) const PERIOD_TYPE: u64 = 11;
    pub(super) const PERIOD: u64 = 12;
    pub(super) const COMMENT: u64 = 13;
    pub(super) const DEFAULT_SAMPLE_TYPE: u64 = 14;
}

/// Name and unit of each number of a sample.
const SAMPLE_TYPES: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

/// Every module gets addresses of its own from the multiples of this on, since locations of
/// several modules share one address space.
const SPAN: u64 = 1 << 40;

/// Writes the profile of one process, or of several as one.
pub(super) fn write(of: &[Process<'_>], out: &mut impl Write) -> io::Result<()> {
    let mut gzip = GzEncoder::new(out, Compression::default());
    gzip.write_all(Builder::default().build(of).as_bytes())?;
    gzip.finish().map(drop)
}

/// Tables that grow as samples are added.
#[derive(Default)]
struct Builder {
    message: Message,
    strings: Strings,
    /// Position among the processes, and the module there.
    mappings: HashMap<(usize, ModuleId), u64>,
    locations: HashMap<(usize, LocationId), u64>,
    functions: HashMap<(String, String), u64>,
}

#[derive(Default)]
struct Strings {
    ids: HashMap<String, u64>,
    in_order: Vec<String>,
}

impl Strings {
    fn id(&mut self, text: &str) -> u64 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.in_order.len() as u64;
        self.in_order.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }
}

impl Builder {
    fn build(mut self, of: &[Process<'_>]) -> Message {
        self.strings.id("");
        for (name, unit) in SAMPLE_TYPES {
            let value_type = self.value_type(name, unit);
            self.message.message(profile::SAMPLE_TYPE, &value_type);
        }
        for (at, process) in of.iter().enumerate() {
            self.add_samples(at, process);
        }
        self.add_facts(of);
        for text in &self.strings.in_order {
            self.message.bytes(profile::STRING, text.as_bytes());
        }
        self.message
    }

    fn value_type(&mut self, name: &str, unit: &str) -> Message {
        let mut message = Message::default();
        message.number(1, self.strings.id(name)).number(2, self.strings.id(unit));
        message
    }

    fn add_samples(&mut self, at: usize, process: &Process<'_>) {
        for row in process.rows() {
            let ids = process.locations(row.stack).map(|id| self.location(at, process, id));
            let locations: Vec<u64> = ids.collect();
            let figures = row.figures;
            let values = [figures.allocations, figures.allocated_bytes, row.blocks, row.bytes];
            let mut sample = Message::default();
            sample.numbers(1, &locations).numbers(2, &values);
            if process.one_of_several {
                let mut label = Message::default();
                let name = process.name();
                label.number(1, self.strings.id("process")).number(2, self.strings.id(&name));
                sample.message(3, &label);
            }
            self.message.message(profile::SAMPLE, &sample);
        }
    }

    fn location(&mut self, at: usize, process: &Process<'_>, location: LocationId) -> u64 {
        if let Some(id) = self.locations.get(&(at, location)) {
            return *id;
        }
        let id = self.locations.len() as u64 + 1;
        self.locations.insert((at, location), id);
        let scope = process.scope();
        let known = scope.sites.locations.get(location.0 as usize);
        let Location { module, address } =
            known.copied().unwrap_or(Location { module: None, address: 0 });
        let mapping = module.map_or(0, |module| self.mapping(at, process, module));
        let mut message = Message::default();
        message.number(1, id).number(2, mapping);
        message.number(3, base(mapping).saturating_add(address.saturating_sub(1)));
        for inlined in 0..scope.functions(location).len() {
            let frame = scope.frame(Place { location, inlined });
            if let Some(line) = self.line(&frame) {
                message.message(4, &line);
            }
        }
        self.message.message(profile::LOCATION, &message);
        id
    }

    /// The line of a frame; `None` without a name, so that the address is shown.
    fn line(&mut self, frame: &Frame) -> Option<Message> {
        let function = self.function(frame.function.as_deref()?, frame.file.as_deref());
        let mut line = Message::default();
        line.number(1, function).number(2, frame.line.unwrap_or(0).into());
        Some(line)
    }

    fn function(&mut self, name: &str, file: Option<&str>) -> u64 {
        let key = (name.to_owned(), file.unwrap_or_default().to_owned());
        let next = self.functions.len() as u64 + 1;
        if let Some(id) = self.functions.get(&key) {
            return *id;
        }
        let (name, file) = (self.strings.id(name), self.strings.id(&key.1));
        self.functions.insert(key, next);
        let mut message = Message::default();
        message.number(1, next).number(2, name).number(3, name).number(4, file);
        self.message.message(profile::FUNCTION, &message);
        next
    }

    fn mapping(&mut self, at: usize, process: &Process<'_>, module: ModuleId) -> u64 {
        if let Some(id) = self.mappings.get(&(at, module)) {
            return *id;
        }
        let id = self.mappings.len() as u64 + 1;
        self.mappings.insert((at, module), id);
        let known = process.state.sites.modules.get(module.0 as usize);
        let Module { path, build_id } = known.cloned().unwrap_or_default();
        let path = self.strings.id(&String::from_utf8_lossy(&path));
        let build_id: String = build_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut message = Message::default();
        message.number(1, id).number(2, base(id)).number(3, base(id + 1));
        message.number(5, path).number(6, self.strings.id(&build_id));
        // It has functions, files, lines and inlined frames as far as they are known.
        (7..=10).for_each(|field| _ = message.number(field, 1));
        self.message.message(profile::MAPPING, &message);
        id
    }

    fn add_facts(&mut self, of: &[Process<'_>]) {
        let period_type = self.value_type("space", "bytes");
        let inuse = self.strings.id("inuse_space");
        let comments: Vec<String> = of
            .iter()
            .map(|process| format!("{}, {}", process.command(), process.moment()))
            .collect();
        let comments: Vec<u64> = comments.iter().map(|text| self.strings.id(text)).collect();
        let length = of.iter().filter_map(Process::time).max().unwrap_or_default();
        let began = of.first().map(|one| one.launched_at + one.state.identity.started);
        let message = &mut self.message;
        message.number(profile::TIME_NANOS, began.unwrap_or_default().as_nanos() as u64);
        message.number(profile::DURATION_NANOS, length.as_nanos() as u64);
        message.message(profile::PERIOD_TYPE, &period_type).number(profile::PERIOD, 1);
        message.numbers(profile::COMMENT, &comments);
        message.number(profile::DEFAULT_SAMPLE_TYPE, inuse);
    }
}

/// Where the addresses of a mapping begin.
fn base(mapping: u64) -> u64 {
    mapping.saturating_mul(SPAN)
}
