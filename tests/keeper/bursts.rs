//! Sites are kept once a second, and sooner where memory moves far: who held a burst that is over
//! before the second is, is known.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use memtop::{
    model::{Point, ProcessState},
    recording::{File, When, open_at, time_before_end},
};
use serde_json::Value;

use crate::{
    events::program,
    launcher::{Folder, record},
};

const BURST: u64 = 32 << 20;

/// The last sample of each burst.
fn bursts(timeline: &[Point]) -> Vec<Point> {
    let holds = |point: &Point| point.current_bytes >= BURST;
    let ends = timeline.windows(2).filter(|two| holds(&two[0]) && !holds(&two[1]));
    ends.map(|two| two[0]).collect()
}

fn held_by_sites(process: &ProcessState) -> u64 {
    process.sites.figures.iter().map(|figures| figures.current_bytes).sum()
}

#[test]
fn who_holds_a_burst_is_known_before_a_second_is_over() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--quiet", "--tick", "50ms", "--"]).arg(program(&folder, "bursts"));
    assert!(memtop.stdout(Stdio::null()).status().unwrap().success());
    let file = File::open(&path).unwrap();
    let end = file.recording_at(When::End).unwrap();
    let bursts = bursts(&end.tree.processes[0].timeline);
    assert_eq!(bursts.len(), 4, "{bursts:?}");
    for burst in bursts {
        let then = file.recording_at(When::At(burst.at)).unwrap();
        let process = &then.tree.processes[0];
        assert!(process.totals.current_bytes >= BURST);
        let held = held_by_sites(process);
        assert!(held >= BURST, "{held} at {:?}, as of {:?}", burst.at, process.sites.as_of);
    }
}

#[test]
fn a_moment_may_be_said_from_the_end() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut memtop = record(&path);
    memtop.args(["--quiet", "--tick", "50ms", "--"]).arg(program(&folder, "bursts")).arg("1");
    assert!(memtop.stdout(Stdio::null()).status().unwrap().success());
    let file = File::open(&path).unwrap();
    let span = Duration::from_millis(400);
    let at = time_before_end(&path, span).unwrap();
    assert_eq!(at + span, file.end() - file.images()[0].identity.started);
    // Of a recording that is shorter, its first reading, of which something is known.
    let first = time_before_end(&path, Duration::from_secs(3600)).unwrap();
    assert!(first < at);
    assert_eq!(open_at(&path, When::At(first)).unwrap().tree.processes.len(), 1);
    let mut diff = Command::new(env!("CARGO_BIN_EXE_memtop"));
    let sides = ["@end-0.3", "@end"].map(|when| format!("{}{when}", path.display()));
    let said = diff.arg("diff").args(sides).arg("--json").output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let gone = said["totals"]["bytes_delta"].as_i64().unwrap();
    assert_eq!(gone, -(BURST as i64), "{said}");
}
