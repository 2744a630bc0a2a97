//! Names of addresses, in programs made by the compilers of this machine.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use memtop::{
    model::{Function, Location, LocationId, Module, ModuleId, Names, Sites},
    symbols::{NamesFrom, Resolver, Search, Service},
};
use object::Object;
use proptest::prelude::*;

/// A folder for one test alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("symbols").join(name);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Builds a C program with debug information.
fn build(folder: &Path, name: &str, options: &[&str]) -> PathBuf {
    let program = folder.join(name.replace('.', "-"));
    let mut compiler = Command::new("cc");
    run(compiler
        .args(["-g", "-O2", "-pthread"])
        .args(options)
        .arg("-o")
        .args([&program, &source(name)])
        .arg("-lm"));
    program
}

fn tool(program: &str, arguments: &[&str], paths: &[&Path]) -> String {
    run(Command::new(program).args(arguments).args(paths))
}

fn build_id(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let file = object::File::parse(bytes.as_slice()).unwrap();
    file.build_id().unwrap().unwrap_or_default().to_vec()
}

fn module(path: &Path) -> Module {
    Module { path: path.to_str().unwrap().into(), build_id: build_id(path) }
}

/// The return addresses that `names.c` prints of its own stack.
fn printed(program: &Path) -> Vec<u64> {
    let said = run(&mut Command::new(program));
    said.lines().map(|line| u64::from_str_radix(line, 16).unwrap()).collect()
}

/// Name and line of each function of a stack.
fn lines(stacks: &[Vec<Function>]) -> Vec<(String, Option<u32>)> {
    stacks.iter().flatten().map(|function| (function.name.to_string(), function.line)).collect()
}

/// What the comments in `names.c` say.
fn commented() -> Vec<(String, Option<u32>)> {
    let text = fs::read_to_string(source("names.c")).unwrap();
    let frame = |(at, line): (usize, &str)| {
        let (_, name) = line.split_once("/* frame ")?.1.split_once(' ')?;
        Some((name.strip_suffix(" */")?.to_owned(), Some(at as u32 + 1)))
    };
    text.lines().enumerate().filter_map(frame).collect()
}

fn names_of(resolver: &mut Resolver, program: &Path) -> Vec<(String, Option<u32>)> {
    let module = module(program);
    lines(&resolver.resolve_many(&module, &printed(program)))
}

#[test]
fn inlined_calls_have_their_lines() {
    let folder = folder("inlined");
    assert_eq!(commented().len(), 5);
    for options in [&[][..], &["-gdwarf-4"], &["-gz"], &["-flto"], &["-static"], &["-no-pie"]] {
        let program = build(&folder, "names.c", options);
        assert_eq!(names_of(&mut Resolver::default(), &program), commented(), "{options:?}");
    }
}

#[test]
fn the_source_file_is_named_as_the_compiler_noted_it() {
    let program = build(&folder("file"), "names.c", &[]);
    let found = Resolver::default().resolve(&module(&program), printed(&program)[0]);
    assert_eq!(found[0].file.as_deref(), source("names.c").to_str());
}

#[test]
fn symbols_name_what_has_no_debug_information() {
    let program = build(&folder("stripped"), "names.c", &[]);
    tool("strip", &["--strip-debug"], &[&program]);
    let mut resolver = Resolver::default();
    let names = names_of(&mut resolver, &program);
    let expected = ["inner", "outer", "main"].map(|name| (name.to_owned(), None));
    assert_eq!(names, expected);
    let from: Vec<NamesFrom> = resolver.names_from().map(|(_, from)| from).collect();
    assert_eq!(from, [NamesFrom::Symbols(program.clone())]);
    let addresses = printed(&program);
    tool("strip", &[], &[&program]);
    let found = Resolver::default().resolve_many(&module(&program), &addresses);
    assert!(found.iter().flatten().all(|function| *function == Function::default()), "{found:?}");
}

#[test]
fn dynamic_symbols_are_better_than_none() {
    let program = build(&folder("dynamic"), "names.c", &["-rdynamic"]);
    let addresses = printed(&program);
    tool("strip", &[], &[&program]);
    let found = lines(&Resolver::default().resolve_many(&module(&program), &addresses));
    // `inner` is local to the file and has no dynamic symbol.
    assert_eq!(found[1..], ["outer", "main"].map(|name| (name.to_owned(), None)));
}

#[test]
fn another_build_names_nothing() {
    let folder = folder("another");
    let program = build(&folder, "names.c", &[]);
    let addresses = printed(&program);
    let had = Module { build_id: vec![7; 20], ..module(&program) };
    let mut resolver = Resolver::default();
    let found = resolver.resolve_many(&had, &addresses);
    assert_eq!(found, vec![vec![Function::default()]; 3]);
    let troubles: Vec<String> = resolver.troubles().map(|trouble| trouble.to_string()).collect();
    assert_eq!(troubles.len(), 1);
    assert!(troubles[0].contains("another build than the process had"), "{troubles:?}");
}

#[test]
fn a_debug_file_is_found_by_build_id() {
    let folder = folder("by-build-id");
    let program = build(&folder, "names.c", &[]);
    let id: String = build_id(&program).iter().map(|byte| format!("{byte:02x}")).collect();
    let debug = folder.join(format!("debug/.build-id/{}/{}.debug", &id[..2], &id[2..]));
    fs::create_dir_all(debug.parent().unwrap()).unwrap();
    tool("objcopy", &["--only-keep-debug"], &[&program, &debug]);
    tool("strip", &[], &[&program]);
    let search = Search::default().with_debug_folder(folder.join("debug"));
    let mut resolver = Resolver::new(search);
    assert_eq!(names_of(&mut resolver, &program), commented());
    assert_eq!(resolver.names_from().next().unwrap().1, NamesFrom::DebugInfo(debug));
}

#[test]
fn a_debug_file_is_found_by_its_link() {
    for (name, options) in [("link", &[][..]), ("link-by-crc", &["-Wl,--build-id=none"])] {
        let folder = folder(name);
        let program = build(&folder, "names.c", options);
        let debug = folder.join(".debug/names-c.debug");
        fs::create_dir_all(debug.parent().unwrap()).unwrap();
        tool("objcopy", &["--only-keep-debug"], &[&program, &debug]);
        let link = format!("--add-gnu-debuglink={}", debug.display());
        tool("objcopy", &["--strip-all", &link], &[&program]);
        assert_eq!(names_of(&mut Resolver::default(), &program), commented(), "{name}");
        // A file that only has the right name is not the right file.
        let other = build(&folder, "grow.c", options);
        tool("objcopy", &["--only-keep-debug"], &[&other, &debug]);
        let names = names_of(&mut Resolver::default(), &program);
        assert!(names.iter().all(|(name, line)| name.is_empty() && line.is_none()), "{names:?}");
    }
}

#[test]
fn a_program_that_was_removed_is_read_while_it_runs() {
    let program = build(&folder("removed"), "names.c", &[]);
    let (addresses, had) = (printed(&program), module(&program));
    let (input, output) = (Stdio::piped(), Stdio::piped());
    let mut child = Command::new(&program).arg("stay").stdin(input).stdout(output).spawn().unwrap();
    // Its first word says that it is past exec.
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    fs::remove_file(&program).unwrap();
    let mut resolver = Resolver::new(Search::of_process(child.id()));
    let found = lines(&resolver.resolve_many(&had, &addresses));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(found, commented());
}

/// Every return address in the functions that are `wanted` by their symbol, as disassembled.
fn return_addresses(program: &Path, wanted: fn(&str) -> bool) -> Vec<u64> {
    let text = tool("objdump", &["-d", "--no-show-raw-insn", "-j", ".text"], &[program]);
    let (mut found, mut after_call, mut counts) = (Vec::new(), false, false);
    for line in text.lines() {
        if let Some((_, name)) = line.split_once(" <").filter(|_| line.ends_with(">:")) {
            (counts, after_call) = (wanted(name), false);
        }
        let Some((address, instruction)) = line.trim_start().split_once(":\t") else { continue };
        if after_call && counts {
            found.push(u64::from_str_radix(address, 16).unwrap());
        }
        after_call = instruction.starts_with("call");
    }
    found
}

/// Not of the pieces that the compiler adds to each program.
fn in_source(symbol: &str) -> bool {
    const ADDED: [&str; 6] =
        ["_start", "_init", "__do_global", "deregister_tm", "register_tm", "frame_dummy"];
    !ADDED.iter().any(|prefix| symbol.starts_with(prefix))
}

/// Of the crate made from `late.rs`, and not of the standard library, whose own debug
/// information has gaps.
fn of_late(symbol: &str) -> bool {
    symbol.contains("4late")
}

/// Holds a program to: of 100 frames at least 99 have function, file and line.
fn assert_nearly_all_named(program: &Path, wanted: fn(&str) -> bool, at_least: usize) {
    let addresses = return_addresses(program, wanted);
    assert!(addresses.len() >= at_least, "{}: {} calls", program.display(), addresses.len());
    let found = Resolver::default().resolve_many(&module(program), &addresses);
    let whole = |function: &Function| {
        !function.name.is_empty() && function.file.is_some() && function.line.is_some()
    };
    let bad: Vec<_> = found.iter().flatten().filter(|function| !whole(function)).collect();
    let all = found.iter().flatten().count();
    let name = program.file_name().unwrap().display();
    println!("{name}: {} calls, {all} frames, {} not named in full", addresses.len(), bad.len());
    assert!(bad.len() * 100 <= all, "{name}: {} of {all}, as {:?}", bad.len(), bad.first());
}

#[test]
fn nearly_all_frames_of_c_programs_are_named() {
    let folder = folder("c");
    for name in
        ["churn.c", "deep.c", "fork_tree.c", "grow.c", "names.c", "signal_handler.c", "threads.c"]
    {
        assert_nearly_all_named(&build(&folder, name, &[]), in_source, 5);
    }
}

#[test]
fn nearly_all_frames_of_a_rust_program_are_named() {
    let folder = folder("rust");
    for options in [&["-Copt-level=2"][..], &["-Copt-level=0"], &["-Csymbol-mangling-version=v0"]] {
        let program = folder.join("late-rs");
        let mut compiler = Command::new("rustc");
        compiler.args(["--edition", "2024", "-g"]).args(options).arg("-o");
        run(compiler.args([&program, &source("late.rs")]));
        assert_nearly_all_named(&program, of_late, 20);
    }
}

/// All names of a program.
fn all_names(program: &Path) -> Vec<String> {
    let found =
        Resolver::default().resolve_many(&module(program), &return_addresses(program, |_| true));
    let mut names: Vec<String> = found.iter().flatten().map(|one| one.name.to_string()).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn rust_names_have_no_hashes() {
    let folder = folder("rust-names");
    for mangling in ["legacy", "v0"] {
        let program = folder.join(mangling);
        let mut compiler = Command::new("rustc");
        let mangling = format!("-Csymbol-mangling-version={mangling}");
        compiler.args(["--edition", "2024", "-g", "-Copt-level=1", "-Zunstable-options"]);
        compiler.env("RUSTC_BOOTSTRAP", "1").arg(mangling).arg("-o");
        run(compiler.args([&program, &source("late.rs")]));
        let names = all_names(&program);
        assert!(names.iter().any(|name| name == "late::main"), "{names:#?}");
        let mangled = |name: &&String| name.contains("17h") || name.starts_with("_R");
        assert_eq!(names.iter().find(mangled), None);
    }
}

#[test]
fn cpp_names_are_those_of_the_source() {
    // A C compiler is promised where the tests run, a C++ compiler is not.
    if Command::new("c++").arg("--version").output().is_err() {
        return println!("there is no c++");
    }
    for options in [&["-O0"][..], &["-O2"]] {
        let program = folder("cpp").join("names-cpp");
        let mut compiler = Command::new("c++");
        let compiler = compiler.args(["-g", "-std=c++17"]).args(options).arg("-o");
        run(compiler.args([&program, &source("names.cpp")]));
        assert_nearly_all_named(&program, in_source, 20);
        let names = all_names(&program);
        for name in ["main", "app::{anonymous}::make", "app::Store<app::{anonymous}::Item>::put"] {
            assert!(names.iter().any(|found| found == name), "{name} in {names:#?}");
        }
        let noise = |name: &&String| name.starts_with("_Z") || name.contains(", std::allocator<");
        assert_eq!(names.iter().find(noise), None);
    }
}

#[test]
fn a_garbled_file_does_no_harm() {
    let folder = folder("garbled");
    let program = build(&folder, "names.c", &[]);
    let good = fs::read(&program).unwrap();
    let addresses = printed(&program);
    let panics = count_panics();
    let mut cases = proptest::test_runner::TestRunner::deterministic();
    let damage =
        (0..good.len(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..40));
    let file = folder.join("garbled");
    let result = cases.run(&damage, |(length, changes)| {
        let mut bytes = good.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Half of the files are whole, so that the damage is met deep inside.
        if length % 2 == 0 {
            bytes.truncate(length);
        }
        _ = fs::remove_file(&file);
        fs::write(&file, &bytes).unwrap();
        let garbled = Module { path: file.to_str().unwrap().into(), build_id: Vec::new() };
        let found = Resolver::default().resolve_many(&garbled, &addresses);
        prop_assert_eq!(found.len(), addresses.len());
        prop_assert!(found.iter().all(|functions| !functions.is_empty()));
        Ok(())
    });
    result.unwrap();
    assert_eq!(panics.load(Ordering::Relaxed), 0);
}

/// Counts panics on any thread; those of a file's own thread would go unnoticed.
fn count_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some("memtop-debug") {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
        usual(panic);
    }));
    &PANICS
}

/// A process's sites with these locations and no stacks.
fn sites(module: Module, addresses: &[u64]) -> Sites {
    let location = |address: &u64| Location { module: Some(ModuleId(0)), address: *address };
    let locations = addresses.iter().map(location).collect();
    Sites { modules: vec![module], locations, ..Sites::default() }
}

/// Polls until every location has its final answer.
fn wait(service: &mut Service, sites: &Sites, names: &mut Names) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        service.want_rest(sites);
        for (location, functions) in service.answers() {
            names.insert(location, functions);
        }
        if names.iter().count() == sites.locations.len() && service.waiting() == 0 {
            return;
        }
        assert!(Instant::now() < end, "{} names are missing", service.waiting());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_service_finds_what_the_resolver_finds() {
    let folder = folder("service");
    let program = build(&folder, "threads.c", &[]);
    let mut sites = sites(module(&program), &return_addresses(&program, in_source));
    sites.locations.push(Location { module: None, address: 0x7777 });
    let (mut waited, mut names) = (Names::default(), Names::default());
    Resolver::default().resolve_all(&sites, &mut waited);
    let mut service = Service::start().unwrap();
    service.begin(Search::default());
    service.want(&sites, (0..3).map(LocationId));
    wait(&mut service, &sites, &mut names);
    for (location, functions) in names.iter() {
        assert_eq!(Some(functions), waited.get(location), "{location:?}");
    }
    assert_eq!(
        names.get(LocationId(0)).unwrap().last().unwrap().file.as_deref(),
        source("threads.c").to_str()
    );
    // The same again, for another process that has the same program.
    service.begin(Search::default());
    let mut again = Names::default();
    wait(&mut service, &sites, &mut again);
    assert_eq!(again, waited);
}
