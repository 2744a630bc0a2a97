//! The table of stacks: one row for each, the same in CSV and Parquet.

use super::{Process, stacks::Row};

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

/// The columns, named as the JSON report's fields are where they are the same. The README
/// says what they mean.
pub(super) const COLUMNS: [(&str, Type); 18] = [
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

/// A stack's values, beside the columns.
pub(super) fn cells(process: &Process<'_>, row: &Row) -> [Cell; COLUMNS.len()] {
    let number = |value: u64| Cell::Number(Some(value));
    let text = |value: Option<&str>| Cell::Text(value.map(str::to_owned));
    let scope = process.scope();
    let site = scope.site(row.stack).map(|place| scope.frame(place)).unwrap_or_default();
    let identity = &process.state.identity;
    let figures = &row.figures;
    [
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
