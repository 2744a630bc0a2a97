//! Which thread asked where.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    USUAL,
    end_to_end::{Home, pty::Terminal},
    run_shell,
};

/// Two threads with names, each with a place of its own to allocate at.
const PROGRAM: &str = "
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
char *kept[2000];
__attribute__((noinline)) void for_reading(void) {
    for (int i = 0; i < 1000; i++) kept[i] = malloc(3000);
}
__attribute__((noinline)) void for_writing(void) {
    for (int i = 1000; i < 2000; i++) kept[i] = malloc(2000);
}
static void *reader(void *unused) {
    pthread_setname_np(pthread_self(), \"reader\");
    for_reading();
    for (;;) pause();
}
static void *writer(void *unused) {
    pthread_setname_np(pthread_self(), \"writer\");
    for_writing();
    for (;;) pause();
}
int main(void) {
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, reader, NULL);
    pthread_create(&threads[1], NULL, writer, NULL);
    for (;;) pause();
}
";

fn program(home: &Home) -> PathBuf {
    let (source, program) = (home.path("named.c"), home.path("named"));
    fs::write(&source, PROGRAM).unwrap();
    let mut built = Command::new("cc");
    built.args(["-O1", "-g", "-pthread", "-o"]).args([&program, &source]);
    assert!(built.status().unwrap().success());
    program
}

#[test]
fn a_filter_of_threads_chooses_where_they_asked() {
    let home = Home::new();
    let program = program(&home);
    let mut terminal =
        Terminal::start(USUAL, run_shell(&home, &format!("exec {}", program.display())));
    terminal.press("2");
    let both = |rows: &[String]| {
        let has = |name: &str| rows.iter().any(|row| row.contains(name));
        (has("for_reading"), has("for_writing"))
    };
    terminal.wait_until("both sites", |rows| both(rows) == (true, true));
    terminal.press("/thread:reader\r");
    let rows = terminal.wait_until("the reader's", |rows| both(rows) == (true, false));
    assert!(
        rows.iter().any(|row| row.contains("the figures are those of all threads")),
        "{}",
        rows.join("\n")
    );
    terminal.press("/thread:writer\r");
    terminal.wait_until("the writer's", |rows| both(rows) == (false, true));
    terminal.press("3");
    let rows = terminal.wait_for(" Flame ");
    assert_eq!(both(&rows), (false, true), "{}", rows.join("\n"));
    terminal.press("q");
    terminal.wait_for("still runs.");
    terminal.press("e");
    terminal.wait();
    home.wait_until_empty();
}
