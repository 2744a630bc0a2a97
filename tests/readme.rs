//! The README says what is: its tables of keys and options are made from the program's own.
//! `MEMTOP_BLESS=1 cargo test --test readme` writes them anew.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use clap::CommandFactory;
use memtop::cli::Cli;

fn readme() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// Compares what stands between two markers, or puts it there.
fn assert_section(name: &str, expected: &str) {
    // Two tests may write the same file.
    static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = WRITING.lock();
    let text = fs::read_to_string(readme()).unwrap();
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("no {begin:?} in README.md"));
    let from = from + begin.len();
    let to = text.find(&end).unwrap_or_else(|| panic!("no {end:?} in README.md"));
    if env::var_os("MEMTOP_BLESS").is_some() {
        fs::write(readme(), [&text[..from], expected, &text[to..]].concat()).unwrap();
        return;
    }
    let hint = "README.md is not current; MEMTOP_BLESS=1 cargo test --test readme writes it anew";
    assert_eq!(&text[from..to], expected, "{hint}");
}

#[test]
fn the_keys_are_those_of_the_program() {
    assert_section("keys", &memtop_ui::keymap::markdown_table());
}

#[test]
fn the_options_are_those_of_the_program() {
    assert_section("options", &options());
}

/// The example of a budget runs as it stands, and does what the text around it says.
#[test]
fn the_gate_lets_a_good_run_pass_and_stops_a_greedy_one() {
    let text = fs::read_to_string(readme()).unwrap();
    let (_, gate) = text.split_once("<!-- gate:begin -->\n```sh\n").expect("the example");
    let (gate, _) = gate.split_once("```\n<!-- gate:end -->").expect("the end of the example");
    let folder = env::temp_dir().join(format!("memtop-gate-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = Path::new(env!("CARGO_BIN_EXE_memtop")).parent().unwrap().to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([path].into_iter().chain(env::split_paths(&others))).unwrap();
    let shell = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-euc", script]).current_dir(&folder).env("PATH", &path).env("HOME", &folder);
        shell.output().unwrap()
    };
    // The program under test: a table of so many entries.
    let program = r#"
        cc -O1 -o server -x c - <<'END'
        #include <stdlib.h>
        int main(void) { void *kept = malloc(ENTRIES * 64); return kept == NULL; }
END"#;
    let build = |entries: u32| shell(&program.replace("ENTRIES", &entries.to_string()));
    assert!(build(100_000).status.success());
    assert!(shell("memtop record --quiet -o good.memtop -- ./server --selftest").status.success());
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let passed = shell(gate);
    assert_eq!(passed.status.code(), Some(0), "{}", said(&passed));
    assert!(build(110_000).status.success());
    let stopped = shell(gate);
    assert_eq!(stopped.status.code(), Some(3), "{}", said(&stopped));
    assert!(said(&stopped).contains("totals.peak_bytes_delta is 640000"), "{}", said(&stopped));
    fs::remove_dir_all(&folder).unwrap();
}

/// Every option that is in the help of a command, with the first sentence about it.
fn options() -> String {
    let mut rows: Vec<(String, Vec<String>, String)> = Vec::new();
    let cli = Cli::command();
    for command in cli.get_subcommands().filter(|command| !command.is_hide_set()) {
        for option in
            command.get_arguments().filter(|one| !one.is_positional() && !one.is_hide_set())
        {
            let name = written(option);
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            match rows.iter_mut().find(|row| row.0 == name && row.2 == help) {
                Some(row) => row.1.push(command.get_name().to_owned()),
                None => rows.push((name, vec![command.get_name().to_owned()], help)),
            }
        }
    }
    let mut table = String::from("| option | of | what |\n| --- | --- | --- |\n");
    for (name, commands, help) in rows {
        let help = help.replace('|', "\\|").replace('\n', " ");
        table.push_str(&format!("| `{name}` | {} | {help} |\n", commands.join(", ")));
    }
    table
}

/// `-o, --output FILE`.
fn written(option: &clap::Arg) -> String {
    let short = option.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let long = option.get_long().unwrap_or_default();
    let takes_value = option.get_action().takes_values();
    let names = option.get_value_names().filter(|_| takes_value).unwrap_or_default();
    let values: String = names.iter().map(|name| format!(" {name}")).collect();
    format!("{short}--{long}{values}").replace('|', "\\|")
}
