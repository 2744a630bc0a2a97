//! The part of a long list that shows, found without sorting the rest of it.

use std::cmp::Ordering;

use memtop_ui::{
    cursor::Cursor,
    data::{Key, Listing},
};

/// The rows of `items` that show in `room` rows, in the order of `compare`, which must not find
/// any two of them equal.
pub(super) fn listing<T, R>(
    mut items: Vec<T>,
    cursor: &Cursor,
    room: usize,
    key: impl Fn(&T) -> Key,
    compare: impl Fn(&T, &T) -> Ordering,
    row: impl Fn(&T) -> R,
) -> Listing<R> {
    let rank = |wanted: Key| {
        let there = items.iter().find(|item| key(item) == wanted)?;
        Some(items.iter().filter(|item| compare(item, there).is_lt()).count())
    };
    let matching = items.len();
    let window = cursor.window(matching, room, rank);
    let end = (window.first + room).min(matching);
    if window.first > 0 && window.first < matching {
        items.select_nth_unstable_by(window.first, &compare);
    }
    let behind = &mut items[window.first.min(matching)..];
    let showing = end.saturating_sub(window.first);
    if showing > 0 && showing < behind.len() {
        behind.select_nth_unstable_by(showing - 1, &compare);
    }
    let shown = &mut behind[..showing];
    shown.sort_unstable_by(&compare);
    let rows = shown.iter().map(row).collect();
    Listing { rows, first: window.first, selected: window.selected, matching }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        /// The same as sorting everything and cutting.
        #[test]
        fn the_right_rows_show(values in vec(0_u64..50, 0..80), at in 0_usize..90, room in 1_usize..20) {
            let items: Vec<(u64, u64)> = values.into_iter().zip(0..).collect();
            let mut sorted = items.clone();
            sorted.sort_by(|a, b| b.cmp(a));
            let selected = sorted.get(at).map(|item| Key(item.1));
            let cursor = Cursor { key: selected, row: at, first: at / 2 };
            let found = listing(items, &cursor, room, |i| Key(i.1), |a, b| b.cmp(a), |i| *i);
            prop_assert_eq!(found.matching, sorted.len());
            let end = (found.first + room).min(sorted.len());
            prop_assert_eq!(&found.rows[..], &sorted[found.first..end]);
            if let Some(selected) = selected {
                prop_assert_eq!(found.chosen().map(|item| Key(item.1)), Some(selected));
            }
        }
    }
}
