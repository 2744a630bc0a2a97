//! The columns of an events frame in the making, and how each is stored.

use super::{
    EventRecord, Kind,
    habits::{Habits, Place},
};
use crate::recording::{
    block, huffman,
    wire::{Malformed, put_uint, take_uint, unzigzag, zigzag},
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
    pub(super) fn put(&mut self, event: &EventRecord, habits: &mut Habits) {
        let free = event.kind.is_free();
        let place = match free {
            true => habits.place_of_freed(event),
            false => habits.place_of_new(event),
        };
        let mut op = event.kind as u8 | place.bits() << 2;
        if !free || place == Place::Spelled {
            op |= self.put_facts(event, habits);
        }
        match place {
            Place::Rank(rank) => put_uint(rank, &mut self.ranks),
            Place::Spelled => {
                put_address(event.address, habits.last_spelled, &mut self.addresses);
                habits.last_spelled = event.address;
            }
            Place::Likeliest | Place::Following => {}
        }
        self.ops.push(op);
        habits.note(event);
    }

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
pub(super) fn store(column: &[u8]) -> Vec<u8> {
    let packed = block::pack(column);
    match huffman::encode(column).filter(|code| code.len() < packed.len()) {
        Some(code) => [&[2], &code[..]].concat(),
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
