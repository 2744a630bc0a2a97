//! The keeper with real programs: what they see, what passes through, who may die.
//!
//! Everything goes through the `memtop` binary, so that signals, descriptors and mappings are
//! those of a real start.

mod launcher;

use std::{
    fs,
    io::Write,
    os::{
        fd::AsRawFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use launcher::{Folder, Viewer, is_alive, record, spawn, wait_until};
use memtop::keeper::protocol::{FromKeeper, FromViewer};
use memtop::model::Exit;
use memtop::sys::pty::Size;

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
fn a_viewer_sees_the_output_and_the_end() {
    let (connection, mut viewer) = spawn("tty >/dev/null && echo on a terminal; exit 3");
    assert!(connection.hello().has_pty && connection.hello().holds_feed);
    assert_eq!(connection.hello().command[0], b"/bin/sh");
    assert_eq!(viewer.until_exit(&connection), Exit::Code(3));
    assert_eq!(viewer.text(), "on a terminal\r\n");
}

/// What a script shows on a pseudo-terminal without memtop.
fn plain_on_a_terminal(script: &str) -> String {
    let mut terminal = memtop::sys::pty::Pty::open(Size::default()).unwrap();
    let slave = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command.stdin(slave()).stdout(slave()).stderr(slave());
    assert!(command.status().unwrap().success());
    drained(&mut terminal)
}

/// What is in a terminal now, in as many reads as it takes.
fn drained(terminal: &mut memtop::sys::pty::Pty) -> String {
    let mut all = Vec::new();
    // It ends with "would block", after what was read.
    let _ = std::io::Read::read_to_end(&mut terminal.master, &mut all);
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn on_its_terminal_too_a_program_gets_what_it_would_get() {
    for script in [
        "exec ls /proc/self/fd",
        // The C library's own two signals are left out: std starts the plain program by
        // posix_spawn, which ignores them.
        "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status | sed 's/\\t.*\\(.......\\)$/ \\1/'",
        "umask; ulimit -a; pwd; exec env -u LD_PRELOAD -u MEMTOP_SESSION",
        "exec stty -a",
    ] {
        let (connection, mut viewer) = spawn(script);
        assert_eq!(viewer.until_exit(&connection), Exit::Code(0));
        assert_eq!(viewer.text(), plain_on_a_terminal(script), "{script}");
    }
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

#[test]
fn programs_with_a_tracer_of_their_own_are_found() {
    let folder = Folder::new();
    let ready = folder.path("ready");
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_embedded", "--ignored"])
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
    };
    let (memory, _kept) = memory::Memory::create(&settings).unwrap();
    let offset = memory.take_piece(size_of::<layout::Session>() as u64).unwrap();
    let session = memory.session(offset).unwrap();
    session.pid.store(std::process::id(), Relaxed);
    session.entry.store(layout::entry::EMBEDDED, Relaxed);
    memory.table_entry(0).unwrap().store(offset, Relaxed);
    memory.header().sessions.store(1, Relaxed);
    fs::write(ready, "").unwrap();
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn what_is_typed_and_resized_reaches_the_program() {
    let script = "stty size; trap 'stty size; exit 4' WINCH; read word; echo got $word; \
                  while :; do sleep 0.05; done";
    let (connection, mut viewer) = spawn(script);
    viewer.until(&connection, "24 80");
    connection.send(&FromViewer::Input(b"hello\r".to_vec())).unwrap();
    viewer.until(&connection, "got hello");
    let size = Size { columns: 101, rows: 33 };
    connection.send(&FromViewer::Resize(size)).unwrap();
    assert_eq!(viewer.until_exit(&connection), Exit::Code(4));
    assert!(viewer.text().contains("33 101"));
}

#[test]
fn tracing_is_switched_and_cleared_by_viewers() {
    let (connection, _viewer) = spawn("sleep 60");
    let clock = || connection.reader().clock();
    assert!(clock().tracing);
    connection.send(&FromViewer::Tracing(false)).unwrap();
    wait_until(|| !clock().tracing);
    connection.send(&FromViewer::Tracing(true)).unwrap();
    wait_until(|| clock().tracing && clock().intervals.len() == 2);
    connection.send(&FromViewer::Clear).unwrap();
    wait_until(|| clock().tick > 2);
    connection.send(&FromViewer::EndProgram).unwrap();
    wait_until(|| !is_alive(connection.hello().root));
}

#[test]
fn a_program_that_does_not_want_to_end_is_made_to() {
    let (connection, mut viewer) = spawn("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    viewer.until(&connection, "ready");
    let asked = Instant::now();
    connection.send(&FromViewer::EndProgram).unwrap();
    assert_eq!(viewer.until_exit(&connection), Exit::Signal(libc::SIGKILL));
    assert!(asked.elapsed() >= Duration::from_millis(2900));
}

#[test]
fn much_output_passes_with_and_without_a_viewer() {
    let folder = Folder::new();
    let (go, done) = (folder.path("go"), folder.path("done"));
    let script = format!(
        "head -c 3000000 /dev/zero | tr '\\0' x; while [ ! -e {0} ]; do sleep 0.02; done; \
         head -c 3000000 /dev/zero | tr '\\0' y; echo; echo the end; echo > {1}; sleep 60",
        go.display(),
        done.display()
    );
    let (connection, mut viewer) = spawn(&script);
    viewer.until_count(&connection, 3_000_000);
    let root = connection.hello().root;
    drop(connection);
    fs::write(&go, "").unwrap();
    wait_until(|| done.exists());
    let connection = memtop::keeper::client::Connection::join(root).unwrap();
    let mut viewer = Viewer::default();
    viewer.until(&connection, "the end");
    assert!(viewer.text().len() <= 1 << 20);
    connection.send(&FromViewer::EndProgram).unwrap();
    wait_until(|| !is_alive(root));
}

#[test]
fn viewers_come_and_are_killed_and_the_program_goes_on() {
    let folder = Folder::new();
    let count = folder.path("count");
    let script =
        format!("n=0; while :; do n=$((n+1)); echo $n > {}; echo line $n; done", count.display());
    let (connection, _viewer) = spawn(&script);
    let (root, keeper) = (connection.hello().root, connection.hello().keeper);
    for round in 0..20 {
        // A process of its own, so that it can be killed at any moment: while it connects, and
        // while it receives.
        let joined = folder.path(&format!("joined-{round}"));
        let mut viewer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "helper_viewer", "--ignored"])
            .env("MEMTOP_TEST_JOIN", root.to_string())
            .env("MEMTOP_TEST_JOINED", &joined)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        if round % 2 == 0 {
            wait_until(|| joined.exists());
        }
        std::thread::sleep(Duration::from_millis(round));
        viewer.kill().unwrap();
        viewer.wait().unwrap();
        let read = || fs::read_to_string(&count).ok()?.trim().parse::<u64>().ok();
        let before = wait_for(read);
        wait_until(|| read().is_some_and(|now| now > before));
    }
    assert!(is_alive(root) && is_alive(keeper));
    connection.send(&FromViewer::EndProgram).unwrap();
    wait_until(|| !is_alive(root));
    drop(connection);
    wait_until(|| !is_alive(keeper));
}

fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    wait_until(|| {
        found = ask();
        found.is_some()
    });
    found.unwrap()
}

/// Not a test: the process that `viewers_come_and_are_killed…` kills.
#[test]
#[ignore = "started by another test"]
fn helper_viewer() {
    let Ok(pid) = std::env::var("MEMTOP_TEST_JOIN") else {
        return;
    };
    let connection = memtop::keeper::client::Connection::join(pid.parse().unwrap()).unwrap();
    fs::write(std::env::var_os("MEMTOP_TEST_JOINED").unwrap(), "").unwrap();
    while connection.messages().recv().is_ok() {}
}

#[test]
fn the_feed_goes_to_the_next_viewer() {
    let (first, _viewer) = spawn("read word; echo got $word; sleep 60");
    let second = memtop::keeper::client::Connection::join(first.hello().root).unwrap();
    assert!(!second.hello().holds_feed);
    second.send(&FromViewer::Input(b"unheard\r".to_vec())).unwrap();
    drop(first);
    let handed = |message| matches!(message, FromKeeper::Feed);
    wait_until(|| second.messages().try_recv().is_ok_and(handed));
    second.send(&FromViewer::Input(b"heard\r".to_vec())).unwrap();
    let mut viewer = Viewer::default();
    viewer.until(&second, "got heard");
    second.send(&FromViewer::EndProgram).unwrap();
    viewer.until_exit(&second);
}

#[test]
fn a_viewer_that_never_reads_does_not_stop_the_program() {
    let folder = Folder::new();
    let done = folder.path("done");
    let script = format!("head -c 20000000 /dev/zero; echo > {}; sleep 60", done.display());
    let (connection, _viewer) = spawn(&script);
    wait_until(|| done.exists());
    let mut viewer = Viewer::default();
    viewer.until_gap(&connection);
    connection.send(&FromViewer::EndProgram).unwrap();
    viewer.until_exit(&connection);
}

#[test]
fn programs_that_run_are_listed_until_they_end() {
    let (connection, _viewer) = spawn("sleep 60");
    let root = connection.hello().root;
    let is_listed = || {
        let running = memtop::keeper::client::list_running();
        running.iter().any(|one| one.pid == root && one.command[0] == b"/bin/sh")
    };
    assert!(is_listed());
    // Who only asks does not become a viewer.
    assert!(connection.hello().holds_feed);
    connection.send(&FromViewer::EndProgram).unwrap();
    wait_until(|| !is_alive(root));
    drop(connection);
    wait_until(|| !is_listed());
    assert!(memtop::keeper::client::Connection::join(root).is_err());
}

#[test]
fn a_refused_program_is_told_to_the_viewer() {
    let error = launcher::try_spawn(&["memtop-no-such"]).unwrap_err();
    assert_eq!(error.exit_code(), 127);
    assert!(error.to_string().contains("memtop-no-such"));
}

#[test]
fn hostile_viewers_lose_their_connection_and_nothing_else() {
    let (connection, mut viewer) = spawn("read word; echo got $word");
    for noise in [&[0xFF; 100][..], &[0, 0, 0, 0], &[2, 0, 0, 0, 3, 65], b"\x05\0\0\0\x01"] {
        let mut socket = memtop::keeper::rendezvous::connect(connection.hello().keeper).unwrap();
        socket.write_all(noise).unwrap();
    }
    connection.send(&FromViewer::Input(b"well\r".to_vec())).unwrap();
    viewer.until(&connection, "got well");
    assert_eq!(viewer.until_exit(&connection), Exit::Code(0));
}
