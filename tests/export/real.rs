//! Over the programs that the formats are for, which must be installed.

use super::*;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    text(output.stdout)
}

#[test]
fn heaptrack_prints_the_same_figures() {
    let folder = folder("real-heaptrack");
    fs::write(folder.join("recording.memtop"), recording(&busy())).unwrap();
    let made = memtop(&folder, &["--format", "heaptrack", "-o", "out.gz"]);
    assert!(made.status.success());
    let said = run(Command::new("heaptrack_print").current_dir(&folder).arg("out.gz"));
    let sums = sums(&busy().processes[0]);
    assert!(said.contains("209351 calls to allocation functions with 30.00M peak"), "{said}");
    assert!(
        said.contains(&format!("calls to allocation functions: {} ", sums.allocations)),
        "{said}"
    );
    assert!(said.contains(&format!("temporary memory allocations: {} ", sums.temporary)), "{said}");
    assert!(said.contains("peak heap memory consumption: 33.69M"), "{said}");
    assert!(said.contains("total memory leaked: 33.69M"), "{said}");
    // 63 MiB, in units of a million.
    assert!(said.contains("peak RSS (including heaptrack overhead): 66.06M"), "{said}");
}

/// A Python with DuckDB from PyPI.
fn duckdb() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("duckdb");
    let python = home.join("bin/python3");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home));
    }
    run(Command::new(&python).args(["-m", "pip", "install", "-q", "duckdb"]));
    python
}

fn of_readme(name: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, queries) = readme.split_once(&format!("<!-- {name}:begin -->\n```sql\n")).unwrap();
    let (queries, _) = queries.split_once(&format!("```\n<!-- {name}:end -->")).unwrap();
    queries.to_owned()
}

#[test]
fn duckdb_joins_events_and_stacks() {
    let folder = folder("real-duckdb-events");
    let recorded = Command::new(env!("CARGO_BIN_EXE_memtop"))
        .current_dir(&folder)
        .args(["record", "--force", "--events", "--quiet", "-o", "recording.memtop", "--"])
        .args(["sort", "--version"])
        .output()
        .unwrap();
    assert!(recorded.status.success());
    assert!(memtop(&folder, &["--format", "parquet", "-o", "run.parquet"]).status.success());
    let events = ["--format", "parquet", "--events", "-o", "events.parquet"];
    assert!(memtop(&folder, &events).status.success());
    let script = "import sys, duckdb\n\
                      rows = duckdb.execute(sys.argv[1]).fetchall()\n\
                      frees = duckdb.execute(\"SELECT count(*) FROM 'events.parquet' WHERE \
                      event = 'free'\").fetchone()[0]\n\
                      print(sum(row[1] for row in rows) <= frees, frees > 0, len(rows) > 0)\n";
    let mut python = Command::new(duckdb());
    let said = run(python.current_dir(&folder).args(["-c", script, &of_readme("events")]));
    assert_eq!(said.trim_end(), "True True True");
}

#[test]
fn duckdb_answers_the_queries_of_the_readme() {
    let folder = folder("real-duckdb");
    fs::write(folder.join("recording.memtop"), recording(&tree())).unwrap();
    assert!(memtop(&folder, &["--format", "parquet", "-o", "run.parquet"]).status.success());
    let queries = &of_readme("queries");
    let script = "import sys, duckdb\n\
                      for query in sys.argv[1].split(';\\n'):\n\
                      \x20   if query.strip(): print(duckdb.execute(query).fetchall())\n\
                      print(duckdb.execute(\"SELECT count(*), sum(allocated_bytes), count(line) \
                      FROM 'runs/*/*/*.parquet'\").fetchall())\n";
    let mut python = Command::new(duckdb());
    let said = run(python.current_dir(&folder).args(["-c", script, queries.as_str()]));
    assert!(
        said.starts_with("[('dictAdd', 30000000, 91022), ('sdsnewlen', 3000000, 9000)"),
        "{said}"
    );
    let sums = sums(&code::late());
    // One of the five stacks has no line, and that is null there.
    let whole = format!("[(5, {}, 4)]", sums.allocated_bytes);
    assert!(said.trim_end().ends_with(&whole), "{said}");
}
