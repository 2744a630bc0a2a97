//! Rust programs with jemalloc and mimalloc in the executable, and memtop's allocator around them:
//! counted exactly where they run by themselves, and named before the start elsewhere.

use super::*;

/// Builds them, which takes minutes the first time.
fn built(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("allocators");
    let manifest = "tests/programs/allocators/Cargo.toml";
    need("make", "make");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--manifest-path", manifest]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", &folder);
    assert!(cargo.status().unwrap().success(), "{name} is not built");
    folder.join("release").join(name)
}

/// The numbers behind a word that the program said.
fn numbers(said: &str, word: &str) -> Vec<u64> {
    let line = said.lines().find_map(|line| line.strip_prefix(word)).expect(said);
    let digits = |one: char| !one.is_ascii_digit();
    line.split(digits).filter(|part| !part.is_empty()).map(|one| one.parse().unwrap()).collect()
}

fn is_exact_and_named(name: &str, symbol: &str) {
    let home = Home::new();
    let program = built(name);
    for threads in [&[][..], &["threads"]] {
        let mut command = home.command(&program);
        command.args(threads);
        let found = behaviour(command, "");
        assert_eq!((found.status, found.stderr.as_str()), (0, ""), "{name}");
        let (asked, seen) = (numbers(&found.stdout, "asked"), numbers(&found.stdout, "seen"));
        // What several threads held at most is known within an error, by both.
        let exact = if threads.is_empty() { 6 } else { 5 };
        assert_eq!(seen[..exact], asked[..exact], "{name} {threads:?}");
        assert_eq!(numbers(&found.stdout, "off"), [0, 0, 0], "{name} {threads:?}");
        assert!(asked[0] > 200_000, "{asked:?}");
    }
    let stripped = home.path("stripped");
    let mut strip = Command::new(need("strip", "binutils"));
    assert!(strip.arg(&program).arg("-o").arg(&stripped).status().unwrap().success());
    for (program, sign) in [(&program, symbol), (&stripped, name)] {
        let mut command = home.memtop(["record", "--force", "-o", "recording.memtop", "--"]);
        command.arg(program);
        let found = behaviour(command, "");
        assert_eq!(found.status, 0, "{found:?}");
        assert!(found.stdout.ends_with("aside\n"), "nothing counts twice: {found:?}");
        let warning = found.stderr.lines().next().unwrap();
        assert!(warning.contains(&format!("an allocator of its own ({sign})")), "{warning}");
        assert!(warning.contains("by itself, and join it with memtop"), "{warning}");
    }
}

#[test]
fn jemalloc_in_a_rust_program() {
    is_exact_and_named("jemalloc", "_rjem_malloc");
}

#[test]
fn mimalloc_in_a_rust_program() {
    is_exact_and_named("mimalloc", "_mi_malloc_generic");
}
