//! The columns of an events frame on the way back.

use super::{
    EventRecord, Kind,
    columns::{SIZE_FORESEEN, STACK_FORESEEN, take_address},
    habits::{Block, Habits},
};
use crate::recording::{
    column::Column,
    wire::{Malformed, take_uint},
};

/// What of the columns is not read yet.
pub(super) struct Spelled<'a> {
    pub(super) ticks: Column<'a>,
    pub(super) counts: &'a [u8],
    pub(super) tick: u64,
    pub(super) run: u64,
    pub(super) size: &'a [u8],
    pub(super) stack: &'a [u8],
    pub(super) birth: &'a [u8],
    pub(super) rank: &'a [u8],
    pub(super) address: &'a [u8],
    /// Addresses by number of their allocation.
    pub(super) numbers: Vec<u64>,
}

impl Spelled<'_> {
    pub(super) fn take(&mut self, op: u8, habits: &mut Habits) -> Result<EventRecord, Malformed> {
        while self.run == 0 {
            self.tick = self.ticks.next()?;
            self.run = take_uint(&mut self.counts)?;
        }
        self.run -= 1;
        let kind = Kind::of(op);
        let place = op >> 2 & 3;
        let mut event = EventRecord { kind, tick: self.tick, ..EventRecord::default() };
        if kind.is_free() && place != 3 {
            return self.freed(event, place, habits);
        }
        self.facts(op, &mut event, habits)?;
        event.address = match place {
            0 => habits.freed(event.size).get(0).ok_or(Malformed)?,
            1 => {
                let rank = usize::try_from(take_uint(&mut self.rank)?).map_err(|_| Malformed)?;
                habits.freed(event.size).get(rank).ok_or(Malformed)?
            }
            2 => habits.following(),
            _ => {
                habits.last_spelled = take_address(&mut self.address, habits.last_spelled)?;
                habits.last_spelled
            }
        };
        if !kind.is_free() {
            self.numbers.push(event.address);
        }
        Ok(event)
    }

    fn facts(&mut self, op: u8, event: &mut EventRecord, habits: &Habits) -> Result<(), Malformed> {
        event.stack = match op & STACK_FORESEEN != 0 {
            true => habits.next_stack(),
            false => u32::try_from(take_uint(&mut self.stack)?).map_err(|_| Malformed)?,
        };
        event.size = match op & SIZE_FORESEEN != 0 {
            true => habits.usual_size(event.stack),
            false => take_uint(&mut self.size)?,
        };
        if event.kind == Kind::Free {
            event.birth = event.tick.wrapping_sub(take_uint(&mut self.birth)?);
        }
        Ok(())
    }

    fn freed(
        &mut self,
        event: EventRecord,
        place: u8,
        habits: &Habits,
    ) -> Result<EventRecord, Malformed> {
        let number = match place {
            0 => habits.newest(),
            1 => {
                let rank = u32::try_from(take_uint(&mut self.rank)?).map_err(|_| Malformed)?;
                habits.newest().wrapping_sub(rank)
            }
            _ => habits.last_freed().wrapping_add(1),
        };
        let Block { address, size, birth, stack, .. } = *self.block(number, habits)?;
        Ok(EventRecord { address, size, birth, stack, ..event })
    }

    /// The block that the allocation with a number made.
    fn block<'h>(&self, number: u32, habits: &'h Habits) -> Result<&'h Block, Malformed> {
        let address = *self.numbers.get(number as usize).ok_or(Malformed)?;
        let found = habits.block_at(address).filter(|(_, found)| *found == number);
        found.map(|(block, _)| block).ok_or(Malformed)
    }
}
