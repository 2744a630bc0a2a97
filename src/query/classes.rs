//! Rows of the sizes screen, and the parts of resident memory.

use memtop_ui::{
    Capacity, State,
    data::{ClassRow, Classes, Gap, GapPart, Limit, Listing},
};

use crate::model::{self, Model, ProcessState, SizeClass, gap_sentence};

/// Everything the sizes screen shows.
pub fn classes(model: &Model, state: &State, room: Capacity) -> Classes {
    let Some(process) = model.state() else {
        return Classes::default();
    };
    let rows = rows(process);
    let (sums, most) = (together(&rows), most(&rows));
    let window = state
        .classes
        .window(rows.len(), room.classes, |key| rows.iter().position(|row| row.key() == key));
    let matching = rows.len();
    let rows = rows.into_iter().skip(window.first).take(room.classes).collect();
    Classes {
        rows: Listing { rows, first: window.first, selected: window.selected, matching },
        sums,
        most,
        slack_bytes: slack(process),
        gap: model.reading.gap.as_ref().map(gap),
    }
}

fn rows(process: &ProcessState) -> Vec<ClassRow> {
    let at_peak = &process.size_classes_at_peak;
    let known = process.has_peak();
    let held = |class: &SizeClass| at_peak.iter().find(|then| then.min == class.min);
    let row = |class: &SizeClass| ClassRow {
        min: class.min,
        max: class.max,
        blocks: class.current_blocks,
        bytes: class.current_bytes,
        allocations: class.allocations,
        allocated_bytes: class.allocated_bytes,
        at_peak_bytes: known.then(|| held(class).map_or(0, |then| then.current_bytes)),
    };
    process.size_classes.iter().map(row).collect()
}

fn together(rows: &[ClassRow]) -> ClassRow {
    rows.iter().fold(ClassRow::default(), |sum, row| ClassRow {
        blocks: sum.blocks.saturating_add(row.blocks),
        bytes: sum.bytes.saturating_add(row.bytes),
        allocations: sum.allocations.saturating_add(row.allocations),
        allocated_bytes: sum.allocated_bytes.saturating_add(row.allocated_bytes),
        ..sum
    })
}

fn most(rows: &[ClassRow]) -> ClassRow {
    rows.iter().fold(ClassRow::default(), |most, row| ClassRow {
        blocks: most.blocks.max(row.blocks),
        bytes: most.bytes.max(row.bytes),
        ..most
    })
}

/// Unknown where allocators do not tell usable sizes, or no block is live.
fn slack(process: &ProcessState) -> Option<u64> {
    let totals = &process.totals;
    let slack = totals.usable_current_bytes.checked_sub(totals.current_bytes)?;
    (totals.current_blocks > 0).then_some(slack)
}

/// The parts with their names, in the order of their meaning.
pub fn gap(gap: &model::Gap) -> Gap {
    let (name, free) = match gap.late {
        false => ("free heap", "in the heap and not live: free, kept by the allocator"),
        true => {
            ("other heap", "in the heap and not traced: free, older than tracing, or of a pause")
        }
    };
    let part = |name, bytes, help| GapPart { name, help, bytes };
    Gap {
        resident: gap.resident(),
        parts: vec![
            part("live", gap.live, "traced blocks, as the allocator gave them"),
            part(name, gap.free, free),
            part("mapped", gap.mapped, "anonymous, outside the heap: other allocators, runtimes"),
            part("stacks", gap.stacks, "of all threads"),
            part("files", gap.files, "the program, its libraries, mapped files"),
            part("shared", gap.shared, "with other processes"),
            part("tracer", gap.tracer, "memtop's own; not counted in rss above"),
        ],
        age_s: gap.age.map(|age| age.as_secs_f64()),
        sentence: gap_sentence(gap),
        limit: gap.group.map(|group| Limit { bytes: group.limit, headroom: group.headroom() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Reading, Totals};
    use memtop_ui::Screen;
    use std::time::Duration;

    #[test]
    fn a_heap_of_which_not_all_is_traced_is_not_called_free() {
        let named = |late| gap(&model::Gap { late, ..model::Gap::default() }).parts[1].name;
        assert_eq!([named(false), named(true)], ["free heap", "other heap"]);
    }

    #[test]
    fn classes_know_what_they_held_at_the_peak_and_what_is_slack() {
        let class = |min, max, blocks| SizeClass {
            min,
            max,
            current_blocks: blocks,
            current_bytes: blocks * max,
            allocations: blocks + 1,
            allocated_bytes: (blocks + 1) * max,
        };
        let process = ProcessState {
            size_classes: vec![class(17, 32, 2), class(33, 64, 3)],
            size_classes_at_peak: vec![class(33, 64, 9)],
            totals: Totals {
                current_bytes: 256,
                current_blocks: 5,
                usable_current_bytes: 300,
                peak_at: Some(Duration::ZERO),
                ..Totals::default()
            },
            ..ProcessState::default()
        };
        let mut model = Model::default();
        model.observe(Reading { state: Some(process), ..Reading::default() });
        let state = State::new(Screen::Sizes, (80, 24));
        let room = Capacity { classes: 1, ..Capacity::default() };
        let found = classes(&model, &state, room);
        assert_eq!((found.rows.rows.len(), found.rows.matching), (1, 2));
        assert_eq!(found.rows.rows[0].at_peak_bytes, Some(0));
        assert_eq!((found.sums.bytes, found.sums.blocks, found.sums.allocations), (256, 5, 7));
        assert_eq!((found.most.bytes, found.most.blocks), (192, 3));
        assert_eq!(found.slack_bytes, Some(44));
    }
}
