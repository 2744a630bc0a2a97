//! The columns of an events frame in the making, and how each is stored.

use super::{
    EventRecord, Kind,
    habits::{Habits, Place},
};
use crate::recording::{
    block,
    huffman::{self, Code},
    wire::{Malformed, put_field, put_uint, take_uint, unzigzag, zigzag},
};

pub(super) const STACK_FORESEEN: u8 = 1 << 4;
pub(super) const SIZE_FORESEEN: u8 = 1 << 5;

/// The columns of a frame in the making.
#[derive(Debug, Default)]
pub(super) struct Columns {
    ops: Vec<u8>,
    sizes: Vec<u8>,
    stacks: Vec<u8>,
    births: Vec<u8>,
    ranks: Vec<u8>,
    addresses: Vec<u8>,
}

impl Columns {
    /// Events in them.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.ops.len()
    }

    fn all(&self) -> [&Vec<u8>; 6] {
        let Self { ops, sizes, stacks, births, ranks, addresses } = self;
        [ops, sizes, stacks, births, ranks, addresses]
    }

    /// Bytes in all of them.
    pub(super) fn len(&self) -> usize {
        self.all().map(Vec::len).iter().sum()
    }

    /// Others, empty, that may become as long without moving.
    pub(super) fn room_for_as_much(&self) -> Self {
        let [ops, sizes, stacks, births, ranks, addresses] =
            self.all().map(|column| Vec::with_capacity(column.len()));
        Self { ops, sizes, stacks, births, ranks, addresses }
    }

    /// Appends them as fields, from tag 4 on.
    pub(super) fn put_fields(&self, out: &mut Vec<u8>) {
        for (tag, column) in (4..).zip(self.all()) {
            put_field(tag, &store(column), out);
        }
    }

    /// Appends an event, and `habits` takes it in.
    #[inline(always)]
    pub(super) fn put(&mut self, event: &EventRecord, habits: &mut Habits) {
        let (place, rank, facts) = match event.kind.is_free() {
            true => {
                let (place, rank) = habits.note_free(event);
                // What is foreseen of a stack is a matter of allocations alone.
                let facts = if place == Place::Spelled { self.put_facts(event, habits) } else { 0 };
                (place, rank, facts)
            }
            false => {
                let facts = self.put_facts(event, habits);
                let (place, rank) = habits.note_new(event);
                (place, rank, facts)
            }
        };
        match place {
            Place::Ranked => put_uint(rank, &mut self.ranks),
            Place::Spelled => self.put_address(event.address, habits),
            Place::Likeliest | Place::Following => {}
        }
        self.ops.push(event.kind as u8 | (place as u8) << 2 | facts);
    }

    #[inline(always)]
    fn put_facts(&mut self, event: &EventRecord, habits: &Habits) -> u8 {
        let mut op = 0;
        match event.stack == habits.next_stack() {
            true => op |= STACK_FORESEEN,
            false => put_uint(event.stack.into(), &mut self.stacks),
        }
        match event.size == habits.custom(event.stack).size {
            true => op |= SIZE_FORESEEN,
            false => put_uint(event.size, &mut self.sizes),
        }
        if event.kind == Kind::Free {
            put_uint(event.tick.wrapping_sub(event.birth), &mut self.births);
        }
        op
    }

    fn put_address(&mut self, address: u64, habits: &mut Habits) {
        let difference = address.wrapping_sub(habits.last_spelled) as i64;
        habits.last_spelled = address;
        // Twice as much must fit 64 bits.
        match difference % 16 == 0 {
            true => put_uint(zigzag(difference / 16) << 1, &mut self.addresses),
            false => {
                put_uint(1, &mut self.addresses);
                put_uint(address, &mut self.addresses);
            }
        }
    }
}

pub(super) fn take_address(bytes: &mut &[u8], before: u64) -> Result<u64, Malformed> {
    let code = take_uint(bytes)?;
    match code & 1 {
        0 => Ok(before.wrapping_add((unzigzag(code >> 1) as u64).wrapping_mul(16))),
        _ => take_uint(bytes),
    }
}

/// A column in its shortest form, as far as a part of it tells.
fn store(column: &[u8]) -> Vec<u8> {
    let code = Code::of(column);
    let to_beat = code.as_ref().map_or(column.len() + 1, Code::len);
    if may_pack_into(to_beat, column) {
        let packed = block::pack(column);
        if packed.len() <= to_beat.min(column.len()) {
            return [&[1], &packed[..]].concat();
        }
    }
    match code.filter(|code| code.len() < column.len()) {
        Some(code) => {
            let mut out = vec![2];
            code.put(column, &mut out);
            out
        }
        None => [&[0], column].concat(),
    }
}

/// Of a long column the middle is packed first: most that have a code are packed for nothing,
/// which takes longer than the code.
fn may_pack_into(bytes: usize, column: &[u8]) -> bool {
    const PART: usize = 1 << 12;
    if column.len() < 4 * PART {
        return true;
    }
    let middle = column.len() / 2;
    let packed = block::pack(&column[middle..middle + PART]).len();
    // A whole finds more that repeats than its part does.
    packed * (column.len() / PART) < bytes + bytes / 4
}

pub(super) fn restore(column: &[u8]) -> Result<Vec<u8>, Malformed> {
    match column.split_first() {
        None => Ok(Vec::new()),
        Some((0, bytes)) => Ok(bytes.to_vec()),
        Some((1, packed)) => block::unpack(packed),
        Some((2, code)) => huffman::decode(code),
        Some(_) => Err(Malformed),
    }
}
