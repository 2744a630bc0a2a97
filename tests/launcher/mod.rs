//! Starting memtop in tests, and waiting for what must happen instead of sleeping.

use std::{
    env, fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::{Duration, Instant},
};

use memtop::{
    keeper::{LaunchError, Options, client::Connection, protocol::FromKeeper},
    model::Exit,
    sys::pty::{Pty, Size},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that is removed in the end.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("memtop-keeper-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `memtop record -o OUTPUT`, to be completed.
pub fn record(output: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtop"));
    command.arg("record").arg("-o").arg(output);
    command
}

/// A keeper that holds a shell script, and what its viewer sees.
pub fn spawn(script: &str) -> (Connection, Viewer) {
    let connection = try_spawn(&["/bin/sh", "-c", script]).unwrap();
    (connection, Viewer::default())
}

/// A keeper that holds a command on a terminal.
pub fn try_spawn(command: &[&str]) -> Result<Connection, LaunchError> {
    spawn_with(&Options::new(command.iter().map(Into::into).collect()))
}

/// A keeper that holds what was asked for on a terminal.
pub fn spawn_with(options: &Options) -> Result<Connection, LaunchError> {
    let memtop = Path::new(env!("CARGO_BIN_EXE_memtop"));
    // The runner's own descriptors are not terminals; the keeper would pass them through.
    let terminal = Pty::open(Size::default()).unwrap();
    let slave = Some(terminal.slave.as_fd());
    Connection::spawn_by(memtop, options, Size::default(), [slave; 3])
}

/// What a viewer has seen.
#[derive(Default)]
pub struct Viewer {
    output: Vec<u8>,
    gap: u64,
    stopped: bool,
    exit: Option<Exit>,
}

impl Viewer {
    /// All output so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    /// Waits for a piece of output.
    pub fn until(&mut self, connection: &Connection, text: &str) {
        self.receive_until(connection, |viewer| viewer.text().contains(text));
    }

    /// Waits for so many bytes of output.
    pub fn until_count(&mut self, connection: &Connection, bytes: usize) {
        self.receive_until(connection, |viewer| {
            viewer.output.len() as u64 + viewer.gap >= bytes as u64
        });
    }

    /// Waits to be told that output is missing.
    pub fn until_gap(&mut self, connection: &Connection) {
        self.receive_until(connection, |viewer| viewer.gap > 0);
    }

    /// Waits to be told that the program is stopped, or that it is not any more.
    pub fn until_stopped(&mut self, connection: &Connection, stopped: bool) {
        self.receive_until(connection, |viewer| viewer.stopped == stopped);
    }

    /// Waits for the end of the program.
    pub fn until_exit(&mut self, connection: &Connection) -> Exit {
        self.receive_until(connection, |viewer| viewer.exit.is_some());
        self.exit.unwrap()
    }

    fn last_words(&self) -> String {
        let from = self.output.len().saturating_sub(200);
        format!("{:?}", String::from_utf8_lossy(&self.output[from..]))
    }

    fn receive_until(&mut self, connection: &Connection, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            let message = connection.messages().recv_deadline(deadline);
            match message.unwrap_or_else(|error| panic!("{error}: {}", self.last_words())) {
                FromKeeper::Scrollback(bytes) | FromKeeper::Output(bytes) => {
                    self.output.extend(bytes);
                }
                FromKeeper::Gap(bytes) => self.gap += bytes,
                FromKeeper::Stopped(stopped) => self.stopped = stopped,
                FromKeeper::Exit(exit) => self.exit = Some(exit),
                _ => {}
            }
        }
    }
}

/// Waits until something holds.
pub fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}
