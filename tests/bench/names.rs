//! How soon names are there in a program with 500 MB of debug information.
//!
//!     cargo bench --bench names                a program is made first, which takes minutes
//!     cargo bench --bench names -- PROGRAM     of a program that is there
//!
//! The program is one C file of a thousand functions with inlined calls, compiled once and
//! linked in many copies under other names. The times are those of the dashboard's way: what
//! is on the screen is asked for first, then everything.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use memtop::{
    model::{Location, LocationId, Module, ModuleId, Names, Sites},
    symbols::{Search, Service},
};
use object::{Object, ObjectSection, ObjectSymbol};

/// Functions of one copy, and copies: together 500 MB of debug information.
const FUNCTIONS: usize = 1000;
const COPIES: usize = 600;

/// Locations on a screen, and in all.
const SCREEN: usize = 50;
const ALL: usize = 20_000;

fn main() {
    // `cargo test --benches` runs benchmarks too, to see that they start.
    if !std::env::args().any(|argument| argument == "--bench") {
        return println!("run by cargo bench");
    }
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let program = given.map_or_else(make_program, PathBuf::from);
    let sites = sites(&program);
    println!("{}: {} of debug information", program.display(), megabytes(debug_bytes(&program)));
    println!("resident before: {}", megabytes(resident()));
    for run in ["first time", "once more"] {
        println!("{run}:");
        measure(&sites);
    }
}

fn measure(sites: &Sites) {
    let start = Instant::now();
    let mut service = Service::start().expect("a thread");
    service.begin(Search::default());
    service.want(sites, (0..SCREEN).map(|at| LocationId(at as u32)));
    let mut names = Names::default();
    let (mut first, mut lines) = (None, None);
    while lines.is_none() || names.iter().count() < sites.locations.len() || service.waiting() > 0 {
        for (location, functions) in service.answers() {
            names.insert(location, functions);
        }
        let on_screen = || (0..SCREEN).filter_map(|at| names.get(LocationId(at as u32)));
        if first.is_none() && on_screen().count() == SCREEN {
            first = Some(start.elapsed());
        }
        if lines.is_none() && on_screen().filter(|names| names[0].line.is_some()).count() == SCREEN
        {
            lines = Some(start.elapsed());
        }
        service.want_rest(sites);
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("  a screen of names: {:?}", first.unwrap_or_default());
    println!("  with their lines:  {:?}", lines.unwrap_or_default());
    println!(
        "  all {}: {:?}, {} resident",
        sites.locations.len(),
        start.elapsed(),
        megabytes(resident())
    );
}

/// Places all over the program's functions.
fn sites(program: &Path) -> Sites {
    let bytes = fs::read(program).expect("the program");
    let file = object::File::parse(bytes.as_slice()).expect("an ELF file");
    let functions = file
        .symbols()
        .filter(|symbol| symbol.size() > 16 && symbol.kind() == object::SymbolKind::Text);
    let mut starts: Vec<u64> = functions.map(|symbol| symbol.address()).collect();
    // Far apart from one another, as the sites of a program are.
    starts.sort_by_key(|start| start.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    starts.truncate(ALL);
    let location = |start: u64| Location { module: Some(ModuleId(0)), address: start + 16 };
    let build_id = file.build_id().ok().flatten().unwrap_or_default().to_vec();
    Sites {
        modules: vec![Module { path: program.to_str().expect("UTF-8").into(), build_id }],
        locations: starts.into_iter().map(location).collect(),
        ..Sites::default()
    }
}

fn debug_bytes(program: &Path) -> u64 {
    let bytes = fs::read(program).expect("the program");
    let file = object::File::parse(bytes.as_slice()).expect("an ELF file");
    let debug =
        file.sections().filter(|one| one.name().is_ok_and(|name| name.starts_with(".debug")));
    debug.map(|section| section.size()).sum()
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}");
}

fn make_program() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("names");
    let program = folder.join(format!("program-{COPIES}"));
    if program.exists() {
        return program;
    }
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("unit.c"), unit()).expect("a file");
    fs::write(folder.join("main.c"), "int main(void) { return 0; }\n").expect("a file");
    let compile = |name: &str| {
        run(Command::new("cc").current_dir(&folder).args(["-g", "-O1", "-c", name]));
    };
    compile("unit.c");
    compile("main.c");
    let mut objects = vec!["main.o".to_owned()];
    for copy in 0..COPIES {
        let (prefix, object) = (format!("--prefix-symbols=copy{copy}_"), format!("copy{copy}.o"));
        let mut tool = Command::new("objcopy");
        run(tool.current_dir(&folder).args([&prefix, "unit.o", &object]));
        objects.push(object);
    }
    run(Command::new("cc").current_dir(&folder).arg("-o").arg(&program).args(&objects));
    objects.iter().for_each(|object| _ = fs::remove_file(folder.join(object)));
    program
}

/// A C file with types, inlined calls and functions, and nothing that it needs from elsewhere.
fn unit() -> String {
    let mut text = String::from(
        "#include <stddef.h>\n__attribute__((noinline)) void *make(size_t size) { return (void *)size; }\n",
    );
    for at in 0..FUNCTIONS {
        let (before, count) = (at.saturating_sub(1), at % 7 + 1);
        write!(
            text,
            "struct s{at} {{ int count_{at}; char *name_of_member_{at}; struct s{before} *previous_{at}; double values_{at}[{count}]; }};\n\
             static inline __attribute__((always_inline)) void *make_{at}(size_t count_{at}) {{\n\
             struct s{at} *made_{at} = make(count_{at} * sizeof *made_{at});\n\
             if (made_{at}) made_{at}->count_{at} = (int)count_{at};\n\
             return made_{at};\n}}\n\
             __attribute__((noinline)) void *build_{at}(int kind_{at}, struct s{at} *other_{at}) {{\n\
             void *first_{at} = make_{at}((size_t)kind_{at} + 1);\n\
             void *second_{at} = make_{at}((size_t)kind_{at} + 2);\n\
             if (other_{at} && other_{at}->previous_{at}) return make_{at}(3);\n\
             return kind_{at} ? first_{at} : second_{at};\n}}\n"
        )
        .expect("strings grow");
    }
    text
}
