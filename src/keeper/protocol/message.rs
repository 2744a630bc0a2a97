//! The messages: explicit encoding and decoding, kind by kind.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf, time::Duration};

use super::{
    VERSION,
    wire::{Builder, Malformed, Parser},
};
use crate::{
    keeper::{clock::Start, launch::Options, output::Output},
    model::{Exit, Point},
    recording::Mark,
    sys::pty::Size,
};

/// Why a viewer connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To see and stay.
    Watch,
    /// To learn what runs here, and leave.
    Ask,
}

/// From a viewer.
#[derive(Debug, Clone, PartialEq)]
pub enum FromViewer {
    /// First message to a keeper that runs.
    Open {
        /// The viewer's [`VERSION`].
        version: u32,
        /// Why it connects.
        purpose: Purpose,
    },
    /// First message to a keeper that the viewer has just made.
    Start {
        /// What to launch.
        options: Options,
        /// Size of the terminal to give it.
        size: Size,
    },
    /// What the user typed to the program.
    Input(Vec<u8>),
    /// The size of the pane in which the program is shown.
    Resize(Size),
    /// Start or stop tracing.
    Tracing(bool),
    /// Start the figures over.
    Clear,
    /// End the program: asked first, forced after a while.
    EndProgram,
    /// Let a program that was stopped go on, in the foreground of its terminal.
    Continue,
    /// Record into this file, which must not exist, what is kept of the session and what comes.
    Record(PathBuf),
    /// Complete the recording.
    EndRecording,
    /// A moment was marked, or its mark got another name.
    Mark {
        /// Number of the process's session in the session memory.
        index: u32,
        /// When, and how it is called.
        mark: Mark,
    },
}

/// The keeper's answer to a viewer that opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The keeper's [`VERSION`].
    pub version: u32,
    /// Process id of the keeper.
    pub keeper: u32,
    /// Process id of the program.
    pub root: u32,
    /// Wall-clock time of the launch, since the Unix epoch.
    pub launched_at: Duration,
    /// True if any of the program's standard descriptors is memtop's pseudo-terminal; it can
    /// be opened as the controlling terminal in any case.
    pub has_pty: bool,
    /// True if this viewer drains the events and may touch; others look.
    pub holds_feed: bool,
    /// Size of the terminal.
    pub size: Size,
    /// The command as it was typed.
    pub command: Vec<Vec<u8>>,
    /// What is likely to make figures incomplete.
    pub warnings: Vec<String>,
    /// Live bytes of all its processes that run.
    pub live: Option<u64>,
    /// Viewers that look already.
    pub viewers: u32,
    /// How the program ended, if it has.
    pub exit: Option<Exit>,
    /// Number of the keeper's descriptor of the recording of what was until now.
    pub past: Option<u32>,
}

/// From the keeper.
#[derive(Debug, Clone, PartialEq)]
pub enum FromKeeper {
    /// Welcome; the session memory's descriptor comes with it, except to who only asks.
    Hello(Hello),
    /// The program was not started, or the viewer is refused: the message and exit code.
    Failed {
        /// Complete sentence.
        message: String,
        /// Exit code that goes with it.
        code: u8,
    },
    /// What the program's terminal got before the viewer came, as far back as is kept.
    Scrollback(Vec<u8>),
    /// What it got since.
    Output(Vec<u8>),
    /// So many bytes of output are missing here, because the viewer was too slow.
    Gap(u64),
    /// Samples of a process image, later than those before unless it starts over.
    History {
        /// Number of its session in the session memory.
        index: u32,
        /// Process id.
        pid: u32,
        /// 0 for the first image of this pid.
        generation: u32,
        /// True if all points of this image that came before are replaced.
        restart: bool,
        /// The samples.
        points: Vec<Point>,
    },
    /// A process image has ended.
    ProcessEnded {
        /// Number of its session in the session memory.
        index: u32,
        /// Process id.
        pid: u32,
        /// 0 for the first image of this pid.
        generation: u32,
        /// How, where that is known.
        exit: Option<Exit>,
        /// When, `CLOCK_MONOTONIC` nanoseconds.
        ended_ns: u64,
    },
    /// The launched program has ended.
    Exit(Exit),
    /// A signal has stopped the launched program, or it goes on again.
    Stopped(bool),
    /// This viewer now holds the feed.
    Feed,
    /// How the recording stands.
    Recording {
        /// Bytes so far; `None` when it is over.
        bytes: Option<u64>,
        /// What went wrong; empty when nothing did.
        message: String,
    },
    /// A recording has begun that was asked for.
    RecordingBegan {
        /// Into this file.
        path: PathBuf,
        /// Its first moment, since the first session of the launch began.
        from: Duration,
        /// Detail is left out up to then; zero where all of it is there.
        thinned_until: Duration,
    },
}

mod viewer {
    pub(super) const OPEN: u8 = 1;
    pub(super) const START: u8 = 2;
    pub(super) const INPUT: u8 = 3;
    pub(super) const RESIZE: u8 = 4;
    pub(super) const TRACING: u8 = 5;
    pub(super) const CLEAR: u8 = 6;
    pub(super) const END_PROGRAM: u8 = 7;
    pub(super) const RECORD: u8 = 8;
    pub(super) const END_RECORDING: u8 = 9;
    pub(super) const MARK: u8 = 10;
    pub(super) const CONTINUE: u8 = 11;
}

mod keeper {
    pub(super) const HELLO: u8 = 129;
    pub(super) const FAILED: u8 = 130;
    pub(super) const SCROLLBACK: u8 = 131;
    pub(super) const OUTPUT: u8 = 132;
    pub(super) const GAP: u8 = 133;
    pub(super) const HISTORY: u8 = 134;
    pub(super) const PROCESS_ENDED: u8 = 135;
    pub(super) const EXIT: u8 = 136;
    pub(super) const FEED: u8 = 137;
    pub(super) const RECORDING: u8 = 138;
    pub(super) const RECORDING_BEGAN: u8 = 139;
    pub(super) const STOPPED: u8 = 140;
}

impl FromViewer {
    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Open { version, purpose } => {
                Builder::new(viewer::OPEN).u32(*version).u8((*purpose == Purpose::Ask).into())
            }
            Self::Start { options, size } => {
                let builder = Builder::new(viewer::START).u32(VERSION);
                put_size(put_options(builder, options), *size)
            }
            Self::Input(bytes) => Builder::new(viewer::INPUT).rest(bytes),
            Self::Resize(size) => put_size(Builder::new(viewer::RESIZE), *size),
            Self::Tracing(on) => Builder::new(viewer::TRACING).u8((*on).into()),
            Self::Clear => Builder::new(viewer::CLEAR),
            Self::EndProgram => Builder::new(viewer::END_PROGRAM),
            Self::Continue => Builder::new(viewer::CONTINUE),
            Self::Record(path) => Builder::new(viewer::RECORD).rest(path.as_os_str().as_bytes()),
            Self::EndRecording => Builder::new(viewer::END_RECORDING),
            Self::Mark { index, mark } => Builder::new(viewer::MARK)
                .u32(*index)
                .time(mark.at)
                .u32(mark.number)
                .bytes(mark.label.as_bytes()),
        }
        .finish()
    }

    /// The message of a frame; `None` when its kind is unknown here.
    ///
    /// # Errors
    /// When the payload does not fit the kind.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut parser = Parser(payload);
        Ok(Some(match kind {
            viewer::OPEN => Self::Open {
                version: parser.u32()?,
                purpose: match parser.flag()? {
                    true => Purpose::Ask,
                    false => Purpose::Watch,
                },
            },
            viewer::START => {
                // Both sides are the same file, except while it is being replaced.
                if parser.u32()? != VERSION {
                    return Err(Malformed);
                }
                Self::Start { options: options(&mut parser)?, size: size(&mut parser)? }
            }
            viewer::INPUT => Self::Input(payload.to_vec()),
            viewer::RESIZE => Self::Resize(size(&mut parser)?),
            viewer::TRACING => Self::Tracing(parser.flag()?),
            viewer::CLEAR => Self::Clear,
            viewer::END_PROGRAM => Self::EndProgram,
            viewer::CONTINUE => Self::Continue,
            viewer::RECORD => Self::Record(OsStr::from_bytes(payload).into()),
            viewer::END_RECORDING => Self::EndRecording,
            viewer::MARK => {
                let (index, at, number) = (parser.u32()?, parser.time()?, parser.u32()?);
                let label = parser.text()?;
                Self::Mark { index, mark: Mark { at, number, label } }
            }
            _ => return Ok(None),
        }))
    }
}

impl FromKeeper {
    /// The frame.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(hello) => put_hello(Builder::new(keeper::HELLO), hello),
            Self::Failed { message, code } => {
                Builder::new(keeper::FAILED).u8(*code).bytes(message.as_bytes())
            }
            Self::Scrollback(bytes) => Builder::new(keeper::SCROLLBACK).rest(bytes),
            Self::Output(bytes) => Builder::new(keeper::OUTPUT).rest(bytes),
            Self::Gap(bytes) => Builder::new(keeper::GAP).u64(*bytes),
            Self::History { index, pid, generation, restart, points } => {
                let builder = Builder::new(keeper::HISTORY).u32(*index).u32(*pid);
                let builder = builder.u32(*generation).u8((*restart).into());
                let builder = builder.u32(points.len() as u32);
                points.iter().fold(builder, put_point)
            }
            Self::ProcessEnded { index, pid, generation, exit, ended_ns } => {
                let builder = Builder::new(keeper::PROCESS_ENDED).u32(*index).u32(*pid);
                put_exit(builder.u32(*generation), *exit).u64(*ended_ns)
            }
            Self::Exit(exit) => put_exit(Builder::new(keeper::EXIT), Some(*exit)),
            Self::Stopped(stopped) => Builder::new(keeper::STOPPED).u8((*stopped).into()),
            Self::Feed => Builder::new(keeper::FEED),
            Self::Recording { bytes, message } => {
                Builder::new(keeper::RECORDING).optional(*bytes).bytes(message.as_bytes())
            }
            Self::RecordingBegan { path, from, thinned_until } => {
                Builder::new(keeper::RECORDING_BEGAN)
                    .time(*from)
                    .time(*thinned_until)
                    .bytes(path.as_os_str().as_bytes())
            }
        }
        .finish()
    }

    /// The message of a frame; `None` when its kind is unknown here.
    ///
    /// # Errors
    /// When the payload does not fit the kind.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut parser = Parser(payload);
        Ok(Some(match kind {
            keeper::HELLO => Self::Hello(hello(&mut parser)?),
            keeper::FAILED => Self::Failed { code: parser.u8()?, message: parser.text()? },
            keeper::SCROLLBACK => Self::Scrollback(payload.to_vec()),
            keeper::OUTPUT => Self::Output(payload.to_vec()),
            keeper::GAP => Self::Gap(parser.u64()?),
            keeper::HISTORY => history(&mut parser)?,
            keeper::PROCESS_ENDED => Self::ProcessEnded {
                index: parser.u32()?,
                pid: parser.u32()?,
                generation: parser.u32()?,
                exit: exit(&mut parser)?,
                ended_ns: parser.u64()?,
            },
            keeper::EXIT => Self::Exit(exit(&mut parser)?.ok_or(Malformed)?),
            keeper::STOPPED => Self::Stopped(parser.flag()?),
            keeper::FEED => Self::Feed,
            keeper::RECORDING => {
                Self::Recording { bytes: parser.optional()?, message: parser.text()? }
            }
            keeper::RECORDING_BEGAN => Self::RecordingBegan {
                from: parser.time()?,
                thinned_until: parser.time()?,
                path: OsStr::from_bytes(parser.bytes()?).into(),
            },
            _ => return Ok(None),
        }))
    }
}

fn put_options(builder: Builder, options: &Options) -> Builder {
    let nanoseconds = crate::keeper::clock::nanoseconds;
    let (start, delay) = match options.start {
        Start::Now => (0, Duration::ZERO),
        Start::Paused => (1, Duration::ZERO),
        Start::After(delay) => (2, delay),
    };
    let library: Vec<_> = options.library.iter().map(|path| path.clone().into()).collect();
    let output: Vec<_> = options.output.iter().map(|one| one.path.clone().into()).collect();
    builder
        .u8(start)
        .time(delay)
        .optional(options.stop_after.map(nanoseconds))
        .time(options.tick)
        .optional(options.tracer_limit)
        .u32(options.frames)
        .u8(options.events.into())
        .optional(options.max_size)
        .words(&library)
        .words(&output)
        .u8(options.output.as_ref().is_some_and(|one| one.force).into())
        .words(&options.command)
}

fn options(parser: &mut Parser<'_>) -> Result<Options, Malformed> {
    let (start, delay) = (parser.u8()?, parser.time()?);
    Ok(Options {
        start: match start {
            0 => Start::Now,
            1 => Start::Paused,
            2 => Start::After(delay),
            _ => return Err(Malformed),
        },
        stop_after: parser.optional()?.map(Duration::from_nanos),
        tick: parser.time()?,
        tracer_limit: parser.optional()?,
        frames: parser.u32()?,
        events: parser.u8()? != 0,
        max_size: parser.optional()?,
        library: parser.words()?.into_iter().next().map(Into::into),
        output: output(parser)?,
        command: parser.words()?,
    })
}

fn output(parser: &mut Parser<'_>) -> Result<Option<Output>, Malformed> {
    let path = parser.words()?.into_iter().next().map(PathBuf::from);
    let force = parser.flag()?;
    Ok(path.map(|path| Output { path, force }))
}

fn put_hello(builder: Builder, hello: &Hello) -> Builder {
    // The version comes first and stays so: it decides about the rest.
    let builder = builder.u32(hello.version).u32(hello.keeper).u32(hello.root);
    let builder = builder.time(hello.launched_at).u8(hello.has_pty.into());
    let builder = put_size(builder.u8(hello.holds_feed.into()), hello.size)
        .list(&hello.command)
        .list(&hello.warnings)
        .optional(hello.live)
        .u32(hello.viewers);
    put_exit(builder, hello.exit).optional(hello.past.map(u64::from))
}

fn hello(parser: &mut Parser<'_>) -> Result<Hello, Malformed> {
    let owned = |list: Vec<&[u8]>| list.into_iter().map(<[u8]>::to_vec).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Hello {
        version: parser.u32()?,
        keeper: parser.u32()?,
        root: parser.u32()?,
        launched_at: parser.time()?,
        has_pty: parser.flag()?,
        holds_feed: parser.flag()?,
        size: size(parser)?,
        command: owned(parser.list()?),
        warnings: parser.list()?.into_iter().map(text).collect(),
        live: parser.optional()?,
        viewers: parser.u32()?,
        exit: exit(parser)?,
        past: parser.optional()?.and_then(|number| u32::try_from(number).ok()),
    })
}

fn history(parser: &mut Parser<'_>) -> Result<FromKeeper, Malformed> {
    let (index, pid, generation) = (parser.u32()?, parser.u32()?, parser.u32()?);
    let (restart, count) = (parser.flag()?, parser.u32()?);
    let mut points = Vec::new();
    for _ in 0..count {
        points.push(point(parser)?);
    }
    Ok(FromKeeper::History { index, pid, generation, restart, points })
}

fn put_point(builder: Builder, point: &Point) -> Builder {
    builder
        .time(point.at)
        .u64(point.current_bytes)
        .u64(point.max_bytes)
        .optional(point.rss_bytes)
        .u64(point.untracked_freed_bytes)
}

fn point(parser: &mut Parser<'_>) -> Result<Point, Malformed> {
    Ok(Point {
        at: parser.time()?,
        current_bytes: parser.u64()?,
        max_bytes: parser.u64()?,
        rss_bytes: parser.optional()?,
        untracked_freed_bytes: parser.u64()?,
    })
}

fn put_exit(builder: Builder, exit: Option<Exit>) -> Builder {
    let (kind, number) = match exit {
        None => (0, 0),
        Some(Exit::Code(code)) => (1, code),
        Some(Exit::Signal(signal)) => (2, signal),
    };
    builder.u8(kind).u32(number as u32)
}

fn exit(parser: &mut Parser<'_>) -> Result<Option<Exit>, Malformed> {
    let (kind, number) = (parser.u8()?, parser.u32()? as i32);
    match kind {
        0 => Ok(None),
        1 => Ok(Some(Exit::Code(number))),
        2 => Ok(Some(Exit::Signal(number))),
        _ => Err(Malformed),
    }
}

fn put_size(builder: Builder, size: Size) -> Builder {
    builder.u16(size.columns).u16(size.rows)
}

fn size(parser: &mut Parser<'_>) -> Result<Size, Malformed> {
    Ok(Size { columns: parser.u16()?, rows: parser.u16()? })
}

#[cfg(test)]
mod tests;
