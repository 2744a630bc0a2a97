//! Programs linked with jemalloc, tcmalloc and mimalloc: what they ask for is counted once,
//! whatever the allocator calls of itself.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use support::{Session, Totals, Truth, check_consistent, folder, output, sources};

/// Library and package.
const ALLOCATORS: [(&str, &str); 3] = [
    ("libjemalloc.so.2", "libjemalloc2"),
    ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    ("libmimalloc.so.2", "libmimalloc2.0"),
];

fn find(library: &str, package: &str) -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let mut places = folders.iter().map(|folder| Path::new(folder).join(library));
    let found = places.find(|place| place.exists());
    found.unwrap_or_else(|| panic!("{library} is missing: apt-get install {package}"))
}

/// Builds a program that needs the allocator, and libstdc++ behind it.
fn linked(source: &str, allocator: &Path) -> PathBuf {
    let name = allocator.file_name().unwrap().to_str().unwrap();
    let to = folder().join(format!("{source}-{name}"));
    let status = std::process::Command::new("g++")
        .args(["-O2", "-g", "-fno-builtin", "-x"])
        .arg(if source.ends_with(".c") { "c" } else { "c++" })
        .arg(sources().join(source))
        .args(["-x", "none", "-Wl,--no-as-needed"])
        .arg(allocator)
        .args(["-lstdc++", "-lm", "-pthread", "-o"])
        .arg(&to)
        .status()
        .expect("g++ is there: apt-get install g++");
    assert!(status.success(), "{source} does not compile");
    to
}

fn counted(program: &Path, arguments: [&str; 2], frames: u32) -> (Truth, Totals) {
    let session = Session::traced_with(frames);
    let truth = Truth::parse(&output(session.command(program).args(arguments)));
    let seen = session.reading();
    check_consistent(&seen);
    assert_eq!((seen.untracked_frees, seen.lost_records), (0, 0));
    (truth, Totals::of(&seen))
}

#[test]
fn every_form_of_request_is_counted_once() {
    for (library, package) in ALLOCATORS {
        let allocator = find(library, package);
        for source in ["operators.c", "throwing.cpp"] {
            let program = linked(source, &allocator);
            for frames in [0, 128] {
                check(&program, frames, library);
            }
            fs::remove_file(program).unwrap();
        }
    }
}

fn check(program: &Path, frames: u32, library: &str) {
    // mimalloc, being C, ends a program instead of throwing.
    let throws = program.to_str().unwrap().contains("throwing") && !library.contains("mimalloc");
    let often = if throws { "100" } else { "0" };
    let (_, idle) = counted(program, ["0", often], frames);
    let (truth, seen) = counted(program, ["20000", often], frames);
    let extra = seen.minus(idle).minus(truth.totals());
    // Each exception is a block of libstdc++'s.
    let exceptions = if throws { 20_000 / 100 } else { 0 };
    assert_eq!((extra.allocations, extra.frees), (exceptions, exceptions), "{library}");
    assert_eq!(extra.live(), (0, 0), "{library}");
    assert!(throws || extra == Totals::default(), "{library}: {extra:?}");
}
