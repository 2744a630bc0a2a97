//! `--events`: every allocation and free of real programs is in the recording, and adds up to
//! what was counted.

use std::{
    collections::HashSet,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use memtop::{
    recording::{
        Events, File, Frame, Gap, Reader, When,
        audit::{Checkpoint, Sums, each_checkpoint},
        each_in_order, read_tree,
    },
    source::{past::Source, replay::Replay},
};

use crate::launcher::{Folder, is_alive, record, wait_until};

/// One of `tests/programs`, compiled.
pub fn program(folder: &Folder, name: &str) -> PathBuf {
    let to = folder.path(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/{name}.c"));
    let status = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-O2", "-fno-builtin", "-o"])
        .args([&to, &source])
        .args(["-lm", "-pthread"])
        .status()
        .unwrap();
    assert!(status.success(), "{name} does not compile");
    to
}

fn recorded(name: &str, arguments: &[&str]) -> File {
    let folder = Folder::new();
    let mut memtop = record(&folder.path("out"));
    memtop.args(["--events", "--quiet", "--tick", "10ms", "--"]);
    memtop.arg(program(&folder, name)).args(arguments).stdout(Stdio::null());
    assert!(memtop.status().unwrap().success());
    File::open(&folder.path("out")).unwrap()
}

/// What was told of and counted at each tick.
pub fn checkpoints(file: &File, image: usize) -> Vec<Checkpoint> {
    let mut all = Vec::new();
    each_checkpoint(file, image, |one| all.push(*one)).unwrap();
    all
}

/// Events in an order in which they cannot have happened: blocks that are made where one is, or
/// freed where none is.
fn impossible(file: &File) -> (usize, usize) {
    let (mut live, mut events, mut impossible) = (HashSet::new(), 0, 0);
    each_in_order(file, 0, |moment| {
        let address = moment.event.address;
        let is_possible =
            if moment.event.kind.is_free() { live.remove(&address) } else { live.insert(address) };
        events += 1;
        impossible += usize::from(!is_possible);
        Ok(())
    })
    .unwrap();
    (events, impossible)
}

#[test]
fn blocks_that_go_from_thread_to_thread_are_told_of_in_their_order() {
    let (events, impossible) = impossible(&recorded("threads", &["60000", "4"]));
    assert!(events >= 480_000, "{events}");
    // Stamps leave some events of each thread open, and addresses do not always decide.
    assert!(impossible < events / 10_000, "{impossible} of {events}");
}

/// Larger than any block of these programs.
const LARGEST: u64 = 1 << 20;

/// A tick may pass while a thread is inside a call: what it counts one after the other, block and
/// bytes, is counted right behind the tick, and told of as if before.
fn holds(one: &Checkpoint, threads: u64) -> bool {
    let (told, counted) = (one.before, one.figures);
    let late = told.allocations.saturating_sub(counted.allocations)
        + told.frees.saturating_sub(counted.frees);
    let late_bytes = told.allocated_bytes.saturating_sub(counted.allocated_bytes)
        + told.freed_bytes.saturating_sub(counted.freed_bytes);
    let is_of_the_moment = late <= threads && late_bytes <= threads * LARGEST;
    one.holds() || is_of_the_moment && counted.is_within(one.after)
}

/// Every image: nothing is missing, and each tick's figures lie where the events say.
fn check(name: &str, arguments: &[&str], threads: u64) -> File {
    let file = recorded(name, arguments);
    for image in 0..file.images().len() {
        let all = checkpoints(&file, image);
        let wrong: Vec<_> = all.iter().filter(|one| !holds(one, threads)).collect();
        assert!(wrong.is_empty(), "{name} {arguments:?}: {wrong:#?}");
        let last = all.last().expect("there is a tick");
        assert_eq!(last.after, last.figures, "{name}: {last:?}");
        assert!(last.figures.allocations > 0, "{name}: {last:?}");
    }
    file
}

#[test]
fn events_rebuild_the_figures_at_every_tick() {
    check("churn", &["200000"], 1);
    check("realloc_corners", &[], 1);
    let file = check("threads", &["50000", "6"], 7);
    assert!(checkpoints(&file, 0).len() > 3);
}

#[test]
fn events_of_children_that_live_for_a_moment_are_there() {
    for how in ["fork", "grandchild", "raw_fork", "vfork", "threads", "many"] {
        check("fork_tree", &[how], 4);
    }
}

#[test]
fn a_program_that_is_killed_leaves_all_its_events() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--events", "--quiet", "--"]).arg(program(&folder, "early_exit")).arg("crash");
    let status = memtop.stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code().unwrap_or_else(|| 128 + status.signal().unwrap()), 139);
    let file = File::open(&path).unwrap();
    let last = *checkpoints(&file, 0).last().unwrap();
    assert_eq!(last.after, last.figures);
}

/// What `memtop export` makes of a recording.
fn exported(recording: &Path, format: &str, more: &[&str]) -> String {
    let to = recording.with_extension(format);
    let mut memtop = Command::new(env!("CARGO_BIN_EXE_memtop"));
    memtop.arg("export").arg(recording).args(["--format", format, "-o"]).arg(&to).args(more);
    assert!(memtop.status().unwrap().success());
    fs::read_to_string(to).unwrap()
}

/// Allocations and live bytes at the end of the text, as heaptrack reads it: to its last time.
fn live_in_heaptrack(text: &str) -> (u64, u64) {
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let times = text.lines().filter_map(|line| line.strip_prefix("c ")).map(hex);
    assert!(times.is_sorted(), "heaptrack reads no further than a time that goes back");
    let (mut sizes, mut count, mut live) = (Vec::new(), 0, 0);
    for line in text.lines() {
        match line.split_at_checked(2) {
            Some(("a ", kind)) => sizes.push(hex(kind.split_once(' ').unwrap().0)),
            Some(("+ ", kind)) => (count, live) = (count + 1, live + sizes[hex(kind) as usize]),
            Some(("- ", kind)) => live -= sizes[hex(kind) as usize],
            _ => {}
        }
    }
    (count, live)
}

#[test]
fn exports_have_every_event() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--events", "--quiet", "--tick", "10ms", "--"]).arg(program(&folder, "threads"));
    memtop.args(["20000", "4"]);
    assert!(memtop.stdout(Stdio::null()).status().unwrap().success());
    let file = File::open(&path).unwrap();
    let counted = checkpoints(&file, 0).last().unwrap().figures;
    let rows = exported(&path, "csv", &["--events"]);
    let count = |word: &str| rows.lines().filter(|row| row.contains(word)).count() as u64;
    assert_eq!([count(",allocate,"), count(",free,")], [counted.allocations, counted.frees]);
    let text = exported(&path, "heaptrack", &[]);
    let count = |sign: &str| text.lines().filter(|line| line.starts_with(sign)).count() as u64;
    assert_eq!([count("+ "), count("- ")], [counted.allocations, counted.frees]);
    let resident = text.lines().filter_map(|line| line.strip_prefix("R "));
    let pages = resident.map(|pages| u64::from_str_radix(pages, 16).unwrap()).max().unwrap();
    let points =
        read_tree(fs::File::open(&path).unwrap()).unwrap().tree.processes[0].timeline.clone();
    let most = points.iter().filter_map(|point| point.rss_bytes).max();
    assert_eq!(Some(pages), most.map(|bytes| bytes.div_ceil(4096)));
}

#[test]
fn heaptrack_comes_to_the_peak_and_stays_there() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--events", "--quiet", "--"]).arg(program(&folder, "churn")).arg("200000");
    assert!(memtop.stdout(Stdio::null()).status().unwrap().success());
    let process = read_tree(fs::File::open(&path).unwrap()).unwrap().tree.processes.remove(0);
    let totals = process.totals;
    assert!(totals.current_bytes < totals.peak_bytes);
    let text = exported(&path, "heaptrack", &["--at", "peak"]);
    assert_eq!(live_in_heaptrack(&text), (totals.allocations, totals.peak_bytes));
    let text = exported(&path, "heaptrack", &["--force"]);
    assert_eq!(live_in_heaptrack(&text), (totals.allocations, totals.current_bytes));
}

/// A frame for each look at each of them would be a frame for two or three events.
#[test]
fn quiet_threads_share_no_frame_and_fill_theirs_nevertheless() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--events", "--quiet", "--"]).arg(program(&folder, "unhurried"));
    assert!(memtop.status().unwrap().success());
    let mut reader = Reader::new(fs::File::open(&path).unwrap()).unwrap();
    let frames = std::iter::from_fn(|| reader.next_frame().unwrap());
    let events = frames.filter_map(|frame| match frame {
        Frame::Events { events, .. } => Some(events.events.len()),
        _ => None,
    });
    let counts: Vec<_> = events.collect();
    let all: usize = counts.iter().sum();
    assert!(all >= 48 * 200, "{all} events");
    assert!(all / counts.len() >= 8, "{all} events in {} frames", counts.len());
}

#[test]
fn a_replay_shows_the_last_events_before_its_moment() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--events", "--quiet", "--tick", "10ms", "--"]).arg(program(&folder, "churn"));
    assert!(memtop.arg("200000").stdout(Stdio::null()).status().unwrap().success());
    let mut replay = Replay::open(&path).unwrap();
    let all = replay.read(None).events;
    assert_eq!(all.len(), 1000);
    assert!(all.iter().filter(|event| event.age_s.is_some()).count() > 300);
    for share in [2, 3, 5] {
        let at = replay.file().end() / share;
        replay.seek(Some(at));
        let reading = replay.read(None);
        assert!(reading.events_anew && reading.events.len() > 100, "{at:?}");
        assert!(reading.events.iter().all(|event| event.t_s < Some(at.as_secs_f64())));
    }
    replay.seek(Some(Duration::ZERO));
    assert_eq!(replay.read(None).events, []);
}

/// SIGKILL at any moment, 200 times with `MEMTOP_LONG`: what could be read before is still there,
/// and the program goes on. Only then, on a machine that has nothing else to do, is it also held to
/// losing no more than a second.
#[test]
fn a_killed_recorder_leaves_all_but_the_last_second() {
    let is_long = std::env::var_os("MEMTOP_LONG").is_some();
    let folder = Folder::new();
    let program = program(&folder, "churn");
    for round in 0..if is_long { 200 } else { 2 } {
        let path = folder.path(&format!("out-{round}"));
        let mut memtop = record(&path);
        // More pairs than it has time for: it runs until it is killed.
        memtop.args(["--events", "--quiet", "--"]).arg(&program).arg("1000000000000");
        let begun = Instant::now();
        let mut memtop = memtop.stdout(Stdio::null()).spawn().unwrap();
        // Something is in it, and then any moment is as good as another.
        wait_until(|| File::open(&path).is_ok_and(|file| !file.images().is_empty()));
        std::thread::sleep(Duration::from_millis(300 + round * 37 % 1000));
        let earlier = File::open(&path).unwrap();
        let pid = earlier.images()[0].identity.pid;
        let lived = begun.elapsed();
        memtop.kill().unwrap();
        memtop.wait().unwrap();
        assert!(is_alive(pid), "the program goes on");
        // SAFETY: kill has no preconditions; the process is this test's own.
        unsafe { libc::kill(pid as i32, libc::SIGKILL) };
        let file = File::open(&path).unwrap();
        assert!(file.is_cut());
        let (before, after) = (told(&earlier), told(&file));
        let second = Duration::from_secs(1);
        assert!(before.0 <= after.0 + second && before.1 <= after.1, "{before:?} {after:?}");
        fs::remove_file(&path).unwrap();
        assert!(!is_long || lived.saturating_sub(after.0) < Duration::from_secs(1), "{after:?}");
    }
}

/// When the last tick was, and how many events there are.
fn told(file: &File) -> (Duration, usize) {
    let mut events = 0;
    let mut count = |one: Events| events += one.events.len();
    file.each_events(0, (Duration::ZERO, Duration::MAX), &mut count).unwrap();
    (file.end(), events)
}

#[test]
fn a_recording_keeps_to_its_size() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--events", "--max-size", "1M", "--tick", "10ms", "--"]);
    let said = memtop.arg(program(&folder, "churn")).arg("700000").output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("of the oldest detail are left out"), "{said}");
    assert!(fs::metadata(&path).unwrap().len() < 1_200_000);
    assert!(!path.with_added_extension("thinned").exists());
    let file = File::open(&path).unwrap();
    assert!(!file.is_cut() && !read_tree(fs::File::open(&path).unwrap()).unwrap().cut);
    assert_eq!(file.gaps().len(), 1);
    let gap = &file.gaps()[0];
    assert_eq!(gap.reason, Gap::THINNED);
    assert!(gap.from < gap.to && gap.to <= file.end());
    // The figures are all there, and the newest events.
    let all = checkpoints(&file, 0);
    let end = file.recording_at(When::End).unwrap();
    assert_eq!(end.tree.processes[0].totals.allocations, 700_000);
    assert!(all.last().unwrap().after.allocations > 100_000);
    let mut replay = Replay::open(&path).unwrap();
    for tenth in 1..=10 {
        replay.seek(Some(file.end() * tenth / 10));
        assert!(replay.read(None).state.is_some(), "{tenth}");
    }
}

#[test]
fn a_program_outlives_the_one_that_records() {
    let folder = Folder::new();
    let (path, done) = (folder.path("out"), folder.path("done"));
    let script = format!("{} 1500000; : > {}", program(&folder, "churn").display(), done.display());
    let mut memtop = record(&path);
    memtop.args(["--events", "--quiet", "--", "/bin/sh", "-c", &script]).stdout(Stdio::null());
    let mut memtop = memtop.spawn().unwrap();
    wait_until(|| fs::metadata(&path).is_ok_and(|file| file.len() > 600_000));
    memtop.kill().unwrap();
    memtop.wait().unwrap();
    wait_until(|| done.exists());
    let file = File::open(&path).unwrap();
    assert!(file.is_cut());
    let mut sums = Sums::default();
    for image in 0..file.images().len() {
        let all = (Duration::ZERO, Duration::MAX);
        let mut add = |events: Events| events.events.iter().for_each(|one| sums.add(one));
        file.each_events(image, all, &mut add).unwrap();
    }
    // Two bytes an event, nearly.
    assert!(sums.allocations > 100_000, "{sums:?}");
}
