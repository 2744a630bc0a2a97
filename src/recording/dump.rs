//! A recording as text, for eyes and tests: one line a record, fields that are zero or
//! unknown left out.

use std::{
    fmt::Write as _,
    io::{Read, Write},
};

use super::{
    reader::{Frame, ReadError, Reader},
    schema::{Ending, Launch, Record},
    value::Field,
};
use crate::model::{Point, SitesUpdate};

/// Writes the text form of the recording in `input` to `out`.
///
/// # Errors
/// When `input` is no recording, or either cannot be used.
pub fn dump<R: Read>(input: R, out: &mut impl Write) -> Result<(), ReadError> {
    let mut reader = Reader::new(input)?;
    writeln!(out, "memtop recording, format {}", reader.version())?;
    let mut offset = reader.offset();
    while let Some(frame) = reader.next_frame()? {
        writeln!(out, "@{offset} {}", describe(&frame))?;
        offset = reader.offset();
    }
    if reader.is_cut() {
        writeln!(out, "@{offset} cut: no good record from here on")?;
    }
    Ok(())
}

fn describe(frame: &Frame) -> String {
    let mut line = String::new();
    match frame {
        Frame::Launch { command, launched_at } => {
            let launch = Launch { launched_at: *launched_at, command: command.clone() };
            show("launch", None, &launch, &mut line);
        }
        Frame::Process { image, identity } => show("process", Some(*image), identity, &mut line),
        Frame::Window { image, window } => show("window", Some(*image), window, &mut line),
        Frame::State { image, state } => {
            show("state moment=end", Some(*image), &**state, &mut line);
        }
        Frame::Timeline { image, points } => show_points(*image, points, &mut line),
        Frame::Exit { image, ended, exit } => {
            let ending = Ending { ended: *ended, exit: *exit };
            show("exit", *image, &ending, &mut line);
        }
        Frame::Along { image, at, state } => {
            show("state moment=along", Some(*image), &**state, &mut line);
            Some(*at).show("at", &mut line);
        }
        Frame::Mark { image, mark } => show("mark", *image, mark, &mut line),
        Frame::Gap(gap) => show("gap", None, gap, &mut line),
        Frame::Untraced(process) => show("untraced", None, process, &mut line),
        Frame::End { frames, .. } => {
            let _ = write!(line, "end frames={frames}");
        }
        bulk => show_bulk(bulk, &mut line),
    }
    line
}

/// Frames that hold much say how much; only names are spelled out.
fn show_bulk(frame: &Frame, line: &mut String) {
    let _ = match frame {
        Frame::Modules { image, restart, modules } => {
            let _ = write!(line, "modules image={image}");
            if *restart {
                line.push_str(" restart");
            }
            modules.show("module", line);
            Ok(())
        }
        Frame::Stacks { image, update } => {
            let SitesUpdate { locations, nodes, stacks, .. } = update;
            let counts = [locations.len(), nodes.len(), stacks.len()];
            let [locations, nodes, stacks] = counts;
            write!(line, "stacks image={image} locations={locations} nodes={nodes} stacks={stacks}")
        }
        Frame::Symbols { image, names } => {
            let _ = write!(line, "symbols image={image}");
            for (location, functions) in names {
                let _ = write!(line, "\n    location {}", location.0);
                functions.show("function", line);
            }
            Ok(())
        }
        Frame::Cells { image, at, cells } => {
            let reset = if cells.reset { " reset" } else { "" };
            let (at, count) = (at.as_nanos(), cells.len());
            write!(line, "cells image={image} at={at}ns{reset} count={count}")
        }
        Frame::Ticks { image, at, ticks } => {
            let (at, count) = (at.as_nanos(), ticks.count());
            write!(line, "ticks image={image} at={at}ns count={count}")
        }
        Frame::Events { image, at, events } => {
            let (at, tid, count) = (at.as_nanos(), events.tid, events.events.len());
            write!(line, "events image={image} at={at}ns tid={tid} count={count}")
        }
        Frame::Index { frames, from, to } => {
            let (from, to) = (from.as_nanos(), to.as_nanos());
            write!(line, "index frames={frames} from={from}ns to={to}ns")
        }
        Frame::Skipped { kind, length } => write!(line, "skipped kind={kind} length={length}"),
        _ => Ok(()),
    };
}

fn show(label: &str, image: Option<u64>, record: &impl Record, line: &mut String) {
    line.push_str(label);
    image.show("image", line);
    record.show_fields(line);
}

fn show_points(image: u64, points: &[Point], line: &mut String) {
    let _ = write!(line, "timeline image={image} points={}", points.len());
    for point in points {
        line.push_str("\n    point");
        Some(point.at).show("at", line);
        Some(point.current_bytes).show("current_bytes", line);
        Some(point.max_bytes).show("max_bytes", line);
        point.rss_bytes.show("rss_bytes", line);
        point.untracked_freed_bytes.show("untracked_freed_bytes", line);
    }
}
