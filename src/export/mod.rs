//! `memtop export`: a recording in the formats of other tools.
//!
//! Each format is one file here, a function from [`Process`]es to bytes. What all of them
//! need is on this page: which processes, at which moment, and what their frames are called.
//! Names that the recording lacks are looked up on this machine, in the very builds that were
//! recorded, or left as module and offset.

mod csv;
mod flamegraph;
mod folded;
mod heaptrack;
mod parquet;
mod pprof;
mod protobuf;
mod stacks;
mod table;
mod thrift;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, IsTerminal, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use memtop_ui::format::{agree, clock_ms, exactly};
pub use stacks::{Figure, Process};

use crate::{
    Error,
    cli::{ExportFormat, ExportOptions, Moment, ProcessChoice},
    commands,
    recording::{self, Gap, Recording, When},
    report,
    symbols::Resolver,
};

/// The command: reads the recording, and writes the export.
///
/// # Errors
/// When options do not go together, the recording has no stacks or cannot be read, or the
/// file exists or cannot be written.
pub fn run(options: &ExportOptions) -> Result<(), Error> {
    refuse_nonsense(options)?;
    let at = options.at.known_in(&options.file)?;
    let options = &ExportOptions { at, ..options.clone() };
    let mut recording = read(options)?;
    Resolver::default().resolve_tree(&mut recording.tree);
    let processes = processes(&recording, options)?;
    let file = recording::File::open(&options.file)?;
    refuse_empty(options, &file, &processes)?;
    let failed = |source| Error::Write { what: options.output.display().to_string(), source };
    let mut out = BufWriter::new(target(options)?);
    let written = write(options, &file, &processes, &mut out).and_then(|()| out.flush());
    commands::unless_nobody_reads(written.map_err(failed))?;
    if recording.cut {
        let file = options.file.display();
        commands::complain(format_args!("{file} was cut; exported what stands before"));
    }
    let began = recording.tree.processes.first().map_or(Duration::ZERO, |one| one.identity.started);
    complain_of_gaps(options.events, &processes, began);
    if options.events {
        complain_of_what_made_room(&file);
    }
    Ok(())
}

/// Says of when events were left out to keep the recording to its size.
fn complain_of_what_made_room(file: &recording::File) {
    for gap in file.gaps().iter().filter(|gap| gap.reason == Gap::THINNED) {
        let [from, to] = [gap.from, gap.to].map(|at| clock_ms(at.as_secs_f64()));
        commands::complain(format_args!(
            "between {from} and {to} after the launch events are missing: they made room for later"
        ));
    }
}

/// Says what is not as it was asked for: sites are kept about once a second, and events may be
/// missing. `began`: when the launched program did.
fn complain_of_gaps(events: bool, of: &[Process<'_>], began: Duration) {
    let states = || of.iter().map(|process| process.state);
    let origin = match of {
        [only] => only.state.identity.started,
        _ => began,
    };
    let kept = report::ages::oldest(states(), origin);
    if let Some(at) = kept.filter(|_| !events) {
        report::ages::complain("", at.as_secs_f64());
    }
    let missing: u64 = states().map(|state| state.exactness.dropped_events).sum();
    if events && missing > 0 {
        let are = agree(missing, "is", "are");
        let missing = exactly(missing, "event");
        commands::complain(format_args!("{missing} {are} missing in the recording"));
    }
}

fn write(
    options: &ExportOptions,
    file: &recording::File,
    of: &[Process<'_>],
    out: &mut impl Write,
) -> io::Result<()> {
    let figure = options.figure.unwrap_or_default();
    match options.format {
        ExportFormat::Folded => folded::write(of, figure, out),
        ExportFormat::Flamegraph => flamegraph::write(of, figure, out),
        ExportFormat::Pprof => pprof::write(of, out),
        ExportFormat::Heaptrack if is_gzip(&options.output) => {
            let mut gzip = GzEncoder::new(out, Compression::default());
            heaptrack::write(file, of, &mut gzip)?;
            gzip.finish().map(drop)
        }
        ExportFormat::Heaptrack => heaptrack::write(file, of, out),
        ExportFormat::Csv => {
            let columns = if options.events { table::EVENTS } else { table::STACKS };
            let mut csv = csv::Table::new(out, columns)?;
            each_row(options, file, of, |row| csv.push(&row))
        }
        ExportFormat::Parquet => {
            let (name, columns) = match options.events {
                true => ("events", table::EVENTS),
                false => ("stacks", table::STACKS),
            };
            let mut parquet = parquet::Table::new(out, name, columns)?;
            each_row(options, file, of, |row| parquet.push(row))?;
            parquet.finish()
        }
    }
}

fn each_row(
    options: &ExportOptions,
    file: &recording::File,
    of: &[Process<'_>],
    with: impl FnMut(Vec<table::Cell>) -> io::Result<()>,
) -> io::Result<()> {
    match options.events {
        true => table::each_event((file, of), with),
        false => table::each_stack(of, with),
    }
}

/// heaptrack goes by the name, too.
fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

fn refuse_nonsense(options: &ExportOptions) -> Result<(), Error> {
    let word = options.format.word();
    if options.events && !matches!(options.format, ExportFormat::Csv | ExportFormat::Parquet) {
        let message = format!("--events is a table of csv or parquet; {word} has none");
        return Err(Error::Usage(message));
    }
    if options.figure.is_some() && !options.format.has_one_figure() {
        let message = format!("--figure chooses what folded and flamegraph show; {word} has all");
        return Err(Error::Usage(message));
    }
    let to_people = options.output == Path::new(STDOUT) && io::stdout().is_terminal();
    if to_people && options.format.is_binary() {
        let message = format!("{word} is not for a terminal; write -o FILE, or pipe it on");
        return Err(Error::Usage(message));
    }
    if options.at == Moment::Peak && options.process == Some(ProcessChoice::Sum) {
        let message = "the peak and --process sum do not go together: processes peak at \
                       different moments; choose one process, or the end";
        return Err(Error::Usage(message.to_owned()));
    }
    Ok(())
}

fn read(options: &ExportOptions) -> Result<Recording, Error> {
    match options.at {
        Moment::At(at) => recording::open_at(&options.file, When::At(at)),
        _ => recording::open(&options.file),
    }
}

/// A table of no events says nothing of why.
fn refuse_empty(
    options: &ExportOptions,
    file: &recording::File,
    of: &[Process<'_>],
) -> Result<(), Error> {
    let images = of.iter().filter_map(|process| process.image_in(file));
    match options.events && !images.into_iter().any(|image| file.has_events(image)) {
        true => {
            let why = match file.is_cut() {
                true => "it holds no events; it was cut, perhaps before the first",
                false => "no events were recorded; record with --events",
            };
            let why = why.to_owned();
            Err(Error::NothingToShow { path: options.file.clone(), why })
        }
        false => Ok(()),
    }
}

/// The chosen processes that have stacks.
fn processes<'a>(
    recording: &'a Recording,
    options: &ExportOptions,
) -> Result<Vec<Process<'a>>, Error> {
    let tree = &recording.tree;
    let chosen = report::choose_process(tree, options.process, &options.file)?;
    let at_peak = options.at == Moment::Peak;
    let several = chosen.is_none();
    let of = |at: usize| Process {
        state: &tree.processes[at],
        launched_at: tree.launched_at,
        at: moment(options),
        at_peak,
        one_of_several: several,
    };
    let all = match chosen {
        Some(chosen) => vec![of(chosen)],
        None => (0..tree.processes.len()).map(of).collect(),
    };
    if options.events {
        return Ok(all);
    }
    let with_stacks: Vec<_> = all.into_iter().filter(Process::has_stacks).collect();
    if with_stacks.is_empty() {
        let why = match recording.cut {
            true => "it was cut before any stack",
            false => "no stacks were recorded; record without --no-stacks",
        };
        let why = why.to_owned();
        return Err(Error::NothingToShow { path: options.file.clone(), why });
    }
    Ok(with_stacks)
}

fn moment(options: &ExportOptions) -> Option<Duration> {
    match options.at {
        Moment::At(at) => Some(at),
        _ => None,
    }
}

/// Where it goes: `-` is the standard output.
fn target(options: &ExportOptions) -> Result<Box<dyn Write>, Error> {
    refuse_itself(options)?;
    match options.output == Path::new(STDOUT) {
        true => Ok(Box::new(io::stdout().lock())),
        false => Ok(Box::new(create(&options.output, options.force)?)),
    }
}

/// `--force` is for what an earlier export left.
fn refuse_itself(options: &ExportOptions) -> Result<(), Error> {
    let identity = |path: &Path| fs::metadata(path).ok().map(|one| (one.dev(), one.ino()));
    let (from, to) = (identity(&options.file), identity(&options.output));
    match to.is_some() && from == to {
        true => {
            let message = format!("{} is the recording itself", options.output.display());
            Err(Error::Usage(message))
        }
        false => Ok(()),
    }
}

/// The name that stands for the standard output.
const STDOUT: &str = "-";

fn create(path: &Path, force: bool) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).create_new(!force);
    options.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::Usage(format!("{} exists; --force overwrites it", path.display()))
        }
        _ => Error::Write { what: path.display().to_string(), source },
    })
}
