//! The rows of the process tree, parents before their children, and the threads.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use memtop_ui::{
    Capacity, State,
    data::{
        Key, Listing, ProcessFate, ProcessFigures, ProcessRow, ProcessSums, Processes, ThreadRow,
    },
};

use super::title;
use crate::model::{Exit, Model, ThreadState, Traced, TreeRow};

/// Everything the processes screen shows.
pub fn processes(model: &Model, state: &State, room: Capacity) -> Processes {
    let rows = &model.reading.tree;
    let order = order(rows);
    let (room, threads) = room.processes;
    let window = state.tree.window(order.len(), room, |wanted| {
        order.iter().position(|(at, _)| key(&rows[*at]) == wanted)
    });
    let shown = order.iter().skip(window.first).take(room);
    Processes {
        rows: Listing {
            rows: shown.map(|(at, depth)| row(model, *at, *depth)).collect(),
            first: window.first,
            selected: window.selected,
            matching: order.len(),
        },
        sums: sums(rows),
        threads: model.state().map(|state| busiest(&state.threads, threads)).unwrap_or_default(),
    }
}

/// Positions in the order of the tree, with their depths: an image stands below the image of its
/// parent that was there when it started, and the images of one process stand side by side.
fn order(rows: &[Arc<TreeRow>]) -> Vec<(usize, usize)> {
    let parents = parents(rows);
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (at, parent) in parents.iter().enumerate() {
        children.entry(*parent).or_default().push(at);
    }
    let mut first: HashMap<u32, usize> = HashMap::new();
    rows.iter().enumerate().for_each(|(at, row)| _ = first.entry(row.pid).or_insert(at));
    for list in children.values_mut() {
        list.sort_by_key(|&at| (first[&rows[at].pid], at));
    }
    let mut order = Vec::with_capacity(rows.len());
    let mut next: Vec<(usize, usize)> = Vec::new();
    let push = |next: &mut Vec<(usize, usize)>, parent, depth| {
        let list = children.get(&parent).into_iter().flatten();
        next.extend(list.rev().map(|&at| (at, depth)));
    };
    push(&mut next, None, 0);
    while let Some((at, depth)) = next.pop() {
        if !is_nameless(&rows[at]) {
            order.push((at, depth));
        }
        push(&mut next, Some(at), depth + 1);
    }
    order
}

/// Nothing is known of it but that there was one.
fn is_nameless(row: &TreeRow) -> bool {
    matches!(row.traced, Traced::Unseen(_)) && row.command.is_empty() && row.ended.is_some()
}

/// For each row the row of its parent. A parent never stands after its child in time, so that
/// there is no way round in a circle whatever the process ids say.
fn parents(rows: &[Arc<TreeRow>]) -> Vec<Option<usize>> {
    let mut images: HashMap<u32, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        images.entry(row.pid).or_default().push(at);
    }
    let parent = |(at, row): (usize, &Arc<TreeRow>)| {
        // An exec's image has the parent that its process had before.
        let candidates = images.get(&row.parent?)?;
        let before = |other: &usize| {
            *other < at && rows[*other].started <= row.started && rows[*other].pid != row.pid
        };
        candidates.iter().copied().rev().find(before)
    };
    let mut found: Vec<Option<usize>> = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let former = former(rows, &images[&row.pid], at);
        found.push(former.map_or_else(|| parent((at, row)), |former| found[former]));
    }
    found
}

/// The image that the same process had before, which is below the right parent already: an
/// untraced one is noticed late, when the parent may have become another.
fn former(rows: &[Arc<TreeRow>], images: &[usize], at: usize) -> Option<usize> {
    let former = images[..images.partition_point(|&other| other < at)].last().copied()?;
    let (one, next) = (&rows[former], &rows[at]);
    let is_exec = one.ended.is_some() && one.exit.is_none() && follows(one, next);
    (is_exec && one.parent == next.parent).then_some(former)
}

fn row(model: &Model, at: usize, depth: usize) -> ProcessRow {
    let reading = &model.reading;
    let row = &reading.tree[at];
    let figures = match &row.traced {
        Traced::No(_) | Traced::Unseen(_) => None,
        Traced::Yes(sums) => Some(ProcessFigures {
            live: sums.live_bytes,
            peak: sums.peak_bytes,
            allocations: sums.allocations,
            allocated_bytes: sums.allocated_bytes,
            inherited: sums.inherited_bytes,
            threads: sums.threads,
        }),
    };
    let position = match &row.traced {
        Traced::No(_) => None,
        Traced::Yes(sums) => Some(sums.position),
        Traced::Unseen(position) => Some(*position),
    };
    let lived = row.ended.unwrap_or(reading.tree_at).saturating_sub(row.started);
    ProcessRow {
        key: key(row),
        position,
        shown: position == Some(reading.shown),
        depth,
        pid: row.pid,
        command: title(&row.command),
        fate: fate(&reading.tree, at),
        age_s: lived.as_secs_f64(),
        rss: row.resident,
        figures,
    }
}

fn key(row: &TreeRow) -> Key {
    let image = match row.traced {
        Traced::Yes(_) | Traced::Unseen(_) => row.generation,
        Traced::No(_) => u32::MAX,
    };
    Key(u64::from(row.pid) << 32 | u64::from(image))
}

fn fate(rows: &[Arc<TreeRow>], at: usize) -> ProcessFate {
    let row = &rows[at];
    match (&row.traced, row.ended, row.exit) {
        (Traced::No(reason), None, _) => ProcessFate::Untraced(reason.words()),
        (Traced::No(reason), Some(_), _) => ProcessFate::UntracedEnded(reason.words()),
        (_, None, _) => ProcessFate::Running,
        (_, Some(_), Some(Exit::Code(code))) => ProcessFate::Exited(code),
        (_, Some(_), Some(Exit::Signal(signal))) => ProcessFate::Killed(signal),
        (_, Some(_), None) => match rows[at + 1..].iter().any(|next| follows(row, next)) {
            true => ProcessFate::Execed,
            false => ProcessFate::Ended,
        },
    }
}

/// The next image of the same process: an exec, traced or not.
fn follows(row: &TreeRow, next: &TreeRow) -> bool {
    let untraced = matches!(next.traced, Traced::No(_));
    next.pid == row.pid && (untraced || next.generation == row.generation.wrapping_add(1))
}

fn sums(rows: &[Arc<TreeRow>]) -> ProcessSums {
    let mut sums = ProcessSums::default();
    for row in rows {
        match &row.traced {
            Traced::No(_) => sums.untraced += 1,
            Traced::Unseen(_) => {
                sums.unseen += 1;
                match row.ended {
                    Some(_) => sums.ended += 1,
                    None => (sums.running, sums.live_is_least) = (sums.running + 1, true),
                }
            }
            Traced::Yes(figures) => {
                sums.allocations = sums.allocations.saturating_add(figures.allocations);
                match row.ended {
                    Some(_) => sums.ended += 1,
                    None => {
                        sums.running += 1;
                        sums.live = sums.live.saturating_add(figures.live_bytes);
                    }
                }
            }
        }
    }
    sums
}

/// Ended ones, which are one row, come last.
fn busiest(threads: &[ThreadState], room: usize) -> Vec<ThreadRow> {
    let row = |thread: &ThreadState| ThreadRow {
        tid: thread.tid,
        name: thread.name.clone(),
        current_bytes: thread.current_bytes,
        allocations: thread.allocations,
        allocated_bytes: thread.allocated_bytes,
    };
    let (mut ended, mut rows): (Vec<ThreadRow>, Vec<ThreadRow>) =
        threads.iter().map(row).partition(|row| row.tid == 0);
    rows.sort_by_key(|row| Reverse((row.allocated_bytes, row.allocations)));
    ended.retain(|row| row.allocations > 0);
    rows.truncate(room.saturating_sub(ended.len()));
    rows.append(&mut ended);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keeper::preflight::Untraceable,
        model::{Reading, Sums},
    };
    use std::time::Duration;

    fn row(
        pid: u32,
        generation: u32,
        parent: u32,
        started: u64,
        ended: Option<u64>,
    ) -> Arc<TreeRow> {
        Arc::new(TreeRow {
            pid,
            generation,
            parent: (parent != 0).then_some(parent),
            started: Duration::from_secs(started),
            ended: ended.map(Duration::from_secs),
            traced: Traced::Yes(Sums { live_bytes: 5, allocations: 2, ..Sums::default() }),
            ..TreeRow::default()
        })
    }

    #[test]
    fn children_stand_below_the_image_that_started_them() {
        let mut untraced = TreeRow::clone(&row(9, 0, 3, 5, None));
        untraced.traced = Traced::No(Untraceable::Static);
        let rows = [
            row(1, 0, 0, 0, None),
            row(2, 0, 1, 1, Some(2)),
            row(3, 0, 1, 2, Some(4)),
            // 2 has become another program, which started 4.
            row(2, 1, 1, 2, None),
            row(4, 0, 2, 3, None),
            Arc::new(untraced),
        ];
        let order: Vec<_> =
            order(&rows).into_iter().map(|(at, depth)| (rows[at].pid, depth)).collect();
        assert_eq!(order, [(1, 0), (2, 1), (2, 1), (4, 2), (3, 1), (9, 2)]);
        assert_eq!(fate(&rows, 1), ProcessFate::Execed);
        assert_eq!(fate(&rows, 2), ProcessFate::Ended);
        assert_eq!(fate(&rows, 5), ProcessFate::Untraced("static"));
        let sums = sums(&rows);
        assert_eq!((sums.running, sums.ended, sums.untraced), (3, 2, 1));
        assert_eq!((sums.live, sums.allocations), (15, 10));
    }

    #[test]
    fn images_of_a_process_stay_together_when_the_parent_becomes_another() {
        let mut untraced = TreeRow::clone(&row(2, 0, 1, 5, None));
        untraced.traced = Traced::No(Untraceable::Environment);
        let rows = [
            row(1, 0, 0, 0, Some(3)),
            row(2, 0, 1, 1, Some(2)),
            row(1, 1, 0, 3, None),
            row(4, 0, 1, 4, None),
            // 2 has executed what is not traced; that was noticed late.
            Arc::new(untraced),
        ];
        assert_eq!(order(&rows), [(0, 0), (1, 1), (4, 1), (2, 0), (3, 1)]);
    }

    #[test]
    fn images_whose_figures_were_not_looked_at_have_none() {
        let mut unseen = TreeRow::clone(&row(2, 0, 1, 1, Some(2)));
        unseen.traced = Traced::Unseen(7);
        let rows = vec![row(1, 0, 0, 0, None), Arc::new(unseen)];
        let mut model = Model::default();
        model.observe(Reading { tree: Arc::new(rows), ..Reading::default() });
        let shown = super::row(&model, 1, 1);
        assert_eq!((shown.figures, shown.position), (None, Some(7)));
        let sums = sums(&model.reading.tree);
        assert_eq!((sums.running, sums.ended, sums.untraced, sums.live), (1, 1, 0, 5));
        assert_eq!((sums.unseen, sums.live_is_least, sums.allocations), (1, false, 2));
        assert_eq!(order(&model.reading.tree), [(0, 0)], "there is nothing to say of it");
    }

    #[test]
    fn process_ids_in_a_circle_are_survived() {
        let rows = [row(1, 0, 2, 0, None), row(2, 0, 1, 0, None), row(3, 0, 3, 0, None)];
        assert_eq!(order(&rows).len(), 3);
    }

    #[test]
    fn ended_threads_keep_their_row() {
        let thread = |tid, allocated_bytes| ThreadState {
            tid,
            allocated_bytes,
            allocations: 1,
            ..ThreadState::default()
        };
        let threads = [thread(0, 99), thread(7, 1), thread(8, 50), thread(9, 20)];
        let tids: Vec<u32> = busiest(&threads, 3).iter().map(|row| row.tid).collect();
        assert_eq!(tids, [8, 9, 0]);
    }
}
