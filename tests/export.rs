//! Exports, read back the way their readers do.

mod sample;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use flate2::read::GzDecoder;
use memtop::model::{ProcessState, SiteFigures, TreeState};
use prost::Message;
use sample::{code, recording};

fn folder_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("export").join(name)
}

/// A folder for one test alone.
fn folder(name: &str) -> PathBuf {
    let folder = folder_of(name);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn memtop(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtop"));
    command.arg("export").arg("recording.memtop").args(arguments).current_dir(folder);
    command.output().expect("memtop runs")
}

/// What `tree` is exported as.
fn export(name: &str, tree: &TreeState, format: &str, more: &[&str]) -> Vec<u8> {
    let folder = folder(name);
    fs::write(folder.join("recording.memtop"), recording(tree)).unwrap();
    let output = memtop(&folder, &[&["--format", format, "-o", "out"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(folder.join("out")).unwrap()
}

#[test]
fn the_standard_output_takes_every_format() {
    for format in ["folded", "flamegraph", "pprof", "heaptrack", "csv", "parquet"] {
        let expected = export("stdout", &tree(), format, &["--force"]);
        let output = memtop(&folder_of("stdout"), &["--format", format, "-o", "-"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == expected, "{format}");
        assert!(!folder_of("stdout").join("-").exists());
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

fn tree() -> TreeState {
    code::alone(code::late())
}

/// One whose stacks also allocated what was freed before the peak.
fn busy() -> TreeState {
    let mut process = code::late();
    for figures in &mut process.sites.figures {
        figures.allocations += 3 * figures.temporary + 1;
        figures.allocated_bytes += 300 * figures.temporary + 7;
    }
    code::alone(process)
}

/// The sums over all sites.
fn sums(process: &ProcessState) -> SiteFigures {
    let sum = |of: fn(&SiteFigures) -> u64| process.sites.figures.iter().map(of).sum();
    SiteFigures {
        current_bytes: sum(|one| one.current_bytes),
        current_blocks: sum(|one| one.current_blocks),
        at_peak_bytes: sum(|one| one.at_peak_bytes),
        at_peak_blocks: sum(|one| one.at_peak_blocks),
        allocated_bytes: sum(|one| one.allocated_bytes),
        allocations: sum(|one| one.allocations),
        temporary: sum(|one| one.temporary),
    }
}

#[test]
fn folded_stacks_have_a_line_each() {
    let lines = text(export("folded", &tree(), "folded", &[]));
    let expected = "(more frames);libnameless.so+0x9f 512\n\
                    main;aeMain 612000\n\
                    main;aeMain;readQuery;dictAdd 30000000\n\
                    main;aeMain;readQuery;sdsnewlen 3000000\n\
                    main;loadConfig 80000\n";
    assert_eq!(lines, expected);
}

#[test]
fn folded_stacks_show_what_is_asked_for() {
    let blocks = ["--figure", "allocations", "--at", "peak"];
    let lines = text(export("folded-figure", &tree(), "folded", &blocks));
    assert!(lines.contains("main;loadConfig 5\n"), "{lines}");
    let peak = text(export("folded-peak", &tree(), "folded", &["--at", "peak"]));
    assert!(peak.contains("main;loadConfig 95000\n") && !peak.contains("aeMain 612000"), "{peak}");
}

#[test]
fn several_processes_have_their_names() {
    let mut two = tree();
    let mut other = code::early();
    other.identity.pid = 4300;
    two.processes.push(other);
    let lines = text(export("folded-sum", &two, "folded", &["--process", "sum"]));
    assert!(lines.contains("4242 redis-server;main;aeMain 612000\n"), "{lines}");
    assert!(lines.contains("4300 redis-server;main;loadConfig;sdsnewlen 40000\n"), "{lines}");
    let one = text(export("folded-one", &two, "folded", &["--process", "4300"]));
    assert!(one.contains("main;loadConfig;sdsnewlen 40000\n") && !one.contains("redis"), "{one}");
}

#[test]
fn csv_has_a_line_for_each_stack() {
    let lines = text(export("csv", &tree(), "csv", &[]));
    let lines: Vec<&str> = lines.split("\r\n").collect();
    assert_eq!(lines.len(), 7);
    assert!(lines[0].starts_with("pid,generation,command,moment,at_ns,stack,function,file,line"));
    assert_eq!(
        lines[1],
        "4242,0,redis-server *:6379,end,192000000000,0,dictAdd,src/dict.c,312,\
         /usr/bin/redis-server,main;aeMain;readQuery;dictAdd,\
         30000000,91022,30000000,91022,60000000,182044,9102"
    );
}

/// `profile.proto`, as its readers declare it.
mod profile {
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub sample_type: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub sample: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub mapping: Vec<Mapping>,
        #[prost(message, repeated, tag = "4")]
        pub location: Vec<Location>,
        #[prost(message, repeated, tag = "5")]
        pub function: Vec<Function>,
        #[prost(string, repeated, tag = "6")]
        pub string_table: Vec<String>,
        #[prost(int64, tag = "9")]
        pub time_nanos: i64,
        #[prost(int64, tag = "10")]
        pub duration_nanos: i64,
        #[prost(message, optional, tag = "11")]
        pub period_type: Option<ValueType>,
        #[prost(int64, tag = "12")]
        pub period: i64,
        #[prost(int64, repeated, tag = "13")]
        pub comment: Vec<i64>,
        #[prost(int64, tag = "14")]
        pub default_sample_type: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct ValueType {
        #[prost(int64, tag = "1")]
        pub name: i64,
        #[prost(int64, tag = "2")]
        pub unit: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub location_id: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub value: Vec<i64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Mapping {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(uint64, tag = "2")]
        pub memory_start: u64,
        #[prost(uint64, tag = "3")]
        pub memory_limit: u64,
        #[prost(int64, tag = "5")]
        pub filename: i64,
        #[prost(int64, tag = "6")]
        pub build_id: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Location {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(uint64, tag = "2")]
        pub mapping_id: u64,
        #[prost(uint64, tag = "3")]
        pub address: u64,
        #[prost(message, repeated, tag = "4")]
        pub line: Vec<Line>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Line {
        #[prost(uint64, tag = "1")]
        pub function_id: u64,
        #[prost(int64, tag = "2")]
        pub line: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Function {
        #[prost(uint64, tag = "1")]
        pub id: u64,
        #[prost(int64, tag = "2")]
        pub name: i64,
        #[prost(int64, tag = "4")]
        pub filename: i64,
    }
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut unzipped = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut unzipped).expect("gzip");
    unzipped
}

#[test]
fn a_pprof_profile_says_what_the_recording_says() {
    let bytes = export("pprof", &tree(), "pprof", &[]);
    let profile = profile::Profile::decode(unzipped(&bytes).as_slice()).expect("a profile");
    let text = |id: i64| profile.string_table[id as usize].as_str();
    assert_eq!(profile.string_table[0], "");
    let types: Vec<_> =
        profile.sample_type.iter().map(|one| (text(one.name), text(one.unit))).collect();
    let expected = [
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ];
    assert_eq!(types, expected);
    assert_eq!(text(profile.default_sample_type), "inuse_space");
    assert_eq!(profile.duration_nanos, 192_000_000_000);
    let sums = sums(&code::late());
    let sum = |at: usize| profile.sample.iter().map(|sample| sample.value[at] as u64).sum::<u64>();
    assert_eq!(
        [sum(0), sum(1), sum(2), sum(3)],
        [sums.allocations, sums.allocated_bytes, sums.current_blocks, sums.current_bytes]
    );
    let functions: BTreeMap<u64, (&str, &str)> =
        profile.function.iter().map(|one| (one.id, (text(one.name), text(one.filename)))).collect();
    let frames = |sample: &profile::Sample| -> Vec<(&str, &str, i64)> {
        let locations = sample.location_id.iter().map(|id| &profile.location[*id as usize - 1]);
        let lines = locations.flat_map(|location| &location.line);
        lines
            .map(|line| (functions[&line.function_id].0, functions[&line.function_id].1, line.line))
            .collect()
    };
    assert_eq!(frames(&profile.sample[0])[0], ("dictAdd", "src/dict.c", 312));
    assert_eq!(frames(&profile.sample[0])[3], ("main", "src/server.c", 7001));
    for location in &profile.location {
        let mapping = &profile.mapping[location.mapping_id as usize - 1];
        assert!((mapping.memory_start..mapping.memory_limit).contains(&location.address));
    }
    assert_eq!(text(profile.mapping[0].filename), "/usr/bin/redis-server");
    assert_eq!(text(profile.mapping[0].build_id), "07");
}

#[test]
fn a_flame_graph_is_one_well_formed_file() {
    let svg = text(export("flamegraph", &tree(), "flamegraph", &[]));
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<g ").count(), svg.matches("</g>").count());
    assert!(svg.contains("<title>dictAdd: 28.6 MiB"), "{svg}");
    // Nothing is loaded from elsewhere.
    assert_eq!(svg.matches("http").count(), 1);
}

#[test]
fn a_parquet_file_ends_with_its_footer() {
    let bytes = export("parquet", &tree(), "parquet", &[]);
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    let end = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    let footer = String::from_utf8_lossy(&bytes[end - length..end]).into_owned();
    assert!(footer.contains("at_peak_bytes") && footer.contains("memtop version"), "{footer}");
}

#[test]
fn heaptrack_events_come_to_the_figures() {
    let said = text(export("heaptrack", &busy(), "heaptrack", &[]));
    let (mut sizes, mut live, mut peak, mut allocations) = (Vec::new(), 0_u64, 0, 0);
    for line in said.lines() {
        let (kind, rest) = line.split_once(' ').expect("a kind and fields");
        let first = rest.split(' ').next().unwrap();
        let number = u64::from_str_radix(first, 16).unwrap_or_default();
        match kind {
            "a" => sizes.push(number),
            "+" => {
                (live, allocations) = (live + sizes[number as usize], allocations + 1);
                peak = peak.max(live);
            }
            "-" => live -= sizes[number as usize],
            _ => {}
        }
    }
    let sums = sums(&busy().processes[0]);
    assert_eq!((live, allocations), (sums.current_bytes, sums.allocations));
    assert_eq!(peak, sums.at_peak_bytes.max(sums.current_bytes));
}

/// What is resident is told with each time, and so is its peak.
#[test]
fn heaptrack_hears_what_was_resident() {
    let mut tree = busy();
    tree.processes[0].timeline[7].rss_bytes = Some((80 << 20) + 1);
    let said = text(export("heaptrack-resident", &tree, "heaptrack", &[]));
    let lines: Vec<&str> = said.lines().collect();
    let told = lines.iter().enumerate().filter(|(_, line)| line.starts_with("R "));
    let told: Vec<(usize, u64)> =
        told.map(|(at, line)| (at, u64::from_str_radix(&line[2..], 16).unwrap())).collect();
    assert!(told.iter().all(|(at, _)| lines[at - 1].starts_with("c ")), "{told:?}");
    let most = told.iter().map(|(_, pages)| *pages).max();
    assert_eq!(most, Some((80 << 20) / 4096 + 1), "the peak, in pages that are begun");
    // Where it was never read, it is not told: it is not zero.
    tree.processes[0].timeline.iter_mut().for_each(|point| point.rss_bytes = None);
    let said = text(export("heaptrack-unknown", &tree, "heaptrack", &[]));
    assert!(!said.contains("\nR "));
    // Pages of several processes are partly the same ones.
    let mut two = busy();
    let mut other = code::early();
    other.identity.pid = 4300;
    two.processes.push(other);
    let sum = text(export("heaptrack-sum", &two, "heaptrack", &["--process", "sum"]));
    assert!(!sum.contains("\nR ") && sum.contains("\n+ "));
}

#[test]
fn what_cannot_be_exported_is_said() {
    let folder = folder("refused");
    let path = folder.join("recording.memtop");
    fs::write(&path, recording(&tree())).unwrap();
    let refused = |arguments: &[&str], status: i32, words: &str| {
        let output = memtop(&folder, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(words), "{said}");
    };
    fs::write(folder.join("there"), "mine").unwrap();
    refused(&["--format", "csv", "-o", "there"], 2, "--force");
    assert_eq!(fs::read_to_string(folder.join("there")).unwrap(), "mine");
    assert!(memtop(&folder, &["--format", "csv", "-o", "there", "--force"]).status.success());
    refused(&["--format", "csv", "-o", "x", "--figure", "blocks"], 2, "--figure");
    refused(&["--format", "csv", "-o", "x", "--process", "77"], 2, "no such process");
    refused(&["--format", "xml", "-o", "x"], 2, "xml");
    refused(&["--format", "folded", "-o", "no/such/folder"], 1, "cannot write no/such/folder");
    fs::write(&path, recording(&sample::launch())).unwrap();
    refused(&["--format", "csv", "-o", "x"], 1, "no stacks were recorded");
    assert!(!folder.join("x").exists());
}

/// Over the programs that the formats are for, which must be installed.
#[cfg(feature = "real-programs")]
mod real {
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
        assert!(
            said.contains(&format!("temporary memory allocations: {} ", sums.temporary)),
            "{said}"
        );
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
}
