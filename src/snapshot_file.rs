//! A moment in a file of its own: a recording of one process at one moment, so that every
//! command that reads recordings reads it, and the diff compares it with any other.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::{Duration, SystemTime},
};

use memtop_ui::data::When;

use crate::{
    Error,
    model::{Model, ProcessState, SiteFigures, Sites, Snapshot, Totals, TreeState},
    recording, report,
};

/// Writes what is known of a moment to a new file.
///
/// # Errors
/// When the moment holds nothing to save, the file exists, or it cannot be written.
pub fn save(model: &Model, when: When, path: &Path) -> Result<(), Error> {
    let process = process_at(model, when).map_err(|why| Error::NothingToSave { why })?;
    let tree = TreeState {
        command: process.identity.command.clone(),
        launched_at: launched(model, &process),
        exit: None,
        processes: vec![process],
        untraced: Vec::new(),
    };
    let failed = |source| Error::Write { what: format!("the snapshot {}", path.display()), source };
    let file = File::create_new(path).map_err(failed)?;
    let written = recording::write_tree(BufWriter::new(file), &tree);
    written.and_then(|mut out| out.flush()).map_err(failed)
}

/// Reads the program's own process out of a snapshot, or out of any recording: as it was at
/// the end.
///
/// # Errors
/// When the file is no recording or holds no process.
pub fn load(path: &Path) -> Result<ProcessState, Error> {
    let mut recording = recording::open(path)?;
    let nothing =
        || Error::NothingToShow { path: path.to_owned(), why: "it holds no process".to_owned() };
    let root = report::root(&recording.tree).ok_or_else(nothing)?;
    Ok(recording.tree.processes.swap_remove(root))
}

/// Wall-clock time of the launch, as far as this dashboard can tell.
fn launched(model: &Model, process: &ProcessState) -> Duration {
    let lived = Duration::try_from_secs_f64(model.reading.now_s).unwrap_or_default();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(lived + process.identity.started)
}

/// The process shown, at a moment.
fn process_at(model: &Model, when: When) -> Result<ProcessState, &'static str> {
    let state = model.state().ok_or("there are no figures yet")?;
    let now = ProcessState {
        names: model.names.clone(),
        timeline: model.reading.timeline.clone(),
        ..state.clone()
    };
    match when {
        When::Now => Ok(ProcessState { sites: model.sites.clone(), ..now }),
        When::Peak => Ok(at_peak(model, now)),
        When::Mark(number) => {
            let mark = model.marks.get(number).ok_or("that mark is of another process")?;
            at_mark(model, now, mark)
        }
        When::Start => Err("at the start nothing was live"),
        When::File(_) => Err("that is in a file already"),
    }
}

fn at_peak(model: &Model, now: ProcessState) -> ProcessState {
    let then = |figures: &SiteFigures| SiteFigures {
        current_bytes: figures.at_peak_bytes,
        current_blocks: figures.at_peak_blocks,
        ..*figures
    };
    let figures = model.sites.figures.iter().map(then).collect();
    ProcessState {
        totals: Totals {
            current_bytes: now.totals.peak_bytes,
            current_blocks: now.totals.peak_blocks,
            ..now.totals
        },
        size_classes: now.size_classes_at_peak.clone(),
        sites: Sites { figures, ..model.sites.clone() },
        ..now
    }
}

/// Every figure is the mark's; names are those of now, since they are looked up late.
fn at_mark(
    model: &Model,
    now: ProcessState,
    mark: &Snapshot,
) -> Result<ProcessState, &'static str> {
    let then = mark.state.clone().ok_or("there were no figures yet at that mark")?;
    let mut timeline = now.timeline;
    timeline.retain(|point| point.at.as_secs_f64() <= mark.t_s);
    let known = mark.figures.iter().flat_map(|figures| figures.iter().copied());
    let mut figures: Vec<SiteFigures> = known.collect();
    figures.resize(model.sites.stacks.len(), SiteFigures::default());
    let sites = match mark.figures {
        Some(_) => Sites { figures, ..model.sites.clone() },
        None => Sites::default(),
    };
    Ok(ProcessState { sites, timeline, names: now.names, ..then })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Exactness, Identity, Interval, Location, LocationId, Node, NodeId, Reading, SitesUpdate,
        SizeClass, Stack, StackId, ThreadState, Untracked, Window,
    };

    /// A process all of whose figures are `figure`, or go with it.
    fn state(figure: u64) -> ProcessState {
        let class =
            |current_bytes| SizeClass { min: 1, max: 16, current_bytes, ..Default::default() };
        ProcessState {
            identity: Identity { pid: 7, command: vec![b"server".to_vec()], ..Default::default() },
            window: Window {
                intervals: vec![Interval { from: Duration::ZERO, to: None }],
                cleared: (figure > 1).then_some(Duration::from_secs(figure)),
            },
            totals: Totals { current_bytes: figure, allocations: figure, ..Totals::default() },
            untracked: Untracked { net_bytes: figure as i64, frees: figure, ..Default::default() },
            exactness: Exactness {
                peak_error_bytes: figure,
                tracer_bytes: figure,
                lost_records: figure,
                ..Exactness::default()
            },
            size_classes: vec![class(figure)],
            size_classes_at_peak: vec![class(figure + 1)],
            threads: vec![ThreadState { tid: 7, allocations: figure, ..Default::default() }],
            ..ProcessState::default()
        }
    }

    fn observe(model: &mut Model, figure: u64) {
        let figures = SiteFigures { allocations: figure, ..SiteFigures::default() };
        let is_first = model.sites.stacks.is_empty();
        let mut sites = SitesUpdate { restart: is_first, ..SitesUpdate::default() };
        if is_first {
            let node = Some(NodeId(0));
            sites.locations = vec![Location { module: None, address: 64 }];
            sites.nodes = vec![Node { parent: None, location: LocationId(0) }];
            sites.stacks = vec![Stack { node, cut: false }];
        }
        sites.changed = vec![(StackId(0), figures)];
        let state = Some(state(figure));
        let now_s = figure as f64;
        model.observe(Reading { state, now_s, sites, ..Reading::default() });
    }

    #[test]
    fn a_mark_in_a_file_has_every_figure_of_the_mark() {
        let mut model = Model::default();
        observe(&mut model, 1);
        model.mark(1);
        observe(&mut model, 5);
        let folder = std::env::temp_dir().join(format!("memtop-snapshot-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let saved = |when, name: &str| {
            let path = folder.join(name);
            save(&model, when, &path).expect("saved");
            load(&path).expect("read")
        };
        let (mark, now) = (saved(When::Mark(1), "mark"), saved(When::Now, "now"));
        std::fs::remove_dir_all(&folder).expect("the folder is ours");
        for (read, figure) in [(mark, 1), (now, 5)] {
            assert_eq!(read.sites.figures[0].allocations, figure);
            let bare = ProcessState { sites: Sites::default(), ..read };
            assert_eq!(bare, state(figure));
        }
    }

    #[test]
    fn a_mark_before_there_were_figures_is_not_saved() {
        let mut model = Model::default();
        model.observe(Reading::default());
        model.mark(1);
        observe(&mut model, 5);
        let path = std::env::temp_dir().join("memtop-never-written");
        let refused = save(&model, When::Mark(1), &path).expect_err("nothing to save").to_string();
        assert!(refused.contains("no figures yet at that mark"), "{refused}");
        assert!(!path.exists());
    }
}
