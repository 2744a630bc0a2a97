//! Exports, read back the way their readers do.

#[path = "../sample/mod.rs"]
mod sample;

mod pprof;
#[cfg(feature = "real-programs")]
mod real;

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use flate2::read::GzDecoder;
use memtop::{
    model::{Identity, ProcessState, SiteFigures, TreeState},
    recording::{EventRecord, Events, Gap, Writer},
};
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
fn the_recording_itself_is_never_written_over() {
    let folder = folder("itself");
    let path = folder.join("recording.memtop");
    fs::write(&path, recording(&tree())).unwrap();
    fs::hard_link(&path, folder.join("link")).unwrap();
    std::os::unix::fs::symlink(&path, folder.join("symlink")).unwrap();
    for to in ["recording.memtop", "link", "symlink"] {
        let output = memtop(&folder, &["--format", "folded", "--force", "-o", to]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("is the recording itself"), "{said}");
        assert!(fs::read(&path).unwrap() == recording(&tree()));
    }
}

#[test]
fn of_a_recording_that_was_cut_nothing_else_is_blamed() {
    let folder = folder("cut");
    let whole = recording(&tree());
    let mut blamed = 0;
    for end in (0..whole.len()).step_by(61) {
        fs::write(folder.join("recording.memtop"), &whole[..end]).unwrap();
        let output = memtop(&folder, &["--format", "folded", "--force", "-o", "out"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("--no-stacks"), "{end}: {said}");
        blamed += usize::from(said.contains("cut before any stack"));
    }
    assert!(blamed > 0);
}

#[test]
fn events_that_made_room_for_later_ones_are_said_to_be_missing() {
    let folder = folder("thinned");
    let seconds = Duration::from_secs;
    let mut writer = Writer::new(Vec::new(), &[], seconds(0)).unwrap();
    let image = writer.process(&Identity::default()).unwrap();
    let gap = |reason| Gap { from: seconds(1), to: seconds(3), reason };
    writer.gap(&gap(Gap::THINNED)).unwrap();
    let events = Events { events: vec![EventRecord::default()], ..Events::default() };
    writer.events(image, &events.encode()).unwrap();
    fs::write(folder.join("recording.memtop"), writer.end().unwrap()).unwrap();
    let output = memtop(&folder, &["--events", "--format", "csv", "-o", "out"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("between 0:01.000 and 0:03.000 after the launch events are"), "{said}");
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

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut unzipped = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut unzipped).expect("gzip");
    unzipped
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

/// How a function is filled in.
fn colour_of(svg: &str, function: &str) -> String {
    let name = format!("data-name=\"{function}\"");
    let frame = svg.lines().find(|line| line.contains(&name)).expect("the function is drawn");
    let (_, fill) = frame.split_once("fill=\"").expect("a colour");
    fill.split('"').next().unwrap().to_owned()
}

#[test]
fn a_flame_tells_libraries_from_the_program() {
    let program = text(export("flamegraph_program", &tree(), "flamegraph", &[]));
    let mut process = code::late();
    process.sites.modules.iter_mut().for_each(|one| one.path = b"/lib/libc.so.6".to_vec());
    let library = code::alone(process);
    let library = text(export("flamegraph_library", &library, "flamegraph", &[]));
    let saturated = |svg: &str| colour_of(svg, "dictAdd").contains(" 84% ");
    assert!(saturated(&program) && !saturated(&library));
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
