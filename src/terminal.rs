//! The person's terminal: which one it is, what it can show, and what comes from it.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    sync::Arc,
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded};
use crossterm::{
    clipboard::CopyToClipboard,
    event::{self, Event as TerminalEvent},
    execute, queue,
    terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate},
};
use memtop_ui::{
    Theme,
    terminal::{Guard, farewell, restore_on_panic, tell},
    theme::{ColorDepth, Glyphs, Own, Palette},
};
use ratatui::{
    Frame, Terminal,
    backend::{Backend, ClearType, CrosstermBackend},
};

use crate::{
    Error,
    sys::{signal::Signals, warden::Warden},
};

/// Messages that may wait for the loop.
const WAITING: usize = 256;

/// What comes from outside.
#[derive(Debug)]
pub enum Event {
    /// A key, a paste, a resize.
    Terminal(TerminalEvent),
    /// A signal asks the viewer to go.
    Leave,
}

/// The terminal the dashboard draws on: the standard output, or, where that goes elsewhere,
/// the controlling terminal.
#[derive(Debug)]
pub struct Screen {
    file: File,
    events: Receiver<Event>,
}

impl Screen {
    /// Opens the terminal and begins to listen to it. Signals that would end the viewer are
    /// taken from here on, so that it can leave the terminal whole.
    ///
    /// # Errors
    /// When there is no terminal.
    pub fn open() -> Result<Self, Error> {
        let file = find()?;
        restore_on_panic(find_for_panic);
        post_warden(&file);
        let (sender, events) = bounded(WAITING);
        listen_to_signals(sender.clone())?;
        thread::Builder::new()
            .name("memtop-keys".to_owned())
            .spawn(move || listen_to_keys(&sender))
            .map_err(cannot_listen)?;
        Ok(Self { file, events })
    }

    /// Another handle to write to.
    ///
    /// # Errors
    /// When descriptors are used up.
    pub fn writer(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// What comes from it.
    pub fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        crossterm::terminal::size().unwrap_or((80, 24))
    }
}

/// Whether there is a terminal to draw on.
pub fn is_there() -> bool {
    find().is_ok()
}

fn find() -> Result<File, Error> {
    let stdout = io::stdout();
    let found = if stdout.is_terminal() {
        stdout.as_fd().try_clone_to_owned().map(File::from)
    } else {
        controlling()
    };
    found.map_err(|_| missing())
}

/// There is no terminal to draw on.
fn missing() -> Error {
    let text = "cannot show the dashboard: there is no terminal; memtop record -o FILE PROG needs \
                none, and memtop report FILE prints what a recording holds";
    Error::Usage(text.to_owned())
}

fn controlling() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

fn find_for_panic() -> io::Result<File> {
    controlling()
}

/// What a person reads whose viewer was killed.
const KILLED: &str = "memtop was killed; the program it watched goes on: memtop joins it again\r\n";

/// Before any thread is started. Without a warden the dashboard is as good, as long as it is not
/// killed.
fn post_warden(file: &File) {
    let mut words = farewell();
    words.extend(KILLED.as_bytes());
    let controlling = controlling();
    let terminal = controlling.as_ref().unwrap_or(file);
    if let Ok(warden) = Warden::start(terminal, &words) {
        tell(move |taken| warden.tell(taken));
    }
}

fn cannot_listen(source: io::Error) -> Error {
    Error::NotStarted {
        what: "listen to the keyboard".to_owned(),
        source,
        remedy: "raise the limit on processes (ulimit -u)",
    }
}

fn listen_to_keys(sender: &Sender<Event>) {
    while let Ok(event) = event::read() {
        if sender.send(Event::Terminal(event)).is_err() {
            return;
        }
    }
    // The terminal is gone.
    let _ = sender.send(Event::Leave);
}

fn listen_to_signals(sender: Sender<Event>) -> Result<(), Error> {
    let mut signals = Signals::collect(&[libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT])
        .map_err(cannot_listen)?;
    let listen = move || {
        while signals.wait().is_some() {
            if sender.send(Event::Leave).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("memtop-signals".to_owned())
        .spawn(listen)
        .map(drop)
        .map_err(cannot_listen)
}

/// Makes the next frame draw every cell. Not `Terminal::clear`: that asks the terminal for its
/// cursor, and the answer would go to the thread that reads the keys.
///
/// # Errors
/// When the terminal cannot be written to.
pub fn wipe<B: Backend>(terminal: &mut Terminal<B>) -> Result<(), B::Error> {
    terminal.backend_mut().clear_region(ClearType::All)?;
    // The buffer of the last frame, emptied, takes the place of the empty one.
    terminal.swap_buffers();
    Ok(())
}

/// Draws a frame, which the terminal shows as a whole where it knows how to: over a slow link
/// nothing is seen half drawn. Others take no notice of the marks around it.
///
/// # Errors
/// When the terminal cannot be written to.
pub fn draw_whole<W: Write>(
    terminal: &mut Terminal<CrosstermBackend<W>>,
    draw: impl FnOnce(&mut Frame<'_>),
) -> io::Result<()> {
    queue!(terminal.backend_mut(), BeginSynchronizedUpdate)?;
    terminal.draw(draw)?;
    execute!(terminal.backend_mut(), EndSynchronizedUpdate)
}

/// Gives the terminal back and stops this process, as Ctrl-Z would; when it is continued, the
/// next frame draws every cell.
///
/// # Errors
/// When the terminal cannot be written to.
pub fn suspend<B: Backend<Error = io::Error>>(
    guard: &mut Guard<File>,
    terminal: &mut Terminal<B>,
) -> io::Result<()> {
    guard.pause()?;
    // Nothing else makes it fail than that there is no such process.
    let _ = crate::sys::process::signal(std::process::id(), libc::SIGSTOP);
    guard.resume()?;
    wipe(terminal)
}

/// Asks the terminal behind `out` to put `text` on its clipboard: by OSC 52, which travels with
/// the screen, through ssh too. One that does not know it, or may not do it, takes no notice.
///
/// # Errors
/// When the terminal cannot be written to.
pub fn copy(out: &mut impl Write, text: &str) -> io::Result<()> {
    execute!(out, CopyToClipboard::to_clipboard_from(text))
}

/// How things are drawn here.
#[derive(Debug, Clone)]
pub struct Look {
    /// Light or dark.
    pub palette: Palette,
    depth: ColorDepth,
    glyphs: Glyphs,
    /// A theme of the person's own, on the palette it is made for.
    own: Option<Arc<Own>>,
}

impl Look {
    /// What the environment says of the terminal: `NO_COLOR`, `COLORTERM`, `TERM`, the
    /// locale's character set, and `COLORFGBG` for a light background.
    pub fn of_environment() -> Self {
        Self { palette: palette(), depth: depth(), glyphs: glyphs(), own: None }
    }

    /// The same for this background.
    #[must_use]
    pub fn on(self, palette: Palette) -> Self {
        Self { palette, ..self }
    }

    /// The same in these colours.
    #[must_use]
    pub fn with(self, own: Own) -> Self {
        Self { palette: own.base, own: Some(Arc::new(own)), ..self }
    }

    /// The theme for a palette.
    pub fn theme(&self, palette: Palette) -> Theme {
        let own = self.own.as_ref().filter(|own| own.base == palette);
        let own = own.and_then(|own| Theme::of(own, self.depth, self.glyphs).ok());
        own.unwrap_or_else(|| Theme::new(palette, self.depth, self.glyphs))
    }
}

/// What the environment says of the terminal, in words.
pub fn abilities() -> String {
    let colours = match depth() {
        ColorDepth::None => "no colours",
        ColorDepth::Ansi16 => "16 colours",
        ColorDepth::Ansi256 => "256 colours",
        ColorDepth::True => "all colours",
    };
    let glyphs = match glyphs() {
        Glyphs::Ascii => "ASCII alone (set LANG to a UTF-8 locale for more)",
        Glyphs::Blocks => "block characters",
        Glyphs::Braille => "UTF-8",
    };
    format!("{colours}, {glyphs}")
}

/// Whether nothing but ASCII should be written.
pub fn is_ascii() -> bool {
    glyphs() == Glyphs::Ascii
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn depth() -> ColorDepth {
    let term = variable("TERM");
    let colours = variable("COLORTERM");
    if !variable("NO_COLOR").is_empty() || term == "dumb" {
        ColorDepth::None
    } else if colours == "truecolor" || colours == "24bit" {
        ColorDepth::True
    } else if term.contains("256") {
        ColorDepth::Ansi256
    } else {
        ColorDepth::Ansi16
    }
}

fn glyphs() -> Glyphs {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].map(variable).into_iter().find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    let utf8 = locale.contains("utf-8") || locale.contains("utf8");
    match () {
        () if !utf8 || variable("TERM") == "dumb" => Glyphs::Ascii,
        () if variable("TERM") == "linux" => Glyphs::Blocks,
        () => Glyphs::Braille,
    }
}

/// `COLORFGBG=15;0` is light on dark; 7 and above 8 behind the last semicolon are light.
fn palette() -> Palette {
    let background =
        variable("COLORFGBG").rsplit(';').next().and_then(|last| last.parse::<u8>().ok());
    match background {
        Some(7 | 9..=15) => Palette::Light,
        _ => Palette::Dark,
    }
}
