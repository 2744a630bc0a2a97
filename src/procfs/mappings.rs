//! What a process's resident memory consists of: `/proc/PID/smaps`, by what the mappings are for.
//!
//! The kernel names files, the heap and the first stack. What is anonymous is told apart by how
//! glibc lays it out: an arena starts at a multiple of 64 MiB and is followed by the inaccessible
//! rest of it; a thread's stack has an inaccessible guard right below.

use std::{
    fs::File,
    io::{BufRead, BufReader},
};

/// Resident bytes of a process by what they are for; together they are its whole RSS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mappings {
    /// What the C library's allocator grows: `[heap]` and arenas.
    pub heap: u64,
    /// Anonymous memory outside the heap: large blocks, allocators and runtimes of other makes.
    pub mapped: u64,
    /// Stacks of all threads.
    pub stacks: u64,
    /// Programs, libraries and other files.
    pub files: u64,
    /// Memory shared with other processes that is no file.
    pub shared: u64,
    /// Of the tracer: its library and its session memory. What it has mapped privately is in
    /// `mapped`.
    pub tracer: u64,
    /// Who else manages memory here, as far as a mapping's name tells.
    pub runtime: Option<Runtime>,
}

/// Runtimes with a heap of their own, which malloc never sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// The Java virtual machine.
    Java,
    /// V8, in Node.js and browsers.
    V8,
    /// Go.
    Go,
    /// .NET.
    DotNet,
}

/// What in a mapping's name gives a runtime away.
const RUNTIMES: [(&str, Runtime); 7] = [
    ("/libjvm.so", Runtime::Java),
    ("/libnode.so", Runtime::V8),
    ("/bin/node", Runtime::V8),
    ("[anon:v8", Runtime::V8),
    ("[anon: Go:", Runtime::Go),
    ("/libgo.so", Runtime::Go),
    ("/libcoreclr.so", Runtime::DotNet),
];

/// glibc's `HEAP_MAX_SIZE` on 64 bits.
const ARENA: u64 = 64 << 20;
/// A guard is no larger; the rest of an arena usually is.
const GUARD: u64 = 64 << 10;

/// Reads them. The kernel walks the page tables for that: some 10 µs for a small program,
/// milliseconds for one of gigabytes.
pub fn read(pid: u32) -> Option<Mappings> {
    parse(BufReader::new(File::open(format!("/proc/{pid}/smaps")).ok()?))
}

/// What a process has mapped of the tracer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfTheTracer {
    /// Session memory, which an exec of what cannot be traced takes away.
    pub session: bool,
    /// The library, as memtop and its builds call it.
    pub library: bool,
}

/// Looks for it; `None` when the process cannot be looked at.
pub fn of_the_tracer(pid: u32) -> Option<OfTheTracer> {
    let text = std::fs::read(format!("/proc/{pid}/maps")).ok().filter(|text| !text.is_empty())?;
    let has = |name: &[u8]| text.windows(name.len()).any(|part| part == name);
    let library = has(b"/libmemtop") || has(b"/memfd:memtop-library");
    Some(OfTheTracer { session: has(b"/memfd:memtop-session"), library })
}

/// Whether a process has session memory mapped; `None` when it cannot be looked at.
pub fn has_session(pid: u32) -> Option<bool> {
    of_the_tracer(pid).map(|found| found.session)
}

/// One mapping.
#[derive(Debug, Clone, Default)]
struct Mapping {
    start: u64,
    end: u64,
    accessible: bool,
    name: String,
    resident: u64,
}

fn parse(text: impl BufRead) -> Option<Mappings> {
    let mut all: Vec<Mapping> = Vec::new();
    for line in text.split(b'\n') {
        let line = line.ok()?;
        let line = String::from_utf8_lossy(&line);
        if let Some(mapping) = head(&line) {
            all.push(mapping);
        } else if let (Some(rest), Some(last)) = (line.strip_prefix("Rss:"), all.last_mut()) {
            last.resident = kibibytes(rest).unwrap_or(0);
        }
    }
    // A zombie has none, which is not the same as using none.
    (!all.is_empty()).then(|| sum(&all))
}

/// `7f00-7f10 rw-p 00000000 00:00 0    [heap]`.
fn head(line: &str) -> Option<Mapping> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let mode = rest.split(' ').next()?;
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        accessible: !mode.starts_with("---"),
        name: name(rest).to_owned(),
        resident: 0,
    })
}

/// What stands behind mode, offset, device and inode.
fn name(rest: &str) -> &str {
    let mut rest = rest;
    for _ in 0..4 {
        rest = rest.trim_start_matches(' ').split_once(' ').map_or("", |(_, rest)| rest);
    }
    rest.trim_start_matches(' ')
}

fn kibibytes(text: &str) -> Option<u64> {
    let number: u64 = text.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(number.saturating_mul(1024))
}

fn sum(all: &[Mapping]) -> Mappings {
    let mut sum = Mappings::default();
    for (index, mapping) in all.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| all.get(index));
        let place = match kind(mapping, before, all.get(index + 1)) {
            Kind::Heap => &mut sum.heap,
            Kind::Mapped => &mut sum.mapped,
            Kind::Stack => &mut sum.stacks,
            Kind::File => &mut sum.files,
            Kind::Shared => &mut sum.shared,
            Kind::Tracer => &mut sum.tracer,
        };
        *place = place.saturating_add(mapping.resident);
        sum.runtime = sum.runtime.or_else(|| runtime(&mapping.name));
    }
    sum
}

fn runtime(name: &str) -> Option<Runtime> {
    RUNTIMES.iter().find(|(part, _)| name.contains(part)).map(|(_, runtime)| *runtime)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heap,
    Mapped,
    Stack,
    File,
    Shared,
    Tracer,
}

/// Beginnings of names, and what they stand for; the first that fits counts.
const NAMES: [(&str, Kind); 9] = [
    ("[heap]", Kind::Heap),
    ("[stack", Kind::Stack),
    ("/memfd:memtop-session", Kind::Tracer),
    ("/memfd:", Kind::Shared),
    ("/SYSV", Kind::Shared),
    ("/dev/shm/", Kind::Shared),
    ("/dev/zero", Kind::Shared),
    ("[anon_shmem", Kind::Shared),
    ("[v", Kind::File),
];

fn kind(mapping: &Mapping, before: Option<&Mapping>, after: Option<&Mapping>) -> Kind {
    let name = mapping.name.as_str();
    if let Some((_, kind)) = NAMES.iter().find(|(start, _)| name.starts_with(start)) {
        return *kind;
    }
    if name.starts_with('/') {
        // `memtop-probe-….so`, where the launch put it.
        let is_probe = name.rsplit('/').next().is_some_and(|file| file.contains("memtop"));
        return if is_probe && name.contains(".so") { Kind::Tracer } else { Kind::File };
    }
    let closed = |other: Option<&Mapping>, touches: bool| {
        other.filter(|other| !other.accessible && other.name.is_empty() && touches).cloned()
    };
    let rest = closed(after, after.is_some_and(|after| after.start == mapping.end));
    let guard = closed(before, before.is_some_and(|before| before.end == mapping.start));
    match (guard, rest) {
        (_, Some(_)) if mapping.start.is_multiple_of(ARENA) => Kind::Heap,
        (Some(guard), _) if guard.end - guard.start <= GUARD => Kind::Stack,
        _ => Kind::Mapped,
    }
}

#[cfg(test)]
mod tests;
