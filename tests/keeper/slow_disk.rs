//! A recording that goes to a disk which takes nothing: a pipe that nobody reads stands for it.

use std::{
    ffi::CString,
    fs::{self, OpenOptions},
    io::{BufRead, BufReader, Read},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    path::Path,
    process::{Child, Stdio},
};

use memtop::recording::File;

use crate::{
    events::program,
    launcher::{Folder, record},
};

/// What is written to a path waits in this.
fn disk(path: &Path) -> fs::File {
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: a string that ends, and lives during the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
}

/// A recording that is larger than such a disk, of a program that has ended.
fn begin(folder: &Folder, path: &Path) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut memtop = record(path);
    memtop.args(["--force", "--events", "--"]).arg(program(folder, "churn")).arg("100000");
    let mut child = memtop.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("still writing") {
        line.clear();
        assert!(told.read_line(&mut line).unwrap() > 0, "nothing was said");
    }
    (child, told)
}

#[test]
fn whoever_waits_for_the_disk_is_told_and_may_leave() {
    let folder = Folder::new();
    let path = folder.path("out");
    let mut disk = disk(&path);
    let (mut child, mut told) = begin(&folder, &path);
    // SAFETY: kill has no preconditions; the process is this test's own.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    assert_eq!(child.wait().unwrap().code(), Some(0), "the program's own status");
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("interrupted"), "{rest}");
    let mut written = Vec::new();
    disk.read_to_end(&mut written).unwrap();
    assert!(File::new(written).unwrap().is_cut());
}

#[test]
fn a_disk_that_comes_back_gets_everything() {
    let folder = Folder::new();
    let path = folder.path("out");
    let disk = disk(&path);
    let (mut child, _told) = begin(&folder, &path);
    let mut written = Vec::new();
    // Another end, which waits for what comes.
    fs::File::open(&path).unwrap().read_to_end(&mut written).unwrap();
    drop(disk);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!File::new(written).unwrap().is_cut());
}
