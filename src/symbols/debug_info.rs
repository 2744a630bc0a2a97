//! Debug information: inlined calls, source files, lines.
//!
//! Getting ready takes seconds for a gigabyte of it, and what was parsed borrows from the
//! mapped file. Both are answered by a thread for each file: it owns the mapping, lets
//! everything else borrow from its stack, and ends when nobody asks any more.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
    thread,
};

use addr2line::{Context, Frame};
use crossbeam_channel::{Receiver, Sender, bounded};
use gimli::{DwarfSections, EndianSlice, LittleEndian, SectionId};

use super::{
    Functions, demangle,
    image::{Elf, Image, section_bytes},
};
use crate::model::Function;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Bytes of debug information that may be held in parsed form; about as many bytes of memory.
/// Beyond it everything parsed is dropped and the file starts over.
const PARSED: u64 = 256 << 20;

/// Names held ready for reuse; beyond it they are dropped.
const NAMES: usize = 100_000;

/// How far from an instruction without a line to look for one of the same function.
const NEAR: u64 = 64;

/// Sections that functions and lines do not need, and that are large.
const UNUSED: [SectionId; 6] = [
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugMacinfo,
    SectionId::DebugMacro,
    SectionId::DebugNames,
    SectionId::DebugTypes,
];

/// Addresses of a file, and who wants to know. One answer an address, in order; an address
/// that the file says nothing about has no functions.
pub(super) struct Question {
    /// Virtual addresses of the file, within the instruction meant.
    pub(super) addresses: Vec<u64>,
    /// Takes the answers, on the thread of the file.
    pub(super) answer: Box<dyn FnOnce(Vec<Functions>) + Send>,
}

/// The debug information of one file, ready to be asked.
#[derive(Debug)]
pub(super) struct DebugInfo {
    questions: Sender<Question>,
}

impl DebugInfo {
    /// Begins to read; questions can be put at once. `None` when there can be no thread.
    pub(super) fn open(image: Arc<Image>, supplement: Option<Image>) -> Option<Self> {
        let (questions, asked) = bounded(1);
        let serve = move || serve(&image, supplement.as_ref(), &asked);
        thread::Builder::new().name("memtop-debug".to_owned()).spawn(serve).ok()?;
        Some(Self { questions })
    }

    /// Puts a question, after waiting for the one before to be taken up. The answer never
    /// comes when the file's thread is gone, and then the question comes back.
    pub(super) fn ask(&self, question: Question) -> Result<(), Question> {
        self.questions.send(question).map_err(|unsent| unsent.into_inner())
    }
}

fn serve(image: &Image, supplement: Option<&Image>, questions: &Receiver<Question>) {
    let (Some(elf), more) = (image.elf(), supplement.and_then(Image::elf)) else { return };
    let sections = load(&elf);
    let more = more.as_ref().map(load);
    while serve_until_full(&sections, more.as_ref(), questions).is_some() {}
}

fn load<'a>(elf: &Elf<'a>) -> DwarfSections<Cow<'a, [u8]>> {
    let bytes = |id: SectionId| match UNUSED.contains(&id) {
        true => Cow::default(),
        false => section_bytes(elf, id.name()),
    };
    let loaded: Result<_, std::convert::Infallible> = DwarfSections::load(|id| Ok(bytes(id)));
    loaded.unwrap_or_else(|never| match never {})
}

/// Answers until enough was parsed, or, with `None`, until nobody asks any more.
fn serve_until_full(
    sections: &DwarfSections<Cow<'_, [u8]>>,
    more: Option<&DwarfSections<Cow<'_, [u8]>>>,
    questions: &Receiver<Question>,
) -> Option<()> {
    let mut parsed = Parsed::of(sections, more);
    while parsed.as_ref().is_none_or(|parsed| parsed.bytes < PARSED) {
        let Question { addresses, answer } = questions.recv().ok()?;
        let mut look_up =
            |address| parsed.as_mut().map(|parsed| parsed.functions(address)).unwrap_or_default();
        answer(addresses.into_iter().map(&mut look_up).collect());
    }
    Some(())
}

/// What is parsed of a file so far.
struct Parsed<'a> {
    context: Context<Slice<'a>>,
    units: HashSet<usize>,
    /// Length of the units that were needed.
    bytes: u64,
    names: HashMap<Box<str>, Arc<str>>,
    files: HashSet<Arc<str>>,
}

impl<'a> Parsed<'a> {
    fn of(
        sections: &'a DwarfSections<Cow<'_, [u8]>>,
        more: Option<&'a DwarfSections<Cow<'_, [u8]>>>,
    ) -> Option<Self> {
        let mut dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
        if let Some(more) = more {
            dwarf.set_sup(more.borrow(|bytes| EndianSlice::new(bytes, LittleEndian)));
        }
        Some(Self {
            context: Context::from_dwarf(dwarf).ok()?,
            units: HashSet::new(),
            bytes: 0,
            names: HashMap::new(),
            files: HashSet::new(),
        })
    }

    /// The functions at an address; none where the information is silent or damaged.
    fn functions(&mut self, address: u64) -> Functions {
        self.weigh(address);
        let mut functions = self.noted(address);
        if functions.first().is_some_and(|innermost| innermost.line.is_none()) {
            functions[0].line = self.line_near(address, &functions[0].name);
        }
        functions
    }

    /// The functions exactly as noted: where an optimizer merged code of several lines, it may
    /// have noted no line.
    fn noted(&mut self, address: u64) -> Functions {
        let mut functions = Vec::new();
        let Ok(mut frames) = self.context.find_frames(address).skip_all_loads() else {
            return functions;
        };
        while let Ok(Some(frame)) = frames.next() {
            functions.push(function(&mut self.names, &mut self.files, &frame));
        }
        functions
    }

    /// The line of the nearest instruction of the same function, those before it first.
    fn line_near(&mut self, address: u64, function: &str) -> Option<u32> {
        let (from, to) = (address.saturating_sub(NEAR), address.saturating_add(NEAR));
        let rows = self.context.find_location_range(from, to).ok()?;
        let with_line = rows.filter(|row| row.2.line.is_some_and(|line| line > 0));
        let mut starts: Vec<u64> = with_line.map(|row| row.0).collect();
        starts.sort_by_key(|start| (*start > address, start.abs_diff(address)));
        starts.into_iter().find_map(|start| {
            let noted = self.noted(start);
            noted.first().filter(|other| &*other.name == function)?.line
        })
    }

    /// Counts the unit of an address, if it is a new one.
    fn weigh(&mut self, address: u64) {
        let unit = self.context.find_dwarf_and_unit(address).skip_all_loads();
        let Some(header) = unit.map(|unit| unit.header) else { return };
        let offset = header.debug_info_offset().map_or(0, |offset| offset.0);
        if self.units.insert(offset) {
            self.bytes = self.bytes.saturating_add(header.unit_length() as u64);
        }
    }
}

fn function(
    names: &mut HashMap<Box<str>, Arc<str>>,
    files: &mut HashSet<Arc<str>>,
    frame: &Frame<'_, Slice<'_>>,
) -> Function {
    let location = frame.location.as_ref();
    let symbol = frame.function.as_ref().and_then(|function| function.raw_name().ok());
    Function {
        name: symbol.map(|symbol| name(names, &symbol)).unwrap_or_default(),
        file: location.and_then(|location| location.file).map(|path| file(files, path)),
        line: location.and_then(|location| location.line).filter(|line| *line > 0),
    }
}

fn name(names: &mut HashMap<Box<str>, Arc<str>>, symbol: &str) -> Arc<str> {
    if let Some(known) = names.get(symbol) {
        return known.clone();
    }
    if names.len() >= NAMES {
        names.clear();
    }
    let name: Arc<str> = demangle::readable(symbol).into();
    names.insert(symbol.into(), name.clone());
    name
}

fn file(files: &mut HashSet<Arc<str>>, path: &str) -> Arc<str> {
    if let Some(known) = files.get(path) {
        return known.clone();
    }
    if files.len() >= NAMES {
        files.clear();
    }
    let path: Arc<str> = path.into();
    files.insert(path.clone());
    path
}
