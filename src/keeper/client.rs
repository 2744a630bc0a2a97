//! The viewer's half: making a keeper, or joining one that runs.

use std::{
    ffi::CString,
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::Path,
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender};
use memtop_probe::session::reader::Reader;

use super::{
    launch::{LaunchError, Options},
    protocol::{Frames, FromKeeper, FromViewer, Hello, Malformed, Purpose, VERSION},
    rendezvous,
};
use crate::model::Exit;
use crate::sys::{
    descriptor,
    pty::Size,
    socket,
    spawn::{self, Place, Spawn},
};

/// A keeper that does not answer for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Asked only what it runs, it must answer sooner: a person waits for the list.
const ASKING: Duration = Duration::from_millis(500);
/// Messages that wait for the event loop; a full queue makes the keeper keep the rest.
const QUEUE: usize = 64;

/// Why a running program could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// No keeper and no program of a keeper has this number.
    #[error(
        "cannot join process {0}: it is not traced by memtop; start it with memtop run, or see \
         what is traced by memtop without arguments"
    )]
    NotTraced(u32),
    /// The keeper did not answer as it should.
    #[error("cannot join process {pid}: {source}; if its keeper hangs, the program still runs")]
    Keeper {
        /// The process asked for.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// The keeper refused.
    #[error("cannot join process {pid}: {message}")]
    Refused {
        /// The process asked for.
        pid: u32,
        /// The keeper's words.
        message: String,
    },
}

/// A program that a keeper holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Process id of the keeper.
    pub keeper: u32,
    /// Process id of the program.
    pub pid: u32,
    /// Its command, as it was typed.
    pub command: Vec<Vec<u8>>,
    /// Wall-clock time of the launch, since the Unix epoch.
    pub launched_at: Duration,
    /// Live bytes of all its processes that run.
    pub live: Option<u64>,
    /// Viewers that look already.
    pub viewers: u32,
    /// How it ended, where its keeper still waits for somebody to see it.
    pub exit: Option<Exit>,
}

/// The programs that keepers of this user hold.
pub fn list_running() -> Vec<Running> {
    rendezvous::keepers().into_iter().filter_map(ask).collect()
}

fn ask(keeper: u32) -> Option<Running> {
    let socket = rendezvous::connect(keeper).ok()?;
    match open(&socket, Purpose::Ask, ASKING).ok()?.0 {
        FromKeeper::Hello(hello) => Some(Running {
            keeper,
            pid: hello.root,
            command: hello.command,
            launched_at: hello.launched_at,
            live: hello.live,
            viewers: hello.viewers,
            exit: hello.exit,
        }),
        _ => None,
    }
}

/// A viewer's connection to a keeper. Dropping it leaves the program as it is.
#[derive(Debug)]
pub struct Connection {
    hello: Hello,
    reader: Arc<Reader>,
    socket: UnixStream,
    messages: Receiver<FromKeeper>,
}

impl Connection {
    /// Makes a keeper, has it launch the program, and connects.
    ///
    /// # Errors
    /// When the program was not started.
    pub fn spawn(options: &Options, size: Size) -> Result<Self, LaunchError> {
        Self::spawn_by(Path::new("/proc/self/exe"), options, size, [None; 3])
    }

    /// As [`spawn`](Self::spawn), with this file as memtop, and with other standard
    /// descriptors than this process's.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub fn spawn_by(
        memtop: &Path,
        options: &Options,
        size: Size,
        standard: [Option<BorrowedFd<'_>>; 3],
    ) -> Result<Self, LaunchError> {
        let failed = |error| {
            LaunchError::prepare("start memtop's keeper", error, "see whether memtop is intact")
        };
        let socket = start_keeper(memtop, options, standard).map_err(failed)?;
        let options = options.clone();
        let start = FromViewer::Start { options, size };
        match greet(&socket, &start, PATIENCE).and_then(|answer| Self::new(socket, answer)) {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err((message, code))) => Err(LaunchError::Remote { message, code }),
            Err(error) => Err(failed(error)),
        }
    }

    /// Joins the keeper with this number, or the one that holds the program with it.
    ///
    /// # Errors
    /// When there is none, or it does not answer.
    pub fn join(pid: u32) -> Result<Self, JoinError> {
        let known = list_running();
        let matching = |running: &&Running| running.keeper == pid || running.pid == pid;
        let keeper = known.iter().find(matching).ok_or(JoinError::NotTraced(pid))?;
        let failed = |source| JoinError::Keeper { pid, source };
        let socket = rendezvous::connect(keeper.keeper).map_err(failed)?;
        let answer = open(&socket, Purpose::Watch, PATIENCE).map_err(failed)?;
        match Self::new(socket, answer).map_err(failed)? {
            Ok(connection) => Ok(connection),
            Err((message, _)) => Err(JoinError::Refused { pid, message }),
        }
    }

    fn new(socket: UnixStream, answer: Answer) -> io::Result<Result<Self, (String, u8)>> {
        let (message, memory, frames) = answer;
        let hello = match message {
            FromKeeper::Hello(hello) => hello,
            FromKeeper::Failed { message, code } => return Ok(Err((message, code))),
            _ => return Err(io::Error::other(Malformed)),
        };
        let memory = memory.ok_or_else(|| io::Error::other("it sent no session memory"))?;
        let reader = Reader::open(memory.as_raw_fd())
            .map_err(|_| io::Error::other("its session memory is of another version"))?;
        // A keeper always reads; one that does not is stopped, and must not stop the viewer.
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_read_timeout(None)?;
        let (sender, messages) = crossbeam_channel::bounded(QUEUE);
        let incoming = socket.try_clone()?;
        std::thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || receive_all(&incoming, frames, &sender))?;
        Ok(Ok(Self { hello, reader: Arc::new(reader), socket, messages }))
    }

    /// What the keeper said at the beginning.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// The session memory.
    pub fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// What the keeper says; disconnected when it is gone.
    pub fn messages(&self) -> &Receiver<FromKeeper> {
        &self.messages
    }

    /// Says something to the keeper.
    ///
    /// # Errors
    /// When the keeper is gone.
    pub fn send(&self, message: &FromViewer) -> io::Result<()> {
        (&self.socket).write_all(&message.encode())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Wakes the receiving thread, which owns the other half.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// Lets go of what the program inherited through this viewer: whoever reads the other end of
/// a redirected stdout must see its end when the program closes it. For `memtop run`, after
/// the keeper was spawned; terminals and stderr stay.
pub fn release_program_descriptors() {
    let redirected = [0, 1].into_iter().filter(|&number| !descriptor::is_terminal(number));
    // Without /dev/null, keeping them is the lesser evil.
    let _ = descriptor::release_standard(&redirected.collect::<Vec<_>>());
    descriptor::release_inherited();
}

/// The first message, the memory's descriptor, and what was received behind them.
type Answer = (FromKeeper, Option<OwnedFd>, Frames);

fn start_keeper(
    memtop: &Path,
    options: &Options,
    standard: [Option<BorrowedFd<'_>>; 3],
) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let number = theirs.as_raw_fd().to_string();
    // The program's name is for people who look at the list of processes.
    let program = options.command.first().map_or(&b""[..], |name| name.as_bytes());
    let arguments = [b"memtop", &b"keeper"[..], number.as_bytes(), program];
    spawn::spawn(&Spawn {
        file: &CString::new(memtop.as_os_str().as_bytes())?,
        arguments: &arguments.map(|one| CString::new(one).unwrap_or_default()),
        environment: &spawn::environment(),
        standard,
        hand_down: Some(theirs.as_fd()),
        place: Place::NewSession,
    })?;
    Ok(ours)
}

fn open(socket: &UnixStream, purpose: Purpose, patience: Duration) -> io::Result<Answer> {
    let version = VERSION;
    greet(socket, &FromViewer::Open { version, purpose }, patience)
}

/// Sends the first message and waits for the answer.
fn greet(socket: &UnixStream, first: &FromViewer, patience: Duration) -> io::Result<Answer> {
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    { socket }.write_all(&first.encode())?;
    let mut frames = Frames::default();
    let mut memory = None;
    let mut buffer = [0; 16 * 1024];
    loop {
        let (length, descriptor) = socket::receive(socket, &mut buffer)?;
        memory = memory.or(descriptor);
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        frames.extend(&buffer[..length]);
        if let Some(message) = next_message(&mut frames).map_err(io::Error::other)? {
            return Ok((message, memory, frames));
        }
    }
}

/// The next whole message of a kind that is known.
fn next_message(frames: &mut Frames) -> Result<Option<FromKeeper>, Malformed> {
    while let Some((kind, payload)) = frames.take()? {
        if let Some(message) = FromKeeper::decode(kind, payload)? {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// The receiving thread: ends with the connection, at either end.
fn receive_all(socket: &UnixStream, mut frames: Frames, to: &Sender<FromKeeper>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(message) = next_message(&mut frames).transpose() {
            let heard = message.is_ok_and(|message| to.send(message).is_ok());
            if !heard {
                return;
            }
        }
        match socket::receive(socket, &mut buffer) {
            Ok((length, _)) if length > 0 => frames.extend(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}
