//! The tables of CSV and Parquet: one of stacks, one of events.

use std::io;

use super::{Process, stacks::Row};
use crate::recording::{File, Kind, Moment, each_in_order};

/// A value; what is not known is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Number(Option<u64>),
    Text(Option<String>),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Number,
    Text,
}

/// Name and type of a column.
pub(super) type Column = (&'static str, Type);

/// The columns of stacks, named as the JSON report's fields are where they are the same. The README
/// says what they mean.
pub(super) const STACKS: &[Column] = &[
    ("pid", Type::Number),
    ("generation", Type::Number),
    ("command", Type::Text),
    ("moment", Type::Text),
    ("at_ns", Type::Number),
    ("stack", Type::Number),
    ("function", Type::Text),
    ("file", Type::Text),
    ("line", Type::Number),
    ("module", Type::Text),
    ("frames", Type::Text),
    ("current_bytes", Type::Number),
    ("current_blocks", Type::Number),
    ("at_peak_bytes", Type::Number),
    ("at_peak_blocks", Type::Number),
    ("allocated_bytes", Type::Number),
    ("allocations", Type::Number),
    ("temporary", Type::Number),
];

/// The columns of events. Times are those of the ticks, since the session of the process began.
pub(super) const EVENTS: &[Column] = &[
    ("pid", Type::Number),
    ("generation", Type::Number),
    ("at_ns", Type::Number),
    ("tick", Type::Number),
    ("tid", Type::Number),
    ("event", Type::Text),
    ("address", Type::Number),
    ("size", Type::Number),
    ("stack", Type::Number),
    ("birth_tick", Type::Number),
];

fn number(value: u64) -> Cell {
    Cell::Number(Some(value))
}

/// Shows `with` the rows of all stacks.
pub(super) fn each_stack(
    of: &[Process<'_>],
    mut with: impl FnMut(Vec<Cell>) -> io::Result<()>,
) -> io::Result<()> {
    of.iter().try_for_each(|process| process.rows().try_for_each(|row| with(cells(process, &row))))
}

/// Shows `with` the rows of all events.
pub(super) fn each_event(
    (file, of): (&File, &[Process<'_>]),
    mut with: impl FnMut(Vec<Cell>) -> io::Result<()>,
) -> io::Result<()> {
    for process in of {
        let Some(image) = process.image_in(file) else { continue };
        each_in_order(file, image, |moment| with(event(process, moment)))?;
    }
    Ok(())
}

fn event(process: &Process<'_>, Moment { tid, at, event }: &Moment) -> Vec<Cell> {
    let word = match event.kind {
        Kind::Allocate => "allocate",
        Kind::Reallocate => "reallocate",
        Kind::Free => "free",
        Kind::FreeUntracked => "free_untracked",
    };
    let tracked = event.kind != Kind::FreeUntracked;
    vec![
        number(process.state.identity.pid.into()),
        number(process.state.identity.generation.into()),
        number(at.as_nanos() as u64),
        number(event.tick),
        number((*tid).into()),
        Cell::Text(Some(word.to_owned())),
        number(event.address),
        number(event.size),
        Cell::Number(tracked.then_some(event.stack.into())),
        Cell::Number((event.kind == Kind::Free).then_some(event.birth)),
    ]
}

/// A stack's values, beside the columns.
fn cells(process: &Process<'_>, row: &Row) -> Vec<Cell> {
    let text = |value: Option<&str>| Cell::Text(value.map(str::to_owned));
    let scope = process.scope();
    let site = scope.site(row.stack).map(|place| scope.frame(place)).unwrap_or_default();
    let identity = &process.state.identity;
    let figures = &row.figures;
    vec![
        number(identity.pid.into()),
        number(identity.generation.into()),
        Cell::Text(Some(process.command())),
        text(Some(process.moment_word())),
        Cell::Number(process.time().map(|at| at.as_nanos() as u64)),
        number(row.stack.0.into()),
        text(site.function.as_deref()),
        text(site.file.as_deref()),
        Cell::Number(site.line.map(u64::from)),
        text(site.module.as_deref()),
        Cell::Text(Some(frames(process, row))),
        number(row.bytes),
        number(row.blocks),
        number(figures.at_peak_bytes),
        number(figures.at_peak_blocks),
        number(figures.allocated_bytes),
        number(figures.allocations),
        number(figures.temporary),
    ]
}

/// All frames' names, outermost first.
fn frames(process: &Process<'_>, row: &Row) -> String {
    let alone = Process { one_of_several: false, ..*process };
    let path = alone.path(row.stack);
    path.iter().map(|name| name.replace(';', ":")).collect::<Vec<_>>().join(";")
}
