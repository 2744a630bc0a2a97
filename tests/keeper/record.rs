//! `memtop record`: the program is as it would be without, and keeps its signals.

use std::{
    fs,
    os::{
        fd::AsRawFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Command, Stdio},
};

use memtop::{recording::File, sys::pty::Size};

use crate::{
    drained,
    launcher::{Folder, is_alive, record, wait_until},
};

/// Runs a script untraced and recorded, prepared in the same way, and compares everything.
fn same(script: &str, prepare: impl Fn(&mut Command)) -> String {
    let folder = Folder::new();
    let mut plain = Command::new("/bin/sh");
    plain.args(["-c", script]);
    let mut traced = record(&folder.path("out"));
    traced.args(["--quiet", "--", "/bin/sh", "-c", script]);
    let [plain, traced] = [plain, traced].map(|mut command| {
        command.stdin(Stdio::null());
        prepare(&mut command);
        command.output().unwrap()
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&traced.stdout), text(&plain.stdout), "stdout of {script}");
    assert_eq!(text(&traced.stderr), text(&plain.stderr), "stderr of {script}");
    let status = |one: &std::process::Output| {
        one.status.code().unwrap_or_else(|| 128 + one.status.signal().unwrap())
    };
    assert_eq!(status(&traced), status(&plain), "status of {script}");
    text(&plain.stdout)
}

#[test]
fn output_and_status_are_passed_on() {
    same("echo out; echo err >&2; exit 7", |_| {});
    same("exit 0", |_| {});
    same("kill -TERM $$", |_| {});
    same("kill -KILL $$", |_| {});
}

#[test]
fn the_program_has_the_descriptors_it_would_have() {
    // The listing itself needs one descriptor, so its own number is in it both times.
    same("exec ls /proc/self/fd", |_| {});
    let file = fs::File::open("/dev/null").unwrap();
    let number = file.as_raw_fd();
    same("exec ls /proc/self/fd", |command| {
        // SAFETY: dup2 is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(move || {
                (libc::dup2(number, 77) == 77)
                    .then_some(())
                    .ok_or_else(std::io::Error::last_os_error)
            })
        };
    });
}

#[test]
fn a_closed_standard_descriptor_stays_closed() {
    let script = "exec ls /proc/self/fd >&2";
    let close = |command: &mut Command| {
        // SAFETY: close is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(|| {
                libc::close(0);
                Ok(())
            })
        };
    };
    same(script, close);
}

#[test]
fn signals_are_blocked_and_ignored_as_they_would_be() {
    let script = "exec grep -E '^(Sig|Shd)(Blk|Ign|Cgt)' /proc/self/status";
    let plain = same(script, |_| {});
    assert!(plain.contains("SigIgn"));
    same(script, |command| {
        // SAFETY: all calls are async-signal-safe; the set lives on the child's stack.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                libc::signal(libc::SIGCHLD, libc::SIG_IGN);
                libc::signal(libc::SIGPIPE, libc::SIG_IGN);
                let mut set = std::mem::zeroed();
                libc::sigemptyset(&mut set);
                libc::sigaddset(&mut set, libc::SIGUSR2);
                libc::sigaddset(&mut set, libc::SIGTERM);
                libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
                Ok(())
            })
        };
    });
}

#[test]
fn the_environment_limits_and_group_are_what_they_would_be() {
    same("exec env -u LD_PRELOAD -u MEMTOP_SESSION", |command| {
        command.env("ZZZ", "1").env("AAA", "a=b\nc");
    });
    same("umask; ulimit -a; cd -P .; pwd; exec cat /proc/self/cgroup", |_| {});
    same("yes | head -n 1; tty; ps -o tpgid= -p $$ 2>/dev/null", |_| {});
}

#[test]
fn preflight_speaks_before_anything_is_made() {
    let folder = Folder::new();
    let out = folder.path("out");
    let cases = [
        ("memtop-no-such", 127, "not found"),
        ("/etc/passwd", 126, "not executable"),
        ("/etc", 126, "directory"),
    ];
    for (program, code, text) in cases {
        let output = record(&out).args(["--", program]).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{message}");
        assert!(message.contains(program) && message.contains(text), "{message}");
        assert!(!out.exists());
    }
}

#[test]
fn an_existing_recording_is_refused_before_the_program_runs() {
    let folder = Folder::new();
    let out = folder.path("out");
    let ran = folder.path("ran");
    fs::write(&out, "precious").unwrap();
    let script = format!("echo x > {}", ran.display());
    let output = record(&out).args(["--", "/bin/sh", "-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--force"));
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    assert!(!ran.exists());
    let status = record(&out).args(["--force", "--quiet", "--", "true"]).status().unwrap();
    assert!(status.success());
    assert_ne!(fs::read(&out).unwrap(), b"precious");
}

#[test]
fn term_ends_the_recording_and_not_the_program() {
    let folder = Folder::new();
    let (pid_file, done) = (folder.path("pid"), folder.path("done"));
    let script = format!("echo $$ > {}; sleep 1; echo > {}", pid_file.display(), done.display());
    let mut memtop = record(&folder.path("out"))
        .args(["--quiet", "--", "/bin/sh", "-c", &script])
        .spawn()
        .unwrap();
    wait_until(|| fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n')));
    let program: u32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    memtop::sys::process::signal(memtop.id(), libc::SIGTERM).unwrap();
    assert_eq!(memtop.wait().unwrap().code(), Some(0));
    assert!(is_alive(program) && !done.exists());
    wait_until(|| done.exists());
}

#[test]
fn interrupts_are_left_to_the_program() {
    let folder = Folder::new();
    let ready = folder.path("ready");
    let script =
        format!("trap 'exit 5' INT; echo > {}; while :; do sleep 0.05; done", ready.display());
    let mut memtop = record(&folder.path("out"))
        .args(["--quiet", "--", "/bin/sh", "-c", &script])
        .process_group(0)
        .spawn()
        .unwrap();
    wait_until(|| ready.exists());
    memtop::sys::process::signal_group(memtop.id(), libc::SIGINT).unwrap();
    assert_eq!(memtop.wait().unwrap().code(), Some(5));
}

#[test]
fn an_interrupt_sent_to_memtop_alone_reaches_the_program() {
    let folder = Folder::new();
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        let ready = folder.path(&format!("ready-{signal}"));
        let script = format!(
            "trap 'exit 5' INT QUIT; echo > {}; while :; do sleep 0.05; done",
            ready.display()
        );
        let mut memtop = record(&folder.path(&format!("out-{signal}")))
            .args(["--quiet", "--", "/bin/sh", "-c", &script])
            .spawn()
            .unwrap();
        wait_until(|| ready.exists());
        memtop::sys::process::signal(memtop.id(), signal).unwrap();
        assert_eq!(memtop.wait().unwrap().code(), Some(5));
    }
}

#[test]
fn a_memtop_that_cannot_go_on_holds_the_program_to_its_end() {
    let folder = Folder::new();
    let output = record(&folder.path("out"))
        .args([
            "--quiet",
            "--",
            "/bin/sh",
            "-c",
            "sleep 0.5; kill -ABRT $PPID; sleep 0.3; echo done; exit 6",
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{told}");
    assert_eq!(output.stdout, b"done\n");
    assert!(told.contains("cannot go on, and stays until the program ends"), "{told}");
}

#[test]
fn a_term_to_the_whole_group_passes_the_status_on() {
    let folder = Folder::new();
    let ready = folder.path("ready");
    let script = format!("echo > {}; exec sleep 60", ready.display());
    let mut memtop = record(&folder.path("out"))
        .args(["--quiet", "--", "/bin/sh", "-c", &script])
        .process_group(0)
        .spawn()
        .unwrap();
    wait_until(|| ready.exists());
    memtop::sys::process::signal_group(memtop.id(), libc::SIGTERM).unwrap();
    assert_eq!(memtop.wait().unwrap().code(), Some(128 + libc::SIGTERM));
}

/// A stand-in for the probe: it does what the probe does first.
const PROBE: &str = r#"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
__attribute__((constructor)) static void start(void) {
    const char *session = getenv("MEMTOP_SESSION");
    const char *preload = getenv("LD_PRELOAD");
    const char *report = getenv("PROBE_REPORT");
    if (!session || !report) return;
    char path[200] = {0};
    const char *colon = strrchr(session, ':');
    memcpy(path, session, colon - session);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat stat;
    fstat(fd, &stat);
    uint64_t *memory = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    FILE *out = fopen(report, "a");
    fprintf(out, "%d %d %d %s\n", memcmp(memory, "memtop\0S", 8) == 0,
            memory[3] == strtoull(colon + 1, 0, 16), stat.st_size >= 4 << 20, preload);
    fclose(out);
}
"#;

#[test]
fn a_preloaded_library_finds_the_session_memory_in_every_descendant() {
    let folder = Folder::new();
    let (source, library) = (folder.path("probe.c"), folder.path("probe.so"));
    fs::write(&source, PROBE).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
    assert!(compiler.status().unwrap().success());
    let status = record(&folder.path("out"))
        .args(["--quiet", "--", "/bin/sh", "-c", "/bin/true; exec /bin/true"])
        .env("MEMTOP_PRELOAD_SO", &library)
        .env("PROBE_REPORT", folder.path("report"))
        .status();
    assert!(status.unwrap().success());
    let line = format!("1 1 1 {}\n", library.display());
    assert_eq!(fs::read_to_string(folder.path("report")).unwrap(), line.repeat(3));
}

/// Of 8 MiB the tracer needs more than half for fifty of these: each has a page of everything.
#[test]
fn memory_of_processes_that_ended_is_for_those_that_come() {
    let folder = Folder::new();
    let (path, number) = (folder.path("many"), 240);
    let script =
        format!("i=0; while [ $i -lt {number} ]; do /bin/true; sleep 0.03; i=$((i+1)); done");
    let mut memtop = record(&path);
    memtop.args(["--max-tracer-memory", "8M", "--", "/bin/sh", "-c", &script]);
    let output = memtop.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with(&format!("memtop: recorded {} process images", 2 * number + 1)),
        "{said}"
    );
    assert!(!said.contains("not traced"), "{said}");
    let file = File::open(&path).unwrap();
    let ended = file.images().iter().filter(|image| image.identity.ended.is_some());
    assert_eq!(ended.count(), file.images().len());
}

#[test]
fn without_a_terminal_there_is_one_closing_line_and_quiet_has_none() {
    let folder = Folder::new();
    let output = record(&folder.path("a")).args(["--", "true"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(!text.contains('\r') && text.starts_with("memtop:"));
    let output = record(&folder.path("b")).args(["--quiet", "--", "true"]).output().unwrap();
    assert!(output.stderr.is_empty());
}

#[test]
fn on_a_terminal_there_is_a_status_line_that_goes_away() {
    let folder = Folder::new();
    let mut terminal = memtop::sys::pty::Pty::open(Size::default()).unwrap();
    let stderr = Stdio::from(terminal.slave.try_clone().unwrap());
    let mut command = record(&folder.path("out"));
    command.args(["--", "sleep", "0.7"]).stderr(stderr);
    assert!(command.status().unwrap().success());
    let text = drained(&mut terminal);
    let lines = text.matches("memtop: recording").count();
    assert!((1..=3).contains(&lines), "{text:?}");
    assert!(text.ends_with("\r\u{1b}[K") && !text.contains('\n'), "{text:?}");
}
