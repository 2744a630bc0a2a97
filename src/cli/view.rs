//! Options of everything that shows the dashboard.

use clap::{Args, builder::FalseyValueParser};

use super::parse_size;

/// How the dashboard looks and behaves: shared by run, replay, demo and memtop alone.
#[derive(Debug, Clone, Default, Args)]
pub struct ViewOptions {
    /// Colours: `dark`, `light`, `auto` (as the terminal says), or a theme of the configuration
    /// file.
    #[arg(
        long,
        value_name = "NAME",
        env = "MEMTOP_THEME",
        hide_env = true,
        default_value = "auto",
        hide_default_value = true
    )]
    pub theme: String,
    /// Leave the mouse to the terminal, so that it selects text without Shift.
    #[arg(long, env = "MEMTOP_NO_MOUSE", hide_env = true, value_parser = FalseyValueParser::new())]
    pub no_mouse: bool,
    /// Mark the moments at which live memory first passes SIZE, twice SIZE, and so on; `peak`: at
    /// which it was higher than ever. Several with commas.
    #[arg(
        long,
        value_name = "SIZE",
        env = "MEMTOP_MARK_AT",
        hide_env = true,
        value_delimiter = ',',
        value_parser = parse_mark_at
    )]
    pub mark_at: Vec<MarkAt>,
}

/// A moment that marks itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkAt {
    /// Live memory passes a multiple of so many bytes.
    Each(u64),
    /// Live memory is higher than ever.
    Peak,
}

fn parse_mark_at(text: &str) -> Result<MarkAt, String> {
    match text {
        "peak" => Ok(MarkAt::Peak),
        size => match parse_size(size)? {
            0 => Err("0 is passed all the time".to_owned()),
            size => Ok(MarkAt::Each(size)),
        },
    }
}
