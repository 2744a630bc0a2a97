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
use crate::model::Point;

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
        Frame::End { frames } => {
            let _ = write!(line, "end frames={frames}");
        }
        Frame::Skipped { kind, length } => {
            let _ = write!(line, "skipped kind={kind} length={length}");
        }
    }
    line
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
