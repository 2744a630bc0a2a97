//! The README says what is: its tables of keys and options are made from the program's own.
//! `MEMTOP_BLESS=1 cargo test --test readme` writes them anew.

use std::{env, fs, path::Path};

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
