//! Recordings that begin when the session has gone on for a while.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use memtop::{
    keeper::{
        Options,
        client::Connection,
        protocol::{FromKeeper, FromViewer},
    },
    recording::{Cursor, Events, File, Mark},
};
use serde_json::Value;

use crate::launcher::{self, Folder, Viewer, is_alive, wait_until};

/// Allocates a mebibyte for each line it reads, for the first two from a function of their own,
/// and nothing else.
const STEPS: &str = r#"
#include <stdlib.h>
#include <unistd.h>
void *kept[64];
__attribute__((noinline)) void first_step(int at) { kept[at] = malloc(1 << 20); }
__attribute__((noinline)) void second_step(int at) { kept[at] = malloc(1 << 20); }
__attribute__((noinline)) void later_step(int at) { kept[at] = malloc(1 << 20); }
int main(void) {
    char byte;
    for (int at = 0; at < 64 && read(0, &byte, 1) == 1; at++) {
        (at == 0 ? first_step : at == 1 ? second_step : later_step)(at);
        if (write(1, "+", 1) != 1) return 1;
    }
    return 0;
}
"#;

const STEP: u64 = 1 << 20;
/// Number of the program's image: sh, stty and true come before.
const PROGRAM: usize = 3;

fn compiled(folder: &Folder) -> PathBuf {
    let (source, program) = (folder.path("steps.c"), folder.path("steps"));
    fs::write(&source, STEPS).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-O1", "-g", "-fno-builtin", "-o"]).args([&program, &source]);
    assert!(compiler.status().unwrap().success());
    program
}

/// A session under way: a process that has ended, then the program.
struct Session {
    connection: Connection,
    viewer: Viewer,
    steps: usize,
}

impl Session {
    fn start(program: &Path) -> Self {
        Self::start_with(program, |_| {})
    }

    fn start_with(program: &Path, ask: impl FnOnce(&mut Options)) -> Self {
        let script = format!("stty -echo; /bin/true; exec {}", program.display());
        let mut options = Options::new(["/bin/sh", "-c", &script].map(Into::into).to_vec());
        ask(&mut options);
        let connection = launcher::spawn_with(&options).unwrap();
        Self { connection, viewer: Viewer::default(), steps: 0 }
    }

    /// What is kept of the session.
    fn past(&self) -> Option<File> {
        let hello = self.connection.hello();
        File::open(format!("/proc/{}/fd/{}", hello.keeper, hello.past?).as_ref()).ok()
    }

    /// One step more, until a tick has seen it; when that was.
    fn step(&mut self) -> Duration {
        self.connection.send(&FromViewer::Input(b"\n".to_vec())).unwrap();
        self.steps += 1;
        self.viewer.until_count(&self.connection, self.steps);
        let held = STEP * self.steps as u64;
        let mut seen = None;
        wait_until(|| {
            seen = self.past().and_then(|file| last_tick(&file, b"steps"));
            seen.is_some_and(|(_, bytes)| bytes == held)
        });
        seen.unwrap().0
    }

    /// As `r` does, and what is said to it.
    fn record(&self, path: &Path) -> (Duration, Duration) {
        self.connection.send(&FromViewer::Record(path.to_owned())).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.connection.messages().recv_deadline(deadline).unwrap() {
                FromKeeper::RecordingBegan { path: said, from, thinned_until } => {
                    assert_eq!(said, path);
                    return (from, thinned_until);
                }
                FromKeeper::Recording { message, .. } => assert_eq!(message, ""),
                _ => {}
            }
        }
    }

    fn end_recording(&self, path: &Path) {
        self.connection.send(&FromViewer::EndRecording).unwrap();
        wait_until(|| File::open(path).is_ok_and(|file| !file.is_cut()));
    }
}

impl Drop for Session {
    /// A program that still waits for its next step outlives nobody.
    fn drop(&mut self) {
        let _ = self.connection.send(&FromViewer::EndProgram);
    }
}

/// When the last tick of the image with this command was, and what it held.
fn last_tick(file: &File, command: &[u8]) -> Option<(Duration, u64)> {
    let is = |one: &memtop::recording::ImageFacts| {
        one.identity.command.first().is_some_and(|first| first.ends_with(command))
    };
    let image = file.images().iter().position(is)?;
    let mut cursor = Cursor::new(image);
    cursor.seek(file, Duration::MAX).ok()?;
    Some((cursor.recent().last()?.at, cursor.state(file)?.totals.current_bytes))
}

fn report(path: &Path, options: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtop"));
    let output = command.arg("report").arg(path).arg("--json").args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The functions that sites were allocated by, and what they hold.
fn held_by(report: &Value, function: &str) -> u64 {
    let sites = report["sites"].as_array().unwrap().iter();
    let own = sites.filter(|site| {
        let frames = site["frames"].as_array().unwrap();
        frames.iter().any(|frame| frame["function"] == function)
    });
    own.map(|site| site["current_bytes"].as_u64().unwrap()).sum()
}

/// Every name of every object, and where it stands.
fn shape(value: &Value, at: &str, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let at = format!("{at}.{name}");
            shape(value, &at, names);
            names.insert(at);
        }),
        Value::Array(all) => all.iter().for_each(|value| shape(value, at, names)),
        _ => {}
    }
}

#[test]
fn a_recording_that_begins_later_has_what_was_before() {
    let folder = Folder::new();
    let mut session = Session::start(&compiled(&folder));
    session.step();
    let second = session.step();
    let mark = Mark { at: second, number: 1, label: "two steps".to_owned() };
    session
        .connection
        .send(&FromViewer::Mark { index: PROGRAM as u32, mark: mark.clone() })
        .unwrap();
    session.step();
    let path = folder.path("late.memtop");
    let (from, thinned_until) = session.record(&path);
    assert!(from < Duration::from_secs(1) && thinned_until.is_zero(), "{from:?}");
    session.step();
    session.end_recording(&path);
    assert_shows_all(&path, second, 4);
    let file = File::open(&path).unwrap();
    let [(image, kept)] = file.marks() else { panic!("{:?}", file.marks()) };
    assert_eq!((*image, kept.number, &kept.label), (Some(PROGRAM), 1, &mark.label));
    assert!(kept.at >= mark.at && kept.at < mark.at + Duration::from_millis(600), "{kept:?}");
    let then = report(&path, &["--at", "mark:1"]);
    assert_eq!(then["totals"]["current_bytes"], STEP * 2);

    // Another one, which goes on to the end of the program.
    let again = folder.path("again.memtop");
    session.record(&again);
    session.step();
    session.connection.send(&FromViewer::Input(b"\x04".to_vec())).unwrap();
    session.viewer.until_exit(&session.connection);
    wait_until(|| File::open(&again).is_ok_and(|file| !file.is_cut()));
    assert_shows_all(&again, second, 5);
    assert_eq!(report(&again, &[])["target"]["exit"]["code"], 0);
    assert_same_shape(&folder, &again);
}

/// What the sites hold, after it was made sure that they are of the moment of the totals.
fn held_by_sites(report: &Value) -> u64 {
    assert!(report["exactness"]["sites_at_s"].is_null(), "{}", report["exactness"]);
    let sites = report["sites"].as_array().unwrap().iter();
    sites.map(|site| site["current_bytes"].as_u64().unwrap()).sum()
}

/// Sites are looked at once a second, but at a mark and at the end of a recording at once.
#[test]
fn marks_and_the_end_of_a_recording_have_the_sites_of_their_moment() {
    let folder = Folder::new();
    let mut session = Session::start(&compiled(&folder));
    session.step();
    let path = folder.path("marked.memtop");
    session.record(&path);
    for number in 1..=3_u32 {
        let at = session.step();
        for label in ["", "a name"] {
            let mark = Mark { at, number, label: label.to_owned() };
            session.connection.send(&FromViewer::Mark { index: PROGRAM as u32, mark }).unwrap();
        }
    }
    session.step();
    session.end_recording(&path);
    for number in 1..=3_u32 {
        let then = report(&path, &["--at", &format!("mark:{number}")]);
        assert_eq!(held_by_sites(&then), STEP * (u64::from(number) + 1), "mark {number}");
        assert_eq!(then["totals"]["current_bytes"], STEP * (u64::from(number) + 1));
    }
    let file = File::open(&path).unwrap();
    let of =
        |number| file.marks().iter().filter(move |one| one.1.number == number).map(|one| one.1.at);
    assert!(
        (1..=3).all(|number| of(number).collect::<BTreeSet<_>>().len() == 1),
        "a name moves none"
    );
    let end = report(&path, &[]);
    assert_eq!(end["totals"]["current_bytes"], STEP * 5);
    assert_eq!(held_by_sites(&end), STEP * 5);
}

/// From the first tick to the last, with the names and the process that had ended before.
fn assert_shows_all(path: &Path, second: Duration, steps: u64) {
    let whole = report(path, &[]);
    assert_eq!(whole["totals"]["current_bytes"], STEP * steps);
    let timeline = whole["timeline"].as_array().unwrap();
    let held: Vec<_> = timeline.iter().map(|point| point["current_bytes"].as_u64()).collect();
    assert!(timeline[0]["t_s"].as_f64().unwrap() < 1.0, "{:?}", timeline[0]);
    for step in 1..=steps {
        assert!(held.contains(&Some(STEP * step)), "{step} steps in {held:?}");
    }
    assert!(held.is_sorted());
    // Reports count from the beginning of the first image, and ticks from that of their own.
    let file = File::open(path).unwrap();
    let started = |image: usize| file.images()[image].identity.started;
    let at = started(PROGRAM) - started(0) + second;
    let then = report(path, &["--at", &format!("{}", at.as_secs_f64() + 1e-3)]);
    assert_eq!(then["totals"]["current_bytes"], STEP * 2);
    assert_eq!(held_by(&whole, "first_step"), STEP);
    assert_eq!(held_by(&whole, "second_step"), STEP);
    assert_eq!(held_by(&whole, "later_step"), STEP * (steps - 2));
    assert_eq!(held_by(&then, "later_step"), 0);
    let processes = whole["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 4, "sh, stty, true, and the program");
    let ended = |process: &&Value| !process["ended_s"].is_null();
    assert!(processes.iter().filter(ended).count() >= 3);
}

/// As `memtop record` says it of the same.
fn assert_same_shape(folder: &Folder, path: &Path) {
    let own = folder.path("own.memtop");
    let program = folder.path("steps");
    let script = format!("/bin/true; /bin/true; exec {}", program.display());
    let mut record = launcher::record(&own)
        .args(["--quiet", "--", "/bin/sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = record.stdin.take().unwrap();
    for _ in 0..5 {
        stdin.write_all(b"\n").unwrap();
        std::thread::sleep(Duration::from_millis(250));
    }
    drop(stdin);
    assert!(record.wait().unwrap().success());
    let shapes = [path, &own].map(|path| {
        let mut names = BTreeSet::new();
        shape(&report(path, &[]), "", &mut names);
        names
    });
    assert_eq!(shapes[0], shapes[1]);
    let [late, own] = [path, &own].map(|path| report(path, &[]));
    assert_eq!(late["totals"]["allocations"], own["totals"]["allocations"]);
    assert_eq!(late["size_classes"], own["size_classes"]);
}

#[test]
fn a_recording_of_a_program_that_has_ended_has_all_of_it() {
    let folder = Folder::new();
    let mut session = Session::start(&compiled(&folder));
    let second = {
        session.step();
        session.step()
    };
    session.step();
    session.connection.send(&FromViewer::Input(b"\x04".to_vec())).unwrap();
    session.viewer.until_exit(&session.connection);
    wait_until(|| !is_alive(session.connection.hello().root));
    let path = folder.path("after.memtop");
    session.connection.send(&FromViewer::Record(path.clone())).unwrap();
    wait_until(|| File::open(&path).is_ok_and(|file| !file.is_cut()));
    assert_shows_all(&path, second, 3);
}

/// Events are not kept; nor is anything else of a recording that has them.
#[test]
fn events_begin_where_they_are_asked_for() {
    let folder = Folder::new();
    let mut session = Session::start_with(&compiled(&folder), |options| options.events = true);
    session.step();
    wait_until(|| session.past().is_some_and(|file| file.end() > Duration::from_millis(1200)));
    let path = folder.path("events.memtop");
    let (from, thinned_until) = session.record(&path);
    assert!(from >= Duration::from_secs(1) && thinned_until.is_zero(), "{from:?}");
    session.step();
    session.end_recording(&path);
    let whole = report(&path, &[]);
    assert_eq!(whole["totals"]["current_bytes"], STEP * 2);
    assert!(whole["timeline"][0]["t_s"].as_f64().unwrap() < 1.0, "the timeline is all there");
    let file = File::open(&path).unwrap();
    let mut sizes = Vec::new();
    let note = &mut |events: Events| sizes.extend(events.events.iter().map(|event| event.size));
    file.each_events(PROGRAM, (Duration::ZERO, Duration::MAX), note).unwrap();
    assert_eq!(sizes, [STEP], "what was allocated before is no event of it");
}

/// Of 8 MiB the tracer needs more than half for fifty of these, and gives back what the first had.
#[test]
fn what_has_no_memory_any_more_has_its_names_in_a_recording_that_begins_later() {
    let folder = Folder::new();
    let program = compiled(&folder).display().to_string();
    let script = format!(
        "echo | {program} >&2; i=0; while [ $i -lt 240 ]; do /bin/true; sleep 0.03; \
         i=$((i+1)); done; exec {program}"
    );
    let mut options = Options::new(["/bin/sh", "-c", &script].map(Into::into).to_vec());
    options.tracer_limit = Some(8 << 20);
    let connection = launcher::spawn_with(&options).unwrap();
    let session = Session { connection, viewer: Viewer::default(), steps: 0 };
    // The shell runs on; the first to end are what it piped into the program, and that.
    let reader = session.connection.reader();
    wait_until(|| (1..4).all(|image| reader.is_gone(image)));
    let path = folder.path("late.memtop");
    session.record(&path);
    // Not asked of a report, which would look for what was not recorded.
    wait_until(|| File::open(&path).is_ok_and(|file| is_named(&file, "first_step")));
    session.end_recording(&path);
}

/// Whether any image recorded has a function of this name.
fn is_named(file: &File, function: &str) -> bool {
    (0..file.images().len()).any(|image| {
        let mut cursor = Cursor::new(image);
        let names = cursor.seek(file, Duration::MAX).and_then(|()| cursor.names(file));
        names.is_ok_and(|names| {
            let mut functions = names.iter().flat_map(|(_, functions)| functions);
            functions.any(|one| &*one.name == function)
        })
    })
}
