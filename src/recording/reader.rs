//! Reads frames off bytes that nobody vouches for.
//!
//! Invariants: no length is believed before the bytes are there; nothing behind the first
//! bad frame is read; a reader holds one frame, and what it yields is bounded by its size.

use std::{
    io::{self, Read},
    time::Duration,
};

use super::{
    FRAME_HEADER_BYTES, MAGIC, MAX_FRAME_BYTES, MAX_HELD_BYTES, MOMENT_END, VERSION, frame_crc,
    kind,
    schema::{End, Ending, Launch, Record},
    timeline::read_points,
    wire::{Malformed, find_uint},
};
use crate::model::{Exit, Identity, Point, ProcessState, Window};

/// Why bytes could not be read as a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing there.
    #[error("it is empty; was memtop killed before it wrote the first record?")]
    Empty,
    /// The magic is something else.
    #[error(
        "it is not a memtop recording; these are written by `memtop record -o FILE` and \
         `memtop run --output FILE`"
    )]
    Foreign,
    /// Cut within the first bytes.
    #[error("it was cut within its first 12 bytes, nothing of it is left to show; record again")]
    TooShort,
    /// Written by a newer memtop.
    #[error(
        "it has recording format {0}, and this memtop reads up to {VERSION}; open it with the \
         version that wrote it, or a newer one"
    )]
    Version(u32),
    /// It would take too much memory.
    #[error(
        "it would take more than {} MiB of memory to open; record with a longer --tick",
        MAX_HELD_BYTES >> 20
    )]
    TooLarge,
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// The command, and when it was launched since the Unix epoch.
    Launch {
        /// Program first.
        command: Vec<Vec<u8>>,
        /// Since the Unix epoch.
        launched_at: Duration,
    },
    /// A process image is introduced.
    Process {
        /// Its number in this recording.
        image: u64,
        /// All but its end.
        identity: Identity,
    },
    /// When it was traced.
    Window {
        /// Of which image.
        image: u64,
        /// So far.
        window: Window,
    },
    /// The figures at its end; identity, window and timeline are empty.
    State {
        /// Of which image.
        image: u64,
        /// The figures.
        state: Box<ProcessState>,
    },
    /// More samples.
    Timeline {
        /// Of which image.
        image: u64,
        /// Later than those before.
        points: Vec<Point>,
    },
    /// An image, or the launched program, ended.
    Exit {
        /// Of which image; `None`: the launched program.
        image: Option<u64>,
        /// Since the launch.
        ended: Option<Duration>,
        /// How, if known.
        exit: Option<Exit>,
    },
    /// The recording is complete.
    End {
        /// How many frames stand before this one.
        frames: u64,
    },
    /// Something a newer memtop wrote.
    Skipped {
        /// Kind of the frame.
        kind: u8,
        /// Bytes of its payload.
        length: u32,
    },
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Reading,
    Ended,
    Cut,
}

/// Reads a recording frame by frame, in constant memory.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    version: u32,
    offset: u64,
    frames: u64,
    progress: Progress,
}

impl<R: Read> Reader<R> {
    /// Checks the header.
    ///
    /// # Errors
    /// When `input` is no recording that this memtop understands.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let mut header = Vec::new();
        input.by_ref().take(12).read_to_end(&mut header)?;
        let version = check_header(&header)?;
        Ok(Self { input, version, offset: 12, frames: 0, progress: Progress::Reading })
    }

    /// The next frame; `None` behind the end frame or at the cut.
    ///
    /// # Errors
    /// When the system refuses to read on.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        if self.progress != Progress::Reading {
            return Ok(None);
        }
        let Some((kind, payload)) = self.raw_frame()? else {
            self.progress = Progress::Cut;
            return Ok(None);
        };
        let frame = decode(kind, &payload).ok();
        self.progress = self.progress_after(frame.as_ref());
        if frame.is_some() {
            self.frames += 1;
            self.offset += (FRAME_HEADER_BYTES + payload.len()) as u64;
        }
        Ok(frame)
    }

    fn progress_after(&self, frame: Option<&Frame>) -> Progress {
        match frame {
            None => Progress::Cut,
            Some(Frame::End { frames }) if *frames != self.frames => Progress::Cut,
            Some(Frame::End { .. }) => Progress::Ended,
            Some(_) => Progress::Reading,
        }
    }

    /// Kind and payload of the next frame, if all of it is there and its CRC is right.
    fn raw_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, ReadError> {
        let mut header = Vec::new();
        let limit = FRAME_HEADER_BYTES as u64;
        self.input.by_ref().take(limit).read_to_end(&mut header)?;
        let Ok([l0, l1, l2, l3, kind, c0, c1, c2, c3]) =
            <[u8; FRAME_HEADER_BYTES]>::try_from(header)
        else {
            return Ok(None);
        };
        let length = [l0, l1, l2, l3];
        let limit = u32::from_le_bytes(length);
        if limit > MAX_FRAME_BYTES {
            return Ok(None);
        }
        let mut payload = Vec::new();
        let input = self.input.by_ref();
        input.take(u64::from(limit)).read_to_end(&mut payload)?;
        let whole = payload.len() as u64 == u64::from(limit);
        let crc = u32::from_le_bytes([c0, c1, c2, c3]);
        let right = whole && crc == frame_crc(length, kind, &payload);
        Ok(right.then_some((kind, payload)))
    }

    /// Where the next frame starts, or the cut is: everything before was good.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The recording's format.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether the recording stopped before its end frame.
    pub fn is_cut(&self) -> bool {
        self.progress == Progress::Cut
    }
}

fn check_header(header: &[u8]) -> Result<u32, ReadError> {
    if header.is_empty() {
        return Err(ReadError::Empty);
    }
    let (magic, version) = header.split_at(header.len().min(MAGIC.len()));
    if !MAGIC.starts_with(magic) {
        return Err(ReadError::Foreign);
    }
    let version = version.try_into().map_err(|_| ReadError::TooShort)?;
    match u32::from_le_bytes(version) {
        version @ 1..=VERSION => Ok(version),
        version => Err(ReadError::Version(version)),
    }
}

fn decode(kind: u8, payload: &[u8]) -> Result<Frame, Malformed> {
    match kind {
        kind::LAUNCH => decode_launch(payload),
        kind::PROCESS => Ok(Frame::Process {
            image: image_of(payload)?,
            identity: Identity::read_fields(payload)?,
        }),
        kind::WINDOW => {
            Ok(Frame::Window { image: image_of(payload)?, window: Window::read_fields(payload)? })
        }
        kind::STATE => decode_state(payload),
        kind::TIMELINE => {
            Ok(Frame::Timeline { image: image_of(payload)?, points: read_points(payload)? })
        }
        kind::EXIT => decode_exit(payload),
        kind::END => End::read_fields(payload).map(|end| Frame::End { frames: end.frames }),
        kind => Ok(skipped(kind, payload)),
    }
}

fn image_of(payload: &[u8]) -> Result<u64, Malformed> {
    find_uint(payload, 1)?.ok_or(Malformed)
}

fn skipped(kind: u8, payload: &[u8]) -> Frame {
    Frame::Skipped { kind, length: payload.len() as u32 }
}

fn decode_launch(payload: &[u8]) -> Result<Frame, Malformed> {
    let Launch { launched_at, command } = Launch::read_fields(payload)?;
    Ok(Frame::Launch { command, launched_at })
}

fn decode_state(payload: &[u8]) -> Result<Frame, Malformed> {
    if find_uint(payload, 2)? != Some(MOMENT_END) {
        return Ok(skipped(kind::STATE, payload));
    }
    Ok(Frame::State {
        image: image_of(payload)?,
        state: Box::new(ProcessState::read_fields(payload)?),
    })
}

fn decode_exit(payload: &[u8]) -> Result<Frame, Malformed> {
    let Ending { ended, exit } = Ending::read_fields(payload)?;
    let image = find_uint(payload, 1)?;
    Ok(Frame::Exit { image, ended, exit })
}
