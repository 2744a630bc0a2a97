//! Appends frames. Each frame goes out in one write, so that a crash leaves whole frames.

use std::io::{self, Write};
use std::time::Duration;

use super::{
    MAGIC, MAX_FRAME_BYTES, MAX_FRAME_POINTS, MOMENT_END, VERSION, frame_crc, kind,
    schema::{End, Ending, Launch, Record},
    timeline::put_points,
    value::Field,
};
use crate::model::{Exit, Identity, Point, ProcessState, TreeState, Window};

/// A process image of this recording, as its frames name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image(u64);

/// Appends a recording to `W`, frame by frame. Only [`Writer::end`] makes it complete; a
/// writer that is dropped before leaves a recording that reads as cut.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    frames: u64,
    images: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a recording of `command`, launched at this time since the Unix epoch.
    ///
    /// # Errors
    /// When `out` cannot be written, as for every method here.
    pub fn new(mut out: W, command: &[Vec<u8>], launched_at: Duration) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let mut writer = Self { out, frames: 0, images: 0 };
        let launch = Launch { launched_at, command: command.to_vec() };
        writer.record(kind::LAUNCH, None, &launch)?;
        Ok(writer)
    }

    /// Introduces a process image: what never changes about it. Its end goes to
    /// [`Writer::image_exit`].
    pub fn process(&mut self, identity: &Identity) -> io::Result<Image> {
        let image = Image(self.images);
        self.images += 1;
        self.record(kind::PROCESS, Some(image), identity)?;
        Ok(image)
    }

    /// When the image was traced, so far. The last one counts.
    pub fn window(&mut self, image: Image, window: &Window) -> io::Result<()> {
        self.record(kind::WINDOW, Some(image), window)
    }

    /// The figures of an image at its end, or at the end of the recording: all of `state`
    /// but its identity, window and timeline. The last one counts: a writer that adds one every
    /// few seconds leaves figures behind even if it is killed.
    pub fn state(&mut self, image: Image, state: &ProcessState) -> io::Result<()> {
        let mut payload = Vec::new();
        Some(image.0).put(1, &mut payload);
        Some(MOMENT_END).put(2, &mut payload);
        state.put_fields(&mut payload);
        self.frame(kind::STATE, &payload)
    }

    /// More samples of an image, later than those before.
    pub fn timeline(&mut self, image: Image, points: &[Point]) -> io::Result<()> {
        for batch in points.chunks(MAX_FRAME_POINTS) {
            let mut payload = Vec::new();
            Some(image.0).put(1, &mut payload);
            put_points(batch, &mut payload);
            self.frame(kind::TIMELINE, &payload)?;
        }
        Ok(())
    }

    /// How and when (since the launch) an image ended, as far as it is known.
    pub fn image_exit(
        &mut self,
        image: Image,
        ended: Option<Duration>,
        exit: Option<Exit>,
    ) -> io::Result<()> {
        self.record(kind::EXIT, Some(image), &Ending { ended, exit })
    }

    /// How the launched program ended.
    pub fn program_exit(&mut self, exit: Exit) -> io::Result<()> {
        let ending = Ending { ended: None, exit: Some(exit) };
        self.record(kind::EXIT, None, &ending)
    }

    /// Hands what was written so far to the system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Completes the recording and gives back what it was written to.
    pub fn end(mut self) -> io::Result<W> {
        let frames = self.frames;
        self.record(kind::END, None, &End { frames })?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn record(&mut self, kind: u8, image: Option<Image>, record: &impl Record) -> io::Result<()> {
        let mut payload = Vec::new();
        image.map(|image| image.0).put(1, &mut payload);
        record.put_fields(&mut payload);
        self.frame(kind, &payload)
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let length = frame_length(payload)?.to_le_bytes();
        let crc = frame_crc(length, kind, payload).to_le_bytes();
        let frame = [&length[..], &[kind], &crc, payload].concat();
        self.out.write_all(&frame)?;
        self.frames += 1;
        Ok(())
    }
}

fn frame_length(payload: &[u8]) -> io::Result<u32> {
    u32::try_from(payload.len()).ok().filter(|length| *length <= MAX_FRAME_BYTES).ok_or_else(|| {
        let message =
            format!("a record of {} bytes is over the format's {MAX_FRAME_BYTES}", payload.len());
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// Writes a complete recording of `tree` and gives back what it was written to.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_tree<W: Write>(out: W, tree: &TreeState) -> io::Result<W> {
    let mut writer = Writer::new(out, &tree.command, tree.launched_at)?;
    for process in &tree.processes {
        write_process(&mut writer, process)?;
    }
    if let Some(exit) = tree.exit {
        writer.program_exit(exit)?;
    }
    writer.end()
}

fn write_process<W: Write>(writer: &mut Writer<W>, process: &ProcessState) -> io::Result<()> {
    let identity = &process.identity;
    let image = writer.process(identity)?;
    writer.window(image, &process.window)?;
    writer.timeline(image, &process.timeline)?;
    writer.state(image, process)?;
    writer.image_exit(image, identity.ended, identity.exit)
}
