//! What tracing makes of real programs: processor time under `memtop record`, stacks included,
//! as a multiple of the time untraced, and heaptrack's beside it.
//!
//!     cargo bench --bench programs            a quarter of an hour
//!     cargo bench --bench programs -- 3       fewer rounds, for a look
//!
//! The programs are those of the machine; one that is missing is named and left out. A round
//! runs every variant once; the time is that of all processes, memtop's and heaptrack's own
//! included. The table has the median of the rounds' ratios and the interval that holds it
//! with 95 % confidence. Nothing is asserted here: speed is for reading.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program and what it is to do; `{}` in the arguments is the folder of its input.
struct Workload {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    /// File that is its standard input; empty = none.
    stdin: &'static str,
}

const WORKLOADS: [Workload; 5] = [
    Workload { name: "sqlite3", program: "sqlite3", arguments: &[":memory:"], stdin: "rows.sql" },
    Workload {
        name: "jq",
        program: "jq",
        arguments: &["-c", "[.[] | {id, n: .name, t: (.tags | map(tonumber) | add)}] | length"],
        stdin: "list.json",
    },
    Workload {
        name: "cc1 (gcc -O1)",
        program: "gcc",
        arguments: &["-O1", "-c", "-o", "/dev/null", "{}/large.c"],
        stdin: "",
    },
    Workload { name: "perl", program: "perl", arguments: &["-e", PERL], stdin: "" },
    Workload {
        name: "python3 (malloc)",
        program: "python3",
        arguments: &["-c", PYTHON],
        stdin: "list.json",
    },
];

const PERL: &str = r#"my %h; for my $i (1..300000) { my $k = "key" . ($i % 5000);
push @{$h{$k}}, {id => $i, s => "x" x ($i % 50)};
if (@{$h{$k}} > 20) { shift @{$h{$k}} for 1..10 } } print scalar(keys %h)"#;

const PYTHON: &str = "import json, sys
d = json.load(sys.stdin)
print(sum(len(json.dumps(r)) for r in d))
x = [{str(j): [j] * 3 for j in range(20)} for i in range(20000)]
print(len(x))";

const VARIANTS: [&str; 3] = ["memtop --no-stacks", "memtop", "heaptrack"];

fn main() {
    // `cargo test --benches` runs benchmarks too, to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("run by cargo bench");
    }
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let rounds: usize = rounds.unwrap_or(15).max(1);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("programs");
    fs::create_dir_all(&folder).expect("a folder for the inputs");
    write_inputs(&folder).expect("the inputs are written");
    println!("Processor time as a multiple of untraced: median of {rounds} rounds [95 %].\n");
    println!("| program | untraced | {} |\n|---|---|---|---|---|", VARIANTS.join(" | "));
    let medians: Vec<[f64; 3]> =
        WORKLOADS.iter().filter_map(|workload| measure(workload, &folder, rounds)).collect();
    let mean = |variant: usize| {
        let logs: f64 = medians.iter().map(|row| row[variant].ln()).sum();
        format!("×{:.2}", (logs / medians.len() as f64).exp())
    };
    println!("| geometric mean | | {} | {} | {} |", mean(0), mean(1), mean(2));
}

/// Prints the row of a program, and returns its medians.
fn measure(workload: &Workload, folder: &Path, rounds: usize) -> Option<[f64; 3]> {
    if Command::new(workload.program).arg("--version").output().is_err() {
        println!("| {} | not installed | | | |", workload.name);
        return None;
    }
    let mut ratios = [const { Vec::new() }; 3];
    let mut plain = Vec::new();
    for round in 0..rounds {
        let before = run(workload, folder, None);
        let order = [0, 1, 2].map(|step| (step + round) % 3);
        let times = order.map(|variant| run(workload, folder, Some(VARIANTS[variant])));
        // Untraced once more, so that a drift of the machine falls on both sides alike.
        let base = (before + run(workload, folder, None)) / 2.0;
        plain.push(base);
        for (variant, time) in order.into_iter().zip(times) {
            ratios[variant].push(time / base);
        }
    }
    let [base, _, _] = ranks(plain);
    let rows = ratios.map(ranks);
    let cells = rows.map(|[median, low, high]| format!("×{median:.2} [{low:.2}, {high:.2}]"));
    println!("| {} | {base:.2} s | {} |", workload.name, cells.join(" | "));
    Some(rows.map(|[median, _, _]| median))
}

/// Seconds of processor time of all processes of one run.
fn run(workload: &Workload, folder: &Path, variant: Option<&str>) -> f64 {
    let input = folder.display().to_string();
    let arguments = workload.arguments.iter().map(|argument| argument.replace("{}", &input));
    let record = folder.join("record");
    let mut command = match variant {
        None => Command::new(workload.program),
        Some("heaptrack") => {
            let mut command = Command::new("heaptrack");
            command.arg("-r").arg("-o").arg(&record).arg(workload.program);
            command
        }
        Some(variant) => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_memtop"));
            command.args(["record", "--quiet", "--force", "-o"]).arg(&record);
            command.args(variant.split(' ').skip(1)).arg("--").arg(workload.program);
            command
        }
    };
    let stdin = match workload.stdin {
        "" => Stdio::null(),
        name => File::open(folder.join(name)).expect("the input is there").into(),
    };
    command.args(arguments).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("PYTHONMALLOC", "malloc");
    let before = children_cpu_s();
    let status = command.status();
    assert!(status.is_ok_and(|status| status.success()), "{} {variant:?}", workload.name);
    children_cpu_s() - before
}

fn children_cpu_s() -> f64 {
    // SAFETY: `rusage` is plain data for getrusage to fill.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a place for the answer.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Median, and the ranks around it that hold it with 95 % confidence.
fn ranks(mut sample: Vec<f64>) -> [f64; 3] {
    sample.sort_by(f64::total_cmp);
    let count = sample.len() as f64;
    let half = 0.98 * count.sqrt();
    let at = |rank: f64| sample[(rank.max(0.0) as usize).min(sample.len() - 1)];
    [at((count - 1.0) / 2.0), at((count / 2.0 - half).floor()), at((count / 2.0 + half).ceil())]
}

fn write_inputs(folder: &Path) -> std::io::Result<()> {
    fs::write(folder.join("rows.sql"), rows_of_sql())?;
    fs::write(folder.join("list.json"), list_of_json())?;
    fs::write(folder.join("large.c"), large_program())
}

fn rows_of_sql() -> String {
    let mut sql = "create table t(a integer primary key, b text, c real); begin;\n".to_owned();
    for row in 0..150_000 {
        let _ = writeln!(sql, "insert into t values({row}, 'text number {row}', {row}.5);");
    }
    sql + "commit; create index i on t(b); select count(*), sum(c) from t where b like '%9%';
select b, count(*) from t group by substr(b, 1, 14) order by 2 limit 5;\n"
}

fn list_of_json() -> String {
    let one = |id: u32| {
        let tag = |at: u32| {
            format!("\"0.{}\"", id.wrapping_mul(2_654_435_761).rotate_left(at) % 1_000_000)
        };
        let tags: Vec<String> = (0..5).map(tag).collect();
        format!(r#"{{"id":{id},"name":"n{id}","tags":[{}],"v":{{"x":{id}.5}}}}"#, tags.join(","))
    };
    let all: Vec<String> = (0..40_000).map(one).collect();
    format!("[{}]", all.join(",\n"))
}

fn large_program() -> String {
    let mut code = String::new();
    for at in 0..2500 {
        let _ = writeln!(
            code,
            "int f{at}(int a, int b) {{ int s = 0; for (int i = 0; i < a; i++) \
             {{ s += b * i ^ {at}; if (s > {}) s -= i; }} return s + (a > b ? a * {at} : b); }}",
            at * 3
        );
    }
    code
}
