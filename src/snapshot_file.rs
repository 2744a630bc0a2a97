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
            Ok(at_mark(model, now, mark))
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

fn at_mark(model: &Model, now: ProcessState, mark: &Snapshot) -> ProcessState {
    let mut timeline = now.timeline;
    timeline.retain(|point| point.at.as_secs_f64() <= mark.t_s);
    let known = mark.figures.iter().flat_map(|figures| figures.iter().copied());
    let mut figures: Vec<SiteFigures> = known.collect();
    figures.resize(model.sites.stacks.len(), SiteFigures::default());
    let sites = match mark.figures {
        Some(_) => Sites { figures, ..model.sites.clone() },
        None => Sites::default(),
    };
    ProcessState {
        totals: mark.totals,
        size_classes: mark.classes.clone(),
        threads: mark.threads.clone(),
        sites,
        timeline,
        ..now
    }
}
