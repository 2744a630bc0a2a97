//! Programs that cannot be traced, or no longer once they executed another: they are named, with
//! the reason.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    end_to_end::{Behaviour, Home, behaviour, text},
    is_root, number, processes,
};

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
    // It began when the traced one ended, which is noticed soon.
    let report = home.report();
    let (env, sh) = (&report["processes"][0], &report["untraced"][0]);
    let second = |one: &Value, what: &str| one[what].as_f64().unwrap();
    let (ended, started) = (second(env, "ended_s"), second(sh, "started_s"));
    assert!((ended - started).abs() < 0.001 && started < 0.9, "{env}\n{sh}");
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

/// A program with another user's rights may not be looked at by who started it.
#[test]
fn who_executes_a_set_user_id_program_is_named_though_it_cannot_be_looked_at() {
    let home = Home::new();
    let words = ["sh", "-c", "sleep 2 | su root -c true; exit 5"];
    let mut command = home.memtop(["record", "-o", "recording.memtop", "--"]);
    if is_root() {
        command = as_nobody(&home, &command);
    }
    command.args(words);
    let found = behaviour(command, "");
    assert_eq!(found.status, 5, "{found:?}");
    let report = home.report();
    let [su] = &report["untraced"].as_array().unwrap()[..] else { panic!("{found:?}") };
    assert_eq!((&su["command"][0], &su["why"]), (&"su".into(), &"another user's".into()), "{su}");
    // The fork that became it has ended then, and is not taken for one that lives.
    let is_it = |one: &&Value| one["pid"] == su["pid"];
    let former = processes(&report).iter().find(is_it).unwrap_or_else(|| panic!("{report}"));
    let (ended, began) = (former["ended_s"].as_f64().unwrap(), su["started_s"].as_f64().unwrap());
    assert!((ended - began).abs() < 0.001 && ended < 1.9, "{former}\n{su}");
}

/// The same command by a user who is not root: its files have to be where that one may go.
fn as_nobody(home: &Home, command: &Command) -> Command {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let copy = home.path("memtop");
    fs::copy(command.get_program(), &copy).unwrap();
    for path in ["", "run", "cache"] {
        fs::set_permissions(home.path(path), PermissionsExt::from_mode(0o777)).unwrap();
    }
    let mut own = Command::new(copy);
    own.args(command.get_args()).current_dir(home.path("")).uid(65534).gid(65534);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => own.env(name, value),
            None => own.env_remove(name),
        };
    }
    own
}

/// Where the limit of the tracer's memory lets only a few processes have a session at once.
#[test]
fn who_finds_no_room_in_the_tracers_memory_is_named_with_the_reason() {
    const SLEEPERS: usize = 12;
    let home = Home::new();
    let script = format!("for i in $(seq {SLEEPERS}); do sleep 3 & done; wait; exit 9");
    let mut command =
        home.memtop(["record", "--max-tracer-memory", "1M", "-o", "recording.memtop", "--"]);
    let found = behaviour(
        {
            command.args(["sh", "-c", &script]);
            command
        },
        "",
    );
    assert_eq!(found.status, 9, "{found:?}");
    let report = home.report();
    let of = |list: &Value, what: &dyn Fn(&Value) -> bool| {
        list.as_array().unwrap().iter().filter(|one| what(one)).count()
    };
    let sleeps = |one: &Value| one["command"][0].as_str().is_some_and(|one| one.ends_with("sleep"));
    let traced = of(&report["processes"], &|one| sleeps(&one["target"]));
    let full = |one: &Value| sleeps(one) && one["why"] == "tracer memory full";
    let untraced = of(&report["untraced"], &full);
    assert!(untraced > 0, "{found:?}");
    assert_eq!(traced + untraced, SLEEPERS, "{traced} traced, {}", report["untraced"]);
    assert!(found.stderr.contains("sleep (tracer memory full)"), "{found:?}");
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
