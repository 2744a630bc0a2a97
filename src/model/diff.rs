//! What differs between two moments, by whatever key the memory is summed up.
//!
//! Pure: two maps go in, one row for each key comes out. The laws that hold are its tests:
//! nothing differs from itself, deltas add up to the difference of the totals, and the way
//! back is the way there with its signs turned.

use std::collections::BTreeMap;

/// Live bytes and blocks of something at a moment. Bytes are below zero where a thread frees
/// what others allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Tally {
    /// Bytes.
    pub bytes: i64,
    /// Blocks.
    pub blocks: i64,
}

impl Tally {
    /// Nothing.
    pub const ZERO: Self = Self { bytes: 0, blocks: 0 };

    /// Of figures that cannot be below zero.
    pub fn new(bytes: u64, blocks: u64) -> Self {
        let clamp = |figure| i64::try_from(figure).unwrap_or(i64::MAX);
        Self { bytes: clamp(bytes), blocks: clamp(blocks) }
    }

    /// Adds those of another.
    pub fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.blocks = self.blocks.saturating_add(other.blocks);
    }

    /// How it differs from what was `before`.
    pub fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(before.bytes),
            blocks: self.blocks.saturating_sub(before.blocks),
        }
    }

    /// Whether nothing is there. A block of no bytes is something.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// What became of a key between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// Nothing was there.
    New,
    /// There is more of it.
    Grown,
    /// There is less of it.
    Shrunk,
    /// Nothing is there any more.
    Gone,
    /// Bytes and blocks are the same.
    Same,
}

impl Change {
    /// All of them, in the order they are told.
    pub const ALL: [Self; 5] = [Self::New, Self::Grown, Self::Shrunk, Self::Gone, Self::Same];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Grown => "grown",
            Self::Shrunk => "shrunk",
            Self::Gone => "gone",
            Self::Same => "same",
        }
    }

    /// Of something that was `a` and is `b`. Bytes decide, then blocks.
    pub fn between(a: Tally, b: Tally) -> Self {
        let delta = b.since(a);
        match (delta.bytes, delta.blocks) {
            (0, 0) => Self::Same,
            _ if a.is_empty() => Self::New,
            _ if b.is_empty() => Self::Gone,
            (bytes, blocks) if bytes > 0 || bytes == 0 && blocks > 0 => Self::Grown,
            _ => Self::Shrunk,
        }
    }
}

/// A key at both moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<K> {
    /// The key.
    pub key: K,
    /// At the first.
    pub a: Tally,
    /// At the second.
    pub b: Tally,
}

impl<K> Difference<K> {
    /// What became of it.
    pub fn change(&self) -> Change {
        Change::between(self.a, self.b)
    }

    /// How much.
    pub fn delta(&self) -> Tally {
        self.b.since(self.a)
    }
}

/// Every key that is at one of the two moments, in order of keys.
pub fn compare<K: Ord + Clone>(
    a: &BTreeMap<K, Tally>,
    b: &BTreeMap<K, Tally>,
) -> Vec<Difference<K>> {
    let one = |(key, tally): (&K, &Tally)| {
        let b = b.get(key).copied().unwrap_or_default();
        Difference { key: key.clone(), a: *tally, b }
    };
    let only_b = b.iter().filter(|(key, _)| !a.contains_key(key)).map(|(key, tally)| Difference {
        key: key.clone(),
        a: Tally::default(),
        b: *tally,
    });
    let mut all: Vec<_> = a.iter().map(one).chain(only_b).collect();
    all.sort_by(|one, other| one.key.cmp(&other.key));
    all
}

/// By what the rows of a diff are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// Bytes.
    #[default]
    Bytes,
    /// Blocks.
    Blocks,
}

/// Sorts by growth, most of it first and the greatest loss last; what is alike by key.
pub fn sort<K: Ord>(rows: &mut [Difference<K>], by: By) {
    rows.sort_by(|one, other| {
        let weight = |row: &Difference<K>| {
            let Tally { bytes, blocks } = row.delta();
            std::cmp::Reverse(match by {
                By::Bytes => (bytes, blocks),
                By::Blocks => (blocks, bytes),
            })
        };
        weight(one).cmp(&weight(other)).then_with(|| one.key.cmp(&other.key))
    });
}

/// How many keys changed in a way, and what that comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Keys.
    pub keys: usize,
    /// What they changed by, together.
    pub delta: Tally,
}

/// The sum for each kind of change, in the order of [`Change::ALL`].
pub fn sums<K>(rows: &[Difference<K>]) -> [Sum; 5] {
    let mut sums = [Sum::default(); 5];
    for row in rows {
        let sum = &mut sums[row.change() as usize];
        sum.keys += 1;
        sum.delta.add(row.delta());
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moments() -> impl Strategy<Value = BTreeMap<u8, Tally>> {
        let tally = (-1_000_000_i64..1_000_000_000, 0_i64..1_000)
            .prop_map(|(bytes, blocks)| Tally { bytes, blocks });
        let some = prop_oneof![Just(Tally::default()), Just(Tally { bytes: 0, blocks: 1 }), tally];
        proptest::collection::btree_map(0_u8..20, some, 0..15)
    }

    fn total(moment: &BTreeMap<u8, Tally>) -> Tally {
        let mut total = Tally::default();
        moment.values().for_each(|tally| total.add(*tally));
        total
    }

    #[test]
    fn what_became_of_it() {
        let tally = |bytes, blocks| Tally { bytes, blocks };
        for (a, b, change) in [
            (tally(0, 0), tally(1, 1), Change::New),
            (tally(0, 0), tally(0, 1), Change::New),
            (tally(5, 1), tally(0, 0), Change::Gone),
            (tally(0, 1), tally(0, 0), Change::Gone),
            (tally(5, 1), tally(6, 1), Change::Grown),
            (tally(5, 1), tally(5, 2), Change::Grown),
            (tally(5, 1), tally(6, 0), Change::Grown),
            (tally(5, 2), tally(5, 1), Change::Shrunk),
            (tally(5, 2), tally(4, 9), Change::Shrunk),
            (tally(5, 2), tally(5, 2), Change::Same),
            (tally(0, 0), tally(0, 0), Change::Same),
        ] {
            assert_eq!(Change::between(a, b), change, "{a:?} {b:?}");
        }
        for (at, change) in Change::ALL.into_iter().enumerate() {
            assert_eq!(change as usize, at);
        }
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself(a in moments()) {
            let rows = compare(&a, &a);
            prop_assert_eq!(rows.len(), a.len());
            prop_assert!(rows.iter().all(|row| row.change() == Change::Same));
        }

        #[test]
        fn deltas_add_up_to_that_of_the_totals(a in moments(), b in moments()) {
            let rows = compare(&a, &b);
            let mut sum = Tally::default();
            sums(&rows).iter().for_each(|part| sum.add(part.delta));
            prop_assert_eq!(sum, total(&b).since(total(&a)));
            let keys: usize = sums(&rows).iter().map(|part| part.keys).sum();
            prop_assert_eq!(keys, rows.len());
        }

        #[test]
        fn the_way_back_has_its_signs_turned(a in moments(), b in moments()) {
            let turned = |change| match change {
                Change::New => Change::Gone,
                Change::Gone => Change::New,
                Change::Grown => Change::Shrunk,
                Change::Shrunk => Change::Grown,
                Change::Same => Change::Same,
            };
            for (there, back) in compare(&a, &b).iter().zip(compare(&b, &a)) {
                prop_assert_eq!(there.key, back.key);
                prop_assert_eq!(there.delta().bytes, -back.delta().bytes);
                prop_assert_eq!(there.delta().blocks, -back.delta().blocks);
                prop_assert_eq!(turned(there.change()), back.change());
            }
        }

        #[test]
        fn sorting_keeps_every_row(a in moments(), b in moments(), by_blocks: bool) {
            let by = if by_blocks { By::Blocks } else { By::Bytes };
            let mut rows = compare(&a, &b);
            let before = rows.len();
            sort(&mut rows, by);
            prop_assert_eq!(rows.len(), before);
            for pair in rows.windows(2) {
                let (first, second) = (pair[0].delta(), pair[1].delta());
                let in_order = match by {
                    By::Bytes => first.bytes >= second.bytes,
                    By::Blocks => first.blocks >= second.blocks,
                };
                prop_assert!(in_order);
            }
        }
    }
}
