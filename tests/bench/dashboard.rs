//! What the dashboard itself takes of a processor, viewer and keeper apart, while its program does
//! nothing and while it does nothing but allocate.
//!
//!     cargo bench --bench dashboard
//!
//! The real binary on a terminal of 120×40; processor time as the kernel counts it, over twenty
//! seconds after the first three. Nothing is asserted here: speed is for reading.

use std::{
    fs,
    io::Read,
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use memtop::{
    keeper::client::{Connection, list_running},
    sys::pty::{Pty, Size},
};

const WARM: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(20);
/// Processor time is told in hundredths of a second.
const TICKS: f64 = 100.0;

fn main() {
    // `cargo test --benches` runs benchmarks too, to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("run by cargo bench");
    }
    let churn = compiled("churn");
    let churn = churn.to_str().expect("a readable path");
    println!("{:28} {:>8} {:>8} {:>12} {:>10}", "", "viewer", "keeper", "events/s", "KB/s drawn");
    measure("idle", &[], &["sleep", "60"]);
    measure("churn, counting", &["--no-stacks"], &[churn, "100000000000"]);
    measure("churn, stacks", &[], &[churn, "100000000000"]);
}

fn compiled(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}"));
    let source = root.join(format!("tests/programs/{name}.c"));
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-fno-builtin", "-pthread", "-o"]).args([&to, &source]).arg("-lm");
    assert!(compiler.status().is_ok_and(|status| status.success()), "{name} does not compile");
    to
}

/// A dashboard on a terminal of its own, which is drained.
struct Dashboard {
    viewer: Child,
    terminal: Pty,
    drawn: u64,
}

/// What was taken up to a moment.
struct Taken {
    at: Instant,
    viewer: u64,
    keeper: u64,
    events: u64,
    drawn: u64,
}

impl Dashboard {
    fn start(options: &[&str], line: &[&str]) -> Self {
        let terminal = Pty::open(Size { columns: 120, rows: 40 }).expect("a terminal");
        let end = || terminal.slave.try_clone().expect("a descriptor");
        let number = terminal.slave.as_raw_fd();
        let mut command = Command::new(env!("CARGO_BIN_EXE_memtop"));
        command.arg("run").args(options).arg("--").args(line).env("TERM", "xterm-256color");
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: setsid and ioctl are async-signal-safe; the descriptor is open until exec.
        unsafe {
            command.pre_exec(move || {
                libc::setsid();
                libc::ioctl(number, libc::TIOCSCTTY, 0);
                Ok(())
            });
        }
        Self { viewer: command.spawn().expect("memtop"), terminal, drawn: 0 }
    }

    /// Draws the terminal empty for so long.
    fn watch(&mut self, time: Duration) {
        let (until, mut buffer) = (Instant::now() + time, vec![0; 64 << 10]);
        while Instant::now() < until {
            match self.terminal.master.read(&mut buffer) {
                Ok(length) => self.drawn += length as u64,
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn taken(&self) -> Taken {
        let running = list_running();
        let ours = running.iter().find(|one| parent(one.keeper) == Some(self.viewer.id()));
        let keeper = ours.expect("a keeper").keeper;
        let events = events(&Connection::join(keeper).expect("it can be joined"));
        let (viewer, keeper) = (processor(self.viewer.id()), processor(keeper));
        Taken { at: Instant::now(), viewer, keeper, events, drawn: self.drawn }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let running = list_running();
        let ours = running.iter().find(|one| parent(one.keeper) == Some(self.viewer.id()));
        // SAFETY: kill takes two integers.
        ours.iter().for_each(|one| unsafe { _ = libc::kill(one.pid as i32, libc::SIGKILL) });
        let _ = self.viewer.kill();
        let _ = self.viewer.wait();
    }
}

fn measure(name: &str, options: &[&str], line: &[&str]) {
    let mut dashboard = Dashboard::start(options, line);
    dashboard.watch(WARM);
    let before = dashboard.taken();
    dashboard.watch(MEASURED);
    let after = dashboard.taken();
    let seconds = (after.at - before.at).as_secs_f64();
    let percent = |from: u64, to: u64| 100.0 * (to - from) as f64 / TICKS / seconds;
    println!(
        "{name:28} {:>6.1} % {:>6.1} % {:>10.2} M {:>10.1}",
        percent(before.viewer, after.viewer),
        percent(before.keeper, after.keeper),
        (after.events - before.events) as f64 / seconds / 1e6,
        (after.drawn - before.drawn) as f64 / seconds / 1e3,
    );
}

/// Allocations and frees so far.
fn events(connection: &Connection) -> u64 {
    let reader = connection.reader();
    let readings = (0..reader.session_count()).filter_map(|index| reader.read(index));
    let classes = readings.flat_map(|reading| reading.classes);
    classes.map(|class| class.allocations + class.frees).sum()
}

/// The fields of a process's `stat` from its state on.
fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split(' ').map(str::to_owned).collect()
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid).get(1)?.parse().ok()
}

/// Processor time of a process, all its threads together.
fn processor(pid: u32) -> u64 {
    stat(pid).iter().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}
