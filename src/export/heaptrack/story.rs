//! A made-up history, from the figures of each stack: what was freed long ago, then everything
//! that was live at the peak, then what changed from there to the end.
//!
//! ```text
//!  live │        ╱╲______ end      1 blocks that are in neither moment come and go
//!       │       ╱ peak             2 the peak's blocks are allocated
//!       │╱╲╱╲╱╲╱                   3 those not live at the end are freed, the rest comes
//!       └──────────────── time
//! ```

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{Twin, Writer};
use crate::export::{Process, stacks::Row};

/// Writes it.
pub(super) fn write(of: &[Process<'_>], mut writer: Writer<'_, impl Write>) -> io::Result<()> {
    let stories = stories(of, &mut writer)?;
    writer.time(Duration::ZERO)?;
    let peak: u64 = of.iter().map(|process| process.state.totals.peak_bytes).sum();
    writer.come_and_go(&stories, peak)?;
    writer.peak(&stories)?;
    let peak_at = of.iter().filter_map(|one| one.state.totals.peak_at).max().unwrap_or_default();
    writer.time(peak_at)?;
    writer.rest(&stories)?;
    let end = of.iter().filter_map(Process::time).max().unwrap_or_default().max(peak_at);
    writer.let_go()?;
    writer.time(end)
}

/// Blocks of about one size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Blocks {
    count: u64,
    bytes: u64,
}

/// The blocks of a stack, by when they were live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Parts {
    neither: Blocks,
    /// At the peak, not at the end.
    peak: Blocks,
    both: Blocks,
    /// At the end, not at the peak.
    end: Blocks,
}

/// A stack's part of the history.
struct Story {
    parts: Parts,
    temporary: u64,
    trace: u64,
}

impl Blocks {
    fn new(count: u64, bytes: u64) -> Self {
        Self { count, bytes }
    }

    fn plus(self, other: Self) -> Self {
        Self::new(self.count.saturating_add(other.count), self.bytes.saturating_add(other.bytes))
    }

    fn less(self, other: Self) -> Self {
        Self::new(self.count.saturating_sub(other.count), self.bytes.saturating_sub(other.bytes))
    }

    /// Two sizes that come to the same sum, and how many have each.
    fn sizes(self) -> [(u64, u64); 2] {
        let size = self.bytes.checked_div(self.count).unwrap_or_default();
        let larger = self.bytes.checked_rem(self.count).unwrap_or_default();
        [(size, self.count - larger), (size + 1, larger)]
    }
}

/// Blocks that make a stack's figures true. How many were live at both moments is not known:
/// the fewest that allow for all allocations.
fn split(row: &Row) -> Parts {
    let all = Blocks::new(row.figures.allocations, row.figures.allocated_bytes);
    let peak = Blocks::new(row.figures.at_peak_blocks, row.figures.at_peak_bytes);
    let end = Blocks::new(row.blocks, row.bytes);
    let both = overlap(all, peak, end);
    let either = peak.plus(end).less(both);
    Parts { neither: all.less(either), peak: peak.less(both), both, end: end.less(both) }
}

fn overlap(all: Blocks, peak: Blocks, end: Blocks) -> Blocks {
    let least = peak.count.saturating_add(end.count).saturating_sub(all.count);
    let most = peak.count.min(end.count);
    // One of the first ones will do, unless sizes differ much.
    let mut possible = (least..=most).take(1000).chain([most]);
    possible
        .find_map(|count| overlap_of(count, all, peak, end))
        .unwrap_or(Blocks::new(most, peak.bytes.min(end.bytes)))
}

/// An overlap of so many blocks, if one can have bytes that leave none without a block.
fn overlap_of(count: u64, all: Blocks, peak: Blocks, end: Blocks) -> Option<Blocks> {
    let sum = peak.plus(end);
    let (mut least, mut most) = (sum.bytes.saturating_sub(all.bytes), peak.bytes.min(end.bytes));
    let mut must_be = |bytes: u64| (least, most) = (least.max(bytes), most.min(bytes));
    if count == 0 {
        must_be(0);
    }
    if count == peak.count {
        must_be(peak.bytes);
    }
    if count == end.count {
        must_be(end.bytes);
    }
    if sum.count.checked_sub(all.count) == Some(count) {
        // No block is left over, so no byte may be.
        must_be(sum.bytes.checked_sub(all.bytes)?);
    }
    let typical = peak.bytes.checked_div(peak.count).unwrap_or_default().saturating_mul(count);
    (least <= most).then(|| Blocks::new(count, typical.clamp(least, most)))
}

fn stories(of: &[Process<'_>], writer: &mut Writer<'_, impl Write>) -> io::Result<Vec<Story>> {
    let mut stories = Vec::new();
    for (at, process) in of.iter().enumerate() {
        for row in process.rows() {
            let trace = writer.trace(at, process, row.stack)?;
            let temporary = row.figures.temporary;
            stories.push(Story { parts: split(&row), temporary, trace });
        }
    }
    Ok(stories)
}

impl<W: Write> Writer<'_, W> {
    /// Blocks that are live at neither moment; `peak` is how much may be live.
    fn come_and_go(&mut self, stories: &[Story], peak: u64) -> io::Result<()> {
        for story in stories {
            let mut temporary = story.temporary;
            for (size, count) in story.parts.neither.sizes() {
                let at_once = match size.saturating_mul(2) > peak {
                    true => count,
                    false => count.min(temporary),
                };
                temporary = temporary.saturating_sub(at_once);
                self.temporary(at_once, size, story.trace)?;
                self.pass(count - at_once, size, story.trace)?;
            }
        }
        Ok(())
    }

    /// Blocks that are freed at once.
    fn temporary(&mut self, count: u64, size: u64, trace: u64) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let kind = self.kind(size, trace, Twin::First)?;
        (0..count).try_for_each(|_| write!(self.out, "+ {kind:x}\n- {kind:x}\n"))
    }

    /// Blocks of which each is freed after the next one was allocated.
    fn pass(&mut self, count: u64, size: u64, trace: u64) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let first = self.kind(size, trace, Twin::First)?;
        let second = self.kind(size, trace, Twin::Second)?;
        for _ in 0..count {
            let next = if self.held == Some(first) { second } else { first };
            writeln!(self.out, "+ {next:x}")?;
            self.let_go()?;
            self.held = Some(next);
        }
        Ok(())
    }

    fn let_go(&mut self) -> io::Result<()> {
        match self.held.take() {
            Some(kind) => writeln!(self.out, "- {kind:x}"),
            None => Ok(()),
        }
    }

    fn peak(&mut self, stories: &[Story]) -> io::Result<()> {
        for story in stories {
            self.events('+', story.parts.peak, story.trace)?;
            self.events('+', story.parts.both, story.trace)?;
        }
        Ok(())
    }

    /// From the peak to the end: frees first, so that nothing is ever above the peak.
    fn rest(&mut self, stories: &[Story]) -> io::Result<()> {
        for story in stories {
            self.events('-', story.parts.peak, story.trace)?;
        }
        for story in stories {
            self.events('+', story.parts.end, story.trace)?;
        }
        Ok(())
    }

    fn events(&mut self, sign: char, blocks: Blocks, trace: u64) -> io::Result<()> {
        for (size, count) in blocks.sizes() {
            if count > 0 {
                let kind = self.kind(size, trace, Twin::First)?;
                (0..count).try_for_each(|_| {
                    writeln!(self.out, "{sign} {kind:x}")?;
                    self.let_go()
                })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SiteFigures, StackId};
    use proptest::prelude::*;

    fn row(all: Blocks, peak: Blocks, end: Blocks) -> Row {
        let figures = SiteFigures {
            allocations: all.count,
            allocated_bytes: all.bytes,
            at_peak_blocks: peak.count,
            at_peak_bytes: peak.bytes,
            ..SiteFigures::default()
        };
        Row { stack: StackId(0), bytes: end.bytes, blocks: end.count, figures }
    }

    #[test]
    fn sizes_come_to_the_sum() {
        assert_eq!(Blocks::new(3, 10).sizes(), [(3, 2), (4, 1)]);
        assert_eq!(Blocks::new(0, 0).sizes(), [(0, 0), (1, 0)]);
    }

    #[test]
    fn no_bytes_are_left_without_a_block() {
        let split = split(&row(Blocks::new(7, 1), Blocks::new(3, 0), Blocks::new(4, 0)));
        assert_eq!((split.neither, split.both), (Blocks::new(1, 1), Blocks::new(1, 0)));
    }

    proptest! {
        #[test]
        fn any_real_history_is_split_into_its_figures(
            blocks in prop::collection::vec((0..5000_u64, any::<bool>(), any::<bool>()), 0..40),
        ) {
            let sum = |wanted: fn(&(u64, bool, bool)) -> bool| {
                let these = blocks.iter().filter(|block| wanted(block));
                these.fold(Blocks::default(), |sum, block| sum.plus(Blocks::new(1, block.0)))
            };
            let (all, peak, end) = (sum(|_| true), sum(|block| block.1), sum(|block| block.2));
            let Parts { neither, peak: only_peak, both, end: only_end } = split(&row(all, peak, end));
            prop_assert_eq!(only_peak.plus(both), peak);
            prop_assert_eq!(only_end.plus(both), end);
            prop_assert_eq!(neither.plus(only_peak).plus(only_end).plus(both), all);
            for part in [neither, only_peak, both, only_end] {
                prop_assert!(part.count > 0 || part.bytes == 0);
            }
        }
    }
}
