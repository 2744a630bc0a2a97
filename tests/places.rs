//! Programs that go to places where a tracer is easily lost, or in the way, under the real
//! `memtop record`: what they say, and what the report says of them.

mod end_to_end;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use end_to_end::{Behaviour, Home, behaviour, programs::program, text};
use serde_json::Value;

/// The record of a program that goes to a place, after it was seen that it behaves as untraced.
fn recorded(home: &Home, place: &[&str]) -> Value {
    let found = recorded_by(home, place, |_| {});
    assert_eq!(found, plain(home, place), "{place:?}");
    home.report()
}

fn plain(home: &Home, place: &[&str]) -> Behaviour {
    let mut command = home.command(program("hard_places.c"));
    command.args(place);
    behaviour(command, "")
}

fn recorded_by(home: &Home, place: &[&str], prepare: impl Fn(&mut Command)) -> Behaviour {
    let mut command = home.memtop(["record", "--quiet", "--force", "-o", "recording.memtop", "--"]);
    command.arg(program("hard_places.c")).args(place);
    prepare(&mut command);
    behaviour(command, "")
}

fn number(value: &Value, path: &[&str]) -> u64 {
    let found = path.iter().fold(value, |value, name| &value[*name]);
    found.as_u64().unwrap_or_else(|| panic!("{path:?} in {value}"))
}

/// Blocks of the program's own sizes, from 2049 to 4096 and from 8193 to 16384 bytes.
fn own_allocations(process: &Value) -> u64 {
    let classes = process["size_classes"].as_array().unwrap().iter();
    let own = classes.filter(|class| [2049, 8193].contains(&number(class, &["min"])));
    own.map(|class| number(class, &["allocations"])).sum()
}

fn processes(report: &Value) -> &Vec<Value> {
    report["processes"].as_array().unwrap()
}

/// Only root may.
fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn a_daemon_is_in_the_report_as_far_as_it_came() {
    let home = Home::new();
    let file = home.path("done");
    let report = recorded(&home, &["daemon", file.to_str().unwrap()]);
    assert_eq!(report["target"]["exit"]["code"], 0);
    assert_eq!(own_allocations(&report), 100);
    // The program itself has ended, and its recording with it; the daemon lives on in peace.
    end_to_end::wait_until("the daemon is done", || home.read("done").is_some());
    home.wait_until_empty();
}

#[test]
fn processes_in_a_world_of_their_own_are_known_from_outside() {
    if !is_root() {
        return println!("skipped: only root may unshare process numbers");
    }
    let home = Home::new();
    let report = recorded(&home, &["world", "1500"]);
    let all = processes(&report);
    let own: Vec<u64> = all.iter().map(own_allocations).collect();
    assert_eq!(own, [100, 100, 1], "all that was done, to the end");
    let pids: BTreeSet<u64> = all.iter().map(|one| number(one, &["pid"])).collect();
    assert!(pids.len() == 3 && pids.iter().all(|pid| *pid > 2), "{pids:?}");
    assert_eq!(all[1]["parent"], all[0]["pid"]);
    assert_eq!(all[2]["parent"], all[1]["pid"]);
    let lived = |one: &Value| one["ended_s"].as_f64().unwrap() - one["started_s"].as_f64().unwrap();
    assert!(lived(&all[1]) > 1.4, "{}", all[1]["ended_s"]);
}

#[test]
fn a_program_that_executes_itself_has_a_generation_each_time() {
    let home = Home::new();
    let report = recorded(&home, &["again", "3"]);
    let all = processes(&report);
    assert_eq!(all.iter().map(own_allocations).collect::<Vec<_>>(), [300, 200, 100, 0]);
    let generations: Vec<u64> = all.iter().map(|one| number(one, &["generation"])).collect();
    assert_eq!(generations, [0, 1, 2, 3]);
    assert_eq!(report["target"]["exit"]["code"], 0);
}

#[test]
fn the_command_is_the_one_that_was_given_whatever_is_written_over_it() {
    let home = Home::new();
    let report = recorded(&home, &["titled"]);
    let command = report["target"]["command"].as_array().unwrap();
    assert_eq!(command.last().unwrap(), "titled");
    assert_eq!(own_allocations(&report), 1000);
}

/// Builds a shared library from `tests/programs`.
fn library(home: &Home, source: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
    let to = home.path("own.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-shared", "-fPIC", "-fno-builtin", "-o"]).args([&to, &from]);
    assert!(compiler.status().unwrap().success());
    to
}

#[test]
fn what_is_preloaded_already_stays() {
    let home = Home::new();
    let own = library(&home, "reentrant_malloc.c");
    let preload = own.to_str().unwrap();
    let found = recorded_by(&home, &["usual"], |command| _ = command.env("LD_PRELOAD", preload));
    assert_eq!(found.status, 0, "{found:?}");
    let report = home.report();
    assert_eq!(own_allocations(&report), 1000);
    // That allocator gives what is asked for; glibc gives more.
    let totals = &report["totals"];
    assert_eq!(totals["usable_current_bytes"], totals["current_bytes"]);
    let output = home.record(|command| {
        command.args(["sh", "-c", "echo \"$LD_PRELOAD\""]).env("LD_PRELOAD", preload);
    });
    let list = text(&output.stdout);
    let parts: Vec<&str> = list.trim().split(':').collect();
    assert!(parts.len() == 2 && parts[1] == preload, "{list}");
}

#[test]
fn a_sanitized_program_is_refused_with_the_reason() {
    let home = Home::new();
    fs::write(home.path("plain.c"), "int main(void) { return 0; }").unwrap();
    for (option, name) in
        [("-fsanitize=address", "AddressSanitizer"), ("-fsanitize=thread", "ThreadSanitizer")]
    {
        let mut compiler = Command::new("cc");
        compiler.args([option, "-o", "sanitized", "plain.c"]).current_dir(home.path(""));
        // Not every compiler has every sanitizer.
        if !compiler.stderr(Stdio::null()).status().unwrap().success() {
            continue;
        }
        let refused = behaviour(home.memtop(["record", "-o", "out", "--", "./sanitized"]), "");
        assert_eq!(refused.status, 126, "{refused:?}");
        assert!(refused.stderr.contains(name), "{refused:?}");
        assert!(!home.path("out").exists());
    }
}

#[test]
fn a_thirty_two_bit_program_is_refused_with_the_reason() {
    let home = Home::new();
    let mut program = fs::read("/bin/true").unwrap();
    // 32 bits, and Intel's 80386.
    (program[4], program[18]) = (1, 3);
    fs::write(home.path("old"), program).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(home.path("old"), mode).unwrap();
    let refused = behaviour(home.memtop(["record", "-o", "out", "--", "./old"]), "");
    assert_eq!(refused.status, 126, "{refused:?}");
    assert!(refused.stderr.contains("32-bit x86"), "{refused:?}");
}

#[test]
fn who_was_not_traced_is_named_at_the_end() {
    let home = Home::new();
    fs::write(home.path("still.c"), "#include <unistd.h>\nint main(void) { sleep(3); return 0; }")
        .unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "-o", "still", "still.c"]).current_dir(home.path(""));
    assert!(compiler.status().unwrap().success());
    let mut command = home.memtop(["record", "-o", "recording.memtop", "--", "sh", "-c"]);
    command.arg("./still & env -i sleep 6 & sleep 5; kill $!");
    let found = behaviour(command, "");
    assert_eq!((found.status, found.stdout.as_str()), (0, ""), "{found:?}");
    let line = found.stderr.trim_end();
    assert!(line.contains("; not traced: ") && line.lines().count() == 1, "{line}");
    assert!(line.contains("still (static)"), "{line}");
    assert!(line.contains("sleep (environment emptied)"), "{line}");
    // The recording has them.
    let json = home.report();
    let untraced = json["untraced"].as_array().unwrap();
    let found = |name: &str| {
        let is = |one: &&Value| one["command"][0].as_str().is_some_and(|one| one.ends_with(name));
        untraced.iter().find(is).unwrap_or_else(|| panic!("{name} is not in {untraced:?}"))
    };
    let (still, sleep) = (found("still"), found("sleep"));
    assert_eq!((&still["why"], &sleep["why"]), (&"static".into(), &"environment emptied".into()));
    assert_eq!((&still["parent"], &sleep["parent"]), (&json["target"]["pid"], &still["parent"]));
    let (from, to) = (still["started_s"].as_f64().unwrap(), still["ended_s"].as_f64().unwrap());
    assert!(from < to && (2.0..5.5).contains(&(to - from)), "{still}");
    assert_eq!(sleep["command"][1], "6");
    assert!(untraced.len() == 2 && json["processes"][0]["pid"] == json["target"]["pid"]);
    let text = home.memtop(["report", "recording.memtop"]).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let words = format!("still (pid {}, static)", still["pid"]);
    assert!(text.contains("Not traced: ") && text.contains(&words), "{text}");
    // At a moment what came later is unknown.
    let early = home.memtop(["report", "--json", "--at", "2.5", "recording.memtop"]);
    let early: Value = serde_json::from_slice(&{ early }.output().unwrap().stdout).unwrap();
    assert!(early["untraced"].as_array().unwrap().iter().all(|one| one["ended_s"].is_null()));
}

#[test]
fn a_program_that_goes_on_untraced_is_named_at_the_end() {
    let home = Home::new();
    let words = ["env", "-i", "sh", "-c", "sleep 3; exit 7"];
    let mut command = home.memtop(["record", "-o", "recording.memtop", "--"]);
    command.args(words);
    let found = behaviour(command, "");
    assert_eq!(found.status, 7, "{found:?}");
    assert!(found.stderr.contains("; not traced: sh (environment emptied)"), "{found:?}");
}

/// `NAME (WHY)` of each process that is named as not traced, in the closing line and the recording.
fn named_untraced(home: &Home, words: &[&str]) -> (Behaviour, Vec<(String, String)>) {
    let mut command = home.memtop(["record", "--force", "-o", "recording.memtop", "--"]);
    // Without it root's library is where everybody can read it.
    command.args(words).env_remove("XDG_CACHE_HOME");
    let found = behaviour(command, "");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of = |one: &Value| (text(&one["command"][0]), text(&one["why"]));
    let report = home.report();
    let named: Vec<_> = report["untraced"].as_array().unwrap().iter().map(of).collect();
    for (name, why) in &named {
        let name = Path::new(name).file_name().unwrap().to_str().unwrap();
        assert!(found.stderr.contains(&format!("{name} ({why})")), "{found:?}");
    }
    (found, named)
}

/// Programs that leave the user, the `/proc` or the root directory that they were started with, and
/// then execute another.
#[test]
fn who_goes_where_the_session_is_out_of_reach_is_named_with_the_reason() {
    if !is_root() {
        return println!("skipped: only root may go to such places");
    }
    let home = Home::new();
    let elsewhere: [&[&str]; 4] = [
        &["setpriv", "--reuid=65534", "--clear-groups"],
        &["unshare", "--user", "--map-root-user"],
        &["unshare", "--pid", "--fork", "--mount-proc"],
        &["sh", "-c", "setpriv --reuid=65534 --clear-groups \"$@\" & wait $!", "sh"],
    ];
    for before in elsewhere {
        let words = [before, &["sh", "-c", "sleep 3; exit 9"]].concat();
        if !home.command(words[0]).args(&words[1..]).status().is_ok_and(|s| s.code() == Some(9)) {
            println!("skipped: {before:?} cannot be done here");
            continue;
        }
        let (found, named) = named_untraced(&home, &words);
        assert_eq!(found.status, 9, "{found:?}");
        // The loader has no word of its own to say, and what the shell starts is named as well.
        assert_eq!(found.stderr.lines().count(), 1, "{found:?}");
        let expected = ["sh", "sleep"].map(|one| (one.into(), "session out of reach".into()));
        assert_eq!(named, expected, "{before:?}");
    }
}

#[test]
fn who_leaves_the_library_behind_is_named_with_the_reason() {
    let home = Home::new();
    let (found, named) =
        named_untraced(&home, &["sh", "-c", "export LD_PRELOAD=; sleep 3; echo done"]);
    assert_eq!((found.status, found.stdout.as_str()), (0, "done\n"), "{found:?}");
    assert_eq!(named, [("sleep".into(), "library not loaded".into())]);
}

/// Builds a small program into its home.
fn built(home: &Home, name: &str, body: &str) {
    let source = format!("#include <unistd.h>\n#include <sys/wait.h>\nint main(void) {{ {body} }}");
    fs::write(home.path("body.c"), source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-Wl,-rpath,/lib64", "-o", name, "body.c"]).current_dir(home.path(""));
    assert!(compiler.status().unwrap().success());
}

#[test]
fn a_fork_that_never_allocates_is_not_said_to_be_untraced() {
    let home = Home::new();
    built(&home, "fork", "if (fork()) wait(0); else sleep(3); _exit(3);");
    let (found, named) = named_untraced(&home, &["./fork"]);
    assert_eq!((found.status, named), (3, Vec::new()), "{found:?}");
}

/// A session begins with the first allocation; who has none yet is not out of reach.
#[test]
fn who_is_long_in_its_constructors_is_traced_and_nothing_else() {
    let home = Home::new();
    let late = "#include <unistd.h>\n__attribute__((constructor)) static void late(void) \
                { usleep(3500000); }\nint of_it;\n";
    fs::write(home.path("late.c"), late).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o", "liblate.so", "late.c"]).current_dir(home.path(""));
    assert!(compiler.status().unwrap().success());
    let source = "#include <stdlib.h>\nextern int of_it;\nvoid *volatile held;\n\
                  int main(void) { held = malloc(123456); return of_it; }\n";
    fs::write(home.path("slow.c"), source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-o", "slow", "slow.c", "-L.", "-llate", "-Wl,-rpath,$ORIGIN"]);
    assert!(compiler.current_dir(home.path("")).status().unwrap().success());
    let (found, named) = named_untraced(&home, &["sh", "-c", "./slow; exit 5"]);
    assert_eq!((found.status, named), (5, Vec::new()), "{found:?}");
    let report = home.report();
    let all = processes(&report);
    assert!(all.iter().any(|one| number(one, &["totals", "peak_bytes"]) >= 123_456), "{all:?}");
}

#[test]
fn who_executes_below_another_root_directory_is_named_with_the_reason() {
    if !is_root() {
        return println!("skipped: only root may change the root directory");
    }
    let home = Home::new();
    fs::create_dir_all(home.path("cell/lib64")).unwrap();
    built(&home, "cell/still", "sleep(3); return 4;");
    for file in ["ld-linux-x86-64.so.2", "libc.so.6"] {
        let mut ask = Command::new("cc");
        let path = text(&ask.arg(format!("-print-file-name={file}")).output().unwrap().stdout);
        fs::copy(path.trim(), home.path("cell/lib64").join(file)).unwrap();
    }
    let (found, named) = named_untraced(&home, &["chroot", "cell", "/still"]);
    assert_eq!(found.status, 4, "{found:?}");
    assert_eq!(named, [("/still".into(), "library not loaded".into())]);
}

/// A thread that slept tells of what it held back when it wakes; the peak is none of its old time.
#[test]
fn a_thread_that_slept_does_not_date_the_peak_back() {
    let home = Home::new();
    let source = "#include <pthread.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
                  void *volatile held[3];\n\
                  void *sleeper(void *x) { held[0] = malloc(3000); held[1] = malloc(10); \
                  usleep(1500000); free(held[1]); return x; }\n\
                  int main(void) { pthread_t t; pthread_create(&t, 0, sleeper, 0); \
                  usleep(700000); held[2] = malloc(1000000); pthread_join(t, 0); }\n";
    fs::write(home.path("sleeper.c"), source).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-pthread", "-o", "sleeper", "sleeper.c"]).current_dir(home.path(""));
    assert!(compiler.status().unwrap().success());
    assert!(home.record(|command| _ = command.arg("./sleeper")).status.success());
    let report = home.report();
    assert!(number(&report, &["totals", "peak_bytes"]) > 1_003_000, "{}", report["totals"]);
    let at = report["totals"]["peak_at_s"].as_f64().unwrap();
    assert!((0.5..=2.5).contains(&at), "{at} s");
}

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
