//! Reads frames off bytes that nobody vouches for.
//!
//! Invariants: no length is believed before the bytes are there; nothing behind the first
//! bad frame is read; a reader holds one frame, and what it yields is bounded by its size.

use std::{
    io::{self, Read},
    time::Duration,
};

use super::{
    FRAME_HEADER_BYTES, MAGIC, MAX_FRAME_BYTES, MAX_HELD_BYTES, MOMENT_ALONG, MOMENT_END, VERSION,
    block,
    cells::Cells,
    dictionary::{Modules, Symbols, read_stacks},
    events::Events,
    frame_crc,
    index::Index,
    kind,
    patch::Ticks,
    schema::{End, Ending, Gap, Launch, Mark, Record},
    timeline::read_points,
    wire::{Fields, Malformed, find_uint, take_uint},
};
use crate::model::{
    Exit, Function, Identity, LocationId, Module, Point, ProcessState, SitesUpdate,
    UntracedProcess, Window,
};

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
    /// The figures of an image along the way; what follows counts from them.
    Along {
        /// Of which image.
        image: u64,
        /// When, since its session began.
        at: Duration,
        /// The figures.
        state: Box<ProcessState>,
    },
    /// Modules that an image has loaded, behind those known.
    Modules {
        /// Which image.
        image: u64,
        /// What was known of its sites is void.
        restart: bool,
        /// The new ones.
        modules: Vec<Module>,
    },
    /// Locations, nodes and stacks of an image, behind those known.
    Stacks {
        /// Which image.
        image: u64,
        /// The new ones; nothing else is set.
        update: SitesUpdate,
    },
    /// What locations of an image are called.
    Symbols {
        /// Which image.
        image: u64,
        /// Their functions, innermost first.
        names: Vec<(LocationId, Vec<Function>)>,
    },
    /// Figures of an image's sites.
    Cells {
        /// Which image.
        image: u64,
        /// When, since its session began.
        at: Duration,
        /// What changed.
        cells: Cells,
    },
    /// Figures of an image, tick by tick.
    Ticks {
        /// Which image.
        image: u64,
        /// When the first of them was, since its session began.
        at: Duration,
        /// What changed from each to the next.
        ticks: Ticks,
    },
    /// Allocations and frees of one thread of an image.
    Events {
        /// Which image.
        image: u64,
        /// When the first of them was, since its session began.
        at: Duration,
        /// The events.
        events: Events,
    },
    /// A moment that somebody marked.
    Mark {
        /// Of which image; `None`: of the launch.
        image: Option<u64>,
        /// The mark.
        mark: Mark,
    },
    /// Something is missing here.
    Gap(Gap),
    /// A process that is not traced.
    Untraced(UntracedProcess),
    /// Where the frames of a segment are.
    Index {
        /// How many frames it lists.
        frames: usize,
        /// From when, since the launch.
        from: Duration,
        /// Until when.
        to: Duration,
    },
    /// The recording is complete.
    End {
        /// How many frames stand before this one.
        frames: u64,
        /// Offset of the last index, if there is one.
        index: Option<u64>,
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
            Some(Frame::End { frames, .. }) if *frames != self.frames => Progress::Cut,
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

pub(super) fn check_header(header: &[u8]) -> Result<u32, ReadError> {
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

pub(super) fn decode(kind: u8, payload: &[u8]) -> Result<Frame, Malformed> {
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
        kind::END => {
            let End { frames, index } = End::read_fields(payload)?;
            Ok(Frame::End { frames, index })
        }
        kind::MARK => {
            Ok(Frame::Mark { image: find_uint(payload, 1)?, mark: Mark::read_fields(payload)? })
        }
        kind::GAP => Gap::read_fields(payload).map(Frame::Gap),
        kind::UNTRACED => UntracedProcess::read_fields(payload).map(Frame::Untraced),
        kind::INDEX => decode_index(payload),
        kind::MODULES | kind::SYMBOLS | kind::STACKS | kind::CELLS | kind::EVENTS | kind::TICKS => {
            decode_envelope(kind, Envelope::read(payload)?)
        }
        kind => Ok(skipped(kind, payload)),
    }
}

/// What the frames that hold much begin with.
pub(super) struct Envelope {
    image: u64,
    at: Duration,
    pub(super) fields: Vec<u8>,
}

impl Envelope {
    pub(super) fn read(payload: &[u8]) -> Result<Self, Malformed> {
        let (mut image, mut at, mut fields) = (None, 0, Vec::new());
        for field in Fields(payload) {
            let (tag, mut value) = field?;
            match tag {
                1 => image = Some(take_uint(&mut value)?),
                2 => at = take_uint(&mut value)?,
                3 => fields = block::unpack(value)?,
                _ => {}
            }
        }
        Ok(Self { image: image.ok_or(Malformed)?, at: Duration::from_nanos(at), fields })
    }
}

fn decode_envelope(kind: u8, envelope: Envelope) -> Result<Frame, Malformed> {
    let Envelope { image, at, fields } = envelope;
    Ok(match kind {
        kind::MODULES => {
            let Modules { modules, restart } = Modules::read_fields(&fields)?;
            Frame::Modules { image, restart: restart != 0, modules }
        }
        kind::SYMBOLS => {
            let named = Symbols::read_fields(&fields)?.named.into_iter();
            let names = named.map(|one| (LocationId(one.location), one.functions)).collect();
            Frame::Symbols { image, names }
        }
        kind::STACKS => Frame::Stacks { image, update: read_stacks(&fields)? },
        kind::CELLS => Frame::Cells { image, at, cells: Cells::read(&fields)? },
        kind::EVENTS => Frame::Events { image, at, events: Events::read(&fields)? },
        _ => {
            let ticks = ticks_of(&fields)?;
            ticks.scan()?;
            Frame::Ticks { image, at, ticks }
        }
    })
}

fn ticks_of(fields: &[u8]) -> Result<Ticks, Malformed> {
    let rows = Fields(fields).find_map(|field| match field {
        Ok((1, rows)) => Some(Ok(rows)),
        Ok(_) => None,
        Err(malformed) => Some(Err(malformed)),
    });
    Ok(Ticks::new(rows.transpose()?.unwrap_or_default().to_vec()))
}

fn decode_index(payload: &[u8]) -> Result<Frame, Malformed> {
    let index = Index::read(payload)?;
    let [from, to] = [index.from, index.to].map(Duration::from_nanos);
    Ok(Frame::Index { frames: index.entries.len(), from, to })
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
    let moment = find_uint(payload, 2)?.unwrap_or(MOMENT_END);
    if moment > MOMENT_ALONG {
        return Ok(skipped(kind::STATE, payload));
    }
    let image = image_of(payload)?;
    let state = Box::new(ProcessState::read_fields(payload)?);
    let at = find_uint(payload, 3)?.unwrap_or_default();
    Ok(match moment {
        MOMENT_ALONG => Frame::Along { image, at: Duration::from_nanos(at), state },
        _ => Frame::State { image, state },
    })
}

fn decode_exit(payload: &[u8]) -> Result<Frame, Malformed> {
    let Ending { ended, exit } = Ending::read_fields(payload)?;
    let image = find_uint(payload, 1)?;
    Ok(Frame::Exit { image, ended, exit })
}
