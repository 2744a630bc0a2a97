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
    recording::{Events, File, Moment, audit::Sums, each_in_order},
};

/// Whether the events of a process come to its figures at the moment: none is missing.
pub(super) fn is_whole(file: &File, process: &Process<'_>) -> io::Result<bool> {
    let Some(image) = process.image_in(file).filter(|_| process.at.is_none()) else {
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
    let (mut traces, mut live) = (HashMap::new(), HashMap::new());
    let mut now = None;
    each_in_order(file, image, |Moment { at, event, .. }| {
        let millis = at.as_millis();
        if now.replace(millis) != Some(millis) {
            writeln!(writer.out, "c {millis:x}")?;
        }
        if event.kind.is_free() {
            return match live.remove(&event.address) {
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
        // One that was never seen to be freed has made way.
        match live.insert(event.address, kind) {
            Some(old) => writeln!(writer.out, "- {old:x}"),
            None => Ok(()),
        }
    })?;
    let end = process.time().unwrap_or_default();
    writeln!(writer.out, "c {:x}", end.as_millis())
}
