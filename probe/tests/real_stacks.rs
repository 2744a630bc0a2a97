//! Stacks of programs that people use: every single capture is compared with a walk that knows
//! nothing of earlier ones.

use std::{path::PathBuf, process::Command};

use support::{Session, output, scratch};

mod support;

/// A program that must be there.
fn need(program: &str, package: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program));
    let found = found.into_iter().find(|file| file.is_file());
    Command::new(found.unwrap_or_else(|| panic!("{program} is missing: apt-get install {package}")))
}

/// Runs a command to its end and compares at least so many captures of all its processes.
fn compare(command: &Command, least: u64) {
    let session = Session::traced();
    session.check_stacks();
    let mut traced = session.command(command.get_program());
    traced.args(command.get_args());
    for (name, value) in command.get_envs() {
        traced.env(name, value.unwrap_or_default());
    }
    output(&mut traced);
    let reader = session.reader();
    let captures = (0..reader.session_count()).filter_map(|index| reader.capture(index));
    let (mut checked, mut differing, mut unkept) = (0, 0, 0);
    for capture in captures {
        checked += capture.checked;
        differing += capture.differing;
        unkept += capture.unkept;
    }
    println!("{command:?}: {checked} captures");
    assert_eq!((differing, unkept), (0, 0), "of {checked}: {command:?}");
    assert!(checked >= least, "{checked}: {command:?}");
}

#[test]
fn python() {
    let script = "import json\nx = [{'a': i, 'b': str(i) * 3} for i in range(20000)]\n\
                  print(len(json.loads(json.dumps(x))))";
    let mut python = need("python3", "python3");
    python.args(["-c", script]).env("PYTHONMALLOC", "malloc");
    compare(&python, 200_000);
}

#[test]
fn perl() {
    let script = "my %h; for (1..100000) { $h{$_} = 'x' x ($_ % 50) } print scalar(keys %h)";
    compare(need("perl", "perl").args(["-e", script]), 200_000);
}

#[test]
fn git() {
    let folder = scratch("git");
    let folder = folder.to_str().expect("a readable path");
    let script = format!(
        "git init -q {folder} && cd {folder} && for i in $(seq 60); do seq $i 400 > f$i; git add . \
         && git -c user.name=a -c user.email=a@b commit -qm $i; done; git log -p --stat > log; \
         rm -rf {folder}"
    );
    need("git", "git");
    compare(need("sh", "dash").args(["-c", &script]), 20_000);
}

fn source(functions: usize) -> String {
    let body = |at: usize| {
        format!(
            "int f{at}(int a, int b) {{ int s = 0; for (int k = 0; k < a; k++) {{ if (k & 1) s += b * k; \
             else s -= k; switch (k % 5) {{ case 0: s ^= 1; break; case 1: s += 3; break; default: \
             s *= 2; }} }} return s + f{}(a - 1, b); }}\n",
            at - 1
        )
    };
    let rest: String = (1..functions).map(body).collect();
    format!("int f0(int a, int b) {{ return a + b; }}\n{rest}")
}

#[test]
fn the_compiler() {
    let file = scratch("large").with_extension("c");
    std::fs::write(&file, source(500)).expect("the target folder is writable");
    compare(need("gcc", "gcc").args(["-O1", "-S", "-o", "/dev/null"]).arg(&file), 200_000);
    let _ = std::fs::remove_file(file);
}

#[test]
fn exceptions_and_coroutines() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/exceptions.cpp");
    let program = scratch("exceptions");
    let status = need("g++", "g++")
        .args(["-std=c++20", "-O2", "-o"])
        .args([&program, &source])
        .status()
        .expect("the compiler runs");
    assert!(status.success(), "{} compiles", source.display());
    compare(&Command::new(&program), 100_000);
    let _ = std::fs::remove_file(program);
}

#[test]
fn asynchronous_rust() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/programs/tasks.rs");
    let program = scratch("tasks");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let status = Command::new(rustc)
        .args(["--edition", "2024", "-O", "-o"])
        .args([&program, &source])
        .status()
        .expect("the compiler runs");
    assert!(status.success(), "{} compiles", source.display());
    compare(&Command::new(&program), 400_000);
    let _ = std::fs::remove_file(program);
}
