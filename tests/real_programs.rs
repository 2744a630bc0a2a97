//! Programs that people use, under memtop: they behave as without it, and as many allocations
//! are counted as heaptrack counts. What is not installed is a failure that says what to install.

#[path = "real_programs/allocators.rs"]
mod allocators;
mod end_to_end;
#[path = "real_programs/memcached.rs"]
mod memcached;
#[path = "real_programs/others.rs"]
mod others;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use end_to_end::{
    Behaviour, Home, behaviour, figures::figure, programs::Steps, pty::Terminal, signal, text,
    wait_until,
};
use serde_json::Value;

/// The path of a program that must be there.
fn need(program: &str, package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_program = |file: &PathBuf| {
        file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let found = env::split_paths(&path).map(|folder| folder.join(program)).find(is_program);
    found.unwrap_or_else(|| panic!("{program} is missing: apt-get install {package}"))
}

/// The interpreter itself, where `python3` is a script that chooses one.
fn python() -> PathBuf {
    let output = Command::new(need("python3", "python3"))
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    PathBuf::from(text(&output.stdout).trim())
}

/// A program, its arguments, its surroundings and its input.
struct Work {
    program: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
    input: String,
}

impl Work {
    fn new(program: PathBuf, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { program, arguments, variables: Vec::new(), input: String::new() }
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn input(mut self, input: impl Into<String>) -> Self {
        self.input = input.into();
        self
    }

    /// `before` and the program behind it.
    fn command(&self, home: &Home, before: &[&str]) -> Command {
        let mut command = match before {
            [] => home.command(&self.program),
            [tool, options @ ..] => {
                let mut command = home.command(tool);
                command.args(options).arg(&self.program);
                command
            }
        };
        command.args(&self.arguments).envs(self.variables.iter().copied());
        command
    }

    /// Runs it without and with memtop, compares, and returns the report.
    fn same(&self, home: &Home) -> Value {
        let plain = behaviour(self.command(home, &[]), &self.input);
        self.same_as(home, &plain)
    }

    /// The same, where the program's words tell the time it took.
    fn same_but_for_time(&self, home: &Home) -> Value {
        let told = |mut found: Behaviour| {
            found.stdout.truncate(found.stdout.find("work_ns").expect("what it did"));
            found
        };
        let plain = told(behaviour(self.command(home, &[]), &self.input));
        assert_eq!(told(behaviour(self.command(home, &RECORD), &self.input)), plain);
        home.report()
    }

    fn same_as(&self, home: &Home, plain: &Behaviour) -> Value {
        let recorded = self.command(home, &RECORD);
        let recorded = behaviour(recorded, &self.input);
        assert_eq!(&recorded, plain, "{}", self.program.display());
        home.report()
    }

    /// How many calls to allocation functions heaptrack sees. Programs that fork hang under it now
    /// and then, its lock being held by a thread that the child has not.
    fn count_by_heaptrack(&self, home: &Home) -> u64 {
        let heaptrack = need("heaptrack", "heaptrack");
        let bounded = ["timeout", "-k", "5", "120", heaptrack.to_str().unwrap(), "-o", "heaptrack"];
        let tries = (0..3).map(|_| behaviour(self.command(home, &bounded), &self.input));
        let counted = tries.into_iter().find(|tried| !TIMED_OUT.contains(&tried.status));
        heaptracks_count(&counted.expect("heaptrack does not hang each time").stderr)
    }

    /// The same behaviour, at least so many allocations, and within one percent of heaptrack.
    fn check(&self, home: &Home, least: u64) {
        let report = self.same(home);
        assert!(report["target"]["exit"]["code"] == 0, "{}", report["target"]);
        assert_counts(&report, least, self.count_by_heaptrack(home));
    }
}

/// What `timeout` exits with when time is up, the second where it had to insist.
const TIMED_OUT: [i32; 2] = [124, 137];

const RECORD: [&str; 7] =
    [env!("CARGO_BIN_EXE_memtop"), "record", "--quiet", "--force", "-o", "recording.memtop", "--"];

/// The count in heaptrack's closing words.
fn heaptracks_count(said: &str) -> u64 {
    let line = said.lines().find_map(|line| line.trim().strip_prefix("allocations:"));
    let count = line.and_then(|count| count.trim().parse().ok());
    count.unwrap_or_else(|| panic!("heaptrack said {said}"))
}

fn assert_counts(report: &Value, least: u64, by_heaptrack: u64) {
    let counted = report["totals"]["allocations"].as_u64().unwrap();
    let name = &report["target"]["command"][0];
    let difference = counted as f64 / by_heaptrack as f64 - 1.0;
    println!(
        "{name}: {counted} allocations, {by_heaptrack} by heaptrack: {:+.3} %",
        100.0 * difference
    );
    assert!(counted >= least, "{name}: {counted} allocations, fewer than {least}");
    assert!(difference.abs() <= 0.01, "{name}: {counted}, and {by_heaptrack} by heaptrack");
    assert_eq!(report["exactness"]["lost_records"], 0, "{name}");
    assert_consistent(report);
}

/// What must hold for any report: the classes add up to the totals, and the sums agree.
fn assert_consistent(report: &Value) {
    let totals = |name: &str| report["totals"][name].as_u64().unwrap();
    let classes = report["size_classes"].as_array().unwrap();
    let sum = |name: &str| classes.iter().map(|one| one[name].as_u64().unwrap()).sum::<u64>();
    for name in ["current_bytes", "current_blocks", "allocations", "allocated_bytes"] {
        assert_eq!(sum(name), totals(name), "{name}");
    }
    assert_eq!(totals("allocations") - totals("frees"), totals("current_blocks"));
    assert_eq!(totals("allocated_bytes") - totals("freed_bytes"), totals("current_bytes"));
    assert!(totals("peak_bytes") >= totals("current_bytes"));
}

#[test]
fn sqlite_with_half_a_million_rows() {
    let home = Home::new();
    let statements = "create table t (a integer primary key, b text, c real);\n\
        with recursive n(x) as (select 1 union all select x + 1 from n where x < 500000)\n\
        insert into t select x, hex(x * 7919) || printf('%0*d', 1500, x), x / 7.0 from n;\n\
        create index i on t (substr(b, 1, 12));\n\
        select count(*), sum(length(b)), round(avg(c), 3) from t;\n\
        select group_concat(substr(b, 1, 4)) from t where a % 50000 = 0;\n";
    let work = Work::new(need("sqlite3", "sqlite3"), &[":memory:"]).input(statements);
    work.check(&home, 500_000);
}

const JSON: &str = r#"
import json, os
def rows(n):
    return [{"id": i, "user": f"user{i % 5000}", "ms": i * 0.37,
             "tags": [f"tag{t}" for t in range(i % 6)],
             "where": {"host": f"h{i % 40}", "ok": i % 10 > 0}} for i in range(n)]
check = 0
for round in range(3):
    back = json.loads(json.dumps(rows(10_000)))
    lines = [json.dumps(row) for row in back]
    check += sum(len(json.loads(line)["tags"]) for line in lines)
print(check, sorted(os.listdir("/proc/self/fd")),
      [line for line in open("/proc/self/status") if line[:6] in ("SigBlk", "SigIgn", "SigCgt")])
"#;

#[test]
fn python_with_json() {
    let home = Home::new();
    let work = Work::new(python(), &["-c", JSON])
        .variable("PYTHONMALLOC", "malloc")
        // A report of its many thousand sites, whole, is hundreds of megabytes of JSON.
        .variable("MEMTOP_NO_STACKS", "1")
        .variable("PYTHONHASHSEED", "0");
    work.check(&home, 500_000);
    // With the allocator that Python has by default: fewer calls, the same behaviour.
    let plain = Work::new(python(), &["-c", JSON]).variable("PYTHONHASHSEED", "0");
    plain.check(&home, 1000);
}

/// A list is built before tracing starts, and then negated: what the person reads.
#[test]
fn a_python_list_that_is_negated_after_a_late_start_has_not_grown() {
    let home = Home::new();
    let steps = Steps::new(&home);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/late_start.py");
    let mut command = home.memtop(["run", "--start", "paused", "--"]);
    command.arg(python()).arg(script).args([home.path("gate"), home.path("said")]);
    command.env("PYTHONMALLOC", "malloc");
    let mut terminal = Terminal::start((200, 50), command);
    steps.wait_for("built");
    terminal.wait_for("○ not tracing yet");
    terminal.press("p");
    terminal.wait_for("● tracing since 0:");
    steps.go();
    steps.wait_for("replaced");
    let rows = terminal.wait_until("a million integers", |rows| {
        let blocks = end_to_end::figures::try_figure(rows, "live blocks").unwrap_or_default();
        blocks.replace(',', "").parse::<u64>().is_ok_and(|blocks| blocks >= 999_990)
    });
    // 999,995 integers of 32 bytes: 6 of them are shared ones, and the loop's index is new.
    let live = figure(&rows, " live ");
    assert_eq!(live, "30.5 MiB", "{}", rows.join("\n"));
    assert_eq!(figure(&rows, "before-start freed"), "38.1 MiB");
    let net = figure(&rows, " net ");
    let kibibytes =
        net.strip_suffix(" KiB").and_then(|n| n.trim_start_matches(['+', '−']).parse().ok());
    assert!(net.ends_with(" B") || kibibytes.is_some_and(|net: f64| net < 64.0), "net {net}");
    let sentence = rows.iter().find(|row| row.contains("Traced")).unwrap();
    println!("{}", sentence.trim());
    let said = "Traced +38.1 MiB, but 38.1 MiB from before the start were freed: the program holds \
                about as much as at 0:0";
    assert!(sentence.contains(said), "{sentence}");
    steps.go();
    terminal.wait_for("exit 0");
    terminal.press("q");
    assert_eq!(terminal.wait().code(), Some(0));
}

/// A C file with so many functions, each a little different.
fn source(functions: usize) -> String {
    let mut text = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    for n in 0..functions {
        text += &format!(
            "struct s{n} {{ int a[{}]; char *b; struct s{n} *next; }};\n\
             static int f{n}(struct s{n} *s, int x) {{\n\
             \x20   int sum = 0;\n\
             \x20   for (int i = 0; i < {}; i++) sum += s->a[i] * x + (x >> {}) - i % {};\n\
             \x20   switch (x & 7) {{ case 1: sum ^= {n}; break; case 3: return strlen(s->b); }}\n\
             \x20   return s->next ? f{n}(s->next, sum) : sum;\n}}\n\
             int g{n}(void *p) {{ return f{n}(p, {n}); }}\n",
            n % 7 + 2,
            n % 7 + 2,
            n % 13,
            n % 5 + 2,
        );
    }
    text + "int main(void) { return 0; }\n"
}

#[test]
fn gcc_on_a_large_file() {
    let home = Home::new();
    let gcc = need("gcc", "gcc");
    fs::write(home.path("large.c"), source(1500)).unwrap();
    let driver =
        Work::new(gcc.clone(), &["-Wall", "-Wextra", "-O1", "-c", "large.c", "-o", "large.o"]);
    let plain = behaviour(driver.command(&home, &[]), "");
    let object = fs::read(home.path("large.o")).unwrap();
    let report = driver.same_as(&home, &plain);
    assert!(fs::read(home.path("large.o")).unwrap() == object, "the object file differs");
    let processes = report["processes"].as_array().unwrap();
    let program = |one: &Value| one["target"]["command"][0].as_str().unwrap().to_owned();
    for name in ["/cc1", "as"] {
        assert!(processes.iter().any(|one| program(one).ends_with(name)), "{name} ran");
    }
    // Heaptrack follows no child: the compiler proper by itself.
    let found = Command::new(&gcc).arg("-print-prog-name=cc1").output().unwrap();
    let compiler = PathBuf::from(text(&found.stdout).trim());
    let mut preprocess = home.command(&gcc);
    assert!(preprocess.args(["-E", "large.c", "-o", "large.i"]).status().unwrap().success());
    let arguments = ["-quiet", "-fpreprocessed", "-O1", "large.i", "-o", "large.s"];
    Work::new(compiler, &arguments).check(&home, 500_000);
}

#[test]
fn bash_with_pipelines() {
    let home = Home::new();
    let script = r#"
        seq 1 20000 | sort -r | sed 's/7/seven/' | grep -c seven
        for name in $(seq 1 300); do echo "$name" | tr 0-9 a-j; done | sort | uniq -c | wc -l
        declare -A seen
        for ((i = 0; i < 30000; i++)); do seen["key $((i % 1000))"]+="x$i"; done
        echo "${#seen[@]} ${seen[key 7]:0:40}"
        cat <(echo one) <(echo two); echo words >&2; (exit 4) | cat; echo "${PIPESTATUS[@]}"
        open=(/proc/$$/fd/*); echo "${open[@]##*/}"; trap; ulimit -a; umask
        (exec grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status); grep '^Sig[BIC]' /proc/$$/status
    "#;
    let work = Work::new(need("bash", "bash"), &["-c", script]);
    work.check(&home, 500_000);
    let report = home.report();
    let processes = report["processes"].as_array().unwrap();
    assert!(processes.len() > 600, "{} processes", processes.len());
    for process in processes {
        assert_consistent(process);
    }
}

#[test]
fn perl_with_hashes() {
    let home = Home::new();
    let script = "my %h; $h{\"key $_\"} = [$_, \"value $_\"] for 1..150000; my $n = 0; \
                  for (sort keys %h) { $n += length $h{$_}[1]; delete $h{$_} if $n % 3 } \
                  print scalar(keys %h), \" $n\\n\"; opendir my $d, '/proc/self/fd'; \
                  open my $s, '<', '/proc/self/status'; \
                  print join(' ', sort readdir $d), grep { /^Sig(Blk|Ign|Cgt)/ } <$s>; exit 0";
    let work = Work::new(need("perl", "perl"), &["-e", script]).variable("PERL_HASH_SEED", "0");
    work.check(&home, 500_000);
}

#[test]
fn git_with_a_history() {
    let home = Home::new();
    let git = need("git", "git");
    let script = "git init -q . && for i in $(seq 1 40); do seq $i $((i * 50)) > file$((i % 9)); \
                  git add . && git commit -qm \"number $i\"; done; git log --stat --format='%H %s'; \
                  git gc -q; git fsck";
    let work = |folder: &str| {
        let script = format!("mkdir {folder} && cd {folder} && {script}");
        Work::new(PathBuf::from("/bin/sh"), &["-c", &script])
            .variable("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z")
            .variable("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z")
            .variable("GIT_CONFIG_NOSYSTEM", "1")
            .variable("GIT_AUTHOR_NAME", "A")
            .variable("GIT_AUTHOR_EMAIL", "a@b")
            .variable("GIT_COMMITTER_NAME", "A")
            .variable("GIT_COMMITTER_EMAIL", "a@b")
    };
    let plain = behaviour(work("plain").command(&home, &[]), "");
    assert!(plain.status == 0 && plain.stdout.len() > 1000, "{plain:?}");
    let report = work("traced").same_as(&home, &plain);
    assert!(report["processes"].as_array().unwrap().len() >= 80);
    // One command by itself, over a long history.
    let run = |arguments: &[&str], input: &str| {
        let done = behaviour(Work::new(git.clone(), arguments).command(&home, &[]), input);
        assert_eq!(done.status, 0, "{done:?}");
    };
    run(&["init", "-q", "long"], "");
    run(&["-C", "long", "fast-import", "--quiet"], &history(6000));
    let arguments = ["-C", "long", "log", "-p", "--stat", "--format=fuller", "main"];
    Work::new(git, &arguments).check(&home, 500_000);
}

/// So many commits, as `git fast-import` reads them: each replaces one of nine files.
fn history(commits: u64) -> String {
    let commit = |number: u64| {
        let lines =
            (0..number % 40 + 5).map(|line| format!("{} on line {line}\n", line * number % 97));
        let (text, words) = (lines.collect::<String>(), format!("number {number}"));
        format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata {}\n{words}\n\
             M 100644 inline file{}\ndata {}\n{text}\n",
            1_700_000_000 + number,
            words.len(),
            number % 9,
            text.len(),
        )
    };
    (1..=commits).map(commit).collect()
}

/// Under the load of its own benchmark, too.
#[test]
fn redis_with_half_a_million_keys() {
    let home = Home::new();
    let benchmark = need("redis-benchmark", "redis-tools");
    let server = need("redis-server", "redis-server");
    let client = need("redis-cli", "redis-tools");
    let serve = |before: &[&str]| {
        let socket = home.path("redis.sock");
        let _ = fs::remove_file(&socket);
        let socket = socket.to_str().unwrap().to_owned();
        let arguments =
            ["--port", "0", "--unixsocket", &socket, "--save", "", "--appendonly", "no"];
        let more = ["--enable-debug-command", "yes", "--logfile", "redis.log"];
        let work = Work::new(server.clone(), &[&arguments[..], &more[..]].concat());
        let mut command = work.command(&home, before);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let ask = |words: &[&str]| {
            let output = Command::new(&client).args(["-s", &socket]).args(words).output().unwrap();
            text(&output.stdout).trim().to_owned()
        };
        wait_until("redis answers", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("redis ended: {status}, {}", home.read("redis.log").unwrap_or_default());
            }
            ask(&["ping"]) == "PONG"
        });
        assert_eq!(ask(&["debug", "populate", "500000", "key", "100"]), "OK");
        assert_eq!(ask(&["dbsize"]), "500000");
        assert_eq!(ask(&["get", "key:7"]).len(), 100);
        let load = ["-q", "-n", "50000", "-c", "20", "-t", "set,get,lpush,lrange_100,mset"];
        let done = Command::new(&benchmark).args(["-s", &socket]).args(load).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
        let about = ask(&["info", "server"]);
        let pid = about.lines().find_map(|line| line.strip_prefix("process_id:")).expect(&about);
        let face = others::face_without_clients(pid.trim());
        ask(&["shutdown", "nosave"]);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (face, text(&output.stderr))
    };
    let plain = serve(&[]);
    assert_eq!(serve(&RECORD), plain, "descriptors, signals and words");
    let report = home.report();
    let heaptrack = need("heaptrack", "heaptrack");
    let (_, said) = serve(&[heaptrack.to_str().unwrap(), "-o", "heaptrack"]);
    let by_heaptrack = heaptracks_count(&said);
    assert_counts(&report, 500_000, by_heaptrack);
    assert!(report["totals"]["peak_bytes"].as_u64().unwrap() > 500_000 * 100);
}

/// A server that is killed: what it held is in the report, with the signal.
#[test]
fn a_killed_server_leaves_its_figures() {
    let home = Home::new();
    let script = "my @held = map { 'x' x 1000 } 1..50000; syswrite STDOUT, \"held\\n\"; sleep 60";
    let work = Work::new(need("perl", "perl"), &["-e", script]);
    let mut command = work.command(&home, &RECORD);
    let child = command.stdin(Stdio::null()).stdout(fs::File::create(home.path("out")).unwrap());
    let mut child = child.spawn().unwrap();
    wait_until("it holds its memory", || home.read("out").as_deref() == Some("held\n"));
    let is_program = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "perl")
    };
    let pid = home.processes().into_iter().find(is_program).expect("perl runs");
    signal(pid, libc::SIGKILL);
    assert_eq!(child.wait().unwrap().code(), Some(128 + libc::SIGKILL));
    let report = home.report();
    assert_eq!(report["target"]["exit"]["signal"], libc::SIGKILL);
    assert!(report["totals"]["current_bytes"].as_u64().unwrap() >= 50_000_000);
    assert_consistent(&report);
}
