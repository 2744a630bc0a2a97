//! The columns of an events frame in the making, and how each is stored.

use super::{
    EventRecord, Kind,
    habits::{Habits, Place},
};
use crate::recording::{
    block,
    huffman::{self, Code},
    wire::{Malformed, put_field, take_uint, unzigzag, zigzag},
};

pub(super) const STACK_FORESEEN: u8 = 1 << 4;
pub(super) const SIZE_FORESEEN: u8 = 1 << 5;

/// Bytes of a column in the making.
#[derive(Debug, Default)]
struct Growing {
    /// Those behind `len` are room.
    bytes: Vec<u8>,
    len: usize,
}

/// The columns of a frame in the making.
#[derive(Debug, Default)]
pub(super) struct Columns {
    ops: Growing,
    sizes: Growing,
    stacks: Growing,
    births: Growing,
    ranks: Growing,
    addresses: Growing,
}

impl Growing {
    fn with_room(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], len: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(room) => {
                *room = byte;
                self.len += 1;
            }
            None => self.grow_and_push(byte),
        }
    }

    #[cold]
    #[inline(never)]
    fn grow_and_push(&mut self, byte: u8) {
        self.bytes.resize(self.bytes.len() * 2 + 64, 0);
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// A varint, mostly of one byte or two: which of them is seldom foreseen by a processor.
    #[inline(always)]
    fn put_uint(&mut self, value: u64) {
        let room = self.bytes.get_mut(self.len..).and_then(<[u8]>::first_chunk_mut);
        match room {
            Some(room) if value < 1 << 14 => {
                let is_long = value >> 7 != 0;
                *room = [value as u8 & 0x7f | u8::from(is_long) << 7, (value >> 7) as u8];
                self.len += 1 + usize::from(is_long);
            }
            _ => self.put_any_uint(value),
        }
    }

    #[cold]
    #[inline(never)]
    fn put_any_uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }
}

impl Columns {
    /// Events in them.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.ops.len
    }

    fn all(&self) -> [&Growing; 6] {
        let Self { ops, sizes, stacks, births, ranks, addresses } = self;
        [ops, sizes, stacks, births, ranks, addresses]
    }

    /// Bytes in all of them.
    pub(super) fn len(&self) -> usize {
        self.all().map(|column| column.len).iter().sum()
    }

    /// Others, empty, that become as long without growing.
    pub(super) fn room_for_as_much(&self) -> Self {
        let [ops, sizes, stacks, births, ranks, addresses] =
            self.all().map(|column| Growing::with_room(column.len));
        Self { ops, sizes, stacks, births, ranks, addresses }
    }

    /// Appends them as fields, from tag 4 on.
    pub(super) fn put_fields(&self, out: &mut Vec<u8>) {
        for (tag, column) in (4..).zip(self.all()) {
            put_field(tag, &store(column.bytes()), out);
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
        if place == Place::Ranked {
            self.ranks.put_uint(rank);
        } else if place == Place::Spelled {
            self.put_address(event.address, habits);
        }
        self.ops.push(event.kind as u8 | (place as u8) << 2 | facts);
    }

    #[inline(always)]
    fn put_facts(&mut self, event: &EventRecord, habits: &Habits) -> u8 {
        let mut op = 0;
        match event.stack == habits.next_stack() {
            true => op |= STACK_FORESEEN,
            false => self.stacks.put_uint(event.stack.into()),
        }
        match event.size == habits.usual_size(event.stack) {
            true => op |= SIZE_FORESEEN,
            false => self.sizes.put_uint(event.size),
        }
        if event.kind == Kind::Free {
            self.births.put_uint(event.tick.wrapping_sub(event.birth));
        }
        op
    }

    fn put_address(&mut self, address: u64, habits: &mut Habits) {
        let difference = address.wrapping_sub(habits.last_spelled) as i64;
        habits.last_spelled = address;
        // Twice as much must fit 64 bits.
        match difference % 16 == 0 {
            true => self.addresses.put_uint(zigzag(difference / 16) << 1),
            false => {
                self.addresses.put_uint(1);
                self.addresses.put_uint(address);
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
pub(super) fn store(column: &[u8]) -> Vec<u8> {
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
