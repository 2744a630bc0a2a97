//! What the end-to-end tests share: a home of its own for every test, so that none sees the
//! programs of another, the real binary, and waiting for what must happen instead of sleeping.

#![allow(dead_code)]

pub mod figures;
pub mod programs;
pub mod pty;

use std::{
    env, fs,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// What takes longer on a busy machine will not happen at all.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with everything that memtop keeps for a user; processes and files end with it.
pub struct Home(PathBuf);

impl Home {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("memtop-e2e-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = env::temp_dir().join(name);
        for inner in ["run", "cache"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
        }
        Self(folder)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The content of a file in it, if it is there.
    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// Any command, at home here and with the surroundings of a usual terminal.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let ours = |name: &str| name.starts_with("MEMTOP_") || name.starts_with("LC_");
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
            command.env_remove(name);
        }
        for name in ["NO_COLOR", "COLORTERM", "COLORFGBG", "LD_PRELOAD"] {
            command.env_remove(name);
        }
        command
            .env("HOME", &self.0)
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .current_dir(&self.0);
        command
    }

    /// The real binary.
    pub fn memtop<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_memtop"));
        command.args(arguments);
        command
    }

    /// Records a program that needs no help to end; its recording is `recording.memtop`.
    pub fn record(&self, prepare: impl Fn(&mut Command)) -> Output {
        let recording = self.path("recording.memtop");
        let mut command = self.memtop(["record", "--quiet", "--force", "-o"]);
        command.arg(recording).arg("--").stdin(Stdio::null());
        prepare(&mut command);
        command.output().unwrap()
    }

    /// The report of what was recorded.
    pub fn report(&self) -> Value {
        let output = self.memtop(["report", "--json", "recording.memtop"]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Processes that were started from here and run, keepers and orphans too.
    pub fn processes(&self) -> Vec<u32> {
        let mark = [b"HOME=", self.0.as_os_str().as_encoded_bytes(), b"\0"].concat();
        let all = fs::read_dir("/proc").unwrap().flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| {
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                environment.windows(mark.len()).any(|part| part == mark) && is_alive(*pid)
            })
            .collect()
    }

    /// Waits until nothing that was started from here runs any more.
    pub fn wait_until_empty(&self) {
        wait_until("everything ends", || self.processes().is_empty());
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for pid in self.processes() {
            signal(pid, libc::SIGKILL);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a program shows to the world.
#[derive(Debug, PartialEq)]
pub struct Behaviour {
    /// As a shell gives it: 128 + signal when killed.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end, with these words on its standard input.
pub fn behaviour(mut command: Command, words: &str) -> Behaviour {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that never reads has closed its end.
    let _ = child.stdin.take().unwrap().write_all(words.as_bytes());
    let output = child.wait_with_output().unwrap();
    let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap());
    Behaviour { status, stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something can be had.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    wait_until(what, || {
        found = ask();
        found.is_some()
    });
    found.unwrap()
}

/// A process's state letter; `None` once it is gone.
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(pid: u32) -> bool {
    state(pid).is_some_and(|state| !"ZX".contains(state))
}

/// Sends a signal; a process that is gone does not mind.
pub fn signal(pid: u32, signal: i32) {
    // SAFETY: kill takes two integers.
    unsafe { libc::kill(pid as i32, signal) };
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A number that differs from call to call.
pub fn random(below: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(below) % below.max(1)
}

/// As in `MEMTOP_LONG=1`: take the time for all rounds.
pub fn is_long() -> bool {
    env::var_os("MEMTOP_LONG").is_some_and(|value| !value.is_empty())
}

/// `CLOCK_MONOTONIC`, as the programs under `tests/programs` tell it.
pub fn monotonic_ns() -> u64 {
    memtop::sys::clock::monotonic_ns()
}
