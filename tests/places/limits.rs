//! Limits of processes and groups of them: memtop works under them, and the program has its own.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    end_to_end::{Home, behaviour, programs::program},
    number, processes,
};

/// Sets a limit for the command alone.
fn limit(command: &mut Command, kind: libc::__rlimit_resource_t, soft: u64, hard: u64) {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: setrlimit is a system call on memory of the closure's own, which a forked child may do.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(kind, &limit) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    };
}

/// memtop raises its own limits, the program has those that it would have untraced, and what
/// memtop would have run out of it does not.
#[test]
fn a_program_has_the_limits_that_it_would_have_and_memtop_works_under_them() {
    const MIB: u64 = 1 << 20;
    let cases = [
        (libc::RLIMIT_AS, 60 * MIB, u64::MAX),
        (libc::RLIMIT_AS, 100 * MIB, 100 * MIB),
        (libc::RLIMIT_DATA, 4 * MIB, u64::MAX),
        (libc::RLIMIT_FSIZE, 0, u64::MAX),
        (libc::RLIMIT_FSIZE, 1 << 40, 1 << 40),
        (libc::RLIMIT_NOFILE, 20, 40),
        (libc::RLIMIT_CPU, 50, u64::MAX),
    ];
    for case @ (kind, soft, hard) in cases {
        let home = Home::new();
        let words = ["-c", "cat /proc/self/limits"];
        let mut plain = home.command("sh");
        limit(plain.args(words), kind, soft, hard);
        let mut traced = home.memtop(["record", "-o", "recording.memtop", "--", "sh"]);
        limit(traced.args(words), kind, soft, hard);
        let (plain, traced) = (behaviour(plain, ""), behaviour(traced, ""));
        assert_eq!((traced.status, &traced.stdout), (0, &plain.stdout), "{case:?}: {traced:?}");
        assert!(
            traced.stderr.contains("memtop: recorded 2 process images"),
            "{case:?}: {traced:?}"
        );
        // It is said whose memory counts against what.
        let warns = traced.stderr.contains("the program's address space is limited to");
        assert_eq!(warns, kind == libc::RLIMIT_AS, "{case:?}: {traced:?}");
        let warns = traced.stderr.contains("memtop is limited likewise");
        assert!(!warns || hard == 100 * MIB, "{case:?}: {traced:?}");
        assert_eq!(processes(&home.report()).len(), 2, "{case:?}");
    }
}

/// A control group for memory, gone with the test.
struct Group(PathBuf);

impl Group {
    fn new(limit: u64) -> Option<Group> {
        let name = format!("memtop-test-{}", std::process::id());
        let one = |root: &str, file: &str| {
            let folder = Path::new(root).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Group(folder);
            fs::write(group.0.join(file), limit.to_string()).ok()?;
            Some(group)
        };
        one("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            .or_else(|| one("/sys/fs/cgroup", "memory.max"))
    }

    fn enter(&self, command: &mut Command) {
        let processes = self.0.join("cgroup.procs");
        // SAFETY: opening and writing a file is what a forked child of tests may do; what is
        // written says "this process".
        unsafe { command.pre_exec(move || fs::write(&processes, "0")) };
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// What the tracer takes counts against the program's limit: it takes no more than its share, and
/// says what it could not note.
#[test]
fn a_memory_limit_is_shared_with_care() {
    const LIMIT: u64 = 96 << 20;
    let Some(group) = Group::new(LIMIT) else {
        return println!("skipped: no control group for memory can be made here");
    };
    let home = Home::new();
    // Blocks of 16 to 256 bytes, some 45 MB as glibc gives them.
    let mut plain = home.command(program("grow.c"));
    group.enter(plain.arg("280000"));
    let plain = behaviour(plain, "");
    assert_eq!(plain.status, 0, "{plain:?}");
    let mut command = home.memtop(["record", "--quiet", "-o", "recording.memtop", "--"]);
    group.enter(command.arg(program("grow.c")).arg("280000"));
    let found = behaviour(command, "");
    assert_eq!((found.status, found.stderr), (0, String::new()), "{}", found.stdout);
    let report = home.report();
    let tracer = number(&report, &["exactness", "tracer_bytes"]);
    assert!(tracer <= LIMIT / 4, "{tracer} bytes");
    let noted = number(&report, &["totals", "allocations"]);
    let missed = number(&report, &["exactness", "unattributed_blocks"]);
    assert!(noted + missed >= 280_000, "{noted} and {missed}");
    println!("{noted} noted, {missed} not, {tracer} bytes of the tracer");
}
