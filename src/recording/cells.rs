//! Cells: figures of sites, as what they changed by.

use super::{
    column::{Column, put_column},
    wire::{Fields, Malformed, put_field, put_uint, take_uint, unzigzag, zigzag},
};
use crate::model::{SiteFigures, StackId};

/// Most sites of one frame.
pub(super) const MAX_CELLS: usize = 1 << 15;
/// Figures of a site.
const FIGURES: usize = 7;
/// Tag of the first figure's column.
const FIRST: u64 = 3;

/// The inside of a cells frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cells {
    /// All figures start from zero before this frame.
    pub reset: bool,
    changed: Vec<(StackId, [u64; FIGURES])>,
}

fn row(figures: &SiteFigures) -> [u64; FIGURES] {
    let SiteFigures {
        current_bytes,
        current_blocks,
        at_peak_bytes,
        at_peak_blocks,
        allocated_bytes,
        allocations,
        temporary,
    } = *figures;
    [
        current_bytes,
        current_blocks,
        at_peak_bytes,
        at_peak_blocks,
        allocated_bytes,
        allocations,
        temporary,
    ]
}

fn figures(row: [u64; FIGURES]) -> SiteFigures {
    let [
        current_bytes,
        current_blocks,
        at_peak_bytes,
        at_peak_blocks,
        allocated_bytes,
        allocations,
        temporary,
    ] = row;
    SiteFigures {
        current_bytes,
        current_blocks,
        at_peak_bytes,
        at_peak_blocks,
        allocated_bytes,
        allocations,
        temporary,
    }
}

fn combine(one: [u64; FIGURES], other: [u64; FIGURES], by: fn(u64, u64) -> u64) -> [u64; FIGURES] {
    std::array::from_fn(|index| by(one[index], other[index]))
}

impl Cells {
    /// How many sites it says something about.
    pub fn len(&self) -> usize {
        self.changed.len()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && !self.reset
    }

    /// All figures that are not zero, from nothing.
    pub(super) fn whole(all: &[SiteFigures]) -> Vec<Self> {
        let held = all.iter().enumerate().filter(|(_, one)| **one != SiteFigures::default());
        let rows: Vec<_> = held.map(|(at, one)| (StackId(at as u32), row(one))).collect();
        let mut pieces = Self::pieces(rows);
        if pieces.is_empty() {
            pieces.push(Self::default());
        }
        pieces[0].reset = true;
        pieces
    }

    /// What leads from `known` to `changed`, which is sorted; `known` then knows it.
    pub(super) fn difference<'a>(
        known: &mut Vec<SiteFigures>,
        changed: impl Iterator<Item = (&'a StackId, &'a SiteFigures)>,
    ) -> Vec<Self> {
        let mut rows = Vec::new();
        for (stack, now) in changed {
            let at = stack.0 as usize;
            if at >= known.len() {
                known.resize(at + 1, SiteFigures::default());
            }
            if known[at] != *now {
                rows.push((*stack, combine(row(now), row(&known[at]), u64::wrapping_sub)));
                known[at] = *now;
            }
        }
        Self::pieces(rows)
    }

    fn pieces(rows: Vec<(StackId, [u64; FIGURES])>) -> Vec<Self> {
        let piece = |rows: &[_]| Self { reset: false, changed: rows.to_vec() };
        rows.chunks(MAX_CELLS).map(piece).collect()
    }

    /// Changes `all`, which knows so many stacks and comes to `sum`; others are left out.
    pub(super) fn apply(&self, all: &mut [SiteFigures], sum: &mut SiteFigures) {
        if self.reset {
            all.fill(SiteFigures::default());
            *sum = SiteFigures::default();
        }
        for (stack, difference) in &self.changed {
            if let Some(place) = all.get_mut(stack.0 as usize) {
                for figures_of in [place, &mut *sum] {
                    *figures_of = figures(combine(row(figures_of), *difference, u64::wrapping_add));
                }
            }
        }
    }

    /// The stacks it says something about.
    pub fn stacks(&self) -> impl Iterator<Item = StackId> + '_ {
        self.changed.iter().map(|(stack, _)| *stack)
    }

    /// Appends its fields.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if self.reset {
            put_field(1, &[1], out);
        }
        put_column(2, self.changed.iter().map(|(stack, _)| u64::from(stack.0)), out);
        for figure in 0..FIGURES {
            let mut column = Vec::new();
            for (_, difference) in &self.changed {
                put_uint(zigzag(difference[figure] as i64), &mut column);
            }
            put_field(FIRST + figure as u64, &column, out);
        }
    }

    /// Reads them.
    pub(super) fn read(fields: &[u8]) -> Result<Self, Malformed> {
        let (mut reset, mut stacks) = (0, Column::default());
        let mut columns: [Option<&[u8]>; FIGURES] = [None; FIGURES];
        for field in Fields(fields) {
            let (tag, mut value) = field?;
            match tag {
                1 => reset = take_uint(&mut value)?,
                2 => stacks = Column::new(value),
                _ => {
                    if let Some(column) =
                        tag.checked_sub(FIRST).and_then(|at| columns.get_mut(at as usize))
                    {
                        *column = Some(value);
                    }
                }
            }
        }
        let mut cells = Self { reset: reset != 0, changed: Vec::new() };
        while !stacks.is_done() {
            let stack = u32::try_from(stacks.next()?).map_err(|_| Malformed)?;
            if cells.changed.len() == MAX_CELLS {
                return Err(Malformed);
            }
            let mut difference = [0; FIGURES];
            for (place, column) in difference.iter_mut().zip(&mut columns) {
                if let Some(column) = column {
                    *place = unzigzag(take_uint(column)?) as u64;
                }
            }
            cells.changed.push((StackId(stack), difference));
        }
        Ok(cells)
    }
}

/// What a cells frame says of the live bytes of some stacks: whether all start from zero, and by
/// how much they changed together, modulo 2^64. Other figures are not looked at.
pub(super) fn live_bytes_in(
    fields: &[u8],
    belongs: impl Fn(StackId) -> bool,
) -> Result<(bool, u64), Malformed> {
    let (mut reset, mut stacks, mut changes) = (0, Column::default(), None);
    for field in Fields(fields) {
        let (tag, mut value) = field?;
        match tag {
            1 => reset = take_uint(&mut value)?,
            2 => stacks = Column::new(value),
            FIRST => changes = Some(value),
            _ => {}
        }
    }
    let mut sum = 0_u64;
    while !stacks.is_done() {
        let stack = u32::try_from(stacks.next()?).map_err(|_| Malformed)?;
        let change = match &mut changes {
            Some(column) => unzigzag(take_uint(column)?) as u64,
            None => 0,
        };
        if belongs(StackId(stack)) {
            sum = sum.wrapping_add(change);
        }
    }
    Ok((reset != 0, sum))
}
