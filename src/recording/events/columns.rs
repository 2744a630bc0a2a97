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
#[derive(Default)]
pub(super) struct Columns {
    pub(super) ops: Vec<u8>,
    pub(super) sizes: Vec<u8>,
    pub(super) stacks: Vec<u8>,
    pub(super) births: Vec<u8>,
    pub(super) ranks: Vec<u8>,
    pub(super) addresses: Vec<u8>,
}

impl Columns {
    /// Empties them, for the next frame.
    pub(super) fn clear(&mut self) {
        let Self { ops, sizes, stacks, births, ranks, addresses } = self;
        [ops, sizes, stacks, births, ranks, addresses].into_iter().for_each(Vec::clear);
    }

    /// Appends them as fields, from tag 4 on.
    pub(super) fn put_fields(&self, out: &mut Vec<u8>) {
        let Self { ops, sizes, stacks, births, ranks, addresses } = self;
        for (tag, column) in (4..).zip([ops, sizes, stacks, births, ranks, addresses]) {
            put_field(tag, &store(column), out);
        }
    }

    /// Appends an event, and `habits` takes it in.
    #[inline(always)]
    pub(super) fn put(&mut self, event: &EventRecord, habits: &mut Habits) {
        let (place, facts) = match event.kind.is_free() {
            true => match habits.note_free(event) {
                // What is foreseen of a stack is a matter of allocations alone.
                Place::Spelled => (Place::Spelled, self.put_facts(event, habits)),
                place => (place, 0),
            },
            false => {
                let facts = self.put_facts(event, habits);
                (habits.note_new(event), facts)
            }
        };
        match place {
            Place::Rank(rank) => put_uint(rank, &mut self.ranks),
            Place::Spelled => {
                put_address(event.address, habits.last_spelled, &mut self.addresses);
                habits.last_spelled = event.address;
            }
            Place::Likeliest | Place::Following => {}
        }
        self.ops.push(event.kind as u8 | place.bits() << 2 | facts);
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
}

fn put_address(address: u64, before: u64, out: &mut Vec<u8>) {
    let difference = address.wrapping_sub(before) as i64;
    // Twice as much must fit 64 bits.
    match difference % 16 == 0 {
        true => put_uint(zigzag(difference / 16) << 1, out),
        false => {
            put_uint(1, out);
            put_uint(address, out);
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

/// A column in its shortest form.
fn store(column: &[u8]) -> Vec<u8> {
    let (code, packed) = (Code::of(column), block::pack(column));
    match code.filter(|code| code.len() < packed.len()) {
        Some(code) => {
            let mut out = vec![2];
            code.put(column, &mut out);
            out
        }
        None if packed.len() <= column.len() => [&[1], &packed[..]].concat(),
        None => [&[0], column].concat(),
    }
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
