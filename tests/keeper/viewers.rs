//! Viewers come, go, type, lie and are killed; the program goes on.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use memtop::{
    keeper::protocol::{FromKeeper, FromViewer},
    model::Exit,
    recording::{File, Mark},
    sys::pty::Size,
};

use crate::{
    drained,
    launcher::{self, Folder, Viewer, is_alive, spawn, wait_until},
};

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
fn the_past_is_kept_with_what_viewers_marked() {
    let (connection, _viewer) = spawn("sleep 60");
    let hello = connection.hello();
    let path = format!("/proc/{}/fd/{}", hello.keeper, hello.past.expect("a past"));
    let past = || File::open(path.as_ref()).ok().filter(|file| !file.images().is_empty());
    wait_until(|| past().is_some());
    let mark = Mark { at: Duration::from_millis(300), number: 1, label: "here".to_owned() };
    connection.send(&FromViewer::Mark { index: 0, mark: mark.clone() }).unwrap();
    // Of now, it has the moment of the tick that is taken for it.
    let is_it = |(image, one): &(Option<usize>, Mark)| {
        let off = one.at.abs_diff(mark.at);
        *image == Some(0)
            && (one.number, &one.label) == (1, &mark.label)
            && off <= Duration::from_millis(500)
    };
    wait_until(|| past().is_some_and(|file| matches!(file.marks(), [one] if is_it(one))));
    let began = past().unwrap().end();
    wait_until(|| past().unwrap().end() > began);
    // Of a process that is not there it is nobody's, and nothing breaks.
    connection.send(&FromViewer::Mark { index: 99, mark }).unwrap();
    wait_until(|| past().unwrap().marks().len() == 2);
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
            .args(["--exact", "viewers::helper_viewer", "--ignored"])
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
    second.send(&FromViewer::Tracing(false)).unwrap();
    second.send(&FromViewer::EndProgram).unwrap();
    // Its own word comes after those of the other.
    let ticks = first.reader().clock().tick;
    wait_until(|| first.reader().clock().tick > ticks + 3);
    assert!(first.reader().clock().tracing && is_alive(first.hello().root));
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
    assert_eq!(connection.hello().exit, None);
    let is_listed = || {
        let running = memtop::keeper::client::list_running();
        running.iter().any(|one| one.pid == root && one.command[0] == b"/bin/sh")
    };
    assert!(is_listed());
    let running = memtop::keeper::client::list_running();
    let own = running.iter().find(|one| one.pid == root).unwrap();
    assert_eq!((own.viewers, own.exit), (1, None));
    wait_until(|| {
        let running = memtop::keeper::client::list_running();
        running.iter().any(|one| one.pid == root && one.live.is_some_and(|live| live > 0))
    });
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
