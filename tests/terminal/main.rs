//! The dashboard as a person meets it: the real binary on a terminal, keys in, screens out, and
//! what becomes of program and terminal when it is left in any way.

#[path = "../end_to_end/mod.rs"]
mod end_to_end;

mod copying;
mod figures;
mod hard;
mod jobs;
mod joining;
mod keys;
mod killed;
mod leak;
mod leaving;
mod looks;
mod marks;
mod mouse;
mod output;
mod past;
mod processes;
mod recording;
mod served;
mod soak;
mod threads;

use std::{fs, process::Command, time::Duration};

use end_to_end::{Home, monotonic_ns, programs::Steps, pty::Terminal, wait_for, wait_until};

const SMALL: (u16, u16) = (80, 24);
const USUAL: (u16, u16) = (120, 40);
const LARGE: (u16, u16) = (200, 50);

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

/// `memtop run OPTIONS -- LINE`.
fn run(home: &Home, options: &[&str], line: &[&str]) -> Command {
    home.memtop(["run"].iter().chain(options).chain(&["--"]).chain(line).copied())
}

/// A shell script under the dashboard.
fn run_shell(home: &Home, script: &str) -> Command {
    run(home, &[], &["sh", "-c", script])
}

/// The program of `tests/programs` that takes steps, under the dashboard.
struct Late {
    terminal: Terminal,
    steps: Steps,
    home: Home,
}

impl Late {
    fn start(size: (u16, u16), options: &[&str], source: &str, arguments: &[&str]) -> Self {
        let home = Home::new();
        let steps = Steps::new(&home);
        let line = steps.command_line(source, arguments);
        let terminal = Terminal::start(size, run(&home, options, &words(&line)));
        Self { terminal, steps, home }
    }

    /// With tracing from the start, and its blocks built.
    fn built(size: (u16, u16), arguments: &[&str]) -> Self {
        let late = Self::start(size, &[], "late.c", arguments);
        late.steps.go();
        late.steps.wait_for("built");
        late
    }

    /// The only process that is neither the viewer nor the keeper.
    fn program(&self) -> u32 {
        let is_program = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with(end_to_end::programs::program("late.c").as_os_str().as_encoded_bytes())
        };
        wait_for("the program runs", || self.home.processes().into_iter().find(is_program))
    }

    /// Takes the remaining steps, which proves that the program is well.
    fn goes_on(&self) {
        self.steps.go();
        self.steps.wait_for("replaced");
        self.steps.go();
        self.steps.wait_for("ending");
    }
}

fn wait_for_time(since_ns: u64, passed: Duration) {
    let until = since_ns + passed.as_nanos() as u64;
    wait_until("time passes", || monotonic_ns() >= until);
}
