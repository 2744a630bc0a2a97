//! Patches: what changed from one tick to the next.
//!
//! Always holds: applying the patch between two snapshots to the first gives the second, bit
//! for bit, whatever the two hold; so a replay can show no other number than the tick had.

use std::time::Duration;

use super::{
    figures::{SCALARS, Snapshot, scalars, set_scalars},
    value::nanos,
    wire::{Malformed, put_uint, take_uint, unzigzag, zigzag},
};
use crate::model::{ProcessState, SizeClass, ThreadState};

/// Most rows of a table that a patch may lead to.
const MAX_ROWS: usize = 1 << 16;

type ClassRow = [u64; 6];
type ThreadRow = [u64; 4];

/// The figures of a snapshot in the form that patches compare.
#[derive(Debug, Clone, PartialEq)]
struct Flat {
    scalars: [u64; SCALARS],
    classes: Vec<ClassRow>,
    at_peak: Vec<ClassRow>,
    threads: Vec<ThreadRow>,
    names: Vec<Option<String>>,
}

impl Flat {
    fn of(snapshot: &mut Snapshot) -> Self {
        let scalars = scalars(snapshot);
        let state = &snapshot.state;
        let classes: Vec<_> = state.size_classes.iter().map(class_row).collect();
        let relative = |class: &SizeClass| shift(class_row(class), &classes, u64::wrapping_sub);
        Self {
            scalars,
            at_peak: state.size_classes_at_peak.iter().map(relative).collect(),
            classes,
            threads: state.threads.iter().map(thread_row).collect(),
            names: state.threads.iter().map(|thread| thread.name.clone()).collect(),
        }
    }

    fn write_to(self, snapshot: &mut Snapshot) {
        set_scalars(snapshot, &self.scalars);
        let absolute = |row: ClassRow| class_of(shift(row, &self.classes, u64::wrapping_add));
        let named = self.threads.iter().zip(self.names);
        let ProcessState { size_classes, size_classes_at_peak, threads, .. } = &mut snapshot.state;
        *size_classes_at_peak = self.at_peak.into_iter().map(absolute).collect();
        *threads = named.map(|(row, name)| thread_of(*row, name)).collect();
        *size_classes = self.classes.into_iter().map(class_of).collect();
    }
}

fn class_row(class: &SizeClass) -> ClassRow {
    let SizeClass { min, max, current_blocks, current_bytes, allocations, allocated_bytes } =
        *class;
    [min, max, current_blocks, current_bytes, allocations, allocated_bytes]
}

fn class_of(row: ClassRow) -> SizeClass {
    let [min, max, current_blocks, current_bytes, allocations, allocated_bytes] = row;
    SizeClass { min, max, current_blocks, current_bytes, allocations, allocated_bytes }
}

/// The sums of a class at the peak, from or to what they are beside the class of now.
fn shift(mut row: ClassRow, classes: &[ClassRow], by: fn(u64, u64) -> u64) -> ClassRow {
    if let Some(now) = classes.iter().find(|class| class[0] == row[0]) {
        row[4] = by(row[4], now[4]);
        row[5] = by(row[5], now[5]);
    }
    row
}

fn thread_row(thread: &ThreadState) -> ThreadRow {
    let &ThreadState { tid, current_bytes, allocations, allocated_bytes, .. } = thread;
    [u64::from(tid), current_bytes as u64, allocations, allocated_bytes]
}

fn thread_of(row: ThreadRow, name: Option<String>) -> ThreadState {
    let [tid, current_bytes, allocations, allocated_bytes] = row;
    let current_bytes = current_bytes as i64;
    ThreadState { tid: tid as u32, name, current_bytes, allocations, allocated_bytes }
}

/// What the writer compares the next tick with.
#[derive(Debug, Clone)]
pub(super) struct Base {
    flat: Flat,
    at: Duration,
}

impl Base {
    /// Starts from a state that was written as a whole.
    pub(super) fn new(mut snapshot: Snapshot) -> Self {
        Self { flat: Flat::of(&mut snapshot), at: snapshot.point.at }
    }

    /// Appends the patch that leads to `next`, and goes on from there.
    pub(super) fn put_patch(&mut self, next: &mut Snapshot, out: &mut Vec<u8>) {
        let after = next.point.at.saturating_sub(self.at);
        let before = std::mem::replace(&mut self.flat, Flat::of(next));
        self.at += after;
        put_uint(nanos(after), out);
        put_row(&before.scalars, &self.flat.scalars, out);
        put_table(&before.classes, &self.flat.classes, out);
        put_table(&before.at_peak, &self.flat.at_peak, out);
        put_table(&before.threads, &self.flat.threads, out);
        put_names(&before.names, &self.flat.names, out);
    }
}

/// Mask and differences of the fields that changed.
fn put_row<const N: usize>(before: &[u64; N], now: &[u64; N], out: &mut Vec<u8>) {
    let changed = || before.iter().zip(now).enumerate().filter(|(_, (before, now))| before != now);
    put_uint(changed().fold(0, |mask, (bit, _)| mask | 1 << bit), out);
    for (_, (before, now)) in changed() {
        put_uint(zigzag(now.wrapping_sub(*before) as i64), out);
    }
}

fn put_table<const N: usize>(before: &[[u64; N]], now: &[[u64; N]], out: &mut Vec<u8>) {
    let former = |index: usize| before.get(index).unwrap_or(&[0; N]);
    let changed: Vec<usize> = (0..now.len()).filter(|&at| now[at] != *former(at)).collect();
    put_uint(now.len() as u64, out);
    put_uint(changed.len() as u64, out);
    let mut next = 0;
    for index in changed {
        put_uint((index - next) as u64, out);
        put_row(former(index), &now[index], out);
        next = index + 1;
    }
}

fn put_names(before: &[Option<String>], now: &[Option<String>], out: &mut Vec<u8>) {
    let is_new = |at: &usize| now[*at] != before.get(*at).cloned().flatten();
    let changed: Vec<usize> = (0..now.len()).filter(is_new).collect();
    put_uint(changed.len() as u64, out);
    let mut next = 0;
    for index in changed {
        put_uint((index - next) as u64, out);
        match &now[index] {
            None => put_uint(0, out),
            Some(name) => {
                put_uint(name.len() as u64 + 1, out);
                out.extend_from_slice(name.as_bytes());
            }
        }
        next = index + 1;
    }
}

/// A patch as it is read: differences only.
#[derive(Debug, Clone, Default)]
struct Patch<'a> {
    scalars: Row,
    classes: Table,
    at_peak: Table,
    threads: Table,
    names: Vec<NewName<'a>>,
}

/// Row of a thread, and what it is called now.
type NewName<'a> = (usize, Option<&'a [u8]>);

/// Differences by field.
type Row = Vec<(u8, u64)>;

#[derive(Debug, Clone, Default)]
struct Table {
    length: usize,
    rows: Vec<(usize, Row)>,
}

impl<'a> Patch<'a> {
    fn read(bytes: &mut &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self {
            scalars: take_row(bytes)?,
            classes: take_table(bytes)?,
            at_peak: take_table(bytes)?,
            threads: take_table(bytes)?,
            names: take_names(bytes)?,
        })
    }

    fn apply(self, snapshot: &mut Snapshot) {
        let mut flat = Flat::of(snapshot);
        apply_row(&self.scalars, &mut flat.scalars);
        apply_table(&self.classes, &mut flat.classes);
        apply_table(&self.at_peak, &mut flat.at_peak);
        apply_table(&self.threads, &mut flat.threads);
        flat.names.resize(self.threads.length, None);
        for (index, name) in self.names {
            if let Some(place) = flat.names.get_mut(index) {
                *place = name.map(|name| String::from_utf8_lossy(name).into_owned());
            }
        }
        flat.write_to(snapshot);
    }
}

fn take_row(bytes: &mut &[u8]) -> Result<Row, Malformed> {
    let mut mask = take_uint(bytes)?;
    let mut row = Vec::with_capacity(mask.count_ones() as usize);
    while mask != 0 {
        let bit = mask.trailing_zeros() as u8;
        row.push((bit, unzigzag(take_uint(bytes)?) as u64));
        mask &= mask - 1;
    }
    Ok(row)
}

fn take_table(bytes: &mut &[u8]) -> Result<Table, Malformed> {
    let length = take_count(bytes)?;
    let mut rows = Vec::new();
    let mut next = 0;
    for _ in 0..take_count(bytes)? {
        let index = take_count(bytes)? + next;
        rows.push((index, take_row(bytes)?));
        next = index + 1;
    }
    if next > length {
        return Err(Malformed);
    }
    Ok(Table { length, rows })
}

fn take_names<'a>(bytes: &mut &'a [u8]) -> Result<Vec<NewName<'a>>, Malformed> {
    let mut names = Vec::new();
    let mut next = 0;
    for _ in 0..take_count(bytes)? {
        let index = take_count(bytes)? + next;
        let name = match take_uint(bytes)?.checked_sub(1) {
            None => None,
            Some(length) => {
                let length = usize::try_from(length).map_err(|_| Malformed)?;
                let (name, rest) = bytes.split_at_checked(length).ok_or(Malformed)?;
                *bytes = rest;
                Some(name)
            }
        };
        names.push((index, name));
        next = index + 1;
    }
    Ok(names)
}

/// A number of rows, or of rows skipped.
fn take_count(bytes: &mut &[u8]) -> Result<usize, Malformed> {
    let count = take_uint(bytes)?;
    usize::try_from(count).ok().filter(|count| *count <= MAX_ROWS).ok_or(Malformed)
}

fn apply_row<const N: usize>(row: &Row, fields: &mut [u64; N]) {
    for &(bit, difference) in row {
        // A newer memtop may know more fields.
        if let Some(field) = fields.get_mut(usize::from(bit)) {
            *field = field.wrapping_add(difference);
        }
    }
}

fn apply_table<const N: usize>(table: &Table, rows: &mut Vec<[u64; N]>) {
    rows.resize(table.length, [0; N]);
    for (index, row) in &table.rows {
        if let Some(fields) = rows.get_mut(*index) {
            apply_row(row, fields);
        }
    }
}

/// The patches of one ticks frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ticks {
    bytes: Vec<u8>,
    read: usize,
}

impl Ticks {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, read: 0 }
    }

    /// Whether all of it can be read, how many ticks it holds, and how many nanoseconds lie
    /// between the first and the last.
    pub(super) fn scan(&self) -> Result<(usize, u64), Malformed> {
        let mut bytes = &self.bytes[self.read..];
        let (mut count, mut span) = (0, 0_u64);
        while !bytes.is_empty() {
            let after = take_uint(&mut bytes)?;
            Patch::read(&mut bytes)?;
            span = span.saturating_add(if count == 0 { 0 } else { after });
            count += 1;
        }
        Ok((count, span))
    }

    /// How many ticks it holds.
    pub(super) fn count(&self) -> usize {
        self.scan().map_or(0, |(count, _)| count)
    }

    /// Nanoseconds from the tick before to the next one; `None` when there is none.
    pub fn next_after(&self) -> Option<u64> {
        let mut rest = &self.bytes[self.read..];
        (!rest.is_empty()).then(|| take_uint(&mut rest).ok()).flatten()
    }

    /// Applies the next tick to the figures of the one before; false when there is none.
    pub fn apply_next(&mut self, snapshot: &mut Snapshot) -> bool {
        let mut rest = &self.bytes[self.read..];
        let Some(after) = self.next_after() else {
            return false;
        };
        let patch = take_uint(&mut rest).and_then(|_| Patch::read(&mut rest));
        let Ok(patch) = patch else {
            self.read = self.bytes.len();
            return false;
        };
        patch.apply(snapshot);
        snapshot.point.at = snapshot.point.at.saturating_add(Duration::from_nanos(after));
        self.read = self.bytes.len() - rest.len();
        true
    }
}
