//! CSV (RFC 4180): a line for each stack, and one above them that says what is what.

use std::io::{self, Write};

use super::{
    Process,
    table::{COLUMNS, Cell, cells},
};

/// Writes the table.
pub(super) fn write(of: &[Process<'_>], out: &mut impl Write) -> io::Result<()> {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    write!(out, "{}\r\n", names.join(","))?;
    for process in of {
        for row in process.rows() {
            let fields: Vec<String> = cells(process, &row).iter().map(field).collect();
            write!(out, "{}\r\n", fields.join(","))?;
        }
    }
    Ok(())
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
