//! Parquet, for recordings that outgrow a machine: DuckDB, Spark, ClickHouse and pandas read
//! it as it is.
//!
//! Written by hand, since one flat table needs little of the format and the library would
//! double the build:
//!
//! ```text
//!  PAR1 │ row group: a chunk for each column │ row group │ … │ footer │ its length │ PAR1
//!            chunk: one page: header │ gzip( which values are there │ the values )
//! ```
//!
//! Every column is optional; values are in plain encoding, 64-bit integers or UTF-8.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};

use super::{
    table::{Cell, Column, Type},
    thrift::{Struct, varint},
};

/// Rows held before they are written.
const ROWS: usize = 1 << 16;

// Numbers of the format's own, by the names of its specification.
const MAGIC: &[u8] = b"PAR1";
const INT64: i32 = 2;
const BYTE_ARRAY: i32 = 6;
const OPTIONAL: i32 = 1;
const UTF8: i32 = 0;
const UINT_64: i32 = 14;
const PLAIN: i32 = 0;
const RLE: i32 = 3;
const GZIP: i32 = 2;
const DATA_PAGE: i32 = 0;

/// A table so far.
pub(super) struct Table<W> {
    out: W,
    name: &'static str,
    columns: &'static [Column],
    offset: i64,
    groups: Vec<Struct>,
    rows: i64,
    held: Vec<Vec<Cell>>,
}

impl<W: Write> Table<W> {
    /// A table without rows.
    pub(super) fn new(
        mut out: W,
        name: &'static str,
        columns: &'static [Column],
    ) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        let offset = MAGIC.len() as i64;
        Ok(Self { out, name, columns, offset, groups: Vec::new(), rows: 0, held: Vec::new() })
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: Vec<Cell>) -> io::Result<()> {
        self.held.push(row);
        match self.held.len() == ROWS {
            true => self.row_group(),
            false => Ok(()),
        }
    }

    fn row_group(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.held);
        let (mut chunks, begin) = (Vec::new(), self.offset);
        for (column, (name, kind)) in self.columns.iter().enumerate() {
            chunks.push(self.chunk(name, *kind, &rows, column)?);
        }
        let count = rows.len() as i64;
        self.rows += count;
        let size = self.offset - begin;
        self.groups.push(Struct::default().messages(1, chunks).i64(2, size).i64(3, count));
        Ok(())
    }

    /// Writes a column's values; what the footer says about them.
    fn chunk(
        &mut self,
        name: &str,
        kind: Type,
        rows: &[Vec<Cell>],
        column: usize,
    ) -> io::Result<Struct> {
        let (values, offset) = (page(rows.iter().map(|row| &row[column])), self.offset);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&values)?;
        let packed = gzip.finish()?;
        let header = page_header(rows.len(), values.len(), packed.len())?;
        self.out.write_all(&header)?;
        self.out.write_all(&packed)?;
        self.offset += (header.len() + packed.len()) as i64;
        let unpacked = (header.len() + values.len()) as i64;
        let facts = Struct::default()
            .i32(1, physical(kind))
            .numbers(2, &[PLAIN, RLE])
            .texts(3, &[name])
            .i32(4, GZIP)
            .i64(5, rows.len() as i64)
            .i64(6, unpacked)
            .i64(7, self.offset - offset)
            .i64(9, offset);
        Ok(Struct::default().i64(2, offset).message(3, facts))
    }

    /// Writes what is left, and what a reader begins with.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.row_group()?;
        }
        let schema = self.schema();
        let footer = Struct::default()
            .i32(1, 1)
            .messages(2, schema)
            .i64(3, self.rows)
            .messages(4, self.groups)
            .text(6, concat!("memtop version ", env!("CARGO_PKG_VERSION")))
            .finish();
        self.out.write_all(&footer)?;
        self.out.write_all(&(footer.len() as u32).to_le_bytes())?;
        self.out.write_all(MAGIC)
    }

    /// A root and its columns.
    fn schema(&self) -> Vec<Struct> {
        let root = Struct::default().text(4, self.name).i32(5, self.columns.len() as i32);
        let column = |(name, kind): &(&str, Type)| {
            let meaning = if *kind == Type::Text { UTF8 } else { UINT_64 };
            Struct::default().i32(1, physical(*kind)).i32(3, OPTIONAL).text(4, name).i32(6, meaning)
        };
        [root].into_iter().chain(self.columns.iter().map(column)).collect()
    }
}

fn physical(kind: Type) -> i32 {
    match kind {
        Type::Number => INT64,
        Type::Text => BYTE_ARRAY,
    }
}

fn page_header(rows: usize, size: usize, packed: usize) -> io::Result<Vec<u8>> {
    let number = |value: usize| i32::try_from(value).map_err(|_| io::ErrorKind::FileTooLarge);
    let page = Struct::default().i32(1, number(rows)?).i32(2, PLAIN).i32(3, RLE).i32(4, RLE);
    let header = Struct::default()
        .i32(1, DATA_PAGE)
        .i32(2, number(size)?)
        .i32(3, number(packed)?)
        .message(5, page);
    Ok(header.finish())
}

/// One bit for each row, whether its value is there, then the values that are.
fn page<'a>(cells: impl Iterator<Item = &'a Cell>) -> Vec<u8> {
    let (mut there, mut values, mut rows) = (Vec::new(), Vec::new(), 0);
    for cell in cells {
        if rows % 8 == 0 {
            there.push(0_u8);
        }
        if push(&mut values, cell) {
            there[rows / 8] |= 1 << (rows % 8);
        }
        rows += 1;
    }
    let mut levels = Vec::new();
    varint(&mut levels, (there.len() as u64) << 1 | 1);
    levels.extend(there);
    [&(levels.len() as u32).to_le_bytes()[..], &levels, &values].concat()
}

/// Whether there was something to push.
fn push(values: &mut Vec<u8>, cell: &Cell) -> bool {
    match cell {
        Cell::Number(Some(number)) => values.extend(number.to_le_bytes()),
        Cell::Text(Some(text)) => {
            values.extend((text.len() as u32).to_le_bytes());
            values.extend(text.as_bytes());
        }
        Cell::Number(None) | Cell::Text(None) => return false,
    }
    true
}
