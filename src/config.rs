//! The configuration file: defaults for options, by their own names.
//!
//! ```toml
//! tick = "250ms"
//! max-tracer-memory = "256M"
//! no-stacks = true
//! theme = "mine"
//!
//! [themes.mine]
//! base = "light"
//! live = { fg = "#207020", ansi = "green", bold = true }
//! ```
//!
//! A flag comes before a variable `MEMTOP_…`, and that before the file. The file's values go
//! through the parsers of the options themselves, so that there is one list of what exists and
//! one idea of what is right; what is wrong is told with its line.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use clap::{ArgAction, Command};
use memtop_ui::{
    Theme,
    theme::{ColorDepth, Glyphs, Own},
};
use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}{}: {reason}", .path.display(), at_line(.line))]
pub struct ConfigError {
    path: PathBuf,
    line: Option<usize>,
    reason: String,
}

fn at_line(number: &Option<usize>) -> String {
    number.map(|number| format!(", line {number}")).unwrap_or_default()
}

/// Defaults from a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    path: PathBuf,
    defaults: Vec<Entry>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    option: String,
    value: String,
    line: usize,
}

/// Commands whose options can have defaults.
const COMMANDS: [&str; 5] = ["run", "record", "attach", "replay", "demo"];

/// The file: `MEMTOP_CONFIG`, or `memtop/config.toml` in the user's configuration folder.
pub fn path() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = variable("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute());
    let base = || own.or_else(|| variable("HOME").map(|home| home.join(".config")));
    variable("MEMTOP_CONFIG").or_else(|| Some(base()?.join("memtop/config.toml")))
}

/// Reads the file, if there is one.
///
/// # Errors
/// When it cannot be read, is no TOML, or holds what no option takes.
pub fn load() -> Result<Config, ConfigError> {
    let Some(path) = path() else {
        return Ok(Config::default());
    };
    match fs::read_to_string(&path) {
        Ok(text) => {
            let config = parse(&path, &text)?;
            config.check_theme(&themes_of(&path, &text)?)?;
            Ok(config)
        }
        // A file that was asked for by its name has to be there.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                && env::var_os("MEMTOP_CONFIG").is_none() =>
        {
            Ok(Config::default())
        }
        Err(error) => Err(ConfigError { path, line: None, reason: error.to_string() }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let line_at = |offset: usize| line_of(text, offset);
    let failed = |offset: Option<usize>, reason: String| ConfigError {
        path: path.to_owned(),
        line: offset.map(line_at),
        reason,
    };
    let table = DeTable::parse(text).map_err(|error| no_toml(path, text, &error))?;
    let mut defaults = Vec::new();
    for (key, value) in table.get_ref().iter().filter(|(key, _)| *key.get_ref() != THEMES) {
        let option = key.get_ref().to_string();
        let value = written(value.get_ref()).ok_or_else(|| {
            let reason = format!("'{option}' must be a text, a number, true or false");
            failed(Some(key.span().start), reason)
        })?;
        defaults.push(Entry { option, value, line: line_at(key.span().start) });
    }
    defaults.sort_by_key(|default| default.line);
    Ok(Config { path: path.to_owned(), defaults })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn no_toml(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map(|span| line_of(text, span.start));
    ConfigError { path: path.to_owned(), line, reason: error.message().to_owned() }
}

/// The table of themes.
const THEMES: &str = "themes";

/// What of the file is no option.
#[derive(Debug, Default, Deserialize)]
struct Tables {
    #[serde(default)]
    themes: BTreeMap<String, Own>,
}

/// The themes of the file, by their names.
///
/// # Errors
/// When the file cannot be read, or one of them cannot be used.
pub fn themes() -> Result<BTreeMap<String, Own>, ConfigError> {
    let Some(path) = path().filter(|path| path.exists()) else {
        return Ok(BTreeMap::new());
    };
    let failed = |error: io::Error| {
        let reason = error.to_string();
        ConfigError { path: path.clone(), line: None, reason }
    };
    themes_of(&path, &fs::read_to_string(&path).map_err(failed)?)
}

fn themes_of(path: &Path, text: &str) -> Result<BTreeMap<String, Own>, ConfigError> {
    let failed = |reason: String| ConfigError { path: path.to_owned(), line: None, reason };
    let tables: Tables = toml::from_str(text).map_err(|error| {
        let told = no_toml(path, text, &error);
        ConfigError { line: wrong_role(text).or(told.line), ..told }
    })?;
    for (name, own) in &tables.themes {
        let tried = Theme::of(own, ColorDepth::True, Glyphs::Braille);
        tried.map_err(|error| failed(format!("[themes.{name}]: {error}")))?;
    }
    Ok(tables.themes)
}

/// The line of the first role that cannot be one: the parser knows only where its theme begins.
fn wrong_role(text: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (_, themes) = table.get_ref().iter().find(|(key, _)| *key.get_ref() == THEMES)?;
    let roles = inside(themes.get_ref()).flat_map(|(_, theme)| inside(theme.get_ref()));
    let is_wrong = |(role, value): &(&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let alone = text.get(value.span()).map(|value| format!("{:?} = {value}", role.get_ref()));
        alone.is_some_and(|alone| toml::from_str::<Own>(&alone).is_err())
    };
    let (_, value) = { roles }.find(is_wrong)?;
    Some(line_of(text, value.span().start))
}

/// The entries of a table; none of what is no table.
fn inside<'a, 'b>(
    value: &'a DeValue<'b>,
) -> impl Iterator<Item = (&'a Spanned<DeString<'b>>, &'a Spanned<DeValue<'b>>)> {
    value.as_table().into_iter().flat_map(|table| table.iter())
}

/// The themes that memtop brings along, with what the terminal says among them.
pub const BUILT_IN_THEMES: [&str; 3] = ["auto", "dark", "light"];

/// That a theme is not there, and which are.
pub fn no_such_theme(name: &str, own: &BTreeMap<String, Own>) -> String {
    let names: Vec<&str> = own.keys().map(String::as_str).collect();
    let own = match &names[..] {
        [] => "a configuration file may have more ([themes.NAME])".to_owned(),
        names => format!("the configuration file has {}", names.join(", ")),
    };
    format!("there is no theme '{name}'; there are {}; {own}", BUILT_IN_THEMES.join(", "))
}

/// A value as it would be typed.
fn written(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(yes) => Some(yes.to_string()),
        _ => None,
    }
}

impl Config {
    /// A command line whose options have these defaults.
    ///
    /// # Errors
    /// When no option has such a name, or does not take such a value.
    pub fn apply(&self, mut command: Command) -> Result<Command, ConfigError> {
        for default in &self.defaults {
            self.check(&command, default)?;
            command = set(command, default);
            for name in COMMANDS {
                command = command.mut_subcommand(name, |sub| set(sub, default));
            }
        }
        Ok(command)
    }

    /// What the parser of the option cannot know.
    fn check_theme(&self, own: &BTreeMap<String, Own>) -> Result<(), ConfigError> {
        let Some(entry) = self.defaults.iter().find(|one| one.option == "theme") else {
            return Ok(());
        };
        let name = entry.value.as_str();
        if name.is_empty() || BUILT_IN_THEMES.contains(&name) || own.contains_key(name) {
            return Ok(());
        }
        let reason = no_such_theme(name, own);
        Err(ConfigError { path: self.path.clone(), line: Some(entry.line), reason })
    }

    /// By the option's own parser.
    fn check(&self, command: &Command, default: &Entry) -> Result<(), ConfigError> {
        let failed =
            |reason| ConfigError { path: self.path.clone(), line: Some(default.line), reason };
        let has = |one: &&Command| one.get_arguments().any(|arg| is_default_of(arg, default));
        let subs = COMMANDS.iter().filter_map(|name| command.find_subcommand(name));
        let Some(known) = std::iter::once(command).chain(subs).find(has) else {
            let reason = format!(
                "there is no option --{}; memtop run --help lists them, and the file takes their \
                 names without the dashes",
                default.option
            );
            return Err(failed(reason));
        };
        let bare = known.clone().mut_args(|arg| arg.required(false).env(None::<&str>));
        let argument = format!("--{}={}", default.option, default.value);
        let takes_value = known
            .get_arguments()
            .find(|arg| is_default_of(arg, default))
            .is_some_and(|arg| arg.get_action().takes_values());
        let argument = match takes_value {
            true => argument,
            false if default.value == "true" => format!("--{}", default.option),
            false if default.value == "false" => return Ok(()),
            false => return Err(failed(format!("'{}' is true or false", default.option))),
        };
        match bare.try_get_matches_from(["memtop".to_owned(), argument]) {
            Err(error) if error.kind() != clap::error::ErrorKind::MissingRequiredArgument => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                Err(failed(first.trim_start_matches("error: ").to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn is_default_of(arg: &clap::Arg, default: &Entry) -> bool {
    arg.get_long() == Some(default.option.as_str()) && !arg.is_hide_set()
}

fn set(command: Command, default: &Entry) -> Command {
    let Some(found) = command.get_arguments().find(|arg| is_default_of(arg, default)) else {
        return command;
    };
    let id = found.get_id().clone();
    let off = matches!(found.get_action(), ArgAction::SetTrue) && default.value == "false";
    match off {
        true => command,
        false => {
            let value = default.value.clone();
            command.mut_arg(id, |arg| arg.required(false).default_value(value))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::{CommandFactory, FromArgMatches};
    use std::time::Duration;

    fn config(text: &str) -> Result<Command, String> {
        let config = parse(Path::new("c.toml"), text).map_err(|error| error.to_string())?;
        config.apply(Cli::command()).map_err(|error| error.to_string())
    }

    fn tick(command: Command, line: &str) -> Duration {
        let matches = command.try_get_matches_from(line.split(' ')).unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Some(crate::cli::Command::Run(options)) => options.trace.tick,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flag_comes_before_the_file() {
        let command = || config("# mine\ntick = \"250ms\"\nno-stacks = false\n").unwrap();
        assert_eq!(tick(command(), "memtop run x"), Duration::from_millis(250));
        assert_eq!(tick(command(), "memtop run --tick 1s x"), Duration::from_secs(1));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = config("tick = \"250ms\"\n\ntik = 3\n").unwrap_err();
        assert!(
            error.starts_with("cannot use c.toml, line 3: there is no option --tik"),
            "{error}"
        );
        let error = config("tick = \"soon\"\n").unwrap_err();
        assert!(error.starts_with("cannot use c.toml, line 1: "), "{error}");
        assert!(error.contains("'soon' is no duration"), "{error}");
        let error = config("a = [1]\n").unwrap_err();
        assert!(error.contains("line 1: 'a' must be a text, a number, true or false"), "{error}");
        let error = config("x = 1\ny = = 2\n").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_theme_is_one_line() {
        let error = |text: &str| themes_of(Path::new("c.toml"), text).unwrap_err().to_string();
        let of_colour = error("# mine\n\n[themes.x]\nlive = { fg = \"zzz\" }\n");
        assert_eq!(of_colour, "cannot use c.toml, line 4: “zzz” is no colour");
        let further = error(
            "[themes.x]\nbase = \"light\"\nlive = { bold = true }\npeak = { fg = \"zzz\" }\n",
        );
        assert_eq!(further, "cannot use c.toml, line 4: “zzz” is no colour");
        let of_base = error("[themes.x]\nlive = {}\nbase = \"grey\"\n");
        assert!(of_base.starts_with("cannot use c.toml, line 3: "), "{of_base}");
        let of_role = error("[themes.x]\nlife = { fg = \"red\" }\n");
        assert!(
            of_role.contains("[themes.x]: ") && of_role.contains("no role “life”"),
            "{of_role}"
        );
        let own = themes_of(Path::new("c.toml"), "[themes.x]\n").unwrap();
        assert!(
            no_such_theme("y", &own).ends_with("auto, dark, light; the configuration file has x")
        );
        assert!(!no_such_theme("y", &BTreeMap::new()).contains("has"));
    }

    #[test]
    fn what_is_hidden_or_needs_a_value_is_no_default() {
        assert!(config("pid = 5\n").unwrap_err().contains("no option --pid"));
        assert!(config("no-stacks = \"maybe\"\n").unwrap_err().contains("true or false"));
        assert!(config("no-stacks = false\n").is_ok());
        assert!(config("").is_ok());
    }
}
