//! Reads frames off bytes that nobody vouches for.
//!
//! Invariants: no length is believed before the bytes are there; nothing behind the first
//! bad frame is read; memory stays within [`MAX_HELD_BYTES`] and one frame.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
    mem::size_of,
    time::Duration,
};

use super::{
    FRAME_HEADER_BYTES, MAGIC, MAX_FRAME_BYTES, MAX_HELD_BYTES, MOMENT_END, VERSION, frame_crc,
    kind,
    schema::{End, Ending, Launch, Record},
    timeline::read_points,
    wire::{Malformed, find_uint},
};
use crate::model::{
    Exit, Identity, Interval, Point, ProcessState, SizeClass, ThreadState, TreeState, Window,
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
        Ok(Self {
            input,
            version,
            offset: 12,
            frames: 0,
            progress: Progress::Reading,
        })
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
        kind::WINDOW => Ok(Frame::Window {
            image: image_of(payload)?,
            window: Window::read_fields(payload)?,
        }),
        kind::STATE => decode_state(payload),
        kind::TIMELINE => Ok(Frame::Timeline {
            image: image_of(payload)?,
            points: read_points(payload)?,
        }),
        kind::EXIT => decode_exit(payload),
        kind::END => End::read_fields(payload).map(|end| Frame::End { frames: end.frames }),
        kind => Ok(skipped(kind, payload)),
    }
}

fn image_of(payload: &[u8]) -> Result<u64, Malformed> {
    find_uint(payload, 1)?.ok_or(Malformed)
}

fn skipped(kind: u8, payload: &[u8]) -> Frame {
    Frame::Skipped {
        kind,
        length: payload.len() as u32,
    }
}

fn decode_launch(payload: &[u8]) -> Result<Frame, Malformed> {
    let Launch {
        launched_at,
        command,
    } = Launch::read_fields(payload)?;
    Ok(Frame::Launch {
        command,
        launched_at,
    })
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

/// A recording, read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recording {
    /// What it holds, up to the cut if there is one.
    pub tree: TreeState,
    /// Whether it stops before its end: it is damaged, was cut, or is still being written.
    pub cut: bool,
    /// Indices of the processes whose figures the recording does not hold: it was cut before
    /// they were written. All of their figures are unknown, not zero.
    pub without_state: Vec<usize>,
    /// How many of its bytes were good.
    pub good_bytes: u64,
    /// Its format.
    pub version: u32,
}

impl From<TreeState> for Recording {
    /// What a complete recording of `tree` reads as.
    fn from(tree: TreeState) -> Self {
        Self {
            tree,
            version: VERSION,
            ..Self::default()
        }
    }
}

/// Reads a whole recording.
///
/// # Errors
/// When `input` is no recording that this memtop understands, or cannot be read. A cut or
/// damaged one is read up to there.
pub fn read_tree<R: Read>(input: R) -> Result<Recording, ReadError> {
    let mut reader = Reader::new(input)?;
    let mut assembly = Assembly::default();
    while let Some(frame) = reader.next_frame()? {
        assembly.add(frame)?;
    }
    Ok(Recording {
        without_state: assembly.without_state(),
        tree: assembly.tree,
        cut: reader.is_cut(),
        good_bytes: reader.offset(),
        version: reader.version(),
    })
}

/// A tree in the making.
#[derive(Default)]
struct Assembly {
    tree: TreeState,
    positions: HashMap<u64, usize>,
    with_state: HashSet<usize>,
    held_bytes: usize,
}

impl Assembly {
    fn add(&mut self, frame: Frame) -> Result<(), ReadError> {
        self.held_bytes = self.held_bytes.saturating_add(weight(&frame));
        if self.held_bytes > MAX_HELD_BYTES {
            return Err(ReadError::TooLarge);
        }
        self.apply(frame);
        Ok(())
    }

    fn apply(&mut self, frame: Frame) {
        match frame {
            Frame::Launch {
                command,
                launched_at,
            } => {
                self.tree.command = command;
                self.tree.launched_at = launched_at;
            }
            Frame::Process { image, identity } => self.introduce(image, identity),
            Frame::Exit {
                image: None, exit, ..
            } => self.tree.exit = exit,
            Frame::Window { image, .. }
            | Frame::State { image, .. }
            | Frame::Timeline { image, .. }
            | Frame::Exit {
                image: Some(image), ..
            } => self.update(image, frame),
            Frame::End { .. } | Frame::Skipped { .. } => {}
        }
    }

    fn introduce(&mut self, image: u64, identity: Identity) {
        self.positions.insert(image, self.tree.processes.len());
        self.tree.processes.push(ProcessState {
            identity,
            ..ProcessState::default()
        });
    }

    fn update(&mut self, image: u64, frame: Frame) {
        let Some(&position) = self.positions.get(&image) else {
            return;
        };
        let Some(process) = self.tree.processes.get_mut(position) else {
            return;
        };
        if matches!(frame, Frame::State { .. }) {
            self.with_state.insert(position);
            // A later state replaces the earlier one: only one of them is held.
            self.held_bytes = self.held_bytes.saturating_sub(figures_weight(process));
        }
        update(process, frame);
    }

    fn without_state(&self) -> Vec<usize> {
        let all = 0..self.tree.processes.len();
        all.filter(|at| !self.with_state.contains(at)).collect()
    }
}

/// What a frame says about its image.
fn update(process: &mut ProcessState, frame: Frame) {
    match frame {
        Frame::Window { window, .. } => process.window = window,
        Frame::Timeline { mut points, .. } => process.timeline.append(&mut points),
        Frame::Exit { ended, exit, .. } => {
            process.identity.ended = ended;
            process.identity.exit = exit;
        }
        Frame::State { state, .. } => {
            *process = ProcessState {
                identity: std::mem::take(&mut process.identity),
                window: std::mem::take(&mut process.window),
                timeline: std::mem::take(&mut process.timeline),
                ..*state
            };
        }
        _ => {}
    }
}

/// Memory that a frame takes once it is part of a tree, roughly.
fn weight(frame: &Frame) -> usize {
    match frame {
        Frame::Launch { command, .. } => arguments_weight(command),
        Frame::Process { identity, .. } => {
            size_of::<ProcessState>() + arguments_weight(&identity.command)
        }
        Frame::Window { window, .. } => window.intervals.len() * size_of::<Interval>(),
        Frame::Timeline { points, .. } => points.len() * size_of::<Point>(),
        Frame::State { state, .. } => figures_weight(state),
        Frame::Exit { .. } | Frame::End { .. } | Frame::Skipped { .. } => 0,
    }
}

fn figures_weight(state: &ProcessState) -> usize {
    let classes = state.size_classes.len() + state.size_classes_at_peak.len();
    let names = state
        .threads
        .iter()
        .filter_map(|thread| thread.name.as_ref());
    classes * size_of::<SizeClass>()
        + state.threads.len() * size_of::<ThreadState>()
        + names.map(String::len).sum::<usize>()
}

fn arguments_weight(command: &[Vec<u8>]) -> usize {
    command.iter().map(Vec::len).sum::<usize>() + size_of_val(command)
}
