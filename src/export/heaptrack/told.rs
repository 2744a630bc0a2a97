//! The events themselves, where they were recorded.

use std::{
    collections::HashMap,
    io::{self, Write},
    time::Duration,
};

use super::{Twin, Writer};
use crate::{
    export::Process,
    model::StackId,
    recording::{Events, File, Kind, Moment, audit::Sums, each_in_order},
};

/// Whether the events of a process come to its figures at its end, and that is the moment: none is
/// missing. Which was the first event behind a peak of several threads, they do not say.
pub(super) fn is_whole(file: &File, process: &Process<'_>) -> io::Result<bool> {
    let is_end = process.at.is_none() && !process.at_peak;
    let Some(image) = process.image_in(file).filter(|_| is_end) else {
        return Ok(false);
    };
    let mut sums = Sums::default();
    let mut add = |events: Events| events.events.iter().for_each(|event| sums.add(event));
    let all = (Duration::ZERO, Duration::MAX);
    file.each_events(image, all, &mut add).map_err(io::Error::other)?;
    Ok(sums == Sums::of(process.state))
}

/// Writes them.
pub(super) fn write(
    file: &File,
    process: &Process<'_>,
    mut writer: Writer<'_, impl Write>,
) -> io::Result<()> {
    let Some(image) = process.image_in(file) else { return Ok(()) };
    let (mut traces, mut blocks) = (HashMap::new(), Blocks::default());
    let mut now = None;
    each_in_order(file, image, |Moment { at, event, .. }| {
        let millis = at.as_millis();
        if now.replace(millis) != Some(millis) {
            writer.time(*at)?;
        }
        if event.kind == Kind::FreeUntracked {
            return Ok(());
        }
        if event.kind.is_free() {
            return match blocks.free(event.address) {
                Some(kind) => writeln!(writer.out, "- {kind:x}"),
                None => Ok(()),
            };
        }
        let trace = match traces.get(&event.stack) {
            Some(known) => *known,
            None => {
                let trace = writer.trace(0, process, StackId(event.stack))?;
                traces.insert(event.stack, trace);
                trace
            }
        };
        let kind = writer.kind(event.size, trace, Twin::First)?;
        writeln!(writer.out, "+ {kind:x}")?;
        match blocks.allocate(event.address, kind) {
            Some(freed) => writeln!(writer.out, "- {freed:x}"),
            None => Ok(()),
        }
    })?;
    writer.time(process.time().unwrap_or_default())
}

/// What lives where. The order between threads is not known to the event, so a block may be freed,
/// or its place be taken, before the same is told of the thread that came first: every free is
/// written once all the same.
#[derive(Default)]
struct Blocks {
    live: HashMap<u64, u64>,
    /// Frees that were told before their allocation.
    early: HashMap<u64, u32>,
    /// Frees that are written already, since another block has the place.
    owed: HashMap<u64, u32>,
}

impl Blocks {
    /// The kind to write a free of.
    fn free(&mut self, address: u64) -> Option<u64> {
        if take_one(&mut self.owed, address) {
            return None;
        }
        let freed = self.live.remove(&address);
        if freed.is_none() {
            *self.early.entry(address).or_default() += 1;
        }
        freed
    }

    /// The kind to write a free of, behind that of the allocation.
    fn allocate(&mut self, address: u64, kind: u64) -> Option<u64> {
        if take_one(&mut self.early, address) {
            return Some(kind);
        }
        let old = self.live.insert(address, kind);
        if old.is_some() {
            *self.owed.entry(address).or_default() += 1;
        }
        old
    }
}

fn take_one(counts: &mut HashMap<u64, u32>, address: u64) -> bool {
    match counts.get_mut(&address) {
        Some(count) if *count > 1 => *count -= 1,
        Some(_) => _ = counts.remove(&address),
        None => return false,
    }
    true
}
