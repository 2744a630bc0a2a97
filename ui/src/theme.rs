//! Roles by meaning, and what they look like on this terminal.
//!
//! A widget asks for [`Role::Live`], never for a colour. The palettes are TOML files; their colours
//! are brought down to what the terminal shows ([`ColorDepth`]). Colour never carries meaning
//! alone: words, signs and shapes say the same, so that [`ColorDepth::None`] loses nothing.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

pub use crate::glyphs::Glyphs;

/// How many colours the terminal shows. Whoever reads the environment decides (`NO_COLOR` means
/// [`ColorDepth::None`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorDepth {
    /// None; bold, reversed and underlined stay.
    None,
    /// The sixteen named ones.
    Ansi16,
    /// The 256 of xterm.
    #[default]
    Ansi256,
    /// All of them.
    True,
}

/// The two palettes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Palette {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
}

impl Palette {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Dark => Self::Light,
            Self::Light => Self::Dark,
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Dark => include_str!("../assets/themes/dark.toml"),
            Self::Light => include_str!("../assets/themes/light.toml"),
        }
    }
}

macro_rules! roles {
    ($( $(#[$doc:meta])* $role:ident = $name:literal ),* $(,)?) => {
        /// What a piece of screen means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Role { $( $(#[$doc])* $role ),* }

        impl Role {
            /// Every role with its name in a theme file.
            pub const ALL: &[(Self, &str)] = &[$( (Self::$role, $name) ),*];
        }
    };
}

roles! {
    /// Memory in use.
    Live = "live",
    /// The maximum between two readings.
    Spike = "spike",
    /// The highest live bytes.
    Peak = "peak",
    /// What the kernel counts.
    Rss = "rss",
    /// Got more.
    Growing = "growing",
    /// Got less, or was freed.
    Freed = "freed",
    /// Freed, but never seen allocated.
    Untracked = "untracked",
    /// Where tracing begins.
    StartMark = "start_mark",
    /// A moment the person marked.
    Mark = "mark",
    /// Tracing is on.
    Active = "active",
    /// Attention.
    Warning = "warning",
    /// The name of a panel or program.
    Title = "title",
    /// A figure that matters.
    Figure = "figure",
    /// The word beside a figure.
    Label = "label",
    /// There, but not to be looked at first.
    Muted = "muted",
    /// Frames.
    Border = "border",
    /// A key to press.
    Key = "key",
    /// What the next key applies to.
    Selected = "selected",
    /// The mode one must not miss.
    Banner = "banner",
    /// Bars of the histogram.
    Bar = "bar",
    /// A frame of the program's own code.
    FlameProgram = "flame_program",
    /// A frame of a library.
    FlameLibrary = "flame_library",
    /// A frame of an allocator, a standard library, the runtime.
    FlamePlumbing = "flame_plumbing",
    /// A frame without a name.
    FlameUnknown = "flame_unknown",
    /// A frame under which more is live than before.
    FlameGrown = "flame_grown",
    /// A frame that the search found.
    FlameMatch = "flame_match",
}

/// Styles for every role, and the glyphs to draw with.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    styles: Vec<Style>,
    depth: ColorDepth,
    glyphs: Glyphs,
}

/// A theme file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeError(String);

impl std::fmt::Display for ThemeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the theme cannot be used: {}", self.0)
    }
}

impl std::error::Error for ThemeError {}

/// A theme of somebody's own: the roles it names, over one of the palettes.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Own {
    /// What the other roles look like, and for which background it is.
    #[serde(default)]
    pub base: Palette,
    #[serde(flatten)]
    roles: BTreeMap<String, Entry>,
}

/// A role as written in a theme file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    fg: Option<Written>,
    bg: Option<Written>,
    ansi: Option<Written>,
    ansi_bg: Option<Written>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    reversed: bool,
}

/// A colour as written in a theme file: `"#rrggbb"`, a name, or a number below 256.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Written(Color);

impl TryFrom<String> for Written {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("“{text}” is no colour"))
    }
}

impl Theme {
    /// A palette as it comes with memtop.
    pub fn new(palette: Palette, depth: ColorDepth, glyphs: Glyphs) -> Self {
        Self::from_toml(palette.source(), depth, glyphs).expect("own themes are tested")
    }

    /// A palette from the text of a theme file. Roles it does not name look like plain text.
    ///
    /// # Errors
    /// When the text is no TOML, or names a role, attribute or colour that does not exist.
    pub fn from_toml(text: &str, depth: ColorDepth, glyphs: Glyphs) -> Result<Self, ThemeError> {
        let entries: BTreeMap<String, Entry> =
            toml::from_str(text).map_err(|error| ThemeError(error.to_string()))?;
        check(&entries)?;
        let style = |(_, name): &(Role, &str)| {
            entries.get(*name).map_or_else(Style::new, |entry| entry.style(depth))
        };
        Ok(Self { styles: Role::ALL.iter().map(style).collect(), depth, glyphs })
    }

    /// A theme of somebody's own.
    ///
    /// # Errors
    /// When it names a role that does not exist.
    pub fn of(own: &Own, depth: ColorDepth, glyphs: Glyphs) -> Result<Self, ThemeError> {
        check(&own.roles)?;
        let mut theme = Self::new(own.base, depth, glyphs);
        for (role, name) in Role::ALL {
            if let Some(entry) = own.roles.get(*name) {
                theme.styles[*role as usize] = entry.style(depth);
            }
        }
        Ok(theme)
    }

    /// How `role` looks.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// As [`style`](Self::style), a little darker where the terminal can show it: to tell two
    /// neighbours apart.
    pub fn shade(&self, role: Role) -> Style {
        let mut style = self.style(role);
        if let Some(Color::Rgb(r, g, b)) = style.bg {
            let [r, g, b] = [r, g, b].map(|part| (u16::from(part) * 7 / 8) as u8);
            style.bg = Some(Color::Rgb(r, g, b));
        }
        style
    }

    /// The glyphs to draw with.
    pub fn glyphs(&self) -> Glyphs {
        self.glyphs
    }

    /// A colour somebody else chose, as this terminal can show it.
    pub fn adapt(&self, color: Color) -> Color {
        self.depth.adapt(color)
    }
}

/// Whether every role exists.
fn check(entries: &BTreeMap<String, Entry>) -> Result<(), ThemeError> {
    let known = |name: &&String| Role::ALL.iter().any(|(_, role)| role == name);
    match entries.keys().find(|name| !known(name)) {
        Some(name) => Err(ThemeError(format!("there is no role “{name}”"))),
        None => Ok(()),
    }
}

impl Entry {
    fn style(&self, depth: ColorDepth) -> Style {
        let mut style = Style::new();
        for (set, modifier) in [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.italic, Modifier::ITALIC),
            (self.underlined, Modifier::UNDERLINED),
            (self.reversed || self.needs_reverse(depth), Modifier::REVERSED),
        ] {
            if set {
                style = style.add_modifier(modifier);
            }
        }
        style.fg = depth.choose(self.fg, self.ansi);
        style.bg = depth.choose(self.bg, self.ansi_bg);
        style
    }

    /// A background that cannot be shown is said by reversing.
    fn needs_reverse(&self, depth: ColorDepth) -> bool {
        depth == ColorDepth::None && self.bg.is_some()
    }
}

impl ColorDepth {
    fn choose(self, exact: Option<Written>, named: Option<Written>) -> Option<Color> {
        let (exact, named) = (exact.map(|c| c.0), named.map(|c| c.0));
        match self {
            Self::None => None,
            Self::Ansi16 => named.or(exact.map(|color| self.adapt(color))),
            Self::Ansi256 | Self::True => exact.map(|color| self.adapt(color)),
        }
    }

    fn adapt(self, color: Color) -> Color {
        match (self, color) {
            (Self::None, _) => Color::Reset,
            (Self::Ansi256, Color::Rgb(r, g, b)) => Color::Indexed(nearest_256(r, g, b)),
            (Self::Ansi16, Color::Rgb(r, g, b)) => nearest_16(r, g, b),
            (Self::Ansi16, Color::Indexed(i)) => {
                let (r, g, b) = rgb_of_256(i);
                nearest_16(r, g, b)
            }
            _ => color,
        }
    }
}

/// xterm's cube has these steps in each direction.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The sixteen named colours with xterm's values.
const NAMED: [(Color, (u8, u8, u8)); 16] = [
    (Color::Black, (0, 0, 0)),
    (Color::Red, (205, 0, 0)),
    (Color::Green, (0, 205, 0)),
    (Color::Yellow, (205, 205, 0)),
    (Color::Blue, (0, 0, 238)),
    (Color::Magenta, (205, 0, 205)),
    (Color::Cyan, (0, 205, 205)),
    (Color::Gray, (229, 229, 229)),
    (Color::DarkGray, (127, 127, 127)),
    (Color::LightRed, (255, 0, 0)),
    (Color::LightGreen, (0, 255, 0)),
    (Color::LightYellow, (255, 255, 0)),
    (Color::LightBlue, (92, 92, 255)),
    (Color::LightMagenta, (255, 0, 255)),
    (Color::LightCyan, (0, 255, 255)),
    (Color::White, (255, 255, 255)),
];

fn rgb_of_256(index: u8) -> (u8, u8, u8) {
    match index {
        0..16 => NAMED[usize::from(index)].1,
        16..232 => {
            let i = usize::from(index - 16);
            (CUBE[i / 36], CUBE[i / 6 % 6], CUBE[i % 6])
        }
        232.. => {
            let level = 8 + 10 * (index - 232);
            (level, level, level)
        }
    }
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    square(a.0, b.0) + square(a.1, b.1) + square(a.2, b.2)
}

/// The first sixteen are left out: users redefine them.
fn nearest_256(r: u8, g: u8, b: u8) -> u8 {
    (16..=255).min_by_key(|&i| distance(rgb_of_256(i), (r, g, b))).unwrap_or(15)
}

fn nearest_16(r: u8, g: u8, b: u8) -> Color {
    let nearest = NAMED.iter().min_by_key(|(_, rgb)| distance(*rgb, (r, g, b)));
    nearest.map_or(Color::Reset, |(color, _)| *color)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTHS: [ColorDepth; 4] =
        [ColorDepth::None, ColorDepth::Ansi16, ColorDepth::Ansi256, ColorDepth::True];

    #[test]
    fn own_palettes_load_and_name_every_role() {
        for palette in [Palette::Dark, Palette::Light] {
            for (_, name) in Role::ALL {
                assert!(
                    palette.source().contains(&format!("[{name}]")),
                    "{palette:?} lacks {name}"
                );
            }
            for depth in DEPTHS {
                Theme::new(palette, depth, Glyphs::Braille);
            }
        }
    }

    #[test]
    fn without_colours_none_is_set_and_selection_still_shows() {
        let theme = Theme::new(Palette::Dark, ColorDepth::None, Glyphs::Braille);
        for (role, name) in Role::ALL {
            let style = theme.style(*role);
            assert_eq!((style.fg, style.bg), (None, None), "{name}");
        }
        assert!(theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED));
        assert_eq!(theme.adapt(Color::Rgb(1, 2, 3)), Color::Reset);
    }

    #[test]
    fn colours_go_down_the_ladder() {
        assert_eq!(ColorDepth::Ansi256.adapt(Color::Rgb(255, 175, 95)), Color::Indexed(215));
        assert_eq!(ColorDepth::Ansi16.adapt(Color::Rgb(250, 10, 10)), Color::LightRed);
        assert_eq!(ColorDepth::Ansi16.adapt(Color::Indexed(16)), Color::Black);
        assert_eq!(ColorDepth::True.adapt(Color::Rgb(1, 2, 3)), Color::Rgb(1, 2, 3));
    }

    #[test]
    fn a_theme_of_ones_own_changes_what_it_names() {
        let text = "base = 'light'\n[live]\nfg = '#010203'\n[peak]\nbold = true";
        let own: Own = toml::from_str(text).unwrap();
        let theme = |own| Theme::of(own, ColorDepth::True, Glyphs::Braille);
        let (mine, light) =
            (theme(&own).unwrap(), Theme::new(Palette::Light, ColorDepth::True, Glyphs::Braille));
        assert_eq!(mine.style(Role::Live).fg, Some(Color::Rgb(1, 2, 3)));
        assert_eq!(mine.style(Role::Peak).fg, None);
        assert_eq!(mine.style(Role::Rss), light.style(Role::Rss));
        let odd: Own = toml::from_str("[sparkle]\nbold = true").unwrap();
        assert!(theme(&odd).is_err());
        assert!(toml::from_str::<Own>("[live]\nfg = 'x'").is_err());
    }

    #[test]
    fn unknown_roles_are_named() {
        let error = Theme::from_toml("[sparkle]\nbold = true", ColorDepth::True, Glyphs::Ascii);
        assert!(error.unwrap_err().to_string().contains("sparkle"));
        assert!(Theme::from_toml("[live]\nfg = 'x'", ColorDepth::True, Glyphs::Ascii).is_err());
    }
}
