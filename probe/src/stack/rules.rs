//! What the walk does at an address: one word, found in a cache that all threads share.
//!
//! ```text
//!  rule   ┌ rbp at cfa + n: 26 ┬ cfa offset: 24 ┬ module + 1: 10 ┬ restores rbp: 1 ┬ kind: 3 ┐
//! ```
//!
//! An entry holds `rule` and `address ^ rule`. A reader that sees two halves of different
//! writes finds another address in them, so neither side needs a lock.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How the frame of the caller is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is not: the outermost frame, or code without tables.
    End,
    /// Its frame begins at `rsp + offset`.
    StackPointer,
    /// At `rbp + offset`.
    BasePointer,
    /// Where the word at `rbp + offset` says: functions that realign the stack.
    Indirect,
    /// The kernel called, and saved all registers.
    Signal,
}

const KINDS: [Kind; 5] =
    [Kind::End, Kind::StackPointer, Kind::BasePointer, Kind::Indirect, Kind::Signal];

/// What the walk does at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule(u64);

const MODULE_BITS: u32 = 10;
const OFFSET_BITS: u32 = 24;
const MODULE_AT: u32 = 4;
const OFFSET_AT: u32 = MODULE_AT + MODULE_BITS;
const SAVED_AT: u32 = OFFSET_AT + OFFSET_BITS;

impl Rule {
    /// `saved`: where the caller's `rbp` stands, from the frame's beginning. `None` when an
    /// offset is out of reach.
    pub fn new(kind: Kind, module: u64, offset: i64, saved: Option<i64>) -> Option<Rule> {
        let fits = |value: i64, bits: u32| value << (64 - bits) >> (64 - bits) == value;
        let distance = saved.unwrap_or(0);
        if !fits(offset, OFFSET_BITS) || !fits(distance, 64 - SAVED_AT) {
            return None;
        }
        Some(Rule(
            kind as u64
                | u64::from(saved.is_some()) << 3
                | module << MODULE_AT
                | (offset as u64 & ((1 << OFFSET_BITS) - 1)) << OFFSET_AT
                | (distance as u64) << SAVED_AT,
        ))
    }

    /// The end of a stack, in code of a module.
    pub const fn end(module: u64) -> Rule {
        Rule(module << MODULE_AT)
    }

    pub fn kind(self) -> Kind {
        KINDS.get((self.0 & 7) as usize).copied().unwrap_or(Kind::End)
    }

    /// Index of the module plus one; 0 = none.
    pub fn module(self) -> u64 {
        self.0 >> MODULE_AT & ((1 << MODULE_BITS) - 1)
    }

    pub fn offset(self) -> isize {
        ((self.0 << (64 - SAVED_AT)) as i64 >> (64 - OFFSET_BITS)) as isize
    }

    /// Where the caller's `rbp` was saved, from the frame's beginning; `None` = it still is in
    /// the register.
    pub fn saved(self) -> Option<isize> {
        (self.0 & 8 != 0).then_some((self.0 as i64 >> SAVED_AT) as isize)
    }
}

const ENTRIES: usize = 1 << 16;

struct Entry {
    key: AtomicU64,
    rule: AtomicU64,
}

static CACHE: [Entry; ENTRIES] =
    [const { Entry { key: AtomicU64::new(0), rule: AtomicU64::new(0) } }; ENTRIES];

fn entry(address: usize) -> &'static Entry {
    let hash = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    &CACHE[(hash >> 48) as usize % ENTRIES]
}

/// The rule of an address, if it is known.
#[inline]
pub fn known(address: usize) -> Option<Rule> {
    let entry = entry(address);
    let rule = entry.rule.load(Relaxed);
    (entry.key.load(Relaxed) ^ rule == address as u64).then_some(Rule(rule))
}

/// Notes the rule of an address.
pub fn remember(address: usize, rule: Rule) {
    let entry = entry(address);
    entry.key.store(address as u64 ^ rule.0, Relaxed);
    entry.rule.store(rule.0, Relaxed);
}

/// Forgets all rules: code has gone away.
pub fn forget() {
    for entry in CACHE.iter().filter(|entry| entry.key.load(Relaxed) != 0) {
        entry.key.store(0, Relaxed);
        entry.rule.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_as_it_was_written() {
        for (kind, module, offset, saved) in [
            (Kind::StackPointer, 1, 8, None),
            (Kind::BasePointer, 895, 16, Some(-16)),
            (Kind::Indirect, 0, -8, Some(-1 << 20)),
            (Kind::Signal, 7, 0, Some(1 << 20)),
        ] {
            let rule = Rule::new(kind, module, offset, saved).expect("it fits");
            assert_eq!(
                (rule.kind(), rule.module(), rule.offset(), rule.saved()),
                (kind, module, offset as isize, saved.map(|at| at as isize))
            );
        }
        assert_eq!(Rule::new(Kind::StackPointer, 1, 1 << 23, None), None);
        assert_eq!(Rule::end(3).module(), 3);
    }

    #[test]
    fn rules_are_found_by_their_address_alone() {
        let rule = Rule::new(Kind::StackPointer, 2, 48, None).expect("it fits");
        remember(0x1234_5678, rule);
        assert_eq!(known(0x1234_5678), Some(rule));
        assert_eq!(known(0x1234_5679), None);
    }
}
