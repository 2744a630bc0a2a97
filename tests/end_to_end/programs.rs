//! The programs under `tests/programs`: built when they are needed, and led step by step.

use std::{
    collections::HashMap,
    ffi::CString,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use super::{Home, wait_for};

/// The path of a program, built from `tests/programs`; its name ends in `.c`, `.cpp` or `.rs`.
pub fn program(source: &str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let built = built.get_or_insert_default();
    built.entry(source.to_owned()).or_insert_with(|| build(source)).clone()
}

fn build(source: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    fs::create_dir_all(&folder).unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
    let name = source.replace('.', "-");
    // Another run of the tests may build the same; whoever is last puts it in its place.
    let made = folder.join(format!("{name}.{}", std::process::id()));
    let (compiler, flags): (_, &[&str]) = match source.rsplit_once('.') {
        Some((_, "rs")) => ("rustc", &["--edition", "2024", "-Copt-level=2"]),
        Some((_, "cpp")) => ("c++", &["-std=c++17", "-g", "-O2", "-Wall", "-Wextra", "-pthread"]),
        _ => ("cc", &["-O2", "-Wall", "-Wextra", "-pthread"]),
    };
    let mut compiler = Command::new(compiler);
    compiler.args(flags);
    let status = compiler.arg("-o").args([&made, &from]).status().expect("a compiler");
    assert!(status.success(), "{source} was not built");
    let program = folder.join(name);
    fs::rename(&made, &program).unwrap();
    program
}

/// A program that says what it has done, and goes on when it may.
pub struct Steps {
    gate: File,
    gate_path: PathBuf,
    said: PathBuf,
}

impl Steps {
    /// Prepares the gate and the place for its words.
    pub fn new(home: &Home) -> Self {
        let gate_path = home.path("gate");
        let path = CString::new(gate_path.as_os_str().as_bytes()).unwrap();
        // SAFETY: a terminated path and a mode.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        // Open for reading too, so that neither end waits for the other.
        let gate = OpenOptions::new().read(true).write(true).open(&gate_path).unwrap();
        Self { gate, gate_path, said: home.path("said") }
    }

    /// The command line of a program, with gate and place first.
    pub fn command_line(&self, source: &str, arguments: &[&str]) -> Vec<String> {
        let mut line: Vec<String> = [&program(source), &self.gate_path, &self.said]
            .map(|path| path.to_str().unwrap().to_owned())
            .into();
        line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        line
    }

    /// Lets it take the next step.
    pub fn go(&self) {
        (&self.gate).write_all(b"\n").unwrap();
    }

    /// Waits for a word; the time it was said, `CLOCK_MONOTONIC` nanoseconds.
    #[track_caller]
    pub fn wait_for(&self, word: &str) -> u64 {
        wait_for(word, || {
            let said = fs::read_to_string(&self.said).ok()?;
            let line = said.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
            line?.strip_suffix('.')?.parse().ok()
        })
    }
}
