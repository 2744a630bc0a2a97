//! Taking the terminal over and giving it back, whatever happens.
//!
//! Three ways lead back and all end in [`restore`]: the [`Guard`] goes out of scope, a panic runs
//! the hook of [`restore_on_panic`], or a signal is turned into a call. Whoever comes first
//! restores; the others find nothing to do. When this process is killed, somebody else must:
//! [`tell`] lets a witness know whether there is something to restore, and [`farewell`] is what
//! it has to write.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    DisableLineWrap, EnableLineWrap, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, style};

/// Whether the terminal is ours now. Relaxed suffices: the flag guards no other memory.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Who is told whether the terminal is taken.
static WITNESS: OnceLock<Box<dyn Fn(bool) + Send + Sync>> = OnceLock::new();

/// From now on `witness` is told before the terminal is taken and after it was given back. The
/// first witness stays.
pub fn tell(witness: impl Fn(bool) + Send + Sync + 'static) {
    let _ = WITNESS.set(Box::new(witness));
}

fn taken(yes: bool) {
    if let Some(witness) = WITNESS.get() {
        witness(yes);
    }
}

/// Lets the terminal report clicks and the wheel, with coordinates of any size. Movements are
/// left out: nothing is dragged, and they would come by the hundred.
const MOUSE: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// The opposite.
const NO_MOUSE: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Holds the terminal in raw mode on its alternate screen until dropped.
#[derive(Debug)]
pub struct Guard<W: Write> {
    out: W,
    mouse: bool,
}

impl<W: Write> Guard<W> {
    /// Takes the terminal behind `out` over, with its mouse or without.
    ///
    /// # Errors
    /// When the terminal cannot be put in raw mode or written to; it is left as it was.
    pub fn enter(out: W, mouse: bool) -> io::Result<Self> {
        let mut guard = Self { out, mouse };
        guard.resume()?;
        Ok(guard)
    }

    /// Gives the terminal back for a while, to suspend.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn pause(&mut self) -> io::Result<()> {
        restore(&mut self.out)
    }

    /// Takes the terminal over again. The next frame must be drawn in full.
    ///
    /// # Errors
    /// As for [`Guard::enter`].
    pub fn resume(&mut self) -> io::Result<()> {
        taken(true);
        enable_raw_mode().inspect_err(|_| taken(false))?;
        TAKEN.store(true, Ordering::Relaxed);
        let entered = execute!(
            self.out,
            EnterAlternateScreen,
            DisableLineWrap,
            EnableBracketedPaste,
            cursor::Hide
        );
        let mouse: &[u8] = if self.mouse { MOUSE } else { &[] };
        let entered =
            entered.and_then(|()| self.out.write_all(mouse)).and_then(|()| self.out.flush());
        entered.inspect_err(|_| drop(restore(&mut self.out)))
    }
}

impl<W: Write> Drop for Guard<W> {
    fn drop(&mut self) {
        // Nobody is left to tell: the terminal is gone.
        let _ = restore(&mut self.out);
    }
}

/// Gives the terminal back if it is taken. Safe to call any number of times, from any thread.
///
/// # Errors
/// When the terminal cannot be written to; raw mode is left all the same.
pub fn restore(out: &mut impl Write) -> io::Result<()> {
    if !TAKEN.swap(false, Ordering::Relaxed) {
        return Ok(());
    }
    let left = out.write_all(&farewell()).and_then(|()| out.flush());
    let restored = left.and(disable_raw_mode());
    taken(false);
    restored
}

/// What makes the screen whole again, whatever of it was changed.
pub fn farewell() -> Vec<u8> {
    let mut bytes = NO_MOUSE.to_vec();
    // Writing to memory does not fail.
    let _ = execute!(
        bytes,
        style::ResetColor,
        DisableBracketedPaste,
        EnableLineWrap,
        cursor::Show,
        LeaveAlternateScreen
    );
    bytes
}

/// Makes a panic restore the terminal first, so that its message is printed where it can be read.
///
/// `open` yields a fresh writer to the terminal.
pub fn restore_on_panic<W: Write>(open: impl Fn() -> io::Result<W> + Send + Sync + 'static) {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Ok(mut out) = open() {
            let _ = restore(&mut out);
        }
        print(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restoring_happens_once() {
        TAKEN.store(true, Ordering::Relaxed);
        let mut written = Vec::new();
        let _ = restore(&mut written);
        let text = String::from_utf8(written.clone()).unwrap();
        assert!(text.contains("\x1b[?1049l"), "leaves the alternate screen");
        assert!(text.contains("\x1b[?25h"), "shows the cursor");
        assert!(text.contains("\x1b[?2004l"), "ends bracketed paste");
        assert!(text.contains("\x1b[?1000l"), "leaves the mouse alone");
        let _ = restore(&mut written);
        assert_eq!(written.len(), text.len(), "a second call does nothing");
    }
}
