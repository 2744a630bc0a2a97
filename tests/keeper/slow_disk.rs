//! A recording that goes to a disk which takes nothing: a pipe that nobody reads stands for it.

use std::{
    ffi::CString,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Read},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::Path,
    process::{Child, ChildStderr, Stdio},
};

use memtop::recording::{File, audit::Sums, read_tree};

use crate::{
    events::{checkpoints, program},
    launcher::{Folder, record, wait_until},
};

/// What is written to a path waits in this.
fn disk(path: &Path) -> fs::File {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a string that ends, and lives during the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
}

/// A recording that is larger than such a disk, of a program that runs for a moment.
fn begin(folder: &Folder, path: &Path) -> Child {
    let mut memtop = record(path);
    memtop.args(["--force", "--events", "--"]).arg(program(folder, "churn")).arg("100000");
    memtop.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads what is said, up to the word that it takes long.
fn await_word(child: &mut Child) -> BufReader<ChildStderr> {
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("still writing") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "nothing was said");
    }
    told
}

fn interrupt(child: &Child) {
    // SAFETY: kill has no preconditions; the process is this test's own.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
}

/// Children of a process, as the system lists them.
fn children(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap()
}

#[test]
fn whoever_waits_for_the_disk_is_told_and_may_leave() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut disk = disk(&path);
    let mut child = begin(&folder, &path);
    let mut told = await_word(&mut child);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0), "the program's own status");
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("interrupted"), "{rest}");
    let mut written = Vec::new();
    disk.read_to_end(&mut written).unwrap();
    assert!(File::new(written).unwrap().is_cut());
}

#[test]
fn what_a_slow_disk_costs_is_said_to_the_event() {
    let folder = Folder::new();
    let path = folder.path("out");
    let disk = disk(&path);
    let mut memtop = record(&path);
    memtop.args(["--force", "--events", "--"]).arg(program(&folder, "churn")).arg("12000000");
    let mut child = memtop.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let told = await_word(&mut child);
    let mut written = Vec::new();
    fs::File::open(&path).unwrap().read_to_end(&mut written).unwrap();
    drop(disk);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    fs::write(folder.path("copy"), &written).unwrap();
    let file = File::open(&folder.path("copy")).unwrap();
    let last = checkpoints(&file, 0).pop().expect("there is a tick");
    let count = |sums: Sums| sums.allocations + sums.frees;
    let missing = count(last.figures) - count(last.after);
    assert!(missing > 0, "the disk was not too slow");
    let read = read_tree(&written[..]).unwrap();
    assert_eq!(read.tree.processes[0].exactness.dropped_events, missing);
    let closing: String = told.lines().map(Result::unwrap).collect();
    assert!(closing.replace(',', "").contains(&missing.to_string()), "{missing}: {closing}");
}

#[test]
fn a_disk_that_comes_back_gets_everything() {
    let folder = Folder::new();
    let path = folder.path("out");
    let disk = disk(&path);
    let mut child = begin(&folder, &path);
    // The second Ctrl-C of somebody in a hurry: the first ended the program.
    wait_until(|| !children(child.id()).is_empty());
    wait_until(|| children(child.id()).is_empty());
    interrupt(&child);
    let _told = await_word(&mut child);
    let mut written = Vec::new();
    // Another end, which waits for what comes.
    fs::File::open(&path).unwrap().read_to_end(&mut written).unwrap();
    drop(disk);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!File::new(written).unwrap().is_cut());
}
