//! CSV (RFC 4180): a line for each row, and one above them that says what is what.

use std::io::{self, Write};

use super::table::{Cell, Column};

/// A table so far.
pub(super) struct Table<W>(W);

impl<W: Write> Table<W> {
    /// A table without rows.
    pub(super) fn new(mut out: W, columns: &[Column]) -> io::Result<Self> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        write!(out, "{}\r\n", names.join(","))?;
        Ok(Self(out))
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &[Cell]) -> io::Result<()> {
        let fields: Vec<String> = row.iter().map(field).collect();
        write!(self.0, "{}\r\n", fields.join(","))
    }
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Number(Some(number)) => number.to_string(),
        Cell::Number(None) | Cell::Text(None) => String::new(),
        Cell::Text(Some(text)) if text.contains(['"', ',', '\r', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Cell::Text(Some(text)) => text.clone(),
    }
}
