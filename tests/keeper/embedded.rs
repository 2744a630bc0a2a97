//! Programs that trace themselves.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::launcher::{Folder, wait_until};

#[test]
fn programs_with_a_tracer_of_their_own_are_found() {
    let folder = Folder::new();
    let ready = folder.path("ready");
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::helper_embedded", "--ignored"])
        .env("MEMTOP_TEST_READY", &ready)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until(|| ready.exists());
    let found = memtop::keeper::embedded::list_embedded();
    let own = found.iter().find(|one| one.pid == program.id()).unwrap();
    assert_eq!(own.command[1], b"--exact");
    assert_eq!(own.open().unwrap().identity(0).map(|(pid, _)| pid), Some(program.id()));
    program.kill().unwrap();
    program.wait().unwrap();
}

/// Not a test: a program with session memory of its own.
#[test]
#[ignore = "started by another test"]
fn helper_embedded() {
    use memtop_probe::session::{layout, memory};
    use std::sync::atomic::Ordering::Relaxed;
    let Some(ready) = std::env::var_os("MEMTOP_TEST_READY") else {
        return;
    };
    let settings = memory::Settings {
        size: memory::LEAST_SIZE,
        nonce: 1,
        now_ns: 1,
        tick_ns: 1,
        limit: memory::LEAST_SIZE,
        frames: 0,
    };
    let (memory, _kept) = memory::Memory::create(&settings).unwrap();
    let (offset, session) = memory.take_first_piece(size_of::<layout::Session>() as u64).unwrap();
    session.pid.store(std::process::id(), Relaxed);
    session.entry.store(layout::entry::EMBEDDED, Relaxed);
    memory.enter(session, offset).unwrap();
    fs::write(ready, "").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}
