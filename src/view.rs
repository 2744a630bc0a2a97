//! How the dashboard looks and behaves, worked out from options, configuration and terminal
//! before anything is started: what is wrong with it is said where it was typed.

use memtop_ui::theme::{Own, Palette};

use crate::{
    Error,
    cli::{MarkAt, ViewOptions},
    config,
    terminal::Look,
};

/// It.
#[derive(Debug, Clone)]
pub struct View {
    /// Colours and shapes.
    pub look: Look,
    /// Whether clicks and the wheel are memtop's.
    pub mouse: bool,
    /// Moments that mark themselves.
    pub mark_at: Vec<MarkAt>,
}

impl View {
    /// As the person wants it.
    ///
    /// # Errors
    /// When there is no such theme, or it cannot be used.
    pub fn new(options: &ViewOptions) -> Result<Self, Error> {
        let look = match options.theme.as_str() {
            "auto" | "" => Look::of_environment(),
            "dark" => Look::of_environment().on(Palette::Dark),
            "light" => Look::of_environment().on(Palette::Light),
            name => Look::of_environment().with(theme(name)?),
        };
        Ok(Self { look, mouse: !options.no_mouse, mark_at: options.mark_at.clone() })
    }
}

fn theme(name: &str) -> Result<Own, Error> {
    let mut themes = config::themes()?;
    themes.remove(name).ok_or_else(|| Error::Usage(config::no_such_theme(name, &themes)))
}
