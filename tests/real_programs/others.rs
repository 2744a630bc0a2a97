//! More programs: a virtual machine with a heap of its own, C++ with exceptions, a Rust program
//! with threads, and a server under load.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
};

use super::*;

const SCRIPT: &str = r#"
const zlib = require('zlib'), crypto = require('crypto'), fs = require('fs');
let check = 0;
for (let i = 0; i < 20000; i++) {
  const text = `line ${i} `.repeat(20);
  check += zlib.deflateSync(text).length;
  check += crypto.createHash('sha256').update(text).digest()[0];
}
const map = new Map();
for (let i = 0; i < 100000; i++) map.set('key' + i, { i, text: 'value ' + i });
const masks = fs.readFileSync('/proc/self/status', 'utf8').match(/Sig(Blk|Ign|Cgt).*/g);
console.log(check, map.size, fs.readdirSync('/proc/self/fd').length, masks);
"#;

#[test]
fn node_with_compression() {
    let home = Home::new();
    let node = need("node", "nodejs");
    let work = Work::new(node, &["-e", SCRIPT]).variable("MEMTOP_NO_STACKS", "1");
    let plain = behaviour(work.command(&home, &[]), "");
    assert_eq!(plain.status, 0, "{plain:?}");
    let report = work.same_as(&home, &plain);
    // Heaptrack leaves descriptors of its own open, so its output is not compared.
    assert_counts(&report, 500_000, work.count_by_heaptrack(&home));
}

#[test]
fn cpp_with_containers_and_exceptions() {
    let home = Home::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/throwing.cpp");
    let mut compiler = home.command(need("g++", "g++"));
    compiler.args(["-O2", "-g", "-fno-builtin", "-o", "throwing"]).arg(source);
    assert!(compiler.status().unwrap().success());
    let work = Work::new(home.path("throwing"), &["150000", "50"]);
    let report = work.same_but_for_time(&home);
    let counted = report["totals"]["allocations"].as_u64().unwrap();
    // Five a round, an exception in every fiftieth, and libstdc++'s reserve of memory.
    assert_eq!(counted, 150_000 * 5 + 3000 + 1);
    assert_counts(&report, 500_000, work.count_by_heaptrack(&home));
}

/// Many files with many lines.
fn forest(folder: &Path) {
    for directory in 0..300 {
        let directory = folder.join(format!("branch{directory}"));
        fs::create_dir_all(&directory).unwrap();
        for file in 0..40 {
            let mut text = String::new();
            for line in 0..30 {
                writeln!(text, "leaf {file} says {} on line {line}", line * 7919 % 97).unwrap();
            }
            fs::write(directory.join(format!("leaf{file}.txt")), text).unwrap();
        }
    }
}

#[test]
fn ripgrep_with_threads() {
    let home = Home::new();
    let program = need("rg", "ripgrep");
    forest(&home.path("forest"));
    // Sorted output takes one thread; lines that are sorted here may come from four.
    let arguments = ["--threads", "4", "--stats", "-n", "-r", "x$1", r"says (\d+)", "forest"];
    let work = Work::new(program, &arguments);
    let lines = |found: &Behaviour| {
        let mut lines: Vec<String> = found.stdout.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.contains("seconds"));
        lines.sort();
        (found.status, lines, found.stderr.clone())
    };
    let plain = behaviour(work.command(&home, &[]), "");
    let traced = behaviour(work.command(&home, &RECORD), "");
    assert_eq!(lines(&traced), lines(&plain));
    assert!(plain.status == 0 && plain.stdout.len() > 10_000, "{plain:?}");
    let report = home.report();
    assert!(report["threads"].as_array().unwrap().len() > 1, "{}", report["threads"]);
    assert_counts(&report, 500_000, work.count_by_heaptrack(&home));
}

const REQUESTS: usize = 250_000;

fn nginx_configuration(home: &Home) -> String {
    let path = |name: &str| home.path(name).to_str().unwrap().to_owned();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders = kinds.map(|kind| format!("{kind}_temp_path {};", path(kind))).join(" ");
    format!(
        "daemon off; master_process off; error_log {}; pid {};
         events {{ worker_connections 64; }}
         http {{ access_log off; keepalive_requests 10000000; {folders}
           server {{ listen unix:{}; location / {{ return 200 \"hello $arg_n\\n\"; }} }} }}",
        path("error.log"),
        path("nginx.pid"),
        path("nginx.sock"),
    )
}

/// Sends requests by fifties and reads the answers.
fn load(socket: &Path) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut answers = vec![0; 1 << 16];
    for first in (0..REQUESTS).step_by(50) {
        let requests = (first..first + 50)
            .map(|number| format!("GET /?n={number} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .collect::<String>();
        stream.write_all(requests.as_bytes()).unwrap();
        let mut text = String::new();
        while text.matches("\r\n\r\nhello ").count() < 50 || !text.ends_with('\n') {
            let count = stream.read(&mut answers).unwrap();
            assert!(count > 0, "nginx closed the connection");
            text.push_str(std::str::from_utf8(&answers[..count]).unwrap());
        }
        assert!(text.ends_with(&format!("hello {}\n", first + 49)), "{text}");
    }
}

/// What others see of a process: its descriptors without their numbers, and its signals.
fn face(pid: &str) -> (Vec<String>, Vec<String>) {
    let kind = |link: PathBuf| link.to_string_lossy().split(['[', '(']).next().unwrap().to_owned();
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let mut open: Vec<String> =
        entries.filter_map(|one| fs::read_link(one.path()).ok()).map(kind).collect();
    open.sort();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let signals = status.lines().filter(|line| line.starts_with("Sig")).map(str::to_owned);
    (open, signals.filter(|line| !line.starts_with("SigQ")).collect())
}

/// That of a server with one socket to listen at, once it has noticed that its clients left.
pub fn face_without_clients(pid: &str) -> (Vec<String>, Vec<String>) {
    end_to_end::wait_for("the server has noticed that its clients left", || {
        let face = face(pid);
        let is_socket = |one: &&String| one.starts_with("socket");
        (face.0.iter().filter(is_socket).count() == 1).then_some(face)
    })
}

#[test]
fn nginx_under_load() {
    let home = Home::new();
    let nginx = need("nginx", "nginx-light");
    fs::write(home.path("nginx.conf"), nginx_configuration(&home)).unwrap();
    let serve = |before: &[&str]| {
        let (socket, number) = (home.path("nginx.sock"), home.path("nginx.pid"));
        for left in [&socket, &number] {
            let _ = fs::remove_file(left);
        }
        let arguments =
            ["-p", home.path("").to_str().unwrap(), "-c", "nginx.conf"].map(str::to_owned);
        let work = Work::new(nginx.clone(), &arguments.each_ref().map(String::as_str));
        let mut command = work.command(&home, before);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = end_to_end::wait_for("nginx listens", || {
            let pid = home.read("nginx.pid").filter(|pid| pid.ends_with('\n'))?;
            UnixStream::connect(&socket).ok().map(|_| pid.trim().to_owned())
        });
        load(&socket);
        let face = face_without_clients(&pid);
        signal(pid.parse().unwrap(), libc::SIGQUIT);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (face, text(&output.stdout) + &text(&output.stderr))
    };
    let (plain, _) = serve(&[]);
    let (traced, said) = serve(&RECORD);
    assert_eq!((traced, said.as_str()), (plain, ""));
    let report = home.report();
    let heaptrack = need("heaptrack", "heaptrack");
    let (_, said) = serve(&[heaptrack.to_str().unwrap(), "-o", "heaptrack"]);
    assert_counts(&report, 500_000, heaptracks_count(&said));
}
