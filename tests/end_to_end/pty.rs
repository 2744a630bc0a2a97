//! A terminal of the size one wants, with memtop on it: what is typed, what is seen, and
//! whether it is whole again afterwards.

use std::{
    fs::File,
    io::{Read, Write},
    mem,
    num::NonZero,
    os::{
        fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command, ExitStatus},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use memtop::sys::pty::{self, Pty, Size};

use super::{PATIENCE, figures::try_figure, wait_until};

const ENTER: &[u8] = b"\x1b[?1049h";
const LEAVE: &[u8] = b"\x1b[?1049l";
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";
const FRAME_BEGINS: &[u8] = b"\x1b[?2026h";
const FRAME_ENDS: &[u8] = b"\x1b[?2026l";

/// A process in a session of its own, whose controlling terminal is here.
pub struct Terminal {
    child: Child,
    master: Option<File>,
    /// Kept open, so that the settings can be read after the process has ended.
    slave: OwnedFd,
    before: libc::termios,
    seen: Arc<Seen>,
    reader: Option<JoinHandle<()>>,
}

struct Seen {
    inside: Mutex<Inside>,
    stop: AtomicBool,
}

struct Inside {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

impl Inside {
    fn rows(&self) -> Vec<String> {
        let screen = self.parser.screen();
        screen.rows(0, screen.size().1.get()).collect()
    }

    /// Whether no frame is half drawn.
    fn is_whole(&self) -> bool {
        last(&self.bytes, FRAME_BEGINS) <= last(&self.bytes, FRAME_ENDS)
    }
}

impl Terminal {
    /// Starts `command` on a terminal of so many columns and rows.
    pub fn start(size: (u16, u16), command: Command) -> Self {
        Self::start_with(size, command, |_| {})
    }

    /// As [`start`](Self::start); `redirect` may send standard descriptors elsewhere.
    pub fn start_with(
        (columns, rows): (u16, u16),
        mut command: Command,
        redirect: impl FnOnce(&mut Command),
    ) -> Self {
        let Pty { master, slave } = Pty::open(Size { columns, rows }).unwrap();
        let before = settings(&slave);
        let end = || slave.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end());
        redirect(&mut command);
        let number = slave.as_raw_fd();
        // SAFETY: setsid and ioctl are async-signal-safe; the descriptor is open until exec.
        unsafe {
            command.pre_exec(move || {
                let led = libc::setsid() >= 0 && libc::ioctl(number, libc::TIOCSCTTY, 0) == 0;
                led.then_some(()).ok_or_else(std::io::Error::last_os_error)
            });
        }
        let child = command.spawn().unwrap();
        let parser = vt100::Parser::new(at_least_one(rows), at_least_one(columns), 0);
        let inside = Mutex::new(Inside { parser, bytes: Vec::new() });
        let seen = Arc::new(Seen { inside, stop: AtomicBool::new(false) });
        let reader = {
            let (seen, master) = (Arc::clone(&seen), master.try_clone().unwrap());
            Some(thread::spawn(move || read_all(master, &seen)))
        };
        Self { child, master: Some(master), slave, before, seen, reader }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.seen.inside.lock().unwrap()
    }

    /// Process id of what runs on it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The screen, row by row.
    pub fn rows(&self) -> Vec<String> {
        self.inside().rows()
    }

    /// The screen as one text.
    pub fn text(&self) -> String {
        self.rows().join("\n")
    }

    /// Whether something with a colour of its own stands at the first place of `text`.
    pub fn is_coloured(&self, text: &str) -> bool {
        let inside = self.inside();
        let screen = inside.parser.screen();
        let found = screen.rows(0, screen.size().1.get()).enumerate().find_map(|(row, line)| {
            let at = line.find(text)?;
            Some((row as u16, line[..at].chars().count() as u16))
        });
        let (row, column) = found.unwrap_or_else(|| panic!("no {text:?}"));
        screen.cell(row, column).unwrap().fgcolor() != vt100::Color::Default
    }

    /// Every byte that came so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.inside().bytes.clone()
    }

    /// Waits until the rows of a whole frame satisfy.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (rows, is_whole) = {
                let inside = self.inside();
                (inside.rows(), inside.is_whole())
            };
            if is_whole && holds(&rows) {
                return rows;
            }
            thread::sleep(Duration::from_millis(10));
            if Instant::now() > deadline {
                panic!("{what} never came; the screen is\n{}", rows.join("\n"));
            }
        }
    }

    /// Waits until a text stands somewhere on the screen.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> Vec<String> {
        self.wait_until(text, |rows| rows.iter().any(|row| row.contains(text)))
    }

    /// Waits until the program has written a text: below the header, which has its command line.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) -> Vec<String> {
        self.wait_until(text, |rows| rows.iter().skip(2).any(|row| row.contains(text)))
    }

    /// Waits until a text is gone from the screen.
    #[track_caller]
    pub fn wait_without(&self, text: &str) -> Vec<String> {
        let what = format!("a screen without {text:?}");
        self.wait_until(&what, |rows| rows.iter().all(|row| !row.contains(text)))
    }

    /// Waits until exactly this many live blocks are shown, as in "100,000".
    #[track_caller]
    pub fn wait_for_blocks(&self, count: &str) -> Vec<String> {
        let what = format!("{count} live blocks");
        let holds = |rows: &[String]| try_figure(rows, "live blocks").is_some_and(|b| b == count);
        self.wait_until(&what, holds)
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        let mut master = self.master.as_ref().expect("an open terminal");
        master.write_all(keys.as_bytes()).unwrap();
    }

    /// Moves to the row of the chooser with a word, and takes it.
    pub fn choose(&self, word: &str) {
        let is_row = |row: &String| row.split_whitespace().any(|one| one == word);
        let rows = self.wait_until(word, |rows| rows.iter().any(is_row));
        let at = |wanted: &dyn Fn(&String) -> bool| rows.iter().position(wanted).unwrap();
        let heading = at(&|row| row.contains(" pid ") && row.contains("command"));
        self.press(&"j".repeat(at(&is_row) - heading - 1));
        self.press("\r");
    }

    /// Makes the terminal another size.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        let screen_size = (at_least_one(rows), at_least_one(columns));
        self.inside().parser.screen_mut().set_size(screen_size.0, screen_size.1);
        pty::set_size(self.master.as_ref().unwrap(), Size { columns, rows }).unwrap();
    }

    /// Closes it, as when a window is closed.
    pub fn close(&mut self) {
        self.stop_reading();
        self.master = None;
    }

    fn stop_reading(&mut self) {
        self.seen.stop.store(true, Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }

    /// Sends a signal to what runs on it.
    pub fn signal(&self, signal: i32) {
        super::signal(self.pid(), signal);
    }

    /// Waits for the end of what runs on it.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > deadline {
                panic!("it does not end; the screen is\n{}", self.text());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether line editing and everything else is set as before the start.
    pub fn has_its_settings(&self) -> bool {
        let now = settings(&self.slave);
        let flags = |t: &libc::termios| (t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_cc);
        flags(&now) == flags(&self.before)
    }

    /// Waits until the terminal is what it was before: settings, cursor, and the first screen.
    #[track_caller]
    pub fn wait_until_whole(&self) {
        wait_until("the alternate screen is left", || {
            let bytes = self.bytes();
            match (last(&bytes, ENTER), last(&bytes, LEAVE)) {
                (Some(entered), Some(left)) => {
                    left > entered && last(&bytes, SHOW_CURSOR) > Some(entered)
                }
                _ => false,
            }
        });
        wait_until("the settings are back", || self.has_its_settings());
        let inside = self.inside();
        let screen = inside.parser.screen();
        assert!(!screen.hide_cursor() && !screen.alternate_screen() && !screen.bracketed_paste());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stop_reading();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut master: File, seen: &Seen) {
    let mut buffer = [0; 64 << 10];
    while !seen.stop.load(Relaxed) {
        let mut wanted = libc::pollfd { fd: master.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry.
        unsafe { libc::poll(&mut wanted, 1, 20) };
        if let Ok(length) = master.read(&mut buffer) {
            let mut inside = seen.inside.lock().unwrap();
            inside.parser.process(&buffer[..length]);
            inside.bytes.extend(&buffer[..length]);
        }
    }
}

fn at_least_one(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap()
}

fn settings(slave: &OwnedFd) -> libc::termios {
    // SAFETY: `settings` is plain data that tcgetattr fills; the descriptor is open.
    unsafe {
        let mut settings: libc::termios = mem::zeroed();
        assert_eq!(libc::tcgetattr(slave.as_raw_fd(), &mut settings), 0);
        settings
    }
}

fn last(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|part| part == wanted)
}

/// A file of `path` to redirect to.
pub fn redirected(path: &std::path::Path) -> OwnedFd {
    let file = File::create(path).unwrap();
    // SAFETY: the descriptor comes from a file that gives it up.
    unsafe { OwnedFd::from_raw_fd(file.into_raw_fd()) }
}
