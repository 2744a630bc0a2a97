//! A busy server for half an hour: viewer and keeper, which records, do not grow, and nothing is
//! lost on the way.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{LARGE, end_to_end::Home, served::Served};

const LENGTH: Duration = Duration::from_secs(30 * 60);
/// Between two sessions that leak, and two looks at the processes.
const EVERY: Duration = Duration::from_millis(500);
/// Bytes an hour.
const MOST_GROWTH: f64 = (1 << 20) as f64;
/// Size of a session, with its reference counts.
const SESSION: u64 = 2096;

/// What a process has resident over time: seconds and bytes.
#[derive(Default)]
struct Resident(Vec<(f64, f64)>);

impl Resident {
    fn sample(&mut self, at: Duration, pid: u32) {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        self.0.push((at.as_secs_f64(), kib * 1024.0));
    }

    /// Growth over the second half, in bytes an hour: the line of least squares.
    fn slope(&self) -> f64 {
        let half = &self.0[self.0.len() / 2..];
        let count = half.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| half.iter().map(of).sum::<f64>() / count;
        let (time, bytes) = (mean(|one| one.0), mean(|one| one.1));
        let both: f64 = half.iter().map(|one| (one.0 - time) * (one.1 - bytes)).sum();
        let times: f64 = half.iter().map(|one| (one.0 - time).powi(2)).sum();
        3600.0 * both / times
    }

    /// As a person reads it.
    fn summary(&self) -> String {
        let mib = |at: usize| self.0[at].1 / f64::from(1 << 20);
        let (half, last) = (self.0.len() / 2, self.0.len() - 1);
        let slope = self.slope() / f64::from(1 << 20);
        format!("{:.1} → {:.1} → {:.1} MiB, {slope:+.2} MiB/h", mib(0), mib(half), mib(last))
    }
}

fn keeper(home: &Home) -> u32 {
    let command = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_keeper = |pid: &u32| command(pid).starts_with(b"memtop\0keeper\0");
    home.processes().into_iter().find(is_keeper).expect("a keeper")
}

/// Live blocks and bytes of sessions, by the recording.
fn sessions(report: &Value) -> (u64, u64) {
    let is_session = |site: &&Value| {
        let function = site["frames"][1]["function"].as_str().unwrap_or_default();
        function.contains("_Sp_counted_ptr_inplace<sessions::Session")
    };
    let sites = report["sites"].as_array().expect("sites").iter().filter(is_session);
    sites.fold((0, 0), |(blocks, bytes), site| {
        let figure = |name: &str| site[name].as_u64().expect("a figure");
        (blocks + figure("current_blocks"), bytes + figure("current_bytes"))
    })
}

#[test]
#[ignore = "half an hour: cargo test --release --test terminal soak -- --ignored --nocapture"]
fn half_an_hour_under_load_costs_no_memory_and_loses_nothing() {
    let mut server = Served::start(LARGE, &["--output", "soak.memtop"]);
    let (viewer, keeper) = (server.terminal.pid(), keeper(&server.home));
    let (mut of_viewer, mut of_keeper) = (Resident::default(), Resident::default());
    let id = server.ask("LOGIN steady");
    let (begun, mut requests, mut leaked) = (Instant::now(), 0_u64, 1);
    let mut due = Duration::ZERO;
    while begun.elapsed() < LENGTH {
        server.ask(&format!("SET {id} theme as-dark-as-a-theme-can-be-{}", requests % 10));
        requests += 1;
        if begun.elapsed() >= due {
            due = begun.elapsed() + EVERY;
            server.serve(1);
            leaked += 1;
            of_viewer.sample(begun.elapsed(), viewer);
            of_keeper.sample(begun.elapsed(), keeper);
        }
    }
    println!("{requests} requests, {leaked} sessions");
    println!("viewer {}", of_viewer.summary());
    println!("keeper {}", of_keeper.summary());
    server.end();
    assert_eq!(server.terminal.wait().code(), Some(0));
    let shown = server.home.memtop(["report", "--json", "soak.memtop"]).output().unwrap();
    let report: Value = serde_json::from_slice(&shown.stdout).expect("a report");
    assert_eq!(report["recording"]["complete"], true);
    assert_eq!(sessions(&report), (leaked, leaked * SESSION));
    for figure in ["lost_records", "unattributed_blocks"] {
        assert_eq!(report["exactness"][figure], 0, "{figure}");
    }
    assert!(of_viewer.slope() < MOST_GROWTH && of_keeper.slope() < MOST_GROWTH);
}
